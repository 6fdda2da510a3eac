"""One key, explained: its versions, its policy, and who did what to it, and why.

Why stands in sealed documents, so asking for it is a read of the audit log: it is recorded
first and shown after, as every read is (`app.reading`).
"""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from phitrail.app.documents import open_document
from phitrail.app.key_check import check_register, read_trail_told
from phitrail.app.key_endings import waiting_halves
from phitrail.app.key_history import RegisterCheck, Told, ToldOfKey
from phitrail.app.key_listing import KeyVersion, tabulate
from phitrail.app.key_wiring import current_register
from phitrail.app.reading import record_read
from phitrail.app.wiring import Trail
from phitrail.errors import InputError
from phitrail.events.canonical import decode_leaf
from phitrail.events.codes import Log
from phitrail.events.succession import Succession
from phitrail.keys.names import (
    KeyId,
    checkpoint_key,
    parse_key_id,
    promise_key,
)
from phitrail.keys.policies import KeyPolicy, policy_for
from phitrail.tlog.key_line import KeyLine

_SHOWN: Final = "key_show"
_CHECKED: Final = "key_check"


class Explanation(msgspec.Struct, frozen=True):
    """What the document of a change says: why, and what was counted."""

    reason: str = ""
    facts: Mapping[str, object] = {}


@dataclass(frozen=True, slots=True)
class ToldAndWhy:
    """One event of a key, and why; nothing where no document explains it."""

    told: ToldOfKey
    why: Explanation | None


@dataclass(frozen=True, slots=True)
class KeyDetails:
    """A key, or one version of it."""

    name: str
    versions: tuple[KeyVersion, ...]
    policy: KeyPolicy
    history: tuple[ToldAndWhy, ...]


def explain_key(trail: Trail, written: str, *, by: str, now: datetime) -> KeyDetails:
    """Explain a key (`text-hash`) or one version of it (`text-hash:v2`).

    Raises:
        InputError: the trail has no such key.
        StorageError: the read could not be recorded; nothing is shown.
        IntegrityError: an entry or a document was altered.
    """
    name, version = parse_key_id(written)
    settings = trail.policy.keys
    table = tabulate(
        current_register(trail.directory),
        settings,
        now,
        waiting=waiting_halves(trail.directory),
    )
    versions = tuple(
        one
        for one in table.versions
        if one.entry.name == name and version in (None, one.entry.version)
    )
    if not versions:
        raise InputError.for_field(
            "KEY", "was not made in this trail; see `phitrail key list`"
        )
    with closing(trail.reader(Log.AUDIT)) as reader:
        told = read_trail_told(trail.directory, reader)
    wanted = {one.entry.key_id for one in versions}
    events = [one for one in told.events if _versions_of(one, told) & wanted]
    record_read(
        trail,
        Log.AUDIT,
        by=by,
        reason_code=_SHOWN,
        result_count=len(events),
        object_id=written,
        now=now,
    )
    return KeyDetails(
        name,
        versions,
        policy_for(name, settings.policies),
        tuple(ToldAndWhy(one, _why(trail, told, one)) for one in events),
    )


def check_keys(trail: Trail, *, by: str, now: datetime) -> RegisterCheck:
    """Hold the register against the log; recorded as a read.

    Raises:
        StorageError: the read could not be recorded; nothing is read.
        IntegrityError: the register is not signed by this trail's keys, or an entry was
            altered.
    """
    with closing(trail.reader(Log.AUDIT)) as reader:
        size = reader.size()
    record_read(
        trail, Log.AUDIT, by=by, reason_code=_CHECKED, result_count=size, now=now
    )
    glass = trail.behind_glass()  # nothing of an entry is shown
    return check_register(trail.directory, lambda: glass.reader(Log.AUDIT))


def _versions_of(event: ToldOfKey, told: Told) -> set[KeyId]:
    """Say which versions an event is about: of a succession the old pair and the new."""
    if event.key_id is not None:
        return {event.key_id}
    place = event.succession
    if place is None:
        return set()
    record = _succession(told.lines[place[0]], place[1])
    if record is None:
        return set()
    return {
        KeyId(name, version)
        for name in (checkpoint_key(record.log), promise_key(record.log))
        for version in (record.key_version - 1, record.key_version)
    }


def _succession(line: KeyLine, index: int) -> Succession | None:
    for tenure in line.tenures:
        if tenure.leaf and tenure.first - 1 == index:
            record = decode_leaf(tenure.leaf)
            return record if isinstance(record, Succession) else None
    return None


def _why(trail: Trail, told: Told, event: ToldOfKey) -> Explanation | None:
    if event.document is not None:
        text = open_document(trail, event.document)
        if text is None:
            return None
        return msgspec.json.decode(text, type=Explanation)
    place = event.succession
    record = None if place is None else _succession(told.lines[place[0]], place[1])
    return None if record is None else Explanation(record.reason.value)
