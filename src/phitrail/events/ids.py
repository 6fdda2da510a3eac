"""Event ids (UUIDv7) and times in their one written form.

A UUIDv7 starts with its time, so a unique index over ids grows at its right edge
(RFC 9562 section 5.7). Randomness comes as an argument where an id must be repeatable.
"""

import os
import uuid
from datetime import UTC, datetime

from phitrail.errors import InputError

RANDOM_BYTES = 10
_VARIANT_RFC = 0x2 << 62
_RAND_A = ((1 << 12) - 1) << 64
_RAND_B = (1 << 62) - 1


def new_uuid7(now: datetime, entropy: bytes | None = None) -> str:
    """Make a UUIDv7: 48 bits of milliseconds, 74 random bits (RFC 9562 section 5.7).

    Args:
        now: an aware time; its milliseconds since 1970 lead the id.
        entropy: 10 bytes; drawn from the operating system when absent.
    """
    # Bits from the left: 48 of time, 4 of version, 12 random, 2 of variant, 62 random.
    bits = int.from_bytes(
        os.urandom(RANDOM_BYTES) if entropy is None else entropy, "big"
    )
    random = f"{((bits << 2) & _RAND_A) | _VARIANT_RFC | (bits & _RAND_B):020x}"
    time = f"{int(now.timestamp() * 1000):012x}"
    return f"{time[:8]}-{time[8:]}-7{random[1:4]}-{random[4:8]}-{random[8:]}"


def uuid_bytes(text: str) -> bytes:
    """Return the 16 bytes of a written UUID.

    Raises:
        InputError: the text is no UUID.
    """
    try:
        return uuid.UUID(text).bytes
    except ValueError:
        raise InputError.for_field("event_id", "must be a UUID") from None


def format_time(moment: datetime) -> str:
    """Write an aware time as RFC 3339 with three fraction digits and `Z`."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


def parse_time(text: str) -> datetime:
    """Read a time that `format_time` wrote, as an aware UTC `datetime`."""
    return datetime.fromisoformat(text)
