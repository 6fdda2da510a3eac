"""One log in memory: whatever is true passes, whatever is altered is found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.evidence.memory_log import GENESIS, LOG_KEY, ORIGIN, MemoryLog
from tests.tlog.trees import FEW, MANY, make_signer

from phitrail.errors import IntegrityError
from phitrail.events.codes import Log
from phitrail.evidence.findings import Findings
from phitrail.evidence.verify import Mode, open_genesis, origin_of_note
from phitrail.tlog.checkpoint import Checkpoint
from phitrail.tlog.hashing import hash_leaf
from phitrail.tlog.note import sign_note
from phitrail.tlog.tile import frame_entries, split_bundle


@given(size=st.integers(1, 1100), data=st.data())
@FEW
def test_every_true_checkpoint_is_found_true(size: int, data: st.DataObject) -> None:
    """Kept and outside checkpoints of any size, in tiles and at their ends."""
    log = MemoryLog(size)
    kept = sorted(data.draw(st.sets(st.integers(1, size), max_size=9)))
    seen = data.draw(st.integers(1, size))

    verdict = log.verify(
        kept=kept, outside=[log.sign(seen)], step=data.draw(st.integers(1, 3))
    )

    assert verdict.findings == ()
    assert (verdict.entries, verdict.kept) == (size, len(kept))
    assert verdict.held_to == seen


@given(data=st.data(), opens=st.booleans())
@MANY
def test_one_altered_byte_in_any_file_is_found(
    data: st.DataObject, opens: bool
) -> None:
    """No byte of a tile or bundle may be free to change."""
    log = MemoryLog(data.draw(st.sampled_from([1, 3, 256, 257, 600])))
    path = data.draw(
        st.sampled_from([path for path in log.files if opens or "entries" not in path])
    )
    altered = bytearray(log.files[path])
    at = data.draw(st.integers(0, len(altered) - 1))
    altered[at] ^= data.draw(st.integers(1, 255))
    log.files[path] = bytes(altered)

    verdict = log.verify(kept=[1], opens=opens)

    assert verdict.findings


@given(path=st.sampled_from(sorted(MemoryLog(600).files)))
@FEW
def test_one_missing_file_is_found_by_its_name(path: str) -> None:
    """What is not there cannot have been verified."""
    log = MemoryLog(600)
    del log.files[path]

    findings = log.verify().findings

    assert "is missing" in str(findings)


@pytest.mark.parametrize("size", [256, 300], ids=["full", "unfinished"])
@pytest.mark.parametrize("culprit", ["bundle", "tile"])
def test_the_altered_one_of_bundle_and_tile_is_named(size: int, culprit: str) -> None:
    """The level above says who is right; the honest one must not be accused."""
    log = MemoryLog(size)
    name = "000" if size == 256 else "001.p/44"
    if culprit == "bundle":
        entries = split_bundle(log.files[f"tile/entries/{name}"])
        entries[-2:] = [b"other", b"entries"]
        log.files[f"tile/entries/{name}"] = frame_entries(entries)
    else:
        tile = log.files[f"tile/0/{name}"]
        log.files[f"tile/0/{name}"] = tile[:-32] + hash_leaf(b"other")

    (found,) = log.verify().findings

    assert found.check == culprit
    where = f"entry {size - 2}" if culprit == "bundle" else f"tile/0/{name}"
    assert found.where == where


def test_both_altered_are_both_named() -> None:
    """Neither is right, and nobody is let off for the other."""
    log = MemoryLog(300)
    for path in ("tile/0/001.p/44", "tile/entries/001.p/44"):
        log.files[path] = log.files[path][:-1] + b"?"

    checks = [found.check.value for found in log.verify().findings]

    assert checks == ["bundle", "tile", "checkpoint"]


def test_without_the_level_above_neither_bundle_nor_tile_is_let_off() -> None:
    """When nobody can say which was altered, both are named."""
    log = MemoryLog(256)
    log.files["tile/entries/000"] = log.files["tile/entries/000"][:-1] + b"?"
    del log.files["tile/1/000.p/1"]

    checks = [found.check.value for found in log.verify().findings]

    assert checks == ["bundle", "tile", "tile", "checkpoint"]


def test_tiles_of_a_later_checkpoint_do_not_disturb() -> None:
    """A writer at work leaves wider tiles than the checkpoint that was read."""
    log = MemoryLog(300)
    log.files["tile/0/001.p/45"] = log.files["tile/0/001.p/44"] + bytes(32)

    assert log.verify().findings == ()


def test_a_hole_in_the_unfinished_tile_is_no_pass() -> None:
    """With neither entries nor hashes the newest checkpoint stays unproven."""
    log = MemoryLog(300)
    del log.files["tile/0/001.p/44"], log.files["tile/entries/001.p/44"]

    verdict = log.verify(outside=[log.sign(300)])

    assert [found.check.value for found in verdict.findings] == ["bundle", "tile"]
    assert (verdict.held_to, verdict.entries) == (None, 256)


def test_tiles_only_is_said() -> None:
    """A reader of the result must know that no entry was opened."""
    assert MemoryLog(300).verify(opens=False).mode is Mode.TILES
    assert MemoryLog(300).verify().mode is Mode.ENTRIES


def test_another_key_of_the_same_name_speaks_for_no_log() -> None:
    """The pin is the key, not its name."""
    log = MemoryLog(3)
    stranger = make_signer(ORIGIN, bytes(32))
    body = Checkpoint(ORIGIN, 3, hash_leaf(b"x")).body()
    log.public = sign_note(body, [stranger])

    verdict = log.verify()

    assert [found.check.value for found in verdict.findings] == ["checkpoint"]
    assert verdict.entries == 0


def test_another_log_s_checkpoint_is_not_this_log_s() -> None:
    """The same key under another origin would let one log stand in for another."""
    log = MemoryLog(3)
    body = Checkpoint("clinic.example/quality", 3, hash_leaf(b"x")).body()
    log.public = sign_note(body, [LOG_KEY])

    assert [one.check.value for one in log.verify().findings] == ["checkpoint"]


def test_the_genesis_of_another_log_pins_nothing() -> None:
    """A genesis copied from beside is refused before a signature is looked at."""
    findings = Findings("quality")

    assert open_genesis(GENESIS, Log.QUALITY, findings) is None
    assert [one.check.value for one in findings.kept] == ["genesis"]


def test_the_origin_of_a_note_is_its_first_line() -> None:
    """Notes from outside are sorted by it before they are verified."""
    assert origin_of_note(MemoryLog(1).public) == ORIGIN
    with pytest.raises(IntegrityError):
        origin_of_note(b"no note")
