"""Declaring that somebody else may have a secret key: quarantined, replaced, accounted for.

One change, so that no crash leaves the key in use:
1. The version is compromised, from a time on; its successor is made and in use, unless its
   policy says that it is revoked (`keys.policies`).
2. The sealed document says what was exposed: from when until when, what stands under the
   version by place, and what a new key does not undo.

Then, for the keys of the identity map, the map is re-keyed (`app.key_rekey`), so that what
is here stands under the compromised version no more. Nothing brings back what somebody
copied: each report says that first.

Signing keys are compromised by a succession (`app.succession`): the recovery key is needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from phitrail.app.documents import seal_again
from phitrail.app.key_change import Done, KeyChange, changing_keys, make_change
from phitrail.app.key_reason import check_reason
from phitrail.app.key_rotation import succeed_version
from phitrail.app.key_states import named_version
from phitrail.app.key_uses import Uses, backups_of, read_uses
from phitrail.app.wiring import Trail
from phitrail.durable.files import DurableFiles
from phitrail.errors import ConfigError, InputError, IntegrityError
from phitrail.events.codes import Log
from phitrail.events.ids import format_time, parse_time
from phitrail.keys.names import (
    IDENTITY_INDEX,
    IDENTITY_SEAL,
    TEXT_HASH,
    KeyId,
    KeyKind,
    bundle_key,
)
from phitrail.keys.policies import OnCompromise, policy_for
from phitrail.keys.register import KeyEntry, KeyRegister, Transition, move
from phitrail.keys.states import IS_GONE, KeyState, check_transition

_COPIES: Final = (
    "Whoever has the old key can still use it on every copy that was made before: "
    "backups, exports, replicas, disks that were replaced."
)
_NOT_UNDONE: Final = (
    _COPIES,
    "What somebody read with it, outside of phitrail, left no trace in this log.",
    "The tables (state/tables/) hold in clear what entries say; no key protects them.",
)
_OF_TEXTS: Final = (
    "Hashes of texts stay in the entries for good: whoever has the old key can hold "
    "guessed texts against them."
)
_OF_IDENTITIES: Final = (
    "A copy of the identity map from before stays under the old key: with it, it says who "
    "is a patient here."
)
_OF_BUNDLES: Final = (
    "Bundles that were sealed before stay under the old key; here they open under "
    "break-glass only."
)


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a compromise exposed.

    Attributes:
        since: from when on somebody else may have had the key, as written.
        until: when it was taken out of use, as written.
        uses: what stood under it at that moment, by place; nothing where it could not be
            counted.
        not_undone: what a new key does not undo, in sentences.
    """

    since: str
    until: str
    uses: Uses | None
    not_undone: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Compromised:
    """A version that was declared compromised; `successor` is in use instead, if any is."""

    entry: KeyEntry
    successor: KeyId | None
    exposure: Exposure
    done: Done


def compromise_key(
    trail: Trail,
    written: str,
    *,
    since: datetime | None,
    by: str,
    reason: str,
    now: datetime,
    files: DurableFiles | None = None,
) -> Compromised:
    """Declare a version compromised and replace it at once, in one change.

    Args:
        trail: opened for changes of keys.
        written: which version.
        since: from when on somebody else may have had it; else since its first use.
        by: who asks, as the audit log will name them.
        reason: why, in words; kept sealed.
        now: the time.
        files: the trail's files; the fault tests pass their own.

    Raises:
        InputError: there is no such version, it signs or wraps, or is compromised already.
        VaultError: the vault does not answer, or refuses; nothing was changed.
        StorageError: nothing was changed; or it was, and the next who opens the trail
            finishes it.
    """
    check_reason(reason)
    with changing_keys(trail) as register:
        entry = _compromisable(register, written)
        _state_after(entry)
        exposure = Exposure(
            _since(entry, since, now),
            format_time(now),
            _count(trail, entry.key_id, by, now),
            what_is_not_undone(entry.key_id),
        )
        change, successor = _change(trail, register, entry, exposure, now)
        done = make_change(trail, change, by=by, reason=reason, now=now, files=files)
        if entry.name == bundle_key(Log.AUDIT):
            # Why stood under the very key that somebody else may have.
            seal_again(trail, done.document)
    return Compromised(done.register.entry(entry.key_id), successor, exposure, done)


def _compromisable(register: KeyRegister, written: str) -> KeyEntry:
    entry = named_version(register, written)
    if entry.kind is KeyKind.SIGN:
        log = entry.name.partition("-")[0]
        raise InputError.for_field(
            "KEY",
            f"signs: `phitrail key compromise --log {log} --recovery FILE` replaces the "
            "pair of that log",
        )
    if entry.kind is KeyKind.WRAP:
        raise InputError.for_field(
            "KEY",
            "is the vault's own: `phitrail key rotate wrapping` replaces it; then "
            "compromise each key whose file somebody may have read",
        )
    return entry


def _state_after(entry: KeyEntry) -> KeyState:
    """Say which state it comes to; checked before anything is counted."""
    after = KeyState.COMPROMISED
    if entry.state in IS_GONE:
        after = KeyState.DESTROYED_COMPROMISED
    check_transition(str(entry.key_id), entry.state, after)
    return after


def _since(entry: KeyEntry, since: datetime | None, now: datetime) -> str:
    if since is None:
        return entry.activated_at or entry.created_at
    if not parse_time(entry.created_at) <= since <= now:
        raise InputError.for_field(
            "--since", f"must lie between its making ({entry.created_at}) and now"
        )
    return format_time(since)


def _change(
    trail: Trail,
    register: KeyRegister,
    entry: KeyEntry,
    exposure: Exposure,
    now: datetime,
) -> tuple[KeyChange, KeyId | None]:
    is_in_use = register.in_use(entry.name) == entry
    register, moved = move(
        register,
        entry.key_id,
        _state_after(entry),
        exposure.until,
        since=exposure.since,
    )
    transitions: tuple[Transition, ...] = (moved,)
    policy = policy_for(entry.name, trail.policy.keys.policies)
    facts = {"exposure": _written(exposure)}
    if not is_in_use or policy.on_compromise is not OnCompromise.ROTATE:
        return KeyChange(register, transitions, facts=facts), None
    successor = succeed_version(register, entry.name, trail.keys, now)
    return (
        KeyChange(
            successor.register,
            (*transitions, *successor.transitions),
            successor.made,
            facts={**facts, "successor": str(successor.after)},
        ),
        successor.after,
    )


def uses_of(
    trail: Trail,
    key_id: KeyId,
    *,
    backups: Sequence[Path] = (),
    by: str,
    now: datetime,
) -> Uses:
    """Count what stands under one version, here and in registered copies; on record.

    Raises:
        ConfigError: a copy is not there, or is none of this trail.
        IntegrityError: something that would be counted is damaged.
        StorageError: something cannot be read, or the read could not be recorded.
    """
    copies = backups_of(trail.directory, trail.policy, backups)
    counted = read_uses(
        trail.behind_glass(), key_id.name, backups=copies, by=by, now=now
    )
    found = [one for one in counted if one.key_id == key_id]
    return found[0] if found else Uses(key_id, ())


def _count(trail: Trail, key_id: KeyId, by: str, now: datetime) -> Uses | None:
    """Count what stands under a version; what is damaged must not keep it in use."""
    try:
        return uses_of(trail, key_id, by=by, now=now)
    except (ConfigError, IntegrityError):
        return None


def what_is_not_undone(key_id: KeyId) -> tuple[str, ...]:
    """Say, in sentences, what a new key does not undo."""
    of_kind = {
        TEXT_HASH: _OF_TEXTS,
        IDENTITY_INDEX: _OF_IDENTITIES,
        IDENTITY_SEAL: _OF_IDENTITIES,
        **{bundle_key(log): _OF_BUNDLES for log in Log},
    }
    told = of_kind.get(key_id.name)
    return _NOT_UNDONE if told is None else (*_NOT_UNDONE, told)


def _written(exposure: Exposure) -> dict[str, object]:
    uses = exposure.uses
    return {
        "since": exposure.since,
        "until": exposure.until,
        "not_undone": list(exposure.not_undone),
        "stood_under_it": None if uses is None else written_uses(uses),
    }


def written_uses(uses: Uses) -> list[dict[str, object]]:
    """Write what stands under a version, place by place, zeros left out."""
    return [
        {"place": one.place, "what": one.what, "count": one.count}
        for one in uses.places
        if one.count
    ]
