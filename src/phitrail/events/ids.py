"""Event ids (UUIDv7) and times in their one written form.

A UUIDv7 starts with its time, so a unique index over ids grows at its right edge
(RFC 9562 section 5.7). Randomness comes as an argument where an id must be repeatable.
"""

import os
import uuid
from datetime import UTC, datetime

from phitrail.errors import InputError

RANDOM_BYTES = 10
_VERSION_7 = 0x7 << 76
_VARIANT_RFC = 0x2 << 62
_RAND_A = ((1 << 12) - 1) << 64
_RAND_B = (1 << 62) - 1


def new_uuid7(now: datetime, entropy: bytes | None = None) -> str:
    """Make a UUIDv7: 48 bits of milliseconds, 74 random bits (RFC 9562 section 5.7).

    Args:
        now: an aware time; its milliseconds since 1970 lead the id.
        entropy: 10 bytes; drawn from the operating system when absent.
    """
    random_bits = int.from_bytes(
        entropy if entropy is not None else os.urandom(RANDOM_BYTES), "big"
    )
    milliseconds = int(now.timestamp() * 1000)
    number = (
        (milliseconds << 80)
        | _VERSION_7
        | ((random_bits << 2) & _RAND_A)
        | _VARIANT_RFC
        | (random_bits & _RAND_B)
    )
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


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
