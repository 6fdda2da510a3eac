"""`phitrail rule list`: what it shows of what was judged."""

from datetime import timedelta
from pathlib import Path

import pytest
from tests.app.test_detecting import MANY, judging, refusal, rule_file
from tests.cli.conftest import Command
from tests.trails import NOW

from phitrail.cli.exit_codes import ExitCode


@pytest.fixture
def judged(trail_dir: Path) -> Path:
    """A trail with a rule of the house that was judged, and one row that came too late."""
    (trail_dir / "rules").mkdir()
    for name, data in rule_file():
        (trail_dir / name).write_bytes(data)
    with judging(trail_dir) as one:
        one.record([refusal(n, NOW) for n in range(3)], NOW)
        one.look(NOW)
        one.record([refusal(9, NOW - timedelta(days=1))], NOW)
        one.look(NOW)
        one.engine.save()
        one.engine.report(NOW)
    return trail_dir


def test_json_says_of_each_rule_which_time_it_judged(
    judged: Path, phitrail: Command
) -> None:
    """Who asks whether monitoring ran reads these names."""
    ran = phitrail("rule", "list", "--trail", judged, "--json")
    (one,) = [rule for rule in ran.data["rules"] if rule["rule_id"] == MANY]

    assert ran.code == ExitCode.OK
    assert one["judged_since"] == one["judged_until"] == "2026-11-21T12:00:00.000Z"
    assert (one["windows"], one["alerts"], one["lag_s"], one["gaps"]) == (3, 1, 0.0, [])
    (gap,) = ran.data["detection"]["gaps"]
    assert gap == {
        "reason": "beyond_horizon",
        "from": "2026-11-20T12:00:00.000Z",
        "until": "2026-11-20T12:00:00.000Z",
        "rows": 1,
    }


def test_the_table_names_gaps_and_who_judges_them(
    judged: Path, phitrail: Command
) -> None:
    """A time that was not judged must be seen by whoever asks whether rules ran."""
    ran = phitrail("rule", "list", "--trail", judged)

    assert ran.code == ExitCode.OK
    assert "came too late to be judged" in ran.out
    assert "0 entries are not judged yet" in ran.out
    assert "rule backtest" in ran.out


def test_a_rule_that_never_ran_is_told_and_fails(
    judged: Path, phitrail: Command
) -> None:
    """A new rule that no process took up watches nobody."""
    ((name, data),) = rule_file("10m")
    (judged / name).write_bytes(data)
    ran = phitrail("rule", "list", "--trail", judged)

    assert ran.code == ExitCode.CHECK_FAILED
    assert "never" in ran.out
