"""`log export`: a whole log in a form that others read, under a checkpoint that covers it.

1. A target that holds something is refused.
2. One `audit_log_read` is recorded, before anything is read.
3. The logs are published, so that the checkpoint covers all that was asked for: of the
   audit log, also the record of this very export.
4. The entries are written beside the target, in clear (surrogates remain PHI: mode 0700
   or 0600), one bundle in memory at a time.
5. They must give the root of the checkpoint, or nothing goes out.
6. All is synced, then moved into its place.

The forms are `export_c2sp`, `export_chained` and `export_cloudtrail`.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from pathlib import Path

from phitrail.app.export_c2sp import write_c2sp
from phitrail.app.export_chained import write_chained
from phitrail.app.export_cloudtrail import write_cloudtrail
from phitrail.app.leaf_chunk import LeafChunk
from phitrail.app.reading import record_read
from phitrail.app.running import RunningTrail
from phitrail.durable.files import sync_file_system
from phitrail.errors import InputError, IntegrityError, StorageError
from phitrail.events.codes import Action, Log
from phitrail.tlog.checkpoint import Checkpoint
from phitrail.tlog.hashing import hash_leaf
from phitrail.tlog.merkle import RightEdge
from phitrail.tlog.tile import TILE_WIDTH

CHECKPOINT_SUFFIX = ".checkpoint"

Progress = Callable[[int, int], None]


class ExportFormat(StrEnum):
    """The forms that an export can have."""

    C2SP = "c2sp"
    CHAINED_JSONL = "chained-jsonl"
    CLOUDTRAIL = "cloudtrail"

    @property
    def reason_code(self) -> str:
        """The term that the record of the read gives as its reason."""
        return "export_" + self.value.replace("-", "_")


@dataclass(frozen=True, slots=True)
class Exported:
    """What went out, and the checkpoint over it."""

    log: Log
    form: ExportFormat
    checkpoint: Checkpoint
    vkey: str
    out: Path
    checkpoint_file: Path


def export_log(
    trail: RunningTrail,
    log: Log,
    form: ExportFormat,
    out: Path,
    *,
    by: str,
    now: datetime,
    progress: Progress | None = None,
) -> Exported:
    """Export a log.

    Args:
        trail: the trail, its pipeline running.
        log: which log.
        form: c2sp makes a directory; the others a file, the checkpoint beside it.
        out: must not exist yet, or be empty.
        by: who asks.
        now: the present time.
        progress: told how many entries are written, and how many there are.

    Raises:
        InputError: the target holds something, or the form does not fit the log.
        StorageError: the read could not be recorded, or the target not be written.
        IntegrityError: the log does not verify; nothing was put in place.
    """
    # 1. The target.
    checkpoint_file = _checkpoint_file(form, out)
    if form is ExportFormat.CLOUDTRAIL and log is Log.QUALITY:
        raise InputError.for_field(
            "--format", "cloudtrail carries audit and security entries, not quality"
        )
    _refuse_full_target(form, out, checkpoint_file)
    with closing(trail.parts.reader(log)) as reader:
        # 2. The record.
        asked_for = reader.size() + (log is Log.AUDIT)
        place = record_read(
            trail.parts,
            log,
            by=by,
            reason_code=form.reason_code,
            result_count=asked_for,
            action=Action.EXPORT,
            now=now,
        )

        # 3. The checkpoint.
        needed = place.index + 1 if log is Log.AUDIT else asked_for
        checkpoint, note = trail.publish_up_to(reader, needed)

        # 4. to 6. The entries.
        leaves = reader.entries(0, checkpoint.size)
        chunks = _told(_checked(leaves, checkpoint), checkpoint.size, progress)
        _put(form, out, chunks, note, checkpoint_file)
    vkey = str(trail.parts.log_keys[log.value].checkpoint.vkey)
    return Exported(log, form, checkpoint, vkey, out, checkpoint_file)


def _checkpoint_file(form: ExportFormat, out: Path) -> Path:
    if form is ExportFormat.C2SP:
        return out / "checkpoint"
    return out.with_name(out.name + CHECKPOINT_SUFFIX)


def _refuse_full_target(form: ExportFormat, out: Path, checkpoint_file: Path) -> None:
    if form is ExportFormat.C2SP:
        is_free = not out.exists() or (out.is_dir() and not any(out.iterdir()))
    else:
        is_free = not checkpoint_file.exists() and (
            not out.exists() or (out.is_file() and out.stat().st_size == 0)
        )
    if not is_free:
        raise InputError.for_field("--out", "must not exist yet, or be empty")
    if not out.absolute().parent.is_dir():
        raise InputError.for_field("--out", "its directory must exist")


def _checked(leaves: Iterable[bytes], checkpoint: Checkpoint) -> Iterator[LeafChunk]:
    """Cut leaves into chunks; after the last, refuse if they do not give the root."""
    edge = RightEdge()
    held = iter(leaves)
    while part := tuple(islice(held, TILE_WIDTH)):
        chunk = LeafChunk(edge.size, part, tuple(map(hash_leaf, part)))
        edge.extend(chunk.hashes)
        yield chunk
    if (edge.size, edge.root()) != (checkpoint.size, checkpoint.root):
        raise IntegrityError(
            f"the entries of {checkpoint.origin} do not give the root of its checkpoint "
            f"at size {checkpoint.size}; nothing was exported: run `phitrail verify`"
        )


def _told(
    chunks: Iterable[LeafChunk], size: int, progress: Progress | None
) -> Iterator[LeafChunk]:
    for chunk in chunks:
        yield chunk
        if progress is not None:
            progress(chunk.first + len(chunk.leaves), size)


def _put(
    form: ExportFormat,
    out: Path,
    chunks: Iterator[LeafChunk],
    note: bytes,
    checkpoint_file: Path,
) -> None:
    """Write everything beside the target, sync, and move it into place."""
    temporary = out.with_name(f".{out.name}.partial-{os.getpid()}")
    beside = temporary / "entries"
    try:
        temporary.mkdir(mode=0o700)
        if form is ExportFormat.C2SP:
            write_c2sp(temporary, chunks, note)
            sync_file_system(temporary, [*temporary.rglob("*")])
            temporary.rename(out)
            return
        write = (
            write_chained if form is ExportFormat.CHAINED_JSONL else write_cloudtrail
        )
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            write(file, chunks)
        (temporary / "checkpoint").write_bytes(note)
        sync_file_system(temporary, [beside, temporary / "checkpoint"])
        (temporary / "checkpoint").rename(checkpoint_file)
        beside.rename(out)
    except OSError as error:
        raise StorageError(f"cannot write {out}: {error.strerror}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
