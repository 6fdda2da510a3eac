"""Reading register and log together, to hold one against the other (`app.key_history`).

Others may change keys meanwhile, and a change that was begun may not be done. The register
that counts is the one of the last change that the journal holds; the log is read between
two looks at it, until both are the same. Nothing is written: a copy is checked as it lies.
"""

from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import msgspec

from phitrail.app import handover
from phitrail.app.key_handover import is_recorded, read_change
from phitrail.app.key_history import (
    RegisterCheck,
    Told,
    check_against_log,
    read_told,
)
from phitrail.app.key_register import REGISTER, open_register
from phitrail.app.pins import JOURNAL, read_lines, read_pins
from phitrail.durable.files import DurableFiles
from phitrail.errors import ConfigError, StorageError
from phitrail.events.codes import Log
from phitrail.keys.register import KeyRegister
from phitrail.tlog.reader import LogReader

TRIES = 8


def read_trail_told(directory: Path, reader: LogReader) -> Told:
    """Read what the logs of a trail tell of its keys.

    Raises:
        IntegrityError: an entry is missing or altered.
    """
    events = tuple(read_told(reader.entries(0, reader.size())))
    founded_at = read_pins(directory)[Log.AUDIT].genesis.created_at
    return Told(founded_at, events, read_lines(directory))


def register_in_force(directory: Path) -> KeyRegister:
    """Read the register as it is once what was begun is done; writes nothing.

    Raises:
        ConfigError: it is missing or damaged.
        IntegrityError: it is not signed by this trail's keys.
    """
    found = [
        begun.files[REGISTER].encode()
        for begun in (read_change(directory),)
        if begun is not None and is_recorded(directory, begun)
    ]
    succession = handover.read_handover(directory)
    if succession and handover.is_recorded(directory / JOURNAL, succession):
        found.append(succession.files[REGISTER])
    with suppress(FileNotFoundError):
        found.append(DurableFiles(directory).read(REGISTER))
    if not found:
        raise ConfigError(
            f"there is no {directory / REGISTER}; restore it from the archive"
        )
    pins, lines = read_pins(directory), read_lines(directory)
    return open_register(max(found, key=_number), pins[Log.AUDIT], lines[Log.AUDIT])


class _Numbered(msgspec.Struct):
    number: int


def _number(data: bytes) -> int:
    with suppress(msgspec.MsgspecError, ValueError):
        return msgspec.json.decode(data, type=_Numbered).number
    return -1


def check_register(
    directory: Path, open_reader: Callable[[], LogReader]
) -> RegisterCheck:
    """Hold the register of a trail against its log, while others may change keys.

    Raises:
        ConfigError: the register is missing or damaged.
        IntegrityError: it is not signed by this trail's keys, or an entry is altered.
        StorageError: the keys changed at every try.
    """
    for _ in range(TRIES):
        before = register_in_force(directory)
        with closing(open_reader()) as reader:
            told = read_trail_told(directory, reader)
        if register_in_force(directory) == before:
            return check_against_log(before, told)
    raise StorageError("the keys changed at every try; try again when they rest")
