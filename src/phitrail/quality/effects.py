"""How much worse, in the three ways in which metrics differ: what is claimed, and bounds.

From pairs of blocks come three claims, which a bettor then tries to refute:

- `worse`: the candidate is not worse than the baseline by more than the least effect;
- `improved`: it is not better by more than the least effect;
- `not_worse`: it *is* worse by the least effect (refuting it is non-inferiority).

1. A **difference** is for rates and scores: candidate less baseline, in the metric's unit.
2. A **ratio** is for means whose least effect is a share of the baseline. The baseline's mean
   is not known, so what is bet on is the candidate's block less (1 + effect) times the
   baseline's: no estimate stands in the hypothesis.
3. A **shift of a quantile** is how far a frozen line must be moved so that as many of the
   candidate's values lie beyond it as of the baseline's beyond the line itself
   (`quality.frozen`).

Means need bounds: values of a metric without any are cut at `CAP` times the baseline's 99th
percentile from before, for both versions, so one absurd second decides nothing.

Effects are candidate less baseline; relative ones are shares of the baseline (0.1: a tenth
more). Bounds hold at every look (`quality.confidence`); a bound that is not known is None.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from phitrail.quality.betting import Claim, Values, claim_of_difference, log_e_now
from phitrail.quality.confidence import interval_of_difference, last_true
from phitrail.quality.frozen import Frozen
from phitrail.quality.metric import Better, Metric
from phitrail.quality.pairs import Plan

CAP: Final = 2.0
CAP_QUANTILE: Final = 0.99
_FARTHEST: Final = math.log(100.0)
"""Ratios are looked for from a hundredth to a hundredfold."""
_NEVER: Final = -math.inf
WORTH_SHOWING: Final = 2.5
"""Enough was seen when harm of so many times the least effect would have shown."""


@dataclass(frozen=True, slots=True)
class Effect:
    """An effect with its bounds, and the three claims.

    `expected` is the mean that the values of `worse` would have if the candidate were worse
    by `WORTH_SHOWING` times the least effect: from it follows how many pairs are needed.
    """

    worse: Claim
    improved: Claim
    not_worse: Claim
    effect: float
    low: float | None
    high: float | None
    expected: float


def difference(
    metric: Metric, candidate: Values, baseline: Values, alpha: float
) -> Effect:
    """Weigh differences of blocks of a bounded metric with an absolute least effect."""
    low, high = metric.bounds or (0.0, 1.0)
    width, least = high - low, metric.min_effect
    more = candidate - baseline
    harm = more if metric.better is Better.DOWN else -more
    bounds = interval_of_difference(more, alpha, bound=width)
    return Effect(
        worse=claim_of_difference(harm, least, bound=width),
        improved=claim_of_difference(-harm, least, bound=width),
        not_worse=claim_of_difference(-harm, -least, bound=width),
        effect=float(more.mean()) if len(more) else 0.0,
        low=bounds[0],
        high=bounds[1],
        expected=(1.0 + WORTH_SHOWING * least / width) / 2.0,
    )


def ratio(
    metric: Metric, candidate: Values, baseline: Values, top: float, alpha: float
) -> Effect:
    """Weigh ratios of block means, from 0 to `top`; the least effect is a share."""
    c, b = candidate / top, baseline / top
    least = metric.min_effect
    above, below = _Ratio(c, b, 1.0), _Ratio(c, b, -1.0)
    bad, good = (above, below) if metric.better is Better.DOWN else (below, above)
    sign = bad.sign
    low, high = _bounds(above.claim, below.claim, alpha)
    worse_at = 1.0 + sign * least
    base = float(b.mean()) if len(b) else 0.5
    return Effect(
        worse=bad.claim(worse_at),
        improved=good.claim(1.0 - sign * least),
        not_worse=good.claim(worse_at),
        effect=float(c.mean() / base) - 1.0 if len(c) and base > 0.0 else 0.0,
        low=low,
        high=high,
        expected=(1.0 + (WORTH_SHOWING - 1.0) * least * base / max(1.0, worse_at))
        / 2.0,
    )


@dataclass(frozen=True, slots=True)
class _Ratio:
    """Claims that the candidate's mean is not above (or below) so many times the other's."""

    candidate: Values
    baseline: Values
    sign: float

    def claim(self, times: float) -> Claim:
        """Claim for one number of times; wealth falls with it, or grows for below."""
        gain = self.sign * (self.candidate - times * self.baseline)
        return claim_of_difference(gain / max(1.0, times))


@dataclass(frozen=True, slots=True)
class Lines:
    """Rows of both versions, a plan of pairs, and the line that both are held to.

    Attributes:
        slack: what the line is unsure by; 0 where both are held to it side by side.
    """

    plan: Plan
    frozen: Frozen
    candidate: Values
    baseline: Values
    slack: float

    def claim(self, times: float, *, is_more: bool) -> Claim:
        """Claim that not more (or less) of the candidate lies beyond so many times the line."""
        moved = self.frozen.beyond(self.candidate, self.frozen.line * times)
        shares, before = self.plan.means(moved, self.frozen.beyond(self.baseline))
        more = shares - before
        return claim_of_difference(more if is_more else -more, self.slack)


def shift(metric: Metric, lines: Lines, quantile: float, alpha: float) -> Effect:
    """Weigh how far a quantile moved; the least effect is a share of it."""
    is_above, least = lines.frozen.is_above, metric.min_effect
    sign = 1.0 if is_above else -1.0

    def above(times: float) -> Claim:
        return lines.claim(times, is_more=is_above)

    def below(times: float) -> Claim:
        return lines.claim(times, is_more=not is_above)

    bad, good = (above, below) if is_above else (below, above)
    worse_at = 1.0 + sign * least
    is_used = [lines.plan.candidate >= 0, lines.plan.baseline >= 0]
    seen = [lines.candidate[is_used[0]], lines.baseline[is_used[1]]]
    effect, expected = 0.0, 0.5
    if len(lines.plan):
        now, then = (float(np.quantile(values, quantile)) for values in seen)
        effect = now / then - 1.0 if then > 0.0 else 0.0
        line = lines.frozen.line
        harmed = seen[1] * (1.0 + sign * WORTH_SHOWING * least)
        more = lines.frozen.beyond(harmed, line * worse_at) - lines.frozen.beyond(
            seen[1]
        )
        expected = (1.0 + float(more.mean())) / 2.0
    low, high = _bounds(above, below, alpha)
    return Effect(
        worse=bad(worse_at),
        improved=good(1.0 - sign * least),
        not_worse=good(worse_at),
        effect=effect,
        low=low,
        high=high,
        expected=expected,
    )


def _bounds(
    above: Callable[[float], Claim], below: Callable[[float], Claim], alpha: float
) -> tuple[float | None, float | None]:
    """Bound a ratio less one: between the times that the two bettors have refuted."""
    needed = -math.log(alpha / 2.0)

    def is_above(log_times: float) -> bool:
        claim = above(math.exp(log_times))
        return log_e_now(claim.values, claim.null) >= needed

    def is_below(log_times: float) -> bool:
        claim = below(math.exp(-log_times))
        return log_e_now(claim.values, claim.null) >= needed

    low = last_true(is_above, -_FARTHEST, _FARTHEST, _NEVER, steps=_STEPS)
    high = last_true(is_below, -_FARTHEST, _FARTHEST, _NEVER, steps=_STEPS)
    return (
        None if low == _NEVER else math.expm1(low),
        None if high == _NEVER else math.expm1(-high),
    )


_STEPS: Final = 16
"""Halvings of a scale from a hundredth to a hundredfold: exact to 0.02%."""
