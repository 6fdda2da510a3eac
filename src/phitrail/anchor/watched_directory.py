"""A directory on other storage that keeps every checkpoint: a share, a disk, an export.

1. A note stands at ``<origin, with - for />/<size, 20 digits>.note``. It is durable, and was
   read back, before it counts as held; it is never overwritten.
2. The directory must be there, and on another device than the trail unless that is
   admitted: a share that is not mounted is an empty directory on the trail's own disk.
3. The newest note there must belong to the history that comes: the same origin, not
   larger, and a consistency proof leads from its root to ours. Otherwise one of the two
   histories is false, and nothing is written. Who signed that note is not asked: signing
   keys succeed one another, and a note that contradicts the log is a reason to look.

What the directory shows is worth as much as whoever runs the trail's host cannot change
it: mount it so that files can be added and not altered, or keep it on another host.
"""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from phitrail.anchor.held import Held, Submission
from phitrail.durable.files import DurableFiles
from phitrail.errors import IntegrityError, OtherHistoryError, StorageError
from phitrail.tlog.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from phitrail.tlog.note import parse_note
from phitrail.tlog.proof import verify_consistency

SUFFIX: Final = ".note"

_NAME = re.compile(r"[0-9]{20}\.note")
_FOR_ALL_TO_READ = 0o444  # a checkpoint holds no PHI, and the officer is another user


@dataclass(frozen=True, slots=True)
class WatchedDirectory:
    """An anchor that keeps notes in a directory.

    Attributes:
        directory: on other storage; it is never made here.
        trail: the trail whose device it must not share.
        may_share_device: admit the trail's own device.
    """

    directory: Path
    trail: Path
    may_share_device: bool = False

    def hold(self, submission: Submission, now: datetime) -> Held:
        """Write a checkpoint and return what is read back.

        Raises:
            OtherHistoryError: another history, or other bytes, stand there.
            IntegrityError: what stands there is no checkpoint of this log.
            StorageError: the directory is gone, on the trail's own device, or fails.
        """
        del now
        try:
            return self._hold(submission)
        except OSError as error:
            raise StorageError(
                f"{self.directory} cannot be used: {error.strerror}; look after the "
                "storage behind it"
            ) from error

    def _hold(self, submission: Submission) -> Held:
        # 1. The directory is there, and not on the trail's own device.
        self._check_device()

        # 2. What is there belongs to the history that comes.
        ours = _read_checkpoint(submission.note, submission.log)
        path = note_path(submission.origin, submission.size)
        place = self.directory / path
        notes = list_notes(self.directory, submission.origin)
        if notes:
            _check_history(notes[-1], notes[-1].read_bytes(), ours, submission)

        # 3. It is written, durable, never over another.
        if place.exists() and (stands := place.read_bytes()) != submission.note:
            raise _other_history(
                f"{place} stands there with other bytes than the {submission.log} log's "
                f"checkpoint of size {submission.size}: keep both as evidence, and find "
                "out who can write there",
                stands,
                submission,
            )
        place.parent.mkdir(exist_ok=True)
        files = DurableFiles(self.directory)
        files.put_many({}, immutable={path: submission.note})
        files.sync([place])  # it may stand there since a try whose sync failed
        with suppress(OSError):  # some file systems have no modes
            place.chmod(_FOR_ALL_TO_READ)

        # 4. It reads back.
        evidence = _read_back(place)
        if evidence != submission.note:
            raise StorageError(
                f"{place} does not read back as it was written: the storage is broken, "
                "or somebody writes there"
            )
        return Held(submission.size, evidence, SUFFIX.removeprefix("."))

    def _check_device(self) -> None:
        if not self.directory.is_dir():
            raise StorageError(
                f"there is no directory {self.directory}: mount the storage that it is "
                "on, or make the directory there"
            )
        shares = self.directory.stat().st_dev == self.trail.stat().st_dev
        if shares and not self.may_share_device:
            raise StorageError(
                f"{self.directory} is on the same device as the trail: mount the other "
                "storage there, or admit it with may_share_device"
            )


def note_path(origin: str, size: int) -> str:
    """Name the file of a checkpoint, below the directory."""
    return f"{_directory_of(origin)}/{size:020d}{SUFFIX}"


def list_notes(directory: Path, origin: str) -> list[Path]:
    """List the notes of one origin that a directory keeps, the smallest size first.

    Raises:
        StorageError: it cannot be listed.
    """
    place = directory / _directory_of(origin)
    return _notes_in(place) if place.is_dir() else []


def find_notes(directory: Path) -> list[Path]:
    """List all notes of a watched directory, or of one origin's directory in it.

    Raises:
        StorageError: it cannot be listed.
    """
    try:
        below = sorted(place for place in directory.iterdir() if place.is_dir())
    except OSError as error:
        raise StorageError(f"cannot list {directory}: {error.strerror}") from error
    return [note for place in (directory, *below) for note in _notes_in(place)]


def _notes_in(place: Path) -> list[Path]:
    try:
        return sorted(note for note in place.iterdir() if _NAME.fullmatch(note.name))
    except OSError as error:
        raise StorageError(f"cannot list {place}: {error.strerror}") from error


def _directory_of(origin: str) -> str:
    name = origin.replace("/", "-")
    if name in {".", ".."} or "\0" in name:
        raise StorageError("the log's origin cannot be the name of a directory")
    return name


def _read_checkpoint(note: bytes, source: str) -> Checkpoint:
    try:
        return parse_checkpoint(parse_note(note).text)
    except IntegrityError as error:
        raise IntegrityError(f"{source} is no checkpoint: {error}") from error


def _check_history(
    newest: Path, note: bytes, ours: Checkpoint, submission: Submission
) -> None:
    """Check that the newest note there is a prefix of what comes.

    Raises:
        OtherHistoryError: it is not.
        IntegrityError: it is no checkpoint of this log.
    """
    seen = _read_checkpoint(note, str(newest))
    if (seen.origin, f"{seen.size:020d}{SUFFIX}") != (ours.origin, newest.name):
        raise IntegrityError(
            f"{newest} is not the checkpoint that its name says: another log's, or "
            "moved there; keep it as evidence"
        )
    here = f"the {submission.log} log's checkpoint of size {ours.size} on this host"
    if seen.size > ours.size:
        raise _other_history(
            f"{newest} has {seen.size} entries, more than {here}: the log was cut or "
            "restored from a backup, or another trail writes there",
            note,
            submission,
        )
    try:
        verify_consistency(
            old_size=seen.size,
            old_root=seen.root,
            new_size=ours.size,
            new_root=ours.root,
            proof=submission.prove(seen.size) if 0 < seen.size < ours.size else (),
        )
    except IntegrityError as error:
        raise _other_history(
            f"{newest} and {here} do not belong to one history ({error}): one of them "
            "was rewritten; keep both as evidence",
            note,
            submission,
        ) from error


def _other_history(
    message: str, note: bytes, submission: Submission
) -> OtherHistoryError:
    """Say it with the note, if the log's own key signed that: then it needs no trust."""
    try:
        open_checkpoint(note, [submission.log_key], origin=submission.origin)
    except IntegrityError:
        return OtherHistoryError(message)
    return OtherHistoryError(message, evidence=note)


def _read_back(place: Path) -> bytes:
    """Read a file, from the storage rather than from memory where that can be asked."""
    with place.open("rb") as file:
        with suppress(OSError):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return file.read()
