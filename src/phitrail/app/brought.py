"""Checkpoints that the verifying person brings: in files, pasted mails and directories.

1. A text holds a checkpoint, or several that were pasted (`tlog.pasted`). What holds none
   is handed on as it is, so that the verification says so.
2. A directory holds notes as a watched directory does (`anchor.watched_directory`): all of
   them are held against the log.
"""

from pathlib import Path

from phitrail.anchor.watched_directory import find_notes
from phitrail.errors import InputError, StorageError
from phitrail.tlog.pasted import read_pasted

Named = tuple[str, bytes]
"""(what it is called, its bytes)"""


def notes_in_text(source: str, data: bytes) -> list[Named]:
    """Take the checkpoints out of a text.

    Raises:
        InputError: it holds a part of one, or can be read in two ways.
    """
    try:
        found = read_pasted(data)
    except InputError as error:
        raise InputError.for_field("--checkpoint", f"{source}, {error.rule}") from None
    if len(found) == 1:
        return [(source, found[0].note)]
    named = [(f"{source} line {block.line}", block.note) for block in found]
    return named or [(source, data)]


def notes_in_directory(directory: Path) -> list[Named]:
    """Read every note of a watched directory.

    Raises:
        InputError: there is none, or one cannot be read.
    """
    try:
        notes = find_notes(directory)
    except StorageError as error:
        raise InputError.for_field("--checkpoint", str(error)) from None
    if not notes:
        raise InputError.for_field("--checkpoint", f"{directory} holds no notes")
    return [(str(place), read_file("--checkpoint", place)) for place in notes]


def read_file(option: str, place: Path) -> bytes:
    """Read a file that an option names.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return place.read_bytes()
    except OSError as error:
        raise InputError.for_field(
            option, f"{place} cannot be read ({error.strerror})"
        ) from None
