"""Checkpoints that came back from outside this host; the signer must respect them.

Files in `state/outside/` are signed notes of our own logs, brought back by an officer, a
witness or another disk. A log that is smaller than one of them, or whose tree does not
have that root at that size, was cut or restored from a backup: signing anything then
would fork the history, which nothing can repair. One of a size at which a key was declared
compromised binds nobody, and is passed over (ADR 0007).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from phitrail.errors import IntegrityError, StorageError
from phitrail.tlog.checkpoint import Checkpoint, parse_checkpoint
from phitrail.tlog.hashing import Hash
from phitrail.tlog.key_line import KeyLine
from phitrail.tlog.note import parse_note


@dataclass(frozen=True, slots=True)
class OutsideCheckpoint:
    """A verified checkpoint and the name of the file that it came in."""

    source: str
    checkpoint: Checkpoint


def read_outside(directory: Path, line: KeyLine) -> Iterator[OutsideCheckpoint]:
    """Read the outside checkpoints of one log.

    Raises:
        IntegrityError: a file is no checkpoint, or its signature does not verify.
        StorageError: a file cannot be read.
    """
    if not directory.is_dir():
        return
    for place in sorted(directory.iterdir()):
        try:
            data = place.read_bytes()
        except OSError as error:
            raise StorageError(f"cannot read {place}: {error.strerror}") from error
        try:
            text = parse_note(data).text
            if text.split("\n", 1)[0] != line.origin:
                continue
            if line.is_disowned(parse_checkpoint(text).size):
                continue
            seen = line.open_note(data)
        except IntegrityError as error:
            raise IntegrityError(
                f"{place} is no checkpoint of {line.origin}: {error}. Bring it back from "
                "outside again, or take it out of that directory; nothing is signed"
            ) from error
        yield OutsideCheckpoint(place.name, seen)


def read_public(place: Path, line: KeyLine) -> OutsideCheckpoint | None:
    """Read the public copy of a log's newest checkpoint, where there is a whole one.

    A journal that was restored without the files beside it is behind it. A copy that does
    not verify says nothing of the journal, and the publisher writes it anew.

    Raises:
        StorageError: it cannot be read.
    """
    try:
        return OutsideCheckpoint(str(place), line.open_own(place.read_bytes()))
    except (FileNotFoundError, IntegrityError):
        return None
    except OSError as error:
        raise StorageError(f"cannot read {place}: {error.strerror}") from error


def check_not_behind(outside: OutsideCheckpoint, size: int, root: Hash | None) -> None:
    """Check one outside checkpoint against a log of `size`.

    Args:
        outside: the checkpoint from outside.
        size: how many entries the log holds.
        root: the log's root at the outside checkpoint's size, where it is known.

    Raises:
        IntegrityError: the log is behind it, or has another history.
    """
    seen = outside.checkpoint
    if seen.size > size:
        raise IntegrityError(
            f"{outside.source}: {seen.origin} had {seen.size} entries when that was "
            f"signed and has {size} here: it was cut or restored from a backup. Nothing "
            "is signed; bring back the missing entries, or keep this copy as evidence"
        )
    if root is not None and root != seen.root:
        raise IntegrityError(
            f"{outside.source}: {seen.origin} had another root at size {seen.size} "
            "outside this host: its history was rewritten. Nothing is signed"
        )
