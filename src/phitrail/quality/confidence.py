"""Confidence sequences: bounds of an effect that hold at every time at once.

The chance that the true mean is *ever* outside is `alpha` at most, however often one looks. It
is the bettor of `quality.betting` asked the other way round: inside are the means against which
the bettor has not won 1 / alpha yet. So a bound never contradicts a verdict, and it needs
nothing but bounded values. Every answer is rounded outwards.

Intervals that hold at one look, for tables of one version, are in `quality.intervals`.

Source: Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting (2024),
section 4.
"""

import math
from collections.abc import Callable
from typing import Final

from phitrail.errors import InputError
from phitrail.quality.betting import Claim, Values, check_claim, log_e_now

_STEPS: Final = 20
"""Halvings of [0, 1]: bounds are exact to a millionth, on the outer side."""
_TINY: Final = 1e-9


def check_alpha(alpha: float) -> None:
    """Check an error rate.

    Raises:
        InputError: it is not between 0 and 1.
    """
    if not 0.0 < alpha < 1.0:
        raise InputError.for_field("alpha", "between 0 and 1, neither of them")


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
    holds: Callable[[float], bool],
    low: float,
    high: float,
    otherwise: float,
    *,
    steps: int = _STEPS,
) -> float:
    """Find where a statement, true from `low` on, stops being true; from the true side."""
    if not holds(low):
        return otherwise
    if holds(high):
        return high
    for _ in range(steps):
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
