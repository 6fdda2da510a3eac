"""The end of a key file: a secret goes at once, a half that signs once its vault agrees.

What signs stands in a vault that may be down, or may not let us destroy anything, at the
very moment when a stolen key gives way. That must not hold up the new keys. So the file of a
signing key that ended moves to `keys/ended/`, out of the ring's sight, and stays there until
the vault has destroyed the key: tried at once, and by whoever opens the trail after. `key
list` tells what still waits. A secret has no copy in the vault: its file is removed.
"""

from pathlib import Path

from phitrail.durable.files import DurableFiles
from phitrail.errors import IntegrityError, StorageError
from phitrail.keys.key_file import read_key_file
from phitrail.keys.names import KeyId, KeyKind, kind_of_key
from phitrail.keys.vault import Vault

ENDED = "keys/ended"


def end_key_file(files: DurableFiles, path: str) -> None:
    """Take the file of a version out of use; again, it changes nothing.

    Raises:
        StorageError: it stands there still.
    """
    place = files.root / path
    if kind_of_key(place.name.rpartition(".v")[0]) is not KeyKind.SIGN:
        files.remove(path)
        return
    try:
        (files.root / ENDED).mkdir(mode=0o700, exist_ok=True)
        files.rename(path, f"{ENDED}/{place.name}")
    except FileNotFoundError:
        return  # it was lost, or has moved before
    except OSError as error:
        raise StorageError(f"cannot move {path}: {error.strerror}") from error


def destroy_ended(directory: Path, vault: Vault) -> None:
    """Have the vault destroy signing keys that ended; what it does not, waits.

    Raises:
        ConfigError: a file that waits is damaged.
        StorageError: one that is destroyed stands there still.
    """
    files = DurableFiles(directory)
    for place in sorted((directory / ENDED).glob("*.json")):
        file = read_key_file(place)
        try:
            vault.destroy_signing_key(file.wrapped)
        except (StorageError, IntegrityError):
            continue  # it is down, refuses, or never had this key; the list tells
        files.remove(f"{ENDED}/{place.name}")


def waiting_halves(directory: Path) -> tuple[KeyId, ...]:
    """List signing keys that ended, and that their vault has not destroyed yet.

    Raises:
        ConfigError: a file that waits is damaged.
    """
    places = sorted((directory / ENDED).glob("*.json"))
    return tuple(read_key_file(place).key_id for place in places)
