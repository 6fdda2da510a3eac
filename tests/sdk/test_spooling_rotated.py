"""What waited in a spool while keys were rotated goes in once, and is found by its text."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest
from tests.sdk.test_spooling import (
    bring_back,
    down,
    story,
    take_down,
    until,
    until_replayed,
)
from tests.trails import NOW, phi_read

from phitrail.app import clock
from phitrail.app.key_rotation import rotate_keys
from phitrail.app.matching import Side, match_text
from phitrail.app.running import run_trail
from phitrail.app.verification import Verdict, verify_trail
from phitrail.app.wiring import open_trail
from phitrail.events.protected import Protected
from phitrail.keys.names import KeyKind, kinds_of_keys
from phitrail.sdk import connect

ROTATED = [name for name, kind in kinds_of_keys().items() if kind is not KeyKind.SIGN]
ANSWER = "The dose was halved."


def rotate(directory: Path) -> None:
    """Give every key that seals or hashes its next version."""
    with closing(open_trail(directory)) as trail:
        rotate_keys(trail, ROTATED, by="officer-7", reason="a test", now=NOW)


def versions_that_match(directory: Path) -> list[int]:
    """Say under which key versions the answer stands."""
    with run_trail(directory) as running:
        found = match_text(
            running, Protected(ANSWER), Side.ANSWER, by="officer-7", now=clock.now()
        )
    return [one.key_version for one in found.entries]


@pytest.mark.parametrize("rotations", [1, 3])
def test_a_spool_of_before_a_rotation_is_replayed_after_it(
    trail_dir: Path, tmp_path: Path, rotations: int
) -> None:
    """A program may have been off for the night in which keys were rotated."""
    spool = tmp_path / "spool"
    with connect(trail_dir, spool=spool) as trail:
        trail.record(phi_read(0))
        take_down(trail_dir)
        trail.record_many([phi_read(1), phi_read(2)])
        trail.log_phi_access("dr-3", "physician", "cardiology", None, [], ANSWER, None)
    kept = shutil.copytree(spool, tmp_path / "kept")
    bring_back(trail_dir)
    for _ in range(rotations):
        rotate(trail_dir)
    with connect(trail_dir, spool=spool) as trail:
        until_replayed(trail)
    once = [one for one in story(trail_dir) if not one.startswith("key_")]
    assert once == ["0", "started", "1", "2", "phi_read", "access_closed", "replayed"]

    # A copy of the spool comes back: everything in it stands in the log by now.
    rotate(trail_dir)
    shutil.rmtree(spool)
    kept.rename(spool)
    with connect(trail_dir, spool=spool) as trail:
        until_replayed(trail)

    assert once == [one for one in story(trail_dir) if not one.startswith("key_")]
    assert versions_that_match(trail_dir) == [1]
    assert verify_trail(trail_dir, deep=True).verdict is Verdict.UNANCHORED


def test_a_program_that_runs_hashes_under_the_new_version_and_spools_it(
    trail_dir: Path, tmp_path: Path
) -> None:
    """What it can do while the log is down follows the rotations of before."""
    with connect(trail_dir, spool=tmp_path / "spool") as trail:
        rotate(trail_dir)
        until(lambda: ":2:" in trail._backend.hasher.hash("text", "text").exact)
        with down(trail_dir):
            trail.log_phi_access(
                "dr-3", "physician", "cardiology", None, [], ANSWER, None
            )
        until_replayed(trail)

    assert versions_that_match(trail_dir) == [2]


def test_events_given_before_a_rotation_and_again_after_it_are_one(
    trail_dir: Path, tmp_path: Path
) -> None:
    """The log took them, the program did not learn it, spooled them, and keys went on."""
    with connect(trail_dir) as first:
        first.record_many([phi_read(1), phi_read(2)])
    with connect(trail_dir, spool=tmp_path / "spool") as trail:
        rotate(trail_dir)
        with down(trail_dir):
            trail.record_many([phi_read(1), phi_read(2), phi_read(3)])
        until_replayed(trail)
    told = story(trail_dir)

    assert [told.count(one) for one in "123"] == [1, 1, 1]
