"""What each rule was judged over, and what it was not: an auditor's question."""

from datetime import timedelta
from pathlib import Path

from tests.app.test_detecting import MANY, SECOND, judging, refusal, rule_file
from tests.trails import NOW

from phitrail.app.detect_state import NOWHERE, Gap, Report, Standing, read_report
from phitrail.app.rule_coverage import RuleCoverage, TrailCoverage, read_coverage
from phitrail.app.rules import rules_of

MINUTE = timedelta(minutes=1)


def us(minutes: float) -> int:
    """Write a time after NOW as the report does."""
    return int((NOW + minutes * MINUTE).timestamp() * 1_000_000)


def covered(
    directory: Path, minutes: float = 0.0, span: str = "5m"
) -> tuple[TrailCoverage, RuleCoverage]:
    """Read the coverage of all rules, and of the house's."""
    found = read_coverage(directory, rules_of(rule_file(span)), NOW + minutes * MINUTE)
    (one,) = [each for each in found.rules if each.rule.head.rule_id == MANY]
    return found, one


def report_of(directory: Path) -> Report:
    """Read the report that must be there."""
    report = read_report(directory)
    assert report is not None
    return report


def test_before_anybody_judged_no_rule_was(trail_dir: Path) -> None:
    """A rule that stands in a file watches nobody."""
    found, one = covered(trail_dir)

    assert (found.standing, found.has_failed) == (None, False)
    assert (one.judged, one.lag_s) == (None, None)


def test_it_says_from_when_until_when_and_how_far_behind(trail_dir: Path) -> None:
    """Whether a rule watched that night is a question of two times."""
    with judging(trail_dir) as one:
        for n in range(3):
            one.record([refusal(n, NOW + n * MINUTE)], NOW + n * MINUTE)
            one.look(NOW + n * MINUTE)
        one.engine.report(NOW + 2 * MINUTE)
        one.record([refusal(9, NOW + 2 * MINUTE, "u2")], NOW + 2 * MINUTE)
    found, rule = covered(trail_dir, 3)
    assert rule.judged is not None
    assert (rule.judged.since_us, rule.judged.until_us) == (us(0), us(2))
    assert (rule.judged.windows, rule.judged.alerts) == (3, 1)
    assert found.unjudged == 1
    assert rule.lag_s == 60.0

    with judging(trail_dir) as one:
        one.look(NOW + 3 * MINUTE)
        one.engine.report(NOW + 3 * MINUTE)
    found, rule = covered(trail_dir, 4)
    assert (found.unjudged, rule.lag_s, rule.gaps) == (0, 0.0, ())
    assert not found.has_failed


def test_a_rule_that_means_something_else_has_judged_nothing(trail_dir: Path) -> None:
    """What an older rule judged says nothing of this one."""
    with judging(trail_dir) as one:
        one.record([refusal(0, NOW)], NOW)
        one.look(NOW)
        one.engine.report(NOW)
    found, rule = covered(trail_dir, span="10m")

    assert rule.judged is None
    assert found.has_failed


def test_a_new_rule_is_covered_from_where_its_windows_are_whole(
    trail_dir: Path,
) -> None:
    """Warm-up is what makes the first window true; its coverage must not claim more."""
    with judging(trail_dir, ()) as one:
        for n in range(31):
            one.record([refusal(n, NOW + n * MINUTE, f"u{n}")], NOW + n * MINUTE)
            one.look(NOW + n * MINUTE)
        one.engine.change_rules(rules_of(rule_file()), NOW + 30 * MINUTE)
        one.engine.report(NOW + 30 * MINUTE)
    _, rule = covered(trail_dir, 30)

    assert rule.judged is not None
    # 5 min reach, twice, and 12 min that rows may come late; whole one span after that.
    assert rule.judged.since_us == us(30 - 22 + 5)
    assert rule.gaps == ()


def test_a_time_in_which_nobody_judged_is_a_gap_of_every_rule(trail_dir: Path) -> None:
    """A night without detection must not look like a quiet one."""
    with judging(trail_dir) as one:
        one.record([refusal(0, NOW)], NOW)
        one.look(NOW)
        one.engine.report(NOW)
        one.engine.save()
        one.record([refusal(1, NOW + MINUTE)], NOW + MINUTE)
    with judging(trail_dir, now=NOW + 10 * MINUTE) as one:
        one.look(NOW + 10 * MINUTE)
        one.engine.report(NOW + 10 * MINUTE)
    _, rule = covered(trail_dir, 10)

    assert rule.gaps == (Gap("unattended", us(0), us(10), 1),)


def test_a_restart_and_a_quiet_night_are_no_gaps(trail_dir: Path) -> None:
    """A list of gaps that are none hides the one that is."""
    with judging(trail_dir) as one:
        one.record([refusal(0, NOW)], NOW)
        one.look(NOW)
        one.engine.report(NOW)
        one.engine.save()
    with judging(trail_dir, now=NOW + 600 * MINUTE) as one:  # nothing came meanwhile
        one.engine.report(NOW + 600 * MINUTE)
        one.record([refusal(1, NOW + 600 * MINUTE)], NOW + 600 * MINUTE)
    with judging(trail_dir, now=NOW + 600 * MINUTE + 20 * SECOND):
        pass

    assert report_of(trail_dir).gaps == ()


def test_gaps_of_one_kind_that_follow_each_other_are_one(trail_dir: Path) -> None:
    """A flood must not push older gaps out of the list."""
    standing = Standing("2026-11-21T12:00:00.000Z", NOWHERE, 0)
    gaps = (
        Gap("state_cap", us(0), us(1), 5, MANY),
        Gap("state_cap", us(2), us(3), 7, MANY),
        Gap("state_cap", us(2), us(3), 1, "another"),
        Gap("state_cap", us(4.01), us(6), 2, MANY),
    )
    with judging(trail_dir) as one:
        for gap in gaps:
            one.state.report(standing, (), (gap,))

    assert report_of(trail_dir).gaps == (
        Gap("state_cap", us(0), us(3), 12, MANY),
        gaps[2],
        gaps[3],
    )
