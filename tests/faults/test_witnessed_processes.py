"""Four processes write one trail under kill -9, and a witness watches it from outside.

Whoever publishes hands checkpoints to the witness; killed, another one takes over. In the
end every entry that was acknowledged is there, and the trail verifies against the witness's
key alone: at no moment did the log go back or fork.
"""

import random
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from tests.anchor.witnesses import witness_at_work
from tests.faults.processes import writing
from tests.trails import check_whole

from phitrail.anchor.settings import WitnessSettings
from phitrail.app.anchor_keeping import run_anchors
from phitrail.app.anchoring import Came
from phitrail.app.config import Policy, read_tenant, write_anchors, write_config
from phitrail.app.pins import read_pins
from phitrail.app.verification import Verdict, verify_trail
from phitrail.app.wiring import open_trail
from phitrail.app.witnessed import witnessed_size
from phitrail.app.witnessing import list_witnessed
from phitrail.events.codes import Log
from phitrail.tlog.receipt import Receipt

PROCESSES = 4
KILLS = 4
APART = 100_000
WITHIN_S = 60.0


@pytest.mark.long
def test_four_writers_under_kill_9_verify_against_an_outside_witness(
    trail_dir: Path, tmp_path: Path
) -> None:
    """Nothing acknowledged is lost, and what was witnessed is what there is."""
    chance = random.Random(4)
    keys = [pinned.log_key for pinned in read_pins(trail_dir).values()]
    write_config(trail_dir, read_tenant(trail_dir), Policy(publish_interval_s=0.05))
    receipts: list[Receipt] = []
    with witness_at_work(tmp_path / "w", keys) as witness:
        settings = WitnessSettings(
            name="county", url=witness.url, vkey=str(witness.vkey), every_s=0.1
        )
        write_anchors(trail_dir, [settings])
        with ExitStack() as stack:
            writers = [
                stack.enter_context(writing(trail_dir, number * APART))
                for number in range(PROCESSES)
            ]
            for kill in range(KILLS):
                at = chance.randrange(PROCESSES)
                writers[at].read(chance.randrange(1, 60))
                wait_for_more(trail_dir)
                writers[at].kill()
                receipts += writers[at].receipts.values()
                start = (PROCESSES + kill) * APART
                writers[at] = stack.enter_context(writing(trail_dir, start))
            for writer in writers:
                writer.stop()
                receipts += writer.receipts.values()
        with closing(open_trail(trail_dir)) as trail:
            came = {one.came for one in run_anchors(trail, [], lambda _: None)}
        verified = verify_trail(trail_dir, witnesses=[witness.vkey], deep=True)
        refused = [count for _, _, count in list_witnessed(tmp_path / "w")]

    assert came <= {Came.HELD, Came.HELD_ALREADY}
    assert refused == [0, 0, 0]
    assert verified.findings == ()
    assert verified.verdict is Verdict.OK
    assert verified.logs[0].held_to == verified.logs[0].size
    check_whole(trail_dir).check_holds(receipts, trail_dir)


def wait_for_more(trail_dir: Path) -> None:
    """Wait until the witness holds more than it does now."""
    before = witnessed_size(trail_dir, Log.AUDIT)
    deadline = time.monotonic() + WITHIN_S
    while witnessed_size(trail_dir, Log.AUDIT) <= before:
        assert time.monotonic() < deadline, "the witness got nothing more"
        time.sleep(0.02)
