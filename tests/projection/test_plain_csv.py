"""Plain rows of a CSV become one side; rows written otherwise are handed back."""

import hashlib
from pathlib import Path

import duckdb
import pytest

from phitrail.projection.plain_csv import NotPlainError, PlainCsv, read_plain_csv

HEAD = "when,request,words"


def file_of(tmp_path: Path, rows: str) -> PlainCsv:
    """Write a CSV."""
    path = tmp_path / "usage.csv"
    path.write_text(f"{HEAD}\n{rows}", newline="")
    return PlainCsv(
        path=path,
        columns=HEAD.split(","),
        delimiter=",",
        request="request",
        moment="when",
    )


def test_rows_are_hashed_and_numbered_by_line(tmp_path: Path) -> None:
    """A difference is looked up in the file by the line that is named."""
    rows = "2026-01-01T02:00:00.123456+02:00, r-1 ,a\n2026-01-01,r-2,b\nx,y,z\n"
    with duckdb.connect() as connection:
        (some,) = read_plain_csv(connection, file_of(tmp_path, rows), "salt|")
    key = int.from_bytes(hashlib.md5(b"salt|r-1").digest()[8:], "little")  # noqa: S324 - what DuckDB has

    assert some.rows.to_pylist() == [
        {"key": key, "at_us": 1_767_225_600_123_000, "place": 2}
    ]
    assert some.odd == [
        (3, "r-2", "2026-01-01", "2026-01-01 r-2 b"),
        (4, "y", "x", "x y z"),
    ]
    assert some.rows_read == 3


@pytest.mark.parametrize("rows", ["a,b\n", 'a,b,"c\n', "a,b,c,d\n"])
def test_what_is_no_csv_is_left_to_the_strict_reader(rows: str, tmp_path: Path) -> None:
    """DuckDB's own words about a broken row would quote it."""
    with duckdb.connect() as connection, pytest.raises(NotPlainError):
        list(read_plain_csv(connection, file_of(tmp_path, rows), "salt|"))
