"""`verify --witness`: a host with every key cannot rewrite what a witness cosigned.

The drill: the witness cosigns; the owner of the host rewrites the whole log with its own
keys, as `demo.forger` does, and deletes or keeps what the witness gave.
"""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.anchor.witnesses import Nearby, witness_nearby
from tests.tlog.trees import WITNESS
from tests.trails import NOW, plain_event, record_events

from phitrail.anchor.settings import WitnessSettings
from phitrail.app.anchor_keeping import run_anchors
from phitrail.app.anchoring import Attempt, Came
from phitrail.app.config import write_anchors
from phitrail.app.pins import read_pins
from phitrail.app.status import read_status
from phitrail.app.verification import Verdict, Verification, verify_trail
from phitrail.app.wiring import OUTSIDE, open_trail
from phitrail.app.witnessed import find_cosigned
from phitrail.demo.forger import Forger
from phitrail.errors import IntegrityError
from phitrail.events.codes import Log
from phitrail.tlog.note import SignedNote, Signer, cosign_note, parse_note, print_note

EVENTS = 300


@pytest.fixture
def witness(trail_dir: Path, tmp_path: Path) -> Iterator[Nearby]:
    """A witness that holds all logs of the trail, and the trail configured for it."""
    keys = [pinned.log_key for pinned in read_pins(trail_dir).values()]
    record_events(trail_dir, range(EVENTS))
    with witness_nearby(tmp_path / "w.db", keys) as nearby:
        settings = WitnessSettings(name="county", url=nearby.url, vkey=str(nearby.vkey))
        write_anchors(trail_dir, [settings])
        assert {one.came for one in anchor(trail_dir)} == {Came.HELD}
        yield nearby


def anchor(trail_dir: Path) -> list[Attempt]:
    """Hand over what is new, as `anchor run` does."""
    with closing(open_trail(trail_dir)) as trail:
        return run_anchors(trail, [], lambda _: None)


def verify(trail_dir: Path, witness: Nearby) -> Verification:
    """Verify with nothing but the witness's key from outside."""
    return verify_trail(trail_dir, witnesses=[witness.vkey])


def rewrite(trail_dir: Path, *, keep: Path | None = None) -> None:
    """Rewrite the audit log with the host's keys; take what the witness gave away."""
    if keep is not None:
        shutil.copytree(trail_dir / OUTSIDE, keep)
    forger = Forger(trail_dir, Log.AUDIT)
    leaves = forger.leaves()
    leaves[7], leaves[8] = leaves[8], leaves[7]
    forger.rewrite(leaves)
    if keep is not None:
        shutil.copytree(keep, trail_dir / OUTSIDE, dirs_exist_ok=True)
        return
    for shown in trail_dir.glob("public/*/checkpoint.cosigned"):
        shown.unlink()
    shutil.rmtree(trail_dir / "state/anchors")


def test_the_key_of_a_witness_alone_makes_the_verdict_ok(
    trail_dir: Path, witness: Nearby
) -> None:
    """An auditor with one line of text from the county needs no file from anybody."""
    alone = verify_trail(trail_dir)
    verified = verify(trail_dir, witness)

    assert alone.verdict is Verdict.UNANCHORED
    assert verified.verdict is Verdict.OK
    assert [log.held_to for log in verified.logs] == [EVENTS + 1, 1, 1]
    assert verified.logs[0].held_by[0].startswith("county.example/witness, 20")


def test_a_copy_without_state_carries_its_cosignatures(
    trail_dir: Path, witness: Nearby, tmp_path: Path
) -> None:
    """What is published is enough: tiles, checkpoint, and who cosigned it."""
    shutil.copytree(trail_dir / "public", tmp_path / "copy/public")
    verified = verify(tmp_path / "copy", witness)

    assert verified.verdict is Verdict.OK


def test_a_witness_that_nobody_named_supports_nothing(
    trail_dir: Path, witness: Nearby, tmp_path: Path
) -> None:
    """The host could run a witness of its own: only a named key counts."""
    with witness_nearby(tmp_path / "o.db", [], signer=WITNESS) as other:
        verified = verify(trail_dir, other)

    assert witness.vkey != other.vkey
    assert verified.verdict is Verdict.UNANCHORED


@pytest.mark.drill
def test_a_forged_cosignature_supports_nothing(
    trail_dir: Path, witness: Nearby
) -> None:
    """The host knows the witness's name and not its key."""
    rewrite(trail_dir)
    note = parse_note((trail_dir / "public/audit/checkpoint").read_bytes())
    thief = Signer(witness.vkey.name, WITNESS.public_key, WITNESS.sign)
    line = cosign_note(note.text, thief, time_s=1_790_000_000)
    forged = print_note(SignedNote(note.text, (*note.signatures, line)))
    (trail_dir / "public/audit/checkpoint.cosigned").write_bytes(forged)
    (trail_dir / OUTSIDE / "planted.note").write_bytes(forged)
    verified = verify_trail(trail_dir, witnesses=[witness.vkey], logs=[Log.AUDIT])

    assert find_cosigned(trail_dir, [witness.vkey]) == []
    assert verified.verdict is Verdict.UNANCHORED


@pytest.mark.drill
def test_a_rewritten_history_is_convicted_by_what_the_witness_cosigned(
    trail_dir: Path, witness: Nearby, tmp_path: Path
) -> None:
    """Whoever rewrites and leaves the cosigned note has left the proof."""
    before = verify(trail_dir, witness)
    rewrite(trail_dir, keep=tmp_path / "kept")
    after = verify(trail_dir, witness)

    assert (before.verdict, after.verdict) == (Verdict.OK, Verdict.FAILED)
    assert any("county.example/witness" in found.where for found in after.findings)


@pytest.mark.drill
def test_a_rewritten_history_without_its_notes_is_not_ok_and_not_cosigned(
    trail_dir: Path, witness: Nearby
) -> None:
    """The notes can be deleted; the witness remembers, says so, and shows why."""
    rewrite(trail_dir)
    alone = verify(trail_dir, witness)
    cames = {one.log: one.came for one in anchor(trail_dir)}
    convicted = verify(trail_dir, witness)

    assert alone.verdict is not Verdict.OK
    assert cames == {
        Log.AUDIT: Came.OTHER_HISTORY,
        Log.SECURITY: Came.HELD,
        Log.QUALITY: Came.HELD,
    }
    assert convicted.verdict is Verdict.FAILED
    assert read_status(trail_dir).logs[0].contradicted_by == ("county",)


@pytest.mark.drill
def test_a_rewritten_history_that_grew_is_not_cosigned_either(
    trail_dir: Path, witness: Nearby
) -> None:
    """A larger tree hides nothing: there is no proof from the old root to it."""
    rewrite(trail_dir)
    record_events(trail_dir, range(EVENTS, EVENTS + 20))
    (audit, *_) = anchor(trail_dir)
    with closing(open_trail(trail_dir)) as trail:
        trail.recorder.record(plain_event(9_999), NOW)
        with (
            closing(trail.publisher()) as publisher,
            pytest.raises(IntegrityError, match="rewritten"),
        ):
            publisher.publish()

    assert audit.came is Came.OTHER_HISTORY
    assert verify(trail_dir, witness).verdict is Verdict.FAILED
