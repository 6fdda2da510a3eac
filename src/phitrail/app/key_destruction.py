"""Destroying a version of a key for good: only what nothing needs any more.

1. Refused: a version in use; one that is held (`keys.held`); one whose retention has not
   ended (`keys.policies`); one that anything still stands under, here or in a copy that
   policy.yaml names (`keys.backups`). The message says what to do.
2. The change is recorded with what was counted; then the key file goes, and the escrow with
   it. A compromised version becomes destroyed-compromised: somebody may have a copy.
3. Of a signing key the half that signs goes at its succession. One that was kept
   (`retain-private`) is destroyed here, in the vault too; its public half stays.

What is not reached: backups that nobody named, and what a disk keeps of a file that was
removed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from phitrail.app.key_change import Done, KeyChange, changing_keys, make_change
from phitrail.app.key_compromise import uses_of, written_uses
from phitrail.app.key_reason import check_reason
from phitrail.app.key_states import named_version
from phitrail.app.key_uses import Uses, backups_of
from phitrail.app.wiring import Trail
from phitrail.durable.files import DurableFiles
from phitrail.errors import InputError, RefusedError
from phitrail.events.ids import format_time, parse_time
from phitrail.keys.names import KeyId, KeyKind
from phitrail.keys.policies import (
    is_held,
    last_protected,
    policy_for,
    retained_until,
)
from phitrail.keys.register import KeyEntry, KeyRegister, move, replace_entry
from phitrail.keys.states import KeyState, check_transition

_MAY_HAVE_COPIES = frozenset({KeyState.COMPROMISED, KeyState.DESTROYED})


@dataclass(frozen=True, slots=True)
class Destruction:
    """A version that may be destroyed, or was.

    Attributes:
        entry: the version as it is.
        becomes: which state it comes to.
        uses: what was counted, all zeros; nothing for a signing key.
        copies: which copies of the trail were looked at, too.
        done: the change; none where nothing was done yet.
    """

    entry: KeyEntry
    becomes: KeyState
    uses: Uses | None
    copies: tuple[Path, ...]
    done: Done | None = None


def plan_destruction(
    trail: Trail,
    written: str,
    *,
    backups: Sequence[Path] = (),
    by: str,
    now: datetime,
) -> Destruction:
    """Say what would be destroyed; nothing is. What was read to count it is recorded.

    Raises:
        InputError: there is no such version, it is in use, or gone already.
        RefusedError: it is held, retained, or something stands under it.
        ConfigError: a copy that policy.yaml names is not there, or is no copy of this.
        IntegrityError: something that would be counted is damaged.
        StorageError: something cannot be read.
    """
    with changing_keys(trail) as register:
        return _plan(trail, register, written, backups, by, now)


def destroy_key(
    trail: Trail,
    written: str,
    *,
    by: str,
    reason: str,
    now: datetime,
    backups: Sequence[Path] = (),
    files: DurableFiles | None = None,
) -> Destruction:
    """Destroy a version for good.

    Args:
        trail: opened for changes of keys.
        written: which version.
        by: who asks, as the audit log will name them.
        reason: why, in words; kept sealed.
        now: the time.
        backups: copies of the trail to be looked at, beside those of policy.yaml.
        files: the trail's files; the fault tests pass their own.

    Raises:
        InputError: there is no such version, it is in use, or gone already.
        RefusedError: it is held, retained, or something stands under it.
        ConfigError: a copy that policy.yaml names is not there, or is no copy of this.
        IntegrityError: something that is counted is damaged.
        StorageError: nothing was destroyed; or it was, and the next who opens the trail
            finishes it.
    """
    check_reason(reason)
    with changing_keys(trail) as register:
        plan = _plan(trail, register, written, backups, by, now)
        change = _change(register, plan, format_time(now))
        done = make_change(trail, change, by=by, reason=reason, now=now, files=files)
    return Destruction(
        done.register.entry(plan.entry.key_id),
        plan.becomes,
        plan.uses,
        plan.copies,
        done,
    )


def _plan(
    trail: Trail,
    register: KeyRegister,
    written: str,
    backups: Sequence[Path],
    by: str,
    now: datetime,
) -> Destruction:
    entry = named_version(register, written)
    becomes = KeyState.DESTROYED
    if entry.state in _MAY_HAVE_COPIES:
        becomes = KeyState.DESTROYED_COMPROMISED
    _check_may_end(register, entry, becomes)
    if is_held(entry.key_id, trail.policy.keys.held):
        raise RefusedError(
            f"key {entry.key_id} is held: nothing was destroyed; take it out of keys.held "
            "in policy.yaml when nobody needs it"
        )
    if entry.kind is KeyKind.SIGN:
        return Destruction(entry, becomes, None, ())
    _check_retention(trail, entry, now)
    copies = backups_of(trail.directory, trail.policy, backups)
    uses = uses_of(trail, entry.key_id, backups=backups, by=by, now=now)
    _check_unused(uses)
    return Destruction(entry, becomes, uses, copies)


def _check_may_end(register: KeyRegister, entry: KeyEntry, becomes: KeyState) -> None:
    key_id = str(entry.key_id)
    if entry.kind is KeyKind.WRAP:
        raise InputError.for_field(
            "KEY",
            "is the vault's own: `phitrail key rotate wrapping` retires the versions "
            "before it",
        )
    if entry.private_destroyed_at is not None:
        raise InputError.for_field(
            key_id,
            f"the half that signs was destroyed at {entry.private_destroyed_at}; its "
            "public half is kept to verify",
        )
    if register.in_use(entry.name) == entry:
        raise InputError.for_field(
            key_id, f"is in use: first run `phitrail key rotate {entry.name}`"
        )
    if entry.state is KeyState.DESTROYED:
        raise InputError.for_field(
            key_id,
            f"was destroyed at {entry.destroyed_at}; if somebody has a copy, say so with "
            "`phitrail key compromise`",
        )
    check_transition(key_id, entry.state, becomes)


def _check_retention(trail: Trail, entry: KeyEntry, now: datetime) -> None:
    policy = policy_for(entry.name, trail.policy.keys.policies)
    kept = retained_until(entry, policy, last_protected(entry, format_time(now)))
    if kept is not None and parse_time(kept) <= now:
        return
    until = "for good" if kept is None else f"until {kept}"
    raise RefusedError(
        f"key {entry.key_id} is kept {until} ({policy.source}): nothing was destroyed; "
        "come back then, or change its retain_days under keys.policies in policy.yaml"
    )


def _check_unused(uses: Uses) -> None:
    if not uses.total:
        return
    listed = ", ".join(
        f"{one.count:,} {one.what} ({one.place})" for one in uses.places if one.count
    )
    raise RefusedError(
        f"{uses.total:,} things still stand under key {uses.key_id}: nothing was "
        f"destroyed; {listed}. See `phitrail key uses {uses.key_id}`"
    )


def _change(register: KeyRegister, plan: Destruction, at: str) -> KeyChange:
    key_id: KeyId = plan.entry.key_id
    register, moved = move(register, key_id, plan.becomes, at)
    if plan.entry.kind is KeyKind.SIGN:
        register = replace_entry(
            register,
            key_id,
            lambda one: msgspec.structs.replace(one, private_destroyed_at=at),
        )
    facts = {
        "counted": [] if plan.uses is None else written_uses(plan.uses),
        "places": 0 if plan.uses is None else len(plan.uses.places),
        "copies": len(plan.copies),
    }
    return KeyChange(register, (moved,), removed=(key_id,), facts=facts)
