"""Rows that are committed become alerts in the security log: once, and whatever happens."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.trails import NOW, event_id, read_leaves

from phitrail.app.config import DetectSection
from phitrail.app.detect_engine import Engine
from phitrail.app.detect_state import (
    DETECT,
    NOWHERE,
    Batch,
    DetectState,
    read_report,
)
from phitrail.app.detecting import Detector
from phitrail.app.rules import RuleFiles, rules_of
from phitrail.app.wiring import Trail, open_trail
from phitrail.errors import IntegrityError
from phitrail.events.alert import Alert
from phitrail.events.audit import AuditEvent
from phitrail.events.canonical import CallerRecord
from phitrail.events.codes import AlertState, Assurance, EventType, Log
from phitrail.events.ids import format_time
from phitrail.events.security import SecurityEvent
from phitrail.sdk.connect import connect

TRAIL_ID = "trail-1"
MANY = "7f0a1f6e-0b0b-4a7b-9f3e-3c6d2a9f0b01"
OF_ALERTS = "7f0a1f6e-0b0b-4a7b-9f3e-3c6d2a9f0b02"
BROAD = "7f0a1f6e-0b0b-4a7b-9f3e-3c6d2a9f0b03"
SECOND = timedelta(seconds=1)


def rule_file(span: str = "5m", more: str = "") -> RuleFiles:
    """Write a rule of the house: three refused sign-ins of one user."""
    text = f"""
title: A refusal
id: 7f0a1f6e-0b0b-4a7b-9f3e-3c6d2a9f0b00
name: house_refusal
logsource: {{product: phitrail, service: security}}
detection:
  refused: {{event_type: session_denied}}
  condition: refused
level: low
---
title: Three refusals of one user
id: {MANY}
name: house_many
correlation:
  type: event_count
  rules: [house_refusal]
  group-by: [user_id]
  timespan: {span}
  condition: {{gte: 3}}
level: high
x_control: [164.312(d)]
{more}"""
    return (("rules/house.yml", text.encode()),)


def refusal(number: int, at: datetime, user: str = "u1") -> CallerRecord:
    """Give a refused sign-in."""
    return SecurityEvent(
        event_type=EventType.SESSION_DENIED,
        event_id=event_id(number),
        timestamp_utc=format_time(at),
        user_id=user,
    )


@dataclass
class Judging:
    """A trail, and who judges it."""

    trail: Trail
    state: DetectState
    engine: Engine

    def record(self, records: Sequence[CallerRecord], now: datetime) -> None:
        """Record events, received now."""
        self.trail.recorder.record_many(records, now)

    def look(self, now: datetime) -> None:
        """Judge all that is committed."""
        while self.engine.look(now):
            pass

    def alerts(self, rule_id: str = MANY) -> list[Alert]:
        """List what the log was told of a rule."""
        leaves = read_leaves(self.trail, Log.SECURITY)
        return [
            one for one in leaves if isinstance(one, Alert) and one.rule_id == rule_id
        ]

    def degraded(self) -> list[SecurityEvent]:
        """List what could not be judged."""
        return [
            one
            for one in read_leaves(self.trail, Log.SECURITY)
            if isinstance(one, SecurityEvent)
            and one.event_type == EventType.DETECTION_DEGRADED
        ]


@contextmanager
def judging(
    directory: Path,
    files: RuleFiles | None = None,
    settings: DetectSection | None = None,
    now: datetime = NOW,
) -> Iterator[Judging]:
    """Open a trail and judge it; leaving is as a crash: nothing is kept that was not."""
    trail = open_trail(directory)
    state = DetectState(directory, trail.log_keys[Log.AUDIT.value])
    rules = rules_of(rule_file() if files is None else files)
    engine = Engine(trail, TRAIL_ID, state, rules, settings or DetectSection())
    try:
        engine.begin(now)
        yield Judging(trail, state, engine)
    finally:
        engine.close()
        state.close()
        trail.close()


def test_an_alert_says_why_and_of_whom(trail_dir: Path) -> None:
    """Who reads it must know what happened without asking anybody."""
    with judging(trail_dir) as one:
        one.record([refusal(n, NOW + n * SECOND) for n in range(3)], NOW + 3 * SECOND)
        one.look(NOW + 3 * SECOND)
        (alert,) = one.alerts()

    assert alert.state == AlertState.OPEN
    assert (alert.match_count, alert.threshold, alert.user_id) == (3, 3, "u1")
    assert alert.window_end == format_time(NOW + 2 * SECOND)
    assert alert.evidence == ("security:1", "security:2", "security:3")
    assert (alert.reason_codes, alert.controls) == (("event_count",), ("164.312(d)",))


def test_an_episode_is_opened_told_when_it_doubles_and_closed(trail_dir: Path) -> None:
    """An alert for every event is one that nobody reads; one that never ends says nothing."""
    with judging(trail_dir) as one:
        for n in range(8):
            one.record([refusal(n, NOW + n * SECOND)], NOW + n * SECOND)
            one.look(NOW + n * SECOND)
        one.look(NOW + timedelta(minutes=4))
        assert [alert.state for alert in one.alerts()] == ["open", "update"]
        one.look(NOW + timedelta(minutes=8))
        told = one.alerts()

    assert [alert.state for alert in told] == ["open", "update", "close"]
    assert [alert.match_count for alert in told] == [3, 6, 8]
    assert len({alert.alert_id for alert in told}) == 1


def test_the_same_rows_judged_again_make_no_second_alert(trail_dir: Path) -> None:
    """After a crash nobody knows what was recorded; the log must."""
    with judging(trail_dir) as one:
        one.record([refusal(n, NOW) for n in range(3)], NOW)
        one.look(NOW)
        first = one.alerts()
    with judging(trail_dir) as one:  # the state is there, without a snapshot
        one.look(NOW)
        assert one.alerts() == first
        one.engine.save()
    (trail_dir / "state/detect.db").unlink()
    with judging(trail_dir) as one:  # and now it is not
        one.look(NOW)

        assert one.alerts() == first


def test_a_crash_between_noting_and_recording_loses_no_alert(trail_dir: Path) -> None:
    """What was noted and not recorded is recorded by whoever comes next."""
    with judging(trail_dir) as one:
        one.record([refusal(n, NOW) for n in range(3)], NOW)
        one.state.intend([Batch((1, 4, 1), int(NOW.timestamp()) * 1_000_000)])
    with judging(trail_dir) as one:
        assert len(one.alerts()) == 1


def test_half_a_window_survives_a_restart(trail_dir: Path) -> None:
    """An attacker must not get rid of what was counted by waiting for a restart."""
    with judging(trail_dir) as one:
        one.record([refusal(n, NOW) for n in range(2)], NOW)
        one.look(NOW)
        one.engine.save()
    with judging(trail_dir) as one:
        one.record([refusal(2, NOW + SECOND)], NOW + SECOND)
        one.look(NOW + SECOND)

        assert len(one.alerts()) == 1


def test_what_comes_too_late_is_told_and_left_to_history(trail_dir: Path) -> None:
    """A row that nobody judged must not look like one that was fine."""
    with judging(trail_dir) as one:
        one.record([refusal(9, NOW, "u2")], NOW)
        one.look(NOW)
        early = NOW - timedelta(minutes=3)
        one.record([refusal(n, early) for n in range(3)], NOW + SECOND)
        one.look(NOW + SECOND)
        one.engine.report(NOW)
        (event,) = one.degraded()
        assert one.alerts() == []

    report = read_report(trail_dir)
    assert event.reason_code == "beyond_horizon"
    assert report is not None
    assert [gap.rows for gap in report.gaps] == [3]


def test_a_row_that_is_late_says_so_in_its_alert(trail_dir: Path) -> None:
    """Whoever asks why it was told so late must find the answer in it."""
    with judging(trail_dir) as one:
        one.record([refusal(n, NOW) for n in range(2)], NOW)
        one.look(NOW)
        one.record([refusal(2, NOW + SECOND)], NOW + 60 * SECOND)
        one.look(NOW + 60 * SECOND)
        (alert,) = one.alerts()

    assert alert.reason_codes == ("event_count", "late")


def test_no_source_moves_the_clock_of_another(trail_dir: Path) -> None:
    """An event that is dated a year ahead must not make all others late."""
    with judging(trail_dir) as one:
        one.record([refusal(9, NOW + timedelta(days=365), "u2")], NOW)
        one.look(NOW)
        one.record([refusal(n, NOW) for n in range(3)], NOW + SECOND)
        one.look(NOW + SECOND)

        assert len(one.alerts()) == 1
        assert one.degraded() == []


def test_imported_history_makes_no_alert(trail_dir: Path) -> None:
    """What happened before is judged over history, not as if it happened now."""
    files = (
        (
            "rules/read.yml",
            f"""
title: A read
id: {MANY}
logsource: {{product: phitrail, service: audit}}
detection:
  read: {{event_type: phi_read}}
  condition: read
level: low
""".encode(),
        ),
    )
    with judging(trail_dir, files) as one:
        for number, assurance in enumerate((Assurance.IMPORTED, Assurance.OBSERVED)):
            event: CallerRecord = AuditEvent(
                event_type=EventType.PHI_READ,
                event_id=event_id(number),
                timestamp_utc=format_time(NOW),
                assurance=assurance,
            )
            one.record([event], NOW)
        one.look(NOW)

        assert [alert.evidence for alert in one.alerts()] == [("audit:2",)]


def test_alerts_feed_only_rules_that_name_them(trail_dir: Path) -> None:
    """A rule that sees the alerts that it makes never ends."""
    more = f"""---
title: An alert about one user
id: {OF_ALERTS}
logsource: {{product: phitrail, service: security}}
detection:
  alert: {{schema: phitrail/alert/v1, severity: [high, medium]}}
  condition: alert
level: medium
---
title: Anything about one user
id: {BROAD}
logsource: {{product: phitrail, service: security}}
detection:
  user: {{user_id: u1}}
  condition: user
level: low
"""
    with judging(trail_dir, rule_file(more=more)) as one:
        one.record([refusal(n, NOW) for n in range(3)], NOW)
        one.look(NOW)

        assert len(one.alerts()) == 1
        assert len(one.alerts(OF_ALERTS)) == 1
        assert len(one.alerts(BROAD)) == 3


def test_a_program_judges_while_it_has_the_trail_open(trail_dir: Path) -> None:
    """Nobody starts anything beside it."""
    (trail_dir / "rules").mkdir()
    for name, data in rule_file():
        (trail_dir / name).write_bytes(data)
    with connect(trail_dir) as trail:
        now = datetime.now(NOW.tzinfo)
        trail.record_many([refusal(n, now) for n in range(3)])

    with judging(trail_dir) as one:
        assert [alert.user_id for alert in one.alerts()] == ["u1"]
    report = read_report(trail_dir)
    assert report is not None
    assert report.coverage[MANY].windows == 3
    assert report.standing.failure == ""


def test_rules_that_cannot_be_read_leave_the_old_ones(trail_dir: Path) -> None:
    """A slip of a pen must not switch detection off."""
    (trail_dir / "rules").mkdir()
    place = trail_dir / "rules" / "house.yml"
    place.write_bytes(rule_file()[0][1])
    with connect(trail_dir) as trail:
        trail.record(refusal(0, datetime.now(NOW.tzinfo)))
    place.write_text("title: [")
    with connect(trail_dir) as trail:
        now = datetime.now(NOW.tzinfo)
        trail.record_many([refusal(n, now) for n in range(1, 4)])

    with judging(trail_dir) as one:
        assert len(one.alerts()) == 1
    report = read_report(trail_dir)
    assert report is not None
    assert report.standing.rules_error.startswith("rules/house.yml:1:")


def test_policy_switches_it_off(trail_dir: Path) -> None:
    """A house that judges elsewhere must not pay for it here."""
    policy = (trail_dir / "policy.yaml").read_text()
    (trail_dir / "policy.yaml").write_text(policy + "detect: {is_on: false}\n")
    with connect(trail_dir) as trail:
        trail.record_many([refusal(n, NOW) for n in range(3)])

    assert read_report(trail_dir) is None


def test_two_programs_do_not_both_judge(trail_dir: Path) -> None:
    """Two that keep one state spoil it."""
    with judging(trail_dir) as one:
        one.record([refusal(0, NOW)], NOW)
        detectors = [
            Detector(one.trail, TRAIL_ID, is_publishing=lambda: True) for _ in range(2)
        ]
        before = threading.active_count()
        for each in detectors:
            each.start()
        for each in detectors:
            each.close()
        assert threading.active_count() == before
        assert [each.failure for each in detectors] == [None, None]


def test_a_snapshot_that_was_altered_is_refused_and_says_what_to_do(
    trail_dir: Path,
) -> None:
    """A state in which somebody's count was reset would let him begin anew."""
    with judging(trail_dir) as judged:
        judged.state.keep_snapshot(NOWHERE, b"what is remembered")
        assert judged.state.snapshot() == (NOWHERE, b"what is remembered")
    with closing(sqlite3.connect(trail_dir / DETECT)) as database:
        (sealed,) = database.execute("SELECT tail FROM snapshot").fetchone()
        altered = sealed[:-1] + bytes([sealed[-1] ^ 1])
        database.execute("UPDATE snapshot SET tail = ?", (altered,))
        database.commit()

    assert b"remembered" not in sealed
    with closing(open_trail(trail_dir)) as trail:
        state = DetectState(trail_dir, trail.log_keys[Log.AUDIT.value])
        with closing(state), pytest.raises(IntegrityError, match="remove the file"):
            state.snapshot()
