"""Rules that change while others are judged: no blind time, and nothing told twice."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.app.test_detecting import MANY, SECOND, judging, refusal, rule_file
from tests.trails import NOW

from phitrail.app import clock
from phitrail.app.config import DetectSection
from phitrail.app.detect_state import Report, read_report
from phitrail.app.detecting import RULES_EVERY_US
from phitrail.app.rules import RuleFiles, rules_of
from phitrail.sdk.connect import connect

MINUTE = timedelta(minutes=1)
NONE: RuleFiles = ()


def test_a_rule_that_means_something_else_ends_its_alerts_and_begins_anew(
    trail_dir: Path,
) -> None:
    """An alert of a rule that is gone would stay open for ever, and what goes on be missed."""
    with judging(trail_dir) as one:
        one.record([refusal(n, NOW) for n in range(3)], NOW)
        one.look(NOW)
        one.engine.change_rules(rules_of(rule_file(more="description: told anew")), NOW)
        assert len(one.alerts()) == 1  # it means the same
        one.engine.change_rules(rules_of(rule_file("10m")), NOW)

        opened, closed, again = one.alerts()
    assert (closed.state, closed.reason_codes) == ("close", ("rule_changed",))
    assert closed.alert_id == opened.alert_id
    assert (again.state, again.match_count) == ("open", 3)
    assert again.alert_id != opened.alert_id
    assert again.evidence == opened.evidence


def test_a_new_rule_knows_what_its_window_holds(trail_dir: Path) -> None:
    """Who counts on the next deployment would have a window to himself."""
    with judging(trail_dir, NONE) as one:
        one.record([refusal(n, NOW + n * SECOND) for n in range(2)], NOW + SECOND)
        one.look(NOW + SECOND)
        one.engine.change_rules(rules_of(rule_file()), NOW + 2 * SECOND)
        assert one.alerts() == []
        one.record([refusal(2, NOW + MINUTE)], NOW + MINUTE)
        one.look(NOW + MINUTE)

        (alert,) = one.alerts()
    assert alert.evidence == ("security:1", "security:2", "security:3")
    assert alert.window_end == (NOW + MINUTE).isoformat(
        timespec="milliseconds"
    ).replace("+00:00", "Z")


def test_what_is_over_is_left_to_history(trail_dir: Path) -> None:
    """A new rule that tells of last year buries what happens now."""
    with judging(trail_dir, NONE) as one:
        one.record([refusal(n, NOW) for n in range(3)], NOW)
        later = NOW + 20 * MINUTE
        one.record([refusal(9, later, "u2")], later)
        one.look(later)
        one.engine.change_rules(rules_of(rule_file()), later)

        assert one.alerts() == []


def test_a_rule_that_is_put_back_goes_on_with_its_alert(trail_dir: Path) -> None:
    """Taking a rule out and in again must not page everybody once more."""
    with judging(trail_dir) as one:
        one.record([refusal(n, NOW + n * SECOND) for n in range(4)], NOW + 3 * SECOND)
        one.look(NOW + 3 * SECOND)
        one.engine.change_rules(rules_of(NONE), NOW + 3 * SECOND)
        one.engine.change_rules(rules_of(rule_file()), NOW + 3 * SECOND)
        told = one.alerts()
        one.look(NOW + 20 * MINUTE)
        ended = one.alerts()[-1]

    assert [alert.state for alert in told] == ["open", "close", "update"]
    assert len({alert.alert_id for alert in told}) == 1
    assert told[-1].reason_codes == ("event_count",)
    assert (ended.state, ended.reason_codes) == ("close", ("event_count",))
    assert ended.alert_id == told[0].alert_id


def test_rules_that_changed_while_nobody_judged_are_warmed_up(trail_dir: Path) -> None:
    """Most rules change with a release, and the program is down for that."""
    with judging(trail_dir, NONE) as one:
        one.record([refusal(n, NOW) for n in range(2)], NOW)
        one.look(NOW)
        one.engine.save()
    with judging(trail_dir) as one:
        one.record([refusal(2, NOW + SECOND)], NOW + SECOND)
        one.look(NOW + SECOND)

        assert len(one.alerts()) == 1


def test_a_crash_after_a_change_tells_nothing_twice(trail_dir: Path) -> None:
    """The alerts of a warm-up are recorded before the new state is kept."""
    with judging(trail_dir) as one:
        one.record([refusal(n, NOW) for n in range(3)], NOW)
        one.look(NOW)
        one.engine.save()
    with judging(trail_dir, rule_file("10m")) as one:  # and it ends before it is kept
        first = one.alerts()
    with judging(trail_dir, rule_file("10m")) as one:
        one.look(NOW)

        assert one.alerts() == first
        assert [alert.state for alert in first] == ["open", "close", "open"]


def test_an_alert_that_a_crash_forgot_is_closed_with_its_rule(trail_dir: Path) -> None:
    """What was told after the last snapshot stands in the log alone."""
    with judging(trail_dir) as one:
        one.record([refusal(9, NOW, "u2")], NOW)
        one.look(NOW)
        one.engine.save()
        one.record([refusal(n, NOW) for n in range(3)], NOW)
        one.look(NOW)  # told, and then it is killed
    with judging(trail_dir, rule_file("10m")) as one:
        first = one.alerts()
    with judging(trail_dir, rule_file("10m")) as one:
        one.look(NOW)

        assert one.alerts() == first
    assert Counter((alert.state, alert.rule_digest) for alert in first) == {
        ("open", first[0].rule_digest): 1,
        ("close", first[0].rule_digest): 1,
        ("open", first[-1].rule_digest): 1,
    }
    assert first[0].rule_digest != first[-1].rule_digest


def test_too_many_rows_are_not_read_and_it_is_said(trail_dir: Path) -> None:
    """A start that reads for an hour is an outage; one that does not say so, a lie."""
    few = DetectSection(warm_up_rows=2)
    with judging(trail_dir, NONE, few) as one:
        for n in range(4):
            one.record([refusal(n, NOW + n * SECOND)], NOW + n * SECOND)
        one.look(NOW + 3 * SECOND)
        one.engine.change_rules(rules_of(rule_file()), NOW + 3 * SECOND)
        assert one.alerts() == []  # of four rows it read two
        one.engine.report(NOW + 3 * SECOND)

    report = read_report(trail_dir)
    assert report is not None
    gaps = [gap for gap in report.gaps if gap.rule_id == MANY]
    assert [gap.reason for gap in gaps] == ["warm_up"]
    assert gaps[0].until_us == int((NOW + 2 * SECOND).timestamp()) * 1_000_000


def wait_for(is_so: Callable[[Report], bool], directory: Path) -> Report:
    """Wait until the report of detection says something; the test's timeout ends it."""
    pause = threading.Event()
    while True:
        report = read_report(directory)
        if report is not None and is_so(report):
            return report
        pause.wait(0.02)


@pytest.mark.timeout(60)
def test_rules_are_changed_under_a_program_that_runs(
    trail_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody restarts a hospital to change a threshold."""
    monkeypatch.setattr("phitrail.app.detecting.RULES_EVERY_US", RULES_EVERY_US // 100)
    monkeypatch.setattr("phitrail.app.detecting.REPORT_EVERY_US", 1)
    folder = trail_dir / "rules"
    folder.mkdir()
    place = folder / "house.yml"
    rule, reworded, wider = (
        rule_file(),
        rule_file(more="description: told anew"),
        rule_file("10m"),
    )
    place.write_bytes(rule[0][1])
    with connect(trail_dir) as trail:
        now: datetime = clock.now()
        trail.record_many([refusal(n, now) for n in range(3)])
        first = wait_for(lambda one: MANY in one.coverage, trail_dir)
        wait_for(lambda one: one.coverage[MANY].alerts == 1, trail_dir)

        place.write_bytes(b"title: [")
        broken = wait_for(lambda one: bool(one.standing.rules_error), trail_dir)
        assert broken.standing.rules_error.startswith("rules/house.yml:1:")
        assert broken.coverage[MANY].digest == first.coverage[MANY].digest

        place.write_bytes(reworded[0][1])
        mended = wait_for(lambda one: not one.standing.rules_error, trail_dir)
        assert mended.coverage[MANY].digest == first.coverage[MANY].digest
        assert mended.coverage[MANY].since_us == first.coverage[MANY].since_us

        place.write_bytes(wider[0][1])
        digest = first.coverage[MANY].digest
        wait_for(lambda one: one.coverage[MANY].digest != digest, trail_dir)

    with judging(trail_dir, wider) as one:
        states = [(alert.state, alert.reason_codes) for alert in one.alerts()]
    assert states == [
        ("open", ("event_count",)),
        ("close", ("rule_changed",)),
        ("open", ("event_count",)),
    ]
