"""`rule backtest`: what the rules of a trail would have told, as tables and as JSON."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.cli.conftest import Command
from tests.trails import NOW, found

from phitrail.app.running import run_trail
from phitrail.cli.exit_codes import ExitCode
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.codes import EventType
from phitrail.events.ids import format_time

START = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
RULES = """
title: A read
id: 5d0f2a3e-3a5b-4a54-9d7e-0b4f7a7d1001
name: a_read
logsource: {product: phitrail, service: audit}
detection: {one: {event_type: phi_read}, condition: one}
---
title: More than 3 reads
id: 5d0f2a3e-3a5b-4a54-9d7e-0b4f7a7d1002
name: three_reads
correlation:
  type: event_count
  rules: [a_read]
  group-by: [user_id]
  timespan: 1h
  condition: {gt: 3}
level: high
"""


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trail with a rule of the house and one user who reads too much."""
    directory = found(tmp_path_factory.mktemp("rules") / "trail")
    (directory / "rules").mkdir()
    (directory / "rules/house.yml").write_text(RULES)
    with run_trail(directory) as running:
        for number in range(9):
            event: CallerEvent = AuditEvent(
                event_type=EventType.PHI_READ,
                timestamp_utc=format_time(START + timedelta(minutes=number)),
                user_id="dr-1" if number < 7 else "dr-2",
            )
            running.parts.recorder.record(event, NOW)
    return directory


def test_json_says_what_a_rule_would_have_told(trail: Path, phitrail: Command) -> None:
    """Programs that choose thresholds read these names."""
    ran = phitrail(
        "rule", "backtest", "three_reads", "--threshold", "2..6", "--trail", trail,
        "--json",
    )  # fmt: skip
    (rule,) = ran.data["rules"]

    assert ran.code == ExitCode.OK
    assert (rule["name"], rule["alerts"], rule["groups"]) == ("three_reads", 1, 1)
    assert rule["days"] == {"2026-11-20": 1}
    assert rule["top"] == [{"group": {"user_id": "dr-1"}, "alerts": 1, "peak": 7}]
    assert rule["sample"]["first"] == format_time(START + timedelta(minutes=3))
    assert len(rule["sample"]["entries"]) == 5
    assert [(one["threshold"], one["alerts"]) for one in rule["sweep"]] == [
        (2, 1), (3, 1), (4, 1), (5, 1), (6, 1),
    ]  # fmt: skip
    assert ran.data["as_of"]["audit"] >= 10


def test_the_table_names_rules_groups_and_thresholds(
    trail: Path, phitrail: Command
) -> None:
    """People compare thresholds by eye."""
    ran = phitrail(
        "rule", "backtest", "three_reads", "--threshold", "5..9", "--trail", trail
    )

    assert ran.code == ExitCode.OK
    for expected in ("More than 3 reads", "user_id dr-1", "peak 7", "threshold"):
        assert expected in ran.out


def test_all_rules_are_judged_where_none_is_named(
    trail: Path, phitrail: Command
) -> None:
    """Our rules and those of the house are judged; what only feeds others is not."""
    ran = phitrail("rule", "backtest", "--trail", trail, "--json")

    names = {one["name"] for one in ran.data["rules"]}
    assert "three_reads" in names
    assert "a_read" not in names
    assert len(ran.data["rules"]) > 15


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["nobody"], "RULE"),
        (["--threshold", "many"], "--threshold"),
        (["--threshold", "9..2"], "--threshold"),
        (["--from", "yesterday"], "--from"),
        (["--from", "2026-11-02", "--to", "2026-11-01"], "--to"),
    ],
)
def test_what_does_not_fit_is_a_usage_error(
    trail: Path, phitrail: Command, arguments: list[str], field: str
) -> None:
    """A question that is not understood must not be answered as another one."""
    ran = phitrail("rule", "backtest", *arguments, "--trail", trail, "--json")

    assert ran.code == ExitCode.USAGE
    assert ran.error["field"] == field
