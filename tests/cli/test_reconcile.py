"""`phitrail source reconcile`: codes for a timer, words for people, identifiers for nobody."""

import stat
from dataclasses import replace
from pathlib import Path

import pytest
from tests.app.foreign_counts import (
    CANARY,
    CSV_MAP,
    accesses,
    csv_feed,
    record_accesses,
)
from tests.cli.conftest import Command

from phitrail.cli.exit_codes import ExitCode

WHOLE = accesses(40)


@pytest.fixture
def usual(trail_dir: Path, tmp_path: Path) -> tuple[object, ...]:
    """Record accesses; give the options of a comparison by access."""
    record_accesses(trail_dir, WHOLE)
    field_map = tmp_path / "map.yaml"
    field_map.write_bytes(CSV_MAP)
    return (
        *("source", "reconcile", "--trail", trail_dir, "--from", "csv"),
        *("--map", field_map, "--against"),
    )


def test_accounts_that_agree_end_well(
    phitrail: Command, usual: tuple[object, ...], tmp_path: Path
) -> None:
    """A timer runs this every night: only a difference may wake somebody."""
    file = tmp_path / "feed.csv"
    file.write_bytes(csv_feed(WHOLE))
    ran = phitrail(*usual, file, "--by", "access")
    again = phitrail(*usual, file, "--by", "request", "--json")

    assert (ran.code, again.code) == (ExitCode.OK, ExitCode.OK)
    assert "matched       40" in ran.out
    assert again.data["agrees"] is True
    assert again.data["counts"]["matched"] == 40
    assert again.data["event_id"]


def test_differences_are_named_and_written_for_one_reader(
    phitrail: Command, usual: tuple[object, ...], tmp_path: Path
) -> None:
    """What only they have goes to whoever asked, and names no patient anywhere."""
    past_us = [replace(a, patient=f"mrn-{CANARY}-x") for a in WHOLE[10:25]]
    file, out = tmp_path / "feed.csv", tmp_path / "differences.jsonl"
    file.write_bytes(csv_feed([*WHOLE[:38], *past_us, *WHOLE[39:]]) + b"not,a,row\n")
    ran = phitrail(*usual, file, "--by", "access", "--out", out)
    found = phitrail(*usual, file, "--by", "access", "--json")
    text = out.read_text()

    assert (ran.code, found.code) == (ExitCode.CHECK_FAILED, ExitCode.CHECK_FAILED)
    assert "the first 10 of 15" in ran.out
    assert "line 40" in ran.out
    assert len(found.data["theirs_only"]) == 10
    assert found.data["counts"]["refused"] == 1
    assert text.count('"kind":"theirs_only"') == 15
    assert text.count('"kind":"refused"') == 1
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert CANARY not in ran.out + ran.err + found.out + text


def test_mistakes_are_told_before_anything_is_read(
    phitrail: Command, usual: tuple[object, ...], tmp_path: Path
) -> None:
    """A wrong option must not end like a difference."""
    file = tmp_path / "feed.csv"
    file.write_bytes(csv_feed(WHOLE))
    runs = [
        phitrail(*usual, file, "--by", "request", "--tolerance", "5", "--json"),
        phitrail(*usual, file, "--by", "request", "--out", file, "--json"),
        phitrail(*usual, tmp_path / "none", "--by", "request", "--json"),
        phitrail(*usual, file, "--by", "request", "--since", "now", "--json"),
    ]

    assert [run.code for run in runs] == [ExitCode.USAGE] * 4
    assert [run.error["field"] for run in runs] == [
        *("--tolerance", "--out", "FILE", "--since"),
    ]
