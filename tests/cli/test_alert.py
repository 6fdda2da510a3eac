"""`phitrail rule` and `phitrail alert`, as they are run."""

import json
from pathlib import Path

import pytest
from tests.app.test_detecting import MANY, judging, refusal, rule_file
from tests.trails import NOW

from phitrail.app.config import OverdueSection, Policy, read_tenant, write_config
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.main import main


@pytest.fixture
def alerted(trail_dir: Path) -> Path:
    """A trail with a rule of the house, and one alert of it."""
    (trail_dir / "rules").mkdir()
    for name, data in rule_file():
        (trail_dir / name).write_bytes(data)
    with judging(trail_dir) as one:
        one.record([refusal(n, NOW) for n in range(3)], NOW)
        one.look(NOW)
        one.engine.save()
        one.engine.report(NOW)
    return trail_dir


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """Run a command; give its exit code and what it printed."""
    code = main([str(one) for one in arguments])
    return code, capsys.readouterr().out


def test_an_alert_is_listed_shown_and_closed(
    alerted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The way of an alert, from the console."""
    code, out = run(capsys, "alert", "list", "--trail", alerted, "--json")
    (listed,) = json.loads(out)["alerts"]
    assert code == ExitCode.CHECK_FAILED
    assert listed["subjects"] == {"user_id": "u1"}

    code, out = run(capsys, "alert", "show", listed["alert_id"][:8], "--trail", alerted)
    assert code == ExitCode.OK
    assert "Three refusals of one user" in out
    assert "security:3" in out

    code, _ = run(capsys, "alert", "close", listed["alert_id"], "--as-what", "test",
                  "--reason", "we tried it", "--trail", alerted)  # fmt: skip
    assert code == ExitCode.OK
    code, out = run(capsys, "alert", "list", "--trail", alerted)
    assert code == ExitCode.OK
    assert "u1" not in out


def test_an_alert_that_is_too_old_is_marked_in_list_and_show(
    alerted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What nobody looked at for days must stand out; it was opened long before today."""
    soon = Policy(overdue=OverdueSection(high_alert_days=0.001))
    write_config(alerted, read_tenant(alerted), soon)
    _, out = run(capsys, "alert", "list", "--trail", alerted, "--overdue")
    assert "open, OVERDUE" in out
    assert "in all: 1 undisposed" in out
    _, out = run(capsys, "alert", "list", "--trail", alerted, "--level", "critical")
    assert "OVERDUE" not in out

    _, out = run(
        capsys, "alert", "list", "--trail", alerted, "--rule", "three", "--json"
    )
    ((alert_id, overdue),) = [
        (one["alert_id"], one["is_overdue"]) for one in json.loads(out)["alerts"]
    ]
    assert overdue
    _, out = run(capsys, "alert", "show", alert_id, "--trail", alerted, "--json")
    shown = json.loads(out)
    assert shown["overdue"] == "yes, for twice its time"
    assert [one["entry"] for one in shown["evidence"]] == [
        "security:1",
        "security:2",
        "security:3",
    ]
    assert {one["proven_in"] for one in shown["evidence"]} == {5}
    assert shown["why"] == "event_count: event_count gte 3 within 5m"
    assert [one["by"] for one in shown["moves"]] == ["detection"]


def test_what_a_rule_proposes_to_contain_is_shown(
    trail_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever is paged at night must not have to work out whom to stop."""
    more = "x_containment: [user_id]\nx_suppress: 4h\n"
    (trail_dir / "rules").mkdir()
    ((name, data),) = rule_file(more=more)
    (trail_dir / name).write_bytes(data)
    with judging(trail_dir, ((name, data),)) as one:
        one.record([refusal(n, NOW) for n in range(3)], NOW)
        one.look(NOW)
        (alert,) = one.alerts()
    _, out = run(
        capsys, "alert", "show", alert.alert_id, "--trail", trail_dir, "--json"
    )
    shown = json.loads(out)

    assert shown["proposed_containment"] == {"user_id": "u1"}
    assert shown["to contain"] == "user_id=u1"
    assert shown["notifications_held_until"] == "2026-11-21T16:00:00.000Z"


def test_how_good_rules_are_is_told(
    alerted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rule that is never right must be seen to be."""
    _, out = run(capsys, "alert", "list", "--trail", alerted, "--json")
    (listed,) = json.loads(out)["alerts"]
    run(capsys, "alert", "close", listed["alert_id"], "--as-what", "false_positive",
        "--reason", "a slip", "--trail", alerted)  # fmt: skip

    code, out = run(capsys, "alert", "stats", "--trail", alerted)
    assert code == ExitCode.OK
    assert "0.00 (0.00 to 0.79) of 1" in out
    _, out = run(capsys, "alert", "stats", "--trail", alerted, "--json")
    ((rule_id, judged),) = [
        (one["rule_id"], one["judged"]) for one in json.loads(out)["rules"]
    ]
    assert (rule_id, judged) == (MANY, 1)


def test_the_list_of_rules_says_what_each_judged(
    alerted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rule that did not run must be seen."""
    code, out = run(capsys, "rule", "list", "--trail", alerted, "--json")
    listed = {one["rule_id"]: one for one in json.loads(out)["rules"]}

    assert code == ExitCode.OK
    assert (listed[MANY]["windows"], listed[MANY]["alerts"]) == (3, 1)
    assert listed[MANY]["is_own"]


def test_a_rule_file_that_is_wrong_is_told_with_its_place(
    alerted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who writes a rule needs the line, and nothing of what stands there."""
    (alerted / "rules" / "house.yml").write_text("title: x\nid: secret\n")
    code, out = run(capsys, "rule", "lint", "--trail", alerted)

    assert code == ExitCode.CHECK_FAILED
    assert out.startswith("rules/house.yml:")
    assert "secret" not in out
    assert run(capsys, "rule", "list", "--trail", alerted)[0] == ExitCode.CHECK_FAILED


def test_tests_in_rule_files_are_run(
    alerted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rule whose test fails must not pass unseen."""
    more = """x_tests:
  - name: two are none
    events: [{at: +0s, repeat: 2, set: {event_type: session_denied, user_id: u1}}]
    expect: {alerts: 1}
"""
    ((_, data),) = rule_file(more=more)
    (alerted / "rules" / "house.yml").write_bytes(data)
    code, out = run(capsys, "rule", "test", "--trail", alerted)

    assert code == ExitCode.CHECK_FAILED
    assert "two are none: alerts: 1 expected, 0 came" in out


def test_status_says_how_far_rules_were_judged(
    alerted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Detection that stands still must be seen by whoever looks at the trail."""
    _, out = run(capsys, "status", "--trail", alerted, "--json")
    detection = json.loads(out)["detection"]
    assert (detection["unjudged"], detection["failure"]) == (0, None)

    with judging(alerted) as one:
        one.record([refusal(9, NOW)], NOW)
        one.engine.report(NOW, failure="a disk that is gone")
    _, out = run(capsys, "status", "--trail", alerted)
    assert "STOPPED: a disk that is gone" in out
