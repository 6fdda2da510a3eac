"""Keys are made, suspended and taken back into use, and what that stops is refused."""

from datetime import timedelta
from pathlib import Path

import pytest
from tests.app.key_verbs import (
    BY,
    WHY,
    changing,
    check_register_is_the_log_s,
    recording,
    state,
)
from tests.trails import NOW, check_whole, phi_read, publish_once, record_events

from phitrail.app.documents import open_document
from phitrail.app.key_rotation import rotate_key
from phitrail.app.key_states import create_key, lift_suspension, suspend_key
from phitrail.app.key_wiring import KEYS
from phitrail.app.pipeline import Pipeline
from phitrail.errors import InputError, StorageError
from phitrail.keys.states import KeyState

LATER = NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    "name", ["audit-seal", "idempotency", "identity-index", "audit-promise"]
)
def test_a_suspended_key_stops_recording_until_it_is_lifted(
    trail_dir: Path, name: str
) -> None:
    """What a doubted key would protect must not go on under it, nor without one."""
    record_events(trail_dir, range(3))
    with changing(trail_dir) as trail:
        moved = suspend_key(trail, f"{name}:v1", by=BY, reason=WHY, now=NOW)
    with (
        recording(trail_dir) as trail,
        pytest.raises(StorageError, match=f"{name}.*lift"),
    ):
        trail.recorder.record(phi_read(7), NOW)
    with changing(trail_dir) as trail:
        lift_suspension(trail, f"{name}:v1", by=BY, reason="found again", now=LATER)
    (receipt,) = record_events(trail_dir, [8])

    assert "recording stops" in moved.stops
    assert state(trail_dir, f"{name}:v1") is KeyState.ACTIVE
    check_whole(trail_dir).check_holds([receipt], trail_dir)
    check_register_is_the_log_s(trail_dir)


def test_a_suspended_checkpoint_key_stops_publishing_alone(trail_dir: Path) -> None:
    """What is recorded meanwhile must be durable, and publishing go on by itself."""
    record_events(trail_dir, range(3))
    with changing(trail_dir) as trail:
        moved = suspend_key(trail, "audit-checkpoint:v1", by=BY, reason=WHY, now=NOW)
    with recording(trail_dir) as trail:
        receipt = trail.recorder.record(phi_read(7), NOW)
        pipeline = Pipeline(trail)
        pipeline.start()
        try:
            with pytest.raises(StorageError, match="suspended"):
                pipeline.publish_now(20.0)
            with changing(trail_dir) as other:
                lift_suspension(other, "audit-checkpoint", by=BY, reason=WHY, now=LATER)
            trail.keys.refresh()  # what happens within a second by itself
            pipeline.publish_now(20.0)
        finally:
            pipeline.close()

    assert "nothing is published" in moved.stops
    check_whole(trail_dir).check_holds([receipt], trail_dir)


def test_a_suspended_key_opens_what_it_protected(trail_dir: Path) -> None:
    """A doubt is no loss: the text must open as before."""
    with changing(trail_dir) as trail:
        digest = suspend_key(
            trail, "audit-seal:v1", by=BY, reason=WHY, now=NOW
        ).done.digest
    with recording(trail_dir) as trail:
        opened = open_document(trail, digest) or b""

    assert WHY.encode() in opened


def test_a_suspended_key_can_be_rotated_away(trail_dir: Path) -> None:
    """Whoever does not trust a key any more must not have to trust it again first."""
    with changing(trail_dir) as trail:
        suspend_key(trail, "audit-seal:v1", by=BY, reason=WHY, now=NOW)
    with changing(trail_dir) as trail:
        rotate_key(trail, "audit-seal", by=BY, reason="it stays doubted", now=LATER)
    (receipt,) = record_events(trail_dir, [1])

    assert state(trail_dir, "audit-seal:v2") is KeyState.ACTIVE
    assert state(trail_dir, "audit-seal:v1") is KeyState.DEACTIVATED
    check_whole(trail_dir).check_holds([receipt], trail_dir)


def test_another_process_learns_of_a_suspension(trail_dir: Path) -> None:
    """A program that runs for months must not go on under a doubted key."""
    with recording(trail_dir) as trail:
        trail.recorder.record(phi_read(1), NOW)
        with changing(trail_dir) as other:
            suspend_key(other, "audit-seal", by=BY, reason=WHY, now=NOW)
        trail.keys.refresh()  # what happens within a second by itself
        with pytest.raises(StorageError, match="audit-seal"):
            trail.recorder.record(phi_read(2), NOW)


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ("audit-seal:v2", "no key of this trail"),
        ("no-such-key:v1", "must be the name of a key"),
        ("rbac-user.dr-0012", "was not made"),
        ("wrapping:v1", "the vault's own"),
    ],
)
def test_what_cannot_be_suspended_is_refused_with_what_to_do(
    trail_dir: Path, written: str, rule: str
) -> None:
    """A refusal in an emergency must say where to go."""
    with changing(trail_dir) as trail, pytest.raises(InputError, match=rule):
        suspend_key(trail, written, by=BY, reason=WHY, now=NOW)


def test_a_version_that_is_not_suspended_is_not_lifted(trail_dir: Path) -> None:
    """Lifting must not be a way to take what waits or rests into use."""
    with changing(trail_dir) as trail:
        create_key(trail, "text-hash", by=BY, reason=WHY, now=NOW)
        for written in ("text-hash:v1", "text-hash:v2"):
            with pytest.raises(InputError, match="only a suspended version"):
                lift_suspension(trail, written, by=BY, reason=WHY, now=NOW)


@pytest.mark.parametrize("reason", ["", "  \n", "x" * 2_001, "why\x07"])
def test_a_reason_is_needed(trail_dir: Path, reason: str) -> None:
    """Years later, nobody knows why else."""
    with (
        changing(trail_dir) as trail,
        pytest.raises(InputError, match="--reason") as refused,
    ):
        suspend_key(trail, "text-hash:v1", by=BY, reason=reason, now=NOW)

    assert not reason.strip() or reason not in str(refused.value)


def test_a_key_of_a_department_is_made_and_in_use(trail_dir: Path) -> None:
    """The first version of a key has nothing to wait for."""
    with changing(trail_dir) as trail:
        made = create_key(
            trail, "rbac-department.cardiology", by=BY, reason="opened", now=NOW
        )

    assert made.after.state is KeyState.ACTIVE
    assert (trail_dir / KEYS / "rbac-department.cardiology.v1.json").exists()
    check_register_is_the_log_s(trail_dir)


def test_a_second_version_waits_until_it_is_rotated_in(trail_dir: Path) -> None:
    """Making a key must not change what protects records at this moment."""
    with changing(trail_dir) as trail:
        made = create_key(trail, "text-hash", by=BY, reason="ahead", now=NOW)
        in_use = trail.keys.newest_version("text-hash")
        with pytest.raises(InputError, match="waits already"):
            create_key(trail, "text-hash", by=BY, reason="again", now=NOW)
        rotate_key(trail, "text-hash", by=BY, reason="now", now=LATER)

    assert (made.after.state, in_use) == (KeyState.PRE_ACTIVATION, 1)
    assert state(trail_dir, "text-hash:v2") is KeyState.ACTIVE
    publish_once(trail_dir)
    check_register_is_the_log_s(trail_dir)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("audit-checkpoint", "succession"),
        ("wrapping", "the vault's own"),
        ("text-hash:v2", "is a name"),
    ],
)
def test_what_is_not_made_so_is_refused(trail_dir: Path, name: str, rule: str) -> None:
    """A signing key without the recovery key's word would be a thief's."""
    with changing(trail_dir) as trail, pytest.raises(InputError, match=rule):
        create_key(trail, name, by=BY, reason=WHY, now=NOW)
