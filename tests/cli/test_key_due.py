"""`phitrail key due`, as whoever keeps the keys meets it."""

from datetime import timedelta
from pathlib import Path

from tests.cli.conftest import Command

from phitrail.app import clock
from phitrail.app.founding import found_trail
from phitrail.cli.exit_codes import ExitCode

TENANT = "clinic.example"


def founded_ago(place: Path, days: int) -> Path:
    """Found a trail some days ago."""
    directory = place / "trail"
    found_trail(directory, TENANT, clock.now() - timedelta(days=days))
    return directory


def test_a_new_trail_has_nothing_due(phitrail: Command, memory_path: Path) -> None:
    """A first look that alarms teaches nobody anything."""
    trail = founded_ago(memory_path, 1)
    ran = phitrail("key", "due", "--trail", trail)
    data = phitrail("key", "due", "--trail", trail, "--json").data

    assert ran.code == ExitCode.OK
    assert ran.out == "0 due within 14 days, 0 of them overdue\n"
    assert data == {"notice_days": 14, "overdue": 0, "due": []}


def test_what_comes_near_is_listed_with_what_to_run(
    phitrail: Command, memory_path: Path
) -> None:
    """Two weeks ahead there is time to bring the recovery key."""
    trail = founded_ago(memory_path, 360)
    ran = phitrail("key", "due", "--trail", trail)
    data = phitrail("key", "due", "--trail", trail, "--json").data

    assert ran.code == ExitCode.OK
    assert "phitrail key rotate text-hash" in ran.out
    assert "OVERDUE" not in ran.out
    assert data["overdue"] == 0
    (one,) = [one for one in data["due"] if one["subject"] == "audit-promise:v1"]
    assert one["to_do"] == "phitrail key rotate --log audit --recovery FILE"
    assert one["notice_at"] < one["due_at"]


def test_what_is_overdue_fails_the_check(phitrail: Command, memory_path: Path) -> None:
    """A job that runs it each day must notice."""
    trail = founded_ago(memory_path, 366)
    ran = phitrail("key", "due", "--trail", trail)

    assert ran.code == ExitCode.CHECK_FAILED
    assert "OVERDUE" in ran.out
    assert phitrail("key", "due", "--trail", trail, "--json").data["overdue"] > 0


def test_listing_needs_no_key(phitrail: Command, memory_path: Path) -> None:
    """An auditor's copy has none."""
    trail = founded_ago(memory_path, 366)
    for file in (trail / "keys").iterdir():
        file.unlink()

    assert phitrail("key", "due", "--trail", trail).code == ExitCode.CHECK_FAILED
