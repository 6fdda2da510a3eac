"""Anchors are looked after beside the publisher, and nobody waits for them."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.anchor.witnesses import answering, witness_nearby
from tests.trails import record_events

from phitrail.anchor.settings import DirectorySettings, WitnessSettings
from phitrail.app.anchor_keeping import AnchorKeeper
from phitrail.app.anchor_standing import Shelf
from phitrail.app.config import write_anchors
from phitrail.app.pins import read_pins
from phitrail.app.wiring import open_trail
from phitrail.app.witnessed import witnessed_size
from phitrail.errors import ConfigError
from phitrail.events.codes import EventType, Log
from phitrail.sdk import AuditEvent, connect

WITHIN_S = 20.0


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so, at most `WITHIN_S`."""
    deadline = time.monotonic() + WITHIN_S
    while not is_so():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


def held_size(trail_dir: Path, name: str) -> int:
    """Say what an anchor holds of the audit log."""
    return Shelf(trail_dir, name, Log.AUDIT).read().held_size


def share(place: Path) -> DirectorySettings:
    """Give the settings of a directory that is looked after often."""
    place.mkdir()
    return DirectorySettings(
        name="share", path=str(place), may_share_device=True, every_s=0.1
    )


def test_an_open_trail_is_witnessed_by_itself(trail_dir: Path, tmp_path: Path) -> None:
    """Nobody has to remember to run anything while the clinic works."""
    keys = [pinned.log_key for pinned in read_pins(trail_dir).values()]
    with witness_nearby(tmp_path / "w.db", keys) as witness:
        write_anchors(
            trail_dir,
            [
                WitnessSettings(
                    name="county",
                    url=witness.url,
                    vkey=str(witness.vkey),
                    every_s=0.1,
                )
            ],
        )
        with connect(trail_dir) as trail:
            trail.record(AuditEvent(event_type=EventType.PHI_READ, user_id="dr-1"))
            wait_until(lambda: witnessed_size(trail_dir, Log.AUDIT) == 2)

    assert held_size(trail_dir, "county") == 2


def test_a_slow_witness_delays_neither_publishing_nor_another_anchor(
    trail_dir: Path, tmp_path: Path, witness_vkey: str
) -> None:
    """It answers when it likes; the clinic, the share and the end of the program do not."""
    answer_now = threading.Event()
    with answering((503, b""), until=answer_now) as (url, asked):
        write_anchors(
            trail_dir,
            [
                WitnessSettings(name="slow", url=url, vkey=witness_vkey, every_s=0.1),
                share(tmp_path / "share"),
            ],
        )
        trail = connect(trail_dir)
        wait_until(lambda: bool(asked))
        began = time.monotonic()
        trail.record(AuditEvent(event_type=EventType.PHI_READ, user_id="dr-1"))
        trail.publish()
        published_in = time.monotonic() - began
        wait_until(lambda: held_size(trail_dir, "share") == 2)
        began = time.monotonic()
        trail.close()
        closed_in = time.monotonic() - began

    assert held_size(trail_dir, "slow") == 0
    assert published_in < 5
    assert closed_in < 5


@pytest.fixture
def witness_vkey(tmp_path: Path) -> str:
    """Give the key of some witness."""
    with witness_nearby(tmp_path / "some.db", []) as nearby:
        return str(nearby.vkey)


def test_only_who_publishes_hands_over(trail_dir: Path, tmp_path: Path) -> None:
    """Four workers with one trail must not ask every anchor four times."""
    trail = open_trail(trail_dir)
    looks = threading.Semaphore(0)

    def is_publishing() -> bool:
        looks.release()
        return False

    keeper = AnchorKeeper(
        trail,
        [share(tmp_path / "share")],
        is_publishing=is_publishing,
        look_every_s=0.01,
    )
    keeper.start()
    for _ in range(3):
        assert looks.acquire(timeout=WITHIN_S)
    keeper.close()
    trail.close()

    assert held_size(trail_dir, "share") == 0


def test_somebody_who_waits_is_served_at_once(trail_dir: Path, tmp_path: Path) -> None:
    """`wait(receipt, "witnessed")` must not take as long as the pause."""
    keys = [pinned.log_key for pinned in read_pins(trail_dir).values()]
    with witness_nearby(tmp_path / "w.db", keys) as witness:
        settings = WitnessSettings(
            name="county", url=witness.url, vkey=str(witness.vkey), every_s=3_000.0
        )
        trail = open_trail(trail_dir)
        keeper = AnchorKeeper(
            trail, [settings], is_publishing=lambda: True, look_every_s=3_000
        )
        keeper.start()
        wait_until(lambda: held_size(trail_dir, "county") == 1)
        record_events(trail_dir, range(3))
        keeper.hurry()
        wait_until(lambda: held_size(trail_dir, "county") == 4)
        keeper.close()
        trail.close()

    assert not keeper.failures


def test_a_wrong_anchors_file_is_refused_at_opening(trail_dir: Path) -> None:
    """An anchor that is mistyped must not be found out after six years."""
    (trail_dir / "anchors.yaml").write_text("anchors: [{kind: carrier_pigeon}]")

    with pytest.raises(ConfigError, match="kind must be one of"):
        connect(trail_dir)


def test_a_keeper_that_never_ran_closes(trail_dir: Path, tmp_path: Path) -> None:
    """An opening that failed half way must be able to clean up."""
    trail = open_trail(trail_dir)
    anchors = [share(tmp_path / "share")]
    AnchorKeeper(trail, anchors, is_publishing=lambda: True).close()
    trail.close()

    assert held_size(trail_dir, "share") == 0
