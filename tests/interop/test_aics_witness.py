"""A witness and a witness client that others wrote agree with ours, both ways.

They live in an environment of their own; see `test_aics`. Without it these tests skip.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.anchor.histories import LOG_KEY, ORIGIN, History
from tests.anchor.witnesses import AtWork, witness_at_work
from tests.interop.test_aics import ORACLES, pytestmark, run, running_witness
from tests.trails import record_events

from phitrail.anchor.settings import WitnessSettings
from phitrail.anchor.witness import Witness
from phitrail.app.anchor_keeping import run_anchors
from phitrail.app.anchoring import Came
from phitrail.app.config import write_anchors
from phitrail.app.pins import read_pins
from phitrail.app.verification import Verdict, verify_trail
from phitrail.app.wiring import open_trail
from phitrail.errors import OtherHistoryError, RefusedError
from phitrail.events.codes import Log
from phitrail.tlog.note import parse_vkey
from phitrail.tlog.spelling import print_base64

__all__ = ["pytestmark"]

OURS = History(40)
FORK = History(40, changed=5)
CLIENT = """
import base64, json, sys
from aics_witness.feeder import WitnessClient, FeederError, merge_cosignatures
from aics_tlog import parse_note, parse_checkpoint

job = json.load(sys.stdin)
said = []
with WitnessClient(job["url"], job["vkey"], max_attempts=1) as client:
    for step in job["steps"]:
        note = base64.b64decode(step["note"])
        proofs = {int(k): [base64.b64decode(h) for h in v]
                  for k, v in step["proofs"].items()}
        try:
            line = client.submit(note, lambda old, new: proofs[old],
                                 old_size=step["old"])
            merge_cosignatures(note, line)
            said.append("cosigned")
        except FeederError as error:
            said.append(type(error).__name__)
print(json.dumps(said))
"""


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """An aics-witness that watches the log of `histories`: its url and key."""
    with running_witness(tmp_path, ORIGIN, str(LOG_KEY.vkey)) as (port, vkey):
        yield f"http://127.0.0.1:{port}", vkey


def test_our_client_is_cosigned_by_their_witness(theirs: tuple[str, str]) -> None:
    """First contact, growth, a lost answer, and the same checkpoint once more."""
    url, vkey = theirs
    now = datetime.now(UTC)
    sizes = [
        Witness(url, vkey).hold(OURS.submission(size, held_size=known), now).size
        for size, known in ((7, 0), (9, 7), (20, 7), (20, 20), (40, 0))
    ]

    assert sizes == [7, 9, 20, 20, 40]


def test_our_client_sees_their_refusals_for_what_they_are(
    theirs: tuple[str, str],
) -> None:
    """A fork, a cut log and a log that they do not watch, each by its code."""
    url, vkey = theirs
    now = datetime.now(UTC)
    client = Witness(url, vkey)
    client.hold(OURS.submission(20), now)
    other = History(40, origin="other.example/audit")
    with pytest.raises(OtherHistoryError) as forked:
        client.hold(FORK.submission(30, held_size=20), now)
    with pytest.raises(OtherHistoryError) as cut:
        client.hold(OURS.submission(9, held_size=9), now)
    with pytest.raises(OtherHistoryError):
        client.hold(FORK.submission(20, held_size=20), now)
    with pytest.raises(RefusedError, match="404"):
        client.hold(other.submission(9), now)

    assert forked.value.evidence == cut.value.evidence
    assert forked.value.evidence.startswith(OURS.note(20))


def test_a_trail_is_anchored_with_their_witness(
    trail_dir: Path, tmp_path: Path
) -> None:
    """From `anchors.yaml` to `verify --witness`, beside somebody else's software."""
    log_key = read_pins(trail_dir)[Log.AUDIT].log_key
    with running_witness(tmp_path, log_key.name, str(log_key)) as (port, vkey):
        settings = WitnessSettings(
            name="theirs",
            url=f"http://127.0.0.1:{port}",
            vkey=vkey,
            logs=(Log.AUDIT,),
        )
        write_anchors(trail_dir, [settings])
        cames = []
        for numbers in (range(300), range(300, 900)):
            record_events(trail_dir, numbers)
            with closing(open_trail(trail_dir)) as trail:
                cames += [one.came for one in run_anchors(trail, [], lambda _: None)]
        verified = verify_trail(
            trail_dir, logs=[Log.AUDIT], witnesses=[parse_vkey(vkey)]
        )

    assert cames == [Came.HELD, Came.HELD]
    assert (verified.verdict, verified.logs[0].held_to) == (Verdict.OK, 901)


def submit(witness: AtWork, *steps: tuple[History, int, int | None]) -> list[str]:
    """Let their client submit checkpoints to our witness; say what came of each."""
    job = {
        "url": witness.url,
        "vkey": str(witness.vkey),
        "steps": [
            {
                "note": print_base64(history.note(size)),
                "old": old_size,
                "proofs": {
                    str(known): [
                        print_base64(each)
                        for each in history.submission(size).prove(known)
                    ]
                    for known in range(1, size + 1)
                },
            }
            for history, size, old_size in steps
        ],
    }
    ran = subprocess.run(
        [str(ORACLES / "python"), "-c", CLIENT],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    said: list[str] = json.loads(ran.stdout)
    return said


def test_their_client_is_cosigned_by_our_witness(tmp_path: Path) -> None:
    """It verifies line, key, time and codes as its makers read the specification."""
    with witness_at_work(tmp_path / "w", [LOG_KEY.vkey]) as witness:
        said = submit(
            witness,
            (OURS, 7, None),
            (OURS, 9, None),
            (OURS, 20, 7),
            (OURS, 20, None),
            (FORK, 20, 20),
            (FORK, 30, 20),
            (OURS, 9, 9),
            (History(40, origin="other.example/audit"), 9, None),
            (OURS, 40, None),
        )

    assert said == [
        "cosigned",
        "cosigned",
        "cosigned",
        "cosigned",
        "WitnessRejected",
        "WitnessRejected",
        "WitnessAhead",
        "WitnessRejected",
        "cosigned",
    ]


def test_our_cosigned_checkpoint_passes_their_verifier(tmp_path: Path) -> None:
    """The newest cosigned note is what monitors of other makers will read."""
    with witness_at_work(tmp_path / "w", [LOG_KEY.vkey]) as witness:
        held = Witness(witness.url, str(witness.vkey)).hold(
            OURS.submission(20), datetime.now(UTC)
        )
    note = tmp_path / "note"
    note.write_bytes(held.evidence)
    ran = run(
        *(ORACLES / "aics-tlog", "verify-checkpoint"),
        *("--note", note, "--log-key", LOG_KEY.vkey),
        *("--witness-key", witness.vkey, "--quorum", 1, "--max-age", 300),
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
