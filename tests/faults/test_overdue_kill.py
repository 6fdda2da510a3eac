"""kill -9 at random points of a program that says what did not happen."""

import random
import signal
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from tests.faults.overdue_worker import IN_A_MINUTE, UNTIL_OVERDUE, accesses, minute
from tests.faults.processes import ROOT
from tests.trails import read_leaves

from phitrail.app.overdue_watch import OverdueWatcher
from phitrail.app.wiring import open_trail
from phitrail.events.audit import AuditEvent
from phitrail.events.codes import EventType

ROUNDS = 8
MOST_LINES = 12


def run_until_killed(directory: Path, number: int, lines: int) -> int:
    """Run the program and kill it after so many lines; give the number after its last one."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.overdue_worker", directory, str(number)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    with process.stdout as out:
        for _ in range(lines):
            out.readline()
        process.send_signal(signal.SIGKILL)
        said = [line for line in out if line.endswith("\n")]
        process.wait()
    return (int(said[-1]) if said else number + lines - 1) + 1


@pytest.mark.long
@pytest.mark.timeout(600)
def test_kill_9_loses_and_doubles_nothing_that_did_not_happen(trail_dir: Path) -> None:
    """An access that nobody closed and nobody tells of is one that nobody looks at."""
    chance, number = random.Random(8), 0
    for _ in range(ROUNDS):
        number = run_until_killed(directory=trail_dir, number=number,
                                  lines=chance.randrange(1, MOST_LINES))  # fmt: skip
    with closing(open_trail(trail_dir)) as trail:
        OverdueWatcher(trail, is_publishing=lambda: True).look(
            minute(number + UNTIL_OVERDUE)
        )
        leaves = [one for one in read_leaves(trail) if isinstance(one, AuditEvent)]
    opened = {one.access_id for one in leaves if one.event_type == EventType.PHI_READ}
    told = Counter(
        one.access_id for one in leaves if one.event_type == EventType.ACCESS_UNCLOSED
    )

    assert {one.access_id for n in range(number) for one in accesses(n)} <= opened
    assert set(told) == opened
    assert set(told.values()) == {1}
    assert len(opened) % IN_A_MINUTE == 0
