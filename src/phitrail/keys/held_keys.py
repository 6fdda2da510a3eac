"""What is known of a trail's keys at one moment: their files, and what the register says.

It is read whole and replaced whole. A change puts key files first and the register last
(`app.key_change`), so read in the order register, files:

1. The mark of the register is taken before it is read: what changes meanwhile is seen at
   the next look.
2. A file that the register does not list yet protects nothing.
3. A file of a version that is gone opens nothing, also while it still stands there.
"""

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from phitrail.errors import ConfigError
from phitrail.keys.key_file import KeyFile, read_key_file
from phitrail.keys.names import WRAPPING, KeyId, KeyKind, kinds_of_keys
from phitrail.keys.register import KeyEntry, KeyRegister
from phitrail.keys.states import IS_GONE, PROTECTS, KeyState

_ASKED_FOR = IS_GONE | {KeyState.COMPROMISED, KeyState.PRE_ACTIVATION}

NOT_SEEN: tuple[int, ...] = ()
"""The mark of a register that is not there."""


@dataclass(frozen=True, slots=True)
class Watched:
    """The register of a trail: where it stands, and what reads it, checked."""

    place: Path
    read: Callable[[], KeyRegister]


@dataclass(frozen=True, slots=True)
class HeldKeys:
    """Files and states of keys; `newest` is the version of each that is in use."""

    files: Mapping[KeyId, KeyFile]
    entries: Mapping[KeyId, KeyEntry]
    newest: Mapping[str, int]
    seen: tuple[int, ...] = NOT_SEEN

    def state(self, key_id: KeyId) -> KeyState | None:
        """Return the state of a version; None where no register says one."""
        entry = self.entries.get(key_id)
        return None if entry is None else entry.state

    def is_gone(self, key_id: KeyId) -> bool:
        """Say whether a version was destroyed, whether or not its file stands there."""
        return self.state(key_id) in IS_GONE

    def secret_files(self) -> dict[KeyId, KeyFile]:
        """Return the files whose secrets are kept at hand.

        Signing keys are their vault's; what waits, is in quarantine or is gone is not
        unwrapped until somebody asks.
        """
        return {
            key_id: file
            for key_id, file in self.files.items()
            if file.kind is not KeyKind.SIGN and self.state(key_id) not in _ASKED_FOR
        }


def read_held_keys(
    directory: Path, watched: Watched | None, may_lack: Collection[str] = ()
) -> HeldKeys:
    """Read every key file, and the register where there is one.

    Raises:
        ConfigError: a key is missing, unreadable, altered or readable by others.
        IntegrityError: the register is not signed by this trail's key.
    """
    seen = NOT_SEEN if watched is None else mark_of(watched.place)
    entries: dict[KeyId, KeyEntry] = {}
    if watched is not None:
        entries = {one.key_id: one for one in watched.read().keys}
    files = {
        file.key_id: file
        for place in sorted(directory.glob("*.json"))
        if not place.name.startswith(f"{WRAPPING}.")
        for file in [read_key_file(place)]
    }
    names = {key_id.name for key_id in files}
    for name in kinds_of_keys():
        if name not in names and name not in may_lack:
            raise ConfigError(
                f"key {name} is missing under {directory}; restore it from the "
                "key backup (a copy without keys can be verified, not written)"
            )
    return HeldKeys(files, entries, _newest(files, entries), seen)


def mark_of(place: Path) -> tuple[int, ...]:
    """Return what changes whenever another file takes this place; `NOT_SEEN` without one."""
    try:
        found = os.stat(place)  # noqa: PTH116 - the fields of one call
    except OSError:
        return NOT_SEEN
    return found.st_ino, found.st_size, found.st_mtime_ns


def _newest(
    files: Iterable[KeyId], entries: Mapping[KeyId, KeyEntry]
) -> dict[str, int]:
    """Say which version of each key is in use: by the register, where there is one."""
    if not entries:
        return {key_id.name: key_id.version for key_id in sorted(files)}
    newest: dict[str, int] = {}
    for key_id in sorted(files):
        entry = entries.get(key_id)
        if entry is None:
            continue  # a change is on its way, and the register is put in place last
        # A signing key that is suspended stays its log's: signing refuses.
        is_signer = entry.kind is KeyKind.SIGN and entry.state is KeyState.SUSPENDED
        if entry.state in PROTECTS or is_signer:
            newest[key_id.name] = key_id.version
    return newest
