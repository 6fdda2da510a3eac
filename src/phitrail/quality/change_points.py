"""When did it change? Looking back at one metric, hour by hour, with the week taken out.

1. Rows become means of hours. From each is taken what is usual: the median of its hour of the
   week, where there are `WEEKS` weeks of them; else of its hour of the day. So Monday morning
   is no change. Of less than `DAYS` days nobody knows what is usual: the answer is None, and
   not "no change".
2. What lies further out than `FARTHEST` robust deviations is drawn in to there: one absurd hour
   is not a new level.
3. Hours are split where the means of the parts differ by more than chance would make them:
   the split that is least in squares, with a price of 3 ln n for each change on the scale of
   the standard deviation (exact, by PELT). A part has at least `SHORTEST_HOURS` hours.
4. This says *when*, and how much. It does not say *whether*: it looks back at a fixed number of
   hours, and holds no error rate under looking again and again. Whether is for
   `quality.verdict`.
5. What goes wrong is raised. An error is never "no change".

Needs `ruptures` (the extra `quality`). Source: Killick, Fearnhead and Eckley, Optimal detection
of changepoints with a linear computational cost (2012); Truong, Oudre and Vayatis, Selective
review of offline change point detection methods (2020). Figures: docs/quality-statistics.md.
"""

import importlib
import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from phitrail.errors import ConfigError, InputError
from phitrail.quality.betting import Values
from phitrail.quality.observations import HOURS_A_WEEK, Observations
from phitrail.quality.pairs import HOUR_US, Integers

PRICE: Final = 3.0
"""Times the logarithm of the number of values, for every change."""
LEAST: Final = 8
WEEKS: Final = 4
DAYS: Final = 4
FARTHEST: Final = 4.0
SHORTEST_HOURS: Final = 12
_HOURS_A_DAY: Final = 24
_SHORTEST: Final = 2
_DEVIATION_PER_MAD: Final = 1.4826
"""Of normal values, how many times the median absolute deviation the standard one is."""


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """A change: the first hour of the new part, and the means of both, as they were seen.

    Attributes:
        at_us: when that hour began, microseconds since 1970.
        before: mean of the hours since the change before, in the metric's unit.
        after: mean of the hours up to the next change.
        size: after less before, with what is usual taken out.
    """

    at_us: int
    before: float
    after: float
    size: float


def change_points(observed: Observations) -> tuple[ChangePoint, ...] | None:
    """Find when a metric of one version, or of all together, changed; by time.

    None where there are too few days to say.

    Raises:
        ConfigError: `ruptures` is not installed.
        InputError: a value is no number.
    """
    hours, means, hour_of_week = _hourly(observed)
    if not len(hours) or hours[-1] - hours[0] < DAYS * _HOURS_A_DAY:
        return None
    unusual = means - _usual(hours, means, hour_of_week)
    changes = find_changes(_drawn_in(unusual), shortest=SHORTEST_HOURS)
    cuts = [0, *changes, len(means)]
    found = []
    for start, cut, end in zip(cuts, cuts[1:], cuts[2:], strict=False):
        size = float(unusual[cut:end].mean() - unusual[start:cut].mean())
        before, after = float(means[start:cut].mean()), float(means[cut:end].mean())
        found.append(ChangePoint(int(hours[cut]) * HOUR_US, before, after, size))
    return tuple(found)


def find_changes(
    values: Values, *, price: float = PRICE, shortest: int = _SHORTEST
) -> tuple[int, ...]:
    """Give the first place of every new part of a series; places count from 0.

    Args:
        values: the series; float64, shape (n,).
        price: of a change, times ln n.
        shortest: how many values a part has at least.

    Raises:
        ConfigError: `ruptures` is not installed.
        InputError: a value is no number.
    """
    if not np.all(np.isfinite(values)):
        raise InputError.for_field("values", "numbers")
    deviation = float(np.std(values)) if len(values) else 0.0
    if len(values) < max(LEAST, 2 * shortest) or deviation == 0.0:
        return ()
    scaled = (values - values.mean()) / deviation
    search = _ruptures().KernelCPD(kernel="linear", min_size=shortest)
    ends = search.fit(scaled.reshape(-1, 1)).predict(pen=price * math.log(len(values)))
    return tuple(int(end) for end in ends[:-1])


def _ruptures() -> Any:  # noqa: ANN401 - the package ships no types
    try:
        return importlib.import_module("ruptures")
    except ImportError:
        raise ConfigError(
            "change points need the package ruptures: install phitrail[quality]"
        ) from None


def _hourly(observed: Observations) -> tuple[Integers, Values, Integers]:
    """Give every hour that has rows, its mean, and its hour of the week."""
    hours, first, where = np.unique(
        observed.at_us // HOUR_US, return_index=True, return_inverse=True
    )
    means = np.bincount(where, weights=observed.value) / np.bincount(where)
    return hours, means, observed.stratum[first].astype(np.int64) % HOURS_A_WEEK


def _usual(hours: Integers, means: Values, hour_of_week: Integers) -> Values:
    """Give what is usual at each hour (rule 1)."""
    has_weeks = hours[-1] - hours[0] >= WEEKS * HOURS_A_WEEK - 1
    kind = hour_of_week if has_weeks else hour_of_week % _HOURS_A_DAY
    usual = np.empty(len(hours))
    for one in np.unique(kind):
        usual[kind == one] = np.median(means[kind == one])
    return usual


def _drawn_in(unusual: Values) -> Values:
    """Draw in what lies absurdly far out (rule 2)."""
    middle = np.median(unusual)
    deviation = _DEVIATION_PER_MAD * np.median(np.abs(unusual - middle))
    if deviation == 0.0:
        return unusual
    far = FARTHEST * deviation
    return np.asarray(np.clip(unusual, middle - far, middle + far))
