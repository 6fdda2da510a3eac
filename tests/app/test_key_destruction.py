"""Only what nothing needs any more is destroyed, and then it is gone."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from tests.app.key_verbs import (
    BY,
    WHY,
    changing,
    check_register_is_the_log_s,
    recording,
    state,
)
from tests.faults.steps import Fault, FaultyFiles, Kind
from tests.trails import NOW, check_whole, copy_trail, record_events

from phitrail.app.documents import open_document
from phitrail.app.key_compromise import compromise_key
from phitrail.app.key_destruction import destroy_key, plan_destruction
from phitrail.app.key_rekey import rekey_identity
from phitrail.app.key_rotation import rotate_key
from phitrail.app.key_states import create_key, suspend_key
from phitrail.app.key_wiring import KEYS
from phitrail.app.wiring import Trail
from phitrail.errors import ConfigError, InputError, RefusedError, StorageError
from phitrail.events.codes import EventType
from phitrail.keys.states import KeyState

SEALED = "identity-seal:v1"
AFTER = NOW + timedelta(days=6 * 366)


@pytest.fixture
def rotated(trail_dir: Path) -> Path:
    """Give a trail whose identity map stands under its second keys alone."""
    record_events(trail_dir, range(5))
    with changing(trail_dir) as trail:
        rotate_key(trail, "identity-seal", by=BY, reason="yearly", now=NOW)
        rekey_identity(trail, by=BY, now=NOW)
    return trail_dir


def destroy(trail: Trail, written: str = SEALED) -> None:
    """Destroy a version, six years later."""
    destroy_key(trail, written, by=BY, reason="six years are over", now=AFTER)


def set_keys(directory: Path, **keys: object) -> None:
    """Write the section `keys` of policy.yaml."""
    place = directory / "policy.yaml"
    policy = yaml.safe_load(place.read_text(encoding="utf-8"))
    place.write_text(yaml.safe_dump({**policy, "keys": keys}), encoding="utf-8")


def test_what_nothing_needs_is_destroyed_with_its_escrow(rotated: Path) -> None:
    """What stays of it anywhere here would bring it back."""
    place = rotated / KEYS / "identity-seal.v1.json"
    escrow = json.loads(place.read_bytes())["escrow"]
    with changing(rotated) as trail:
        plan = plan_destruction(trail, SEALED, by=BY, now=AFTER)
        was_there = place.exists()
        done = destroy_key(trail, SEALED, by=BY, reason=WHY, now=AFTER)
        digest = done.done.digest if done.done else ""
        document = json.loads(open_document(trail, digest) or b"")
    left = [
        one
        for one in rotated.rglob("*")
        if one.is_file() and escrow.encode() in one.read_bytes()
    ]
    (receipt,) = record_events(rotated, [9])

    assert (plan.becomes, was_there, plan.done) == (KeyState.DESTROYED, True, None)
    assert document["facts"]["counted"] == []
    assert document["facts"]["places"] >= 1
    assert state(rotated, SEALED) is KeyState.DESTROYED
    assert left == []
    check_whole(rotated).check_holds([receipt], rotated)
    check_register_is_the_log_s(rotated)


def test_what_stands_under_it_is_listed(trail_dir: Path) -> None:
    """Destroyed too early, it takes with it who every patient is."""
    record_events(trail_dir, range(5))
    with changing(trail_dir) as trail:
        rotate_key(trail, "identity-seal", by=BY, reason="yearly", now=NOW)
        with pytest.raises(RefusedError, match=r"10 subjects \(identity map\)"):
            destroy(trail)

    assert state(trail_dir, SEALED) is KeyState.DEACTIVATED


def test_what_stands_under_it_in_a_backup_keeps_it(
    rotated: Path, trail_dir: Path, tmp_path: Path
) -> None:
    """A backup that nobody can open is none."""
    backup = copy_trail(rotated, tmp_path / "backup")
    record_events(rotated, range(20, 25))
    set_keys(rotated, backups=[str(backup)])
    with changing(rotated) as trail:
        rotate_key(trail, "identity-seal", by=BY, reason="yearly", now=NOW)
        rekey_identity(trail, by=BY, now=NOW)
        with pytest.raises(RefusedError, match="backup"):
            destroy(trail, "identity-seal:v2")
    set_keys(rotated, backups=[str(tmp_path / "gone")])
    with changing(rotated) as trail, pytest.raises(ConfigError):
        destroy(trail, "identity-seal:v2")

    assert rotated == trail_dir


def test_it_is_kept_until_its_retention_ends(rotated: Path) -> None:
    """Six years count from the last record that it protects (45 CFR 164.316(b)(2)(i))."""
    early = NOW + timedelta(days=2_191)
    with changing(rotated) as trail:
        with pytest.raises(RefusedError, match=r"kept until 2032.*45 CFR 164.316"):
            destroy_key(trail, SEALED, by=BY, reason=WHY, now=early)
        destroy_key(trail, SEALED, by=BY, reason=WHY, now=early + timedelta(days=2))


def test_a_hold_outlives_everything(rotated: Path) -> None:
    """What a court wants is not destroyed because a date has come."""
    set_keys(rotated, held=[SEALED])
    with changing(rotated) as trail, pytest.raises(RefusedError, match=r"keys\.held"):
        destroy(trail)


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ("identity-seal:v2", "is in use: first run `phitrail key rotate"),
        ("wrapping:v1", "key rotate wrapping"),
        ("audit-checkpoint:v1", "is in use"),
        ("identity-seal:v9", "no key of this trail"),
        ("identity-seal", r"which version.*v1 \(deactivated\), v2 \(active\)"),
    ],
)
def test_what_is_not_to_be_destroyed_is_refused_with_what_to_do(
    rotated: Path, written: str, rule: str
) -> None:
    """A typing error must not cost a key."""
    with changing(rotated) as trail, pytest.raises(InputError, match=rule):
        destroy(trail, written)


def test_the_last_version_is_not_destroyed_while_it_is_suspended(
    trail_dir: Path,
) -> None:
    """A suspension is a doubt, and no way to end a key."""
    with changing(trail_dir) as trail:
        suspend_key(trail, "rater", by=BY, reason=WHY, now=NOW)
        with pytest.raises(InputError, match="is in use"):
            destroy(trail, "rater:v1")


def test_a_compromised_version_ends_as_destroyed_compromised(rotated: Path) -> None:
    """Gone here does not mean gone: the thief's copy is told for good (transition 15)."""
    with changing(rotated) as trail:
        compromise_key(trail, SEALED, since=None, by=BY, reason=WHY, now=NOW)
        destroy(trail)

    assert state(rotated, SEALED) is KeyState.DESTROYED_COMPROMISED
    check_register_is_the_log_s(rotated)


def test_a_copy_that_turns_up_later_is_told(rotated: Path) -> None:
    """It was destroyed, and somebody has one all the same (transition 16)."""
    with changing(rotated) as trail:
        destroy(trail)
        with pytest.raises(InputError, match="phitrail key compromise"):
            destroy(trail)
        done = compromise_key(trail, SEALED, since=None, by=BY, reason=WHY, now=AFTER)

    assert done.successor is None
    assert state(rotated, SEALED) is KeyState.DESTROYED_COMPROMISED
    check_register_is_the_log_s(rotated)


def test_counting_hashes_of_texts_is_on_record(trail_dir: Path) -> None:
    """Entries are opened for it, so somebody read the log."""
    with changing(trail_dir) as trail:
        create_key(trail, "text-hash", by=BY, reason="ahead", now=NOW)
        plan_destruction(trail, "text-hash:v2", by="officer-9", now=AFTER)
    leaves = check_whole(trail_dir).leaves["audit"]

    assert sum(
        EventType.AUDIT_LOG_READ in leaf.decode() and "officer-9" in leaf.decode()
        for leaf in leaves
    )


@pytest.mark.parametrize("kind", Kind)
def test_a_fault_leaves_it_whole_or_gone(
    trail_dir: Path, tmp_path: Path, kind: Kind
) -> None:
    """Gone without a word in the log, or told and still there, would both be lies."""
    with changing(trail_dir) as trail:
        create_key(trail, "text-hash", by=BY, reason="ahead", now=NOW)
    for at in range(40):
        directory = copy_trail(trail_dir, tmp_path / f"trail-{at}")
        fault = Fault(kind, at)
        with changing(directory) as trail:
            try:
                destroy_key(
                    trail,
                    "text-hash:v2",
                    by=BY,
                    reason=WHY,
                    now=AFTER,
                    files=FaultyFiles(directory, fault),
                )
            except StorageError:
                assert fault.was_reached
        with recording(directory):
            pass  # whoever opens the trail next finishes what was begun
        is_there = (directory / KEYS / "text-hash.v2.json").exists()
        expected = KeyState.PRE_ACTIVATION if is_there else KeyState.DESTROYED

        assert state(directory, "text-hash:v2") is expected
        check_register_is_the_log_s(directory)
        if not fault.was_reached:
            return
    pytest.fail("the change never ends")
