"""A made-up quality log as tables, written by the writer of segments as it stands.

90 days of requests, evenly: three versions beside each other, six use cases, three
facilities. One request in seventeen is rated within three days, one rating in fifty is
corrected. Ids are UUIDs and hashes have their length, so files have the size that real ones
have. The hashes of documents are left out: no metric reads them.
"""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from phitrail.durable.files import DurableFiles
from phitrail.events.codes import Log
from phitrail.projection.fold import connect
from phitrail.projection.segment_file import write_segment
from phitrail.projection.segments import ManifestSeal, Segment, SegmentStore
from phitrail.projection.tables import LogState, Tables

START = datetime(2026, 3, 2, tzinfo=UTC)
DAYS = 90
SEGMENT_REQUESTS = 500_000
RATED = 0.06

_REQUESTS = f"""
    SELECT n, uuid()::VARCHAR AS request_id, uuid() AS event_id,
        TIMESTAMP '2026-03-02' + to_microseconds(
            CAST({DAYS} * 86400000000.0 * n / $2 AS BIGINT)) AS began,
        r1, r2, r3, r4, CAST(floor(r2 * 6) AS INTEGER) AS which,
        CAST(floor(r3 * 3) AS INTEGER) AS version
    FROM (SELECT range AS n, random() AS r1, random() AS r2, random() AS r3,
        random() AS r4 FROM range($1, $3))
"""
_ENTRIES = """
    SELECT CAST($1 + n - $2 AS BIGINT) AS idx, 'phitrail/quality-entry/v1' AS schema,
        request_id, event_id, began AS timestamp_utc, began + INTERVAL 20 MILLISECOND AS
        received_at, 'model-a' AS model_id, '2026-0' || version + 1 AS model_version,
        'azure' AS provider, ['chart_qa', 'summarization', 'triage', 'coding',
            'patient_message', 'guideline_qa'][which + 1] AS use_case,
        ['main', 'east', 'clinic-9'][CAST(floor(r4 * 3) AS INTEGER) + 1] AS facility_id,
        CAST(200 + r1 * 3000 AS BIGINT) AS input_tokens,
        CAST(20 + r3 * 600 AS BIGINT) AS output_tokens,
        CASE WHEN r2 < 0.7 THEN CAST(r4 * 500 AS BIGINT) END AS cache_read_tokens,
        CAST(1e6 * exp(1.1 * sqrt(-2 * ln(1 - r1)) * cos(6.283185307 * r4))
            AS BIGINT) AS latency_us,
        CAST(2e5 * exp(0.7 * sqrt(-2 * ln(1 - r1)) * sin(6.283185307 * r4))
            AS BIGINT) AS time_to_first_token_us,
        CAST(r4 * 6 AS BIGINT) AS retrieved_count,
        CASE WHEN r4 > 0.1 THEN CAST(1e6 * sqrt(r3) AS BIGINT) END
            AS top_retrieval_score_e6,
        CASE WHEN r3 < 0.95 THEN r1 < 0.2 END AS cache_hit,
        CASE WHEN r1 < 0.01 THEN 'length' ELSE 'stop' END AS finish_reason,
        r2 < 0.004 AS content_filtered, r4 < 0.93 AS disclaimer_present,
        r1 > 0.98 AS refused, CAST(r3 * 5 AS BIGINT) AS citation_count,
        CASE WHEN r2 > 0.99 THEN 'redact' ELSE 'release' END AS guard_decision,
        CAST(NULL AS VARCHAR) AS rater, CAST(NULL AS VARCHAR) AS value,
        CAST(NULL AS VARCHAR) AS flag_reason, CAST(NULL AS UUID) AS supersedes
    FROM made
"""
_RATINGS = f"""
    SELECT $1 + row_number() OVER (ORDER BY received_at) - 1 AS idx, * FROM (
        SELECT 'phitrail/feedback/v1' AS schema, request_id, rating AS event_id,
            received_at AS timestamp_utc, received_at,
            'hmac-sha256:1:' || substr(md5(CAST(n % 311 AS VARCHAR))
                || md5(CAST(n % 311 AS VARCHAR)), 1, 43) AS rater,
            CASE WHEN again = (r4 < 0.82) THEN 'negative' ELSE 'positive' END AS value,
            CASE WHEN r4 > 0.97 THEN 'inaccurate' END AS flag_reason,
            CASE WHEN again THEN first_rating END AS supersedes
        FROM (SELECT *, CASE WHEN again THEN uuid() ELSE first_rating END AS rating,
            began + to_seconds(CAST(r3 * r3 * 250000 AS BIGINT)
                + CASE WHEN again THEN 600 ELSE 0 END) AS received_at
            FROM (SELECT *, uuid() AS first_rating FROM made WHERE r1 < {RATED})
            JOIN (VALUES (false), (true)) AS v(again) ON NOT again OR r2 < 0.02))
"""


def make_tables(directory: Path, requests: int) -> tuple[Segment, ...]:
    """Write the tables of so many requests and their ratings; list the segments."""
    seal = ManifestSeal(lambda p, _: p, lambda e, _: e, b"")
    store = SegmentStore(Log.QUALITY, DurableFiles(directory), seal)
    segments: list[Segment] = []
    with connect(threads=2, memory_mb=4_000, spill=directory / "spill") as database:
        database.execute("SELECT setseed(0.5)")
        for first in range(0, requests, SEGMENT_REQUESTS):
            last = min(first + SEGMENT_REQUESTS, requests)
            begun = segments[-1].end if segments else 0
            database.execute(
                f"CREATE OR REPLACE TEMP TABLE made AS {_REQUESTS}",
                [first, requests, last],
            )
            entries = (
                f"({_ENTRIES.replace('$2', str(first)).replace('$1', str(begun))})"
            )
            ratings = f"({_RATINGS.replace('$1', str(begun + last - first))})"
            rows = database.sql(
                f"SELECT * FROM {entries} UNION ALL BY NAME SELECT * FROM {ratings}"
            ).to_arrow_table()
            segments.append(write_segment(store, database, begun, rows))
    return tuple(segments)


def rows_of(
    directory: Path, segments: tuple[Segment, ...], columns: str
) -> pa.RecordBatchReader:
    """Read columns of the rows of tables, for who measures them in another way.

    What is read lives as long as its connection, which the reader holds.
    """
    files = [str(directory / file.name) for s in segments for file in s.events]
    database = connect(threads=1, memory_mb=1_000)
    listed = ", ".join(f"'{file}'" for file in files)
    return database.sql(
        f"SELECT {columns} FROM read_parquet([{listed}], union_by_name = true)"
    ).to_arrow_reader(65_536)


def open_made(
    directory: Path, segments: tuple[Segment, ...], *, memory_mb: int
) -> Tables:
    """Open them as a trail's tables are opened."""
    connection = connect(threads=2, memory_mb=memory_mb, spill=directory / "spill")
    states = [
        LogState(log, segments if log is Log.QUALITY else (), directory, None, size)
        for log, size in (
            (Log.AUDIT, 0),
            (Log.SECURITY, 0),
            (Log.QUALITY, segments[-1].end),
        )
    ]
    return Tables.open(states, connection)
