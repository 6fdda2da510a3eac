"""CSV with a header (RFC 4180), read strictly; what its columns mean, the map says.

1. UTF-8, a byte order mark or none. A row that does not decode, has another count of
   columns than the header, or breaks the quoting is refused by the line it begins on.
2. A quote that is never closed would swallow the file: a row holds at most 1 MiB and 2000
   lines, and reading goes on after it.
3. A header that cannot be read, is empty, or names a column twice refuses the file.
"""

import csv
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import BinaryIO

from phitrail.capture.history.entry import MAX_PATHS, ForeignEntry, Read, Unreadable
from phitrail.capture.importer import MAX_LINE_BYTES
from phitrail.errors import InputError

MAX_ROW_LINES = 2000
_ROW = "(row)"


def read_csv_rows(stream: BinaryIO, delimiter: str) -> Iterator[Read]:
    """Read the header, then give an entry a row.

    Raises:
        InputError: the header does not name the columns.
    """
    return read_csv_table(stream, delimiter)[1]


def read_csv_table(
    stream: BinaryIO, delimiter: str
) -> tuple[Sequence[str], Iterator[Read]]:
    """Read the header and return it, with an iterator that gives an entry a row.

    Raises:
        InputError: the header does not name the columns.
    """
    lines = _Lines(stream)
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    header = _read_header(rows)
    return header, _read_rows(rows, lines, header)


def _read_header(rows: Iterator[list[str]]) -> list[str]:
    header: list[str] = []
    with suppress(csv.Error, InputError):
        header = [name.strip() for name in next(rows, [])]
    if not header or not all(header) or len(set(header)) < len(header):
        raise InputError.for_field(
            "FILE", "must begin with a header that names each column once"
        )
    if len(header) > MAX_PATHS:
        raise InputError.for_field("FILE", f"has more than {MAX_PATHS} columns")
    return header


def _read_rows(
    rows: Iterator[list[str]], lines: "_Lines", header: list[str]
) -> Iterator[Read]:
    while True:
        lines.begin_row()
        number = lines.number + 1
        try:
            row = next(rows, None)
        except InputError as error:
            yield Unreadable(number, error)
            continue
        except csv.Error:
            row = []
            is_csv = False
        else:
            is_csv = True
        if row is None:
            return
        if not is_csv:
            rule = "is not CSV: look at its quotes"
            yield Unreadable(number, InputError.for_field(_ROW, rule))
        elif row and len(row) != len(header):
            rule = f"must have {len(header)} columns, as the header has"
            yield Unreadable(number, InputError.for_field(_ROW, rule))
        elif any(cell.strip() for cell in row):
            cells = zip(header, row, strict=True)
            yield ForeignEntry(number, {n: c for n, c in cells if c.strip()})


class _Lines:
    """The lines of a file as text, a bounded count of them for each row."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.number = 0
        self._row_lines = 0
        self._row_bytes = 0

    def begin_row(self) -> None:
        """Count anew."""
        self._row_lines = self._row_bytes = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._stream.readline(MAX_LINE_BYTES + 2)
        if not line:
            raise StopIteration
        self.number += 1
        self._row_lines += 1
        self._row_bytes += len(line)
        if self._row_bytes > MAX_LINE_BYTES or self._row_lines > MAX_ROW_LINES:
            while line and not line.endswith(b"\n"):
                line = self._stream.readline(MAX_LINE_BYTES)
            rule = f"a row holds at most {MAX_LINE_BYTES} bytes, {MAX_ROW_LINES} lines"
            raise InputError.for_field(_ROW, rule)
        text = None
        with suppress(UnicodeDecodeError):  # it would go along, with its bytes
            text = line.decode("utf-8-sig" if self.number == 1 else "utf-8")
        if text is None:
            raise InputError.for_field(_ROW, "must be UTF-8")
        return text
