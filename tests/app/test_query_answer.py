"""Answers do not depend on how entries are cut into segments, files and tail."""

import itertools
from collections.abc import Callable, Sequence

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.projection.leaves import ListedEntries, make_leaves, surrogate
from tests.projection.stores import make_folder, make_store, open_tables, scan

from phitrail.app.query_answer import answer_filter
from phitrail.app.query_filter import Filter
from phitrail.events.audit import AuditEvent
from phitrail.events.canonical import decode_leaf, encode_leaf
from phitrail.events.codes import Log, Outcome
from phitrail.projection.follower import build_segment
from phitrail.projection.rows import RECORDS
from phitrail.projection.segment_file import join_segments
from phitrail.projection.segments import Manifest, Segment, SegmentStore
from phitrail.projection.tables import Tables

COUNT = 240
SINCE, UNTIL = "2026-03-01T01:00:00.000Z", "2026-03-01T03:10:00.000Z"
PATIENTS = [surrogate(number) for number in range(1, 9)]


def with_late_entries(leaves: Sequence[bytes]) -> list[bytes]:
    """Let every fortieth entry belong to the access of a much older one."""
    late = list(leaves)
    for at in range(40, len(late), 40):
        event = decode_leaf(late[at])
        assert isinstance(event, AuditEvent)
        older = next(
            access
            for leaf in late[at - 37 :]
            if (access := getattr(decode_leaf(leaf), "access_id", None)) is not None
        )
        late[at] = encode_leaf(msgspec.structs.replace(event, access_id=older))
    return late


LEAVES = with_late_entries(make_leaves(Log.AUDIT, COUNT))
ROWS = scan(Log.AUDIT, LEAVES)
TIMES = [
    str(msgspec.to_builtins(decode_leaf(leaf))["timestamp_utc"]) for leaf in LEAVES
]
FOLDER = make_folder()


def patients_of(row: dict[str, object]) -> set[object]:
    """List the patients that an entry names."""
    records = row[RECORDS] or ()
    assert isinstance(records, tuple)
    return {triple[0] for triple in records}


def expected(found: Callable[[int], bool], *, with_accesses: bool) -> list[int]:
    """Scan the log: the entries found and, where wanted, those of their accesses."""
    indexes = {n for n in range(COUNT) if found(n)}
    if with_accesses:
        accesses = {ROWS[n]["access_id"] for n in indexes} - {None}
        indexes |= {n for n in range(COUNT) if ROWS[n]["access_id"] in accesses}
    return sorted(indexes)


def cut(store: SegmentStore, cuts: list[int], joins: list[bool]) -> tuple[Segment, ...]:
    """Build segments at these places, and join those pairs."""
    entries = ListedEntries(LEAVES)
    segments = [
        build_segment(entries, FOLDER, store, first, end)
        for first, end in itertools.pairwise(cuts)
    ]
    made: list[Segment] = []
    while segments:
        run = segments[: 2 if len(joins) > len(made) and joins[len(made)] else 1]
        joined = len(run) == 2
        made.append(join_segments(store, FOLDER.connection, run) if joined else run[0])
        segments = segments[len(run) :]
    return tuple(made)


def check_patient(tables: Tables, patient: str) -> None:
    """Compare what is answered about one patient with a scan."""

    def names(n: int) -> bool:
        return patient in patients_of(ROWS[n])

    for with_accesses in (False, True):
        wanted = Filter(patient=patient, with_accesses=with_accesses)
        questions: list[tuple[Filter, Callable[[int], bool]]] = [
            (wanted, names),
            (
                msgspec.structs.replace(wanted, since=SINCE, until=UNTIL),
                lambda n: names(n) and SINCE <= TIMES[n] < UNTIL,
            ),
            (
                msgspec.structs.replace(wanted, outcome=Outcome.BLOCKED),
                lambda n: names(n) and ROWS[n]["outcome"] == Outcome.BLOCKED,
            ),
        ]
        for question, holds in questions:
            answer = answer_filter(tables, question)
            found = sorted(int(i) for i in answer.rows["idx"].to_pylist())
            assert expected(holds, with_accesses=with_accesses) == found


@settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    cuts=st.lists(st.integers(1, COUNT), min_size=1, max_size=6, unique=True),
    joins=st.lists(st.booleans(), max_size=4),
    patient=st.sampled_from(PATIENTS),
)
def test_what_is_asked_of_a_patient_is_what_a_scan_finds(
    tmp_path_factory: pytest.TempPathFactory,
    cuts: list[int],
    joins: list[bool],
    patient: str,
) -> None:
    """An access that spans segments, or a late entry of an old one, must not be lost."""
    directory = tmp_path_factory.mktemp("trail")
    store = make_store(directory)
    segments = cut(store, [0, *sorted(cuts)], joins)
    tables = open_tables(
        directory,
        store,
        ListedEntries(LEAVES),
        Manifest(log=Log.AUDIT, segments=segments),
    )
    try:
        check_patient(tables, patient)
    finally:
        tables.close()


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """Tables of three segments and a tail."""
    directory = tmp_path_factory.mktemp("tables")
    store = make_store(directory)
    segments = cut(store, [0, 80, 140, 200], [])
    manifest = Manifest(log=Log.AUDIT, segments=segments)
    return open_tables(directory, store, ListedEntries(LEAVES), manifest)


@pytest.mark.parametrize("limit", [5, 50])
def test_pages_of_a_patient_follow_each_other(tables: Tables, limit: int) -> None:
    """A page that ends where a segment ends must not end the answer."""
    patient = PATIENTS[2]
    pages: list[int] = []
    after: int | None = -1
    while after is not None:
        wanted = Filter(patient=patient, limit=limit, after=after, since=SINCE)
        answer = answer_filter(tables, wanted)
        pages += answer.rows["idx"].to_pylist()
        after = answer.next_after

    def holds(n: int) -> bool:
        return patient in patients_of(ROWS[n]) and TIMES[n] >= SINCE

    assert expected(holds, with_accesses=False) == pages


def test_a_question_opens_only_the_files_that_it_needs(tables: Tables) -> None:
    """A damaged or slow segment of another year must not stand in the way of a day's."""
    files = tables.segments(Log.AUDIT)[2].files
    directory = tables._states[Log.AUDIT].directory
    for file in files:
        (directory / file.name).rename(directory / f"{file.name}.away")
    try:
        answer = answer_filter(tables, Filter(user="u1", until=TIMES[120]))
    finally:
        for file in files:
            (directory / f"{file.name}.away").rename(directory / file.name)

    found = [n for n in range(120) if ROWS[n]["user_id"] == "u1"]
    assert found == answer.rows["idx"].to_pylist()
