"""kill -9 of a program with a spool: while the log is down, and while it is replayed.

The program says each number once its record is durable, as a clinic's screen would show the
answer. Whenever it dies, what was said stands in the log once in the end, in order.
"""

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.faults.processes import ROOT
from tests.sdk.test_spooling import bring_back, story, take_down, until_replayed

from phitrail.app.verification import verify_trail
from phitrail.sdk.connect import connect

ROUNDS = 3
PROGRAM = """
import sys
from tests.trails import phi_read
from phitrail.sdk.connect import connect
directory, spool, start = sys.argv[1:]
trail = connect(directory, spool=spool, receipts=None)
print("ready", flush=True)
number = int(start)
while True:
    trail.record(phi_read(number))
    print(number, flush=True)
    number += 1
"""


def run_and_kill(directory: Path, spool: Path, start: int, count: int) -> list[int]:
    """Let a program say so many numbers, then kill it; return all that it said."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(directory), str(spool), str(start)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        said = [process.stdout.readline() for _ in range(count)]
        process.send_signal(signal.SIGKILL)
        said += process.stdout
    return [int(line) for line in said if line.endswith("\n")]


@pytest.mark.drill
def test_kill_9_of_a_program_with_a_spool_loses_and_doubles_nothing(
    trail_dir: Path, tmp_path: Path
) -> None:
    """An answer that was shown must be in the record, whenever the program died."""
    chance = random.Random(3)
    spool = tmp_path / "spool"
    said: list[int] = []
    start = 0
    for _ in range(ROUNDS):
        take_down(trail_dir)
        said += run_and_kill(trail_dir, spool, start, chance.randrange(1, 30))
        start = max([*said, start]) + 2  # the last one may be durable and unsaid
        bring_back(trail_dir)
        said += run_and_kill(trail_dir, spool, start, chance.randrange(3))
        start = max([*said, start]) + 2
    with connect(trail_dir, spool=spool) as trail:
        until_replayed(trail)
    told = story(trail_dir)
    numbers = [int(one) for one in told if one.isdigit()]

    assert set(said) <= set(numbers)
    assert numbers == sorted(set(numbers))
    assert told.count("started") == told.count("replayed") >= 1
    assert told[0] == "started"
    assert verify_trail(trail_dir, deep=True).findings == ()
