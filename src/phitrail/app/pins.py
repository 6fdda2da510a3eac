"""What each log's genesis pins, and the line of its keys from there; without any secret."""

from pathlib import Path

from phitrail.app import handover
from phitrail.errors import ConfigError
from phitrail.events.codes import Log
from phitrail.tlog.genesis import Pinned, read_genesis
from phitrail.tlog.key_line import KeyLine
from phitrail.tlog.keyring import read_line
from phitrail.tlog.layout import public_genesis

JOURNAL = "state/journal.db"


def read_pins(directory: Path) -> dict[Log, Pinned]:
    """Read what each log's genesis pins, from its clear copy.

    Raises:
        ConfigError: there is no trail here.
        IntegrityError: a genesis is not one of this log.
    """
    pins: dict[Log, Pinned] = {}
    for log in Log:
        place = directory / public_genesis(log)
        try:
            pins[log] = read_genesis(place.read_bytes(), log)
        except OSError:
            raise ConfigError(
                f"there is no {place}; run `phitrail init`, or point --trail at a trail"
            ) from None
    return pins


def read_lines(directory: Path) -> dict[Log, KeyLine]:
    """Read the line of each log's keys, from what genesis pins through the keyring.

    Raises:
        ConfigError: there is no trail here.
        IntegrityError: a genesis is not one of this log, or the keyring does not verify.
    """
    pins = read_pins(directory)
    keyring = handover.read_keyring(directory, directory / JOURNAL)
    return {log: read_line(keyring, pinned) for log, pinned in pins.items()}
