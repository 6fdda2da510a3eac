"""How long a key is used, when it gives way, and how long it is kept: data, with sources.

1. Each class of keys has a policy; `keys.policies` of policy.yaml changes it for a class or
   for one key by name, the name going first.
2. Retention counts from the last record that a version protects. The record itself may have
   an earlier time, never a later one than the moment at which the version ceased to protect;
   so that moment is counted from, and a version is kept too long rather than too short. One
   that still protects is kept from now on.
3. Days are days of 24 hours, so months and leap years change nothing; six years are written
   as 2,192 days, which no six years exceed.

What is due by these policies is `keys.due`. Nothing here destroys or rotates;
`app.key_states` asks before it does.

Source: NIST SP 800-57 part 1 section 5.3.6 (cryptoperiods), 45 CFR 164.316(b)(2)(i).
"""

from collections.abc import Collection, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from phitrail.errors import InputError
from phitrail.events.ids import format_time, parse_time
from phitrail.keys.names import (
    KeyId,
    kind_of_key,
    parse_key_id,
)
from phitrail.keys.register import KeyEntry
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
