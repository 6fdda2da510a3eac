"""What the shipped rules catch in made clinic weeks with misuse in them, and at what cost.

    make bench PART=clinic_weeks ARGS="--users 200 --weeks 4 --seeds 5"

The weeks are made up, people, care and misuse alike: nothing here says what a rule finds in a
real house. It says what it finds of what is described in `clinic_weeks_misuse`, and lets two
versions of a rule be compared. From one seed the same tables come, to the letter.
"""

import argparse
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.clinic_weeks_background import make_background
from bench.clinic_weeks_encounters import make_encounters
from bench.clinic_weeks_house import DAY_US, START_US, make_house
from bench.clinic_weeks_judge import Judged, judge, shipped_rules
from bench.clinic_weeks_misuse import Misuse, make_misuse
from bench.clinic_weeks_print import (
    LEVEL_HEAD,
    RECALL_HEAD,
    RULE_HEAD,
    as_json,
    level_rows,
    recall_rows,
    rule_rows,
)
from bench.clinic_weeks_rows import INNOCENT, Clinic, Made, deliver
from bench.clinic_weeks_scoring import Scores, score
from bench.clinic_weeks_shifts import make_rota
from bench.clinic_weeks_told import tell
from bench.figures import print_table
from phitrail.detect.typed import Rule
from phitrail.events.codes import Relation


@dataclass(frozen=True, slots=True)
class Size:
    """How much is made of one seed."""

    users: int
    weeks: int
    each: int
    """Instances of each kind of misuse."""


@dataclass(frozen=True, slots=True)
class Week:
    """What one week of innocent rows held."""

    accesses: int
    explained: float
    """Share of accesses by people with a known care relationship to all patients."""


@dataclass(frozen=True, slots=True)
class Frequency:
    """How often innocent accesses are to somebody who is more than a patient to the user."""

    relation: str
    in_10_000: float
    unexplained_in_10_000: float
    """Of those, where no care relationship is known."""


@dataclass(frozen=True, slots=True)
class Run:
    """One seed: what was made, and what the rules told of it."""

    seed: int
    judged: Judged
    misuse: tuple[Misuse, ...]
    weeks: tuple[Week, ...]
    relations: tuple[Frequency, ...]


def make_weeks(seed: int, size: Size) -> tuple[list[Made], list[Misuse]]:
    """Make all rows of a seed, and say which misuse is among them."""
    house = make_house(random.Random(f"{seed}/house"), size.users)
    rota = make_rota(random.Random(f"{seed}/rota"), house.users, size.weeks)
    encounters = make_encounters(random.Random(f"{seed}/encounters"), house, size.weeks)
    clinic = Clinic(house, rota, encounters, size.weeks)
    rows = make_background(clinic, str(seed))
    bad, misuse = make_misuse(clinic, str(seed), size.each)
    rows = deliver(random.Random(f"{seed}/delivery"), rows + bad)
    told = tell(random.Random(f"{seed}/told"), house, rows, clinic.end_us)
    return rows + told, misuse


def run_seed(seed: int, size: Size, rules: Sequence[Rule]) -> Run:
    """Make one seed and judge it."""
    rows, misuse = make_weeks(seed, size)
    weeks = tuple(_week(rows, number) for number in range(size.weeks))
    return Run(seed, judge(rules, rows), tuple(misuse), weeks, _relations(rows))


def _week(rows: Sequence[Made], number: int) -> Week:
    known = [
        one.leaf["care_relationship"] == "all"
        for one in _innocent(rows)
        if (one.at_us - START_US) // (7 * DAY_US) == number
    ]
    return Week(len(known), sum(known) / max(1, len(known)))


def _relations(rows: Sequence[Made]) -> tuple[Frequency, ...]:
    leaves = [one.leaf for one in _innocent(rows)]
    found = Counter(code for leaf in leaves for code in _codes(leaf, "relations"))
    alone = Counter(
        code for leaf in leaves for code in _codes(leaf, "unexplained_relations")
    )
    each = 10_000 / max(1, len(leaves))
    return tuple(
        Frequency(code.value, found[code] * each, alone[code] * each)
        for code in Relation
    )


def _codes(leaf: dict[str, object], name: str) -> tuple[str, ...]:
    codes = leaf.get(name, ())
    assert isinstance(codes, tuple)
    return codes


def _innocent(rows: Sequence[Made]) -> Iterator[Made]:
    """Give the accesses by people that belong to no misuse."""
    for one in rows:
        if (
            one.label == INNOCENT
            and one.leaf.get("actor_type") == "human"
            and "care_relationship" in one.leaf
            and one.leaf["event_type"] != "phi_access_denied"
        ):
            yield one


def score_runs(runs: Sequence[Run], size: Size) -> Scores:
    """Score all seeds together."""
    user_weeks = len(runs) * size.users * size.weeks
    return score([(one.judged, one.misuse) for one in runs], user_weeks)


def print_scores(runs: Sequence[Run], size: Size, scores: Scores) -> None:
    """Print the tables."""
    print(
        f"Made up: {len(runs)} seeds of {size.users} users for {size.weeks} weeks, "
        f"{sum(one.judged.rows for one in runs):,} rows; tail and SQL found the same "
        f"{sum(len(one.judged.alerts) for one in runs):,} alerts; "
        f"{sum(one.judged.beyond for one in runs):,} rows came too late for the tail."
    )
    print_table(
        "What the innocent weeks hold (median of seeds)",
        ("week", "accesses by people", "share explained by care"),
        [
            [str(number + 1), f"{_middle(a):,.0f}", f"{_middle(e):.3f}"]
            for number, (a, e) in enumerate(_by_week(runs))
        ],
    )
    print_table(
        "What their patients are to users, in 10,000 accesses (median of seeds)",
        ("relation", "in all", "without a known care relationship"),
        [
            [
                held[0].relation,
                f"{_middle([one.in_10_000 for one in held]):.1f}",
                f"{_middle([one.unexplained_in_10_000 for one in held]):.1f}",
            ]
            for held in zip(*(run.relations for run in runs), strict=True)
        ],
    )
    print_table("Misuse that was caught", RECALL_HEAD, recall_rows(scores))
    print_table(
        f"Alerts; {scores.misuse_a_week:.1f} instances of misuse per 1,000 users a week "
        "were put in",
        LEVEL_HEAD,
        level_rows(scores),
    )
    print_table(
        "Rules that tell the most of innocent weeks", RULE_HEAD, rule_rows(scores)
    )


def _by_week(runs: Sequence[Run]) -> list[tuple[list[float], list[float]]]:
    return [
        ([float(one.accesses) for one in weeks], [one.explained for one in weeks])
        for weeks in zip(*(run.weeks for run in runs), strict=True)
    ]


def _middle(figures: Sequence[float]) -> float:
    ordered = sorted(figures)
    return ordered[len(ordered) // 2]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--weeks", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--each", type=int, default=4, help="instances of each misuse")
    parser.add_argument("--json", type=Path, help="where to write the figures as JSON")
    given = parser.parse_args()
    size, rules = Size(given.users, given.weeks, given.each), shipped_rules()
    runs = [run_seed(seed, size, rules) for seed in range(1, given.seeds + 1)]
    scores = score_runs(runs, size)
    print_scores(runs, size, scores)
    print(f"\n{time.process_time():.0f} CPU seconds in all")
    if given.json is not None:
        made: list[dict[str, object]] = [
            {"seed": one.seed, "rows": one.judged.rows, "beyond": one.judged.beyond}
            for one in runs
        ]
        given.json.write_text(as_json(scores, made))


if __name__ == "__main__":
    main()
