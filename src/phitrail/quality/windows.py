"""By what metrics are told apart: stretches of time, and what the request says of itself.

1. An hour and a day are those of UTC.
2. A release is the time from one rollout of a use case to its next one; a rollout that
   names no use case begins one for all. It is named by its start, and lasts as long as
   nothing else is rolled out. Before the first there is none.
3. What a request does not say is a group of its own, and never the same as any value.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from phitrail.errors import InputError
from phitrail.quality.as_of import AsOf, moment

WINDOW_START: Final = "window_start"


class Window(StrEnum):
    """A stretch of time."""

    HOUR = "hour"
    DAY = "day"
    RELEASE = "release"


class Dimension(StrEnum):
    """What a request says of itself; the value is its column."""

    MODEL_VERSION = "model_version"
    USE_CASE = "use_case"
    FACILITY = "facility_id"


@dataclass(frozen=True, slots=True)
class Grouping:
    """How requests are told apart; by nothing at all makes one group."""

    window: Window | None = None
    dimensions: tuple[Dimension, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that name a group, the window first."""
        first = () if self.window is None else (WINDOW_START,)
        return (*first, *(dimension.value for dimension in self.dimensions))


TOGETHER: Final = Grouping()
"""Everything in one group."""

NAMES: Final = {
    **{window.value: window for window in Window},
    "model-version": Dimension.MODEL_VERSION,
    "use-case": Dimension.USE_CASE,
    "facility": Dimension.FACILITY,
}
"""What people call them."""


def parse_grouping(names: Sequence[str]) -> Grouping:
    """Read what to group by.

    Raises:
        InputError: a name is unknown or there twice, or there is more than one window.
    """
    if not set(names) <= set(NAMES) or len(set(names)) != len(names):
        raise InputError.for_field("by", f"each once, of: {', '.join(NAMES)}")
    found = [NAMES[name] for name in names]
    windows = [one for one in found if isinstance(one, Window)]
    if len(windows) > 1:
        raise InputError.for_field("by", f"one of: {', '.join(Window)}")
    return Grouping(
        windows[0] if windows else None,
        tuple(one for one in found if isinstance(one, Dimension)),
    )


def placed(requests: str, window: Window | None, view: AsOf) -> str:
    """Write the requests of a table, each with the start of its window."""
    if window is None:
        return f"SELECT * FROM {requests}"
    if window is not Window.RELEASE:
        start = f"date_trunc('{window}', timestamp_utc)"
        return f"SELECT *, {start} AS {WINDOW_START} FROM {requests}"
    return (
        f"SELECT r.*, p.starts_at AS {WINDOW_START} FROM {requests} AS r "
        f"LEFT JOIN ({_releases(requests, view)}) AS p "
        "ON p.use_case IS NOT DISTINCT FROM r.use_case "
        "AND r.timestamp_utc >= p.starts_at "
        "AND (p.ends_at IS NULL OR r.timestamp_utc < p.ends_at)"
    )


def _releases(requests: str, view: AsOf) -> str:
    starts = (
        "SELECT DISTINCT u.use_case, o.starts_at FROM "
        f"(SELECT DISTINCT use_case FROM {requests}) AS u JOIN rollouts AS o "
        "ON o.use_case IS NULL OR o.use_case = u.use_case "
        f"WHERE o.starts_at IS NOT NULL AND o.received_at <= {moment(view.as_of)}"
    )
    return (
        "SELECT use_case, starts_at, lead(starts_at) OVER (PARTITION BY use_case "
        f"ORDER BY starts_at) AS ends_at FROM ({starts}) AS s"
    )
