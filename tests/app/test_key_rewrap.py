"""Rotating the vault's own key: the secrets stay, and who records notices nothing."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.app.key_verbs import changing, check_register_is_the_log_s, state
from tests.trails import NOW, copy_trail, found, phi_read, record_events

from phitrail.app.key_rewrap import retire_wrapping_key, rotate_wrapping_key
from phitrail.app.key_rotation import rotate_keys
from phitrail.app.verification import verify_trail
from phitrail.app.wiring import Trail, open_trail
from phitrail.errors import IntegrityError, StorageError
from phitrail.keys.key_file import read_key_file
from phitrail.keys.local_vault import LocalVault
from phitrail.keys.ring import KeyRing
from phitrail.keys.states import KeyState
from phitrail.keys.vault import Wrapped

BY, WHY = "officer-1", "yearly"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Give a trail with some events."""
    directory = found(tmp_path / "trail")
    record_events(directory, range(3))
    return directory


def rotate(trail: Trail) -> int:
    """Rotate the vault's key; say how many files were wrapped anew."""
    return rotate_wrapping_key(trail, by=BY, reason=WHY, now=NOW).files


def retire(trail: Trail) -> list[str]:
    """Retire the versions before."""
    gone = retire_wrapping_key(trail, by=BY, reason=WHY, now=NOW)
    return [str(one) for one in gone]


def test_every_secret_stays_the_same(directory: Path) -> None:
    """A secret that changes in the vault opens nothing of what it sealed."""
    with changing(directory) as trail:
        before = trail.keys.fingerprints()
        told: list[tuple[int, int]] = []
        done = rotate_wrapping_key(
            trail,
            by=BY,
            reason=WHY,
            now=NOW,
            progress=lambda files, total: told.append((files, total)),
        )
        after = trail.keys.fingerprints()
        vault = trail.keys.vault
        under = {
            vault.wrapping_version(one.held) for one in trail.keys.files().values()
        }

    assert before == after
    assert under == {2}
    assert told == [(done.files, done.files)] == [(len(before), len(before))]
    check_register_is_the_log_s(directory)
    assert not verify_trail(directory, deep=True).findings


def test_a_process_that_records_goes_on_through_a_rotation_and_a_retirement(
    directory: Path,
) -> None:
    """It knows neither the new version of the vault's key nor the new files yet."""
    recording = open_trail(directory)
    try:
        with changing(directory) as trail:
            rotate(trail)
            retire(trail)
        recording.keys.refresh()
        recording.recorder.record(phi_read(10), NOW)
        with changing(directory) as trail:
            rotate_keys(trail, ["audit-seal"], by=BY, reason=WHY, now=NOW)
        recording.keys.refresh()
        recording.recorder.record(phi_read(11), NOW)
    finally:
        recording.close()

    assert not verify_trail(directory, deep=True).findings


def test_key_files_from_before_open_until_the_old_version_is_retired(
    directory: Path, tmp_path: Path
) -> None:
    """A backup of yesterday must be worth something until somebody says otherwise."""
    backup = copy_trail(directory, tmp_path / "backup")
    file = read_key_file(backup / "keys" / "text-hash.v1.json")
    with changing(directory) as trail:
        rotate(trail)
        vault = LocalVault.load(directory / "keys")
        assert len(vault.unwrap([file.wrapped])) == 1
        assert retire(trail) == ["wrapping:v1"]
        assert retire(trail) == []
    with pytest.raises(IntegrityError, match="wrapping version 1"):
        LocalVault.load(directory / "keys").unwrap([file.wrapped])

    assert state(directory, "wrapping:v1") is KeyState.DESTROYED
    assert not verify_trail(directory, deep=True).findings


def test_a_file_under_an_old_version_stops_its_retirement(directory: Path) -> None:
    """A key file that was put back from a backup would be lost with that version."""
    place = directory / "keys" / "rater.v1.json"
    old = place.read_bytes()
    with changing(directory) as trail:
        rotate(trail)
        place.write_bytes(old)
        trail.keys.refresh()
        with pytest.raises(StorageError, match="rater:v1 is wrapped under an earlier"):
            retire(trail)

    assert state(directory, "wrapping:v1") is KeyState.DEACTIVATED


class LyingVault(LocalVault):
    """A vault that gives other secrets from some moment on."""

    is_lying = False

    def unwrap(self, wrapped: Sequence[Wrapped]) -> list[bytes]:
        """Unwrap, or lie."""
        secrets = super().unwrap(wrapped)
        return [bytes(len(one)) for one in secrets] if self.is_lying else secrets


def test_a_vault_that_gives_another_secret_changes_nothing(directory: Path) -> None:
    """What was sealed under the right one would never open again."""
    before = {one: one.read_bytes() for one in (directory / "keys").glob("*-*.json")}
    vault = LyingVault.load(directory / "keys")
    ring = KeyRing.load(directory / "keys", vault)
    vault.is_lying = True
    told = "another secret in the place of key"
    with changing(directory) as trail, pytest.raises(IntegrityError, match=told):
        rotate(replace(trail, keys=ring))

    assert before == {one: one.read_bytes() for one in before}
    assert state(directory, "wrapping:v1") is KeyState.ACTIVE
