"""Every write, sync, rename and removal of a succession fails once: old keys or new ones.

After each fault the trail opens, goes on, and verifies against what was carried out
before; asking again ends well. What is left undone is said in words.
"""

from pathlib import Path

import pytest
from tests.app.key_verbs import check_register_is_the_log_s
from tests.app.trust import AUDIT, Kept, found_kept
from tests.faults.steps import Fault, FaultyFiles, Kind
from tests.trails import NOW, copy_trail

from phitrail.app.handover import HANDOVER
from phitrail.app.key_listing import list_trail_keys
from phitrail.app.pins import read_lines
from phitrail.app.succession import Asked, succeed
from phitrail.app.verification import Verdict
from phitrail.errors import StorageError
from phitrail.events.codes import SuccessionReason
from phitrail.events.protected import Protected

MANY = 40


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """Give a trail with some events; copy it."""
    trail = found_kept(tmp_path_factory.mktemp("whole") / "trail")
    trail.grow(0, 5)
    return trail


def fail(trail: Path, recovery: Protected[str], fault: Fault) -> bool:
    """Rotate over a fault; say whether that failed."""
    asked = Asked(AUDIT, SuccessionReason.ROTATION, "officer-1")
    try:
        succeed(trail, asked, recovery, NOW, files=FaultyFiles(trail, fault))
    except StorageError:
        return True
    return False


@pytest.mark.parametrize("kind", list(Kind))
def test_a_fault_at_any_step_leaves_the_old_keys_or_the_new(
    whole: Kept, memory_path: Path, kind: Kind
) -> None:
    """A trail that nobody can open any more would lose what it was made for."""
    outcomes = set()
    for at in range(MANY):
        trail = Kept(copy_trail(whole.directory, memory_path / str(at)), whole.recovery)
        seen = trail.checkpoint()
        fault = Fault(kind, at)
        failed = fail(trail.directory, whole.recovery, fault)
        if not fault.was_reached:
            break
        before = list_trail_keys(trail.directory)
        assert (before.unfinished is not None) >= (
            trail.directory / HANDOVER
        ).exists(), "what is left undone must be said"
        assert trail.verify(seen).verdict is Verdict.OK
        check_register_is_the_log_s(trail.directory)
        versions = len(read_lines(trail.directory)[AUDIT].tenures)
        outcomes.add((failed, versions))
        trail.grow(5, 8)
        found = trail.verify(seen, trail.checkpoint(), deep=True)
        assert (found.verdict, found.findings) == (Verdict.OK, ())
        if versions == 1:
            assert trail.rotate().key_version == 2
            assert trail.verify(seen).verdict is Verdict.OK
        left = {place.name for place in (trail.directory / "keys").iterdir()}
        assert "handover" not in left
    else:
        raise AssertionError("more steps than were looked at")

    assert {(True, 1), (True, 2)} <= outcomes
