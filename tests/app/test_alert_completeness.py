"""What was known to be missing when an alert was told: said by it, and the same again."""

import shutil
from datetime import datetime, timedelta
from pathlib import Path

from msgspec.structs import replace
from tests.app.test_detecting import SECOND, Judging, judging, refusal
from tests.trails import NOW, event_id, read_leaves

from phitrail.app.alert_completeness import (
    MOST_KEPT,
    AlertCompleteness,
    KnownMissing,
    read_completeness_of,
)
from phitrail.app.alert_showing import show_alert
from phitrail.app.detect_state import Batch
from phitrail.events.alert import Alert
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.codes import ActorType, AttributionBasis, EventType, Log
from phitrail.events.ids import format_time

MINUTE = timedelta(minutes=1)


def gap(number: int, at: datetime, source: str = "s1") -> CallerEvent:
    """Give what the watcher records of numbers that never came."""
    return AuditEvent(
        event_type=EventType.SOURCE_GAP,
        event_id=event_id(number),
        timestamp_utc=format_time(at),
        actor_type=ActorType.SERVICE,
        attribution_basis=AttributionBasis.STATIC,
        object_id=source,
        result_count=4,
    )


def refuse(one: Judging, numbers: range, at: datetime) -> None:
    """Have sign-ins refused, and judge them."""
    one.record([refusal(n, at) for n in numbers], at)
    one.look(at)


def stated(one: Judging, alert: Alert) -> AlertCompleteness:
    """Read the statement of an alert, which must be kept."""
    found = read_completeness_of(one.trail, alert.completeness_digest)
    assert found is not None
    return found


def test_an_alert_says_what_was_known_to_be_missing(trail_dir: Path) -> None:
    """Five accesses are another story where four more never came."""
    with judging(trail_dir) as one:
        one.record([gap(90, NOW - 90 * MINUTE), gap(91, NOW)], NOW)
        refuse(one, range(3), NOW + SECOND)
        (alert,) = one.alerts()
        shown = show_alert(one.trail, alert.alert_id, by="officer", now=NOW)
        statement = stated(one, alert)

    assert shown.completeness == statement
    assert (statement.from_, statement.until) == (
        "2026-11-21T11:00:00.000Z",
        "2026-11-21T13:00:00.000Z",
    )
    assert statement.is_whole
    assert [(each.entry, each.object_id, each.count) for each in statement.missing] == [
        ("audit:2", "s1", 4)
    ]


def test_where_nothing_is_known_to_be_missing_it_says_that(trail_dir: Path) -> None:
    """Silence and nothing missing are not the same."""
    with judging(trail_dir) as one:
        refuse(one, range(3), NOW)
        (alert,) = one.alerts()

        assert stated(one, alert).missing == ()


def test_what_comes_to_be_known_later_stands_in_a_later_move(trail_dir: Path) -> None:
    """An alert must not claim to have known what nobody did."""
    with judging(trail_dir) as one:
        refuse(one, range(3), NOW)
        one.record([gap(90, NOW)], NOW + SECOND)
        one.look(NOW + 20 * MINUTE)
        opened, closed = one.alerts()

        assert stated(one, opened).missing == ()
        assert [each.event_type for each in stated(one, closed).missing] == [
            "source_gap"
        ]


def test_the_same_rows_judged_again_state_the_same(
    trail_dir: Path, tmp_path: Path
) -> None:
    """A replay that stated otherwise would be another event under the same id."""
    with judging(trail_dir) as one:
        one.record([gap(90, NOW)], NOW)
        one.record([refusal(n, NOW) for n in range(3)], NOW + SECOND)
    crashed = tmp_path / "crashed"
    shutil.copytree(trail_dir, crashed)
    with judging(trail_dir) as one:
        one.look(NOW + SECOND)
        (first,) = one.alerts()
    with judging(crashed) as one:  # noted, and then it was killed
        clock_us = int((NOW + SECOND).timestamp()) * 1_000_000
        one.state.intend([Batch((2, 4, 1), clock_us)])
    with judging(crashed, now=NOW + MINUTE) as one:
        (again,) = one.alerts()

    assert first.completeness_digest == again.completeness_digest
    assert replace(first, received_at=None, nonce=None) == replace(
        again, received_at=None, nonce=None
    )


def test_what_is_known_survives_a_restart(trail_dir: Path) -> None:
    """A restart must not make an alert look complete."""
    with judging(trail_dir) as one:
        one.record([gap(90, NOW)], NOW)
        one.look(NOW)
        one.engine.save()
    with judging(trail_dir) as one:
        refuse(one, range(3), NOW + SECOND)
        (alert,) = one.alerts()

        assert len(stated(one, alert).missing) == 1


def test_of_too_many_the_oldest_go_and_it_is_said() -> None:
    """A statement that leaves out must not look whole."""
    kept: list[bytes] = []

    def keep(text: bytes) -> str:
        kept.append(text)
        return "0" * 64

    known = KnownMissing(keep)
    hour = 3_600_000_000
    for number in range(MOST_KEPT + 1):
        known.see(gap(number, NOW), number * hour, 3 * number)
    known.digest(0, hour - 1)
    known.digest(hour, 2 * hour)

    assert b'"is_whole":false' in kept[0]
    assert b'"is_whole":true' in kept[1]
    assert known.dump()[0] == 1


def test_alerts_of_the_same_hours_share_one_statement(trail_dir: Path) -> None:
    """A flood of alerts must not become one of documents."""
    with judging(trail_dir) as one:
        one.record([refusal(n, NOW, f"u{n // 3}") for n in range(30)], NOW)
        one.look(NOW)
        alerts = one.alerts()

        assert len(alerts) == 10
        assert len({alert.completeness_digest for alert in alerts}) == 1
        assert len(read_leaves(one.trail, Log.SECURITY)) == 1 + 30 + 10
