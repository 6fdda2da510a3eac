"""What did not happen in time is told, once, whoever looks and however often."""

import threading
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.app.sourced import opened
from tests.app.test_detecting import judging
from tests.trails import NOW, event_id, read_leaves

from phitrail.app import clock
from phitrail.app.config import OverdueSection, Policy, read_tenant, write_config
from phitrail.app.overdue import OVERDUE, OVERDUE_TWICE, stage_of
from phitrail.app.overdue_watch import OverdueWatcher
from phitrail.app.rules import rules_of
from phitrail.app.table_store import open_store
from phitrail.app.wiring import Trail, open_trail
from phitrail.events.alert import Alert
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.canonical import CallerRecord
from phitrail.events.codes import (
    ActorType,
    AlertState,
    Assurance,
    Disposition,
    EventType,
    Log,
    Outcome,
    Severity,
)
from phitrail.events.ids import new_uuid7
from phitrail.events.security import SecurityEvent
from phitrail.sdk.connect import connect

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TOLD = frozenset(
    {
        EventType.ACCESS_UNCLOSED,
        EventType.REVIEW_OVERDUE,
        EventType.DORMANT_USER_ACTIVE,
        EventType.CONTAINMENT_BREACHED,
    }
)


def watcher(trail: Trail) -> OverdueWatcher:
    """Look as the process that publishes does."""
    return OverdueWatcher(trail, is_publishing=lambda: True)


def look(directory: Path, now: datetime) -> int:
    """Open a trail, look once as a process that begins anew, and close it."""
    with closing(open_trail(directory)) as trail:
        return watcher(trail).look(now)


def record(trail: Trail, event: CallerRecord, at: datetime) -> None:
    """Record an event when it happens."""
    trail.recorder.record(event, at)


def access(number: int, at: datetime, user: str = "u1", **said: object) -> CallerEvent:
    """Open an access."""
    return AuditEvent(
        event_type=EventType.PHI_READ,
        event_id=new_uuid7(at, number.to_bytes(10, "big")),
        access_id=event_id(number),
        user_id=user,
        **said,  # type: ignore[arg-type]  # fields of the event
    )


def closing_of(number: int) -> CallerEvent:
    """Close an access."""
    return AuditEvent(
        event_type=EventType.ACCESS_CLOSED,
        access_id=event_id(number),
        outcome=Outcome.RELEASED,
    )


def told(trail: Trail) -> list[AuditEvent[str, str, str]]:
    """List what the audit log was told of things that did not happen."""
    leaves = read_leaves(trail)
    return [
        one for one in leaves if isinstance(one, AuditEvent) and one.event_type in TOLD
    ]


def overdue_alerts(trail: Trail) -> list[tuple[str | None, str | None, str | None]]:
    """List the alerts that the security log calls overdue."""
    return [
        (one.object_id, one.severity, one.reason_code)
        for one in read_leaves(trail, Log.SECURITY)
        if isinstance(one, SecurityEvent) and one.event_type == EventType.ALERT_OVERDUE
    ]


def alert(
    number: int,
    severity: Severity = Severity.HIGH,
    state: AlertState = AlertState.OPEN,
    **said: object,
) -> Alert:
    """Give a move of an alert."""
    return Alert(
        alert_id=f"{number:064x}",
        rule_id="rule-1",
        state=state,
        severity=severity,
        **said,  # type: ignore[arg-type]  # fields of the alert
    )


# --- accesses ---


def test_an_access_that_nobody_closes_is_told_once(trail_dir: Path) -> None:
    """Nobody records that nothing happened, so somebody must look."""
    with opened(trail_dir) as trail:
        record(trail, access(1, NOW, use_case="chart_qa"), NOW)
        record(trail, access(2, NOW), NOW)
        record(trail, closing_of(2), NOW)
        late = watcher(trail)
        assert late.look(NOW + HOUR - timedelta(milliseconds=1)) == 0
        assert late.look(NOW + HOUR) == 1
        assert late.look(NOW + 2 * HOUR) == 0
        (event,) = told(trail)
    assert look(trail_dir, NOW + DAY) == 0

    assert (event.event_type, event.access_id) == ("access_unclosed", event_id(1))
    assert (event.user_id, event.use_case) == ("u1", "chart_qa")


def test_an_access_that_is_closed_between_two_looks_is_none(trail_dir: Path) -> None:
    """What was open at one look must not be told at the next if it was closed meanwhile."""
    with opened(trail_dir) as trail:
        late = watcher(trail)
        record(trail, access(1, NOW), NOW)
        assert late.look(NOW + HOUR / 2) == 0
        record(trail, closing_of(1), NOW + HOUR / 2)
        record(trail, access(2, NOW + HOUR / 2), NOW + HOUR / 2)
        assert late.look(NOW + HOUR) == 0
        assert late.look(NOW + 2 * HOUR) == 1
        assert [one.access_id for one in told(trail)] == [event_id(2)]


def test_imported_history_closes_nothing(trail_dir: Path) -> None:
    """Where the accesses of ten years come from, nobody closed them."""
    with opened(trail_dir) as trail:
        record(trail, access(1, NOW, assurance=Assurance.IMPORTED), NOW)
        assert watcher(trail).look(NOW + DAY) == 0


def test_a_crash_between_two_records_loses_and_doubles_none(trail_dir: Path) -> None:
    """Half of what was to be told is in the log; the other half must follow, once."""
    with opened(trail_dir) as trail:
        for number in range(1, 7):
            record(trail, access(number, NOW), NOW)
        half = watcher(trail).news(NOW + HOUR)[:3]
        trail.recorder.record_many(half, NOW + HOUR)
    assert look(trail_dir, NOW + HOUR) == 3
    assert look(trail_dir, NOW + DAY) == 0
    with opened(trail_dir) as trail:
        names = [one.access_id for one in told(trail)]
    assert sorted(map(str, names)) == [event_id(n) for n in range(1, 7)]


def test_a_term_that_was_dropped_since_stops_nothing(trail_dir: Path) -> None:
    """A list that changed must not keep a house from hearing of an access."""
    with opened(trail_dir) as trail:
        record(trail, access(1, NOW, use_case="chart_qa"), NOW)
    tenant = read_tenant(trail_dir)
    rest = {**tenant.vocabulary, "use_cases": ("triage",)}
    fewer = type(tenant)(tenant=tenant.tenant, vocabulary=rest)
    write_config(trail_dir, fewer, Policy())

    assert look(trail_dir, NOW + HOUR) == 1
    with opened(trail_dir) as trail:
        assert [(one.user_id, one.use_case) for one in told(trail)] == [("u1", None)]


# --- alerts ---


def test_an_alert_is_overdue_by_its_level_and_again_after_twice_as_long(
    trail_dir: Path,
) -> None:
    """An alert that nobody looks at is as good as none."""
    with opened(trail_dir) as trail:
        record(trail, alert(1, Severity.CRITICAL), NOW)
        record(trail, alert(2, Severity.LOW), NOW)
        record(trail, alert(3, Severity.INFORMATIONAL), NOW)
        late = watcher(trail)
        assert late.look(NOW + DAY - timedelta(milliseconds=1)) == 0
        assert late.look(NOW + DAY) == 1
        assert late.look(NOW + 1.5 * DAY) == 0
        assert late.look(NOW + 2 * DAY) == 1
        assert late.look(NOW + 30 * DAY) == 1
        first, second = f"{1:064x}", f"{2:064x}"
        assert overdue_alerts(trail) == [
            (first, "critical", OVERDUE),
            (first, "critical", OVERDUE_TWICE),
            (second, "low", OVERDUE),
        ]
    assert look(trail_dir, NOW + 31 * DAY) == 0
    assert look(trail_dir, NOW + 60 * DAY) == 1


def test_an_alert_with_a_disposition_is_not_overdue(trail_dir: Path) -> None:
    """Whoever looked in time must not be told that nobody did."""
    with opened(trail_dir) as trail:
        for number in (1, 2, 3):
            record(trail, alert(number), NOW)
        late = watcher(trail)
        assert late.look(NOW) == 0
        verdict = alert(
            1,
            state=AlertState.CLOSE,
            disposition=Disposition.TEST,
            note_digest="0" * 64,
        )
        record(trail, verdict, NOW + HOUR)
        record(trail, alert(2, state=AlertState.CLOSE), NOW + HOUR)  # only its episode
        record(trail, alert(1, state=AlertState.CLOSE), NOW + 2 * HOUR)
        assert late.look(NOW + 3 * DAY) == 2
        names = {name for name, _, _ in overdue_alerts(trail)}
    assert names == {f"{2:064x}", f"{3:064x}"}
    assert look(trail_dir, NOW + 3 * DAY) == 0


def test_alerts_about_overdue_alerts_are_not_overdue_themselves(
    trail_dir: Path,
) -> None:
    """Else a house that is away for a month comes back to alerts about alerts."""
    with opened(trail_dir) as trail:
        record(trail, alert(1), NOW)
        late = watcher(trail)
        assert late.look(NOW + 3 * DAY) == 1
        size = len(read_leaves(trail, Log.SECURITY))
        about = alert(2, evidence=(f"security:{size - 1}",))
        record(trail, about, NOW + 3 * DAY)
        assert late.look(NOW + 99 * DAY) == 1  # the first one again, and not the second
    assert look(trail_dir, NOW + 99 * DAY) == 0


# --- emergencies ---


def test_an_emergency_without_a_review_is_told_once(trail_dir: Path) -> None:
    """45 CFR 164.312(a)(2)(ii) lets somebody in; a review says whether that was right."""
    with opened(trail_dir) as trail:
        for number in (1, 2):
            began: CallerEvent = AuditEvent(
                event_type=EventType.BREAK_GLASS_STARTED,
                event_id=event_id(number),
                user_id=f"u{number}",
            )
            record(trail, began, NOW)
        late = watcher(trail)
        assert late.look(NOW + HOUR) == 0
        reviewed: CallerEvent = AuditEvent(
            event_type=EventType.BREAK_GLASS_REVIEWED, object_id=event_id(1)
        )
        record(trail, reviewed, NOW + 2 * HOUR)
        assert late.look(NOW + 72 * HOUR - timedelta(milliseconds=1)) == 0
        assert late.look(NOW + 72 * HOUR) == 1
        assert late.look(NOW + 99 * DAY) == 0
        (event,) = told(trail)
    assert look(trail_dir, NOW + 99 * DAY) == 0

    assert (event.event_type, event.object_id, event.user_id) == (
        "review_overdue",
        event_id(2),
        "u2",
    )


# --- who had been away ---


@pytest.mark.parametrize("is_anew", [True, False])
def test_who_comes_back_is_told_once(trail_dir: Path, is_anew: bool) -> None:
    """A name that nobody used for long and somebody uses now may be in other hands."""
    back = NOW + 45 * DAY
    soon = back - timedelta(milliseconds=1)
    with opened(trail_dir) as trail:
        late = watcher(trail)
        record(trail, access(1, NOW, "away"), NOW)
        record(trail, closing_of(1), NOW)
        record(trail, access(2, NOW, "nearly"), NOW)
        record(trail, closing_of(2), NOW)
        if not is_anew:
            assert late.look(NOW) == 0
        for number, user, at in (
            (3, "nearly", soon),
            (4, "away", back),
            (5, "new", back),
            (6, "away", back + HOUR),
        ):
            record(trail, access(number, at, user), at)
            record(trail, closing_of(number), at)
        assert late.look(back + HOUR) == 1
        (event,) = told(trail)
        assert late.look(back + 2 * HOUR) == 0
        again = back + 46 * DAY
        record(trail, access(7, again, "away"), again)
        record(trail, closing_of(7), again)
        assert late.look(again) == 1
        assert len(told(trail)) == 2
    assert look(trail_dir, again + HOUR) == 0

    assert (event.user_id, event.access_id, event.result_count) == (
        "away",
        event_id(4),
        45,
    )


def test_programs_and_history_do_not_come_back(trail_dir: Path) -> None:
    """A job of every quarter is no person; an import is no access."""
    job = {"actor_type": ActorType.JOB}
    imported = {"assurance": Assurance.IMPORTED}
    later = NOW + 90 * DAY
    with opened(trail_dir) as trail:
        for at in (NOW, later):
            record(trail, access(1 + (at > NOW), at, "job", **job), at)
            record(trail, access(3 + (at > NOW), at, "old", **imported), at)
        assert watcher(trail).look(later) == 1  # the first access is not closed
        assert {one.event_type for one in told(trail)} == {"access_unclosed"}


def test_a_return_of_long_ago_is_history(trail_dir: Path) -> None:
    """A trail that is opened after years must not tell of every absence in it."""
    with opened(trail_dir) as trail:
        for number, at in ((1, NOW), (2, NOW + 50 * DAY)):
            record(trail, access(number, at), at)
            record(trail, closing_of(number), at)
    assert look(trail_dir, NOW + 100 * DAY) == 0


# --- containment ---


def contain(number: int, **of: object) -> CallerEvent:
    """Begin a containment of an alert."""
    return AuditEvent(
        event_type=EventType.CONTAINMENT_STARTED,
        event_id=event_id(number),
        object_id=f"{number:064x}",
        **of,  # type: ignore[arg-type]  # fields of the event
    )


@pytest.mark.parametrize("is_anew", [True, False])
def test_an_access_under_containment_is_told_once_a_user(
    trail_dir: Path, is_anew: bool
) -> None:
    """A containment that lets somebody through is none."""
    with opened(trail_dir) as trail:
        late = watcher(trail)
        record(trail, access(1, NOW), NOW)
        record(trail, contain(50, user_id="u1"), NOW)
        record(trail, contain(51, use_case="triage", ai_model_version="v2"), NOW)
        if not is_anew:
            assert late.look(NOW) == 0
        for number, user, said in (
            (2, "u1", {}),
            (3, "u1", {}),
            (4, "u2", {}),
            (5, "u3", {"use_case": "triage"}),
            (6, "u3", {"use_case": "triage", "ai_model_version": "v2"}),
        ):
            record(trail, access(number, NOW + HOUR, user, **said), NOW + HOUR)
        for number in range(1, 7):
            record(trail, closing_of(number), NOW + HOUR)
        assert late.look(NOW + HOUR) == 2
        assert late.look(NOW + 2 * HOUR) == 0
        found = {(one.object_id, one.user_id, one.access_id) for one in told(trail)}
    assert look(trail_dir, NOW + 3 * HOUR) == 0

    assert found == {
        (event_id(50), "u1", event_id(2)),
        (event_id(51), "u3", event_id(6)),
    }


@pytest.mark.parametrize("named", [event_id(50), f"{50:064x}"])
def test_a_containment_ends_where_it_is_ended_or_after_its_hours(
    trail_dir: Path, named: str
) -> None:
    """Who may work again must not be an alert."""
    with opened(trail_dir) as trail:
        record(trail, contain(50, user_id="u1"), NOW)
        record(trail, contain(51, user_id="u2"), NOW)
        ended: CallerEvent = AuditEvent(
            event_type=EventType.CONTAINMENT_ENDED, object_id=named
        )
        record(trail, ended, NOW + HOUR)
        record(trail, access(1, NOW + 2 * HOUR), NOW + 2 * HOUR)
        late = NOW + 72 * HOUR + timedelta(milliseconds=1)
        record(trail, access(2, late, "u2"), late)
        record(trail, closing_of(1), late)
        record(trail, closing_of(2), late)
        assert watcher(trail).look(late) == 0


# --- all of it ---


def test_two_that_look_at_once_record_one_event_each(trail_dir: Path) -> None:
    """A lease that moves while somebody looks must not double what is said."""
    with opened(trail_dir) as trail, opened(trail_dir) as other:
        record(trail, access(1, NOW), NOW)
        record(trail, alert(1), NOW)
        now = NOW + 3 * DAY
        events = [watcher(one).news(now) for one in (trail, other)]
        assert events[0] == events[1]
        trail.recorder.record_many(events[0], now)
        other.recorder.record_many(events[1], now + HOUR)
        assert (len(told(trail)), len(overdue_alerts(trail))) == (1, 1)


def test_rules_make_alerts_of_it_and_those_of_overdue_alerts_end_there(
    trail_dir: Path,
) -> None:
    """What is told weeks late must be judged all the same, and must not feed itself."""
    with judging(trail_dir, ()) as one:
        late = watcher(one.trail)
        one.record([access(1, NOW, use_case="chart_qa")], NOW)
        one.look(NOW)
        for week in (1, 5, 9, 18, 30):
            now = NOW + week * 7 * DAY
            late.look(now)
            one.look(now)
        leaves = read_leaves(one.trail, Log.SECURITY)
    titles = {r.head.rule_id: r.head.title for r in rules_of(()).set.rules}
    found = [
        titles[leaf.rule_id]
        for leaf in leaves
        if isinstance(leaf, Alert) and leaf.state == AlertState.OPEN
    ]

    assert found == [
        "Accesses of a use case are not closed",
        "Nobody disposed of alerts in time",
        "Nobody disposed of alerts in time",
    ]


def test_a_trail_that_only_begins_is_not_looked_at(trail_dir: Path) -> None:
    """A program that records nothing must not pay for DuckDB."""
    assert look(trail_dir, NOW) == 0
    assert not (trail_dir / "state" / "tables.lock").exists()


def test_while_nothing_is_new_nothing_is_opened(trail_dir: Path) -> None:
    """A quiet trail must cost nothing, however long it is."""
    with opened(trail_dir) as trail:
        record(trail, access(1, NOW), NOW)
        late = watcher(trail)
        for n in (1, 2, 3):
            late.look(NOW + n * DAY)
        store = open_store(trail_dir, Log.AUDIT, trail.log_keys[Log.AUDIT])
        store.directory.mkdir(parents=True)
        store.place("manifest").write_text("who opens this is refused")
        assert late.look(NOW + 4 * DAY) == 0


def test_the_thread_looks_where_this_process_publishes(trail_dir: Path) -> None:
    """Two processes that watch would do the work twice."""
    write_config(
        trail_dir, read_tenant(trail_dir), Policy(access_unclosed_after_s=0.001)
    )
    with opened(trail_dir) as trail:
        record(trail, access(1, NOW), clock.now() - DAY)
        idle = OverdueWatcher(trail, is_publishing=lambda: False, look_every_s=0.01)
        busy = OverdueWatcher(trail, is_publishing=lambda: True, look_every_s=0.01)
        idle.start()
        idle.close()
        assert not told(trail)
        busy.start()
        deadline_us = clock.monotonic_us() + 20_000_000
        while not told(trail):
            assert clock.monotonic_us() < deadline_us
        busy.close()
        assert len(told(trail)) == 1

    assert busy.failure is None


def test_a_program_that_has_the_trail_open_looks(trail_dir: Path) -> None:
    """Nobody starts anything beside it."""
    before = {thread.name for thread in threading.enumerate()}
    with connect(trail_dir):
        during = {thread.name for thread in threading.enumerate()} - before
    after = {thread.name for thread in threading.enumerate()}

    assert "phitrail overdue" in during
    assert "phitrail overdue" not in after - before


def test_an_alert_of_no_urgency_is_never_overdue() -> None:
    """What is only for information waits for nobody."""
    settings = OverdueSection()
    stages = [
        stage_of(level, NOW, NOW + 999 * DAY, settings)
        for level in (Severity.INFORMATIONAL, Severity.LOW)
    ]
    assert stages == [0, 2]
