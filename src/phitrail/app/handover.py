"""A succession on its way: what must not be lost between deciding on it and being done.

`keys/handover` is one file, durable before the succession is appended: the new secrets, the
entry, and the keyring as it will be, signed already, so that nobody needs the recovery key
again to finish.

1. The entry is not in the journal: the succession has not happened. The old keys are in
   force; the file is without effect and is replaced by the next try.
2. The entry is in the journal: it has happened. Whoever opens the trail next puts the key
   files, their fingerprints and the keyring in their places, as often as it takes.
3. The file is removed last. Secrets of keys that ended are removed with their files.
"""

import hashlib
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from phitrail.app.key_endings import end_key_file
from phitrail.durable.files import DurableFiles
from phitrail.errors import ConfigError, IntegrityError
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.canonical import decode_leaf, encode_leaf
from phitrail.events.codes import (
    ActorType,
    Assurance,
    AttributionBasis,
    EventType,
    Outcome,
    SuccessionReason,
)
from phitrail.events.ids import RANDOM_BYTES, new_uuid7, parse_time, uuid_bytes
from phitrail.events.succession import Succession
from phitrail.tlog.journal import Journal
from phitrail.tlog.reader import find_event

HANDOVER = "keys/handover"
KEYRING = "public/keyring.json"


class _Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    leaf: str
    by: str
    files: dict[str, str]
    retired: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Handover:
    """What makes a succession effective.

    Attributes:
        leaf: the entry.
        by: who asked for it.
        files: what is to stand where below the trail's directory.
        retired: key files that are to go.
    """

    leaf: bytes
    by: str
    files: dict[str, bytes]
    retired: tuple[str, ...]

    @property
    def succession(self) -> Succession:
        """The entry, read."""
        record = decode_leaf(self.leaf)
        if not isinstance(record, Succession):
            raise IntegrityError(f"{HANDOVER} holds no succession; remove it")
        return record


def write_handover(files: DurableFiles, handover: Handover) -> None:
    """Make what a succession needs durable, in the place of an earlier try.

    Raises:
        StorageError: it is not.
    """
    written = _Written(
        handover.leaf.decode(),
        handover.by,
        {path: data.decode() for path, data in handover.files.items()},
        handover.retired,
    )
    files.put_many({HANDOVER: msgspec.json.encode(written) + b"\n"})


def read_handover(directory: Path) -> Handover | None:
    """Read the succession that is on its way, if there is one.

    Raises:
        ConfigError: the file is damaged.
        StorageError: it cannot be read.
    """
    try:
        data = DurableFiles(directory).read(HANDOVER)
    except FileNotFoundError:
        return None
    written = None
    with suppress(msgspec.MsgspecError, ValueError):
        written = msgspec.json.decode(data, type=_Written)
    if written is None:
        raise ConfigError(f"{directory / HANDOVER} is damaged; put it back from a copy")
    files = {path: text.encode() for path, text in written.files.items()}
    return Handover(written.leaf.encode(), written.by, files, written.retired)


def is_recorded(journal_path: Path, handover: Handover) -> bool:
    """Say whether a succession has happened: its entry is in the journal.

    Raises:
        ConfigError: there is no journal.
        StorageError: it cannot be read.
    """
    event_id = uuid_bytes(handover.succession.event_id)
    with closing(Journal.open(journal_path, read_only=True)) as journal:
        return bool(find_event(journal, event_id))


def put_in_place(files: DurableFiles, handover: Handover) -> None:
    """Put keys, fingerprints and keyring where they belong; again, it changes nothing.

    Raises:
        StorageError: a file is not in its place yet.
    """
    files.put_many(handover.files)
    for path in handover.retired:
        end_key_file(files, path)


def forget(files: DurableFiles) -> None:
    """Remove the file of a succession that is done.

    Raises:
        StorageError: it stands there still.
    """
    files.remove(HANDOVER)


def key_event(done: Handover) -> tuple[CallerEvent, datetime]:
    """Write what the audit log says of a succession: the same event each time."""
    succession = done.succession
    moment = parse_time(succession.created_at)
    kind = EventType.KEY_ROTATED
    if succession.reason is SuccessionReason.COMPROMISE:
        kind = EventType.KEY_COMPROMISED
    entropy = hashlib.sha256(b"phitrail/key-event/v1|" + done.leaf).digest()
    event: CallerEvent = AuditEvent(
        event_type=kind,
        event_id=new_uuid7(moment, entropy[:RANDOM_BYTES]),
        timestamp_utc=succession.created_at,
        user_id=done.by,
        actor_type=ActorType.HUMAN,
        attribution_basis=AttributionBasis.STATIC,
        outcome=Outcome.SUCCESS,
        object_id=f"{succession.log}:{succession.head_size}",
        assurance=Assurance.ENFORCED,
    )
    return event, moment


def event_of_succession(succession: Succession, by: str) -> str:
    """Give the id of the event that tells of a succession in the audit log."""
    event, _ = key_event(Handover(encode_leaf(succession), by, {}, ()))
    return event.event_id or ""


def read_keyring(directory: Path, journal_path: Path) -> bytes | None:
    """Read the keyring that is in force; nothing where no key has given way yet.

    Between the entry and the keyring's place in `public/` it is the one on its way.

    Raises:
        ConfigError: a file is damaged.
        StorageError: a file cannot be read.
    """
    handover = read_handover(directory)
    if (
        handover is not None
        and journal_path.exists()
        and is_recorded(journal_path, handover)
    ):
        return handover.files[KEYRING]
    try:
        return DurableFiles(directory).read(KEYRING)
    except FileNotFoundError:
        return None
