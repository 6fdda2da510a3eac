"""The key of one spool: one file beside it, for its owner alone.

1. A spool has to open while the trail and its keys are out of reach, so its key is none of
   theirs and is wrapped under none of them.
2. It is not derived from a source's credential either: a credential may be replaced while
   events wait, a program may have none, and then what waits could never be read again.
3. It is made once, with the id of its spool, and never made anew where a spool stands.

Whoever owns the application's files owns this key; it protects a copy of the spool without
its key file, and binds every row to this one spool (`capture.spool`).
"""

import base64
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from phitrail.errors import ConfigError, StorageError
from phitrail.events.protected import Protected
from phitrail.keys.ring import KeyRing
from phitrail.keys.sealing import Sealer
from phitrail.keys.secret_file import make_secret_file, read_secret_file

SECRET_BYTES = 32
_NAME: Final = "spool"


class _SpoolKeyFile(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    spool_id: str
    created_at: str
    secret: str


def make_spool_key(place: Path, spool_id: str, *, created_at: str) -> None:
    """Make the key of a spool; durable on return.

    Raises:
        StorageError: it cannot be written, or one stands there.
    """
    key = _SpoolKeyFile(
        spool_id=spool_id,
        created_at=created_at,
        secret=base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode(),
    )
    try:
        make_secret_file(place, msgspec.json.encode(key) + b"\n")
    except OSError as error:
        raise StorageError(f"cannot write {place}: {error.strerror}") from error


def read_spool_key(place: Path) -> tuple[str, Sealer]:
    """Read the id of a spool and what seals its rows.

    Raises:
        ConfigError: the file is missing, damaged, or readable by others.
    """
    data = read_secret_file(
        place,
        if_seen="treat what waits in the spool as read if they may have read it",
        if_missing="put it back: without it what waits in this spool cannot be read",
    )
    # What a library says of the file could quote the secret, so it never goes along.
    with suppress(msgspec.MsgspecError, ValueError):
        key = msgspec.json.decode(data, type=_SpoolKeyFile)
        secret = base64.b64decode(key.secret, validate=True)
        if len(secret) == SECRET_BYTES:
            keys = KeyRing.of({_NAME: {1: Protected(secret)}})
            return key.spool_id, Sealer(keys, _NAME)
    raise ConfigError(f"{place} is damaged; put it back from a copy")
