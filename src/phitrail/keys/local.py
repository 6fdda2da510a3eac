"""Key files on the local disk: the embedded default, behind the seam of the vaults.

One JSON file a key version, `<name>.v<version>.json`, mode 0600, in a directory of mode
0700. A file that others may read is refused, as is a missing or altered one. Whoever
owns the host owns these keys: the threat model says what follows from it.
"""

import base64
import secrets
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from phitrail.errors import ConfigError, StorageError
from phitrail.events.protected import Protected
from phitrail.events.unprotect import unprotect
from phitrail.keys.names import KeyKind, kinds_of_keys
from phitrail.keys.secret_file import make_secret_file, read_secret_file

SECRET_BYTES = 32


class KeyFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a key file holds; `secret` is 32 bytes, base64."""

    name: str
    kind: KeyKind
    version: int
    created_at: str
    secret: str

    @classmethod
    def make(cls, name: str, version: int, created_at: str) -> "KeyFile":
        """Make a version of a key; nothing is written."""
        return cls(
            name=name,
            kind=kinds_of_keys()[name],
            version=version,
            created_at=created_at,
            secret=base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode(),
        )

    @property
    def file_name(self) -> str:
        """Where it stands in the directory of keys."""
        return f"{self.name}.v{self.version}.json"

    def encode(self) -> bytes:
        """Write the file."""
        return msgspec.json.encode(self) + b"\n"


class LocalKeys:
    """The keys of one trail, read once; secrets stay inside `Protected`."""

    def __init__(
        self, secrets_by_version: Mapping[str, Mapping[int, Protected[bytes]]]
    ) -> None:
        self._secrets = secrets_by_version
        self._newest = {name: max(held) for name, held in secrets_by_version.items()}

    @classmethod
    def create(cls, directory: Path, *, created_at: str) -> "LocalKeys":
        """Make the first version of every key.

        Raises:
            StorageError: a file cannot be written.
            ConfigError: the directory already holds keys.
        """
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if any(directory.iterdir()):
                raise ConfigError(f"{directory} already holds keys; nothing was made")
            for name in kinds_of_keys():
                key = KeyFile.make(name, 1, created_at)
                make_secret_file(directory / key.file_name, key.encode())
        except OSError as error:
            raise StorageError(
                f"cannot write keys under {directory}: {error.strerror}"
            ) from error
        return cls.load(directory)

    @classmethod
    def load(cls, directory: Path, *, may_lack: Collection[str] = ()) -> "LocalKeys":
        """Read every key file.

        Args:
            directory: where they stand.
            may_lack: keys that may be missing, since they are about to be replaced.

        Raises:
            ConfigError: a key is missing, unreadable, altered or readable by others.
        """
        found: dict[str, dict[int, Protected[bytes]]] = {}
        for place in sorted(directory.glob("*.json")):
            key, secret = _read(place)
            found.setdefault(key.name, {})[key.version] = secret
        for name in kinds_of_keys():
            if name not in found and name not in may_lack:
                raise ConfigError(
                    f"key {name} is missing under {directory}; restore it from the "
                    "key backup (a copy without keys can be verified, not written)"
                )
        return cls(found)

    def versions(self) -> list[tuple[str, int]]:
        """List every key and version that is here, in order."""
        return sorted(
            (name, version)
            for name, versions in self._secrets.items()
            for version in versions
        )

    def newest(self, name: str) -> tuple[int, Protected[bytes]]:
        """Return the version in use and its secret."""
        version = self._newest[name]
        return version, self._secrets[name][version]

    def newest_version(self, name: str) -> int:
        """Return the version in use."""
        return self._newest[name]

    def secret(self, name: str, version: int) -> Protected[bytes]:
        """Return one version's secret.

        Raises:
            ConfigError: there is no such version here.
        """
        try:
            return self._secrets[name][version]
        except KeyError:
            raise ConfigError(
                f"key {name} version {version} is not here; restore it from the backup"
            ) from None

    def succeeded_by(self, files: Sequence[KeyFile]) -> "LocalKeys":
        """Return the keys as they are once these have replaced all of their names."""
        replaced = {
            file.name: {file.version: Protected(base64.b64decode(file.secret))}
            for file in files
        }
        return LocalKeys({**self._secrets, **replaced})

    def signer(self, name: str) -> Ed25519PrivateKey:
        """Return the signing key in use under a name."""
        _, secret = self.newest(name)
        return Ed25519PrivateKey.from_private_bytes(unprotect(secret))


def _read(place: Path) -> tuple[KeyFile, Protected[bytes]]:
    data = read_secret_file(
        place,
        if_seen="treat the key as compromised if they may have read it",
        if_missing="restore it from the key backup",
    )
    key, secret = None, b""
    # What a library says of the file could quote the secret, so it never goes along.
    with suppress(msgspec.MsgspecError, ValueError):
        key = msgspec.json.decode(data, type=KeyFile)
        secret = base64.b64decode(key.secret, validate=True)
    if (
        key is None
        or len(secret) != SECRET_BYTES
        or place.name != key.file_name
        or key.kind is not kinds_of_keys().get(key.name)
    ):
        raise ConfigError(
            f"key file {place} is damaged; restore it from the key backup"
        )
    return key, Protected(secret)
