"""CSV is read strictly, and a bad row costs only itself."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phitrail.capture.history.csv_rows import MAX_ROW_LINES, read_csv_rows
from phitrail.capture.history.entry import ForeignEntry, Read, Unreadable
from phitrail.capture.importer import MAX_LINE_BYTES
from phitrail.errors import InputError


def _read(text: bytes, delimiter: str = ",") -> list[Read]:
    return list(read_csv_rows(io.BytesIO(text), delimiter))


def _numbers(found: list[Read]) -> list[tuple[int, bool]]:
    return [(read.number, isinstance(read, ForeignEntry)) for read in found]


def test_rows_are_named_by_their_header() -> None:
    """A mark at the start, quoted line ends and empty cells are usual."""
    text = b'\xef\xbb\xbfa;b\r\n1;"x\ny"\r\n;\r\n2;\r\n'
    found = _read(text, ";")

    assert [read.fields for read in found if isinstance(read, ForeignEntry)] == [
        {"a": "1", "b": "x\ny"},
        {"a": "2"},
    ]
    assert _numbers(found) == [(2, True), (5, True)]


@pytest.mark.parametrize(
    "bad",
    [
        b"1,2,3\n",
        b"1\n",
        b'1,"2"x\n',
        b"1,\xff\n",
        b"1," + b"x" * (2 * MAX_LINE_BYTES) + b"\n",
        b'1,"' + b"\n" * (MAX_ROW_LINES + 1),
    ],
)
def test_a_bad_row_costs_only_itself(bad: bytes) -> None:
    """One open quote must not swallow six years."""
    found = _read(b"a,b\n1,2\n" + bad + b"3,4\n")

    assert _numbers(found)[:2] == [(2, True), (3, False)]
    assert isinstance(found[-1], ForeignEntry)


@pytest.mark.parametrize("head", [b"\n", b"a,a\n", b"a,\n", b"\xff,b\n", b'"a\n'])
def test_a_header_that_names_no_columns_refuses_the_file(head: bytes) -> None:
    """Columns under wrong names would be wrong records."""
    with pytest.raises(InputError):
        _read(head + b"1,2\n")


@given(text=st.binary(max_size=60) | st.text('a,";\n\r', max_size=60).map(str.encode))
def test_any_bytes_give_rows_or_refusals(text: bytes) -> None:
    """A broken file must never be an error of ours."""
    found = _read(b"a,b\n" + text)

    assert all(isinstance(read, ForeignEntry | Unreadable) for read in found)
