"""A trail is verified whole, and one altered byte anywhere is found and named."""

import multiprocessing
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.tlog.trees import make_signer
from tests.trails import (
    NOW,
    copy_trail,
    event_id,
    found,
    phi_read,
    publish_once,
    record_events,
)

from phitrail.app import verification
from phitrail.app.key_wiring import KEYS
from phitrail.app.verification import Verdict, Verification, verify_trail
from phitrail.app.wiring import open_trail, wire_log_keys
from phitrail.errors import ConfigError, InputError, StorageError
from phitrail.events.canonical import encode_leaf
from phitrail.events.codes import EventType, Log
from phitrail.events.ids import format_time, uuid_bytes
from phitrail.events.security import SecurityEvent
from phitrail.evidence.findings import Check
from phitrail.evidence.verify import Mode
from phitrail.keys.key_file import make_key
from phitrail.keys.local_vault import LocalVault
from phitrail.keys.names import KeyId, KeyKind
from phitrail.keys.ring import KeyRing
from phitrail.sdk import connect
from phitrail.tlog.checkpoint import Checkpoint
from phitrail.tlog.entry import Entry
from phitrail.tlog.hashing import hash_leaf
from phitrail.tlog.merkle import RightEdge
from phitrail.tlog.note import sign_note
from phitrail.tlog.receipt import Receipt

PUBLISHED = 600
UNPUBLISHED = 5
TALL = 66_000  # more than 256 * 256: three levels of tiles


@dataclass(frozen=True, slots=True)
class Busy:
    """A trail with 600 published audit entries, 5 more, and what was kept outside."""

    directory: Path
    outside: tuple[tuple[str, bytes], ...]
    receipts: tuple[Receipt, ...]


def checkpoints(directory: Path) -> tuple[tuple[str, bytes], ...]:
    """Read the public checkpoint of each log, as if it were saved elsewhere."""
    return tuple(
        (f"usb/{log}", (directory / f"public/{log}/checkpoint").read_bytes())
        for log in Log
    )


@pytest.fixture(scope="session")
def busy(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Busy:
    """Publish at sizes 301, 550 and 600, save the checkpoints of 301, go on recording."""
    directory = copy_trail(founded, tmp_path_factory.mktemp("busy") / "trail")
    record_events(directory, range(300))
    outside = checkpoints(directory)
    record_events(directory, range(300, 549))
    record_events(directory, range(549, PUBLISHED - 1))
    trail = open_trail(directory)
    try:
        receipts = [
            trail.recorder.record(phi_read(1000 + number), NOW)
            for number in range(UNPUBLISHED)
        ]
    finally:
        trail.close()
    return Busy(directory, outside, tuple(receipts))


@pytest.fixture
def copy(busy: Busy, tmp_path: Path) -> Path:
    """Give a copy to spoil."""
    return copy_trail(busy.directory, tmp_path / "copy")


@pytest.fixture(scope="session")
def tall(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a trail whose audit log has three levels of tiles."""
    directory = copy_trail(founded, tmp_path_factory.mktemp("tall") / "trail")
    grow(directory, TALL, every=20_000)
    return directory


def grow(directory: Path, size: int, *, every: int) -> None:
    """Append small entries to the audit log up to a size, publishing at each step."""
    trail = open_trail(directory)
    publisher = trail.publisher()
    lease = trail.lease()
    try:
        with lease:
            for start in range(1, size, every):
                numbers = range(start, min(start + every, size))
                trail.appender.append(tuple(map(small_entry, numbers)))
                publisher.publish()
    finally:
        publisher.close()
        lease.close()
        trail.close()


def small_entry(number: int) -> Entry:
    """Give an entry that no reader would admit and every hash takes."""
    leaf = b"entry-%d" % number
    return Entry("audit", number.to_bytes(18, "big"), bytes(34), leaf, hash_leaf(leaf))


def append(directory: Path, leaf: bytes, key: bytes) -> None:
    """Append one leaf as it is, under a key of our choice, and publish it."""
    trail = open_trail(directory)
    try:
        entry = Entry("security", key, bytes(34), leaf, hash_leaf(leaf))
        trail.appender.append((entry,))
    finally:
        trail.close()
    publish_once(directory)


def counts(found_here: Verification, log: Log = Log.AUDIT) -> dict[str, int]:
    """Give the findings of one log; the others must have none."""
    by_log = {one.log: one.counts for one in found_here.logs}
    assert not any(found for name, found in by_log.items() if name != log)
    return by_log[log]


# --- clean trails ---


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 600])
def test_a_clean_trail_is_ok_whatever_its_size(
    trail_dir: Path, size: int, tmp_path: Path
) -> None:
    """A verifier that fails honest trails at a boundary of tiles would be turned off."""
    grow(trail_dir, size, every=100)
    outside = checkpoints(trail_dir)
    keyless = copy_trail(trail_dir, tmp_path / "keyless")
    shutil.rmtree(keyless / KEYS)

    for directory, processes in ((trail_dir, 1), (trail_dir, 2), (keyless, 1)):
        verified = verify_trail(directory, outside=outside, processes=processes)
        audit = verified.logs[0]

        assert verified.findings == ()
        assert verified.verdict is Verdict.OK
        assert (audit.size, audit.entries, audit.held_to) == (size, size, size)
        assert audit.kept == len(range(1, size, 100)) + 1


def test_three_levels_of_tiles_verify_alike_in_one_process_and_in_two(
    tall: Path,
) -> None:
    """Ranges that were put together wrongly would give another root."""
    alone = verify_trail(tall, processes=1)
    shared = verify_trail(tall, processes=2)

    assert alone == shared
    assert (alone.verdict, alone.logs[0].entries) == (Verdict.UNANCHORED, TALL)


def test_entries_that_are_not_published_yet_are_verified_too(busy: Busy) -> None:
    """An acknowledged entry counts from its acknowledgement, not from its tile."""
    verified = verify_trail(busy.directory, outside=busy.outside, deep=True)
    audit = verified.logs[0]

    assert verified.findings == ()
    assert verified.verdict is Verdict.OK
    assert (audit.size, audit.durable) == (PUBLISHED, PUBLISHED + UNPUBLISHED)
    assert (audit.mode, audit.kept, audit.held_to) == (Mode.ENTRIES, 4, 301)
    assert audit.held_by == ("usb/audit",)


@pytest.mark.drill
def test_without_anything_from_outside_it_is_consistent_with_itself_only(
    busy: Busy,
) -> None:
    """Nobody may read `ok` where nothing from outside was compared."""
    assert verify_trail(busy.directory).verdict is Verdict.UNANCHORED
    some = verify_trail(busy.directory, outside=busy.outside[:1])
    assert some.verdict is Verdict.UNANCHORED
    one = verify_trail(busy.directory, outside=busy.outside[:1], logs=[Log.AUDIT])
    assert one.verdict is Verdict.OK


@pytest.mark.drill
def test_a_promise_that_a_caller_kept_holds_the_log(busy: Busy) -> None:
    """A receipt is evidence before its entry is published."""
    promises = [
        (f"receipt {number}", receipt.promises["audit"])
        for number, receipt in enumerate(busy.receipts)
    ]

    audit = verify_trail(busy.directory, outside=promises, logs=[Log.AUDIT]).logs[0]

    assert audit.held_to == PUBLISHED + UNPUBLISHED
    assert len(audit.held_by) == UNPUBLISHED


@pytest.mark.drill
def test_what_lies_on_the_host_itself_supports_nothing(busy: Busy, copy: Path) -> None:
    """Whoever rewrites the history there could sign and plant it: never `ok` by it."""
    for name, note in busy.outside:
        (copy / "state/outside" / name.replace("/", "-")).write_bytes(note)

    planted = verify_trail(copy)
    given = verify_trail(copy, outside=busy.outside)

    assert planted.verdict is Verdict.UNANCHORED
    assert planted.logs[0].held_by == ()
    assert given.verdict is Verdict.OK
    assert not any(name.startswith("state/") for name in given.logs[0].held_by)


def test_a_copy_without_keys_is_verified_from_its_tiles(busy: Busy, copy: Path) -> None:
    """An auditor needs no key to check completeness, and is told what was not opened."""
    shutil.rmtree(copy / KEYS)

    verified = verify_trail(copy, outside=busy.outside)

    assert (verified.verdict, verified.findings) == (Verdict.OK, ())
    assert verified.logs[0].mode is Mode.TILES
    promise = ("receipt", busy.receipts[0].promises["audit"])
    unopened = verify_trail(copy, outside=[promise], logs=[Log.AUDIT])
    assert unopened.verdict is Verdict.UNANCHORED


def test_a_copy_of_the_public_part_is_enough(busy: Busy, copy: Path) -> None:
    """What a web server shows can be verified by anyone."""
    shutil.rmtree(copy / KEYS)
    shutil.rmtree(copy / "state")

    verified = verify_trail(copy, outside=busy.outside)

    assert (verified.verdict, verified.findings) == (Verdict.OK, ())
    assert (verified.logs[0].durable, verified.logs[0].kept) == (None, 0)


def test_a_trail_is_verified_while_a_writer_is_at_work(trail_dir: Path) -> None:
    """Verifying must need no pause of the clinic, and must not cry wolf."""
    policy = trail_dir / "policy.yaml"
    policy.write_text(
        policy.read_text().replace(
            "publish_interval_s: 1.0", "publish_interval_s: 0.01"
        )
    )
    stop = threading.Event()
    began = threading.Barrier(2)

    def write() -> None:
        with connect(trail_dir) as trail:
            number = 0
            while not stop.is_set():
                trail.record_many([phi_read(number + at) for at in range(40)])
                number += 40
                if number == 40:
                    trail.publish()
                    began.wait(30)

    writer = threading.Thread(target=write)
    writer.start()
    began.wait(30)
    outside = checkpoints(trail_dir)
    sizes: list[int] = []
    try:
        while len(sizes) < 6 or sizes[-1] < 700:
            verified = verify_trail(trail_dir, outside=outside, deep=len(sizes) % 2 > 0)
            sizes.append(verified.logs[0].size)

            assert verified.findings == ()
            assert verified.verdict is Verdict.OK
    finally:
        stop.set()
        writer.join()


def test_progress_ends_at_the_number_of_entries(busy: Busy) -> None:
    """A bar that stops short looks like a verification that did."""
    seen: list[tuple[int, int]] = []

    verify_trail(
        busy.directory, progress=lambda done, total: seen.append((done, total))
    )

    assert seen[-1] == (PUBLISHED + 2, PUBLISHED + 2)
    assert seen == sorted(seen)


# --- one altered byte ---

Spoil = Callable[[Path], None]


def flip(path: str, at: int = -20) -> Spoil:
    """Flip one bit of a file, counted from its end by default."""

    def spoil(directory: Path) -> None:
        place = directory / path
        data = bytearray(place.read_bytes())
        data[at] ^= 1
        place.write_bytes(data)

    return spoil


def remove(path: str) -> Spoil:
    """Remove a file."""
    return lambda directory: (directory / path).unlink()


def cut(path: str, size: int) -> Spoil:
    """Cut a file short."""

    def spoil(directory: Path) -> None:
        place = directory / path
        place.write_bytes(place.read_bytes()[:size])

    return spoil


@contextmanager
def database(directory: Path, name: str = "journal") -> Iterator[sqlite3.Connection]:
    """Open a database of the trail as an attacker would."""
    with closing(sqlite3.connect(directory / f"state/{name}.db")) as opened:
        yield opened
        opened.commit()


def flip_row(table: str, column: str, where: str, at: int = -20) -> Spoil:
    """Flip one bit of a value in the first row of the journal that fits."""

    def spoil(directory: Path) -> None:
        with database(directory) as journal:
            (value,) = journal.execute(
                f"SELECT {column} FROM {table} WHERE {where}"
            ).fetchone()
            data = bytearray(value)
            data[at] ^= 1
            journal.execute(
                f"UPDATE {table} SET {column} = ? WHERE {where}", (bytes(data),)
            )

    return spoil


def run(statement: str, name: str = "journal") -> Spoil:
    """Run one statement in a database of the trail."""

    def spoil(directory: Path) -> None:
        with database(directory, name) as opened:
            assert opened.execute(statement).rowcount > 0

    return spoil


AUDIT = "log = 'audit'"
PUBLIC = "public/audit"
BUNDLES = "state/bundles/audit/tile/entries"

ONE_CAUSE: list[tuple[str, Spoil, Check, bool]] = [
    ("full tile", flip(f"{PUBLIC}/tile/0/001"), Check.TILE, False),
    ("unfinished tile", flip(f"{PUBLIC}/tile/0/002.p/88"), Check.TILE, False),
    ("earlier unfinished", flip(f"{PUBLIC}/tile/0/002.p/38"), Check.TILE, False),
    ("tile of level 1", flip(f"{PUBLIC}/tile/1/000.p/2"), Check.TILE, False),
    ("cut tile", cut(f"{PUBLIC}/tile/0/001", 8000), Check.TILE, False),
    ("missing tile", remove(f"{PUBLIC}/tile/0/001"), Check.TILE, False),
    ("missing level 1", remove(f"{PUBLIC}/tile/1/000.p/2"), Check.TILE, False),
    ("full bundle", flip(f"{BUNDLES}/001"), Check.BUNDLE, False),
    ("unfinished bundle", flip(f"{BUNDLES}/002.p/88"), Check.BUNDLE, False),
    ("key version of a bundle", flip(f"{BUNDLES}/001", 18), Check.BUNDLE, False),
    ("missing bundle", remove(f"{BUNDLES}/001"), Check.BUNDLE, False),
    ("public checkpoint", flip(f"{PUBLIC}/checkpoint"), Check.CHECKPOINT, False),
    ("cut checkpoint", cut(f"{PUBLIC}/checkpoint", 60), Check.CHECKPOINT, False),
    ("missing checkpoint", remove(f"{PUBLIC}/checkpoint"), Check.CHECKPOINT, False),
    (
        "kept checkpoint",
        flip_row("checkpoint", "note", f"{AUDIT} AND size = 301"),
        Check.KEPT,
        False,
    ),
    (
        "newest kept checkpoint",
        flip_row("checkpoint", "note", f"{AUDIT} AND size = 600"),
        Check.KEPT,
        False,
    ),
    (
        "every kept checkpoint",
        run(f"UPDATE checkpoint SET note = x'00' WHERE {AUDIT}"),
        Check.KEPT,
        False,
    ),
    (
        "kept under another size",
        run(f"UPDATE checkpoint SET size = 302 WHERE {AUDIT} AND size = 301"),
        Check.KEPT,
        False,
    ),
    (
        "newest checkpoint not kept",
        run(f"DELETE FROM checkpoint WHERE {AUDIT} AND size = 600"),
        Check.KEPT,
        False,
    ),
    (
        "no checkpoint kept",
        run(f"DELETE FROM checkpoint WHERE {AUDIT}"),
        Check.KEPT,
        False,
    ),
    ("segment", flip_row("segment", "sealed", AUDIT), Check.JOURNAL, False),
    (
        "missing segment",
        run(f"DELETE FROM segment WHERE {AUDIT} AND first > 600"),
        Check.JOURNAL,
        False,
    ),
    ("root of the head", flip_row("log", "root", "name = 'audit'"), Check.HEAD, False),
    (
        "edge of the head",
        run("UPDATE log SET edge = x'00' WHERE name = 'audit'"),
        Check.HEAD,
        False,
    ),
    ("promise", flip_row("log", "promise", "name = 'audit'"), Check.PROMISE, False),
    ("genesis, cut", cut(f"{PUBLIC}/genesis.json", 100), Check.GENESIS, False),
    ("genesis, missing", remove(f"{PUBLIC}/genesis.json"), Check.GENESIS, False),
    (
        "leaf hash of an event",
        flip_row("event", "leaf_hash", f"{AUDIT} AND idx = 300"),
        Check.EVENT,
        True,
    ),
    (
        "leaf hash of an unpublished event",
        flip_row("event", "leaf_hash", f"{AUDIT} AND idx = 602"),
        Check.EVENT,
        True,
    ),
    (
        "place of an event",
        run(f"UPDATE event SET idx = 7 WHERE {AUDIT} AND idx = 8"),
        Check.EVENT,
        True,
    ),
    (
        "missing event",
        run(f"DELETE FROM event WHERE {AUDIT} AND idx = 300"),
        Check.EVENT,
        True,
    ),
    (
        "event too many",
        run(
            "INSERT INTO event SELECT x'00', log, 9, leaf_hash, mac FROM event "
            f"WHERE {AUDIT} AND idx = 9"
        ),
        Check.EVENT,
        True,
    ),
    (
        "identity",
        run(
            "DELETE FROM subject WHERE blind = (SELECT blind FROM subject LIMIT 1)",
            "identity",
        ),
        Check.IDENTITY,
        True,
    ),
]


@pytest.mark.drill
@pytest.mark.parametrize(
    ("spoil", "check", "deep"),
    [pytest.param(*case[1:], id=case[0]) for case in ONE_CAUSE],
)
def test_one_alteration_is_found_and_named_as_what_it_is(
    busy: Busy, copy: Path, spoil: Spoil, check: Check, deep: bool
) -> None:
    """A wrong name sends the investigator to the wrong place; no name lets it pass."""
    spoil(copy)

    verified = verify_trail(copy, outside=busy.outside, deep=deep)

    assert verified.verdict is Verdict.FAILED
    assert set(counts(verified)) == {check}
    assert all(str(found).startswith("audit ") for found in verified.findings)


@pytest.mark.parametrize(
    "path", ["0/000", "0/257.p/208", "1/000", "1/001.p/1", "2/000.p/1"]
)
def test_one_bit_in_a_tile_of_any_level_is_found(
    tall: Path, tmp_path: Path, path: str
) -> None:
    """Tiles above the lowest level are served to others and must be right too."""
    copy = copy_trail(tall, tmp_path / "copy")
    flip(f"{PUBLIC}/tile/{path}")(copy)

    verified = verify_trail(copy, processes=1)

    assert [one.where for one in verified.findings] == [f"tile/{path}"]


def test_a_genesis_that_reads_well_and_is_not_leaf_0_is_found(
    busy: Busy, copy: Path
) -> None:
    """The clear copy is what pins are read from; it must be the hashed one."""
    place = copy / PUBLIC / "genesis.json"
    data = place.read_bytes()
    nonce = data.index(b'"nonce":"') + len(b'"nonce":"')
    place.write_bytes(data[:nonce] + b"A" * 22 + data[nonce + 22 :])

    verified = verify_trail(copy, outside=busy.outside)

    assert set(counts(verified)) == {"genesis"}
    assert verified.findings[0].where == "entry 0"


def test_a_genesis_without_keys_in_it_is_a_finding(busy: Busy, copy: Path) -> None:
    """A key that does not parse is no traceback."""
    place = copy / PUBLIC / "genesis.json"
    data = place.read_bytes()
    at = data.index(b'"log_vkey":"') + data[data.index(b'"log_vkey":"') :].index(b"+")
    place.write_bytes(data[: at + 1] + b"00000000" + data[at + 9 :])

    verified = verify_trail(copy, outside=busy.outside)

    assert set(counts(verified)) == {"genesis"}


def test_a_level_0_tile_without_keys_fails_against_every_signature(
    busy: Busy, copy: Path
) -> None:
    """Without entries, tiles are held against the level above and the checkpoints."""
    shutil.rmtree(copy / KEYS)
    flip(f"{PUBLIC}/tile/0/001")(copy)

    verified = verify_trail(copy, outside=busy.outside)

    assert set(counts(verified)) == {"tile", "kept_checkpoint", "checkpoint"}
    assert "tile/0/001" in str(verified.findings[0])


@pytest.mark.drill
def test_bundle_and_tile_altered_alike_do_not_fool_the_level_above(
    busy: Busy, copy: Path
) -> None:
    """Whoever rewrites entries and their tile must still meet the signed root."""
    keys = wire_log_keys("clinic.example", KeyRing.load(copy / KEYS))["audit"]
    bundle = copy / BUNDLES / "001"
    bundle.write_bytes(
        keys.seal(b"\x00\x01x" * 256, b"phitrail/bundle/v1|clinic.example/audit|1|256")
    )
    (copy / PUBLIC / "tile/0/001").write_bytes(hash_leaf(b"x") * 256)

    verified = verify_trail(copy, outside=busy.outside)

    assert verified.verdict is Verdict.FAILED
    assert set(counts(verified)) == {
        "tile",
        "checkpoint",
        "outside_checkpoint",
        "kept_checkpoint",
    }


def test_a_missing_tile_and_bundle_do_not_hide_another_finding(
    busy: Busy, copy: Path
) -> None:
    """The verification goes on behind a hole."""
    remove(f"{BUNDLES}/000")(copy)
    remove(f"{PUBLIC}/tile/0/000")(copy)
    flip(f"{BUNDLES}/001")(copy)

    verified = verify_trail(copy, outside=busy.outside)
    where = {(one.check.value, one.where) for one in verified.findings}

    assert {
        ("tile", "tile/0/000"),
        ("bundle", "bundle 0"),
        ("bundle", "bundle 1"),
    } <= where


def test_many_findings_of_one_cause_are_counted_and_not_all_told(
    busy: Busy, copy: Path
) -> None:
    """A wrong key shows at every bundle; a page of it would hide the rest."""
    wrong, _ = make_key(
        KeyId("audit-seal", 1),
        KeyKind.SEAL,
        format_time(NOW),
        LocalVault.load(copy / KEYS),
        None,
    )
    (copy / KEYS / wrong.file_name).write_bytes(wrong.encode())

    verified = verify_trail(copy, outside=busy.outside)

    assert counts(verified) == {"bundle": 3, "journal": 1}
    assert "wrong key file" in str(verified.findings)


# --- keys, journal, outside ---


def test_a_missing_key_says_what_to_do(copy: Path) -> None:
    """Half a key directory is no keyless copy; nobody may take it for one."""
    (copy / KEYS / "audit-seal.v1.json").unlink()

    with pytest.raises(ConfigError, match=r"audit-seal is missing .* restore it"):
        verify_trail(copy)


@pytest.mark.drill
def test_signing_keys_that_genesis_does_not_pin_are_found(
    copy: Path, tmp_path: Path
) -> None:
    """The next checkpoint would be signed by a stranger."""
    other = found(tmp_path / "other")
    shutil.copy2(other / KEYS / "audit-checkpoint.v1.json", copy / KEYS)

    assert counts(verify_trail(copy)) == {"genesis": 1}


@pytest.mark.parametrize("start", [0, 8192], ids=["header", "pages"])
def test_a_corrupt_journal_is_a_finding_and_the_tiles_are_verified_still(
    busy: Busy, copy: Path, start: int
) -> None:
    """A damaged database must neither end in a traceback nor pass."""
    place = copy / "state/journal.db"
    size = place.stat().st_size
    with place.open("r+b") as file:
        file.seek(start)
        file.write(b"\xa5" * (size - start))

    verified = verify_trail(copy, outside=busy.outside)

    assert verified.verdict is Verdict.FAILED
    assert {one.check for one in verified.findings} == {Check.JOURNAL}
    assert verified.logs[0].entries == PUBLISHED


@pytest.mark.parametrize(
    ("name", "check"), [("journal", Check.EVENT), ("identity", Check.IDENTITY)]
)
def test_a_table_that_breaks_half_way_is_a_finding_of_the_deep_checks(
    busy: Busy, copy: Path, name: str, check: Check
) -> None:
    """Pages of a large table can be damaged while the rest of the file reads well."""
    table = {"journal": "event", "identity": "subject"}[name]
    with database(copy, name) as opened:
        opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (root,) = opened.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)
        ).fetchone()
        if name == "identity":
            (root,) = opened.execute(
                "SELECT rootpage FROM sqlite_schema WHERE type = 'index'"
            ).fetchone()
        (page_bytes,) = opened.execute("PRAGMA page_size").fetchone()
    with (copy / f"state/{name}.db").open("r+b") as file:
        file.seek((root - 1) * page_bytes)
        file.write(b"\xa5" * page_bytes)

    verified = verify_trail(copy, outside=busy.outside, deep=True)

    assert verified.verdict is Verdict.FAILED
    assert {one.check for one in verified.findings} <= {check, Check.JOURNAL}


def test_a_journal_that_cannot_be_read_is_no_finding(copy: Path) -> None:
    """A disk that fails is the operator's; calling it tampering would accuse somebody."""
    place = copy / "state/journal.db"
    place.unlink()
    place.mkdir()

    with pytest.raises(StorageError):
        verify_trail(copy)


def test_a_tile_that_cannot_be_read_is_no_finding(copy: Path) -> None:
    """The same for a tile."""
    place = copy / PUBLIC / "tile/0/001"
    place.unlink()
    place.mkdir()

    with pytest.raises(StorageError, match="cannot read"):
        verify_trail(copy)


def test_a_checkpoint_that_cannot_be_read_is_no_finding(copy: Path) -> None:
    """The same for a checkpoint, published or from outside."""
    (copy / "state/outside/usb").mkdir()
    with pytest.raises(StorageError, match="cannot read"):
        verify_trail(copy)
    (copy / "state/outside/usb").rmdir()
    (copy / PUBLIC / "checkpoint").unlink()
    (copy / PUBLIC / "checkpoint").mkdir()

    with pytest.raises(StorageError, match="cannot read"):
        verify_trail(copy)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE checkpoint SET note = 'text'",
        "UPDATE checkpoint SET size = 'text' WHERE size = 1",
        "UPDATE log SET promise = 'text'",
        "UPDATE log SET size = 'text'",
        "UPDATE event SET mac = 'text'",
        "UPDATE segment SET sealed = 'text'",
    ],
)
def test_a_value_of_another_type_is_a_finding(
    busy: Busy, copy: Path, statement: str
) -> None:
    """SQLite stores text where bytes belong; a verifier must not stumble over it."""
    with database(copy) as journal:
        journal.execute(statement)

    verified = verify_trail(copy, outside=busy.outside, deep=True)

    assert verified.verdict is Verdict.FAILED
    assert "does not hold what was written" in str(verified.findings)


@pytest.mark.drill
@pytest.mark.parametrize("table", ["log", "segment", "checkpoint", "event"])
def test_a_table_that_is_gone_is_a_finding(busy: Busy, copy: Path, table: str) -> None:
    """The advice to look at the disk would send the operator the wrong way."""
    with database(copy) as journal:
        journal.execute(f"DROP TABLE {table}")

    verified = verify_trail(copy, outside=busy.outside, deep=True)

    assert verified.verdict is Verdict.FAILED


def test_an_empty_file_for_a_journal_is_a_finding(busy: Busy, copy: Path) -> None:
    """To SQLite an empty file is a database in good order."""
    (copy / "state/journal.db").write_bytes(b"")

    verified = verify_trail(copy, outside=busy.outside)

    assert verified.verdict is Verdict.FAILED
    assert {one.check for one in verified.findings} == {Check.JOURNAL}


@pytest.mark.drill
def test_a_journal_missing_beside_the_keys_is_a_finding(busy: Busy, copy: Path) -> None:
    """Who deletes it takes along what was acknowledged and not yet published."""
    (copy / "state/journal.db").unlink()

    verified = verify_trail(copy, outside=busy.outside)

    assert verified.verdict is Verdict.FAILED
    assert {one.check for one in verified.findings} == {Check.JOURNAL}


def test_a_tile_with_bytes_behind_its_end_is_a_finding(busy: Busy, copy: Path) -> None:
    """Other readers refuse such a tile; an `ok` here would leave them without the log."""
    with (copy / PUBLIC / "tile/0/001").open("ab") as file:
        file.write(bytes(32))

    assert counts(verify_trail(copy, outside=busy.outside)) == {"tile": 1}


@pytest.mark.drill
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE subject SET sealed = randomblob(100)",
        "UPDATE subject SET blind = randomblob(32)",
        "UPDATE subject SET index_version = 7",
        "UPDATE subject SET sealed = 'text'",
        "INSERT INTO subject VALUES (x'00', 1, randomblob(32), randomblob(99))",
    ],
)
def test_a_row_of_the_identity_map_that_does_not_open_is_a_deep_finding(
    busy: Busy, copy: Path, statement: str
) -> None:
    """Such a patient could never be named again, or would be counted twice."""
    with database(copy, "identity") as identity:
        identity.execute(statement)

    verified = verify_trail(copy, outside=busy.outside, deep=True)

    assert verified.verdict is Verdict.FAILED
    assert {one.check for one in verified.findings} == {Check.IDENTITY}


@pytest.mark.drill
def test_a_head_behind_what_was_published_is_found(busy: Busy, copy: Path) -> None:
    """A journal that was restored from a backup would give indexes out twice."""
    with database(copy) as journal:
        older = RightEdge()
        older.append(hash_leaf(b"genesis"))
        journal.execute(
            "UPDATE log SET size = 1, root = ?, edge = ? WHERE name = 'audit'",
            (older.root(), older.to_bytes()),
        )

    verified = verify_trail(copy, outside=busy.outside)

    assert counts(verified) == {"head": 2}


def test_a_head_of_the_published_size_must_have_its_root(
    busy: Busy, copy: Path
) -> None:
    """Two roots of one size are two histories, even in one host."""
    keys = wire_log_keys("clinic.example", KeyRing.load(copy / KEYS))["security"]
    edge = RightEdge()
    edge.append(hash_leaf(b"another genesis"))
    promise = sign_note(Checkpoint(keys.origin, 1, edge.root()).body(), [keys.promise])
    with database(copy) as journal:
        journal.execute(
            "UPDATE log SET root = ?, edge = ?, promise = ? WHERE name = 'security'",
            (edge.root(), edge.to_bytes(), promise),
        )

    verified = verify_trail(copy, outside=busy.outside)

    assert counts(verified, Log.SECURITY) == {"head": 1, "journal": 1}


@pytest.mark.drill
def test_segments_that_are_sealed_anew_with_other_entries_are_found(
    busy: Busy, copy: Path
) -> None:
    """The host's key seals anything; the tree and the promise do not follow."""
    keys = wire_log_keys("clinic.example", KeyRing.load(copy / KEYS))["audit"]
    with database(copy) as journal:
        for first in (599, 603):
            context = f"phitrail/segment/v1|{keys.origin}|{first}".encode()
            journal.execute(
                "UPDATE segment SET sealed = ? WHERE log = 'audit' AND first = ?",
                (keys.seal(b"\x00\x01x", context), first),
            )

    verified = verify_trail(copy, outside=busy.outside)

    assert counts(verified) == {"journal": 2}


def resign(directory: Path, size: int) -> bytes:
    """Sign another root for a size with the host's own checkpoint key."""
    keys = wire_log_keys("clinic.example", KeyRing.load(directory / KEYS))["audit"]
    body = Checkpoint(keys.origin, size, hash_leaf(b"another history")).body()
    return sign_note(body, [keys.checkpoint])


@pytest.mark.drill
def test_two_signed_roots_for_one_size_are_a_fork(busy: Busy, copy: Path) -> None:
    """A fork convicts the signer by his own signatures; it must be told as one."""
    with database(copy) as journal:
        journal.execute(
            "UPDATE checkpoint SET note = ? WHERE log = 'audit' AND size = 301",
            (resign(copy, 301),),
        )

    alone = verify_trail(copy)
    against = verify_trail(copy, outside=busy.outside)

    assert counts(alone) == {"kept_checkpoint": 1}
    assert counts(against) == {"kept_checkpoint": 1, "fork": 1}


@pytest.mark.drill
@pytest.mark.parametrize("size", [256, 301, 512, 600])
def test_an_outside_checkpoint_with_another_root_fails(busy: Busy, size: int) -> None:
    """This is what sees a rewritten history; sizes within and at the end of tiles."""
    note = ("usb", resign(busy.directory, size))

    verified = verify_trail(busy.directory, outside=[*busy.outside, note])

    assert verified.verdict is Verdict.FAILED
    assert counts(verified)["outside_checkpoint"] == 1


@pytest.mark.drill
def test_an_outside_promise_with_another_root_fails(busy: Busy) -> None:
    """A promise beyond what is published is held against the journal's entries."""
    keys = wire_log_keys("clinic.example", KeyRing.load(busy.directory / KEYS))
    body = Checkpoint("clinic.example/audit", 603, hash_leaf(b"other")).body()
    note = ("receipt", sign_note(body, [keys["audit"].promise]))

    verified = verify_trail(busy.directory, outside=[note])

    assert counts(verified) == {"outside_checkpoint": 1}


@pytest.mark.drill
def test_a_log_smaller_than_the_outside_saw_fails(busy: Busy) -> None:
    """A restored backup is consistent with itself; what left the host is larger."""
    pin = resign(busy.directory, 606)

    verified = verify_trail(busy.directory, outside=[("usb", pin)])

    assert counts(verified) == {"outside_checkpoint": 1}
    assert "606 entries outside and has 605 here" in str(verified.findings[0])


@pytest.mark.drill
def test_a_stranger_s_outside_checkpoint_fails(
    busy: Busy,
) -> None:
    """Whoever replaces genesis and keys must not thereby lose the comparison."""
    stranger = make_signer("clinic.example/audit", bytes(32))
    body = Checkpoint("clinic.example/audit", 301, hash_leaf(b"x")).body()
    elsewhere = Checkpoint("elsewhere.example/audit", 301, hash_leaf(b"x")).body()
    outside = [
        ("same name", sign_note(body, [stranger])),
        ("other trail", sign_note(elsewhere, [stranger])),
        ("no note", b"hello"),
    ]

    verified = verify_trail(busy.directory, outside=outside)

    assert verified.verdict is Verdict.FAILED
    assert counts(verified) == {"outside_checkpoint": 1}
    assert [one.where for one in verified.astray] == ["no note", "other trail"]


def test_an_outside_checkpoint_of_nothing_holds_nothing(busy: Busy) -> None:
    """Size 0 fits every log; taking it for an anchor would make `ok` worthless."""
    keys = wire_log_keys("clinic.example", KeyRing.load(busy.directory / KEYS))
    empty = Checkpoint("clinic.example/audit", 0, RightEdge().root()).body()
    note = ("usb", sign_note(empty, [keys["audit"].checkpoint]))

    verified = verify_trail(busy.directory, outside=[note], logs=[Log.AUDIT])

    assert verified.verdict is Verdict.UNANCHORED


def test_a_replaced_checkpoint_leaves_the_rest_to_be_verified(
    busy: Busy, copy: Path
) -> None:
    """The newest one that opens is where the derivation begins."""
    stranger = make_signer("clinic.example/audit", bytes(32))
    body = Checkpoint("clinic.example/audit", 600, hash_leaf(b"x")).body()
    note = sign_note(body, [stranger])
    (copy / PUBLIC / "checkpoint").write_bytes(note)
    with database(copy) as journal:
        journal.execute(
            "UPDATE checkpoint SET note = ? WHERE log = 'audit' AND size = 600", (note,)
        )

    verified = verify_trail(copy, outside=busy.outside)

    assert counts(verified) == {"checkpoint": 1, "kept_checkpoint": 1}
    assert (verified.logs[0].size, verified.logs[0].entries) == (550, 550)


def test_nothing_that_opens_is_no_ok(busy: Busy, copy: Path) -> None:
    """With neither checkpoint nor journal there is nothing to verify, and it says so."""
    shutil.rmtree(copy / "state")
    cut(f"{PUBLIC}/checkpoint", 60)(copy)

    verified = verify_trail(copy, outside=busy.outside)

    assert verified.verdict is Verdict.FAILED
    assert verified.logs[0].entries == 0


# --- deep ---


def test_a_leaf_under_no_known_schema_is_found(busy: Busy, copy: Path) -> None:
    """Hashes take any bytes; a reader in six years must be able to read them."""
    append(copy, b'{"schema":"phitrail/other/v1"}', bytes(18))

    shallow = verify_trail(copy, outside=busy.outside)
    deep = verify_trail(copy, outside=busy.outside, deep=True)

    assert shallow.verdict is Verdict.OK
    assert counts(deep, Log.SECURITY) == {"entry": 1}


@pytest.mark.drill
def test_an_event_id_that_stands_twice_is_found(busy: Busy, copy: Path) -> None:
    """Exactly once is a promise about the log, not about the table beside it."""
    leaves = [
        encode_leaf(
            SecurityEvent(
                event_type=EventType.SESSION_DENIED,
                event_id=event_id(5000),
                nonce="n" * 21 + str(number),
            )
        )
        for number in range(2)
    ]
    key = uuid_bytes(event_id(5000))
    append(copy, leaves[0], key + b"\x00\x00")
    append(copy, leaves[1], key + b"\x00\x01")

    deep = verify_trail(copy, outside=busy.outside, deep=True)

    assert set(counts(deep, Log.SECURITY)) == {"event"}
    assert "has the event id of entry 1" in str(deep.findings)


# --- asking wrongly ---


def test_a_place_that_is_no_trail_says_so(tmp_path: Path) -> None:
    """A wrong path is the user's slip and gets a sentence."""
    with pytest.raises(ConfigError, match="point --trail at a trail"):
        verify_trail(tmp_path)


@pytest.mark.parametrize("missing", [KEYS, "state/journal.db", "state/identity.db"])
def test_deep_says_what_it_lacks(copy: Path, missing: str) -> None:
    """A deep verification that silently looked less deep would mislead."""
    place = copy / missing
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink()

    with pytest.raises(ConfigError, match="a deep verification needs"):
        verify_trail(copy, deep=True)


@pytest.mark.parametrize(
    "wrong", [{"logs": []}, {"processes": 0}], ids=["logs", "processes"]
)
def test_nothing_to_do_is_refused(busy: Busy, wrong: dict[str, list[Log]]) -> None:
    """No logs verified must not read as nothing wrong."""
    with pytest.raises(InputError):
        verify_trail(busy.directory, **wrong)  # type: ignore[arg-type]  # one case each


def test_a_process_that_dies_ends_the_verification(
    tall: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker killed for its memory must not leave a hang or an `ok`."""
    monkeypatch.setattr(verification, "TILES_IN_A_RANGE", 1)

    def kill(done: int, total: int) -> None:
        del done, total
        for child in multiprocessing.active_children():
            child.kill()

    with pytest.raises(StorageError, match="with one process"):
        verify_trail(tall, processes=2, progress=kill)
