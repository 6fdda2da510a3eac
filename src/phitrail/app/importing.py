"""`log import`: a file of events into the logs, and what was refused into another file.

1. Good lines are recorded, in groups; a second run finds them there.
2. Each bad line goes to `FILE.rejected.jsonl` as `{"line", "field", "rule"}`, which is
   written anew by each run and absent when nothing was refused.
3. An error of the log ends the run: what was recorded stays, the file of refusals is not
   touched, and the same command goes on where this one ended.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec

from phitrail.app import clock
from phitrail.app.running import RunningTrail
from phitrail.capture.importer import Imported, Importer, RejectedLine, read_lines
from phitrail.errors import InputError, StorageError
from phitrail.keys import names
from phitrail.keys.mac import Mac

_FIRST_VERSION = 1


def rejected_path(path: Path) -> Path:
    """Name the file of refusals beside a file of events."""
    stem = path.name.removesuffix(".jsonl")
    return path.with_name(f"{stem}.rejected.jsonl")


def import_file(
    trail: RunningTrail,
    path: Path,
    progress: Callable[[int, int], None] | None = None,
) -> Imported:
    """Record the good lines of a file.

    Args:
        trail: where to.
        path: JSON lines.
        progress: told how many bytes are read, and how many there are.

    Raises:
        InputError: the file cannot be read.
        StorageError: the log or the file of refusals could not be written.
    """
    if path.is_dir():
        raise InputError.for_field("FILE", "is a directory; give a file of JSON lines")
    target = rejected_path(path)
    temporary = target.with_name(target.name + ".tmp")
    parts = trail.parts
    mac = Mac(parts.keys, names.IDEMPOTENCY)
    importer = Importer(
        recorder=parts.recorder,
        sizes=trail.sizes,
        # Of the first version, so that a rotation gives no line a new event id.
        keyed=lambda data: mac.digest_under(_FIRST_VERSION, data),
        actions=parts.tenant.actions,
        now=clock.now,
    )
    try:
        stream = path.open("rb")
    except OSError as error:
        raise InputError.for_field(
            "FILE", f"cannot be read ({error.strerror})"
        ) from None
    try:
        with stream, temporary.open("wb") as refusals:
            total = path.stat().st_size
            counts = Imported()

            def reject(line: RejectedLine) -> None:
                refusals.write(msgspec.json.encode(line) + b"\n")

            for so_far in importer.run(read_lines(stream), reject):
                counts = so_far
                if progress is not None:
                    progress(stream.tell(), total)
        if counts.rejected:
            temporary.rename(target)
        else:
            target.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(
            f"cannot read {path.name} or write {target.name}: {error.strerror}"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return counts
