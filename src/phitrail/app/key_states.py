"""Making a key, suspending one, and lifting that again (NIST SP 800-57 part 1, section 7).

1. A key that no version of is in use is taken into use when it is made; one that is, gets
   a version that waits for the next rotation.
2. A suspended version protects nothing: where it was the one in use, whatever needs it is
   refused until the suspension is lifted or the key rotated. What it protected opens still.
3. Only the change itself is recorded under a suspended version: the trail is opened with
   `open_trail(..., is_for_key_changes=True)`, and nothing else is done with it.

Compromising a key: `app.key_compromise`; destroying one: `app.key_destruction`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from phitrail.app.key_change import Done, KeyChange, changing_keys, make_change
from phitrail.app.key_reason import check_reason
from phitrail.app.wiring import Trail
from phitrail.durable.files import DurableFiles
from phitrail.errors import InputError
from phitrail.events.codes import Log
from phitrail.events.ids import format_time
from phitrail.keys.key_file import make_key
from phitrail.keys.names import (
    IDEMPOTENCY,
    IDENTITY_INDEX,
    IDENTITY_SEAL,
    KeyId,
    KeyKind,
    bundle_key,
    checkpoint_key,
    kind_of_key,
    parse_key_id,
    promise_key,
)
from phitrail.keys.register import (
    KeyEntry,
    KeyRegister,
    add_version,
    move,
)
from phitrail.keys.states import KeyState

_PUBLISHES: Final = frozenset(map(checkpoint_key, Log))
_RECORDS: Final = frozenset(
    {IDEMPOTENCY, IDENTITY_INDEX, IDENTITY_SEAL}
    | set(map(bundle_key, Log))
    | set(map(promise_key, Log))
)


@dataclass(frozen=True, slots=True)
class Moved:
    """One version that is in another state now.

    Attributes:
        before: as it was; nothing where it was just made.
        after: as it is.
        stops: what goes on no more until something is done; empty where nothing stops.
        done: the change.
    """

    before: KeyEntry | None
    after: KeyEntry
    stops: str
    done: Done


def named_version(register: KeyRegister, written: str) -> KeyEntry:
    """Find the version that somebody names; the number may be absent where there is one.

    Raises:
        InputError: there is no such key or version, or it is not said which.
    """
    name, version = parse_key_id(written)
    if version is not None:
        return register.entry(KeyId(name, version))
    known = register.versions(name)
    if len(known) == 1:
        return known[0]
    listed = ", ".join(f"v{one.version} ({one.state})" for one in known)
    raise InputError.for_field(
        "KEY",
        f"must say which version, as {name}:v1; there is: {listed}"
        if known
        else "was not made in this trail; see `phitrail key list`",
    )


def create_key(
    trail: Trail,
    name: str,
    *,
    by: str,
    reason: str,
    now: datetime,
    files: DurableFiles | None = None,
) -> Moved:
    """Make a version of a key: in use at once where none is, else waiting.

    Raises:
        InputError: keys of that name are not made so, or a version waits already.
        VaultError: the vault does not answer, or refuses; nothing was made.
        StorageError: nothing was changed; or it was, and the next who opens the trail
            finishes it.
    """
    check_reason(reason)
    kind = _creatable(name)
    at = format_time(now)
    with changing_keys(trail) as found:
        register = found
        known = register.versions(name)
        if any(one.state is KeyState.PRE_ACTIVATION for one in known):
            raise InputError.for_field(
                "KEY",
                f"has a version that waits already; see `phitrail key rotate {name}`",
            )
        key_id = KeyId(name, known[-1].version + 1 if known else 1)
        file, entry = make_key(key_id, kind, at, trail.keys.vault, register.escrow_key)
        register, made = add_version(register, entry)
        transitions = [made]
        if register.in_use(name) is None:
            register, activated = move(register, key_id, KeyState.ACTIVE, at)
            transitions.append(activated)
        change = KeyChange(register, tuple(transitions), (file,))
        done = make_change(trail, change, by=by, reason=reason, now=now, files=files)
    return Moved(None, register.entry(key_id), "", done)


def _creatable(name: str) -> KeyKind:
    name, version = parse_key_id(name)
    kind = kind_of_key(name)
    if version is not None:
        raise InputError.for_field("KEY", "is a name; versions are counted here")
    if kind is KeyKind.SIGN:
        raise InputError.for_field(
            "KEY",
            "signs: it is made by a succession; see `phitrail key rotate --help`",
        )
    if kind is None or kind is KeyKind.WRAP:
        raise InputError.for_field(
            "KEY", f"is the vault's own; see `phitrail key rotate {name}`"
        )
    return kind


def suspend_key(
    trail: Trail,
    written: str,
    *,
    by: str,
    reason: str,
    now: datetime,
    files: DurableFiles | None = None,
) -> Moved:
    """Suspend the version in use: it protects nothing until that is lifted.

    Raises:
        InputError: it is not in use, or is the vault's own.
        StorageError: nothing was changed; or it was, and the next who opens the trail
            finishes it.
    """
    return _move(trail, written, KeyState.SUSPENDED, by, reason, now, files)


def lift_suspension(
    trail: Trail,
    written: str,
    *,
    by: str,
    reason: str,
    now: datetime,
    files: DurableFiles | None = None,
) -> Moved:
    """Take a suspended version into use again.

    Raises:
        InputError: it is not suspended.
        StorageError: nothing was changed; or it was, and the next who opens the trail
            finishes it.
    """
    return _move(trail, written, KeyState.ACTIVE, by, reason, now, files)


def _move(
    trail: Trail,
    written: str,
    after: KeyState,
    by: str,
    reason: str,
    now: datetime,
    files: DurableFiles | None,
) -> Moved:
    check_reason(reason)
    with changing_keys(trail) as found:
        register = found
        entry = _movable(register, written, after)
        key_id = entry.key_id
        register, moved = move(register, key_id, after, format_time(now))
        change = KeyChange(register, (moved,))
        done = make_change(trail, change, by=by, reason=reason, now=now, files=files)
    stops = what_stops(key_id) if after is KeyState.SUSPENDED else ""
    return Moved(entry, register.entry(key_id), stops, done)


def _movable(register: KeyRegister, written: str, after: KeyState) -> KeyEntry:
    entry = named_version(register, written)
    if entry.kind is KeyKind.WRAP:
        raise InputError.for_field(
            "KEY", "is the vault's own: disable it there, or revoke what opens it"
        )
    if after is KeyState.ACTIVE and entry.state is not KeyState.SUSPENDED:
        raise InputError.for_field(
            str(entry.key_id), f"is {entry.state}; only a suspended version is lifted"
        )
    return entry


def what_stops(key_id: KeyId) -> str:
    """Say what is refused while the version in use of a key is suspended."""
    name = key_id.name
    if name in _PUBLISHES:
        return (
            "nothing is published until it is lifted or replaced; what is recorded "
            "meanwhile is durable and promised"
        )
    if name in _RECORDS:
        return (
            "recording stops: whatever needs this key is refused (exit code 75) until "
            "it is lifted or replaced"
        )
    return "whatever needs this key is refused until it is lifted or replaced"
