"""An investigator with a receipt, and nothing else that he trusts, gets a verdict."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.trails import NOW, copy_trail, found, phi_read, record_events

from phitrail.app.key_wiring import KEYS
from phitrail.app.pins import read_pins
from phitrail.app.receipt_checks import (
    ReceiptCheck,
    ReceiptVerdict,
    check_receipts,
    kept_promises,
    named_logs,
    read_receipt_files,
)
from phitrail.app.verification import Verdict, verify_trail
from phitrail.app.wiring import open_trail
from phitrail.demo.forger import Forger
from phitrail.errors import InputError, IntegrityError
from phitrail.events.codes import Log
from phitrail.sdk import connect
from phitrail.tlog.checkpoint import open_checkpoint
from phitrail.tlog.hashing import Hash
from phitrail.tlog.receipt import Position, Receipt

COUNT = 300


@dataclass(frozen=True, slots=True)
class Receipted:
    """A published trail, and what its callers were given."""

    directory: Path
    receipts: tuple[Receipt, ...]


@pytest.fixture(scope="session")
def receipted(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Receipted:
    """Record 300 events and publish them."""
    directory = copy_trail(founded, tmp_path_factory.mktemp("receipted") / "trail")
    return Receipted(directory, tuple(record_events(directory, range(COUNT))))


@pytest.fixture
def copy(receipted: Receipted, tmp_path: Path) -> Path:
    """Give a copy to spoil."""
    return copy_trail(receipted.directory, tmp_path / "copy")


def check(directory: Path, *receipts: Receipt) -> list[ReceiptCheck]:
    """Check receipts as files."""
    files = [(f"{at}.json", one.to_json()) for at, one in enumerate(receipts)]
    return check_receipts(directory, read_receipt_files(files))


def verdicts(directory: Path, *receipts: Receipt) -> set[ReceiptVerdict]:
    """Say what came of receipts."""
    return {one.verdict for one in check(directory, *receipts)}


def altered(receipt: Receipt, **changes: object) -> Receipt:
    """Change the place that a receipt names; its promise stays."""
    (place,) = receipt.positions
    return replace(
        receipt,
        positions=(
            Position(
                place.log,
                changes.get("index", place.index),  # type: ignore[arg-type]  # an int
                changes.get("leaf_hash", place.leaf_hash),  # type: ignore[arg-type]  # a hash
            ),
        ),
    )


# --- kept ---


def test_every_receipt_of_an_honest_log_is_kept(receipted: Receipted) -> None:
    """A promise that was kept must not be called broken, wherever its entry stands."""
    checks = check(receipted.directory, *receipted.receipts)

    assert {one.verdict for one in checks} == {ReceiptVerdict.KEPT}
    assert [one.index for one in checks] == list(range(1, COUNT + 1))
    assert named_logs(checks) == [Log.AUDIT]


def test_a_copy_without_keys_and_state_is_enough(copy: Path) -> None:
    """An investigator is given `public/` and nothing that is sealed."""
    receipt = record_events(copy, [1000])[0]
    for name in (KEYS, "state"):
        shutil.rmtree(copy / name)

    assert verdicts(copy, receipt) == {ReceiptVerdict.KEPT}


def test_a_kept_promise_supports_its_log(receipted: Receipted) -> None:
    """It was held outside: the log is bound by it up to its size."""
    last = receipted.receipts[-1]
    promises = kept_promises(check(receipted.directory, last))
    outcome = verify_trail(receipted.directory, logs=[Log.AUDIT], outside=promises)

    assert outcome.verdict is Verdict.OK
    assert outcome.logs[0].held_to == COUNT + 1


def test_what_is_not_published_yet_is_told_apart(copy: Path) -> None:
    """An investigator who comes early must neither acquit nor convict."""
    trail = open_trail(copy)
    try:
        receipt = trail.recorder.record(phi_read(1000), NOW)
    finally:
        trail.close()
    (early,) = check(copy, receipt)
    assert early.verdict is ReceiptVerdict.UNPUBLISHED
    assert "no checkpoint here covers it yet (the newest has 301 entries)" in early.says
    shutil.rmtree(copy / KEYS)
    assert verdicts(copy, receipt) == {ReceiptVerdict.UNPUBLISHED}


# --- broken ---


def cut(directory: Path) -> None:
    """Cut the tail, with every signature in place."""
    forger = Forger(directory, Log.AUDIT)
    forger.rewrite(forger.leaves()[:20])


def rewrite(directory: Path) -> None:
    """Alter one entry and sign everything anew with the host's own keys."""
    forger = Forger(directory, Log.AUDIT)
    leaves = forger.leaves()
    leaves[5] = leaves[5].replace(b"dr-0012", b"dr-0013")
    forger.rewrite(leaves)


@pytest.mark.drill
@pytest.mark.parametrize(
    ("attack", "words"),
    [(cut, "promised 301 entries and has 20"), (rewrite, "another root at size 301")],
)
def test_a_broken_promise_shows_both_notes(
    copy: Path, receipted: Receipted, attack: Callable[[Path], None], words: str
) -> None:
    """Two statements under the log's own keys: nobody else needs to be believed."""
    attack(copy)
    (broken,) = check(copy, receipted.receipts[-1])
    pinned = read_pins(copy)[Log.AUDIT]
    origin = pinned.genesis.origin
    promised = open_checkpoint(
        broken.promised.encode(), [pinned.promise_key], origin=origin
    )
    shown = open_checkpoint(
        broken.shown.encode(), [pinned.log_key, pinned.promise_key], origin=origin
    )

    assert (broken.verdict, words in broken.says) == (ReceiptVerdict.BROKEN, True)
    assert promised.size == COUNT + 1
    assert (shown.size, shown.root) != (promised.size, promised.root)
    assert kept_promises([broken]) == []


@pytest.mark.drill
def test_a_restored_backup_breaks_the_promises_after_it(
    trail_dir: Path, tmp_path: Path
) -> None:
    """State restored, keys intact, and the log goes on as if nothing had been."""
    backup = copy_trail(trail_dir, tmp_path / "backup")
    before = record_events(backup, range(3))
    later = copy_trail(backup, tmp_path / "later")
    after = record_events(later, range(3, 6))
    assert verdicts(backup, *after) == {ReceiptVerdict.BROKEN}
    record_events(backup, range(100, 110))

    assert verdicts(backup, *before) == {ReceiptVerdict.KEPT}
    assert verdicts(backup, *after) == {ReceiptVerdict.BROKEN}


def test_the_evidence_of_the_sdk_is_checked_alike(
    trail_dir: Path, receipts_dir: Path
) -> None:
    """The officer gets one file, and verifies it against any copy of the trail."""
    with connect(trail_dir) as trail:
        for number in range(5):
            trail.record(phi_read(number))
    honest = copy_trail(trail_dir, trail_dir.with_name("honest"))
    rewrite(trail_dir)
    with pytest.raises(IntegrityError):
        connect(trail_dir)
    (place,) = receipts_dir.glob("broken-promise-*.json")
    brought = read_receipt_files([("evidence", place.read_bytes())])
    (here,) = check_receipts(trail_dir, brought)
    (there,) = check_receipts(honest, brought)

    assert (here.verdict, here.index) == (ReceiptVerdict.BROKEN, None)
    assert there.verdict is ReceiptVerdict.BROKEN
    assert "signed the other note as well" in there.says


# --- refused ---


@pytest.mark.drill
def test_a_receipt_with_another_entry_is_refused(receipted: Receipted) -> None:
    """Its promise is true and kept: whoever altered the rest must not convict the log."""
    receipt = receipted.receipts[7]
    leaf_hash = receipt.positions[0].leaf_hash
    flipped = Hash(bytes([leaf_hash[0] ^ 1]) + leaf_hash[1:])

    for wrong in ({"leaf_hash": flipped}, {"index": 0}, {"index": 5_000}):
        assert verdicts(receipted.directory, altered(receipt, **wrong)) == {
            ReceiptVerdict.REFUSED
        }


def test_a_flipped_byte_in_the_promise_is_refused(receipted: Receipted) -> None:
    """Every byte of a note is signed or is the signature."""
    receipt = receipted.receipts[7]
    note = receipt.promises["audit"]
    signature = note.rindex(b" ") + 20
    for at in (note.index(b"\n9\n") + 1, signature):
        flipped = note[:at] + bytes([note[at] ^ 1]) + note[at + 1 :]
        forged = replace(receipt, promises={"audit": flipped})
        assert verdicts(receipted.directory, forged) == {ReceiptVerdict.REFUSED}


def test_a_receipt_of_another_trail_is_refused(
    receipted: Receipted, tmp_path: Path
) -> None:
    """The same tenant with other keys is another trail, or one whose keys were replaced."""
    other = found(tmp_path / "other")
    (checked,) = check(other, receipted.receipts[0])

    assert checked.verdict is ReceiptVerdict.REFUSED
    assert "the keys here were replaced" in checked.says


def test_what_is_no_receipt_is_an_error_of_its_bringer() -> None:
    """A wrong file must not look like a broken log."""
    with pytest.raises(InputError, match="neither a phitrail receipt nor"):
        read_receipt_files([("x", b"{}")])


# --- nothing can be told ---


def test_damaged_files_prove_nothing(copy: Path, receipted: Receipted) -> None:
    """A lost tile is a damage to restore, no broken promise."""
    receipt = receipted.receipts[0]
    (copy / "public/audit/tile/0/000").unlink()
    assert verdicts(copy, receipt) == {ReceiptVerdict.UNPROVEN}
    (copy / "public/audit/checkpoint").write_bytes(b"")
    assert verdicts(copy, receipt) == {ReceiptVerdict.UNPROVEN}
    (copy / "public/audit/genesis.json").unlink()
    elsewhere = altered(receipt)
    elsewhere = replace(
        elsewhere,
        positions=(Position("nowhere", 0, receipt.positions[0].leaf_hash),),
        promises={"nowhere": receipt.promises["audit"]},
    )

    assert verdicts(copy, receipt, elsewhere) == {ReceiptVerdict.UNPROVEN}
    assert named_logs(check(copy, elsewhere)) == []
