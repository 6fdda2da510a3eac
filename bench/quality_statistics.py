"""The proof of the statistics: false alarms, power, quantiles, families, change points.

Every number of false alarms is of runs in which nothing is worse and in which somebody looks
after every single pair. It comes with its number of runs and Wilson's interval at 95%.

    make bench PART=quality ARGS="--part statistics --runs 1000 --json statistics.json"
"""

import argparse
import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench.figures import print_machine, print_table
from bench.quality_change import read_series
from bench.quality_change import table as change_table
from bench.quality_clinics import HEAD as CLINIC_HEAD
from bench.quality_clinics import table as clinic_table
from bench.quality_designs import (
    DAYS,
    Design,
    Integers,
    Matrix,
    block_means,
    first_at,
    first_by_z,
    latency_design,
    log_e_paths,
    outage_design,
    rating_design,
)
from phitrail.quality.betting import claim_of_difference, log_factors, log_mean
from phitrail.quality.e_bh import reject
from phitrail.quality.frozen import freeze
from phitrail.quality.intervals import wilson
from phitrail.quality.observations import HOURS_A_WEEK
from phitrail.quality.pairs import DAY_US, HOUR_US, Hindrance, Rows, plan

ALPHA = 0.05
LOG_20 = math.log(20.0)
SEED = 20261122
LEAST_EFFECT = 0.02
VOTES = 4_000
"""Of each version, at most."""
EVERY = 50
"""The naive test looks so often; ours looks at every pair."""
FAMILY, WORSE, VOTES_EACH = 162, 10, 1_500


@dataclass(slots=True)
class Told:
    """What was printed, for --json."""

    tables: list[dict[str, object]] = field(default_factory=list)

    def table(
        self, title: str, head: Sequence[str], rows: Iterable[Sequence[str]]
    ) -> None:
        """Print a table, and keep it."""
        kept = [list(row) for row in rows]
        self.tables.append({"title": title, "head": list(head), "rows": kept})
        print_table(title, head, kept)


def share(hits: int, runs: int) -> str:
    """Write a rate with Wilson's interval."""
    interval = wilson(hits, runs)
    low, high = 100 * (interval.low or 0.0), 100 * (interval.high or 0.0)
    return f"{100 * hits / runs:.1f} % ({low:.1f}-{high:.1f})"


def designs(rng: np.random.Generator) -> list[Design]:
    """Give the clinics in which nothing is worse."""
    return [
        rating_design("ratings that have nothing in common", rng),
        rating_design(
            "days of a rater, each version its own, ICC .2", rng, day_icc=0.2
        ),
        rating_design(
            "days of a rater, the same for both, ICC .2", rng, day_icc=0.2, shared=True
        ),
        rating_design("raters, the same see both, ICC .1", rng, rater_icc=0.1),
        rating_design(
            "raters ICC .1 and their days ICC .2", rng, rater_icc=0.1, day_icc=0.2
        ),
        rating_design(
            "raters, others see each version, ICC .1", rng, rater_icc=0.1, disjoint=True
        ),
        latency_design("slow spells of ten minutes, shared", rng, shared=True),
        latency_design("slow spells of ten minutes, each its own", rng, shared=False),
        outage_design("outages of 15 minutes, each its own", rng),
    ]


def false_alarms(runs: int) -> Iterable[list[str]]:
    """Count alarms where nothing is worse, by three ways of looking."""
    rng = np.random.default_rng(SEED)
    for design in designs(rng):
        pairing = design.plan()
        counted = [0, 0, 0]
        for part in _parts(runs, 100):
            candidate, baseline = design.draw(rng, part)
            n = min(candidate.shape[1], baseline.shape[1])
            counted[0] += alarms(first_by_z(candidate, baseline, EVERY))
            votes = baseline[:, :n] - candidate[:, :n]
            counted[1] += alarms(first_at(votes, 0.0, LOG_20))
            if not isinstance(pairing, Hindrance):
                blocks = block_means(pairing, candidate, baseline)
                counted[2] += alarms(first_at(blocks[1] - blocks[0], 0.0, LOG_20))
        ours = (
            "withheld in every run"
            if isinstance(pairing, Hindrance)
            else share(counted[2], runs)
        )
        pairs = "-" if isinstance(pairing, Hindrance) else f"{len(pairing):,}"
        yield [
            design.name,
            share(counted[0], runs),
            share(counted[1], runs),
            f"**{ours}**",
            pairs,
        ]


def _parts(runs: int, size: int) -> list[int]:
    return [min(size, runs - done) for done in range(0, runs, size)]


def alarms(first: Integers) -> int:
    """Count the runs with an alarm."""
    return int(np.count_nonzero(first > 0))


def votes(rng: np.random.Generator, runs: int, rate: float, count: int) -> Matrix:
    """Draw ratings of one version that have nothing in common."""
    return (rng.random((runs, count)) < rate).astype(np.float64)


def power(runs: int) -> Iterable[list[str]]:
    """Say how often and how soon a drop is found; the first row is no drop at all."""
    drops = ((0.82, 0.82), (0.82, 0.80), (0.82, 0.77), (0.82, 0.72), (0.97, 0.93))
    for before, now in drops:
        rng = np.random.default_rng(SEED)
        baseline, candidate = (
            votes(rng, runs, before, VOTES),
            votes(rng, runs, now, VOTES),
        )
        gain = baseline - candidate
        yield [
            f"{before:.2f} to {now:.2f}",
            found(first_by_z(candidate, baseline, EVERY)),
            found(first_at(gain, 0.0, LOG_20)),
            found(first_at(gain, LEAST_EFFECT, LOG_20)),
        ]


def found(first: Integers) -> str:
    """Write how many runs alarmed, and the median number of ratings of those that did."""
    hits = first[first > 0]
    median = f", n {np.median(hits):,.0f}" if len(hits) > len(first) / 2 else ""
    return f"{share(len(hits), len(first))}{median}"


def sign_offs(runs: int) -> Iterable[list[str]]:
    """Say how often and how soon "worse by .02" is refuted; in the first row it is true."""
    for now in (0.80, 0.82, 0.84):
        rng = np.random.default_rng(SEED + 6)
        baseline, candidate = (
            votes(rng, runs, 0.82, VOTES),
            votes(rng, runs, now, VOTES),
        )
        first = first_at(candidate - baseline, -LEAST_EFFECT, LOG_20)
        yield [f"0.82 to {now:.2f}", found(first)]


def clinic_power(runs: int) -> Iterable[list[str]]:
    """The same drops among people who differ: 20 raters, 60 days, rater and day effects."""
    for drop in (0.05, 0.10):
        rng = np.random.default_rng(SEED + 1)
        design = rating_design(
            "clinic", rng, drop=drop, rater_icc=0.1, day_icc=0.05, rate=0.82
        )
        pairing = design.plan()
        assert not isinstance(pairing, Hindrance)
        firsts: list[list[Integers]] = [[], []]
        for part in _parts(runs, 100):
            blocks = block_means(pairing, *design.draw(rng, part))
            for place, least in enumerate((0.0, LEAST_EFFECT)):
                firsts[place].append(first_at(blocks[1] - blocks[0], least, LOG_20))
        used = pairing.used()[0]
        row = [f"0.82 to {0.82 - drop:.2f}"]
        for one in firsts:
            first = np.concatenate(one)
            rows_in = np.where(first > 0, first * used // len(pairing), -1)
            row.append(found(rows_in))
        yield row


def coverage(runs: int) -> Iterable[list[str]]:
    """Count how often the truth is ever outside of the 95% bounds, at 4,000 looks."""
    for before, now in ((0.82, 0.82), (0.82, 0.77), (0.97, 0.93), (0.5, 0.1)):
        rng = np.random.default_rng(SEED + 2)
        gain = votes(rng, runs, before, VOTES) - votes(rng, runs, now, VOTES)
        truth = before - now
        outside = np.zeros(runs, dtype=bool)
        for sign in (1.0, -1.0):
            paths = log_e_paths(sign * gain, sign * truth)
            ever = np.concatenate([path.max(axis=1) for path in paths])
            outside |= ever >= math.log(2.0 / ALPHA)
        yield [f"{before:.2f} to {now:.2f}", share(int(outside.sum()), runs)]


def block_lengths(runs: int) -> Iterable[list[str]]:
    """Count false alarms by how long a block is, where slow spells last ten minutes."""
    rng = np.random.default_rng(SEED + 5)
    design = latency_design("", rng, shared=False, per_hour=40.0)
    rows = [
        Rows(arm.at_us, arm.at_us // HOUR_US % HOURS_A_WEEK)
        for arm in (design.candidate, design.baseline)
    ]
    plans = {
        minutes: plan(rows[0], rows[1], minutes * HOUR_US // 60, DAYS * DAY_US)
        for minutes in (60, 20, 10, 5)
    }
    counted = dict.fromkeys(plans, 0)
    for part in _parts(runs, 20):
        drawn = design.draw(rng, part)
        for minutes, one in plans.items():
            blocks = block_means(one, *drawn)
            counted[minutes] += alarms(first_at(blocks[0] - blocks[1], 0.0, LOG_20))
    for minutes, one in plans.items():
        yield [f"{minutes} minutes", f"{len(one):,}", share(counted[minutes], runs)]


def quantiles(runs: int) -> Iterable[list[str]]:
    """Judge a frozen 95th percentile: without slack, and with it."""
    for count in (2_000, 20_000):
        rng = np.random.default_rng(SEED + 3)
        row = [f"{count:,}"]
        for times in (1.0, 1.1, 1.25):
            plain: list[int] = []
            slack: list[int] = []
            for _ in range(runs):
                line = freeze(rng.lognormal(0, 0.5, count), 0.95, is_above=True)
                beyond = line.beyond(times * rng.lognormal(0, 0.5, VOTES))
                claim = line.claim(beyond)
                plain.append(_first_over(beyond, 0.05))
                slack.append(_first_over(beyond, claim.null))
            if times == 1.0:
                row.append(found(np.array(plain)))
            row.append(found(np.array(slack)))
        yield row


def _first_over(values: Matrix, null: float) -> int:
    path = log_mean(np.cumsum(log_factors(values, null), axis=0)) >= LOG_20
    return int(path.argmax()) + 1 if path.any() else -1


def families(runs: int) -> Iterable[list[str]]:
    """Judge 162 streams at once, 10 of them worse, 1,500 ratings a version."""
    rng = np.random.default_rng(SEED + 4)
    rates = np.full(FAMILY, 0.82)
    rates[:WORSE] = 0.72
    ways: dict[str, list[tuple[float, float]]] = {
        "**e-BH** at q .05": [],
        "e-BH, least effect .02": [],
        "Benjamini-Hochberg on z, one look": [],
        "z at 5 %, uncorrected": [],
    }
    for _ in range(runs):
        log_e = [_log_e_of_counts(rng, rates, least) for least in (0.0, LEAST_EFFECT)]
        hits = rng.binomial(VOTES_EACH, [rates, np.full(FAMILY, 0.82)])
        p = _p_of(hits)
        rejected = [reject([float(x) for x in one], ALPHA) for one in log_e]
        for name, is_named in zip(ways, (*rejected, _bh(p), p < ALPHA), strict=True):
            ways[name].append(_false_and_found(np.array(is_named)))
    for name, each in ways.items():
        false, true = np.mean(each, axis=0)
        yield [name, f"{false:.3f}", f"{true:.3f}"]


def _log_e_of_counts(rng: np.random.Generator, rates: Matrix, least: float) -> Matrix:
    """Draw streams of differences, which are -1, 0 or 1: their number is all that matters."""
    up, down = 0.82 * (1 - rates), (1 - 0.82) * rates
    chance = np.stack([down, 1 - up - down, up], axis=1)
    claim = claim_of_difference(np.array([-1.0, 0.0, 1.0]), least)
    factors = log_factors(claim.values, claim.null)
    return log_mean(rng.multinomial(VOTES_EACH, chance) @ factors)


def _p_of(hits: Integers) -> Matrix:
    both = hits.sum(axis=0) / (2 * VOTES_EACH)
    z = (hits[1] - hits[0]) / np.sqrt(both * (1 - both) * 2 * VOTES_EACH)
    return np.array([0.5 * math.erfc(one / math.sqrt(2)) for one in z])


def _bh(p: Matrix) -> np.ndarray:
    order = np.argsort(p)
    below = np.flatnonzero(p[order] <= ALPHA * np.arange(1, FAMILY + 1) / FAMILY)
    named = np.zeros(FAMILY, dtype=bool)
    named[order[: below[-1] + 1 if len(below) else 0]] = True
    return named


def _false_and_found(named: np.ndarray) -> tuple[float, float]:
    return named[WORSE:].sum() / max(1, named.sum()), named[:WORSE].mean()


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--clinics", type=int, default=200)
    parser.add_argument("--json", type=Path, default=None)
    given = parser.parse_args()
    print_machine()
    began = time.process_time()
    told = Told()
    runs: int = given.runs
    few = max(1, runs // 5)
    peeked = "naive z, looking every 50"
    parts: list[tuple[str, list[str], Callable[[], Iterable[list[str]]]]] = [
        (
            f"False alarms where nothing is worse, nominal 5 %, {runs} runs",
            ["design", peeked, "betting by vote", "**phitrail**: blocks", "pairs"],
            lambda: false_alarms(runs),
        ),
        (
            f"A drop in ratings: found, and median ratings a version, {runs} runs",
            ["drop", peeked, "betting, any drop", "betting, by more than .02"],
            lambda: power(runs),
        ),
        (
            f"Signed off as not worse by .02, up to 4,000 ratings, {runs} runs",
            ["ratings", "signed off"],
            lambda: sign_offs(runs),
        ),
        (
            f"The same among 20 raters in 60 days (rater ICC .1, day ICC .05), {runs} runs",
            ["drop", "any drop", "by more than .02"],
            lambda: clinic_power(runs),
        ),
        (
            f"Truth ever outside of the 95 % bounds, 4,000 looks, {runs} runs",
            ["rates", "ever outside"],
            lambda: coverage(runs),
        ),
        (
            f"How long a block must be: 40 requests an hour, slow spells, {few} runs",
            ["blocks of", "pairs", "false alarms"],
            lambda: block_lengths(few),
        ),
        (
            f"A frozen 95th percentile, up to 4,000 values, {2 * few} runs",
            ["baseline rows", "equal, no slack", "equal", "10 % slower", "25 % slower"],
            lambda: quantiles(2 * few),
        ),
        (
            f"{FAMILY} streams, {WORSE} worse (.82 to .72), {few} runs",
            ["way", "false of those named", "found of those worse"],
            lambda: families(few),
        ),
    ]
    for title, head, rows in parts:
        told.table(title, head, rows())
    if given.clinics:
        told.table(
            "Whole clinics, from rows to verdicts: 10 streams, 5 looks",
            CLINIC_HEAD,
            clinic_table(given.clinics),
        )
    series = read_series()
    if series:
        told.table(
            f"Change points: TCPD, {len(series)} series of one dimension",
            ["method", "F1", "cover", "gain over zero", "errors", "CPU"],
            change_table(series),
        )
    else:
        print("\nChange points: skipped, no series (PHITRAIL_TCPD names their folder).")
    print(f"\n{time.process_time() - began:.0f} s of CPU in all")
    if given.json is not None:
        given.json.write_text(json.dumps(told.tables, indent=1), "utf-8")


if __name__ == "__main__":
    main()
