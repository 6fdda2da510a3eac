"""Keys that leave once: into files of the operator's, or onto the screen.

1. A key in one line goes into FILE; its shares into FILE.1, FILE.2 and so on, one for
   each of the people who keep them. The files are made first, mode 0600, and must not exist: a
   trail whose recovery key could not be handed out is not made.
2. Nothing keeps the key after that. Whoever loses it cannot replace a signing key after
   a compromise.
3. The credential of a source goes into one such file, and is not kept either.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from phitrail.app.founding import Founded
from phitrail.errors import InputError, StorageError
from phitrail.events.protected import Protected
from phitrail.events.unprotect import unprotect
from phitrail.keys.recovery import COMMENT, Split


def recovery_lines(founded: Founded) -> tuple[str, ...]:
    """Return what to hand out; the one use of it is to show it to the operator."""
    return tuple(map(unprotect, founded.recovery))


def recovery_files(path: Path, split: Split | None) -> tuple[Path, ...]:
    """Name the files that the recovery key goes to."""
    if split is None:
        return (path,)
    return tuple(Path(f"{path}.{number}") for number in range(1, split.shares + 1))


def found_with_recovery_files(
    paths: Sequence[Path], found: Callable[[], Founded]
) -> Founded:
    """Found a trail and write its recovery key to new files, one for each part of it.

    Raises:
        InputError: a file exists.
        StorageError: one cannot be written.
    """
    made: list[Path] = []
    try:
        with ExitStack() as stack:
            files = []
            for path in paths:
                files.append(stack.enter_context(_make(path)))
                made.append(path)
            founded = found()
            _write(founded, files)
    except OSError as error:
        raise StorageError(
            f"the recovery key could not be written to {paths[0]}: {error.strerror}; "
            "remove the trail and run `phitrail init` again"
        ) from error
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        raise
    return founded


def make_credential_file(path: Path) -> TextIO:
    """Make the file that the credential of a source goes to; it must not exist yet.

    Raises:
        InputError: it exists.
        StorageError: it cannot be made.
    """
    return _make(path, "--out")


def write_credential(file: TextIO, line: Protected[str]) -> None:
    """Write the credential; durable on return.

    Raises:
        StorageError: it cannot be written; register the source again.
    """
    try:
        file.write(unprotect(line) + "\n")
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:
        raise StorageError(
            f"the credential could not be written: {error.strerror}; add the source again "
            "with --replace"
        ) from error


def _make(path: Path, option: str = "--recovery-out") -> TextIO:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise InputError.for_field(option, "must not exist yet") from None
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
    return os.fdopen(handle, "w", encoding="utf-8")


def _write(founded: Founded, files: Sequence[TextIO]) -> None:
    tenant = founded.origins[0].rpartition("/")[0]
    for number, (line, file) in enumerate(
        zip(recovery_lines(founded), files, strict=True), start=1
    ):
        if founded.split is not None:
            file.write(
                f"{COMMENT} {tenant}: share {number} of {founded.split.shares} of the "
                f"recovery key; any {founded.split.needed} give it\n"
            )
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())
