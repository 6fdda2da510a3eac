"""Intervals of one number from n rows, for looking: at 95 % unless another level is asked.

They hold for one look at a fixed number of independent rows. Who looks again and again, or
compares versions, needs `quality.confidence`; rows of one rater or one hour resemble each
other, so the truth is a little wider.

1. A rate: Wilson's score interval. It never leaves [0, 1], and none of n is no zero.
2. A mean: Student's t, from two rows on.
3. A quantile: order statistics. Which ranks hold it is a matter of the binomial alone,
   whatever the distribution. Where the rows are too few for a bound there is none.

Sources: Wilson (1927); Abramowitz and Stegun 26.7.5 (Cornish-Fisher, for t); David and
Nagaraja, Order Statistics (2003) section 7.1.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Final

import numpy as np

LEVEL: Final = 0.95
EXACT_ROWS: Final = 1_000
"""Up to so many rows the binomial is summed; beyond, the normal, and one rank wider."""


@dataclass(frozen=True, slots=True)
class Interval:
    """From `low` to `high`; a bound that the rows cannot give is None."""

    low: float | None
    high: float | None


UNKNOWN: Final = Interval(None, None)


def wilson(hits: int, n: int, level: float = LEVEL) -> Interval:
    """Give the interval of a rate of `hits` among `n` rows."""
    if n == 0:
        return UNKNOWN
    z = _normal(level)
    rate, share = hits / n, z * z / n
    middle = (rate + share / 2) / (1 + share)
    half = z * math.sqrt(rate * (1 - rate) / n + share / (4 * n)) / (1 + share)
    low = 0.0 if hits == 0 else middle - half
    return Interval(low, 1.0 if hits == n else middle + half)


def mean_interval(
    mean: float, deviation: float, n: int, level: float = LEVEL
) -> Interval:
    """Give the interval of a mean of `n` rows with this standard deviation (n - 1)."""
    if n < 2:  # noqa: PLR2004 - one row says nothing of how rows differ
        return UNKNOWN
    half = student_t(n - 1, level) * deviation / math.sqrt(n)
    return Interval(mean - half, mean + half)


@lru_cache(maxsize=4_096)
def quantile_ranks(
    n: int, quantile: float, level: float = LEVEL
) -> tuple[int | None, int | None]:
    """Say between which of n sorted rows (from 1 on) a quantile lies."""
    tail = (1 - level) / 2
    if n <= EXACT_ROWS:
        low, high = _binomial(n, quantile, tail), _binomial(n, quantile, 1 - tail) + 1
    else:
        spread = _normal(level) * math.sqrt(n * quantile * (1 - quantile))
        low = math.floor(n * quantile - spread) - 1
        high = math.ceil(n * quantile + spread) + 2
    return low if low >= 1 else None, high if high <= n else None


def student_t(freedom: int, level: float = LEVEL) -> float:
    """Give the two-sided quantile of Student's t; from three degrees on within 0.2 %."""
    p = (1 + level) / 2
    if freedom == 1:
        return math.tan(math.pi * (p - 0.5))
    if freedom == 2:  # noqa: PLR2004 - it has a closed form
        return (2 * p - 1) / math.sqrt(2 * p * (1 - p))
    z = _normal(level)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92_160,
    )
    return z + math.fsum(
        term / math.pow(freedom, power) for power, term in enumerate(terms, 1)
    )


def _normal(level: float) -> float:
    return NormalDist().inv_cdf((1 + level) / 2)


def _binomial(n: int, p: float, probability: float) -> int:
    """Give the least k with P(at most k of n) >= probability."""
    k = np.arange(n)
    steps = np.log((n - k) / (k + 1)) + math.log(p) - math.log1p(-p)
    logs = n * math.log1p(-p) + np.concatenate(([0.0], np.cumsum(steps)))
    return int(np.searchsorted(np.cumsum(np.exp(logs)), probability))
