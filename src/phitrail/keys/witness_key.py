"""The key of a witness: one file, for its owner alone.

A witness belongs on another host than the logs that it watches, so its key is none of the
trail's keys and lives in a directory of its own.
"""

import base64
import secrets
from contextlib import suppress
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from phitrail.errors import ConfigError, StorageError
from phitrail.keys.secret_file import make_secret_file, read_secret_file

SECRET_BYTES = 32


class _WitnessKeyFile(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    name: str
    created_at: str
    secret: str


def make_witness_key(place: Path, name: str, *, created_at: str) -> None:
    """Make a key under a name.

    Raises:
        ConfigError: there is one already.
        StorageError: it cannot be written.
    """
    key = _WitnessKeyFile(
        name=name,
        created_at=created_at,
        secret=base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode(),
    )
    try:
        make_secret_file(place, msgspec.json.encode(key) + b"\n")
    except FileExistsError:
        raise ConfigError(f"{place} is there already; nothing was made") from None
    except OSError as error:
        raise StorageError(f"cannot write {place}: {error.strerror}") from error


def read_witness_key(place: Path) -> tuple[str, Ed25519PrivateKey]:
    """Read the name and the key.

    Raises:
        ConfigError: the file is missing, damaged, or readable by others.
    """
    data = read_secret_file(
        place,
        if_seen="make a new witness if they may have read it",
        if_missing="run `phitrail witness init`",
    )
    # What a library says of the file could quote the secret, so it never goes along.
    with suppress(msgspec.MsgspecError, ValueError):
        key = msgspec.json.decode(data, type=_WitnessKeyFile)
        secret = base64.b64decode(key.secret, validate=True)
        return key.name, Ed25519PrivateKey.from_private_bytes(secret)
    raise ConfigError(f"{place} is damaged; restore it from its backup")
