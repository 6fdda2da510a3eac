"""What the rules caught of made misuse, and what they told of innocent weeks.

1. An instance of misuse is caught by the first alert that is owed to it: one that rests on its
   rows, and would not stand there without misuse (`clinic_weeks_judge`). Informational alerts,
   which call nobody, do not count.
2. Time to detection is from its first row to that alert's instant.
3. Every alert that is not owed to misuse is a false positive, whether or not a privacy office
   would want to see it: emergency access is reviewed each time, by design.
4. Recall has a Wilson interval at 95 %. Precision depends on how much misuse was put in, so the
   figure beside it says how much that was.
"""

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.clinic_weeks_house import SECOND_US
from bench.clinic_weeks_judge import Judged, Told
from bench.clinic_weeks_misuse import SCENARIOS, Misuse
from phitrail.events.codes import Severity
from phitrail.guard.evaluate import wilson

LEVELS = tuple(Severity)[::-1]
"""The worst first."""
ALL = "low and above"


@dataclass(frozen=True, slots=True)
class Recall:
    """What was caught of one scenario."""

    scenario: str
    instances: int
    caught: int
    caught_at_medium: int
    """By an alert of medium level or above."""
    low: float
    high: float
    median_s: float | None
    p90_s: float | None
    first_rules: tuple[tuple[str, int], ...]
    """Which rule was first how often, the most often first."""


@dataclass(frozen=True, slots=True)
class RuleLoad:
    """How much one rule told."""

    title: str
    level: Severity
    false: int
    owed: int
    a_week: float
    """False positives per 1,000 users a week."""


@dataclass(frozen=True, slots=True)
class LevelLoad:
    """How much the rules of one level told."""

    level: str
    false: int
    owed: int
    a_week: float


@dataclass(frozen=True, slots=True)
class Scores:
    """The figures of all seeds together."""

    recalls: tuple[Recall, ...]
    rules: tuple[RuleLoad, ...]
    levels: tuple[LevelLoad, ...]
    user_weeks: int
    misuse_a_week: float
    """Instances of misuse per 1,000 users a week that were put in."""


def score(weeks: Sequence[tuple[Judged, Sequence[Misuse]]], user_weeks: int) -> Scores:
    """Score what was judged of some seeds, each with its misuse."""
    alerts = [one for judged, _ in weeks for one in judged.alerts]
    instances = sum(len(misuse) for _, misuse in weeks)
    return Scores(
        tuple(_recall(name, weeks) for name in SCENARIOS),
        _rule_loads(alerts, user_weeks),
        _level_loads(alerts, user_weeks),
        user_weeks,
        1_000 * instances / user_weeks,
    )


def _recall(scenario: str, weeks: Sequence[tuple[Judged, Sequence[Misuse]]]) -> Recall:
    instances, at_medium, times = 0, 0, []
    firsts: Counter[str] = Counter()
    for judged, misuse in weeks:
        for one in misuse:
            if one.scenario != scenario:
                continue
            instances += 1
            owed = [
                a
                for a in judged.alerts
                if a.is_owed and one.label in a.labels and _calls(a)
            ]
            if not owed:
                continue
            first = min(owed, key=_by_time)
            times.append(max(0, first.alerted_us - one.begins_us) / SECOND_US)
            firsts[first.rule.head.title] += 1
            at_medium += any(_is_medium(each) for each in owed)
    low, high = wilson(len(times), instances)
    return Recall(
        scenario,
        instances,
        len(times),
        at_medium,
        low,
        high,
        statistics.median(times) if times else None,
        _p90(times) if times else None,
        tuple(sorted(firsts.items(), key=lambda one: (-one[1], one[0]))),
    )


def _by_time(told: Told) -> tuple[int, int, str]:
    head = told.rule.head
    return told.alerted_us, LEVELS.index(head.severity), head.title


def _calls(told: Told) -> bool:
    return told.rule.head.severity is not Severity.INFORMATIONAL


def _is_medium(told: Told) -> bool:
    return LEVELS.index(told.rule.head.severity) <= LEVELS.index(Severity.MEDIUM)


def _p90(times: Sequence[float]) -> float:
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, -(-len(ordered) * 9 // 10) - 1)]


def _rule_loads(alerts: Iterable[Told], user_weeks: int) -> tuple[RuleLoad, ...]:
    false, owed = Counter[tuple[str, Severity]](), Counter[tuple[str, Severity]]()
    for one in alerts:
        head = one.rule.head
        (owed if one.is_owed else false)[head.title, head.severity] += 1
    loads = [
        RuleLoad(
            title,
            level,
            false[title, level],
            owed[title, level],
            1_000 * false[title, level] / user_weeks,
        )
        for title, level in {*false, *owed}
    ]
    return tuple(sorted(loads, key=lambda one: (-one.false, one.title)))


def _level_loads(alerts: Sequence[Told], user_weeks: int) -> tuple[LevelLoad, ...]:
    loads = []
    for level in (ALL, *(one.value for one in LEVELS)):
        held = [
            a
            for a in alerts
            if a.rule.head.severity == level or (level == ALL and _calls(a))
        ]
        owed = sum(one.is_owed for one in held)
        false = len(held) - owed
        if held or level == ALL:
            loads.append(LevelLoad(level, false, owed, 1_000 * false / user_weeks))
    return tuple(loads)
