"""Answering a filter from the tables: which files to open, in three steps.

1. *Places*: the entries that are found, each with its cluster and its access. A patient or
   a record is looked for in the files of records that can hold the patient; everything
   else in the segments whose times and accesses can hold it.
2. *Elsewhere*, when the accesses are wanted: an access may span segments. In the segment
   where it was found its cluster is known; another segment is asked only if its range of
   access ids can hold it. Access ids begin with their time, so that is rare.
3. *Rows*: from the files that can hold the clusters of step 1 and 2, and from the tail.

What is found does not depend on how entries are cut into segments and files.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa

from phitrail.app.query_filter import (
    Filter,
    Found,
    Select,
    columns_to_find,
    has_conditions,
    in_clusters,
    select_elsewhere,
    select_found,
    select_holding,
    select_rows,
    select_touching,
    shown_columns,
)
from phitrail.events.codes import Log
from phitrail.projection.pruning import (
    files_holding,
    segment_of,
    segments_between,
    segments_with_access,
)
from phitrail.projection.segment_file import has_records
from phitrail.projection.segments import Segment
from phitrail.projection.tables import Tables


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows, what they cover, and where the next page begins."""

    log: Log
    rows: pa.Table
    as_of: Mapping[str, int]
    next_after: int | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where one entry lies: its index, its cluster, and its access if it has one."""

    index: int
    cluster: str
    access: str | None


Segments: TypeAlias = tuple[Segment, ...]


def answer_filter(tables: Tables, wanted: Filter, *, is_all: bool = False) -> Answer:
    """Answer a filter whose identifiers are surrogates; records nothing.

    Raises:
        InputError: it took too long.
        StorageError: a file cannot be read.
    """
    places = _find(tables, wanted)
    has_more = len(places) > wanted.limit
    places = places[: wanted.limit]
    last = places[-1].index if has_more else None
    found = _found(places)
    if wanted.with_accesses:
        places = [*places, *_elsewhere(tables, wanted.log, places)]
    columns = shown_columns(wanted.log, is_all=is_all)
    events = _events_at(tables, wanted.log, places, columns)
    rows = _rows(tables, select_rows(wanted, found, events, columns))
    return Answer(wanted.log, rows, tables.as_of, last)


def _rows(tables: Tables, select: Select) -> pa.Table:
    return tables.select(select.sql, select.values)


def _places(tables: Tables, select: Select) -> list[Place]:
    return [
        Place(
            int(row["idx"]),
            str(row["cluster"]),
            None if row["access_id"] is None else str(row["access_id"]),
        )
        for row in _rows(tables, select).to_pylist()
    ]


def _found(places: Iterable[Place]) -> Found:
    """Take places apart, each value once."""
    places = list(places)
    return Found(
        tuple(dict.fromkeys(place.index for place in places)),
        tuple(dict.fromkeys(p.access for p in places if p.access is not None)),
    )


# --- 1. places ---


def _find(tables: Tables, wanted: Filter) -> list[Place]:
    segments = segments_between(tables.segments(wanted.log), wanted.since, wanted.until)
    segments = tuple(s for s in segments if s.end > wanted.after + 1)
    if wanted.access is not None:
        segments = segments_with_access(segments, wanted.access)
    if wanted.patient is None and wanted.record is None:
        events = [file for segment in segments for file in segment.events]
        return _places(
            tables,
            select_found(
                wanted,
                tables.events(wanted.log, events, columns_to_find(wanted.log)),
                _records(tables, wanted, segments),
            ),
        )
    records = _records(tables, wanted, segments)
    places = _places(tables, select_touching(wanted, records))
    if not places or not has_conditions(wanted):
        return places
    columns = columns_to_find(wanted.log)
    held_by = _events_at(tables, wanted.log, places, columns)
    return _places(tables, select_holding(wanted, _found(places), held_by))


def _records(tables: Tables, wanted: Filter, segments: Segments) -> str:
    """Write the records of segments in FROM; of one patient, those that can hold it."""
    if not has_records(wanted.log):
        return ""
    files = [file for segment in segments for file in segment.records]
    if wanted.patient is not None:
        files = list(files_holding(files, (wanted.patient,)))
    return tables.records(wanted.log, files)


# --- 2. elsewhere ---


def _elsewhere(tables: Tables, log: Log, places: Sequence[Place]) -> list[Place]:
    """Find entries of the accesses in segments where they were not met."""
    segments = tables.segments(log)
    met: dict[str, set[int]] = defaultdict(set)
    for place in places:
        segment = segment_of(segments, place.index)
        if place.access is not None:
            met[place.access].add(-1 if segment is None else segment.first)
    asked: dict[str, Segments] = {
        access: tuple(
            segment
            for segment in segments_with_access(segments, access)
            if segment.first not in firsts
        )
        for access, firsts in met.items()
    }
    accesses = [access for access, others in asked.items() if others]
    if not accesses:
        return []
    others = {s.first: s for some in asked.values() for s in some}
    files = [file for segment in others.values() for file in segment.events]
    events = tables.events(log, files, columns_to_find(log))
    return _places(tables, select_elsewhere(accesses, events))


# --- 3. rows ---


def _events_at(
    tables: Tables, log: Log, places: Sequence[Place], columns: Sequence[str]
) -> Select:
    """Write in FROM the events in the clusters of some places, and the tail."""
    segments = tables.segments(log)
    clusters: dict[int, set[str]] = defaultdict(set)
    for place in places:
        segment = segment_of(segments, place.index)
        if segment is not None:
            clusters[segment.first].add(place.cluster)
    files = [
        file
        for segment in segments
        if segment.first in clusters
        for file in files_holding(segment.events, clusters[segment.first])
    ]
    if not files:
        return Select(tables.events(log, (), columns), ())
    every = tuple(sorted(set().union(*clusters.values())))
    lies = in_clusters(every)
    return Select(tables.events(log, files, columns, lies.sql), lies.values)
