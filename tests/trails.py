"""Founded trails, small events, and a check of a trail by other means than its own.

`check_whole` re-reads every entry and asks: do the entries give the root of the head and
of every checkpoint that was kept, is every tile what the entries make it, and does the
table of events name each entry once? Of the product it uses hashing and unsealing only.
"""

import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.tlog.trees import lay_out

from phitrail.app.founding import found_trail
from phitrail.app.key_wiring import KEYS
from phitrail.app.pins import JOURNAL, read_pins
from phitrail.app.wiring import Trail, open_trail, wire_log_keys
from phitrail.durable.files import DurableFiles
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.canonical import LeafRecord, decode_leaf
from phitrail.events.codes import EventType, Log
from phitrail.events.ids import new_uuid7
from phitrail.events.protected import Protected
from phitrail.keys.ring import KeyRing
from phitrail.tlog.checkpoint import Checkpoint, open_checkpoint
from phitrail.tlog.hashing import Hash, hash_leaf
from phitrail.tlog.journal import Journal
from phitrail.tlog.merkle import RightEdge, tree_root
from phitrail.tlog.reader import LogReader
from phitrail.tlog.receipt import Receipt, check_receipt

TENANT = "clinic.example"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def found(directory: Path) -> Path:
    """Found a trail."""
    found_trail(directory, TENANT, NOW)
    return directory


def copy_trail(source: Path, target: Path) -> Path:
    """Copy a trail that nobody has open."""
    shutil.copytree(source, target)
    return target


def event_id(number: int) -> str:
    """Give the same id for the same number."""
    moment = NOW + timedelta(milliseconds=number)
    return new_uuid7(moment, number.to_bytes(10, "big"))


def phi_read(number: int, *, patients: int = 7) -> CallerEvent:
    """Give the same event for the same number; one of a few patients."""
    return AuditEvent(
        event_type=EventType.PHI_READ,
        event_id=event_id(number),
        user_id="dr-0012",
        records=(
            (
                Protected(f"mrn-{number % patients}"),
                Protected(f"note-{number}"),
                "DocumentReference",
            ),
        ),
    )


def plain_event(number: int) -> CallerEvent:
    """Give an event about no record: the same for the same number."""
    return AuditEvent(
        event_type=EventType.AI_INFERENCE, event_id=event_id(number), user_id="dr-0012"
    )


def record_events(directory: Path, numbers: Iterable[int]) -> list[Receipt]:
    """Open a trail, record events and publish them."""
    trail = open_trail(directory)
    try:
        receipts = [trail.recorder.record(phi_read(n), NOW) for n in numbers]
        publish_once(directory)
    finally:
        trail.close()
    return receipts


def publish_once(directory: Path) -> dict[str, Checkpoint]:
    """Run one round of a publisher that starts from the disk."""
    trail = open_trail(directory)
    lease = trail.lease()
    try:
        with lease:
            publisher = trail.publisher()
            try:
                return publisher.publish()
            finally:
                publisher.close()
    finally:
        lease.close()
        trail.close()


def read_leaves(trail: Trail, log: Log = Log.AUDIT) -> list[LeafRecord]:
    """Read every entry of a log, genesis first, and leave nothing open."""
    with closing(trail.reader(log)) as reader:
        return list(map(decode_leaf, reader.entries(0, reader.size())))


@dataclass(frozen=True, slots=True)
class Whole:
    """What a whole trail holds: leaves and the sizes of kept checkpoints, by log."""

    leaves: dict[str, list[bytes]]
    checkpoints: dict[str, list[int]]

    def event_ids(self, log: str = "audit") -> list[str | None]:
        """List the event ids of a log in order, genesis included."""
        return [decode_leaf(leaf).event_id for leaf in self.leaves[log]]

    def check_holds(self, receipts: Iterable[Receipt], directory: Path) -> None:
        """Check that everything that these receipts promise is there."""
        promise_keys = {
            log.value: pinned.promise_key
            for log, pinned in read_pins(directory).items()
        }
        roots = {log: prefix_roots(leaves) for log, leaves in self.leaves.items()}
        for receipt in receipts:
            for log, head in check_receipt(receipt, promise_keys).items():
                assert head.root == roots[log][head.size], "a promise was broken"
            for place in receipt.positions:
                leaf = self.leaves[place.log][place.index]
                assert place.leaf_hash == hash_leaf(leaf), "an entry was exchanged"
                assert receipt.event_id == decode_leaf(leaf).event_id


def prefix_roots(leaves: Iterable[bytes]) -> list[Hash]:
    """Give the root at every size."""
    edge = RightEdge()
    roots = [edge.root()]
    for leaf in leaves:
        edge.append(hash_leaf(leaf))
        roots.append(edge.root())
    return roots


def check_whole(directory: Path) -> Whole:
    """Check a trail that nobody has open for writing."""
    keys = wire_log_keys(TENANT, KeyRing.load(directory / KEYS))
    pins = read_pins(directory)
    journal = Journal.open(directory / JOURNAL, read_only=True)
    leaves: dict[str, list[bytes]] = {}
    sizes: dict[str, list[int]] = {}
    try:
        for log in Log:
            name = log.value
            head = journal.head(name)
            reader = LogReader(name, journal, DurableFiles(directory), keys[name])
            entries = leaves[name] = list(reader.entries(0, head.size))
            assert tree_root(list(map(hash_leaf, entries))) == head.root
            _check_events(journal.database, name, entries)
            roots = prefix_roots(entries)
            sizes[name] = []
            for size, note in journal.checkpoints(name):
                kept = open_checkpoint(note, [pins[log].log_key])
                assert (kept.size, kept.root) == (size, roots[size])
                sizes[name].append(size)
            _check_public(directory, name, dict(journal.checkpoints(name)))
            _check_tiles(directory, name, entries[: sizes[name][-1]])
    finally:
        journal.close()
    return Whole(leaves, sizes)


def _check_events(database: sqlite3.Connection, log: str, entries: list[bytes]) -> None:
    rows = database.execute(
        "SELECT idx, leaf_hash, key FROM event WHERE log = ? ORDER BY idx", (log,)
    ).fetchall()
    assert list(enumerate(map(hash_leaf, entries))) == [row[:2] for row in rows]
    for (_, _, key), leaf in zip(rows, entries, strict=True):
        written = (decode_leaf(leaf).event_id or "").replace("-", "")
        assert written == key[:16].hex()


def _check_public(directory: Path, log: str, kept: dict[int, bytes]) -> None:
    place = directory / "public" / log / "checkpoint"
    if place.exists():  # a crash may have come between the journal and this copy
        assert place.read_bytes() in kept.values()


def _check_tiles(directory: Path, log: str, entries: list[bytes]) -> None:
    for path, data in lay_out(entries).items():
        if "/entries/" not in path:
            assert data == (directory / "public" / log / path).read_bytes(), path
