"""Days and times as people write them."""

from datetime import UTC, datetime

from phitrail.errors import InputError


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
