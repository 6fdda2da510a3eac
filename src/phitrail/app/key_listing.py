"""`key show`: the public halves of the signing keys, and whether a succession is on its way.

Read from what anybody may see: genesis, the keyring, the journal's events. No secret is
opened.
"""

from dataclasses import dataclass
from pathlib import Path

from phitrail.app import handover
from phitrail.app.pins import JOURNAL, read_lines, read_pins
from phitrail.events.codes import Log
from phitrail.tlog.keyring import ListedKey, list_keys


@dataclass(frozen=True, slots=True)
class KeyListing:
    """The keys of a trail.

    Attributes:
        keys: of each log, the oldest first.
        unfinished: what is to be done about a succession that was begun; None for none.
    """

    keys: tuple[ListedKey, ...]
    unfinished: str | None


def list_trail_keys(directory: Path) -> KeyListing:
    """List the signing keys of a trail.

    Raises:
        ConfigError: there is no trail here.
        IntegrityError: a genesis or the keyring does not verify.
        StorageError: a file cannot be read.
    """
    pins, lines = read_pins(directory), read_lines(directory)
    keys = tuple(key for log in Log for key in list_keys(pins[log], lines[log]))
    return KeyListing(keys, _unfinished(directory))


def _unfinished(directory: Path) -> str | None:
    begun = handover.read_handover(directory)
    if begun is None:
        return None
    log = begun.succession.log
    if handover.is_recorded(directory / JOURNAL, begun):
        return (
            f"the new keys of {log} are in force and not all in their places: the next "
            "command that opens the trail finishes it"
        )
    return (
        f"new keys for {log} were begun and never recorded: they have no effect, the "
        "old ones are in force; ask for them again"
    )
