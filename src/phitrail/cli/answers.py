"""Answers as a table, JSON lines, CSV or Parquet; loads PyArrow.

Rows go to stdout or a file; what they cover (`as_of`) and where the next page begins go to
stderr, or with `--json` into the one object.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from phitrail.app.query_answer import Answer
from phitrail.cli.answer_format import AnswerFormat
from phitrail.cli.output import Output
from phitrail.events.ids import format_time


def print_answer(
    output: Output,
    answer: Answer,
    form: AnswerFormat,
    out: Path | None,
    proven: int | None,
) -> None:
    """Print an answer, or write it to a new file."""
    if output.as_json and out is None:
        facts: dict[str, object] = {
            "log": answer.log,
            "as_of": answer.as_of,
            "next_after": answer.next_after,
            "rows": [_plain(row) for row in answer.rows.to_pylist()],
        }
        output.data(facts if proven is None else facts | {"proven": proven})
        return
    if out is not None:
        with out.open("xb") as file:
            _write(answer.rows, form, file)
    elif form is AnswerFormat.TABLE:
        _print_table(output, answer.rows)
    else:
        _write(answer.rows, form, sys.stdout.buffer)
    sizes = ", ".join(f"{log} {size}" for log, size in answer.as_of.items())
    output.say(f"{answer.rows.num_rows} rows as of {sizes}")
    if proven is not None:
        output.say(f"{proven} entries are proven")
    if answer.next_after is not None:
        output.say(f"more: --after {answer.next_after}")


def _print_table(output: Output, rows: pa.Table) -> None:
    names = [n for n in rows.column_names if rows[n].null_count < rows.num_rows]
    names = names or rows.column_names
    output.table(
        [
            f"{n}#" if pa.types.is_integer(rows.schema.field(n).type) else n
            for n in names
        ],
        [
            ["" if row[n] is None else _text(row[n]) for n in names]
            for row in rows.to_pylist()
        ],
    )


def _text(value: object) -> str:
    plain = _plain_value(value)
    return plain if isinstance(plain, str) else msgspec.json.encode(plain).decode()


def _write(rows: pa.Table, form: AnswerFormat, file: Any) -> None:  # noqa: ANN401
    if form is AnswerFormat.PARQUET:
        pyarrow.parquet.write_table(_written(rows), file)
    elif form is AnswerFormat.CSV:
        pyarrow.csv.write_csv(_written(rows), file)
    else:
        for row in rows.to_pylist():
            file.write(msgspec.json.encode(_plain(row)) + b"\n")
        file.flush()


def _written(rows: pa.Table) -> pa.Table:
    """Write what CSV and other readers do not know (UUIDs, lists) as text."""
    for place, field in enumerate(rows.schema):
        is_plain = not pa.types.is_nested(field.type) and not isinstance(
            field.type, pa.BaseExtensionType
        )
        if not is_plain:
            texts = [
                None if v is None else _text(v) for v in rows[field.name].to_pylist()
            ]
            rows = rows.set_column(place, field.name, pa.array(texts, pa.string()))
    return rows


def _plain(row: dict[str, object]) -> dict[str, object]:
    return {
        name: _plain_value(value) for name, value in row.items() if value is not None
    }


def _plain_value(value: object) -> object:
    if isinstance(value, datetime):
        return format_time(value if value.tzinfo else value.replace(tzinfo=UTC))
    return msgspec.to_builtins(value)
