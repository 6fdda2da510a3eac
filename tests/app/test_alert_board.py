"""What people see of alerts, and what they make of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.app.sourced import opened
from tests.app.test_detecting import MANY, SECOND, judging, refusal
from tests.app.test_overdue import DAY, alert, contain, record
from tests.trails import NOW, event_id, read_leaves

from phitrail.app.alert_board import AlertFilter, Standing, find_alert, list_alerts
from phitrail.app.alert_moves import assign_alert, close_alert
from phitrail.app.alert_showing import show_alert, told_of
from phitrail.app.alert_stats import read_stats, wilson
from phitrail.app.overdue_watch import OverdueWatcher
from phitrail.app.wiring import Trail
from phitrail.errors import InputError, RefusedError
from phitrail.events.alert import Alert
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.codes import AlertState, Disposition, EventType, Log, Severity

BY = "officer"


@pytest.fixture
def alerted(trail_dir: Path) -> Iterator[tuple[Trail, str]]:
    """A trail with one alert, and its id."""
    with judging(trail_dir) as one:
        one.record([refusal(n, NOW) for n in range(3)], NOW)
        one.look(NOW)
        (alert,) = one.alerts(MANY)
        yield one.trail, alert.alert_id


def test_an_alert_is_listed_until_somebody_says_what_it_is(
    alerted: tuple[Trail, str],
) -> None:
    """An alert that vanishes without a verdict was not looked at."""
    trail, alert_id = alerted
    (listed,) = list_alerts(trail, by=BY, now=NOW).alerts
    assert (listed.newest.alert_id, listed.is_disposed) == (alert_id, False)

    closed = close_alert(
        trail,
        alert_id[:8],
        disposition=Disposition.EXPLAINED,
        reason="the user had forgotten the password",
        by=BY,
        now=NOW + SECOND,
    )

    assert closed.disposition == Disposition.EXPLAINED
    assert list_alerts(trail, by=BY, now=NOW).alerts == ()
    everything = AlertFilter(standing=Standing.ALL)
    (again,) = list_alerts(trail, by=BY, now=NOW, wanted=everything).alerts
    assert again.opened == listed.opened


def test_what_it_rests_on_is_shown(alerted: tuple[Trail, str]) -> None:
    """Whoever must act needs the entries, not a number."""
    trail, alert_id = alerted
    shown = show_alert(trail, alert_id, by=BY, now=NOW)

    assert [one.index for one in shown.evidence] == [1, 2, 3]
    assert {one.fields()["user_id"] for one in shown.evidence} == {"u1"}


def test_reading_is_recorded(alerted: tuple[Trail, str]) -> None:
    """Who looks at alerts reads a log."""
    trail, alert_id = alerted
    list_alerts(trail, by=BY, now=NOW)
    show_alert(trail, alert_id, by=BY, now=NOW)

    reads = [
        (one.user_id, one.reason_code)
        for one in read_leaves(trail)
        if isinstance(one, AuditEvent) and one.event_type == EventType.AUDIT_LOG_READ
    ]
    assert reads == [(BY, "alert_list"), (BY, "alert_show")]


def test_why_stays_sealed_and_is_shown_again(alerted: tuple[Trail, str]) -> None:
    """What a person writes may name somebody, so no entry holds it."""
    trail, alert_id = alerted
    assign_alert(trail, alert_id, to="analyst", by=BY, now=NOW)
    reason = "asked the user, who named a colleague"
    close_alert(
        trail, alert_id, disposition=Disposition.TEST, reason=reason, by=BY, now=NOW
    )
    shown = show_alert(trail, alert_id, by=BY, now=NOW)

    assert [note["reason"] for note in shown.notes.values()] == [
        "assigned to analyst",
        reason,
    ]
    assert {note["by"] for note in shown.notes.values()} == {BY}
    assert shown.alert.assigned_to == "analyst"
    moves = [one for one in read_leaves(trail, Log.SECURITY) if isinstance(one, Alert)]
    assert all(reason not in str(one) for one in moves)
    assert [one.note_digest is not None for one in moves] == [False, True, True]


def test_a_verdict_is_given_once(alerted: tuple[Trail, str]) -> None:
    """The same verdict twice is a slip; another one is a change of mind, on record."""
    trail, alert_id = alerted
    for disposition in (Disposition.TEST, Disposition.TRUE_POSITIVE):
        close_alert(
            trail, alert_id, disposition=disposition, reason="seen", by=BY, now=NOW
        )
    with pytest.raises(RefusedError, match="already"):
        close_alert(
            trail,
            alert_id,
            disposition=Disposition.TRUE_POSITIVE,
            reason="seen",
            by=BY,
            now=NOW,
        )

    assert find_alert(trail, alert_id, NOW).disposition == Disposition.TRUE_POSITIVE


@pytest.mark.parametrize("wanted", ["", "abc", "zzzzzzzz"])
def test_an_alert_that_is_not_there_is_refused(
    alerted: tuple[Trail, str], wanted: str
) -> None:
    """A move of the wrong alert closes what nobody looked at."""
    trail, _ = alerted
    with pytest.raises(InputError, match="ALERT"):
        find_alert(trail, wanted, NOW)


# --- which of many ---


@pytest.fixture
def many(trail_dir: Path) -> Iterator[Trail]:
    """A trail with alerts of every level, of two rules, some with a verdict."""
    with opened(trail_dir) as trail:
        for number, level in enumerate(Severity):
            at = NOW + number * DAY
            record(trail, alert(0xABCDEF0000 + number, level), at)
        verdict = alert(
            0xABCDEF0001,
            Severity.LOW,
            AlertState.CLOSE,
            disposition=Disposition.FALSE_POSITIVE,
            note_digest="0" * 64,
        )
        record(trail, verdict, NOW + 2 * DAY)
        looked = alert(
            0xABCDEF0003,
            Severity.HIGH,
            AlertState.UPDATE,
            assigned_to="analyst",
            note_digest="0" * 64,
        )
        record(trail, looked, NOW + 4 * DAY)
        yield trail


def levels(trail: Trail, wanted: AlertFilter) -> list[str]:
    """List the levels of the alerts that are asked for."""
    board = list_alerts(trail, by=BY, now=NOW + 6 * DAY, wanted=wanted)
    return [one.newest.severity for one in board.alerts]


def test_alerts_are_found_by_what_is_asked_for(many: Trail) -> None:
    """An officer with a hundred alerts looks at those that matter first."""
    rule = AlertFilter(rule_ids=("rule-1",), level=Severity.CRITICAL)
    unassigned = AlertFilter(standing=Standing.UNASSIGNED)

    assert levels(many, AlertFilter()) == [
        "critical",
        "high",
        "medium",
        "informational",
    ]
    assert levels(many, AlertFilter(level=Severity.HIGH)) == ["critical", "high"]
    assert levels(many, AlertFilter(standing=Standing.DISPOSED)) == ["low"]
    assert levels(many, unassigned) == ["critical", "medium", "informational"]
    assert levels(many, AlertFilter(standing=Standing.ALL, limit=1)) == ["critical"]
    assert levels(many, AlertFilter(assigned_to="analyst")) == ["high"]
    assert levels(many, AlertFilter(since=NOW + 3 * DAY)) == ["critical", "high"]
    assert levels(many, rule) == ["critical"]
    assert levels(many, AlertFilter(rule_ids=("rule-2",))) == []
    assert levels(many, AlertFilter(is_overdue=True)) == ["critical", "high"]


def test_a_list_says_how_many_have_which_disposition(many: Trail) -> None:
    """A list that is cut must say what it leaves out."""
    board = list_alerts(many, by=BY, now=NOW + DAY, wanted=AlertFilter(limit=1))

    assert (len(board.alerts), board.total) == (1, 4)
    assert board.dispositions == {"none": 4, "false_positive": 1}


def test_an_alert_about_overdue_ones_is_not_called_overdue(trail_dir: Path) -> None:
    """The list and the log must say the same."""
    with opened(trail_dir) as trail:
        record(trail, alert(0xABCDEF, Severity.HIGH), NOW)
        OverdueWatcher(trail, is_publishing=lambda: True).look(NOW + 3 * DAY)
        size = len(read_leaves(trail, Log.SECURITY))
        about = alert(0xABCDE0, Severity.HIGH, evidence=(f"security:{size - 1}",))
        record(trail, about, NOW + 3 * DAY)
        late = NOW + 99 * DAY
        board = list_alerts(trail, by=BY, now=late)
        stages = {one.newest.alert_id: one.overdue for one in board.alerts}
        found = find_alert(trail, f"{0xABCDEF:064x}", late).overdue

    assert stages == {f"{0xABCDEF:064x}": 2, f"{0xABCDE0:064x}": 0}
    assert found == 2


# --- one of them ---


def test_containments_of_an_alert_and_of_its_subjects_are_shown(
    alerted: tuple[Trail, str],
) -> None:
    """Whoever looks at an alert must see what was done about it."""
    trail, alert_id = alerted
    record(trail, contain(50, user_id="u1"), NOW)
    record(trail, contain(51, user_id="u2"), NOW)
    record(trail, contain(52, user_id="u1", use_case="triage"), NOW)
    named: CallerEvent = AuditEvent(
        event_type=EventType.CONTAINMENT_STARTED,
        event_id=event_id(53),
        object_id=alert_id,
        source_ip="10.0.0.9",
    )
    record(trail, named, NOW)
    for kind, number in (
        (EventType.CONTAINMENT_CONFIRMED, 50),
        (EventType.CONTAINMENT_ENDED, 53),
    ):
        move: CallerEvent = AuditEvent(event_type=kind, object_id=event_id(number))
        record(trail, move, NOW + DAY)

    shown = show_alert(trail, alert_id, by=BY, now=NOW + 2 * DAY).containments
    assert [
        (one.event_id, one.stands(NOW + 2 * DAY), one.is_confirmed) for one in shown
    ] == [(event_id(50), True, True), (event_id(53), False, False)]
    assert shown[1].ends_at == NOW + DAY


def test_a_closing_may_name_its_containment(alerted: tuple[Trail, str]) -> None:
    """What was done about an alert belongs to what was made of it."""
    trail, alert_id = alerted
    record(trail, contain(50, user_id="u1"), NOW)
    with pytest.raises(InputError, match="--containment"):
        close_alert(
            trail,
            alert_id,
            disposition=Disposition.TRUE_POSITIVE,
            reason="seen",
            containment=event_id(51),
            by=BY,
            now=NOW,
        )
    close_alert(
        trail,
        alert_id,
        disposition=Disposition.TRUE_POSITIVE,
        reason="seen",
        containment=event_id(50),
        by=BY,
        now=NOW,
    )
    (note,) = show_alert(trail, alert_id, by=BY, now=NOW).notes.values()
    assert note["containment"] == event_id(50)


def test_notifications_are_held_back_and_records_are_not(trail_dir: Path) -> None:
    """An alert that grows every minute pages once, and its log is whole."""
    with judging(trail_dir) as one:
        for n in range(24):
            at = NOW + n * SECOND
            one.record([refusal(n, at)], at)
            one.look(at)
        (alert_id,) = {move.alert_id for move in one.alerts(MANY)}
        standing = find_alert(one.trail, alert_id, NOW + DAY)

    places = [index for index, _ in standing.moves]
    assert len(places) == 4  # 3, 6, 12, 24
    assert told_of(standing, 0).told == tuple(places)
    held = told_of(standing, 5 * 1_000_000)
    assert held.told == (places[0], places[2], places[3])
    assert held.held_until == NOW + (23 + 5) * SECOND


# --- how good rules are ---


def test_a_rule_is_as_good_as_its_alerts_were_found(many: Trail) -> None:
    """A rule that nobody believes is switched off; a number says which one."""
    (stats,) = read_stats(many, by=BY, now=NOW)

    assert (stats.alerts, stats.judged, stats.precision) == (5, 1, 0.0)
    assert stats.dispositions == {"none": 4, "false_positive": 1}
    assert stats.median_wait == DAY
    assert read_stats(many, by=BY, now=NOW, since=NOW + 9 * DAY) == ()


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [
        (0, 0, 0.0, 1.0),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (8, 10, 0.4902, 0.9433),
    ],
)
def test_an_interval_is_wilsons(hits: int, count: int, low: float, high: float) -> None:
    """A share without its interval makes three alerts look like three hundred."""
    assert wilson(hits, count) == pytest.approx((low, high), abs=1e-4)
