"""A change of the keys on its way: what must not be lost between deciding on it and its end.

`keys/change` names the event that makes the change, the files as they will be, and those
that go. The event is not in the journal: the change has not happened, the file is without
effect. It is there: whoever holds the keys next puts the files in their places.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import msgspec

from phitrail.app.key_endings import end_key_file
from phitrail.app.pins import JOURNAL
from phitrail.durable.files import DurableFiles
from phitrail.durable.lock import FileLock
from phitrail.errors import ConfigError
from phitrail.events.ids import uuid_bytes
from phitrail.tlog.journal import Journal
from phitrail.tlog.reader import find_event

CHANGE = "keys/change"
KEYS_LOCK = "state/keys.lock"


class BegunChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What makes a change effective: its event, its files, and those that go."""

    event_id: str
    files: dict[str, str]
    removed: tuple[str, ...]


@contextmanager
def holding_keys(directory: Path) -> Iterator[None]:
    """Hold the keys of a trail alone; a change that was begun is finished first.

    Raises:
        ConfigError: the file of a change is damaged.
        StorageError: a file is not in its place yet.
    """
    with closing(FileLock(directory / KEYS_LOCK)) as lock, lock:
        _finish_change(directory)
        yield


def begin_change(
    files: DurableFiles,
    event_id: str,
    placed: Mapping[str, bytes],
    removed: Sequence[str],
) -> BegunChange:
    """Make what a change needs durable; `placed` is put in its order.

    Raises:
        StorageError: it is not.
    """
    begun = BegunChange(
        event_id, {path: data.decode() for path, data in placed.items()}, tuple(removed)
    )
    files.put_many({CHANGE: msgspec.json.encode(begun) + b"\n"})
    return begun


def put_in_place(files: DurableFiles, begun: BegunChange) -> None:
    """Put files in their places and take away those that go; then forget how.

    Raises:
        StorageError: a file is not in its place yet.
    """
    files.put_many({path: text.encode() for path, text in begun.files.items()})
    for path in begun.removed:
        end_key_file(files, path)
    files.remove(CHANGE)


def read_change(directory: Path) -> BegunChange | None:
    """Read the change that is on its way, if there is one.

    Raises:
        ConfigError: its file is damaged.
        StorageError: it cannot be read.
    """
    try:
        data = DurableFiles(directory).read(CHANGE)
    except FileNotFoundError:
        return None
    begun = None
    with suppress(msgspec.MsgspecError, ValueError):
        begun = msgspec.json.decode(data, type=BegunChange)
    if begun is None:
        raise ConfigError(f"{directory / CHANGE} is damaged; put it back from a copy")
    return begun


def is_recorded(directory: Path, begun: BegunChange) -> bool:
    """Say whether a change has happened: its event is in the journal.

    Raises:
        StorageError: the journal cannot be read.
    """
    with closing(Journal.open(directory / JOURNAL, read_only=True)) as journal:
        return bool(find_event(journal, uuid_bytes(begun.event_id)))


def _finish_change(directory: Path) -> None:
    begun = read_change(directory)
    if begun is None:
        return
    files = DurableFiles(directory)
    if is_recorded(directory, begun):
        put_in_place(files, begun)
    else:
        files.remove(CHANGE)
