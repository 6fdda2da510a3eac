"""Whether a directory is on a volume that is known to be encrypted (ADR 0005).

Tables hold surrogates and who did what when: PHI in law. They are not encrypted by us, so
the volume must be. What can be seen from inside Linux is checked: a device-mapper device
whose uuid says CRYPT (dm-crypt, LUKS), below any stack of them. Encryption by a cloud's
disk or a drive cannot be seen and is answered `unknown`; nothing more is claimed.
"""

import os
from enum import StrEnum
from pathlib import Path

SYSTEM = Path("/sys/dev/block")


class VolumeState(StrEnum):
    """What is known of the volume under a directory."""

    ENCRYPTED = "encrypted"
    UNKNOWN = "unknown"


def volume_state(directory: Path, system: Path = SYSTEM) -> VolumeState:
    """Say whether the device under a directory is a dm-crypt device, or stands on some."""
    device = directory.stat().st_dev
    node = system / f"{os.major(device)}:{os.minor(device)}"
    return VolumeState.ENCRYPTED if _is_crypt(node) else VolumeState.UNKNOWN


def _is_crypt(node: Path) -> bool:
    try:
        if (node / "dm/uuid").read_text(encoding="ascii").startswith("CRYPT-"):
            return True
    except OSError:
        pass
    try:
        below = list((node / "slaves").iterdir())
    except OSError:
        return False
    return bool(below) and all(_is_crypt(device) for device in below)
