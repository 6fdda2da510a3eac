"""The register held against the log: do the events tell the states that it says?

Whoever holds the audit log's key can sign another register, and cannot take an event out of
the log. So the register is what comes of the events, and this folds them:

1. The keys of the founding are active from the genesis on; the vault's own key begins at the
   version that the vault was at.
2. A `key_*` event of the audit log that names one version moves it, as `keys.register`
   admits; an event that tells of a succession (`audit:17`) moves the pair of that log, as the
   key line says. A succession whose event is still on its way comes last.
3. The states and dates that this gives must be those of the register, no more and no fewer.

Pure functions; `app.key_check` reads what they are given.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from phitrail.errors import InputError
from phitrail.events.audit import AuditEvent
from phitrail.events.canonical import decode_leaf
from phitrail.events.codes import EventType, Log, SuccessionReason
from phitrail.events.succession import Succession
from phitrail.keys.names import (
    WRAPPING,
    KeyId,
    checkpoint_key,
    kind_of_key,
    kinds_of_keys,
    parse_key_id,
    promise_key,
)
from phitrail.keys.register import KeyEntry, KeyRegister, add_version, move
from phitrail.keys.states import KeyState
from phitrail.tlog.key_line import KeyLine

MARK: Final = b'"event_type":"key_'
"""Stands in the canonical bytes of an event about a key."""
_SUCCESSION = re.compile(r"(audit|security|quality):([0-9]+)", re.ASCII)
_AFTER = {
    EventType.KEY_ACTIVATED: KeyState.ACTIVE,
    EventType.KEY_SUSPENDED: KeyState.SUSPENDED,
    EventType.KEY_DEACTIVATED: KeyState.DEACTIVATED,
    EventType.KEY_COMPROMISED: KeyState.COMPROMISED,
    EventType.KEY_DESTROYED: KeyState.DESTROYED,
}
_MAY_HAVE_COPIES = frozenset({KeyState.COMPROMISED, KeyState.DESTROYED})
_TELLS = {EventType.KEY_CREATED, EventType.KEY_ROTATED, *_AFTER}
_DATES = (
    "created_at",
    "activated_at",
    "suspended_at",
    "deactivated_at",
    "compromised_at",
    "destroyed_at",
)
_UNKNOWN: Final = "0" * 32


@dataclass(frozen=True, slots=True)
class ToldOfKey:
    """What one entry of the audit log says of a key.

    `about` is a version (`text-hash:v2`) or the place of a succession (`audit:17`);
    `document` is the digest of what explains it.
    """

    index: int
    event_type: EventType
    event_id: str
    about: str
    at: str
    by: str
    document: str | None = None

    @property
    def key_id(self) -> KeyId | None:
        """The version that it is about, if it is about one."""
        with suppress(InputError):
            name, version = parse_key_id(self.about)
            if version is not None:
                return KeyId(name, version)
        return None

    @property
    def succession(self) -> tuple[Log, int] | None:
        """The log and the index of the succession that it tells of, if it does."""
        match = _SUCCESSION.fullmatch(self.about)
        return (Log(match[1]), int(match[2])) if match else None


@dataclass(frozen=True, slots=True)
class RegisterCheck:
    """What came of a check: how many events were folded, and what differs, in words."""

    events: int
    keys: int
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """What a trail's logs tell of its keys.

    Attributes:
        founded_at: when the trail was made.
        events: the events about keys, in order.
        lines: the line of each log's signing keys.
    """

    founded_at: str
    events: tuple[ToldOfKey, ...]
    lines: Mapping[Log, KeyLine]


def check_against_log(register: KeyRegister, told: Told) -> RegisterCheck:
    """Hold a register against what the log tells."""
    folded, differences = fold_keys(told, _first_wrapping(register))
    differences += _compare(register, folded)
    return RegisterCheck(len(told.events), len(register.keys), tuple(differences))


def fold_keys(told: Told, first_wrapping: int = 1) -> tuple[KeyRegister, list[str]]:
    """Fold events into the states and dates that they lead to.

    Args:
        told: what the logs say.
        first_wrapping: at which version of its key the vault was at the founding.

    Returns:
        A register of which nothing but names, states and dates is meant; and what could
        not be followed, in words.
    """
    fold = _Fold(told, first_wrapping)
    for event in told.events:
        try:
            fold.take(event)
        except InputError as error:
            fold.broken.append(f"audit entry {event.index}: {error}")
    fold.take_what_is_left()
    return fold.register, fold.broken


class _Fold:
    """The register as it comes about, event by event."""

    def __init__(self, told: Told, first_wrapping: int) -> None:
        names = [KeyId(name, 1) for name in kinds_of_keys()]
        names.append(KeyId(WRAPPING, first_wrapping))
        at = told.founded_at
        self.register = KeyRegister(
            tenant="folded",
            trail_id=_UNKNOWN,
            number=0,
            written_at=at,
            escrow_key="",
            escrow_signature="",
            keys=tuple(_entry(one, at, KeyState.ACTIVE) for one in sorted(names)),
        )
        self.broken: list[str] = []
        self._waiting = {
            (log, tenure.first - 1): version
            for log, line in told.lines.items()
            for version, tenure in enumerate(line.tenures, start=1)
            if tenure.leaf
        }
        self._lines = told.lines

    def take(self, event: ToldOfKey) -> None:
        """Follow one event.

        Raises:
            InputError: what it tells cannot have happened.
        """
        key_id = event.key_id
        if event.event_type not in _TELLS:
            return
        if key_id is None:
            self._take_succession(event)
        elif event.event_type is EventType.KEY_CREATED:
            made = _entry(key_id, event.at, KeyState.PRE_ACTIVATION)
            self.register, _ = add_version(self.register, made)
        elif event.event_type is not EventType.KEY_ROTATED:  # it sums others up
            self._move(key_id, _AFTER[event.event_type], event.at)

    def take_what_is_left(self) -> None:
        """Follow the successions whose events are still on their way."""
        for log, index in sorted(self._waiting, key=lambda one: one[1]):
            try:
                self._succeed(log, index)
            except InputError as error:
                self.broken.append(f"{log} entry {index}: {error}")

    def _take_succession(self, event: ToldOfKey) -> None:
        place = event.succession
        if place is None or place not in self._waiting:
            raise InputError(
                "tells of signing keys that gave way, and the keyring has no such "
                "succession; compare `phitrail key show`"
            )
        self._succeed(*place)

    def _succeed(self, log: Log, index: int) -> None:
        version = self._waiting.pop((log, index))
        record = decode_leaf(self._lines[log].tenures[version - 1].leaf)
        if not isinstance(record, Succession):
            raise InputError("is no succession")
        ended = KeyState.DEACTIVATED
        if record.reason is SuccessionReason.COMPROMISE:
            ended = KeyState.COMPROMISED
        for name in (checkpoint_key(log), promise_key(log)):
            before = self.register.active(name) or self.register.versions(name)[-1]
            self._move(before.key_id, ended, record.created_at)
            after = _entry(
                KeyId(name, version), record.created_at, KeyState.PRE_ACTIVATION
            )
            self.register, _ = add_version(self.register, after)
            self._move(after.key_id, KeyState.ACTIVE, record.created_at)

    def _move(self, key_id: KeyId, after: KeyState, at: str) -> None:
        before = self.register.entry(key_id).state
        if after is KeyState.DESTROYED and before in _MAY_HAVE_COPIES:
            after = KeyState.DESTROYED_COMPROMISED
        self.register, _ = move(self.register, key_id, after, at)


def _entry(key_id: KeyId, at: str, state: KeyState) -> KeyEntry:
    kind = kind_of_key(key_id.name)
    if kind is None:
        raise InputError.for_field(str(key_id), "is no key of a trail")
    return KeyEntry(
        name=key_id.name,
        version=key_id.version,
        kind=kind,
        state=state,
        fingerprint=_UNKNOWN,
        vault="",
        created_at=at,
        activated_at=at if state is KeyState.ACTIVE else None,
    )


def _first_wrapping(register: KeyRegister) -> int:
    return min((one.version for one in register.versions(WRAPPING)), default=1)


def _compare(register: KeyRegister, folded: KeyRegister) -> list[str]:
    """Name each difference between the register and what the events lead to."""
    ours = {one.key_id: one for one in register.keys}
    theirs = {one.key_id: one for one in folded.keys}
    differences: list[str] = []
    for key_id in sorted(ours.keys() | theirs.keys()):
        here, there = ours.get(key_id), theirs.get(key_id)
        if there is None:
            differences.append(f"{key_id}: the register has it, and no event made it")
        elif here is None:
            differences.append(f"{key_id}: the log made it, and the register lacks it")
        elif here.state is not there.state:
            differences.append(
                f"{key_id}: the register says {here.state}, the log {there.state}"
            )
        else:
            differences += [
                f"{key_id}: {date} is not when the log has it"
                for date in _DATES
                if getattr(here, date) != getattr(there, date)
            ]
    return differences


def read_told(entries: Iterable[bytes], first: int = 0) -> Iterator[ToldOfKey]:
    """Pick the events about keys out of entries of the audit log, in order.

    Raises:
        IntegrityError: an entry does not decode.
    """
    for index, leaf in enumerate(entries, start=first):
        if MARK not in leaf:
            continue
        record = decode_leaf(leaf)
        if isinstance(record, AuditEvent):
            yield ToldOfKey(
                index,
                record.event_type,
                record.event_id or "",
                record.object_id or "",
                record.timestamp_utc or "",
                record.user_id or "",
                record.object_digest,
            )
