"""What people see of alerts, and what they make of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.app.test_detecting import MANY, SECOND, judging, refusal
from tests.trails import NOW, read_leaves

from phitrail.app.alert_board import (
    assign_alert,
    close_alert,
    find_alert,
    list_alerts,
    show_alert,
)
from phitrail.app.wiring import Trail
from phitrail.errors import InputError, RefusedError
from phitrail.events.alert import Alert
from phitrail.events.audit import AuditEvent
from phitrail.events.codes import Disposition, EventType, Log

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
    (listed,) = list_alerts(trail, by=BY, now=NOW)
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
    assert list_alerts(trail, by=BY, now=NOW) == ()
    (again,) = list_alerts(trail, by=BY, now=NOW, with_disposed=True)
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

    assert [note["reason"] for note in shown.notes] == ["assigned to analyst", reason]
    assert {note["by"] for note in shown.notes} == {BY}
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
