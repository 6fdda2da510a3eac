"""The Parquet segments of a log and the manifest that says which of them count.

1. A segment holds the rows of the entries [first, end): files of events, and files of
   records touched where there are any. Files are named by content, range, part and
   generation (how often the tables were rebuilt); one that a manifest names is never
   changed.
2. The manifest lists segments without gap or overlap from index 0, with each file's
   SHA-256. Where it ends is the follower's cursor. It is sealed, so that nobody without
   the log's key can make tables that count, or ranges that hide a row.
3. New files are durable before a manifest names them; files that no manifest names are
   strays of a crash and are removed by the next follower. So a crash leaves the tables as
   they were before or after.

The log is the ground: whatever is wrong here is thrown away and made again from it.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from phitrail.durable.files import TEMPORARY_SUFFIX, DurableFiles
from phitrail.errors import IntegrityError, OutcomeUnknownError, StorageError
from phitrail.events.codes import Log

TABLES: Final = "state/tables"
FORMAT: Final = "phitrail/tables/v2"
HASH_CHUNK_BYTES: Final = 1 << 20


class SegmentFile(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """One file: its name below the log's directory, rows, size and SHA-256.

    `low` and `high` are the least and the greatest cluster of its rows (of records: the
    least and the greatest patient), in the order of their characters.
    """

    name: str
    rows: int
    size_bytes: int
    sha256: str
    low: str
    high: str


class Segment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rows of the entries [first, end); `level` counts how often it was joined.

    `times` and `accesses` are the least and the greatest time and access id of its rows;
    absent when no row has one.
    """

    first: int
    end: int
    level: int
    events: tuple[SegmentFile, ...]
    records: tuple[SegmentFile, ...] = ()
    times: tuple[str, str] | None = None
    accesses: tuple[str, str] | None = None

    @property
    def files(self) -> tuple[SegmentFile, ...]:
        """The segment's files."""
        return (*self.events, *self.records)


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """One file that was written under its temporary name: what a manifest says of it."""

    name: str
    rows: int
    low: str
    high: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which segments count; `size` is the cursor: how many entries they cover."""

    format: str = FORMAT
    log: Log
    generation: int = 0
    segments: tuple[Segment, ...] = ()

    @property
    def size(self) -> int:
        """How many entries of the log the segments cover."""
        return self.segments[-1].end if self.segments else 0


@dataclass(frozen=True, slots=True)
class ManifestSeal:
    """How manifests are sealed and opened, under which context; wiring hands it in."""

    seal: Callable[[bytes, bytes], bytes]
    open: Callable[[bytes, bytes], bytes]
    context: bytes


class SegmentStore:
    """The segments of one log on disk."""

    def __init__(self, log: Log, files: DurableFiles, seal: ManifestSeal) -> None:
        self.log = log
        self.generation = 0
        self.directory = files.root / TABLES / log.value
        self._files = files
        self._seal = seal
        self._prefix = f"{TABLES}/{log.value}"

    def load(self) -> Manifest:
        """Read the manifest; an empty one when there is none.

        Raises:
            IntegrityError: it is not ours, or was altered.
            StorageError: it cannot be read.
        """
        try:
            sealed = self._files.read(f"{self._prefix}/manifest")
        except FileNotFoundError:
            return Manifest(log=self.log)
        try:
            manifest = msgspec.json.decode(
                self._seal.open(sealed, self._seal.context), type=Manifest
            )
            _check_order(manifest)
        except (msgspec.MsgspecError, IntegrityError):
            raise IntegrityError(
                f"the manifest of the {self.log} tables was altered or is another "
                f"trail's; run `phitrail log rebuild --log {self.log}`"
            ) from None
        return manifest

    def commit(self, manifest: Manifest) -> None:
        """Make a manifest the one that counts, durable.

        Raises:
            StorageError: the old one stands.
            OutcomeUnknownError: one of the two stands; read it again.
        """
        data = self._seal.seal(msgspec.json.encode(manifest), self._seal.context)
        self._files.put_many({f"{self._prefix}/manifest": data})

    def place(self, name: str) -> Path:
        """Say where a file of this log's tables stands."""
        return self.directory / name

    def temporary(self, name: str) -> Path:
        """Say where a file is written before it counts; make the directory."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.directory / (name + TEMPORARY_SUFFIX)

    def keep(self, written: Sequence[WrittenFile]) -> tuple[SegmentFile, ...]:
        """Make written temporary files durable under their names.

        Raises:
            StorageError: they cannot be read back.
            OutcomeUnknownError: a sync or rename failed.
        """
        kept = []
        try:
            for file in written:
                place = self.temporary(file.name)
                place.chmod(0o600)
                size, digest = hash_file(place)
                kept.append(
                    SegmentFile(
                        name=file.name,
                        rows=file.rows,
                        size_bytes=size,
                        sha256=digest,
                        low=file.low,
                        high=file.high,
                    )
                )
            self._files.sync([self.temporary(file.name) for file in written])
            for file in written:
                path = f"{self._prefix}/{file.name}"
                self._files.rename(path + TEMPORARY_SUFFIX, path)
            self._files.sync([self.place(file.name) for file in written])
        except OSError as error:
            raise OutcomeUnknownError(
                f"cannot keep tables under {self.directory}: {error.strerror}; the next "
                "start makes them again"
            ) from error
        return tuple(kept)

    def remove_strays(self, manifest: Manifest) -> None:
        """Remove files that no manifest names; only the follower that holds the lock."""
        known = {file.name for s in manifest.segments for file in s.files} | {
            "manifest"
        }
        if self.directory.is_dir():
            for place in self.directory.iterdir():
                if place.name not in known:
                    self._files.remove(f"{self._prefix}/{place.name}")

    def generations(self) -> set[int]:
        """List the generations of the files that stand here, counted or not."""
        places = self.directory.glob("*-g*.parquet")
        return {int(place.stem.rpartition("-g")[2]) for place in places}

    def check_present(self, manifest: Manifest) -> None:
        """Check that every file is there with its size; reads none of them.

        Raises:
            IntegrityError: one is missing or has another size.
        """
        for segment in manifest.segments:
            for file in segment.files:
                try:
                    size = self.place(file.name).stat().st_size
                except OSError:
                    size = -1
                if size != file.size_bytes:
                    raise self._damaged(file)

    def check_segment(self, segment: Segment) -> None:
        """Check a segment's files against their SHA-256.

        Raises:
            IntegrityError: one is missing or was changed.
        """
        for file in segment.files:
            try:
                found = hash_file(self.place(file.name))
            except StorageError:
                raise self._damaged(file) from None
            if found != (file.size_bytes, file.sha256):
                raise self._damaged(file)

    def _damaged(self, file: SegmentFile) -> IntegrityError:
        return IntegrityError(
            f"{self.place(file.name)} is missing or was changed; the log is not touched: "
            f"run `phitrail log rebuild --log {self.log}`"
        )


def hash_file(place: Path) -> tuple[int, str]:
    """Return the size of a file and its SHA-256.

    Raises:
        StorageError: it cannot be read.
    """
    digest, size = hashlib.sha256(), 0
    try:
        with place.open("rb") as file:
            while chunk := file.read(HASH_CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise StorageError(f"cannot read {place}: {error.strerror}") from error
    return size, digest.hexdigest()


def _check_order(manifest: Manifest) -> None:
    at = 0
    for segment in manifest.segments:
        if segment.first != at or segment.end <= at:
            raise IntegrityError("the segments of a manifest leave a gap or overlap")
        if sum(file.rows for file in segment.events) != segment.end - segment.first:
            raise IntegrityError("a segment has not a row for each entry")
        at = segment.end
