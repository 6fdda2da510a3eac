"""Many files at once, durable together: written, synced, renamed, synced.

1. Each file is written beside its place under a temporary name.
2. One `syncfs(2)` makes all of them durable (errors are reported since Linux 5.8); where
   that call is missing, each file and each directory above it is synced.
3. All are renamed into place, and a second sync makes the names durable.

A crash leaves the old file or the new one, and temporary files that the next start
removes. After a sync error nothing that was read back can be trusted: the error is an
`OutcomeUnknownError`, and the owner must stop.
"""

import ctypes
import ctypes.util
import os
import shutil
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from phitrail.errors import IntegrityError, OutcomeUnknownError, StorageError

TEMPORARY_SUFFIX = ".tmp"


class DurableFiles:
    """The files under one directory; paths are relative, with `/`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str) -> bytes:
        """Return the bytes of a file.

        Raises:
            FileNotFoundError: there is no such file.
            StorageError: it cannot be read.
        """
        try:
            return (self.root / path).read_bytes()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StorageError(f"cannot read {path}: {error.strerror}") from error

    def put_many(
        self,
        files: Mapping[str, bytes],
        *,
        immutable: Mapping[str, bytes] | None = None,
    ) -> None:
        """Write files and return once all of them are durable.

        Args:
            files: replaced whatever stood there.
            immutable: left alone where the same bytes stand there already.

        Raises:
            IntegrityError: an immutable file stands there with other bytes.
            StorageError: nothing was renamed; the old files stand.
            OutcomeUnknownError: a sync or rename failed; the owner must stop.
        """
        wanted = dict(files)
        for path, data in (immutable or {}).items():
            place = self.root / path
            if not place.exists():
                wanted[path] = data
            elif self.read(path) != data:
                raise IntegrityError(
                    f"{place} stands there with other bytes; run `phitrail verify`"
                )
        if not wanted:
            return
        self._write_temporary(wanted)
        self._sync([path + TEMPORARY_SUFFIX for path in wanted])
        try:
            for path in wanted:
                self.rename(path + TEMPORARY_SUFFIX, path)
        except OSError as error:
            raise OutcomeUnknownError(
                f"a rename under {self.root} failed: {error.strerror}; open again"
            ) from error
        self._sync(list(wanted))

    def _write_temporary(self, wanted: Mapping[str, bytes]) -> None:
        try:
            for path, data in wanted.items():
                self.write(path + TEMPORARY_SUFFIX, data)
        except OSError as error:
            self._remove_temporary(wanted)
            raise StorageError(
                f"cannot write under {self.root}: {error.strerror}; "
                "check its disk and its permissions"
            ) from error

    def _remove_temporary(self, wanted: Mapping[str, bytes]) -> None:
        for path in wanted:
            try:
                (self.root / (path + TEMPORARY_SUFFIX)).unlink(missing_ok=True)
            except OSError:
                return  # the disk refuses writes; the next start removes them

    def _sync(self, paths: list[str]) -> None:
        try:
            self.sync([self.root / path for path in paths])
        except OSError as error:
            raise OutcomeUnknownError(
                f"syncing {self.root} failed: {error.strerror}; "
                "what is on its disk is not known: open again"
            ) from error

    def replace(self, path: str, data: bytes) -> None:
        """Replace one file atomically, without waiting for the disk.

        For copies of what stands elsewhere durably.

        Raises:
            StorageError: the old file stands.
        """
        try:
            self.write(path + TEMPORARY_SUFFIX, data)
            self.rename(path + TEMPORARY_SUFFIX, path)
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror}") from error

    def remove(self, path: str) -> None:
        """Remove a file or directory that is no longer needed; absent is fine.

        Raises:
            StorageError: it stands there still.
        """
        try:
            self.unlink(path)
        except OSError as error:
            raise StorageError(f"cannot remove {path}: {error.strerror}") from error

    def remove_leftovers(self, path: str) -> None:
        """Remove temporary files that a crash left below a directory.

        Raises:
            StorageError: one stands there still.
        """
        for place in (self.root / path).rglob("*" + TEMPORARY_SUFFIX):
            self.remove(str(place.relative_to(self.root)))

    # The four steps that touch the disk; fault tests fail each of them in turn.

    def write(self, path: str, data: bytes) -> None:
        """Write one file, not yet durable."""
        place = self.root / path
        try:
            handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        except FileNotFoundError:
            _make_directory(place.parent)
            handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)

    def sync(self, places: list[Path]) -> None:
        """Make files and their names durable."""
        sync_file_system(self.root, places)

    def rename(self, source: str, target: str) -> None:
        """Move a file into its place."""
        (self.root / source).rename(self.root / target)

    def unlink(self, path: str) -> None:
        """Remove a file, or a directory with what it holds."""
        place = self.root / path
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)


def _make_directory(place: Path) -> None:
    """Make a directory, and those above it, for their owner alone."""
    if not place.parent.exists():
        _make_directory(place.parent)
    place.mkdir(mode=0o700, exist_ok=True)


@cache
def _syncfs() -> Callable[[int], int] | None:
    library = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)
    return getattr(library, "syncfs", None)


def sync_file_system(root: Path, places: list[Path]) -> None:
    """Sync the file system of `root`.

    Where that call is missing, sync each of `places` and the directories above it.

    Raises:
        OSError: the sync failed.
    """
    syncfs = _syncfs()
    if syncfs is None:
        above = {up for place in places for up in place.parents if _is_within(up, root)}
        for place in (*places, *sorted(above, reverse=True)):
            _sync_one(place)
        return
    handle = os.open(root, os.O_RDONLY)
    try:
        if syncfs(handle) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(handle)


def _is_within(place: Path, root: Path) -> bool:
    return place == root or root in place.parents


def _sync_one(place: Path) -> None:
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
