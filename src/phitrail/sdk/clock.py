"""The clock of the SDK, for programs that talk to a server and load no `app`."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the present time, aware, in UTC."""
    return datetime.now(UTC)


def monotonic_us() -> int:
    """Return microseconds of a clock that never goes back."""
    return time.monotonic_ns() // 1000
