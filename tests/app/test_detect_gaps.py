"""What detection did not judge, and clocks that are wrong: told, once, and of whom."""

from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from tests.app.test_detecting import (
    MANY,
    SECOND,
    Judging,
    judging,
    refusal,
)
from tests.trails import NOW, event_id, read_leaves

from phitrail.app.config import DetectSection
from phitrail.app.detect_state import read_report
from phitrail.app.documents import open_document
from phitrail.events.audit import AuditEvent
from phitrail.events.canonical import CallerRecord
from phitrail.events.codes import ActorType, AttributionBasis, EventType, Log
from phitrail.events.ids import format_time
from phitrail.events.security import SecurityEvent

MINUTE = timedelta(minutes=1)
CAP = 1_000
SMALL = DetectSection(most_groups=CAP)
SILENT = "ef7d3159-c965-4457-9489-575d1cf0c618"
SKEWED = "6c2b0d4e-0f57-4c1e-9c39-2a5d8a1f7b60"


def documents(one: Judging, rule_id: str | None = None) -> list[dict[str, object]]:
    """Open what the log's degradations of a rule, or of all, say in full."""
    found = []
    for event in one.degraded():
        if event.object_id != rule_id:
            continue
        text = open_document(one.trail, event.object_digest or "")
        assert text is not None
        found.append(msgspec.json.decode(text, type=dict[str, object]))
    return found


def flood(one: Judging, count: int, now: datetime) -> None:
    """Have so many names refused that nobody met before."""
    one.record([refusal(100 + n, now, f"x{n}") for n in range(count)], now)
    one.look(now)


def skews(one: Judging) -> list[SecurityEvent]:
    """List what the log was told of clocks."""
    return [
        record
        for record in read_leaves(one.trail, Log.SECURITY)
        if isinstance(record, SecurityEvent)
        and record.event_type == EventType.CLOCK_SKEWED
    ]


def dated(number: int, at: datetime, source: str) -> SecurityEvent:
    """Give a refusal that a source dates."""
    event = refusal(number, at, f"u{number}")
    assert isinstance(event, SecurityEvent)
    return replace(event, source_id=source)


def test_a_flood_of_names_does_not_flush_a_count_in_silence(trail_dir: Path) -> None:
    """Who is at two of three must not get back to none by asking for a thousand others."""
    with judging(trail_dir, settings=SMALL) as one:
        one.record([refusal(n, NOW + n * SECOND) for n in range(2)], NOW + SECOND)
        one.look(NOW + SECOND)
        flood(one, CAP - 1, NOW + 2 * SECOND)
        assert one.degraded() == []  # there was just room
        one.record([refusal(9, NOW + 3 * SECOND, "one-more")], NOW + 3 * SECOND)
        one.look(NOW + 3 * SECOND)

        (event,) = [event for event in one.degraded() if event.object_id == MANY]
        assert event.reason_code == "state_cap"
        assert documents(one, MANY) == [
            {
                "schema": "phitrail/detection-gap/v1",
                "reason": "state_cap",
                "rule_id": MANY,
                "from": format_time(NOW),
                "until": format_time(NOW + SECOND),
                "rows": 1,
            }
        ]
        one.engine.report(NOW)
    report = read_report(trail_dir)
    assert report is not None
    gaps = [gap for gap in report.gaps if gap.rule_id == MANY]
    assert [(gap.reason, gap.rows) for gap in gaps] == [("state_cap", 1)]


def test_a_group_with_an_open_alert_is_spared(trail_dir: Path) -> None:
    """A flood must not end the alert about the one who floods."""
    with judging(trail_dir, settings=SMALL) as one:
        one.record([refusal(n, NOW + n * SECOND) for n in range(3)], NOW + 2 * SECOND)
        one.look(NOW + 2 * SECOND)
        flood(one, CAP + 5, NOW + 3 * SECOND)
        one.record(
            [refusal(n, NOW + 4 * SECOND) for n in range(3, 6)], NOW + 4 * SECOND
        )
        one.look(NOW + 4 * SECOND)

        assert [alert.match_count for alert in one.alerts()] == [3, 6]
        assert documents(one, MANY)[0]["rows"] == 6


def test_it_is_told_once_a_minute_and_what_comes_between_is_not_lost(
    trail_dir: Path,
) -> None:
    """A flood of rows must not become one of events, and the last of it must be told."""
    with judging(trail_dir) as one:
        one.record([refusal(9, NOW, "u2")], NOW)
        one.look(NOW)
        for n in range(3):
            early = NOW - (3 + n) * MINUTE
            one.record([refusal(n, early)], NOW + n * SECOND)
            one.look(NOW + n * SECOND)
        assert [document["rows"] for document in documents(one)] == [1]
        one.look(NOW + MINUTE)
        one.look(NOW + 2 * MINUTE)

        told = documents(one)
    assert [document["rows"] for document in told] == [1, 2]
    assert told[1]["from"] == format_time(NOW - 5 * MINUTE)
    assert told[1]["until"] == format_time(NOW - 4 * MINUTE)


@pytest.mark.parametrize(
    ("away", "reason"),
    [(timedelta(minutes=6), "clock_ahead"), (timedelta(days=-2), "clock_behind")],
)
def test_a_wrong_clock_is_told_once_an_hour_for_each_source(
    trail_dir: Path, away: timedelta, reason: str
) -> None:
    """Who dates his events elsewhere is counted elsewhere; somebody must hear of it."""
    with judging(trail_dir) as one:
        for n, (source, after) in enumerate(
            [("s1", 0), ("s1", 1), ("s2", 2), ("s1", 61)]
        ):
            now = NOW + after * MINUTE
            one.record([dated(n, now + away, source)], now)
            one.look(now)
        told = skews(one)

    assert [(event.object_id, event.reason_code) for event in told] == [
        ("s1", reason),
        ("s2", reason),
        ("s1", reason),
    ]


def test_a_clock_within_policy_is_not_told(trail_dir: Path) -> None:
    """An alert for every second that clocks differ is one that nobody reads."""
    with judging(trail_dir) as one:
        one.record([dated(0, NOW + 5 * MINUTE, "s1")], NOW)
        one.record([dated(1, NOW - timedelta(days=1), "s1")], NOW)
        one.look(NOW)

        assert skews(one) == []


def test_a_wrong_clock_is_an_alert(trail_dir: Path) -> None:
    """The event alone pages nobody."""
    with judging(trail_dir) as one:
        one.record([dated(0, NOW + timedelta(hours=1), "s1")], NOW)
        one.look(NOW)
        (alert,) = one.alerts(SKEWED)

        assert alert.evidence == ("security:2",)


def test_the_same_rows_judged_again_tell_nothing_twice(trail_dir: Path) -> None:
    """After a crash nobody knows what was told; the log must."""
    with judging(trail_dir, settings=SMALL) as one:
        one.record([dated(0, NOW + timedelta(hours=1), "s1")], NOW)
        one.look(NOW)
        flood(one, CAP + 2, NOW + SECOND)
        first = read_leaves(one.trail, Log.SECURITY)
    with judging(trail_dir, settings=SMALL) as one:
        one.look(NOW + SECOND)

        assert read_leaves(one.trail, Log.SECURITY) == first


def test_a_source_that_comes_late_is_judged_once_it_is_known(trail_dir: Path) -> None:
    """A gateway that ships every four minutes must not be blind for ever."""
    with judging(trail_dir) as one:
        for n in range(12):
            now = NOW + n * MINUTE
            event = replace(dated(n, now - 4 * MINUTE, "s1"), user_id="u1")
            one.record([event, refusal(100 + n, now, "u2")], now)
            one.look(now)
        late = sum(int(str(document["rows"])) for document in documents(one))
        opened = [alert.user_id for alert in one.alerts() if alert.state == "open"]

    assert late < 6
    assert set(opened) == {"u1", "u2"}


def test_what_is_told_of_the_past_is_judged_and_no_wrong_clock(trail_dir: Path) -> None:
    """A source is known to be silent minutes after it was last heard, or days after."""
    silent: CallerRecord = AuditEvent(
        event_type=EventType.SOURCE_SILENT,
        event_id=event_id(1),
        timestamp_utc=format_time(NOW - timedelta(days=3)),
        actor_type=ActorType.SERVICE,
        attribution_basis=AttributionBasis.STATIC,
        object_id="s1",
    )
    with judging(trail_dir) as one:
        one.record([refusal(9, NOW)], NOW)
        one.look(NOW)
        one.record([silent], NOW)
        one.look(NOW)
        (alert,) = one.alerts(SILENT)

        assert alert.reason_codes == ("matched", "late")
        assert (skews(one), one.degraded()) == ([], [])
