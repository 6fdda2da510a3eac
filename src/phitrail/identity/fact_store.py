"""The facts of a trail on disk: sealed tables, and a sealed index that says which are in force.

1. `state/facts/<kind>.<event id>` is one table, sealed; `state/facts/index` names those in
   force, and holds the key under which surnames and addresses are hashed. A stolen copy shows
   how many tables there are and how long.
2. The index is replaced last, in one rename: a load is in force with it or not at all. It
   names a load (`pending`) until that stands in the log, so that who opens the trail next
   records what a crash left out.
3. One load at a time (`loading`). Readers look at the index file every `LOOK_EVERY_US` while
   they are asked, and read the tables again when it is another one.
4. Tables are read when they are first asked for, not when a trail is opened.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import msgspec

from phitrail.durable.files import DurableFiles
from phitrail.durable.lock import FileLock
from phitrail.errors import IntegrityError, PhitrailError, StorageError
from phitrail.events.ids import RANDOM_BYTES
from phitrail.identity.fact_join import JOIN_KEY_BYTES
from phitrail.identity.fact_table import FactKind, FactTable, decode_table
from phitrail.identity.facts import FactBook

FACTS = "state/facts"
INDEX = f"{FACTS}/index"
LOCK = "state/facts.lock"
LOOK_EVERY_US = 50_000
_CONTEXT = b"phitrail/facts/v1|"

_Look = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class FactSeal:
    """What seals and opens the files; wiring hands it in."""

    seal: Callable[[bytes, bytes], bytes]
    open: Callable[[bytes, bytes], bytes]


class FactFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table in force: what `fact list` tells of it, and where it stands.

    `sources` are the SHA-256 of the files that it came from, the last one last. `first_us` and
    `last_us` are the earliest begin and the latest end of its rows that are not open.
    """

    kind: FactKind
    path: str
    rows: int
    subjects: int
    sources: tuple[str, ...]
    first_us: int | None
    last_us: int | None
    loaded_at: str
    loaded_by: str
    event_id: str


class FactIndex(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which tables are in force; the load of `pending` may not stand in the log yet."""

    join_key: bytes
    files: tuple[FactFile, ...] = ()
    pending: FactKind | None = None


class FactStore:
    """The facts of one trail; safe among threads."""

    def __init__(
        self, directory: Path, seal: FactSeal, monotonic_us: Callable[[], int]
    ) -> None:
        """Take the trail's directory; nothing is read yet.

        Args:
            directory: the trail.
            seal: what seals and opens the files.
            monotonic_us: a clock that never goes back, in microseconds.
        """
        self._directory = directory
        self._monotonic_us = monotonic_us
        self._next_look_us = 0
        self._place = str(directory / INDEX)
        self._files = DurableFiles(directory)
        self._seal = seal
        self._reading = Lock()
        self._seen: _Look = None
        self._book = FactBook()
        self._failure: PhitrailError | None = None

    def book(self) -> FactBook:
        """Return the facts in force.

        Raises:
            IntegrityError: a file is altered, or its key is gone.
            StorageError: it cannot be read.
        """
        now_us = self._monotonic_us()
        if now_us >= self._next_look_us:
            self._next_look_us = now_us + LOOK_EVERY_US
            with self._reading:
                look = self._look()
                if look != self._seen:
                    self._read_book()
                    self._seen = look
        if self._failure is not None:
            raise self._failure
        return self._book

    def fingerprint(self) -> tuple[int, bytes]:
        """Say when the index was written (ns), and ten bytes that change when it does."""
        inode, written_ns, size = self._look() or (0, 0, 0)
        said = f"phitrail/facts-index/v1|{inode}|{written_ns}|{size}"
        return written_ns, hashlib.sha256(said.encode()).digest()[:RANDOM_BYTES]

    def is_pending(self) -> bool:
        """Say whether a load may not stand in the log yet; False where that cannot be read."""
        with suppress(PhitrailError):
            index = self.index()
            return index is not None and index.pending is not None
        return False

    def index(self) -> FactIndex | None:
        """Read which tables are in force; None where none was ever loaded.

        Raises:
            IntegrityError: the file is altered, or its key is gone.
            StorageError: it cannot be read.
        """
        data = self._open(INDEX)
        index = None
        if data is None:
            return None
        with suppress(msgspec.MsgspecError, UnicodeDecodeError):
            index = msgspec.msgpack.decode(data, type=FactIndex)
        if index is None:
            raise IntegrityError(
                f"{self._place} is damaged: load every list again, with --replace"
            )
        return index

    def table(self, file: FactFile) -> FactTable:
        """Read a table.

        Raises:
            IntegrityError: the file is missing or altered, or its key is gone.
            StorageError: it cannot be read.
        """
        data = self._open(file.path)
        if data is None:
            raise IntegrityError(
                f"there is no {file.path}: load that list again, with --replace"
            )
        return decode_table(data)

    @contextmanager
    def loading(
        self, *, is_waiting: bool = False, is_anew: bool = False
    ) -> Iterator[FactIndex]:
        """Hold off other loads; give the index that stands, or one for the first load.

        Args:
            is_waiting: wait for somebody else's load to end.
            is_anew: begin with nothing where the index that stands cannot be read.

        Raises:
            IntegrityError: the index cannot be read.
            StorageError: somebody else loads.
        """
        with closing(FileLock(self._directory / LOCK)) as lock:
            if is_waiting:
                lock.acquire()
            elif not lock.try_acquire():
                raise StorageError(
                    "another process loads facts; wait until it is done, then try again"
                )
            index = None
            try:
                index = self.index()
            except IntegrityError:
                if not is_anew:
                    raise
            yield index or FactIndex(join_key=os.urandom(JOIN_KEY_BYTES))

    def put(self, index: FactIndex, file: FactFile, table: FactTable) -> None:
        """Put a table in force; durable on return. Held within `loading`.

        Raises:
            StorageError: the tables of before are in force.
            OutcomeUnknownError: either may be.
        """
        self._files.put_many(
            {
                file.path: self._sealed(file.path, table.encode()),
                INDEX: self._sealed(INDEX, msgspec.msgpack.encode(index)),
            }
        )
        self._next_look_us = 0

    def settle(self, index: FactIndex) -> None:
        """Note that the event of a load stands in the log, and remove what is replaced.

        Raises:
            StorageError: the note stands; whoever opens the trail settles it.
        """
        settled = msgspec.structs.replace(index, pending=None)
        sealed = self._sealed(INDEX, msgspec.msgpack.encode(settled))
        self._files.put_many({INDEX: sealed})
        in_force = {Path(one.path).name for one in index.files} | {Path(INDEX).name}
        for place in sorted((self._directory / FACTS).iterdir()):
            if place.name not in in_force:
                self._files.remove(f"{FACTS}/{place.name}")

    def _read_book(self) -> None:
        """Read the tables; what cannot be read is not read again before it is another one."""
        self._book, self._failure = FactBook(), None
        try:
            index = self.index()
            if index is not None:
                tables = {file.kind: self.table(file) for file in index.files}
                self._book = FactBook(tables)
        except PhitrailError as error:
            self._failure = error

    def _look(self) -> _Look:
        try:
            seen = os.stat(self._place)  # noqa: PTH116 - for each event; Path is slower
        except OSError:
            return None
        return (seen.st_ino, seen.st_mtime_ns, seen.st_size)

    def _sealed(self, path: str, plain: bytes) -> bytes:
        return self._seal.seal(plain, _CONTEXT + path.encode())

    def _open(self, path: str) -> bytes | None:
        try:
            envelope = self._files.read(path)
        except FileNotFoundError:
            return None
        return self._seal.open(envelope, _CONTEXT + path.encode())
