"""How long a key is used, when it gives way, and how long it is kept: data, with sources.

1. Each class of keys has a policy; `keys.policies` of policy.yaml changes it for a class or
   for one key by name, the name going first.
2. A version is due a while before its time and overdue from its time on. Only what is in use
   is due: what waits, rests or is gone is not, and what was replaced was rotated already.
   A key whose newest version was compromised and that has no active one is overdue since.
3. Retention counts from the last record that a version protects. The record itself may have
   an earlier time, never a later one than the moment at which the version ceased to protect;
   so that moment is counted from, and a version is kept too long rather than too short. One
   that still protects is kept from now on.
4. Days are days of 24 hours, so months and leap years change nothing; six years are written
   as 2,192 days, which no six years exceed.

What happens outside (somebody departs) no clock knows: such a rotation is asked for by
whoever learns of it. Nothing here destroys or rotates; `app.key_states` asks before it does.

Source: NIST SP 800-57 part 1 section 5.3.6 (cryptoperiods), 45 CFR 164.316(b)(2)(i).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from phitrail.errors import InputError
from phitrail.events.ids import format_time, parse_time
from phitrail.keys.names import KeyId, kind_of_key, parse_key_id
from phitrail.keys.register import KeyEntry, KeyRegister
from phitrail.keys.states import PROTECTS, KeyState

SIX_YEARS_DAYS: Final = 2_192
_CENTURY_DAYS: Final = 36_525

Days: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=_CENTURY_DAYS)]
Words: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]


class RotateOn(StrEnum):
    """What a key gives way to at once, whatever its age."""

    ROLE_CHANGE = "role_change"
    DEPARTURE = "departure"
    POLICY_CHANGE = "policy_change"
    COMPROMISE = "compromise"


class OnCompromise(StrEnum):
    """What is done at once with a key that somebody else may have."""

    ROTATE = "rotate"
    REVOKE = "revoke"


class Retained(StrEnum):
    """What is kept of a version that no longer protects.

    `key` opens what it protected. `escrow` is the copy that is sealed to the recovery key:
    nobody uses it. `public-half` verifies, with the handover; the half that signs is
    destroyed.
    """

    KEY = "key"
    ESCROW = "escrow"
    PUBLIC_HALF = "public-half"


class KeyPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The policy of one key: `None` days are "never" and "for good"."""

    rotate_after_days: int | None
    rotate_on: tuple[RotateOn, ...]
    on_compromise: OnCompromise
    retain_days: int | None
    retain_what: Retained
    source: str


class PolicyOverride(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """What policy.yaml says of a class of keys, or of one key; the rest stays as it is.

    What is done on a compromise, and what is kept, is not for a file to change.
    """

    rotate_after_days: Days | Literal["never"] | UnsetType = UNSET
    rotate_on: tuple[RotateOn, ...] | UnsetType = UNSET
    retain_days: Days | Literal["for_good"] | UnsetType = UNSET
    source: Words | UnsetType = UNSET


_YEARLY_DAYS = 365
_CRYPTOPERIOD = "NIST SP 800-57 part 1 section 5.3.6"
_SIX_YEARS = "45 CFR 164.316(b)(2)(i)"
_AT_COMPROMISE = (RotateOn.COMPROMISE,)


def _yearly(source: str) -> KeyPolicy:
    return KeyPolicy(
        rotate_after_days=_YEARLY_DAYS,
        rotate_on=_AT_COMPROMISE,
        on_compromise=OnCompromise.ROTATE,
        retain_days=SIX_YEARS_DAYS,
        retain_what=Retained.KEY,
        source=source,
    )


DEFAULTS: Final[Mapping[str, KeyPolicy]] = {
    "log-signing": KeyPolicy(
        rotate_after_days=_YEARLY_DAYS,
        rotate_on=_AT_COMPROMISE,
        on_compromise=OnCompromise.ROTATE,
        retain_days=None,
        retain_what=Retained.PUBLIC_HALF,
        source=f"{_CRYPTOPERIOD}; section 7.2: the half that signs is destroyed",
    ),
    "bundle": _yearly(
        f"{_CRYPTOPERIOD}; each bundle has a data key of its own, wrapped under this "
        f"one; {_SIX_YEARS}"
    ),
    "identity": _yearly(f"{_CRYPTOPERIOD}; {_SIX_YEARS}"),
    "text-hash": _yearly(
        f"{_CRYPTOPERIOD}; texts are matched for six years, {_SIX_YEARS}"
    ),
    "rater": _yearly(f"{_CRYPTOPERIOD}; {_SIX_YEARS}"),
    "idempotency": _yearly(f"{_CRYPTOPERIOD}; {_SIX_YEARS}"),
    "wrapping": _yearly(
        f"{_CRYPTOPERIOD}; copies of key files are wrapped under it, {_SIX_YEARS}"
    ),
    "fpe-metadata": KeyPolicy(
        rotate_after_days=90,
        rotate_on=_AT_COMPROMISE,
        on_compromise=OnCompromise.ROTATE,
        retain_days=SIX_YEARS_DAYS,
        retain_what=Retained.KEY,
        source=f"90 days: house rule; {_SIX_YEARS}",
    ),
    "rbac-user": KeyPolicy(
        rotate_after_days=None,
        rotate_on=(RotateOn.ROLE_CHANGE, RotateOn.DEPARTURE, RotateOn.COMPROMISE),
        on_compromise=OnCompromise.REVOKE,
        retain_days=30,
        retain_what=Retained.ESCROW,
        source="45 CFR 164.308(a)(3)(ii)(C); 30 days: house rule",
    ),
    "rbac-department": KeyPolicy(
        rotate_after_days=_YEARLY_DAYS,
        rotate_on=(RotateOn.POLICY_CHANGE, RotateOn.COMPROMISE),
        on_compromise=OnCompromise.REVOKE,
        retain_days=SIX_YEARS_DAYS,
        retain_what=Retained.KEY,
        source=f"45 CFR 164.308(a)(4)(ii)(C); {_SIX_YEARS}",
    ),
}
"""The policy of each class of keys, where policy.yaml says nothing."""

_BY_ENDING = {
    "-checkpoint": "log-signing",
    "-promise": "log-signing",
    "-seal": "bundle",
}
_BY_NAME = {"identity-index": "identity", "identity-seal": "identity"}


def class_of(name: str) -> str:
    """Name the class of a key, by which it finds its policy.

    Raises:
        InputError: no trail has a key of that name.
    """
    if kind_of_key(name) is None:
        raise InputError.for_field("KEY", "is the name of no key")
    if name in _BY_NAME:
        return _BY_NAME[name]
    family = name.partition(".")[0]
    for ending, known in _BY_ENDING.items():
        if family.endswith(ending):
            return known
    return family


def check_overrides(overrides: Collection[str]) -> None:
    """Check that each names a class of keys, or a key.

    Raises:
        InputError: one does not; it is not quoted.
    """
    for number, name in enumerate(overrides, start=1):
        if name not in DEFAULTS and kind_of_key(name) is None:
            raise InputError.for_field(
                "keys.policies",
                f"number {number} names no class of keys and no key; classes: "
                + ", ".join(DEFAULTS),
            )


def policy_for(name: str, overrides: Mapping[str, PolicyOverride]) -> KeyPolicy:
    """Return the policy of a key: of its class, changed for the class, then by name.

    Raises:
        InputError: no trail has a key of that name.
    """
    known = class_of(name)
    policy = DEFAULTS[known]
    for one in dict.fromkeys((known, name)):
        if one in overrides:
            policy = _changed(policy, overrides[one])
    return policy


def _changed(policy: KeyPolicy, override: PolicyOverride) -> KeyPolicy:
    changes: dict[str, object] = {
        field: None if value in ("never", "for_good") else value
        for field in override.__struct_fields__
        if (value := getattr(override, field)) is not UNSET
    }
    return msgspec.structs.replace(policy, **changes)


# --- retention ---


def is_held(key_id: KeyId, held: Collection[str]) -> bool:
    """Say whether somebody put a key, or one version of it, on hold (`keys.held`)."""
    return any(
        name == key_id.name and version in (None, key_id.version)
        for name, version in map(parse_key_id, held)
    )


def last_protected(entry: KeyEntry, at: str) -> str | None:
    """Say until when a version may have protected something; None: it never did.

    A process learns within a second that a version was replaced, so what comes after that
    moment is less than a second of records.

    Args:
        entry: the version.
        at: the present time, as written; while the version is in use, that is it.
    """
    if entry.activated_at is None:
        return None
    if entry.state in PROTECTS:
        return at
    if entry.state is KeyState.SUSPENDED:
        return entry.suspended_at
    return entry.deactivated_at or entry.compromised_at or entry.destroyed_at or at


def retained_until(
    entry: KeyEntry, policy: KeyPolicy, protected_until: str | None
) -> str | None:
    """Say until when a version is kept; None: for good.

    Args:
        entry: the version.
        policy: its policy.
        protected_until: what `last_protected` says of it, or the time of a later record.
            A version that never protected anything is kept no longer than it was made.
    """
    if policy.retain_days is None:
        return None
    if protected_until is None:
        return entry.created_at
    kept = parse_time(protected_until) + timedelta(days=policy.retain_days)
    return format_time(kept)


# --- what is due ---


class DueKind(StrEnum):
    """What is due."""

    ROTATION = "rotation"
    EXCEPTION = "exception"


@dataclass(frozen=True, slots=True)
class Due:
    """One thing that is to be done by a time.

    Attributes:
        kind: a rotation, or the end of an exception.
        subject: the version of the key, or the rule that was set aside.
        notice_at: from when on it is due, as written.
        due_at: from when on it is overdue, as written.
        is_overdue: whether that time has come.
        key: which key, of a rotation.
    """

    kind: DueKind
    subject: str
    notice_at: str
    due_at: str
    is_overdue: bool
    key: KeyEntry | None = None


def due_of(
    register: KeyRegister,
    policies: Mapping[str, PolicyOverride],
    now: datetime,
    *,
    notice_days: int,
) -> list[Due]:
    """List what is due or overdue, the most urgent first.

    Args:
        register: the keys of a trail.
        policies: what policy.yaml says of them.
        now: the present time, aware.
        notice_days: how many days before its time a thing is due.
    """
    notice = timedelta(days=notice_days)
    until: dict[str, str] = {}
    for (
        one
    ) in register.exceptions:  # one that was prolonged ends when the last one does
        until[one.rule] = max(one.until, until.get(one.rule, ""))
    found = [
        _due(DueKind.EXCEPTION, rule, parse_time(ends), notice, now)
        for rule, ends in until.items()
    ]
    found += [
        _of_key(register, policy_for(name, policies), name, notice, now)
        for name in dict.fromkeys(one.name for one in register.keys)
    ]
    return sorted(
        (one for one in found if one is not None),
        key=lambda one: (one.due_at, one.subject),
    )


def _of_key(
    register: KeyRegister,
    policy: KeyPolicy,
    name: str,
    notice: timedelta,
    now: datetime,
) -> Due | None:
    active, newest = register.active(name), register.versions(name)[-1]
    if active is None:
        if newest.state is not KeyState.COMPROMISED or newest.compromised_at is None:
            return None
        since = parse_time(newest.compromised_at)
        return _due(
            DueKind.ROTATION, str(newest.key_id), since, timedelta(), now, newest
        )
    if policy.rotate_after_days is None or active.activated_at is None:
        return None
    due_at = parse_time(active.activated_at) + timedelta(days=policy.rotate_after_days)
    return _due(DueKind.ROTATION, str(active.key_id), due_at, notice, now, active)


def _due(
    kind: DueKind,
    subject: str,
    due_at: datetime,
    notice: timedelta,
    now: datetime,
    key: KeyEntry | None = None,
) -> Due | None:
    if now < due_at - notice:
        return None
    return Due(
        kind,
        subject,
        format_time(due_at - notice),
        format_time(due_at),
        now >= due_at,
        key,
    )
