"""kill -9 at random points of a writer that appends and publishes.

The writer's client keeps the receipts that it was given. After each kill the same numbers
are recorded again: what was acknowledged must come back to its place, and what was not
must stand there once.
"""

import os
import random
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.faults.processes import writing
from tests.faults.writer import TASKS
from tests.trails import NOW, check_whole, phi_read, publish_once

from phitrail.app.config import Policy, read_tenant, write_config
from phitrail.app.verification import verify_trail
from phitrail.app.wiring import open_trail
from phitrail.tlog.receipt import Receipt

ROUNDS = 8
ROUNDS_LONG = 60 if os.environ.get("PHITRAIL_CI") else 200


def kill_rounds(directory: Path, rounds: int, seed: int) -> None:
    """Kill writers of one trail, round after round, and check it after each."""
    write_config(directory, read_tenant(directory), Policy(publish_interval_s=0.02))
    chance = random.Random(seed)
    receipts: dict[int, Receipt] = {}
    kept: list[bytes] = []
    start = 0
    for _ in range(rounds):
        with writing(directory, start) as writer:
            writer.read(chance.randrange(120))
            writer.kill()
        last = max([start, *writer.receipts]) + 2 * TASKS
        again = retry(directory, range(start, last))
        for number, receipt in writer.receipts.items():
            assert receipt.positions == again[number].positions
        receipts |= again
        start = last
        whole = check_whole(directory)
        assert len(whole.leaves["audit"]) == 1 + len(receipts)
        whole.check_holds([*writer.receipts.values(), *again.values()], directory)
        kept.append((directory / "public/audit/checkpoint").read_bytes())
    check_whole(directory).check_holds(receipts.values(), directory)
    outside = [(str(place), note) for place, note in enumerate(kept)]

    assert verify_trail(directory, outside=outside, deep=True).findings == ()


def retry(directory: Path, numbers: Iterable[int]) -> dict[int, Receipt]:
    """Record these numbers, whether they stand there already or not; publish."""
    trail = open_trail(directory)
    try:
        again = {n: trail.recorder.record(phi_read(n), NOW) for n in numbers}
    finally:
        trail.close()
    publish_once(directory)
    return again


@pytest.mark.drill
def test_kill_9_loses_and_doubles_nothing(trail_dir: Path) -> None:
    """What was acknowledged is durable, whenever the process dies."""
    kill_rounds(trail_dir, ROUNDS, seed=1)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.skipif(
    not os.environ.get("PHITRAIL_LONG"), reason="set PHITRAIL_LONG=1 for 200 rounds"
)
def test_kill_9_loses_and_doubles_nothing_for_long(trail_dir: Path) -> None:
    """The same, often enough to meet the rare moments."""
    kill_rounds(trail_dir, ROUNDS_LONG, seed=2)
