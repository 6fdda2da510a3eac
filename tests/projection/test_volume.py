"""What is said of the volume under the tables is what the kernel says."""

import os
from pathlib import Path

from phitrail.projection.volume import VolumeState, volume_state


def node_of(directory: Path, system: Path) -> Path:
    """Name the made-up device node of a directory."""
    device = directory.stat().st_dev
    return system / f"{os.major(device)}:{os.minor(device)}"


def test_a_device_below_which_all_are_crypt_is_encrypted(tmp_path: Path) -> None:
    """LVM over LUKS is the common laptop; it must be seen as encrypted."""
    crypt = tmp_path / "crypt"
    (crypt / "dm").mkdir(parents=True)
    (crypt / "dm/uuid").write_text("CRYPT-LUKS2-0011\n")
    node = node_of(tmp_path, tmp_path / "sys")
    (node / "slaves").mkdir(parents=True)
    (node / "slaves/dm-0").symlink_to(crypt)

    assert volume_state(tmp_path, tmp_path / "sys") == VolumeState.ENCRYPTED


def test_a_plain_or_unseen_device_is_unknown(tmp_path: Path) -> None:
    """Claiming encryption that nobody saw would be a false assurance."""
    system = tmp_path / "sys"
    assert volume_state(tmp_path, system) == VolumeState.UNKNOWN

    node = node_of(tmp_path, system)
    (node / "dm").mkdir(parents=True)
    (node / "dm/uuid").write_text("LVM-abc\n")

    assert volume_state(tmp_path, system) == VolumeState.UNKNOWN
