"""A plain CSV of requests as one side of a reconciliation, millions of rows a minute.

DuckDB reads it; what it gives is what the strict reader of `capture.history` would, since
it is used for plain files alone:

1. Every line is a row: the caller counted the lines and holds them against `rows_read`. A
   quoted line break or an empty line makes the counts differ, and the strict reader is
   asked instead, as it is for anything that DuckDB refuses.
2. A row whose request or time is not written in the commonest way (`_REQUEST`, `_TIME`) is
   handed back as text, for the strict reader to judge.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from phitrail.projection.reconcile import SIDE_SCHEMA
from phitrail.projection.segment_file import quoted

MAX_LINE_BYTES: Final = 1 << 20
_BATCH_ROWS: Final = 131_072
_ODD: Final = ("place", "request", "moment", "cells")
_REQUEST: Final = "[A-Za-z0-9][A-Za-z0-9._:-]{0,63}"
_TIME: Final = (
    r"(19[7-9]|2[0-9][0-9])[0-9]-[0-1][0-9]-[0-3][0-9][T ]([01][0-9]|2[0-3]):[0-5][0-9]:"
    r"[0-5][0-9](\.[0-9]{3}([0-9]{3})?)?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])"
)


class NotPlainError(Exception):
    """DuckDB cannot read the file; the argument names no content."""


@dataclass(frozen=True, slots=True)
class PlainCsv:
    """A CSV of requests.

    Attributes:
        path: the file, with a header.
        columns: the names in the header, in order.
        delimiter: between its columns.
        request: the column of the request.
        moment: the column of the time, ISO 8601 with its offset from UTC.
    """

    path: Path
    columns: Sequence[str]
    delimiter: str
    request: str
    moment: str


@dataclass(frozen=True, slots=True)
class PlainRows:
    """Some rows.

    Attributes:
        rows: of `reconcile.SIDE_SCHEMA`; `place` is the line, from 2 on.
        odd: line, request, time and all cells of rows that were not understood.
        rows_read: how many rows were read so far.
    """

    rows: pa.RecordBatch
    odd: Sequence[tuple[int, str | None, str | None, str]]
    rows_read: int


def read_plain_csv(
    connection: duckdb.DuckDBPyConnection, file: PlainCsv, salt: str
) -> Iterator[PlainRows]:
    """Read a file.

    Raises:
        NotPlainError: it is not plain.
    """
    try:
        # The places of the columns, since their names are the file's own.
        names = [f"c{place}" for place in range(len(file.columns))]
        request = names[file.columns.index(file.request)]
        moment = names[file.columns.index(file.moment)]
        reader = connection.sql(
            _select(file, names, request, moment), params=[salt]
        ).to_arrow_reader(_BATCH_ROWS)
        rows_read = 0
        for batch in reader:
            rows_read += batch.num_rows
            is_odd = pc.is_null(batch.column("key"))
            good, odd = batch.filter(pc.invert(is_odd)), batch.filter(is_odd)
            yield PlainRows(
                good.select(SIDE_SCHEMA.names),
                list(zip(*(odd.column(n).to_pylist() for n in _ODD), strict=True)),
                rows_read,
            )
    except (duckdb.InvalidInputException, duckdb.ConversionException):
        pass  # these quote the file
    else:
        return
    raise NotPlainError


def _select(file: PlainCsv, names: Sequence[str], request: str, moment: str) -> str:
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
    source = (
        f"read_csv({quoted(str(file.path.absolute()))}, header = true, "
        f"auto_detect = false, columns = {{{columns}}}, quote = '\"', escape = '\"', "
        f"delim = {quoted(file.delimiter)}, "
        f"strict_mode = true, max_line_size = {MAX_LINE_BYTES})"
    )
    return (
        "SELECT CASE WHEN is_plain AND at_us IS NOT NULL THEN "
        "md5_number_lower(? || request) END AS key, at_us, place, "
        "CASE WHEN NOT (is_plain AND at_us IS NOT NULL) THEN cells END AS cells, "
        "request, moment FROM (SELECT row_number() OVER () + 1 AS place, request, "
        f"moment, cells, coalesce(regexp_full_match(request, '{_REQUEST}') AND "
        f"regexp_full_match(moment, '{_TIME}'), false) AS is_plain, "
        "epoch_us(try_cast(moment AS TIMESTAMPTZ)) // 1000 * 1000 AS at_us FROM "
        f"(SELECT trim({request}) AS request, trim({moment}) AS moment, "
        f"concat_ws(' ', {', '.join(names)}) AS cells FROM {source}))"
    )
