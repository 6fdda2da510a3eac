"""The ring: the keys of one trail at work, wrapped secrets unwrapped for a while.

1. Secrets come from key files through the vault (`keys.vault`), many at once. They are kept
   for the time that the vault admits, then asked for anew; a refusal drops them all at once.
2. Which version protects, and which may open, is what the register says. A version that is
   suspended protects nothing, a compromised one is quarantined (`behind_glass`), a destroyed
   one is gone.
3. Another process may change keys: what is known is kept current by `keys.key_watch`, and
   each question is answered from one state of it.

Secrets stay inside `Protected`. Python cannot wipe memory; the threat model says so.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from phitrail.errors import ConfigError, RefusedError, StorageError, VaultError
from phitrail.events.protected import Protected
from phitrail.events.unprotect import unprotect
from phitrail.keys.held_keys import HeldKeys, Watched, read_held_keys
from phitrail.keys.key_file import (
    KeyFile,
    fingerprint_of_public,
    fingerprint_of_secret,
    make_key,
)
from phitrail.keys.key_watch import KeyWatch
from phitrail.keys.local_vault import LocalVault
from phitrail.keys.names import WRAPPING, KeyId, KeyKind, kinds_of_keys
from phitrail.keys.register import KeyEntry
from phitrail.keys.secret_file import make_secret_file
from phitrail.keys.states import KeyState
from phitrail.keys.unwrapped import Unwrapped
from phitrail.keys.vault import Vault

_WITH_OTHERS = frozenset({KeyState.COMPROMISED, KeyState.DESTROYED_COMPROMISED})


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A signing key: its public half (32 bytes) and what signs."""

    public_key: bytes
    sign: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class _Shared:
    """What a ring and its views have in common.

    `at_hand` are secrets that came without a vault.
    """

    watch: KeyWatch
    unwrapped: Unwrapped | None
    at_hand: Mapping[KeyId, Protected[bytes]]


class KeyRing:
    """The keys of one trail; thread-safe."""

    def __init__(
        self,
        vault: Vault | None,
        shared: _Shared,
        *,
        is_behind_glass: bool = False,
        is_changing: bool = False,
    ) -> None:
        self._vault = vault
        self._shared = shared
        self._is_behind_glass = is_behind_glass
        self._is_changing = is_changing

    @classmethod
    def of(cls, secrets: Mapping[str, Mapping[int, Protected[bytes]]]) -> "KeyRing":
        """Make a ring of secrets that are at hand already, without a vault."""
        newest = {name: max(versions) for name, versions in secrets.items()}
        at_hand = {
            KeyId(name, version): secret
            for name, versions in secrets.items()
            for version, secret in versions.items()
        }
        watch = KeyWatch(HeldKeys({}, {}, newest))
        return cls(None, _Shared(watch, None, at_hand))

    @classmethod
    def create(
        cls,
        directory: Path,
        make_vault: Callable[[], Vault] | None = None,
        *,
        created_at: str,
        escrow_key: str | None = None,
    ) -> tuple["KeyRing", tuple[KeyEntry, ...]]:
        """Make the first version of every key; give the ring and the register's entries.

        Args:
            directory: where the files go; absent or empty.
            make_vault: opens what wraps them; by default a local keyring beside them.
            created_at: when, as written.
            escrow_key: the public half of the escrow.

        Raises:
            StorageError: a file cannot be written, or the vault refuses.
            ConfigError: the directory already holds keys.
        """
        entries: list[KeyEntry] = []
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if any(directory.iterdir()):
                raise ConfigError(f"{directory} already holds keys; nothing was made")
            if make_vault is None:
                vault: Vault = LocalVault.create(directory, created_at=created_at)
            else:
                vault = make_vault()
            entries.append(wrapping_entry(vault, created_at))
            for name, kind in kinds_of_keys().items():
                file, entry = make_key(
                    KeyId(name, 1), kind, created_at, vault, escrow_key
                )
                make_secret_file(directory / file.file_name, file.encode())
                entries.append(entry)
        except OSError as error:
            raise StorageError(
                f"cannot write keys under {directory}: {error.strerror}"
            ) from error
        return cls.load(directory, vault), tuple(entries)

    @classmethod
    def load(
        cls,
        directory: Path,
        vault: Vault | None = None,
        *,
        watched: Watched | None = None,
        may_lack: Collection[str] = (),
        elapsed_us: Callable[[], int] | None = None,
    ) -> "KeyRing":
        """Read every key file, and unwrap what may be in use, in one go.

        Args:
            directory: where they stand.
            vault: what unwraps them; by default the local keyring beside them.
            watched: the register; without one, every version that is here may be used.
            may_lack: keys that may be missing, since they are about to be replaced.
            elapsed_us: a clock that never goes back, microseconds; without one secrets
                are kept for good and the register is read once.

        Raises:
            ConfigError: a key is missing, unreadable, altered or readable by others.
            VaultError: the vault does not answer, or refuses.
        """
        held = read_held_keys(directory, watched, may_lack)
        vault = vault or LocalVault.load(directory)
        unwrapped = Unwrapped(vault, elapsed_us)
        watch = KeyWatch(
            held,
            directory=directory,
            watched=watched,
            elapsed_us=elapsed_us,
            unwrapped=unwrapped,
        )
        ring = cls(vault, _Shared(watch, unwrapped, {}))
        ring.keep_warm()
        return ring

    @property
    def vault(self) -> Vault:
        """What wraps these keys.

        Raises:
            ConfigError: they are at hand without one.
        """
        if self._vault is None:
            raise ConfigError("these keys have no vault")
        return self._vault

    def behind_glass(self) -> "KeyRing":
        """Return a view of the same keys that opens under compromised versions too.

        For what the log itself must read to go on, and for people after they broke the
        glass; who asks has recorded it.
        """
        return self._view(is_behind_glass=True, is_changing=self._is_changing)

    def for_changes(self) -> "KeyRing":
        """Return a view of the same keys that records under suspended versions too.

        For a change of the keys itself: it ends a suspension, or says why there is
        another, and must be on record. Nothing else may use it.
        """
        return self._view(is_behind_glass=self._is_behind_glass, is_changing=True)

    def _view(self, *, is_behind_glass: bool, is_changing: bool) -> "KeyRing":
        return KeyRing(
            self._vault,
            self._shared,
            is_behind_glass=is_behind_glass,
            is_changing=is_changing,
        )

    def check_may_open(self, key_id: KeyId) -> None:
        """Check that what a version sealed is not in quarantine, or the glass is broken.

        Raises:
            RefusedError: it is compromised, and seals.
        """
        self._check_may_open(self._shared.watch.held(), key_id)

    def quarantined(self, name: str) -> tuple[KeyId, ...]:
        """List the versions of a key whose content opens behind glass only."""
        return tuple(
            key_id
            for key_id, entry in sorted(self._shared.watch.held().entries.items())
            if key_id.name == name
            and entry.state is KeyState.COMPROMISED
            and entry.kind is KeyKind.SEAL
            and not self._is_behind_glass
        )

    def compromised(self, name: str) -> tuple[int, ...]:
        """List the versions of a key that somebody else may have."""
        held = self._shared.watch.held()
        return tuple(
            key_id.version
            for key_id in sorted(held.entries)
            if key_id.name == name and held.state(key_id) in _WITH_OTHERS
        )

    def gone(self, name: str) -> tuple[int, ...]:
        """List the versions of a key that were destroyed, or whose files are missing."""
        held = self._shared.watch.held()
        return tuple(
            key_id.version
            for key_id in sorted(held.entries)
            if key_id.name == name
            and (key_id not in held.files or held.is_gone(key_id))
        )

    def versions(self) -> list[tuple[str, int]]:
        """List every key and version that is here, in order."""
        here = self._shared.at_hand.keys() | self.files().keys()
        return sorted((one.name, one.version) for one in here)

    def files(self) -> dict[KeyId, KeyFile]:
        """Return every key file that is here, but of versions that were destroyed."""
        held = self._shared.watch.held()
        return {
            key_id: file
            for key_id, file in held.files.items()
            if not held.is_gone(key_id)
        }

    def newest(self, name: str) -> tuple[int, Protected[bytes]]:
        """Return the version in use and its secret.

        Raises:
            StorageError: no version is in use, or the vault does not give it.
        """
        held = self._shared.watch.held()
        version = self._newest_version(held, name)
        return version, self._secret(held, KeyId(name, version))

    def newest_version(self, name: str) -> int:
        """Return the version in use.

        Raises:
            StorageError: none is: it is suspended, or was not activated yet.
        """
        return self._newest_version(self._shared.watch.held(), name)

    def secret(self, name: str, version: int) -> Protected[bytes]:
        """Return one version's secret.

        Raises:
            ConfigError: there is no such version here.
            RefusedError: it is compromised, and seals: it opens behind glass only.
            VaultError: the vault does not answer, or refuses.
        """
        key_id = KeyId(name, version)
        held = self._shared.watch.held()
        if key_id not in held.files and self._vault is not None:
            # Another process may have made it within this second, and sealed under it.
            held = self._shared.watch.held_now()
        return self._secret(held, key_id)

    def signing_key(self, name: str) -> SigningKey:
        """Return the signing key in use under a name.

        Raises:
            ConfigError: there is none.
        """
        held = self._shared.watch.held()
        key_id = KeyId(name, self._newest_version(held, name))
        if self._vault is None:
            private = Ed25519PrivateKey.from_private_bytes(
                unprotect(self._secret(held, key_id))
            )
            return SigningKey(private.public_key().public_bytes_raw(), private.sign)
        file, vault = _file(held, key_id), self._vault
        public_key = file.public()

        def sign(data: bytes) -> bytes:
            self._check_signs(key_id)
            return self._signature(vault, file, public_key, data)

        return SigningKey(public_key, sign)

    def fingerprints(self) -> dict[KeyId, str]:
        """Return the fingerprint of every version whose file is here.

        That of a version that was destroyed is empty: nothing is unwrapped for it.
        """
        held, glass = self._shared.watch.held(), self.behind_glass()
        found: dict[KeyId, str] = {}
        for key_id, file in held.files.items():
            if held.is_gone(key_id):
                found[key_id] = ""
            elif file.kind is KeyKind.SIGN:
                found[key_id] = fingerprint_of_public(key_id, file.public())
            else:
                secret = glass.secret(key_id.name, key_id.version)
                found[key_id] = fingerprint_of_secret(key_id, secret)
        return found

    def with_files(self, files: Sequence[KeyFile]) -> "KeyRing":
        """Return the keys as they are once these have replaced all of their names."""
        held = self._shared.watch.held()
        replaced = {file.name for file in files}
        kept = {
            key_id: file
            for key_id, file in held.files.items()
            if key_id.name not in replaced
        }
        kept |= {file.key_id: file for file in files}
        newest = {**held.newest, **{file.name: file.version for file in files}}
        entries = {
            key_id: entry
            for key_id, entry in held.entries.items()
            if key_id.name not in replaced
        }
        fixed = KeyWatch(replace(held, files=kept, entries=entries, newest=newest))
        return KeyRing(self._vault, replace(self._shared, watch=fixed))

    def keep_warm(self) -> None:
        """Unwrap anew what the vault admits for less than half of its time.

        Raises:
            ConfigError: a key is another one than the register's.
            VaultError: the vault does not answer, or refuses.
        """
        unwrapped = self._shared.unwrapped
        if unwrapped is not None:
            held, cache_s = self._shared.watch.held(), self.vault.unwrap_cache_s
            files = list(held.secret_files().values())
            unwrapped.unwrap(files, held.entries, for_s=(cache_s or 0) / 2)

    def refresh(self) -> None:
        """Read files and states anew.

        Raises:
            ConfigError: a key is missing or damaged; what was known stays in use.
            IntegrityError: the register is not signed by this trail's key.
            VaultError: the vault does not give the secret of a new version.
        """
        self._shared.watch.refresh()

    def close(self) -> None:
        """Forget what was unwrapped."""
        if self._shared.unwrapped is not None:
            self._shared.unwrapped.clear()
            self.vault.close()

    # --- answers from one state of what is known ---

    def _newest_version(self, held: HeldKeys, name: str) -> int:
        version = held.newest.get(name)
        if version is None and self._is_changing:
            suspended = [
                key_id.version
                for key_id, entry in held.entries.items()
                if key_id.name == name and entry.state is KeyState.SUSPENDED
            ]
            version = max(suspended, default=None)
        if version is None:
            raise StorageError(
                f"no version of key {name} is active, so nothing is protected and "
                "nothing recorded; see `phitrail key list`, then lift the suspension "
                f"or run `phitrail key rotate {name}`"
            )
        return version

    def _secret(self, held: HeldKeys, key_id: KeyId) -> Protected[bytes]:
        self._check_may_open(held, key_id)
        if self._shared.unwrapped is None:
            secret = self._shared.at_hand.get(key_id)
            if secret is None:
                raise _not_here(key_id)
            return secret
        file = _file(held, key_id)
        kept = self._shared.unwrapped.kept(key_id)
        if kept is not None:
            return kept
        return self._shared.unwrapped.unwrap([file], held.entries)[0]

    def _signature(
        self, vault: Vault, file: KeyFile, public_key: bytes, data: bytes
    ) -> bytes:
        """Let the vault sign, and believe no signature that the log's key did not make."""
        try:
            signature = vault.sign(file.wrapped, data)
        except VaultError as error:
            if error.is_refusal and self._shared.unwrapped is not None:
                self._shared.unwrapped.clear()
            raise
        with suppress(InvalidSignature, ValueError):
            Ed25519PublicKey.from_public_bytes(public_key).verify(signature, data)
            return signature
        raise ConfigError(
            f"the vault signs for key {file.key_id} with another key than the log's; put "
            "the right key file back, or restore the vault from its snapshot"
        )

    def _check_may_open(self, held: HeldKeys, key_id: KeyId) -> None:
        entry = held.entries.get(key_id)
        if (
            entry is not None
            and entry.state is KeyState.COMPROMISED
            and entry.kind is KeyKind.SEAL
            and not self._is_behind_glass
        ):
            raise RefusedError(
                f"key {key_id} is compromised: what it sealed is quarantined, and opens "
                "only for somebody who says why, on record (--break-glass REASON)"
            )

    def _check_signs(self, key_id: KeyId) -> None:
        state = self._shared.watch.held().state(key_id)
        if state is KeyState.SUSPENDED and not self._is_changing:
            raise StorageError(
                f"key {key_id} is suspended: nothing is signed and nothing recorded; "
                f"lift it with `phitrail key suspend {key_id} --lift`"
            )


def wrapping_entry(vault: Vault, created_at: str) -> KeyEntry:
    """Make the register's entry of the vault's own key, active.

    Raises:
        VaultError: the vault does not answer, or refuses.
    """
    key_id = KeyId(WRAPPING, vault.newest_wrapping_version())
    return KeyEntry(
        name=key_id.name,
        version=key_id.version,
        kind=KeyKind.WRAP,
        state=KeyState.ACTIVE,
        fingerprint=fingerprint_of_public(key_id, vault.kind.encode()),
        vault=vault.kind,
        created_at=created_at,
        activated_at=created_at,
    )


def _file(held: HeldKeys, key_id: KeyId) -> KeyFile:
    file = held.files.get(key_id)
    if file is None or held.is_gone(key_id):
        raise _not_here(key_id)
    return file


def _not_here(key_id: KeyId) -> ConfigError:
    return ConfigError(
        f"key {key_id.name} version {key_id.version} is not here; restore it from the "
        "backup"
    )
