"""Is the new version worse? What is claimed, what speaks against it, and what that is called.

1. `compare` judges one metric of one use case. It is withheld, with its reason, where no
   number could be believed (`quality.pairs`, `Hindrance`); otherwise it has three e-values, an
   effect and bounds, all of them good at every look.
2. `decide` looks at all comparisons of one evaluation together, since of a hundred streams
   some look bad by luck. By e-BH, at most a share `q` of the regressions that it names is
   false, and the same of the improvements. What was withheld has no e-value and is not in
   the family.
3. States, the first that fits: **withheld**; **regression**, **improved** (by e-BH);
   **watch** (evidence of `WATCH` against "not worse"); **insufficient** (harm of 2.5 times
   the least effect would not have shown yet; `still_needed` says about how many rows it takes);
   **ok**.
4. `is_not_worse` is another question than "no regression was shown": it wants evidence
   *against* being worse by the least effect. That is what a rollout is accepted on.
5. Nothing is kept between two looks: a verdict follows from the rows, whenever they are read.

A verdict of versions that did not serve side by side says `SHIFT_AFTER_ROLLOUT`: what changed
with the rollout, and not what the rollout caused.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from phitrail.events.codes import QualityMetric
from phitrail.quality.betting import Claim, Values, log_factors, log_mean, values_needed
from phitrail.quality.e_bh import log_threshold, reject
from phitrail.quality.effects import (
    CAP,
    CAP_QUANTILE,
    Effect,
    Lines,
    difference,
    ratio,
    shift,
)
from phitrail.quality.frozen import LEAST, freeze
from phitrail.quality.metric import Better, Kind, Metric, Source
from phitrail.quality.observations import Observations
from phitrail.quality.pairs import Hindrance, Plan, plan_entries, plan_ratings

ALPHA: Final = 0.05
WATCH: Final = 5.0
SHIFT_AFTER_ROLLOUT: Final = "shift_after_rollout"
_LATER: Final = 3.0
"""How much more, on the log scale, the pairs since a later time must say than all pairs do: a
candidate that was like this from the first is given a later time in 1 of 20 cases at most."""


class State(StrEnum):
    """What is said of one comparison."""

    OK = "ok"
    WATCH = "watch"
    REGRESSION = "regression"
    IMPROVED = "improved"
    INSUFFICIENT = "insufficient"
    WITHHELD = "withheld"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One metric of a candidate beside a baseline.

    Attributes:
        reason: why it is withheld, or `shift_after_rollout`; None for side by side.
        effect: candidate less baseline, in the metric's unit; a share of the baseline where
            the metric is relative.
        low, high: where the effect lies, at every look, but for a chance of `ALPHA`; None
            where it is not known.
        log_e: log e-value against "not worse by more than the least effect".
        log_e_improved: against "not better by more than the least effect".
        log_e_not_worse: against "worse by the least effect".
        pairs: how many pairs of blocks stand behind it.
        n_candidate, n_baseline: how many rows are in them.
        still_needed: about how many more rows of the candidate it takes; 0 for enough.
        since_us: since when it is as it is (regression, watch, improved); microseconds.
        family_size: how many comparisons were decided together.
    """

    metric: QualityMetric
    use_case: str | None
    candidate: str
    baseline: str
    state: State
    reason: str | None = None
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    log_e: float | None = None
    log_e_improved: float | None = None
    log_e_not_worse: float | None = None
    pairs: int = 0
    n_candidate: int = 0
    n_baseline: int = 0
    still_needed: int | None = None
    since_us: int | None = None
    since_improved_us: int | None = None
    family_size: int = 1


def compare(
    metric: Metric,
    candidate: Observations,
    baseline: Observations,
    *,
    use_case: str | None = None,
    versions: tuple[str, str] = ("candidate", "baseline"),
    until_us: int | None = None,
    maturity_us: tuple[int, int] | None = None,
) -> Comparison:
    """Compare one metric of two versions.

    Args:
        metric: which metric.
        candidate: its rows of the version in question, as of one time and maturity.
        baseline: its rows of the version before, as of the same.
        use_case: where both serve.
        versions: the names of candidate and baseline.
        until_us: up to when rows are complete; up to the newest row when absent.
        maturity_us: how long ratings of each version counted, if that is not one number.

    Raises:
        InputError: a value is out of the metric's range, or no number.
    """
    named = Comparison(
        metric=metric.name,
        use_case=use_case,
        candidate=versions[0],
        baseline=versions[1],
        state=State.WITHHELD,
    )
    if metric.kind is Kind.COUNT:
        return replace(named, reason=Hindrance.NOT_COMPARABLE)
    if maturity_us is not None and maturity_us[0] != maturity_us[1]:
        return replace(named, reason=Hindrance.MATURITY_UNEQUAL)
    since_us = None
    if metric.bounds is None:
        since_us = _settled_us(candidate, baseline)
        if since_us is None:
            missing = max(1, LEAST - len(baseline))
            return replace(named, state=State.INSUFFICIENT, still_needed=missing)
    plan = (
        plan_ratings(candidate, baseline, until_us)
        if metric.source is Source.FEEDBACK
        else plan_entries(candidate, baseline, until_us, since_us)
    )
    if isinstance(plan, Hindrance):
        return replace(named, reason=plan)
    before = baseline.value[baseline.at_us < (since_us or 0)]
    effect = _effect(metric, plan, (candidate, baseline), before)
    began_us = int(candidate.at_us[0]) if len(candidate) else 0
    return _tell(named, metric, plan, effect, began_us)


def decide(
    comparisons: Sequence[Comparison], q: float = ALPHA
) -> tuple[Comparison, ...]:
    """Decide comparisons of one evaluation together, by e-BH; in the order given.

    Raises:
        InputError: `q` is out of its range.
    """
    judged = [one for one in comparisons if one.log_e is not None]
    worse = iter(reject([one.log_e or 0.0 for one in judged], q))
    better = iter(reject([one.log_e_improved or 0.0 for one in judged], q))
    return tuple(
        one
        if one.log_e is None
        else _decided(one, len(judged), is_worse=next(worse), is_better=next(better))
        for one in comparisons
    )


def is_not_worse(comparison: Comparison, alpha: float = ALPHA) -> bool:
    """Say whether being worse by the least effect is refuted: what a sign-off rests on.

    For a sign-off over several metrics each has to be refuted; that needs no correction.
    """
    found = comparison.log_e_not_worse
    return found is not None and found >= log_threshold(1, 1, alpha)


def _decided(
    one: Comparison, family: int, *, is_worse: bool, is_better: bool
) -> Comparison:
    is_watched = one.log_e is not None and one.log_e >= math.log(WATCH)
    if is_worse:
        return replace(one, state=State.REGRESSION, still_needed=0, family_size=family)
    if is_better:
        return replace(
            one,
            state=State.IMPROVED,
            still_needed=0,
            since_us=one.since_improved_us,
            family_size=family,
        )
    if is_watched:
        return replace(one, state=State.WATCH, family_size=family)
    return replace(one, since_us=None, family_size=family)


def _tell(
    named: Comparison, metric: Metric, plan: Plan, effect: Effect, began_us: int
) -> Comparison:
    """Turn claims into e-values, and say how much is still needed."""
    used = plan.used()
    needed = _still_needed(plan, effect, metric.min_n)
    has_any = len(plan) > 0
    return replace(
        named,
        state=State.INSUFFICIENT if needed else State.OK,
        reason=None if plan.is_concurrent else SHIFT_AFTER_ROLLOUT,
        effect=effect.effect if has_any else None,
        low=effect.low if has_any else None,
        high=effect.high if has_any else None,
        log_e=_log_e(effect.worse),
        log_e_improved=_log_e(effect.improved),
        log_e_not_worse=_log_e(effect.not_worse),
        pairs=len(plan),
        n_candidate=used[0],
        n_baseline=used[1],
        still_needed=needed,
        since_us=_since_when(began_us, plan, effect.worse),
        since_improved_us=_since_when(began_us, plan, effect.improved),
    )


def _effect(
    metric: Metric,
    plan: Plan,
    arms: tuple[Observations, Observations],
    before: Values,
) -> Effect:
    c, b = (_bounded(metric, arm.value) for arm in arms)
    if metric.kind is Kind.QUANTILE:
        quantile = 0.5 if metric.quantile is None else metric.quantile
        frozen = freeze(before, quantile, is_above=metric.better is Better.DOWN)
        slack = 0.0 if plan.is_concurrent else frozen.slack
        return shift(metric, Lines(plan, frozen, c, b, slack), quantile, ALPHA)
    if not metric.is_relative:
        return difference(metric, *plan.means(c, b), ALPHA)
    if metric.bounds is None:
        top = CAP * float(np.quantile(before, CAP_QUANTILE)) or 1.0
        c, b = np.minimum(c, top), np.minimum(b, top)
    else:
        top = metric.bounds[1]
    return ratio(metric, *plan.means(c, b), top, ALPHA)


def _bounded(metric: Metric, values: Values) -> Values:
    """Cut values at the bounds of their metric, for both versions alike."""
    return values if metric.bounds is None else np.clip(values, *metric.bounds)


def _settled_us(candidate: Observations, baseline: Observations) -> int | None:
    """Say from when on rows may be judged by what the baseline was before.

    That is when the candidate came, or when the baseline had rows enough; None for never.
    """
    if len(baseline) < LEAST or not len(candidate):
        return None
    return max(int(candidate.at_us[0]), int(baseline.at_us[LEAST - 1]) + 1)


def _log_e(claim: Claim) -> float:
    return float(log_mean(_money(claim)[-1]))


def _money(claim: Claim) -> npt.NDArray[np.float64]:
    """Give the log money of every stake, before the first value and after each."""
    won = log_factors(claim.values, claim.null)
    return np.concatenate([np.zeros((1, won.shape[-1])), np.cumsum(won, axis=0)])


def _since_when(began_us: int, plan: Plan, claim: Claim) -> int | None:
    """Say from where on the best stake won most: as a rule, since the candidate began."""
    if not len(plan):
        return None
    money = _money(claim)
    best = money[:, int(np.argmax(money[-1]))]
    lowest = int(np.argmin(best[:-1]))
    return int(plan.began_us[lowest]) if best[lowest] < -_LATER else began_us


def _still_needed(plan: Plan, effect: Effect, least: int) -> int:
    """Estimate how many more rows of the candidate a verdict takes."""
    values, null = effect.worse.values, effect.worse.null
    rows = plan.used()[0]
    spread = float(np.var(values)) if len(values) > 1 else 0.0
    spread = max(spread, 0.01 / (len(values) + 1))
    pairs = values_needed(effect.expected, spread, null, -math.log(ALPHA))
    a_pair = rows / len(plan) if len(plan) else 1.0
    missing = (pairs - len(plan)) * a_pair if math.isfinite(pairs) else least
    return max(0, math.ceil(missing), least - rows)
