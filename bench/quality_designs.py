"""Clinics in which nothing is worse, drawn many times at once: where tests go wrong.

A design is who rates or serves when (drawn once, paired by `quality.pairs`), and how values
resemble each other (drawn anew for every run). Everything is a matrix: runs by rows.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from phitrail.quality.betting import claim_of_difference, log_factors, log_mean
from phitrail.quality.observations import HOURS_A_WEEK, Observations
from phitrail.quality.pairs import (
    DAY_US,
    HOUR_US,
    Hindrance,
    Plan,
    plan_entries,
    plan_ratings,
)

Matrix = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

RATERS: Final = 20
DAYS: Final = 60
RATINGS_A_DAY: Final = 2.0
"""Of one rater and one version, on average."""
BEYOND: Final = 1.7
"""A line on the log scale that about 5 of 100 latencies are beyond."""
Z_95: Final = 1.6449
"""One-sided 5% of the normal distribution."""
_CHUNK: Final = 4_000_000
_MINUTES_A_DAY: Final = 1_440


@dataclass(frozen=True, slots=True)
class Arm:
    """Rows of one version: when, and who; int64, shape (rows,)."""

    at_us: Integers
    rater: Integers

    def observed(self) -> Observations:
        """Give them as the judges take them, without values."""
        hour = self.at_us // HOUR_US % HOURS_A_WEEK
        return Observations(
            self.at_us,
            np.zeros(len(self.at_us)),
            hour.astype(np.int32),
            self.rater.astype(np.int32),
        )


@dataclass(frozen=True, slots=True)
class Design:
    """Who rates or serves when, and how values are drawn: (candidate, baseline)."""

    name: str
    candidate: Arm
    baseline: Arm
    draw: Callable[[np.random.Generator, int], tuple[Matrix, Matrix]]
    by_rater: bool = True

    def plan(self) -> Plan | Hindrance:
        """Pair the rows as a verdict does."""
        arms = self.candidate.observed(), self.baseline.observed()
        paired = plan_ratings if self.by_rater else plan_entries
        return paired(arms[0], arms[1], DAYS * DAY_US)


def rating_arms(rng: np.random.Generator, *, disjoint: bool = False) -> tuple[Arm, Arm]:
    """Draw who rates when: 20 people a version for 60 days."""
    arms = []
    for first in (0, RATERS if disjoint else 0):
        counts = rng.poisson(RATINGS_A_DAY, (RATERS, DAYS))
        rater, day = (np.repeat(one, counts.ravel()) for one in _cells())
        at_us = (day + rng.random(len(day))) * DAY_US
        order = np.argsort(at_us)
        arms.append(Arm(at_us[order].astype(np.int64), rater[order] + first))
    return arms[0], arms[1]


def _cells() -> tuple[Integers, Integers]:
    rater, day = np.divmod(np.arange(RATERS * DAYS), DAYS)
    return rater, day


def rating_design(name: str, rng: np.random.Generator, **kind: float | bool) -> Design:
    """Make a design of ratings: rate, drop, and what people and days have in common.

    Args:
        name: what it is called.
        rng: for who rates when.
        kind: `rate` (.82), `drop` of the candidate (0), `rater_icc` and `day_icc` (0), whether
            a day of a rater is `shared` by both versions, whether raters are `disjoint`.
    """
    rate, drop = float(kind.get("rate", 0.82)), float(kind.get("drop", 0.0))
    rater_icc, day_icc = float(kind.get("rater_icc", 0)), float(kind.get("day_icc", 0))
    candidate, baseline = rating_arms(rng, disjoint=bool(kind.get("disjoint")))

    def draw(rng: np.random.Generator, runs: int) -> tuple[Matrix, Matrix]:
        people = _beta(rng, rate, rater_icc, (runs, 2 * RATERS))
        drawn, days = [], None
        for arm, less in ((candidate, drop), (baseline, 0.0)):
            place = arm.rater * DAYS + arm.at_us // DAY_US
            if days is None or not kind.get("shared"):
                days = _beta(rng, rate, day_icc, (runs, 2 * RATERS * DAYS)) - rate
            chance = people[:, arm.rater] + days[:, place] - less
            drawn.append((rng.random(chance.shape) < chance).astype(np.float64))
        return drawn[0], drawn[1]

    return Design(name, candidate, baseline, draw)


def _beta(
    rng: np.random.Generator, rate: float, icc: float, shape: tuple[int, int]
) -> Matrix:
    if icc == 0.0:
        return np.full(shape, rate)
    both = 1.0 / icc - 1.0
    return np.asarray(rng.beta(rate * both, (1.0 - rate) * both, shape))


def entry_arms(rng: np.random.Generator, per_hour: float) -> tuple[Arm, Arm]:
    """Draw when both versions serve: at random, for four weeks."""
    arms = []
    for _ in range(2):
        count = rng.poisson(per_hour * 24 * 28)
        at_us = np.sort(rng.random(count) * 28 * DAY_US).astype(np.int64)
        arms.append(Arm(at_us, np.full(count, -1)))
    return arms[0], arms[1]


def latency_design(
    name: str, rng: np.random.Generator, *, shared: bool, per_hour: float = 8.0
) -> Design:
    """Make a design of slow spells: log latency follows itself from minute to minute.

    Half of its variance is a spell that lasts about ten minutes, of each version its own or
    shared by both, on top of the rhythm of the day. Values: beyond a line at 95 of 100, or not.
    """
    candidate, baseline = entry_arms(rng, per_hour)

    def draw(rng: np.random.Generator, runs: int) -> tuple[Matrix, Matrix]:
        drawn, spell = [], None
        for arm in (candidate, baseline):
            if spell is None or not shared:
                spell = _spells(rng, runs, 28 * _MINUTES_A_DAY)
            minute = arm.at_us * _MINUTES_A_DAY // DAY_US
            rhythm = 0.5 * np.cos(minute % _MINUTES_A_DAY / _MINUTES_A_DAY * 2 * np.pi)
            own = rng.standard_normal((runs, len(minute)))
            level = (spell[:, minute] + own) * np.sqrt(0.5) + rhythm
            drawn.append((level > BEYOND).astype(np.float64))
        return drawn[0], drawn[1]

    return Design(name, candidate, baseline, draw, by_rater=False)


def _spells(
    rng: np.random.Generator, runs: int, minutes: int
) -> npt.NDArray[np.float32]:
    """Draw what follows itself: correlation .9 from minute to minute, variance 1."""
    kept = np.empty((minutes, runs), dtype=np.float32)
    now = rng.standard_normal(runs, dtype=np.float32)
    for minute in range(minutes):
        news = rng.standard_normal(runs, dtype=np.float32)
        now = np.float32(0.9) * now + np.float32(np.sqrt(1 - 0.9**2)) * news
        kept[minute] = now
    return kept.T


def outage_design(name: str, rng: np.random.Generator) -> Design:
    """Make a design of outages: a quarter of an hour in which half of all requests fail.

    Three a week, of each version at its own times; else 1 of 100 requests fails.
    """
    candidate, baseline = entry_arms(rng, 8.0)

    def draw(rng: np.random.Generator, runs: int) -> tuple[Matrix, Matrix]:
        drawn = []
        for arm in (candidate, baseline):
            begin = rng.random((runs, 12)) * 28 * DAY_US
            is_out = np.zeros((runs, len(arm.at_us)), dtype=bool)
            for k in range(12):
                since = arm.at_us[None, :] - begin[:, k : k + 1]
                is_out |= (since >= 0) & (since < HOUR_US / 4)
            chance = np.where(is_out, 0.5, 0.01)
            drawn.append((rng.random(chance.shape) < chance).astype(np.float64))
        return drawn[0], drawn[1]

    return Design(name, candidate, baseline, draw, by_rater=False)


def block_means(
    plan: Plan, candidate: Matrix, baseline: Matrix
) -> tuple[Matrix, Matrix]:
    """Give the means of blocks of many runs: (runs, rows) becomes (runs, pairs)."""
    return (
        _means(plan.candidate, candidate),
        _means(plan.baseline, baseline),
    )


def _means(block: Integers, values: Matrix) -> Matrix:
    order = np.argsort(block, kind="stable")[np.count_nonzero(block < 0) :]
    starts = np.flatnonzero(np.diff(block[order], prepend=-1))
    sums = np.add.reduceat(values[:, order], starts, axis=1)
    sizes = np.diff(np.append(starts, len(order)))
    return np.asarray(sums / sizes)


def log_e_paths(gain: Matrix, at_most: float) -> Iterator[Matrix]:
    """Give the log e-value after every value, for some runs after the other."""
    step = max(1, _CHUNK // (8 * gain.shape[1]))
    for first in range(0, len(gain), step):
        part = gain[first : first + step]
        claim = claim_of_difference(part, at_most)
        yield log_mean(np.cumsum(log_factors(claim.values, claim.null), axis=1))


def first_at(gain: Matrix, at_most: float, log_e: float) -> Integers:
    """Say of each run after how many values the e-value was reached; -1 for never."""
    return np.concatenate(
        [first_true(path >= log_e) for path in log_e_paths(gain, at_most)]
    )


def first_true(is_so: npt.NDArray[np.bool_]) -> Integers:
    """Say of each run at which place, from 1 on, something is so first; -1 for never."""
    return np.where(is_so.any(axis=1), is_so.argmax(axis=1) + 1, -1)


def first_by_z(candidate: Matrix, baseline: Matrix, every: int) -> Integers:
    """Say where a naive one-sided z test at 5%, looked at again and again, alarms first."""
    n = min(candidate.shape[1], baseline.shape[1])
    looks = np.arange(every, n + 1, every)
    hits = [np.cumsum(arm, axis=1)[:, looks - 1] for arm in (candidate, baseline)]
    rate = (hits[0] + hits[1]) / (2 * looks)
    deviation = np.sqrt(np.maximum(rate * (1 - rate) * 2 / looks, 1e-12))
    found = first_true((hits[1] - hits[0]) / looks / deviation > Z_95)
    return np.where(found > 0, found * every, -1)
