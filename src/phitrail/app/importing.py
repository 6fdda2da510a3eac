"""`log import`: a file of events into the logs, and what was refused into another file.

1. Good lines are recorded, in groups; a second run finds them there.
2. Each bad line goes to `FILE.rejected.jsonl` as `{"line", "field", "rule"}`, which is
   written anew by each run and absent when nothing was refused.
3. What old systems logged comes as native lines too (`app.importing_history`).
4. An error of the log ends the run: what was recorded stays, the file of refusals is not
   touched, and the same command goes on where this one ended.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO, TypeAlias

import msgspec

from phitrail.app import clock
from phitrail.app.import_keys import import_keys, stored_hashes
from phitrail.app.running import RunningTrail
from phitrail.capture.importer import (
    CONFLICT_RULE,
    Imported,
    Importer,
    Line,
    RejectedLine,
    read_lines,
)
from phitrail.capture.known_lines import ImportKeys
from phitrail.errors import InputError, StorageError

Progress: TypeAlias = Callable[[int, int], None]


def rejected_path(path: Path) -> Path:
    """Name the file of refusals beside a file of events."""
    stem = path.name.removesuffix(".jsonl")
    return path.with_name(f"{stem}.rejected.jsonl")


def import_file(
    trail: RunningTrail, path: Path, progress: Progress | None = None
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
    with open_file(path) as stream:
        total = path.stat().st_size

        def tell() -> None:
            if progress is not None:
                progress(stream.tell(), total)

        keys = import_keys(trail.parts)
        return import_lines(trail, path, read_lines(stream), tell, keys)


def open_file(path: Path) -> BinaryIO:
    """Open a file of events.

    Raises:
        InputError: it is none, or cannot be read.
    """
    if path.is_dir():
        raise InputError.for_field("FILE", "is a directory; give a file")
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError.for_field(
            "FILE", f"cannot be read ({error.strerror})"
        ) from None


def import_lines(
    trail: RunningTrail,
    path: Path,
    lines: Iterable[tuple[int, Line]],
    tell: Callable[[], None],
    keys: ImportKeys,
    unit: str = "line",
    max_conflicts: int | None = None,
) -> Imported:
    """Record native lines; write what is refused beside the file they came from.

    Args:
        trail: where to.
        path: the file.
        lines: number and line, or why there is none.
        tell: called after each group.
        keys: under which versions of keys they are made, or were.
        unit: what the numbers count.
        max_conflicts: how many lines may stand in the log with other content.

    Raises:
        InputError: more lines than that do.
        StorageError: the log or the file of refusals could not be written.
    """
    target = rejected_path(path)
    temporary = target.with_name(target.name + ".tmp")
    parts = trail.parts
    importer = Importer(
        recorder=parts.recorder,
        sizes=trail.sizes,
        keys=keys,
        stored=stored_hashes(parts),
        actions=parts.tenant.actions,
        now=clock.now,
    )
    try:
        with temporary.open("wb") as refusals:
            counts = Imported()
            conflicts = 0

            def reject(line: RejectedLine) -> None:
                nonlocal conflicts
                conflicts += line.rule == CONFLICT_RULE
                if max_conflicts is not None and conflicts > max_conflicts:
                    raise InputError.for_field(
                        "FILE",
                        f"more than {max_conflicts} entries stand in the log with other "
                        "content; use the map of the first import, or another `source`",
                    )
                told = {unit: line.line, "field": line.field, "rule": line.rule}
                refusals.write(msgspec.json.encode(told) + b"\n")

            for so_far in importer.run(lines, reject):
                counts = so_far
                tell()
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
