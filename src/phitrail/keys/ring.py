"""The ring: the keys of one trail at work, wrapped secrets unwrapped for a while.

1. Secrets come from key files through the vault (`keys.vault`), many at once. They are kept
   for the time that the vault admits, then asked for anew; a refusal drops them all at once.
2. Which version protects, and which may open, is what the register says. A version that is
   suspended protects nothing, a compromised one is quarantined (`behind_glass`), a destroyed
   one is gone.
3. Another process may change keys. The register is looked at once a second: when it changed,
   files and states are read anew, while whoever records goes on.
4. A secret that is not the register's is refused: a vault that answers with another one
   would seal what nobody can open.

Secrets stay inside `Protected`. Python cannot wipe memory; the threat model says so.
"""

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import RLock

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from phitrail.errors import (
    ConfigError,
    IntegrityError,
    RefusedError,
    StorageError,
    VaultError,
)
from phitrail.events.protected import Protected
from phitrail.events.unprotect import unprotect
from phitrail.keys.key_file import (
    SECRET_BYTES,
    KeyFile,
    fingerprint_of_public,
    fingerprint_of_secret,
    make_key,
    read_key_file,
)
from phitrail.keys.local_vault import LocalVault
from phitrail.keys.names import WRAPPING, KeyId, KeyKind, kinds_of_keys
from phitrail.keys.register import KeyEntry, KeyRegister
from phitrail.keys.secret_file import make_secret_file
from phitrail.keys.states import IS_GONE, PROTECTS, KeyState
from phitrail.keys.vault import Vault

LOOK_EVERY_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Watched:
    """The register of a trail: where it stands, and what reads it, checked."""

    place: Path
    read: Callable[[], KeyRegister]


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A signing key: its public half (32 bytes) and what signs."""

    public_key: bytes
    sign: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class _Held:
    """What is known of the keys at one moment; replaced whole."""

    files: Mapping[KeyId, KeyFile]
    entries: Mapping[KeyId, KeyEntry]
    newest: Mapping[str, int]
    seen: tuple[int, ...] = ()


@dataclass(slots=True)
class _Shared:
    """What a ring and its views have in common."""

    held: _Held
    secrets: dict[KeyId, tuple[Protected[bytes], int | None]]
    look_at_us: int
    lock: RLock


class KeyRing:
    """The keys of one trail; thread-safe."""

    def __init__(
        self,
        vault: Vault | None,
        shared: _Shared,
        *,
        directory: Path | None = None,
        watched: Watched | None = None,
        elapsed_us: Callable[[], int] | None = None,
        is_behind_glass: bool = False,
        is_changing: bool = False,
    ) -> None:
        self._vault = vault
        self._shared = shared
        self._directory = directory
        self._watched = watched
        self._elapsed_us = elapsed_us
        self._is_behind_glass = is_behind_glass
        self._is_changing = is_changing

    @classmethod
    def of(cls, secrets: Mapping[str, Mapping[int, Protected[bytes]]]) -> "KeyRing":
        """Make a ring of secrets that are at hand already, without a vault."""
        newest = {name: max(versions) for name, versions in secrets.items()}
        kept: dict[KeyId, tuple[Protected[bytes], int | None]] = {
            KeyId(name, version): (secret, None)
            for name, versions in secrets.items()
            for version, secret in versions.items()
        }
        return cls(None, _Shared(_Held({}, {}, newest), kept, 0, RLock()))

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
        held = _read(directory, watched, may_lack)
        shared = _Shared(held, {}, 0, RLock())
        ring = cls(
            vault or LocalVault.load(directory),
            shared,
            directory=directory,
            watched=watched,
            elapsed_us=elapsed_us,
        )
        shared.look_at_us = ring._now_us() + LOOK_EVERY_US
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
            directory=self._directory,
            watched=self._watched,
            elapsed_us=self._elapsed_us,
            is_behind_glass=is_behind_glass,
            is_changing=is_changing,
        )

    def check_may_open(self, key_id: KeyId) -> None:
        """Check that what a version sealed is not in quarantine, or the glass is broken.

        Raises:
            RefusedError: it is compromised, and seals.
        """
        entry = self._shared.held.entries.get(key_id)
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

    def quarantined(self, name: str) -> tuple[KeyId, ...]:
        """List the versions of a key whose content opens behind glass only."""
        self._look()
        return tuple(
            key_id
            for key_id, entry in sorted(self._shared.held.entries.items())
            if key_id.name == name
            and entry.state is KeyState.COMPROMISED
            and entry.kind is KeyKind.SEAL
            and not self._is_behind_glass
        )

    def versions(self) -> list[tuple[str, int]]:
        """List every key and version that is here, in order."""
        self._look()
        shared = self._shared
        here = shared.held.files.keys() | (
            shared.secrets.keys() if self._vault is None else set()
        )
        return sorted((one.name, one.version) for one in here)

    def files(self) -> dict[KeyId, KeyFile]:
        """Return every key file that is here."""
        self._look()
        return dict(self._shared.held.files)

    def newest(self, name: str) -> tuple[int, Protected[bytes]]:
        """Return the version in use and its secret.

        Raises:
            StorageError: no version is in use, or the vault does not give it.
        """
        version = self.newest_version(name)
        return version, self.secret(name, version)

    def newest_version(self, name: str) -> int:
        """Return the version in use.

        Raises:
            StorageError: none is: it is suspended, or was not activated yet.
        """
        self._look()
        version = self._shared.held.newest.get(name)
        if version is None and self._is_changing:
            version = self._suspended_version(name)
        if version is None:
            raise StorageError(
                f"no version of key {name} is active, so nothing is protected and "
                "nothing recorded; see `phitrail key list`, then lift the suspension "
                f"or run `phitrail key rotate {name}`"
            )
        return version

    def _suspended_version(self, name: str) -> int | None:
        found = [
            key_id.version
            for key_id, entry in self._shared.held.entries.items()
            if key_id.name == name and entry.state is KeyState.SUSPENDED
        ]
        return max(found, default=None)

    def secret(self, name: str, version: int) -> Protected[bytes]:
        """Return one version's secret.

        Raises:
            ConfigError: there is no such version here.
            RefusedError: it is compromised, and seals: it opens behind glass only.
            VaultError: the vault does not answer, or refuses.
        """
        key_id = KeyId(name, version)
        self.check_may_open(key_id)
        kept = self._shared.secrets.get(key_id)
        if kept is not None and (kept[1] is None or self._now_us() < kept[1]):
            return kept[0]
        self._unwrap([key_id])
        return self._shared.secrets[key_id][0]

    def signing_key(self, name: str) -> SigningKey:
        """Return the signing key in use under a name.

        Raises:
            ConfigError: there is none.
        """
        version = self.newest_version(name)
        key_id = KeyId(name, version)
        if self._vault is None:
            private = Ed25519PrivateKey.from_private_bytes(
                unprotect(self.secret(name, version))
            )
            return SigningKey(private.public_key().public_bytes_raw(), private.sign)
        file = self._file(key_id)
        vault, wrapped = self._vault, file.wrapped

        def sign(data: bytes) -> bytes:
            self._check_signs(key_id)
            return vault.sign(wrapped, data)

        return SigningKey(file.public(), sign)

    def fingerprints(self) -> dict[KeyId, str]:
        """Return the fingerprint of every version that is here."""
        found: dict[KeyId, str] = {}
        for key_id, file in self.files().items():
            if file.kind is KeyKind.SIGN:
                found[key_id] = fingerprint_of_public(key_id, file.public())
            else:
                secret = self.behind_glass().secret(key_id.name, key_id.version)
                found[key_id] = fingerprint_of_secret(key_id, secret)
        return found

    def with_files(self, files: Sequence[KeyFile]) -> "KeyRing":
        """Return the keys as they are once these have replaced all of their names."""
        held = self._shared.held
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
        shared = replace(
            self._shared, held=replace(held, files=kept, entries=entries, newest=newest)
        )
        return KeyRing(
            self._vault, shared, directory=self._directory, elapsed_us=self._elapsed_us
        )

    def keep_warm(self) -> None:
        """Unwrap anew what the vault admits for less than half of its time.

        Raises:
            ConfigError: a key is another one than the register's.
            VaultError: the vault does not answer, or refuses.
        """
        if self._vault is None:
            return
        held, shared, now_us = self._shared.held, self._shared, self._now_us()
        half_us = int((self._vault.unwrap_cache_s or 0) * 500_000)
        due = []
        for key_id, file in held.files.items():
            entry, kept = held.entries.get(key_id), shared.secrets.get(key_id)
            if file.kind is KeyKind.SIGN or (entry is not None and _is_idle(entry)):
                continue
            if kept is None or (kept[1] is not None and kept[1] - now_us < half_us):
                due.append(key_id)
        if due:
            self._unwrap(due)

    def close(self) -> None:
        """Forget what was unwrapped."""
        if self._vault is not None:
            self._shared.secrets.clear()
            self._vault.close()

    # --- the register, as it changes ---

    def _look(self) -> None:
        """Look once a second whether the keys were changed."""
        if self._watched is None or self._elapsed_us is None:
            return
        shared, now_us = self._shared, self._elapsed_us()
        if now_us < shared.look_at_us:
            return
        with shared.lock:
            if now_us < shared.look_at_us:
                return
            shared.look_at_us = now_us + LOOK_EVERY_US
            if _stamp(self._watched.place) != shared.held.seen:
                self.refresh()

    def refresh(self) -> None:
        """Read files and states anew.

        Raises:
            ConfigError: a key is missing or damaged; what was known stays in use.
            IntegrityError: the register is not signed by this trail's key.
        """
        if self._directory is None:
            return
        with self._shared.lock:
            held = _read(self._directory, self._watched, ())
            self._shared.held = held
            for key_id in [
                one for one in self._shared.secrets if one not in held.files
            ]:
                del self._shared.secrets[key_id]

    def _check_signs(self, key_id: KeyId) -> None:
        self._look()
        entry = self._shared.held.entries.get(key_id)
        is_suspended = entry is not None and entry.state is KeyState.SUSPENDED
        if is_suspended and not self._is_changing:
            raise StorageError(
                f"key {key_id} is suspended: nothing is signed and nothing recorded; "
                f"lift it with `phitrail key suspend {key_id} --lift`"
            )

    # --- secrets ---

    def _now_us(self) -> int:
        return 0 if self._elapsed_us is None else self._elapsed_us()

    def _file(self, key_id: KeyId) -> KeyFile:
        file = self._shared.held.files.get(key_id)
        if file is None and self._watched is not None:
            # Another process may have made it within this second, and sealed under it.
            if _stamp(self._watched.place) != self._shared.held.seen:
                self.refresh()
            file = self._shared.held.files.get(key_id)
        if file is None:
            raise ConfigError(
                f"key {key_id.name} version {key_id.version} is not here; restore it "
                "from the backup"
            )
        return file

    def _unwrap(self, key_ids: Sequence[KeyId]) -> None:
        """Unwrap in one call; held against the register, kept for the vault's time."""
        shared = self._shared
        with shared.lock:
            if self._vault is None:
                raise ConfigError(
                    f"key {key_ids[0].name} version {key_ids[0].version} is not here; "
                    "restore it from the backup"
                )
            files = [self._file(key_id) for key_id in key_ids]
            try:
                secrets = self._vault.unwrap([file.wrapped for file in files])
            except VaultError as error:
                if error.is_refusal:
                    shared.secrets.clear()
                raise
            except IntegrityError as error:
                raise self._which_is_wrong(files) from error
            cache_s = self._vault.unwrap_cache_s
            until_us = None
            if cache_s is not None and self._elapsed_us is not None:
                until_us = self._now_us() + int(cache_s * 1_000_000)
            for key_id, plain in zip(key_ids, secrets, strict=True):
                secret = Protected(plain)
                self._check_secret(key_id, secret, len(plain))
                kept = shared.secrets.get(key_id)
                if kept is not None and kept[0] == secret:
                    secret = kept[0]  # the same object: what was prepared of it stays
                shared.secrets[key_id] = secret, until_us

    def _which_is_wrong(self, files: Sequence[KeyFile]) -> ConfigError:
        """Ask for one after the other, so that the operator learns which file it is."""
        for file in files:
            try:
                self.vault.unwrap([file.wrapped])
            except IntegrityError:
                return _not_the_one(file.key_id)
        return ConfigError("a key did not unwrap, and each of them does; try again")

    def _check_secret(
        self, key_id: KeyId, secret: Protected[bytes], length: int
    ) -> None:
        entry = self._shared.held.entries.get(key_id)
        is_right = entry is None or entry.fingerprint == fingerprint_of_secret(
            key_id, secret
        )
        if length != SECRET_BYTES or not is_right:
            raise _not_the_one(key_id)


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


def _not_the_one(key_id: KeyId) -> ConfigError:
    return ConfigError(
        f"key {key_id.name} version {key_id.version} is not the one that this trail was "
        "made with; put the right key file back"
    )


def _is_idle(entry: KeyEntry) -> bool:
    """Say whether a version is not unwrapped until somebody asks for it."""
    return entry.state in IS_GONE or entry.state in {
        KeyState.COMPROMISED,
        KeyState.PRE_ACTIVATION,
    }


def _read(directory: Path, watched: Watched | None, may_lack: Collection[str]) -> _Held:
    seen = () if watched is None else _stamp(watched.place)
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
    return _Held(files, entries, _newest(files, entries), seen)


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


def _stamp(place: Path) -> tuple[int, ...]:
    try:
        found = os.stat(place)  # noqa: PTH116 - the fields of one call
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns
