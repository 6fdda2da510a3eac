"""What is due of the keys by a time, and what is overdue: decided from the register alone.

1. A version is due a while before its time and overdue from its time on. Only what is in use
   is due: what waits, rests or is gone is not, and what was replaced was rotated already.
2. A key whose newest version was compromised and that has no active one is overdue since.
3. An exception is due while the keys still break the rule that it sets aside; one that was
   prolonged ends when the last one does.

What happens outside (somebody departs) no clock knows: such a rotation is asked for by
whoever learns of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from phitrail.events.ids import format_time, parse_time
from phitrail.keys.names import WRAPPING, KeyKind
from phitrail.keys.policies import KeyPolicy, PolicyOverride, policy_for
from phitrail.keys.register import KeyEntry, KeyRegister
from phitrail.keys.states import KeyState

LOCAL_KEYRING: Final = "local-keyring"
RETAIN_PRIVATE: Final = "retain-private"
"""The rules that may be set aside until a day (`register.KeyException`)."""
_LOCAL = "local"


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
    for one in register.exceptions:
        until[one.rule] = max(one.until, until.get(one.rule, ""))
    found = [
        _due(DueKind.EXCEPTION, rule, parse_time(ends), notice, now)
        for rule, ends in until.items()
        if _is_needed(register, rule)
    ]
    found += [
        _of_key(register, policy_for(name, policies), name, notice, now)
        for name in dict.fromkeys(one.name for one in register.keys)
    ]
    return sorted(
        (one for one in found if one is not None),
        key=lambda one: (one.due_at, one.subject),
    )


def _is_needed(register: KeyRegister, rule: str) -> bool:
    """Say whether the keys still break a rule that was set aside."""
    if rule == LOCAL_KEYRING:
        active = register.active(WRAPPING)
        return active is not None and active.vault == _LOCAL
    if rule == RETAIN_PRIVATE:
        return any(
            one.kind is KeyKind.SIGN
            and one.state in {KeyState.DEACTIVATED, KeyState.COMPROMISED}
            and one.private_destroyed_at is None
            for one in register.keys
        )
    return True


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
