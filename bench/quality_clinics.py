"""Whole clinics, from rows to verdicts: two use cases, five metrics, four weeks, one rollout.

From the third week on a new version serves half of the requests. In a clinic where it is worse,
it is worse in one metric of one use case. Somebody looks every third day. Kept is what was ever
called a regression, and on which day first.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Final

import numpy as np
import numpy.typing as npt

from bench.figures import print_machine, print_table
from phitrail.events.codes import QualityMetric
from phitrail.quality.intervals import wilson
from phitrail.quality.metric import METRICS
from phitrail.quality.observations import HOURS_A_WEEK, Observations
from phitrail.quality.pairs import DAY_US, HOUR_US
from phitrail.quality.verdict import State, compare, decide

ROLLOUT_DAY: Final = 14
DAYS: Final = 28
EVERY: Final = 3
PER_HOUR: Final = 2.0
RATERS: Final = 20
BAD: Final = ("chart_qa", QualityMetric.POSITIVE_RATE)
USE_CASES: Final = ("chart_qa", "triage")
RATES: Final[Mapping[QualityMetric, float]] = {
    QualityMetric.POSITIVE_RATE: 0.82,
    QualityMetric.DISCLAIMER_RATE: 0.97,
    QualityMetric.EMPTY_RETRIEVAL_RATE: 0.05,
}
LATENCIES: Final = (QualityMetric.LATENCY_P95, QualityMetric.LATENCY_MEAN)
_ICC: Final = 0.1
_MEDIAN_MS: Final = 800.0
Stream = tuple[str, QualityMetric]


@dataclass(frozen=True, slots=True)
class Named:
    """A stream that was called a regression: on which day first, since which hour, how much.

    `first_hour` is that of the new version's first request, which `since_hour` should be.
    """

    day: int
    since_hour: int
    first_hour: int
    effect: float


def run_clinic(seed: int, drop: float, every: int) -> dict[Stream, Named]:
    """Run one clinic; `drop` is what the bad metric loses (0: nothing is worse)."""
    rng = np.random.default_rng(seed)
    people = rng.beta(0.82 / _ICC - 0.82, 0.18 / _ICC - 0.18, RATERS) - 0.82
    arms = {
        (use_case, name): (
            _arm(rng, name, people, ROLLOUT_DAY, drop * ((use_case, name) == BAD)),
            _arm(rng, name, people, 0, 0.0),
        )
        for use_case in USE_CASES
        for name in (*RATES, *LATENCIES)
    }
    named: dict[Stream, Named] = {}
    for day in range(ROLLOUT_DAY + 2, DAYS + 1, every):
        found = decide(
            [
                compare(
                    METRICS[name],
                    _until(candidate, day),
                    _until(baseline, day),
                    use_case=use_case,
                    until_us=day * DAY_US,
                )
                for (use_case, name), (candidate, baseline) in arms.items()
            ]
        )
        for one in found:
            if one.state is State.REGRESSION:
                hour = (one.since_us or 0) // HOUR_US
                stream = (one.use_case or "", one.metric)
                first_hour = int(arms[stream][0].at_us[0]) // HOUR_US
                named.setdefault(
                    stream, Named(day, hour, first_hour, one.effect or 0.0)
                )
    return named


def _arm(
    rng: np.random.Generator,
    name: QualityMetric,
    people: npt.NDArray[np.float64],
    begin_day: int,
    drop: float,
) -> Observations:
    days = DAYS - begin_day
    hours = np.sort(rng.random(rng.poisson(PER_HOUR * 24 * days))) * 24 * days
    hours += begin_day * 24
    who = rng.integers(0, RATERS, len(hours))
    if name in RATES:
        rate = RATES[name] + (people[who] if name is BAD[1] else 0.0) - drop
        value = (rng.random(len(hours)) < rate).astype(np.float64)
    else:
        load = 1.0 + 0.3 * np.cos((hours % 24 - 10) / 24 * 2 * np.pi)
        value = _MEDIAN_MS * load * rng.lognormal(0.0, 0.5, len(hours))
    return Observations(
        (hours * HOUR_US).astype(np.int64),
        value,
        (hours.astype(np.int64) % HOURS_A_WEEK).astype(np.int32),
        who.astype(np.int32),
    )


def _until(arm: Observations, day: int) -> Observations:
    end = int(np.searchsorted(arm.at_us, day * DAY_US))
    return Observations(
        arm.at_us[:end], arm.value[:end], arm.stratum[:end], arm.rater[:end]
    )


def table(clinics: int) -> list[list[str]]:
    """Run clinics in which nothing, little or much is worse; the rows of the table."""
    rows = []
    for drop in (0.0, 0.12, 0.20):
        runs = max(1, clinics // 4) if drop else clinics
        all_named = [run_clinic(seed, drop, EVERY) for seed in range(runs)]
        bad = [named[BAD] for named in all_named if drop and BAD in named]
        false = sum(any(one != BAD or not drop for one in named) for named in all_named)
        interval = wilson(false, runs)
        low, high = 100 * (interval.low or 0.0), 100 * (interval.high or 0.0)
        right = sum(one.since_hour == one.first_hour for one in bad)
        rows.append(
            [
                f"0.82 to {0.82 - drop:.2f}" if drop else "nothing",
                f"{len(bad)} of {runs}" if drop else "-",
                f"{median(one.day - ROLLOUT_DAY for one in bad):.0f}" if bad else "-",
                f"{right} of {len(bad)}" if bad else "-",
                f"{median(one.effect for one in bad):+.3f}" if bad else "-",
                f"{false} of {runs} ({low:.1f}-{high:.1f} %)",
            ]
        )
    return rows


HEAD: Final = (
    "what is worse",
    "named",
    "median days",
    "its first hour named",
    "median effect",
    "clinics with anything else named",
)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clinics", type=int, default=200)
    given = parser.parse_args()
    print_machine()
    print_table("Whole clinics", HEAD, table(given.clinics))


if __name__ == "__main__":
    main()
