"""The register is what the events of the log tell, and every difference is named."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests.app.key_verbs import changing
from tests.app.trust import AUDIT, found_kept
from tests.trails import NOW, copy_trail

from phitrail.app.key_check import check_register, read_trail_told, register_in_force
from phitrail.app.key_details import check_keys, explain_key
from phitrail.app.key_history import Told, check_against_log
from phitrail.app.key_register import REGISTER, print_register
from phitrail.app.key_rewrap import retire_wrapping_key, rotate_wrapping_key
from phitrail.app.key_rotation import rotate_keys
from phitrail.app.key_states import create_key, lift_suspension, suspend_key
from phitrail.app.key_wiring import current_register
from phitrail.app.verification import verify_trail
from phitrail.durable.files import DurableFiles
from phitrail.errors import InputError
from phitrail.events.codes import EventType, SuccessionReason
from phitrail.evidence.findings import Check
from phitrail.keys.names import KeyId
from phitrail.keys.register import KeyEntry, KeyRegister, replace_entry
from phitrail.keys.states import KeyState

BY, WHY = "officer-1", "because it is November"
TEXT_HASH = KeyId("text-hash", 1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a trail whose keys have been through most of what keys go through."""
    kept = found_kept(tmp_path_factory.mktemp("whole") / "trail")
    kept.grow(0, 3)
    with changing(kept.directory) as trail:
        create_key(trail, "fpe-metadata", by=BY, reason=WHY, now=NOW)
        create_key(trail, "text-hash", by=BY, reason=WHY, now=NOW)
        rotate_keys(trail, ["text-hash", "audit-seal"], by=BY, reason=WHY, now=NOW)
        suspend_key(trail, "rater:v1", by=BY, reason=WHY, now=NOW)
        lift_suspension(trail, "rater:v1", by=BY, reason=WHY, now=NOW)
        rotate_wrapping_key(trail, by=BY, reason=WHY, now=NOW)
        retire_wrapping_key(trail, by=BY, reason=WHY, now=NOW)
    kept.rotate()
    kept.succeed(SuccessionReason.COMPROMISE)
    kept.grow(3, 5)
    return kept.directory


@pytest.fixture(scope="module")
def told(whole: Path) -> Told:
    """Give what its log tells."""
    with changing(whole) as trail:
        reader = trail.reader(AUDIT)
        try:
            return read_trail_told(whole, reader)
        finally:
            reader.close()


def test_the_register_is_what_the_log_tells(whole: Path, told: Told) -> None:
    """An honest trail that is called a forgery would be believed no more."""
    register = current_register(whole)
    checked = check_against_log(register, told)
    states = register.states()

    assert checked.differences == ()
    assert checked.keys == len(register.keys)
    assert states[KeyId("wrapping", 1)] is KeyState.DESTROYED
    assert states[KeyId("audit-checkpoint", 2)] is KeyState.COMPROMISED
    assert states[KeyId("audit-checkpoint", 3)] is KeyState.ACTIVE


def altered(**changes: object) -> Callable[[KeyRegister], KeyRegister]:
    """Alter the entry of one version."""

    def change(entry: KeyEntry) -> KeyEntry:
        return msgspec.structs.replace(entry, **changes)

    return lambda register: replace_entry(register, TEXT_HASH, change)


def without(key_id: KeyId) -> Callable[[KeyRegister], KeyRegister]:
    """Leave a version out."""
    return lambda register: msgspec.structs.replace(
        register, keys=tuple(one for one in register.keys if one.key_id != key_id)
    )


@pytest.mark.parametrize(
    ("forge", "found"),
    [
        (
            altered(state=KeyState.ACTIVE),
            "text-hash:v1: the register says active, the log deactivated",
        ),
        (
            altered(deactivated_at="2026-01-01T00:00:00.000Z"),
            "text-hash:v1: deactivated_at is not when the log has it",
        ),
        (
            altered(version=7),
            "text-hash:v7: the register has it, and no event made it",
        ),
        (
            without(TEXT_HASH),
            "text-hash:v1: the log made it, and the register lacks it",
        ),
    ],
    ids=["state", "date", "version", "left-out"],
)
def test_a_register_that_says_another_thing_is_told_by_key(
    whole: Path, told: Told, forge: Callable[[KeyRegister], KeyRegister], found: str
) -> None:
    """Who signs a register of his own must not be able to hide what he changed."""
    assert found in check_against_log(forge(current_register(whole)), told).differences


def test_a_forged_register_is_found_by_a_deep_verification(
    whole: Path, tmp_path: Path
) -> None:
    """The thief has the log's key: the signature is right, the events are not."""
    directory = copy_trail(whole, tmp_path / "trail")
    with changing(directory) as trail:
        forged = altered(state=KeyState.ACTIVE)(current_register(directory))
        data = print_register(forged, trail.log_keys[AUDIT.value].checkpoint)
        DurableFiles(directory).put_many({REGISTER: data})

    found = verify_trail(directory, deep=True).findings

    assert [one.check for one in found] == [Check.KEYS]
    assert "text-hash:v1" in str(found[0])
    assert not verify_trail(directory).findings


@pytest.mark.parametrize(
    ("event_type", "about", "rule"),
    [
        (EventType.KEY_ACTIVATED, "text-hash:v1", "cannot become active"),
        (EventType.KEY_CREATED, "text-hash:v9", "is not the next version"),
        (EventType.KEY_CREATED, "unheard-of:v1", "no such succession"),
        (EventType.KEY_DESTROYED, "text-hash:v9", "is no key of this trail"),
        (EventType.KEY_ROTATED, "audit:0", "no such succession"),
    ],
)
def test_an_event_that_cannot_have_happened_is_told_by_its_entry(
    whole: Path, told: Told, event_type: EventType, about: str, rule: str
) -> None:
    """An event that somebody recorded by hand must not pass for a change of keys."""
    extra = dataclasses.replace(
        told.events[-1], index=99, event_type=event_type, about=about
    )
    more = dataclasses.replace(told, events=(*told.events, extra))

    (found,) = check_against_log(current_register(whole), more).differences

    assert found.startswith("audit entry 99: ")
    assert rule in found


def test_a_succession_whose_event_is_on_its_way_counts(whole: Path, told: Told) -> None:
    """Between its entry and its event the register is right already."""
    events = tuple(one for one in told.events if one.succession is None)
    late = dataclasses.replace(told, events=events)

    assert check_against_log(current_register(whole), late).differences == ()


def test_the_register_of_a_change_that_is_on_its_way_is_the_one_that_counts(
    whole: Path, tmp_path: Path
) -> None:
    """A copy that was taken in the middle of a change must verify as it lies."""
    directory = copy_trail(whole, tmp_path / "trail")
    before = (directory / REGISTER).read_bytes()

    class Stopping(DurableFiles):
        def remove(self, path: str) -> None:
            raise KeyboardInterrupt(path)

    with changing(directory) as trail, pytest.raises(KeyboardInterrupt):
        rotate_keys(
            trail, ["rater"], by=BY, reason=WHY, now=NOW, files=Stopping(directory)
        )
    (directory / REGISTER).write_bytes(before)
    register = register_in_force(directory)

    assert register.states()[KeyId("rater", 2)] is KeyState.ACTIVE
    with changing(directory) as trail:
        assert not check_register(directory, lambda: trail.reader(AUDIT)).differences


def test_a_key_is_explained_with_who_and_why(whole: Path, tmp_path: Path) -> None:
    """Years later somebody asks why; the sealed reason must be the one that was given."""
    directory = copy_trail(whole, tmp_path / "trail")
    with changing(directory) as trail:
        found = explain_key(trail, "text-hash:v2", by=BY, now=NOW)
        signing = explain_key(trail, "audit-promise", by=BY, now=NOW)
        with pytest.raises(InputError, match="was not made in this trail"):
            explain_key(trail, "rbac-user.nobody", by=BY, now=NOW)
        check_keys(trail, by=BY, now=NOW)

    assert [one.entry.version for one in found.versions] == [2]
    assert [one.told.event_type for one in found.history] == [
        EventType.KEY_CREATED,
        EventType.KEY_ACTIVATED,
        EventType.KEY_ROTATED,
    ]
    assert {one.why.reason for one in found.history if one.why} == {WHY}
    assert {one.told.by for one in found.history} == {BY}
    assert [one.why.reason for one in signing.history if one.why] == [
        "rotation",
        "compromise",
    ]
