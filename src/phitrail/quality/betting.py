"""Evidence by betting: how much a bettor against a hypothesis would have won by now.

A hypothesis says that values in [0, 1], one after another, have a mean of at most `null`,
each given all that came before it. A bettor who stakes the share `f` of the money wins the
factor 1 + f (u / null - 1) at every value u. If the hypothesis holds, the bettor does not
win on average, and has more than 1 / a times the first money, at any time at all, with a
chance of a at most (Ville's inequality). So one may look after every value, and stop when one
likes; what the bettor holds is an e-value.

1. The money is split evenly over fixed stakes (`STAKES`), none of which looks at a value.
   The sum of fair games is a fair game. Against sums that adapt themselves (aGRAPA, online
   Newton) this was more powerful in every setting of the bench.
2. The least difference that matters stands in the hypothesis (`claim_of_difference`): a
   difference that is there and too small to act on does not count as evidence.
3. What a stream has come to is `Wealth`, of a fixed size: feeding in parts gives bit by bit
   what feeding at once gives.
4. Wealth falls as `null` grows, which is what `quality.confidence` turns into bounds.

What this cannot know is whether values follow the hypothesis one by one: that is decided by
how values are paired (`quality.pairs`).

Source: Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting
(2024), section 4 (the diversified bettor); Ville (1939).
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from phitrail.errors import InputError

Values = npt.NDArray[np.float64]

STAKES: Final = tuple(0.02 * 47.5 ** (k / 7) for k in range(8))
"""Shares of the money: 0.02 to 0.95, evenly on a scale of ratios."""
_STAKES: Final = np.array(STAKES)


@dataclass(frozen=True, slots=True)
class Wealth:
    """What a stream has come to: how many values, and the log of each stake's money."""

    count: int = 0
    log_money: tuple[float, ...] = (0.0,) * len(STAKES)

    @property
    def log_e(self) -> float:
        """The natural logarithm of the e-value now."""
        return float(log_mean(np.array(self.log_money)))


@dataclass(frozen=True, slots=True)
class Claim:
    """A stream with what is claimed of it: its mean, given the past, is at most `null`.

    Attributes:
        values: in [0, 1]; float64, shape (n,).
        null: in (0, 1).
    """

    values: Values
    null: float


def feed(wealth: Wealth, claim: Claim) -> tuple[Wealth, Values]:
    """Bet on more values of a stream.

    Returns:
        What the stream has come to, and the log e-value after each of the new values
        (float64, shape (n,)).

    Raises:
        InputError: a value or the null is out of its range.
    """
    check_claim(claim)
    won = np.empty((len(claim.values) + 1, len(STAKES)))
    won[0] = wealth.log_money
    won[1:] = log_factors(claim.values, claim.null)
    money = np.cumsum(won, axis=0)
    last = tuple(float(one) for one in money[-1])
    return Wealth(wealth.count + len(claim.values), last), log_mean(money[1:])


def log_e_path(claim: Claim) -> Values:
    """Give the log e-value after every value of a stream."""
    return feed(Wealth(), claim)[1]


def log_e_now(values: Values, null: float) -> float:
    """Give the log e-value of a whole stream; values are taken as checked."""
    money = log_factors(values, null).sum(axis=0).tolist()
    top = max(money)
    return float(top + math.log(sum(math.exp(m - top) for m in money) / len(money)))


def log_factors(values: Values, null: float) -> Values:
    """Give the log of what each stake wins: (..., n) becomes (..., n, stakes)."""
    ahead = values / null - 1.0
    return np.asarray(np.log1p(np.multiply.outer(ahead, _STAKES)))


def log_mean(log_money: Values) -> Values:
    """Give the log of the mean over the last axis."""
    top = np.max(log_money, axis=-1, keepdims=True)
    spread = np.mean(np.exp(log_money - top), axis=-1)
    return np.asarray(np.squeeze(top, axis=-1) + np.log(spread))


def check_claim(claim: Claim) -> None:
    """Check that a bettor can never come to owe.

    Raises:
        InputError: a value is not in [0, 1] or is no number, or the null is not in (0, 1).
    """
    if not 0.0 < claim.null < 1.0:
        raise InputError.for_field("null", "between 0 and 1, neither of them")
    values = claim.values
    if len(values) and not (np.min(values) >= 0.0 and np.max(values) <= 1.0):
        raise InputError.for_field("values", "numbers from 0 to 1")


def claim_of_difference(
    gain: Values, at_most: float = 0.0, *, bound: float = 1.0
) -> Claim:
    """Claim of differences in [-bound, bound] that their mean is at most `at_most`.

    To show that a candidate is worse by more than `delta`, feed by how much it was worse
    and claim `delta`; to show that it is not worse by `delta`, feed by how much it was
    better and claim `-delta`.

    Raises:
        InputError: `at_most` is as far out as the bound.
    """
    if not -bound < at_most < bound:
        raise InputError.for_field("at_most", "within the bounds of the differences")
    values = np.clip((1.0 + gain / bound) / 2.0, 0.0, 1.0)
    if not np.all(np.abs(gain) <= bound * (1.0 + 1e-9)):
        raise InputError.for_field("gain", "numbers within their bound")
    return Claim(values, (1.0 + at_most / bound) / 2.0)


def values_needed(mean: float, variance: float, null: float, log_e: float) -> float:
    """Estimate how many values it takes to reach a log e-value; inf for never.

    Args:
        mean: of the values that come.
        variance: of the values that come.
        null: what is claimed of them.
        log_e: the log e-value to reach; the price of not knowing the best stake comes on top.
    """
    ahead = mean / null - 1.0
    spread = variance / null**2 + ahead**2
    if ahead <= 0.0:
        return math.inf
    stake = min(STAKES[-1], ahead / spread)
    growth = stake * ahead - stake**2 * spread / 2.0
    return float((log_e + math.log(len(STAKES)) / 2.0) / growth)
