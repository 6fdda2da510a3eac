"""CloudTrail-shaped records: `{"Records": [...]}`, single records, or one a line.

Both what AWS writes and what `log export --format cloudtrail` writes are read; the names
of their fields are told apart by the map alone (AWS CloudTrail record contents).
"""

import io
from collections import Counter
from collections.abc import Callable, Iterator

from phitrail.capture.history.entry import Read, Unreadable
from phitrail.capture.history.json_document import PEEK_BYTES, has_lines, read_items
from phitrail.capture.history.json_lines import read_json_entry, read_json_lines
from phitrail.capture.history.source import Source
from phitrail.errors import InputError

LIST = "Records"


def read_cloudtrail(stream: io.BufferedReader) -> Source:
    """Read records, as lines or as a document, whichever the file begins like."""
    if has_lines(stream.peek(PEEK_BYTES), LIST):
        return Source(read_json_lines(stream))
    beside: Counter[str] = Counter()
    return Source(
        read_numbered(stream, LIST, lambda name: beside.update((name,))),
        "entry",
        beside,
    )


def read_numbered(
    stream: io.BufferedReader, array: str, beside: Callable[[str], None]
) -> Iterator[Read]:
    """Read the objects of a document, numbered from 1."""
    for number, item in enumerate(read_items(stream, array, beside), start=1):
        if isinstance(item, InputError):
            yield Unreadable(number, item)
        else:
            yield read_json_entry(number, item)
