"""An opened file of old records: its entries, and what was seen beside them.

A file is read once, front to back; `DigestedFile` hashes what is read, so that the record
of the import names exactly the bytes that were taken in. Files packed with gzip are
unpacked on the way, whatever they are called; the digest is that of the packed file. A
packed stream that ends early or is damaged is a refusal after its last good entry.
"""

import gzip
import hashlib
import io
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Literal

from phitrail.capture.history.entry import Read, Unreadable
from phitrail.errors import InputError

_GZIP = b"\x1f\x8b"
BUFFER_BYTES = 1 << 17

Unit = Literal["line", "entry"]


@dataclass(slots=True)
class Source:
    """The entries of one file.

    Attributes:
        entries: what could and what could not be read, in order.
        unit: what their numbers count: lines, or entries of a document.
        passed_over: names of what is no entry, and how often it came.
    """

    entries: Iterator[Read]
    unit: Unit = "line"
    passed_over: Counter[str] = field(default_factory=Counter)


class DigestedFile(io.RawIOBase):
    """A file that is hashed as it is read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.read_bytes = 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # narrower than Buffer
        """Read some bytes and hash them."""
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self._digest.update(data)
        self.read_bytes += len(data)
        return len(data)

    def sha256(self) -> str:
        """Read to the end; return the SHA-256 of the whole file in hex."""
        while self.read(BUFFER_BYTES):
            pass
        return self._digest.hexdigest()


def open_stream(file: DigestedFile) -> io.BufferedReader:
    """Give the bytes of a file, unpacked where it is packed with gzip."""
    packed: io.BufferedReader = io.BufferedReader(file, BUFFER_BYTES)
    if not packed.peek(len(_GZIP)).startswith(_GZIP):
        return packed
    return io.BufferedReader(gzip.GzipFile(fileobj=packed), BUFFER_BYTES)


def until_damage(entries: Iterator[Read]) -> Iterator[Read]:
    """Pass entries on; where the packed stream is damaged, refuse once and end."""
    number, is_damaged = 0, False
    try:
        for read in entries:
            number = read.number
            yield read
    except (EOFError, zlib.error, gzip.BadGzipFile):
        is_damaged = True
    if is_damaged:
        rule = "the gzip stream is cut or damaged; what follows is not read"
        yield Unreadable(number + 1, InputError.for_field("(file)", rule))
