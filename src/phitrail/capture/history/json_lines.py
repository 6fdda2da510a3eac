"""JSON lines of home-grown audit loggers: one object a line, with or without a chain."""

from collections.abc import Iterator
from typing import BinaryIO

from phitrail.capture.history.entry import (
    ForeignEntry,
    Read,
    Unreadable,
    decode_object,
    flatten,
)
from phitrail.capture.importer import MAX_LINE_BYTES, read_lines
from phitrail.errors import InputError

_BOM = b"\xef\xbb\xbf"


def read_json_lines(stream: BinaryIO) -> Iterator[Read]:
    """Yield an entry a line; blank lines are passed over, a byte order mark too."""
    for number, line in read_lines(stream):
        if number == 1 and line is not None:
            line = line.removeprefix(_BOM)  # noqa: PLW2901 - the mark is no content
            if not line.strip():
                continue
        yield read_json_entry(number, line)


def read_json_entry(number: int, text: bytes | None) -> Read:
    """Read one entry; `None` is one that was too long to read."""
    if text is None:
        rule = f"an entry holds at most {MAX_LINE_BYTES} bytes"
        return Unreadable(number, InputError.for_field("(entry)", rule))
    try:
        plain = decode_object(text)
        return ForeignEntry(number, flatten(plain), plain)
    except InputError as error:
        return Unreadable(number, error)
