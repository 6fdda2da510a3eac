"""Intervals: which values of an effect or a rate the data do not speak against.

Two kinds, which must not be mixed up:

- A **confidence sequence** (`lower_bound`, `interval_of_difference`) holds at every time at
  once: the chance that the true mean is ever outside is `alpha` at most. It is the bettor of
  `quality.betting` asked the other way round: the means against which the bettor has not won
  1 / alpha yet. So it never contradicts a verdict. It needs nothing but bounded values.
- A **fixed interval** (`wilson`, `mean_interval`, `quantile_interval`) holds at one look, of
  rows that do not depend on each other. It is for tables that say how sure one figure is.

Each answer is rounded outwards. Sources: Waudby-Smith and Ramdas (2024), section 4; Wilson
(1927); Student's t: Abramowitz and Stegun 26.7; order statistics: Hahn and Meeker, Statistical
Intervals (1991), section 5.2.
"""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from phitrail.errors import InputError
from phitrail.quality.betting import Claim, Values, check_claim, log_e_now

_STEPS: Final = 30
"""Halvings of [0, 1]: bounds are exact to 1e-9, on the outer side."""
_TINY: Final = 1e-9
_FEW: Final = 40
"""Below so many degrees of freedom Student's t is inverted, above it is a series."""


def check_alpha(alpha: float) -> None:
    """Check an error rate.

    Raises:
        InputError: it is not between 0 and 1.
    """
    if not 0.0 < alpha < 1.0:
        raise InputError.for_field("alpha", "between 0 and 1, neither of them")


# --- confidence sequences ---


def lower_bound(values: Values, alpha: float) -> float:
    """Bound the mean of values in [0, 1] from below, at every time at once.

    Raises:
        InputError: a value or `alpha` is out of its range.
    """
    check_alpha(alpha)
    check_claim(Claim(values, 0.5))
    if len(values) == 0:
        return 0.0
    return last_true(
        lambda mean: log_e_now(values, mean) >= -math.log(alpha),
        _TINY,
        1.0 - _TINY,
        0.0,
    )


def last_true(
    holds: Callable[[float], bool], low: float, high: float, otherwise: float
) -> float:
    """Find where a statement, true from `low` on, stops being true; from the true side."""
    if not holds(low):
        return otherwise
    if holds(high):
        return high
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        if holds(middle):
            low = middle
        else:
            high = middle
    return low


def interval_of_difference(
    gain: Values, alpha: float, *, bound: float = 1.0
) -> tuple[float, float]:
    """Bound the mean of differences in [-bound, bound] on both sides, at every time at once.

    Raises:
        InputError: a difference or `alpha` is out of its range.
    """
    values = (1.0 + gain / bound) / 2.0
    low = lower_bound(values, alpha / 2.0)
    high = 1.0 - lower_bound(1.0 - values, alpha / 2.0)
    return bound * (2.0 * low - 1.0), bound * (2.0 * high - 1.0)


# --- fixed intervals ---


def wilson(hits: int, count: int, alpha: float = 0.05) -> tuple[float, float]:
    """Bound a rate: `hits` of `count`. Of nothing, nothing is known: (0, 1).

    Raises:
        InputError: a number is out of its range.
    """
    check_alpha(alpha)
    if not 0 <= hits <= count:
        raise InputError.for_field("hits", "0 up to the count")
    if count == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(1.0 - alpha / 2.0)
    rate, share = hits / count, z * z / count
    middle = (rate + share / 2.0) / (1.0 + share)
    half = (
        z / (1.0 + share) * math.sqrt(rate * (1.0 - rate) / count + share / 4.0 / count)
    )
    low = 0.0 if hits == 0 else max(0.0, middle - half)
    return low, 1.0 if hits == count else min(1.0, middle + half)


def mean_interval(
    count: int, mean: float, deviation: float, alpha: float = 0.05
) -> tuple[float, float]:
    """Bound a mean by Student's t; of fewer than two rows nothing is known.

    Args:
        count: how many rows.
        mean: their mean.
        deviation: their standard deviation (divided by count - 1).
        alpha: how often the bound may fail.

    Raises:
        InputError: a number is out of its range.
    """
    check_alpha(alpha)
    if count < 2:  # noqa: PLR2004 - one row has no spread
        return -math.inf, math.inf
    half = student_quantile(count - 1, 1.0 - alpha / 2.0) * deviation / math.sqrt(count)
    return mean - half, mean + half


def student_quantile(freedom: int, share: float) -> float:
    """Give a quantile of Student's t, for a share of one half or more.

    Raises:
        InputError: a number is out of its range.
    """
    if freedom < 1 or not 0.5 <= share < 1.0:  # noqa: PLR2004 - the median
        raise InputError.for_field("freedom, share", "at least 1; from 0.5 to below 1")
    if freedom < _FEW:
        angle = last_true(
            lambda angle: _student_share(freedom, angle) <= share, 0.0, math.pi / 2, 0.0
        )
        return math.sqrt(freedom) * math.tan(angle)
    z = NormalDist().inv_cdf(share)
    terms = (
        (z**3 + z) / 4.0,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96.0,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384.0,
    )
    return z + math.fsum(term / freedom ** (k + 1) for k, term in enumerate(terms))


def _student_share(freedom: int, angle: float) -> float:
    """Give the share of Student's t below sqrt(freedom) tan(angle) (A&S 26.7.3, 26.7.4)."""
    cosine, is_odd = math.cos(angle), freedom % 2
    term = cosine if is_odd else 1.0
    total = 0.0
    for k in range(freedom // 2):
        total += term
        first = 2 * k + 2 if is_odd else 2 * k + 1
        term *= cosine**2 * first / (first + 1)
    within = math.sin(angle) * total
    if is_odd:
        within = 2.0 / math.pi * (angle + within)
    return 0.5 + within / 2.0


def quantile_interval(
    values: Values, quantile: float, alpha: float = 0.05
) -> tuple[float, float]:
    """Bound a quantile by two of the values: exact, whatever the distribution.

    Where there are too few values for a bound, it is infinite.

    Raises:
        InputError: a number is out of its range.
    """
    check_alpha(alpha)
    if not 0.0 < quantile < 1.0:
        raise InputError.for_field("quantile", "between 0 and 1, neither of them")
    count = len(values)
    below = _binomial_shares(count, quantile)
    low = int(np.searchsorted(below, alpha / 2.0, side="right"))
    high = int(np.searchsorted(below, 1.0 - alpha / 2.0, side="left")) + 1
    ranked = np.sort(values)
    return (
        float(ranked[low - 1]) if low >= 1 else -math.inf,
        float(ranked[high - 1]) if high <= count else math.inf,
    )


def _binomial_shares(count: int, chance: float) -> npt.NDArray[np.float64]:
    """Give P(X <= k) for k from 0 to count, X binomial."""
    k = np.arange(1, count + 1)
    steps = np.log((count - k + 1) / k) + math.log(chance / (1.0 - chance))
    log_chance = np.concatenate([[0.0], np.cumsum(steps)]) + count * math.log1p(-chance)
    return np.asarray(np.cumsum(np.exp(log_chance)))
