"""Every write of a change of the keys fails once: the keys of before, or those of after.

After each fault the trail opens, the register is what the log tells, every key opens, what
was recorded before verifies, and the change can be asked for again.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.faults.steps import Fault, FaultyFiles, Kind, faulty_connect
from tests.trails import NOW, copy_trail, found, record_events

from phitrail.app.config import read_policy, read_tenant
from phitrail.app.key_check import check_register
from phitrail.app.key_handover import CHANGE
from phitrail.app.key_rewrap import retire_wrapping_key, rotate_wrapping_key
from phitrail.app.key_rotation import rotate_keys
from phitrail.app.key_wiring import current_register, open_ring
from phitrail.app.pins import JOURNAL, read_lines
from phitrail.app.verification import verify_trail
from phitrail.app.wiring import Trail, assemble, open_trail, wire_log_keys
from phitrail.durable.files import DurableFiles
from phitrail.errors import StorageError
from phitrail.events.codes import Log
from phitrail.keys.names import KeyId
from phitrail.keys.states import KeyState
from phitrail.tlog.journal import Journal

MANY = 60
BY, WHY = "officer-1", "yearly"
ROTATED = ("text-hash", "audit-seal")
Change = Callable[[Trail, DurableFiles | None], object]
Connect = Callable[..., sqlite3.Connection]


def rotate_secrets(trail: Trail, files: DurableFiles | None) -> None:
    """Rotate two keys at once."""
    rotate_keys(trail, ROTATED, by=BY, reason=WHY, now=NOW, files=files)


def rotate_wrapping(trail: Trail, files: DurableFiles | None) -> None:
    """Rotate the vault's own key."""
    rotate_wrapping_key(trail, by=BY, reason=WHY, now=NOW, files=files)


def retire_wrapping(trail: Trail, files: DurableFiles | None) -> None:
    """Retire the versions of the vault's own key before the one in use."""
    retire_wrapping_key(trail, by=BY, reason=WHY, now=NOW, files=files)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a trail with some events, whose vault's key was rotated once; copy it."""
    directory = found(tmp_path_factory.mktemp("whole") / "trail")
    record_events(directory, range(5))
    trail = open_trail(directory)
    try:
        rotate_wrapping(trail, None)
    finally:
        trail.close()
    return directory


def open_faulty(directory: Path, connect: Connect) -> Trail:
    """Open a trail over a journal of our choice."""
    tenant, policy = read_tenant(directory), read_policy(directory)
    keys = open_ring(directory, policy)
    log_keys = wire_log_keys(tenant.tenant, keys, read_lines(directory))
    journal = Journal.open(directory / JOURNAL, connect=connect)
    return assemble(directory, tenant, policy, keys, log_keys, journal)


def fail(directory: Path, change: Change, fault: Fault, *, of_files: bool) -> bool:
    """Make a change over a fault; say whether that failed."""
    fault.is_armed = False
    connect: Connect = sqlite3.connect if of_files else faulty_connect(fault)
    files = FaultyFiles(directory, fault) if of_files else None
    trail = open_faulty(directory, connect)
    fault.is_armed = True
    try:
        change(trail, files)
    except StorageError:
        return True
    else:
        return False
    finally:
        fault.is_armed = False
        trail.close()


def states(directory: Path) -> dict[KeyId, KeyState]:
    """Say what the signed register says."""
    return current_register(directory).states()


def check_stands(directory: Path) -> None:
    """Check that register, log, keys and entries belong together."""
    trail = open_trail(directory)
    try:
        checked = check_register(directory, lambda: trail.reader(Log.AUDIT))
        fingerprints = trail.keys.fingerprints()
    finally:
        trail.close()
    register = current_register(directory)

    assert not checked.differences
    assert not (directory / CHANGE).exists()
    assert {key_id: register.entry(key_id).fingerprint for key_id in fingerprints} == (
        fingerprints
    )
    assert not verify_trail(directory, deep=True).findings


@pytest.mark.long
@pytest.mark.parametrize("of_files", [True, False], ids=["files", "journal"])
@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize(
    "change",
    [
        rotate_secrets,
        rotate_wrapping,
        retire_wrapping,
    ],
)
def test_a_fault_at_any_step_leaves_the_keys_of_before_or_of_after(
    whole: Path, memory_path: Path, change: Change, kind: Kind, of_files: bool
) -> None:
    """Half a change would leave entries that no key opens, or a key that nobody knows."""
    before = states(whole)
    unharmed = copy_trail(whole, memory_path / "unharmed")
    assert not fail(unharmed, change, Fault(kind, MANY), of_files=of_files)
    after = states(unharmed)
    outcomes = set()
    for at in range(MANY):
        directory = copy_trail(whole, memory_path / str(at))
        fault = Fault(kind, at)
        failed = fail(directory, change, fault, of_files=of_files)
        if not fault.was_reached:
            break
        check_stands(directory)
        found_states = states(directory)
        assert found_states in (before, after), at
        assert failed or found_states == after, "what was said to be done was not"
        outcomes.add(found_states == after)
        if found_states == before:
            assert not fail(directory, change, Fault(kind, MANY), of_files=of_files)
        record_events(directory, range(5, 7))
        check_stands(directory)
    else:
        raise AssertionError("more steps than were looked at")

    is_known_after = of_files or kind is Kind.KEPT
    assert outcomes == {False, True} if is_known_after else {False}
