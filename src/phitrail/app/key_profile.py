"""What the production profile asks of the keys, and which exceptions count.

`profile: production` in policy.yaml refuses the local keyring: whoever copies the disk has
the wrapping key with it. `app.key_exceptions` records that a rule is set aside until a day.
"""

from collections.abc import Callable
from datetime import datetime

from phitrail.app.config import Policy
from phitrail.errors import ConfigError
from phitrail.events.ids import parse_time
from phitrail.keys.due import LOCAL_KEYRING
from phitrail.keys.register import KeyException, KeyRegister
from phitrail.keys.settings import LocalVaultSettings


def counts(exception: KeyException, now: datetime) -> bool:
    """Say whether an exception has not ended yet."""
    return now < parse_time(exception.until)


def is_excepted(register: KeyRegister, rule: str, now: datetime) -> bool:
    """Say whether a rule is set aside at this time."""
    return any(one.rule == rule and counts(one, now) for one in register.exceptions)


def check_profile(
    policy: Policy, read: Callable[[], KeyRegister], now: datetime
) -> None:
    """Check that a trail may be written under its profile.

    Args:
        policy: of the trail.
        read: reads its register, checked; asked only where it matters.
        now: the present time.

    Raises:
        ConfigError: the local keyring under the production profile, without an exception.
    """
    if policy.profile != "production":
        return
    if not isinstance(policy.keys.vault, LocalVaultSettings):
        return
    if is_excepted(read(), LOCAL_KEYRING, now):
        return
    raise ConfigError(
        "policy.yaml: profile: production refuses the local keyring: name a vault under "
        "keys.vault, or set the rule aside until a day with `phitrail key except "
        f"{LOCAL_KEYRING} --until DATE --reason TEXT`"
    )
