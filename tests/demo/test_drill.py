"""Every attack of the drill is caught, and three of them only by what is kept outside."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.trails import copy_trail, record_events

from phitrail.app.verification import Verdict, verify_trail
from phitrail.demo.drill import ATTACKS, Attack, DrillResult, held_size, run_drill
from phitrail.errors import InputError
from phitrail.events.codes import Log

SEEN_FROM_OUTSIDE_ONLY = {"cut_tail", "full_rewrite", "restored_backup"}


@pytest.fixture(scope="module")
def closed(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a closed trail of 701 audit entries; published at 101, 401 and 701."""
    directory = copy_trail(founded, tmp_path_factory.mktemp("drill") / "trail")
    record_events(directory, range(100))
    record_events(directory, range(100, 400))
    for log in Log:
        note = (directory / f"public/{log}/checkpoint").read_bytes()
        (directory.parent / f"{log}.saved").write_bytes(note)
    record_events(directory, range(400, 700))
    return directory


@pytest.fixture(scope="module")
def outside(closed: Path) -> Mapping[str, bytes]:
    """Give the checkpoints that were saved at 401."""
    return {f"usb/{log}": (closed.parent / f"{log}.saved").read_bytes() for log in Log}


@pytest.fixture(scope="module")
def drill(
    closed: Path, outside: Mapping[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> list[DrillResult]:
    """Run the whole drill once."""
    return run_drill(closed, outside, tmp_path_factory.mktemp("copies"))


@pytest.mark.drill
@pytest.mark.parametrize(
    ("name", "by"),
    [
        ("modified_entry", "bundle: audit entry 200"),
        ("deleted_entry", "bundle: audit bundle 0: holds 255 entries"),
        ("cut_tail", "outside_checkpoint: audit usb/audit: the log had 401 entries"),
        ("reordered_entries", "bundle: audit entry 199"),
        ("full_rewrite", "outside_checkpoint: audit usb/audit: the log had another"),
        ("replaced_checkpoint", "checkpoint: audit checkpoint: note: no known key"),
        ("restored_backup", "outside_checkpoint: audit saved after the backup"),
        ("swapped_bundle", "bundle: audit bundle 0: a sealed envelope is not under"),
    ],
)
def test_each_attack_is_caught_by_what_it_breaks(
    drill: list[DrillResult], name: str, by: str
) -> None:
    """The drill is the product's claim in one page; each line of it must be true."""
    (result,) = [one for one in drill if one.name == name]

    assert result.caught
    assert result.by.startswith(by)
    assert result.ms >= 0


@pytest.mark.drill
@pytest.mark.parametrize("attack", ATTACKS, ids=[one.name for one in ATTACKS])
def test_without_the_outside_the_consistent_attacks_pass_as_unanchored(
    closed: Path, outside: Mapping[str, bytes], tmp_path: Path, attack: Attack
) -> None:
    """This is why a checkpoint must leave the host, and why it is never called ok."""
    copy = copy_trail(closed, tmp_path / "copy")
    attack.carry_out(copy, held_size(closed, outside))

    verdict = verify_trail(copy, deep=True).verdict

    unseen = attack.name in SEEN_FROM_OUTSIDE_ONLY
    assert verdict is (Verdict.UNANCHORED if unseen else Verdict.FAILED)


def test_the_attacked_trail_itself_is_untouched_and_ok(
    closed: Path, outside: Mapping[str, bytes], drill: list[DrillResult]
) -> None:
    """A drill that harmed the trail it was shown would end the trust in both."""
    verified = verify_trail(closed, outside=tuple(outside.items()), deep=True)

    assert len(drill) == len(ATTACKS)
    assert verified.verdict is Verdict.OK
    assert verified.logs[0].size == 701


@pytest.mark.drill
def test_a_rewriter_clears_what_came_back_from_outside(
    closed: Path, outside: Mapping[str, bytes], tmp_path: Path
) -> None:
    """What is kept in the trail is in the attacker's hands, like the trail."""
    copy = copy_trail(closed, tmp_path / "copy")
    (copy / "state/outside/officer").write_bytes(outside["usb/audit"])
    (rewrite,) = [one for one in ATTACKS if one.name == "full_rewrite"]

    rewrite.carry_out(copy, held_size(closed, outside))

    assert not list((copy / "state/outside").iterdir())
    assert verify_trail(copy).verdict is Verdict.UNANCHORED


def test_it_tells_how_far_it_is_and_leaves_no_copies(
    closed: Path, outside: Mapping[str, bytes], tmp_path: Path
) -> None:
    """Eight copies of a large trail would fill a disk."""
    seen: list[tuple[int, int]] = []

    run_drill(
        closed, outside, tmp_path, progress=lambda done, of: seen.append((done, of))
    )

    assert seen == [(number, len(ATTACKS)) for number in range(1, len(ATTACKS) + 1)]
    assert not list(tmp_path.iterdir())


def test_a_trail_that_is_too_small_is_refused(founded: Path, tmp_path: Path) -> None:
    """With no middle to attack, eight catches would be a lie."""
    note = (founded / "public/audit/checkpoint").read_bytes()

    with pytest.raises(InputError, match="8 entries or more"):
        run_drill(founded, {"usb": note}, tmp_path)
    with pytest.raises(InputError, match="a checkpoint of the audit log"):
        run_drill(founded, {}, tmp_path)


def test_the_middle_may_fall_on_the_edge_of_a_bundle(
    closed: Path, outside: Mapping[str, bytes], tmp_path: Path
) -> None:
    """Two neighbours to exchange must stand in one bundle, whatever the size."""
    (reorder,) = [one for one in ATTACKS if one.name == "reordered_entries"]
    copy = copy_trail(closed, tmp_path / "copy")

    reorder.carry_out(copy, 512)

    found = verify_trail(copy, outside=tuple(outside.items())).findings
    assert [one.where for one in found] == ["entry 256"]
