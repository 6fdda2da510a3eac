"""Secrets out of escrow and under a vault: what recovery does before anything is signed.

The lock of the keys is held, and nobody else publishes. Nothing is believed because it is
there: what the vault gives back is held against the register, what it signs against the
public half. What is right stays as it is, so that this can be done again.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from phitrail.app.config import POLICY_FILE, read_policy
from phitrail.app.escrow_opening import (
    BroughtBack,
    open_every_escrow,
    read_key_file_of,
)
from phitrail.app.key_wiring import (
    KEYS,
    current_register,
    make_vault,
    open_vault,
    wrapping_directory,
)
from phitrail.app.pins import read_lines
from phitrail.app.vault_choice import policy_with_vault
from phitrail.durable.files import DurableFiles
from phitrail.errors import ConfigError, IntegrityError, VaultError
from phitrail.events.codes import Log
from phitrail.events.protected import Protected
from phitrail.keys.key_file import KeyFile
from phitrail.keys.local_vault import LocalVault
from phitrail.keys.names import WRAPPING, KeyId, KeyKind, checkpoint_key, promise_key
from phitrail.keys.restoring import Lost, still_signs, unwrap_held, wrap_anew
from phitrail.keys.settings import LocalVaultSettings, VaultSettings
from phitrail.keys.spelling import base64url
from phitrail.keys.vault import Vault
from phitrail.tlog.key_line import KeyLine
from phitrail.tlog.note import Signer, VerifierKey


@dataclass(frozen=True, slots=True)
class Prepared:
    """Secrets in their places, and what is to be done about what signs.

    Attributes:
        brought_back: how many secrets are here.
        wrapped_anew: how many of them the vault did not give back before.
        silent: the logs whose keys must give way, and who signs that for the old key.
        old: the vault of before, where another one takes its place and it still is.
        given_up: the key files of the keys that give way.
    """

    brought_back: int
    wrapped_anew: int
    silent: Mapping[Log, Signer | None]
    old: Vault | None
    given_up: tuple[KeyFile, ...]

    def destroy_given_up(self) -> None:
        """Have the vault of before destroy what signed in it, where it lets us."""
        if self.old is None:
            return
        for file in self.given_up:
            with suppress(VaultError, IntegrityError):
                self.old.destroy_signing_key(file.wrapped)
        self.old.close()


class BringingBack:
    """The keys of a trail on their way into a vault; the lock of the keys is held."""

    def __init__(
        self,
        directory: Path,
        files: DurableFiles,
        recovery: Ed25519PrivateKey,
        at: str,
        chosen: VaultSettings | None,
    ) -> None:
        self._directory = directory
        self._files = files
        self._recovery = recovery
        self._at = at
        self._register = current_register(directory)
        self._named = read_policy(directory).keys.vault
        self._chosen = chosen if chosen != self._named else None
        self._old: Vault | None = None
        self._given_up: list[KeyFile] = []
        self.vault = self._open()

    def prepare(self) -> Prepared:
        """Put keys in their places; say which logs cannot sign.

        Raises:
            ConfigError: a secret does not come back.
            VaultError: the vault does not answer, or refuses.
        """
        back = open_every_escrow(self._directory, self._register, self._recovery)
        held = self._held(back)
        secrets = {**held, **back.secrets}
        lost = [one for one in back.lost if one.key_id not in held]
        if lost:
            raise ConfigError(
                "these keys do not come back, and nothing was changed: "
                + "; ".join(map(str, lost))
            )
        if not held:
            self._count_beyond_the_register()
        anew = wrap_anew(
            self.vault,
            back.files,
            {
                one: secret
                for one, secret in secrets.items()
                if one not in held or one not in back.secrets
            },
            self._register.escrow_key,
        )
        silent, placed = self._silent_logs()
        placed |= {f"{KEYS}/{file.file_name}": file.encode() for file in anew}
        if self._chosen is not None:
            policy = self._files.read(POLICY_FILE)
            placed[POLICY_FILE] = policy_with_vault(policy, self._chosen)
        self._files.put_many(placed)  # policy.yaml last
        return Prepared(
            len(secrets), len(anew), silent, self._old, tuple(self._given_up)
        )

    def _open(self) -> Vault:
        """Open the vault; one that has no wrapping key gets a new one."""
        settings = self._chosen or self._named
        if isinstance(settings, LocalVaultSettings):
            place = wrapping_directory(self._directory, settings)
            if not any(place.glob(f"{WRAPPING}.v*.json")):
                place.mkdir(mode=0o700, parents=True, exist_ok=True)
                return LocalVault.create(
                    place, created_at=self._at, version=self._newest_wrapping() + 1
                )
            return LocalVault.load(place)
        return make_vault(self._directory, settings, self._at)

    def _newest_wrapping(self) -> int:
        known = self._register.versions(WRAPPING)
        return known[-1].version if known else 0

    def _count_beyond_the_register(self) -> None:
        """Have another vault count on from where the one before was."""
        while self.vault.newest_wrapping_version() <= self._newest_wrapping():
            self.vault.rotate_wrapping_key(self._at)

    def _held(self, back: BroughtBack) -> dict[KeyId, Protected[bytes]]:
        """Say which secrets the vault gives back as it is."""
        found = {
            key_id: unwrap_held(self.vault, file, self._register.entry(key_id))
            for key_id, file in back.files.items()
        }
        return {key_id: secret for key_id, secret in found.items() if secret}

    def _silent_logs(self) -> tuple[dict[Log, Signer | None], dict[str, bytes]]:
        """Say which logs this vault does not sign for, and who signs their handover."""
        silent: dict[Log, Signer | None] = {}
        placed: dict[str, bytes] = {}
        lines = read_lines(self._directory)
        self._old = self._open_old()
        for log in (Log.AUDIT, *(one for one in Log if one is not Log.AUDIT)):
            pair = self._signing_files(log, lines[log], placed)
            if all(still_signs(self.vault, file) for file in pair):
                continue
            silent[log] = _signer(self._old, pair[0], lines[log])
            self._given_up += pair
        return silent, placed

    def _open_old(self) -> Vault | None:
        """Open the vault of before, where another one takes its place and it still is."""
        if self._chosen is None:
            return None
        with suppress(ConfigError, VaultError):
            return open_vault(self._directory, self._named)
        return None

    def _signing_files(
        self, log: Log, line: KeyLine, placed: dict[str, bytes]
    ) -> tuple[KeyFile, KeyFile]:
        """Read a log's two key files; one that is gone is made of its public half."""
        version, pair = len(line.tenures), []
        for name, key in (
            (checkpoint_key(log), line.current.log_key),
            (promise_key(log), line.current.promise_key),
        ):
            file = read_key_file_of(self._directory, KeyId(name, version))
            if isinstance(file, Lost):
                if file.is_seen:
                    raise ConfigError(f"nothing was changed: {file.why}")
                file = self._public_half(KeyId(name, version), key)
                placed[f"{KEYS}/{file.file_name}"] = file.encode()
            pair.append(file)
        return pair[0], pair[1]

    def _public_half(self, key_id: KeyId, key: VerifierKey) -> KeyFile:
        """Make a key file that names a key and signs nothing, until it is succeeded."""
        return KeyFile(
            name=key_id.name,
            kind=KeyKind.SIGN,
            version=key_id.version,
            created_at=self._at,
            vault=self._register.entry(key_id).vault,
            held="",
            public_key=base64url(key.public_key),
        )


def _signer(old: Vault | None, file: KeyFile, line: KeyLine) -> Signer | None:
    """Return what signs a handover for the old key, where its vault still does."""
    if old is None:
        return None
    with suppress(VaultError):
        if still_signs(old, file):
            wrapped = file.wrapped
            return Signer(
                line.origin, file.public(), lambda data: old.sign(wrapped, data)
            )
    return None
