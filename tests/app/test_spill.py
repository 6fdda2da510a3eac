"""What questions and folds spill is gone when they end, and after a crash at the next."""

import subprocess
import sys
from pathlib import Path

import pytest

from phitrail.app.spill import SPILL, spilling

SPILLER = """
import sys
from pathlib import Path
from phitrail.app.spill import spilling
with spilling(Path(sys.argv[1]), threads=1, memory_mb=60) as connection:
    connection.execute(
        "CREATE TABLE t AS SELECT range AS n, md5(range::VARCHAR) AS m "
        "FROM range(1500000)"
    )
    print("spilled", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """Give the directory of a trail, as far as spilling needs one."""
    (tmp_path / "state/tables").mkdir(parents=True)
    return tmp_path


def spilled(trail: Path) -> list[str]:
    """List what lies where DuckDB spills."""
    place = trail / SPILL
    return sorted(p.name for p in place.iterdir()) if place.is_dir() else []


def start_spiller(trail: Path) -> subprocess.Popen[bytes]:
    """Start a process that has spilled and stays."""
    process = subprocess.Popen(
        [sys.executable, "-c", SPILLER, str(trail)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"spilled\n"
    return process


def test_what_a_killed_process_spilled_is_removed_at_the_next_start(
    trail: Path,
) -> None:
    """Surrogates of patients would lie about for as long as the disk lives."""
    with start_spiller(trail) as process:
        process.kill()
    assert spilled(trail)

    with spilling(trail, threads=1, memory_mb=100):
        assert spilled(trail) == []


def test_what_another_process_needs_still_is_left_alone(trail: Path) -> None:
    """A question that starts must not take the ground from under one that runs."""
    with start_spiller(trail) as process:
        before = spilled(trail)
        with spilling(trail, threads=1, memory_mb=100):
            assert spilled(trail) == before
        assert set(before) <= set(spilled(trail))
        process.communicate(b"")

    assert spilled(trail) == []


def test_connections_of_one_process_share_the_place(trail: Path) -> None:
    """A service asks and folds at once; the second must not wait for the first."""
    with (
        spilling(trail, threads=1, memory_mb=100) as one,
        spilling(trail, threads=1, memory_mb=100) as other,
    ):
        assert one.sql("SELECT 1").fetchall() == other.sql("SELECT 1").fetchall()
