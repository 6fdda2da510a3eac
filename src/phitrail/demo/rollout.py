"""The rows of a rollout, drawn from a seed (the rules are in `demo.rollout_plan`).

The same seed and plan give the same rows. Nothing reads a clock: time begins at hour 0, and
whoever writes the rows says when that was (`demo.rollout_rows`).
"""

from typing import Final

import numpy as np

from phitrail.demo.rollout_plan import (
    FINISHED,
    FLAGGED,
    GUARDED,
    HOUR_US,
    NEW,
    NONE,
    OLD,
    USES,
    Plan,
    Ratings,
    Real,
    Requests,
    Served,
    Truth,
    Whole,
    Worse,
    is_worse,
)
from phitrail.events.codes import FinishReason

_BUSY: Final = (
    *(4, 3, 3, 2, 2, 3, 6, 11, 17, 20, 20, 18),
    *(15, 16, 17, 16, 14, 12, 11, 10, 9, 8, 6, 5),
)
"""How much is asked in each hour of a day."""
_WORKDAYS: Final = 5
_WEEKEND: Final = 0.55

_COIN: Final = 0.5
_ELSEWHERE: Final = 0.22
_EMPTY: Final = 0.02
_NOTHING_LIKE_IT: Final = 0.004
_CACHED: Final = 0.08
_PROMPT_CACHED: Final = 0.35
_REFUSED: Final = 0.012
_DISCLAIMED: Final = 0.96
_FINISHED: Final = (0.973, 0.016, 0.004, 0.007)
_GUARDED: Final = (0.984, 0.011, 0.005)

_RATER_SPREAD, _RATER_DAY_SPREAD = 0.35, 0.25
"""How far raters differ from each other, and from day to day, in log-odds."""
_FLAGGED: Final = 0.45
_THINKS_AGAIN: Final = 0.03
_MEDIAN_DELAY_HOURS, _DELAY_SPREAD = 2.5, 1.4
"""Of the time until somebody rates: log-normal, so some come days later."""


def serve(seed: int, plan: Plan | None = None) -> Served:
    """Let the clinic work through a plan."""
    plan = plan or Plan()
    rng = np.random.default_rng([seed, 4_102])
    requests = _draw_requests(rng, plan)
    return Served(seed, plan, requests, _draw_ratings(rng, plan, requests))


def rollout_week(
    seed: int, *, worse: Worse | None = None, requests: int = 30_000
) -> Served:
    """Serve one busy week: versions side by side from its first hour on."""
    return serve(seed, Plan(days=7, requests=requests, rollout_hour=0, worse=worse))


def _draw_requests(rng: np.random.Generator, plan: Plan) -> Requests:
    at_us = _draw_times(rng, plan)
    n = len(at_us)
    use = rng.choice(len(USES), n, p=[one.share for one in USES])
    is_new = (rng.random(n) < _COIN) & (at_us >= plan.rollout_hour * HOUR_US)
    version = np.where(is_new, NEW, OLD)
    less = is_worse(plan, use, version, at_us)
    worse = plan.worse or Worse()
    is_empty = rng.random(n) < _EMPTY
    retrieved = np.where(is_empty, 0, 1 + rng.poisson(3.2, n))
    scores = np.rint(rng.beta(8.0, 2.6, n) * 1_000_000).astype(np.int64)
    scores[rng.random(n) < _NOTHING_LIKE_IT] = 0
    is_cached = rng.random(n) < _CACHED
    latency = _draw_latency(rng, plan, at_us, use) * np.where(less, worse.latency, 1.0)
    latency = np.where(is_cached, latency * 0.2, latency)
    return Requests(
        at_us=at_us,
        use=use,
        facility=(rng.random(n) < _ELSEWHERE).astype(np.int64),
        version=version,
        input_tokens=_around(rng, _of_uses(use, "prompt_tokens"), 0.45),
        output_tokens=_around(rng, np.full(n, 240.0), 0.5),
        cache_read_tokens=np.where(rng.random(n) < _PROMPT_CACHED, 1_024, 0),
        latency_us=np.rint(latency).astype(np.int64),
        first_token_us=np.rint(latency * rng.uniform(0.12, 0.3, n)).astype(np.int64),
        retrieved=retrieved,
        top_score_e6=np.where(is_empty, NONE, scores),
        cache_hit=is_cached,
        finished=rng.choice(len(FINISHED), n, p=_FINISHED),
        disclaimer=rng.random(n) < _DISCLAIMED + np.where(less, worse.disclaimer, 0.0),
        refused=rng.random(n) < _REFUSED,
        citations=np.minimum(rng.poisson(_of_uses(use, "citations")), retrieved),
        guarded=rng.choice(len(GUARDED), n, p=_GUARDED),
    )


def _draw_times(rng: np.random.Generator, plan: Plan) -> Whole:
    hours = np.arange(plan.days * 24)
    is_workday = (hours // 24 + plan.first_weekday) % 7 < _WORKDAYS
    load = np.array(_BUSY)[hours % 24] * np.where(is_workday, 1.0, _WEEKEND)
    hour = np.repeat(hours, rng.multinomial(plan.requests, load / load.sum()))
    return np.sort(hour * HOUR_US + rng.integers(0, 3_600_000, len(hour)) * 1_000)


def _draw_latency(
    rng: np.random.Generator, plan: Plan, at_us: Whole, use: Whole
) -> Real:
    """Draw microseconds; a busy hour, and a bad one, is slow for both versions."""
    hour = at_us // HOUR_US
    mood = rng.normal(0.0, 0.08, plan.days * 24)[hour]
    load = 0.01 * np.array(_BUSY)[hour % 24]
    spread = rng.normal(0.0, 0.42, len(at_us))
    return np.asarray(
        _of_uses(use, "latency_ms") * 1_000 * np.exp(mood + load + spread)
    )


def _of_uses(use: Whole, name: str) -> Real:
    return np.array([getattr(one, name) for one in USES], dtype=np.float64)[use]


def _around(rng: np.random.Generator, median: Real, spread: float) -> Whole:
    drawn = median * np.exp(rng.normal(0.0, spread, len(median)))
    return np.rint(drawn).astype(np.int64)


def _draw_ratings(rng: np.random.Generator, plan: Plan, requests: Requests) -> Ratings:
    """Let some of the answers be rated; whoever rates has seen either version."""
    is_answered = requests.finished != FINISHED.index(FinishReason.ERROR)
    is_rated = rng.random(len(requests)) < _of_uses(requests.use, "rated")
    request = np.flatnonzero(is_answered & is_rated)
    weights = 1.0 / np.arange(3, plan.raters + 3)
    rater = rng.choice(plan.raters, len(request), p=weights / weights.sum())
    is_positive = _draw_opinions(rng, plan, requests, request, rater)
    delay = np.exp(rng.normal(np.log(_MEDIAN_DELAY_HOURS), _DELAY_SPREAD, len(request)))
    at_us = requests.at_us[request] + (delay * 3_600_000).astype(np.int64) * 1_000
    again = np.flatnonzero(rng.random(len(request)) < _THINKS_AGAIN)
    later = at_us[again] + rng.integers(60_000, 48 * 3_600_000, len(again)) * 1_000
    return _in_order(
        rng,
        at_us=np.concatenate([at_us, later]),
        request=np.concatenate([request, request[again]]),
        rater=np.concatenate([rater, rater[again]]),
        is_positive=np.concatenate([is_positive, ~is_positive[again]]),
        supersedes=np.concatenate([np.full(len(request), NONE), again]),
    )


def _draw_opinions(
    rng: np.random.Generator,
    plan: Plan,
    requests: Requests,
    request: Whole,
    rater: Whole,
) -> Truth:
    use, at_us = requests.use[request], requests.at_us[request]
    worse = plan.worse or Worse()
    less = is_worse(plan, use, requests.version[request], at_us)
    wanted = _of_uses(use, "positive") + np.where(less, worse.positive, 0.0)
    of_rater = rng.normal(0.0, _RATER_SPREAD, plan.raters)
    of_day = rng.normal(0.0, _RATER_DAY_SPREAD, (plan.raters, plan.days))
    day = at_us // (24 * HOUR_US)
    log_odds = np.log(wanted / (1.0 - wanted)) + of_rater[rater] + of_day[rater, day]
    return np.asarray(rng.random(len(request)) < 1.0 / (1.0 + np.exp(-log_odds)))


def _in_order(
    rng: np.random.Generator,
    *,
    at_us: Whole,
    request: Whole,
    rater: Whole,
    is_positive: Truth,
    supersedes: Whole,
) -> Ratings:
    """Put ratings in order of time, and say why some are flagged."""
    order = np.argsort(at_us, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    is_flagged = ~is_positive & (rng.random(len(at_us)) < _FLAGGED)
    flag = np.where(is_flagged, rng.integers(0, len(FLAGGED), len(at_us)), NONE)
    moved = np.where(supersedes == NONE, NONE, place[supersedes])
    return Ratings(
        at_us=at_us[order],
        request=request[order],
        rater=rater[order],
        is_positive=is_positive[order],
        flag=flag[order],
        supersedes=moved[order],
    )
