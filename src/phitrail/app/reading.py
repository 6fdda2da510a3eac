"""Reads of a log by people: recorded first, shown after.

1. Find which entries are meant; nothing of them is opened yet.
2. Record one `audit_log_read` in the audit log: who, which log, what for, how many. If
   that cannot be recorded, nothing is shown.
3. Open the entries.

What is shown holds surrogates only; who stands behind one is not answered here.
"""

import os
import pwd
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from phitrail.app.documents import open_document
from phitrail.app.running import RunningTrail
from phitrail.app.wiring import Trail
from phitrail.errors import InputError, IntegrityError
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.canonical import decode_leaf
from phitrail.events.codes import (
    Action,
    ActorType,
    Assurance,
    AttributionBasis,
    EventType,
    Log,
    Outcome,
)
from phitrail.events.ids import format_time, new_uuid7, uuid_bytes
from phitrail.tlog.checkpoint import open_checkpoint
from phitrail.tlog.hashing import Hash, hash_leaf
from phitrail.tlog.proof import verify_inclusion
from phitrail.tlog.proof_file import parse_proof, print_proof
from phitrail.tlog.reader import LogReader, Proven, find_event
from phitrail.tlog.receipt import Position

COMPONENT = "phitrail-cli"


@dataclass(frozen=True, slots=True)
class ShownEntry:
    """One entry as it stands in a log; `leaf` is what was hashed.

    `document` is the sealed text that the entry names by its digest, opened.
    """

    log: Log
    index: int
    leaf: bytes
    document: bytes | None = None

    @property
    def leaf_hash(self) -> Hash:
        """The leaf hash, 32 bytes."""
        return hash_leaf(self.leaf)


@dataclass(frozen=True, slots=True)
class ProvenEntry:
    """An entry, and the file that proves it to anybody (C2SP tlog-proof)."""

    entry: ShownEntry
    proven: Proven
    vkey: str
    proof_file: bytes


def system_user() -> str:
    """Name the user whom the operating system runs us as."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"


def record_read(
    trail: Trail,
    log: Log,
    *,
    by: str,
    reason_code: str,
    result_count: int,
    now: datetime,
    object_id: str | None = None,
    object_digest: str | None = None,
    action: Action = Action.READ,
) -> Position:
    """Record that somebody reads a log; return where that stands in the audit log.

    Raises:
        InputError: `by` is no user id.
        StorageError: not recorded; nothing may be shown.
    """
    event: CallerEvent = AuditEvent(
        event_type=EventType.AUDIT_LOG_READ,
        event_id=new_uuid7(now),
        timestamp_utc=format_time(now),
        user_id=by,
        actor_type=ActorType.HUMAN,
        attribution_basis=AttributionBasis.STATIC,
        action=action,
        outcome=Outcome.SUCCESS,
        read_log=log,
        reason_code=reason_code,
        result_count=result_count,
        object_id=object_id,
        object_digest=object_digest,
        service_component=COMPONENT,
        assurance=Assurance.ENFORCED,
    )
    return trail.recorder.record(event, now).positions[0]


def find_entries(trail: Trail, reader: LogReader, wanted: str) -> tuple[int, ...]:
    """Find the entries that an index or an event id names.

    Raises:
        InputError: it is neither, or this log does not hold it.
    """
    if wanted.isascii() and wanted.isdigit():
        index, size = int(wanted), reader.size()
        if index >= size:
            raise InputError.for_field(
                "ENTRY", f"the {reader.log} log holds entries 0 to {size - 1}"
            )
        return (index,)
    try:
        event_id = uuid_bytes(wanted)
    except InputError:
        raise InputError.for_field("ENTRY", "an index or an event id") from None
    with closing(trail.journal()) as journal:
        places = find_event(journal, event_id)
    here = tuple(place.index for place in places if place.log == reader.log)
    if not here:
        elsewhere = sorted({place.log for place in places})
        raise InputError.for_field(
            "ENTRY",
            f"that event stands in another log; ask --log {elsewhere[0]}"
            if elsewhere
            else "no log holds that event id",
        )
    return here


def show_entries(
    trail: Trail, log: Log, wanted: str, *, by: str, now: datetime
) -> tuple[ShownEntry, ...]:
    """Read the entry at an index, or every part of an event.

    Raises:
        InputError: there is no such entry.
        StorageError: the read could not be recorded; nothing is shown.
        IntegrityError: the entry is missing or altered.
    """
    with closing(trail.reader(log)) as reader:
        indexes = find_entries(trail, reader, wanted)
        record_read(
            trail,
            log,
            by=by,
            reason_code="log_show",
            result_count=len(indexes),
            object_id=f"{log}:{indexes[0]}",
            now=now,
        )
        return tuple(
            _shown(trail, log, index, reader.entry(index)) for index in indexes
        )


def _shown(trail: Trail, log: Log, index: int, leaf: bytes) -> ShownEntry:
    digest = getattr(decode_leaf(leaf), "object_digest", None)
    document = None if digest is None else open_document(trail, digest)
    return ShownEntry(log, index, leaf, document)


def tail_entries(
    trail: Trail, log: Log, count: int, *, by: str, now: datetime
) -> tuple[int, Iterator[ShownEntry]]:
    """Read the last `count` entries that stood before this read was recorded.

    Returns:
        The size of the log then, and the entries.

    Raises:
        StorageError: the read could not be recorded; nothing is shown.
        IntegrityError: an entry is missing or altered.
    """
    with closing(trail.reader(log)) as reader:
        end = reader.size()
    start = max(0, end - count)
    record_read(
        trail, log, by=by, reason_code="log_tail", result_count=end - start, now=now
    )
    return end, newer_entries(trail, log, start, end)


def newer_entries(
    trail: Trail, log: Log, start: int, end: int | None = None
) -> Iterator[ShownEntry]:
    """Read the entries [start, end) in the course of one tail, up to the last one."""
    with closing(trail.reader(log)) as reader:
        stop = reader.size() if end is None else end
        for index, leaf in enumerate(reader.entries(start, stop), start=start):
            yield ShownEntry(log, index, leaf)


def prove_entry(
    trail: RunningTrail, log: Log, wanted: str, *, by: str, now: datetime
) -> ProvenEntry:
    """Read an entry with its proof against a published checkpoint.

    The proof is verified here as an outsider would, out of the file that goes out.

    Raises:
        InputError: there is no such entry, or the event has several.
        StorageError: the read could not be recorded, or nobody publishes.
        IntegrityError: the entry, a tile or the proof does not verify.
    """
    with closing(trail.parts.reader(log)) as reader:
        return _prove(trail, reader, log, wanted, by=by, now=now)


def _prove(
    trail: RunningTrail,
    reader: LogReader,
    log: Log,
    wanted: str,
    *,
    by: str,
    now: datetime,
) -> ProvenEntry:
    indexes = find_entries(trail.parts, reader, wanted)
    if len(indexes) > 1:
        raise InputError.for_field(
            "ENTRY",
            f"that event has {len(indexes)} parts, entries {indexes[0]} to "
            f"{indexes[-1]}; prove each by its index",
        )
    index = indexes[0]
    record_read(
        trail.parts,
        log,
        by=by,
        reason_code="log_prove",
        result_count=1,
        object_id=f"{log}:{index}",
        now=now,
    )
    return verified_proof(trail, reader, log, index)


def verified_proof(
    trail: RunningTrail, reader: LogReader, log: Log, index: int
) -> ProvenEntry:
    """Prove an entry, and verify the proof out of its file, as an outsider would.

    Records nothing: whoever shows the entry has recorded that before.

    Raises:
        IntegrityError: the entry, a tile or the proof does not verify.
        StorageError: nobody publishes.
    """
    trail.publish_up_to(reader, index + 1)
    entry = ShownEntry(log, index, reader.entry(index))
    proven = reader.prove(index)
    vkey = trail.parts.log_keys[log.value].checkpoint.vkey
    data = print_proof(index, proven.proof, proven.note)
    parsed = parse_proof(data)
    checkpoint = open_checkpoint(parsed.checkpoint_note, [vkey])
    if proven.leaf_hash != entry.leaf_hash:
        raise IntegrityError(f"{log} entry {index} is not what its tile says")
    verify_inclusion(
        leaf=entry.leaf_hash,
        index=parsed.index,
        size=checkpoint.size,
        proof=parsed.proof,
        root=checkpoint.root,
    )
    return ProvenEntry(entry, proven, str(vkey), data)
