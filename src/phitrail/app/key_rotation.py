"""Rotating a key that seals or hashes: a new version protects, the old one opens only.

Nothing that was sealed or hashed before is touched: it names its version, and that version
opens it until it is destroyed. The identity map is indexed anew by `app.key_rekey`. Signing
keys give way by a succession (`app.succession`), the vault's own key by `app.key_rewrap`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from phitrail.app.key_change import Done, KeyChange, changing_keys, make_change
from phitrail.app.wiring import Trail
from phitrail.durable.files import DurableFiles
from phitrail.errors import InputError
from phitrail.events.codes import EventType
from phitrail.events.ids import format_time
from phitrail.keys.key_file import KeyFile, make_key
from phitrail.keys.names import KeyId, KeyKind, kind_of_key
from phitrail.keys.register import (
    KeyRegister,
    Transition,
    add_version,
    move,
)
from phitrail.keys.ring import KeyRing
from phitrail.keys.states import KeyState


@dataclass(frozen=True, slots=True)
class Rotated:
    """A key that was rotated: from which version (none: it was made) to which."""

    before: KeyId | None
    after: KeyId
    done: Done


@dataclass(frozen=True, slots=True)
class Successor:
    """The next version of a key, active in a register that is still to be written."""

    register: KeyRegister
    transitions: tuple[Transition, ...]
    made: tuple[KeyFile, ...]
    after: KeyId


def rotate_key(
    trail: Trail,
    name: str,
    *,
    by: str,
    reason: str,
    now: datetime,
    files: DurableFiles | None = None,
) -> Rotated:
    """Do as `rotate_keys`, for one key."""
    (rotated,) = rotate_keys(trail, [name], by=by, reason=reason, now=now, files=files)
    return rotated


def rotate_keys(
    trail: Trail,
    names: Sequence[str],
    *,
    by: str,
    reason: str,
    now: datetime,
    files: DurableFiles | None = None,
) -> tuple[Rotated, ...]:
    """Give keys their next versions, all at once, and leave those before to open only.

    A version in pre-activation is taken into use; without one a new one is made. One that
    was suspended rests like one that was active.

    Raises:
        InputError: a key of that name is not rotated so, or there is none yet.
        StorageError: nothing was changed; or it was, and the next who opens the trail
            finishes it.
    """
    names = tuple(dict.fromkeys(names))
    if not names:
        raise InputError.for_field("KEY", "name one or more")
    for name in names:
        _check_rotates_so(name)
    at = format_time(now)
    with changing_keys(trail) as found:
        register = found
        before = {name: register.in_use(name) for name in names}
        transitions: list[Transition] = []
        made: list[KeyFile] = []
        after: list[KeyId] = []
        for name in names:
            if not register.versions(name):
                raise InputError.for_field(
                    "KEY", f"was not made yet; see `phitrail key create {name}`"
                )
            successor = succeed_version(register, name, trail.keys, now)
            register = successor.register
            transitions += successor.transitions
            made += successor.made
            after.append(successor.after)
            ended = before[name]
            if ended is not None:
                register, moved = move(register, ended.key_id, KeyState.DEACTIVATED, at)
                transitions.append(moved)
        change = KeyChange(
            register,
            tuple(transitions),
            tuple(made),
            summaries=tuple((EventType.KEY_ROTATED, one) for one in after),
        )
        done = make_change(trail, change, by=by, reason=reason, now=now, files=files)
    return tuple(
        Rotated(None if old is None else old.key_id, new, done)
        for old, new in zip(before.values(), after, strict=True)
    )


def _check_rotates_so(name: str) -> None:
    if kind_of_key(name) not in {KeyKind.SEAL, KeyKind.MAC}:
        raise InputError.for_field(
            "KEY",
            "is no key that seals or hashes; signing keys are rotated with --log and "
            "the recovery key",
        )


def succeed_version(
    register: KeyRegister, name: str, ring: KeyRing, now: datetime
) -> Successor:
    """Take the next version of a key into use: one that waits, or a new one.

    Raises:
        VaultError: the vault does not answer, or refuses.
    """
    at, transitions = format_time(now), []
    known = register.versions(name)
    waiting = [one for one in known if one.state is KeyState.PRE_ACTIVATION]
    made: tuple[KeyFile, ...] = ()
    if waiting:
        after = waiting[0].key_id
    else:
        after = KeyId(name, known[-1].version + 1 if known else 1)
        kind = kind_of_key(name)
        if kind is None:
            raise InputError.for_field("KEY", "is no key of a trail")
        file, entry = make_key(after, kind, at, ring.vault, register.escrow_key)
        register, added = add_version(register, entry)
        made, transitions = (file,), [added]
    register, moved = move(register, after, KeyState.ACTIVE, at)
    return Successor(register, (*transitions, moved), made, after)
