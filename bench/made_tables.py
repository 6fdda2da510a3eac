"""Tables of a made-up hospital, straight as Parquet in the layout of a trail's segments.

For measuring questions over whole tables. One access is a read of one to three records, a
prompt and a closing, and in one of 24 a flagged output, a denial or a text that the guard
stopped. Times run evenly through a week; users and patients are drawn with a skew, and a user
sits elsewhere in one access of fifty.
"""

from datetime import UTC, datetime
from pathlib import Path

import duckdb

from phitrail.events.codes import Log
from phitrail.projection.fold import connect
from phitrail.projection.segments import Segment, SegmentFile
from phitrail.projection.tables import LogState, Tables

START_US = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp()) * 1_000_000
DAYS = 7
USERS = 5_000
PATIENTS = 200_000
SEGMENT_ROWS = 1_000_000
GROUP_ROWS = 8_192

_ACCESSES = f"""
    SELECT n, {START_US} + CAST(({DAYS} * 86400000000.0) * n / ? AS BIGINT) AS at_us,
        md5('p' || CAST({PATIENTS} * pow(r1, 1.5) AS INTEGER))
            || substr(md5('q' || CAST({PATIENTS} * pow(r1, 1.5) AS INTEGER)), 1, 11)
            AS patient,
        'user-' || lpad(CAST(CAST({USERS} * r2 * r2 AS INTEGER) AS VARCHAR), 5, '0')
            AS user_id,
        CAST(r3 * 1000 AS INTEGER) AS dice, CAST(r4 * 1000 AS INTEGER) AS other
    FROM (SELECT range AS n, random() AS r1, random() AS r2, random() AS r3, random() AS r4
        FROM range(?, ?))
"""
_EVENTS = """
    SELECT patient AS cluster, CAST(row_number() OVER (ORDER BY n, step) - 1 + ? AS BIGINT)
            AS idx,
        'phitrail/audit-event/v1' AS schema, uuid() AS event_id, access_id,
        make_timestamp(at_us + step * 900000) AS timestamp_utc,
        make_timestamp(at_us + step * 900000) AS received_at,
        CASE step WHEN 0 THEN CASE WHEN dice < 12 THEN 'phi_access_denied'
                WHEN dice < 16 THEN 'phi_export' ELSE 'phi_read' END
            WHEN 1 THEN CASE WHEN dice BETWEEN 20 AND 22 THEN 'prompt_injection_detected'
                ELSE 'ai_inference_with_phi' END
            WHEN 2 THEN 'access_closed' ELSE 'ai_phi_output_detected' END AS event_type,
        user_id, ['physician', 'nurse', 'coder'][other % 3 + 1] AS user_role,
        ['emergency', 'cardiology', 'surgery', 'pharmacy'][other % 4 + 1] AS department,
        ['main', 'east', 'clinic-9'][seat % 3 + 1] AS facility_id,
        ['chart_qa', 'summarization', 'triage', 'coding'][other % 4 + 1] AS use_case,
        'treatment' AS purpose_of_use, '10.1.' || seat % 16 || '.' || seat % 250 AS source_ip,
        's-' || n AS session_id, 'enforced' AS assurance,
        CASE WHEN dice < 12 THEN 'denied' WHEN step = 2 THEN 'released' END AS outcome,
        CASE WHEN step > 0 THEN 'gpt-x' END AS ai_model_id,
        CASE WHEN step > 0 THEN CAST(other % 3 AS VARCHAR) END AS ai_model_version,
        CASE WHEN step = 2 THEN 200 + other * 3 END AS input_tokens,
        CASE WHEN step = 3 THEN true END AS response_phi_detected,
        CASE WHEN step = 0 THEN 1 + other % 3 ELSE 0 END AS touched
    FROM (SELECT *, uuid() AS access_id, CAST(right(user_id, 5) AS INTEGER)
        + CASE WHEN other % 50 = 0 THEN 1 ELSE 0 END AS seat FROM accesses) AS a
    JOIN range(4) AS s(step) ON step < 3 OR dice BETWEEN 30 AND 60
"""


def make_tables(directory: Path, events: int) -> tuple[Segment, ...]:
    """Write the audit log's tables of about so many events; list their segments."""
    directory.mkdir(parents=True)
    segments: list[Segment] = []
    accesses = int(events / 3.031)
    each = int(SEGMENT_ROWS / 3.031)
    with connect(threads=2, memory_mb=4_000, spill=directory / "spill") as database:
        database.execute("SELECT setseed(0.5)")
        for first in range(0, accesses, each):
            begun = segments[-1].end if segments else 0
            last = min(first + each, accesses)
            segments.append(
                _segment(database, directory, begun, (accesses, first, last))
            )
    return tuple(segments)


def _segment(
    database: duckdb.DuckDBPyConnection,
    directory: Path,
    begun: int,
    part: tuple[int, int, int],
) -> Segment:
    database.execute(f"CREATE OR REPLACE TEMP TABLE accesses AS {_ACCESSES}", part)
    database.execute(f"CREATE OR REPLACE TEMP TABLE made AS {_EVENTS}", [begun])
    events = _write(
        database,
        directory / f"events-{begun}.parquet",
        "SELECT * EXCLUDE (touched) FROM made ORDER BY cluster, access_id, idx",
    )
    records = _write(
        database,
        directory / f"records-{begun}.parquet",
        "SELECT cluster AS patient, idx, access_id, md5(idx || 'r' || number) || "
        "substr(md5(number || 'r'), 1, 11) AS record, 'Observation' AS resource_type, "
        "cluster FROM made JOIN range(3) AS r(number) ON number < touched "
        "ORDER BY patient, idx",
    )
    row = database.execute("SELECT max(idx) + 1 FROM made").fetchone()
    assert row is not None
    return Segment(
        first=begun, end=row[0], level=1, events=(events,), records=(records,),
        times=("2026-03-01T00:00:00.000Z", "2026-03-10T00:00:00.000Z"),
    )  # fmt: skip


def _write(
    database: duckdb.DuckDBPyConnection, place: Path, select: str
) -> SegmentFile:
    database.execute(
        f"COPY ({select}) TO '{place}' (FORMAT parquet, COMPRESSION zstd, "
        f"COMPRESSION_LEVEL 1, ROW_GROUP_SIZE {GROUP_ROWS})"
    )
    return SegmentFile(
        name=place.name,
        rows=0,
        size_bytes=place.stat().st_size,
        sha256="",
        low="",
        high="",
    )


def open_made(
    directory: Path, segments: tuple[Segment, ...], *, memory_mb: int
) -> Tables:
    """Open them as a trail's tables are opened."""
    connection = connect(threads=2, memory_mb=memory_mb, spill=directory / "spill")
    size = segments[-1].end
    states = [
        LogState(Log.AUDIT, segments, directory, None, size),
        LogState(Log.SECURITY, (), directory, None, 0),
        LogState(Log.QUALITY, (), directory, None, 0),
    ]
    return Tables.open(states, connection)
