"""Which vault a trail's keys are in, and how its ring is opened.

The choice stands in policy.yaml, section `keys`; the client of a vault loads when it is
chosen. The lock of the keys is held while files, register and states are read together, and
while they change.
"""

from collections.abc import Collection
from pathlib import Path

from phitrail.app import clock
from phitrail.app.config import POLICY_FILE, Policy, read_policy
from phitrail.app.key_endings import destroy_ended
from phitrail.app.key_handover import holding_keys
from phitrail.app.key_profile import check_profile
from phitrail.app.key_register import REGISTER, read_register
from phitrail.app.pins import read_lines, read_pins
from phitrail.errors import ConfigError
from phitrail.keys.held_keys import Watched
from phitrail.keys.local_vault import LocalVault
from phitrail.keys.register import KeyRegister, check_fingerprints
from phitrail.keys.ring import KeyRing
from phitrail.keys.settings import (
    AwsKmsSettings,
    LocalVaultSettings,
    OpenBaoSettings,
    VaultSettings,
)
from phitrail.keys.vault import Vault

KEYS = "keys"


def open_vault(directory: Path, settings: VaultSettings) -> Vault:
    """Open the vault that a trail's keys are in.

    Raises:
        ConfigError: it is not set up, or its extra is not installed.
    """
    if isinstance(settings, LocalVaultSettings):
        return LocalVault.load(wrapping_directory(directory, settings))
    if isinstance(settings, AwsKmsSettings):
        return _open_aws_kms(directory, settings)
    return _open_openbao(directory, settings)


def _open_aws_kms(directory: Path, settings: AwsKmsSettings) -> Vault:
    try:
        from phitrail.keys.aws_kms import AwsKmsVault
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"`keys.vault` is AWS KMS, and its client is not installed ({error.name}); "
            "run: pip install 'phitrail[aws]'"
        ) from None
    return AwsKmsVault(settings, directory)


def _open_openbao(
    directory: Path, settings: OpenBaoSettings, *, is_new: bool = False
) -> Vault:
    try:
        from phitrail.keys.openbao import OpenBaoVault
    except ModuleNotFoundError as error:
        raise ConfigError(
            "`keys.vault` is OpenBao, and its client is not installed "
            f"({error.name}); run: pip install 'phitrail[vault]'"
        ) from None
    vault = OpenBaoVault(settings, directory, clock.monotonic_us)
    if is_new:
        vault.make_wrapping_key()
    return vault


def make_vault(directory: Path, settings: VaultSettings, created_at: str) -> Vault:
    """Open the vault of a trail that is being founded; a local one is made.

    Raises:
        ConfigError: it is not set up, or its extra is not installed.
        StorageError: the wrapping key cannot be written.
    """
    if isinstance(settings, LocalVaultSettings):
        place = wrapping_directory(directory, settings)
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        return LocalVault.create(place, created_at=created_at)
    if isinstance(settings, OpenBaoSettings):
        return _open_openbao(directory, settings, is_new=True)
    return open_vault(directory, settings)


def wrapping_directory(directory: Path, settings: LocalVaultSettings) -> Path:
    """Say where the wrapping key of a local keyring stands."""
    if settings.directory is None:
        return directory / KEYS
    return directory / settings.directory  # an absolute one stays what it is


def current_register(directory: Path) -> KeyRegister:
    """Read the register of a trail, checked.

    Raises:
        ConfigError: there is no trail here, or the register is missing or damaged.
        IntegrityError: it is not signed by this trail's keys.
    """
    return read_register(directory, read_pins(directory), read_lines(directory))


def open_ring(
    directory: Path,
    policy: Policy,
    *,
    may_lack: Collection[str] = (),
    is_for_changes: bool = False,
) -> KeyRing:
    """Open the keys of a trail for writing, held against its register.

    Args:
        directory: the trail.
        policy: of the trail.
        may_lack: names of keys that may be missing, since they are about to be replaced.
        is_for_changes: whether the keys are opened to be changed: whatever profile or
            suspension would refuse, they must be able to.

    Raises:
        ConfigError: a key is missing, damaged or another one, or the production profile
            refuses the local keyring.
        IntegrityError: the register is not signed by this trail's keys.
        VaultError: the vault does not answer, or refuses.
    """
    with holding_keys(directory):
        if not is_for_changes:
            check_profile(policy, lambda: current_register(directory), clock.now())
        ring = open_held_ring(directory, policy, may_lack=may_lack)
        destroy_ended(directory, ring.vault)
    return ring.for_changes() if is_for_changes else ring


def open_held_ring(
    directory: Path, policy: Policy, *, may_lack: Collection[str] = ()
) -> KeyRing:
    """Do as `open_ring` where the keys are held already (`key_handover.holding_keys`).

    Raises:
        ConfigError: a key is missing, damaged or another one.
        IntegrityError: the register is not signed by this trail's keys.
        VaultError: the vault does not answer, or refuses.
    """
    watched = Watched(directory / REGISTER, lambda: current_register(directory))
    ring = KeyRing.load(
        directory / KEYS,
        open_vault(directory, policy.keys.vault),
        watched=watched,
        may_lack=may_lack,
        elapsed_us=clock.monotonic_us,
    )
    check_fingerprints(watched.read(), ring.fingerprints(), may_lack=tuple(may_lack))
    return ring


def open_reading_ring(directory: Path) -> KeyRing:
    """Open the keys of a trail, or of a copy of it, for what the log itself must read.

    Without policy.yaml the local keyring is taken. Nothing is held against the register:
    whoever verifies checks what was opened. Compromised versions open too.

    Raises:
        ConfigError: a key is missing or damaged.
        VaultError: the vault does not answer, or refuses.
    """
    settings: VaultSettings = LocalVaultSettings()
    if (directory / POLICY_FILE).exists():
        settings = read_policy(directory).keys.vault
    vault = open_vault(directory, settings)
    return KeyRing.load(directory / KEYS, vault).behind_glass()
