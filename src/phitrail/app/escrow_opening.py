"""Every secret of a trail out of escrow, with the recovery key alone; nothing is changed.

The vault is not asked: it may be gone. What must come back is what the register lists and
has not destroyed. What does not come back is named, with what to do about it:

1. A key file that is missing or damaged: key files hold nothing that opens without the vault
   or the recovery key, so they belong into the backup of the trail, and come from there.
2. A file whose escrow was altered, or holds another secret than the register's.

Signing keys are in no escrow (ADR 0012): they are succeeded, not brought back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from phitrail.app.key_wiring import KEYS
from phitrail.app.pins import read_pins
from phitrail.errors import ConfigError, IntegrityError
from phitrail.events.codes import Log
from phitrail.events.protected import Protected
from phitrail.keys.key_file import KeyFile, name_of_file, read_key_file
from phitrail.keys.names import KeyId, KeyKind
from phitrail.keys.recovery import read_recovery_key
from phitrail.keys.register import KeyEntry, KeyRegister
from phitrail.keys.restoring import Lost, open_from_escrow
from phitrail.keys.ring import KeyRing
from phitrail.keys.secret_file import READABLE_BY_OTHERS
from phitrail.keys.states import IS_GONE

_SECRETS = frozenset({KeyKind.SEAL, KeyKind.MAC})
FROM_BACKUP = "restore keys/ from the backup of the trail"


@dataclass(frozen=True, slots=True)
class BroughtBack:
    """What escrow gave.

    Attributes:
        files: the key files of these secrets.
        secrets: each as the register knows it.
        lost: what does not come back, and why.
    """

    files: Mapping[KeyId, KeyFile]
    secrets: Mapping[KeyId, Protected[bytes]]
    lost: tuple[Lost, ...]

    def ring(self) -> KeyRing:
        """Return the secrets as a ring that needs no vault."""
        versions: dict[str, dict[int, Protected[bytes]]] = {}
        for key_id, secret in self.secrets.items():
            versions.setdefault(key_id.name, {})[key_id.version] = secret
        return KeyRing.of(versions)


def read_recovery_of(directory: Path, recovery: Protected[str]) -> Ed25519PrivateKey:
    """Read the recovery key of a trail, held against what its genesis pins.

    Raises:
        ConfigError: there is no trail here.
        InputError: it is another key, or too few shares of it; names the rule.
    """
    pinned = read_pins(directory)[Log.AUDIT]
    return read_recovery_key(
        recovery,
        tenant=pinned.genesis.tenant,
        public_key=pinned.recovery_key.public_key,
    )


def secrets_to_bring_back(register: KeyRegister) -> list[KeyEntry]:
    """List the versions whose secrets must be here: all that were not destroyed."""
    return [
        one
        for one in register.keys
        if one.kind in _SECRETS and one.state not in IS_GONE
    ]


def open_every_escrow(
    directory: Path, register: KeyRegister, recovery: Ed25519PrivateKey
) -> BroughtBack:
    """Open every secret of a trail that is in escrow."""
    files: dict[KeyId, KeyFile] = {}
    secrets: dict[KeyId, Protected[bytes]] = {}
    lost: list[Lost] = []
    for entry in secrets_to_bring_back(register):
        key_id = entry.key_id
        file = read_key_file_of(directory, key_id)
        if isinstance(file, Lost):
            lost.append(file)
            continue
        files[key_id] = file
        try:
            secrets[key_id] = open_from_escrow(file, entry, recovery)
        except IntegrityError as error:
            lost.append(Lost(key_id, f"{error}; {FROM_BACKUP}"))
    return BroughtBack(files, secrets, tuple(lost))


def read_key_file_of(directory: Path, key_id: KeyId) -> KeyFile | Lost:
    """Read the file of one version, or say why it cannot be read."""
    place = directory / KEYS / name_of_file(key_id)
    if not place.exists():
        return Lost(key_id, f"its file is missing; {FROM_BACKUP}")
    try:
        return read_key_file(place)
    except ConfigError as error:
        is_seen = bool(place.stat().st_mode & READABLE_BY_OTHERS)
        return Lost(key_id, str(error), is_seen=is_seen)
