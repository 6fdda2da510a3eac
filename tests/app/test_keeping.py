"""The keeper advances tables when they are due, and only then."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.trails import NOW, found, phi_read

from phitrail.app import keeping
from phitrail.app.keeping import TableKeeper
from phitrail.app.running import RunningTrail, run_trail
from phitrail.app.table_checks import verify_tables
from phitrail.errors import IntegrityError
from phitrail.events.codes import Log
from phitrail.projection.segments import TABLES


@pytest.fixture
def trail(tmp_path: Path) -> Iterator[RunningTrail]:
    """A trail with a few entries and no tables."""
    with run_trail(found(tmp_path / "trail")) as running:
        for number in range(5):
            running.parts.recorder.record(phi_read(number), NOW)
        yield running


def sizes(trail: RunningTrail) -> dict[Log, int]:
    """Say how many entries the tables of each log cover."""
    return {check.log: check.size for check in verify_tables(trail.parts.directory)}


def test_a_small_young_tail_is_left_alone(trail: RunningTrail) -> None:
    """A segment for every few entries would make thousands of files."""
    keeper = TableKeeper(trail.parts)

    assert not keeper.look(NOW)
    assert not keeper.look(NOW + timedelta(minutes=59))
    assert sizes(trail)[Log.AUDIT] == 0


def test_an_hour_old_tail_is_closed_once(trail: RunningTrail) -> None:
    """A quiet trail's tail must not be folded at every question for ever."""
    keeper = TableKeeper(trail.parts)
    keeper.look(NOW)

    assert keeper.look(NOW + timedelta(minutes=60))
    assert sizes(trail)[Log.AUDIT] == 6
    assert not keeper.look(NOW + timedelta(minutes=61))


def test_a_long_tail_is_closed_at_once(
    trail: RunningTrail, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under load the tail must stay small enough to ask."""
    monkeypatch.setattr(keeping, "DUE_ROWS", 6)

    assert TableKeeper(trail.parts).look(NOW)
    assert sizes(trail)[Log.AUDIT] == 6


def test_changed_tables_stop_the_keeper_and_are_recorded(trail: RunningTrail) -> None:
    """Damage that only a log line knows of is damage that nobody sees."""
    place = trail.parts.directory / TABLES / "audit/manifest"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"not a manifest")
    keeper = TableKeeper(trail.parts, look_every_s=0.001)
    before = trail.sizes()["security"]

    keeper.start()
    keeper._thread.join(timeout=20)

    assert isinstance(keeper.failure, IntegrityError)
    assert trail.sizes()["security"] == before + 1
    keeper.close()
