"""The four classic rules at their edges, through a trail: recorded, judged, and over history.

What is asked of a rule file's own tests (`rule_tests`) is asked here of everything between the
door and the alert: times as leaves hold them, zones of tenant.yaml, the engine, the tables.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, groupby
from zoneinfo import ZoneInfo

import pytest
import yaml
from tests.trails import TENANT, read_leaves

from phitrail.app.backtest_rules import Between, History
from phitrail.app.config import DetectSection
from phitrail.app.detect_engine import Engine
from phitrail.app.detect_state import DetectState
from phitrail.app.founding import found_trail
from phitrail.app.rules import rules_of
from phitrail.app.running import run_trail
from phitrail.app.tables import advance_tables, open_tables
from phitrail.app.wiring import Trail, open_trail
from phitrail.detect.enrich import Zones
from phitrail.detect.packaged import packaged_rules
from phitrail.detect.row import instant_us
from phitrail.detect.rule import read_rules
from phitrail.detect.typed import Correlation
from phitrail.events.alert import Alert
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.codes import AlertState, EventType, Log
from phitrail.events.ids import format_time, new_uuid7

NY, PHOENIX, PUNE = "ny", "phoenix", "pune"
ZONES = {
    NY: "America/New_York",
    PHOENIX: "America/Phoenix",
    PUNE: "Asia/Kolkata",
}
FIRST = datetime(2026, 1, 5, 15, tzinfo=UTC)
MS = timedelta(milliseconds=1)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

BY_ADDRESS = "More than 10 injection attempts within 5 minutes from one address"
BY_USER = "More than 10 injection attempts within 5 minutes by one user"
IN_ALL = "More than 10 injection attempts within 5 minutes in all"
ACCESSES = "More than 200 accesses to PHI within an hour by one user"
WRONG = "PHI of another patient in the output of a model"
UNEXPECTED = "Unexpected PHI in the output of a model"
NIGHT = "More than 5 accesses to PHI by one user in one night"
NIGHT_HOUR = "More than 5 accesses to PHI by one user within an hour of the night"
RULES = {
    rule.head.title: rule
    for rule in read_rules(packaged_rules()).judged()
    if isinstance(rule, Correlation)
}


@dataclass(frozen=True)
class Case:
    """So many events at each of some times, and the episodes that a rule makes of them."""

    rule: str
    event_type: EventType
    counts: Sequence[tuple[datetime, int]]
    peaks: Sequence[int]
    """The highest measure of each episode, in order of time."""
    facility: str | None = None
    reason: str | None = None

    def address(self, number: int) -> str:
        """Give the address that its events come from."""
        return f"10.0.{number // 250}.{number % 250}"

    def events(self, number: int) -> list[tuple[datetime, CallerEvent]]:
        """Make its events, of a user and an address of its own."""
        return [
            (
                at,
                AuditEvent(
                    event_type=self.event_type,
                    event_id=new_uuid7(at),
                    timestamp_utc=format_time(at),
                    user_id=f"u{number}",
                    source_ip=self.address(number),
                    facility_id=self.facility,
                    reason_code=self.reason,
                    ai_model_version=f"v{number}",
                    use_case="chart_qa",
                ),
            )
            for at, count in self.counts
            for _ in range(count)
        ]

    @property
    def ends(self) -> tuple[int, int]:
        """Say in which time its episodes lie."""
        times = [round(at.timestamp() * 1_000) * 1_000 for at, _ in self.counts]
        return min(times), max(times)


def counted(
    rule: str,
    kind: EventType,
    most: int,
    span: timedelta,
    slots: Iterator[datetime],
    facility: str | None = None,
) -> Iterator[Case]:
    """Ask a threshold at N and one more, and at both sides of the window's edge."""
    for late, counts, is_found in (
        (None, (most, 0), False),
        (None, (most + 1, 0), True),
        (span, (most, 1), False),
        (span - MS, (most, 1), True),
        (span, (1, most), False),
        (span - MS, (1, most), True),
    ):
        begun = next(slots)
        times = [(begun, counts[0]), (begun + (late or MINUTE), counts[1])]
        yield Case(rule, kind, times, [most + 1] * is_found, facility)


def outputs(rule: str, reason: str, slots: Iterator[datetime]) -> Iterator[Case]:
    """Ask the rules that one event is enough for, and where their episode ends."""
    kind = EventType.AI_PHI_OUTPUT_DETECTED
    for gap, peaks in ((None, [1]), (DAY, [1, 1]), (DAY - MS, [2])):
        begun = next(slots)
        times = [(begun, 1)] if gap is None else [(begun, 1), (begun + gap, 1)]
        yield Case(rule, kind, times, peaks, reason=reason)


def local(facility: str, written: str, fold: int = 0) -> datetime:
    """Give the instant of a local time."""
    at = datetime.fromisoformat(written).replace(tzinfo=ZoneInfo(ZONES[facility]))
    return at.replace(fold=fold).astimezone(UTC)


def night(facility: str, counts: Sequence[tuple[datetime, int]], *peaks: int) -> Case:
    """Ask the rule of the night."""
    return Case(NIGHT, EventType.PHI_READ, counts, peaks, facility)


def nights(facility: str, month: str) -> Iterator[Case]:
    """Ask where a night begins and where it ends, in days of a month."""
    for evening, morning, peaks in (
        (("10T21:59:59.999", 1), ("11T05:00:00.000", 5), ()),
        (("12T22:00:00.000", 1), ("13T05:00:00.000", 5), (6,)),
        (("14T22:30:00.000", 5), ("15T05:59:59.999", 1), (6,)),
        (("16T22:30:00.000", 5), ("17T06:00:00.000", 1), ()),
    ):
        counts = [
            (local(facility, f"{month}-{time}"), count)
            for time, count in (evening, morning)
        ]
        yield night(facility, counts, *peaks)


def clock_changes() -> Iterator[Case]:
    """Ask the nights in which New York's clock goes ahead and back."""
    for evening, morning in (("03-07", "03-08"), ("10-31", "11-01")):
        begun = local(NY, f"2026-{evening}T22:00:00.000")
        ended = local(NY, f"2026-{morning}T06:00:00.000")
        before = local(NY, f"2026-{evening}T21:59:59.999")
        yield night(NY, [(begun, 1), (ended - MS, 5)], 6)
        yield night(NY, [(begun, 5), (ended, 1)])
        yield night(NY, [(before, 1), (ended - MS, 5)])
        assert ended - begun == (7 * HOUR if evening == "03-07" else 9 * HOUR)
    twice = "2026-11-01T01:30:00.000"  # an hour apart, and one time on the wall
    first, again = local(NY, twice), local(NY, twice, fold=1)
    yield night(NY, [(first, 3), (again, 3)], 6)
    for late, peaks in ((again, ()), (again - MS, (6,))):
        yield Case(NIGHT_HOUR, EventType.PHI_READ, [(first, 3), (late, 3)], peaks, NY)
    for place in (PHOENIX, PUNE):  # no change: the same hours on those days
        yield night(
            place,
            [
                (local(place, "2026-03-07T22:00:00.000"), 1),
                (local(place, "2026-03-08T05:59:59.999"), 5),
            ],
            6,
        )
        yield night(place, [(local(place, "2026-10-31T22:00:00.000"), 5),
                            (local(place, "2026-11-01T06:00:00.000"), 1)])  # fmt: skip


def cases() -> tuple[Case, ...]:
    """List everything that is asked; what one rule counts in all is never near another."""
    slots = (FIRST + number * 3 * HOUR for number in count())
    days = (FIRST + number * 3 * DAY for number in count())
    at_night = (
        local(NY, f"2026-02-{number:02}T23:00:00.000") for number in range(1, 28)
    )
    attempt, read = EventType.AI_INJECTION_ATTEMPT, EventType.PHI_READ
    return (
        *counted(BY_ADDRESS, attempt, 10, 5 * MINUTE, slots),
        *counted(BY_USER, attempt, 10, 5 * MINUTE, slots),
        *counted(IN_ALL, attempt, 10, 5 * MINUTE, slots),
        *counted(ACCESSES, read, 200, HOUR, slots),
        *counted(NIGHT_HOUR, read, 5, HOUR, at_night, NY),
        *outputs(WRONG, "wrong_patient", days),
        *outputs(UNEXPECTED, "unexpected_phi", days),
        *nights(NY, "2026-04"),
        *nights(PHOENIX, "2026-04"),
        *nights(PUNE, "2026-04"),
        *clock_changes(),
    )


CASES = cases()
Found = dict[str, set[tuple[tuple[str, ...], int, int, int]]]
"""By the title of its rule: group, first and last instant, measure of each episode."""


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Found, Found]:
    """Record every event when it happens, and give what the engine and history found."""
    directory = tmp_path_factory.mktemp("boundaries") / "trail"
    found_trail(directory, TENANT, FIRST - DAY)
    tenant = directory / "tenant.yaml"
    settled = yaml.safe_load(tenant.read_text())
    settled["vocabulary"]["facilities"] += list(ZONES)
    settled["facility_zones"] = ZONES
    tenant.write_text(yaml.safe_dump(settled))
    events = sorted(
        (one for number, case in enumerate(CASES) for one in case.events(number)),
        key=lambda one: one[0],
    )
    with closing(open_trail(directory)) as trail:
        by_tail = _by_tail(trail, events)
    with run_trail(directory) as running:
        advance_tables(running.parts, events[-1][0], close_rows=1)
    with closing(open_trail(directory)) as trail:
        return by_tail, _by_history(trail, events[-1][0])


def _by_tail(trail: Trail, events: Sequence[tuple[datetime, CallerEvent]]) -> Found:
    """Record events as time goes on, judge each moment, and read the alerts that ended."""
    state = DetectState(trail.directory, trail.log_keys[Log.AUDIT.value])
    engine = Engine(trail, "trail-1", state, rules_of(()), DetectSection())
    with closing(state), closing(engine):
        engine.begin(events[0][0])
        for at, several in groupby(events, key=lambda one: one[0]):
            trail.recorder.record_many([event for _, event in several], at)
            while engine.look(at):
                pass
        engine.look(events[-1][0] + 3 * DAY)
    found: Found = {title: set() for title in RULES}
    titles = {rule.head.rule_id: title for title, rule in RULES.items()}
    for leaf in read_leaves(trail, Log.SECURITY):
        if isinstance(leaf, Alert) and leaf.state == AlertState.CLOSE:
            title = titles[leaf.rule_id]
            assert leaf.window_start is not None
            assert leaf.window_end is not None
            subjects = (leaf.user_id, leaf.source_ip, leaf.ai_model_version)
            found[title].add(
                (
                    tuple(one for one in subjects if one is not None),
                    instant_us(leaf.window_start) + RULES[title].span_us,
                    instant_us(leaf.window_end),
                    leaf.match_count or 0,
                )
            )
    return found


def _by_history(trail: Trail, now: datetime) -> Found:
    """Ask the tables of the same trail."""
    found: Found = {}
    with open_tables(trail, now) as tables:
        history = History(tables, Zones(trail.tenant.facility_zones), Between())
        history.read_recorded()
        rules = [RULES[title] for title in sorted({case.rule for case in CASES})]
        history.scan(rules)
        for rule in rules:
            history.judge(rule)
            groups = len(rule.group_by)
            found[rule.head.title] = {
                (tuple(row[:groups]), row[groups], row[groups + 1], row[groups + 2])
                for row in (
                    tuple(one.values())
                    for one in tables.select("SELECT * FROM episodes").to_pylist()
                )
            }
    return found


def _peaks(found: Found, case: Case, number: int) -> list[int]:
    """Give the measures of the episodes that are of a case, in order of time."""
    subjects = {f"u{number}", f"v{number}", case.address(number)}
    first, last = case.ends
    return [
        peak
        for _, peak in sorted(
            (begun, peak)
            for group, begun, end, peak in found[case.rule]
            if (not group or subjects & set(group)) and first <= begun <= end <= last
        )
    ]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_a_boundary_is_where_the_rule_says(
    judged: tuple[Found, Found], number: int
) -> None:
    """One event too many or too few, a millisecond, an hour of the clock: each is an alert."""
    case = CASES[number]

    assert [_peaks(found, case, number) for found in judged] == [list(case.peaks)] * 2


def test_boundaries_are_asked_of_the_same_moments_in_all_ways() -> None:
    """A case that expects nothing anywhere would be met by a rule that never fires."""
    for title in {case.rule for case in CASES}:
        assert any(case.peaks for case in CASES if case.rule == title), title
