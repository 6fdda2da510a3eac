"""Days, times and lengths of time as people write them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from phitrail.errors import InputError

_LENGTH: Final = re.compile(r"([0-9]{1,6})([mhdw])", re.ASCII)
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_length(field: str, given: str) -> timedelta:
    """Read a length of time.

    Raises:
        InputError: names the field and the rule.
    """
    match = _LENGTH.fullmatch(given)
    if match is None:
        raise InputError.for_field(field, "a length of time, as 90m, 24h, 14d or 8w")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def parse_moment(field: str, given: str) -> datetime:
    """Read a day, or a time; in UTC where it does not say otherwise.

    Raises:
        InputError: names the field and the rule.
    """
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise InputError.for_field(
            field, "a day or a time in UTC, as 2026-11-21 or 2026-11-21T08:30:00Z"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
