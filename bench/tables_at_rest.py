"""What encryption of Parquet costs a scan: the spike behind ADR 0005.

    make bench PART=tables_at_rest

The same rows are written plain and with Parquet modular encryption (AES-256, one key a
file) by PyArrow, and read by DuckDB in turn; medians of nine.
"""

import statistics
import tempfile
import time
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

from bench.clinic_leaves import leaves
from bench.figures import print_machine, print_table
from phitrail.events.codes import Log
from phitrail.projection.fold import Folder, connect, drop_empty_columns
from phitrail.projection.segment_file import ROWS_IN_A_GROUP

ROWS = 262_144
RUNS = 9
KEY = b"0123456789abcdef" * 2
QUESTIONS = {
    "aggregate by use case and month": (
        "SELECT use_case, month(timestamp_utc), count(*), count(DISTINCT user_id), "
        "sum(output_tokens), quantile_cont(latency_us, 0.95) FROM {} GROUP BY ALL"
    ),
    "two text columns": "SELECT max(query_hash), count(DISTINCT request_id) FROM {}",
    "one user": "SELECT * FROM {} WHERE user_id = 'user-00090'",
}


def main() -> None:
    """Run the benchmark."""
    print_machine()
    connection = connect(threads=2, memory_mb=600)
    folder = Folder(Log.AUDIT, connection)
    made = list(leaves(0, ROWS, 10_000_000))
    rows = drop_empty_columns(folder.fold(0, made))
    with tempfile.TemporaryDirectory() as root:
        plain, sealed = Path(root) / "plain.parquet", Path(root) / "sealed.parquet"
        pq.write_table(rows, plain, row_group_size=ROWS_IN_A_GROUP, compression="zstd")
        with pq.ParquetWriter(
            sealed,
            rows.schema,
            compression="zstd",
            encryption_properties=pe.create_encryption_properties(footer_key=KEY),
        ) as writer:
            writer.write_table(rows, row_group_size=ROWS_IN_A_GROUP)
        connection.execute(f"PRAGMA add_parquet_key('key', '{KEY.decode()}')")
        sources = (
            f"read_parquet('{plain}')",
            f"read_parquet('{sealed}', encryption_config = {{footer_key: 'key'}})",
        )
        table = []
        for what, select in QUESTIONS.items():
            times: tuple[list[float], list[float]] = ([], [])
            try:
                for _ in range(RUNS):
                    for source, taken in zip(sources, times, strict=True):
                        began = time.perf_counter()
                        connection.execute(select.format(source)).fetchall()
                        taken.append((time.perf_counter() - began) * 1000)
            except duckdb.Error as error:
                table.append([what, "", f"fails: {str(error)[:60]}", ""])
                continue
            before, after = map(statistics.median, times)
            table.append(
                [what, f"{before:.0f}", f"{after:.0f}", f"{after / before:.2f}"]
            )
    print_table(
        f"{ROWS:,} rows, median of {RUNS}, ms",
        ("question", "plain", "encrypted", "ratio"),
        table,
    )


if __name__ == "__main__":
    main()
