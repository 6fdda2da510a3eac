"""What pruning leaves out holds no row that is asked for."""

from hypothesis import given
from hypothesis import strategies as st

from phitrail.projection.pruning import (
    files_holding,
    segment_of,
    segments_between,
    segments_with_access,
)
from phitrail.projection.segments import Segment, SegmentFile

WORDS = st.text("ab-_", max_size=3)


def make_file(rows: list[str]) -> SegmentFile:
    """Make what a manifest says of a file that holds these clusters."""
    return SegmentFile(
        name="-".join(rows),
        rows=len(rows),
        size_bytes=1,
        sha256="",
        low=min(rows),
        high=max(rows),
    )


def make_segment(first: int, rows: list[str | None]) -> Segment:
    """Make what a manifest says of a segment with these times and accesses."""
    known = [row for row in rows if row is not None]
    ends = (min(known), max(known)) if known else None
    return Segment(
        first=first,
        end=first + len(rows),
        level=0,
        events=(),
        times=ends,
        accesses=ends,
    )


@given(st.lists(st.lists(WORDS, min_size=1)), st.sets(WORDS))
def test_a_file_with_a_row_of_a_cluster_is_opened(
    rows: list[list[str]], wanted: set[str]
) -> None:
    """A file left out wrongly hides a patient's entries, and nobody would notice."""
    kept = files_holding([make_file(each) for each in rows], wanted)

    needed = {make_file(each).name for each in rows if wanted & set(each)}
    assert needed <= {file.name for file in kept}


@given(
    st.lists(st.lists(st.none() | WORDS, min_size=1)),
    st.none() | WORDS,
    st.none() | WORDS,
)
def test_a_segment_with_a_time_in_the_range_is_opened(
    rows: list[list[str | None]], since: str | None, until: str | None
) -> None:
    """`since` counts, `until` does not, and neither may cost an entry at its edge."""
    segments = [make_segment(n, each) for n, each in enumerate(rows)]

    kept = segments_between(segments, since, until)

    for n, each in enumerate(rows):
        known = [row for row in each if row is not None]
        if any((since or "") <= t and (until is None or t < until) for t in known):
            assert segments[n] in kept


@given(st.lists(st.lists(st.none() | WORDS, min_size=1)), WORDS)
def test_a_segment_with_an_entry_of_an_access_is_asked(
    rows: list[list[str | None]], access: str
) -> None:
    """The closing of an access often stands in another segment than its opening."""
    segments = [make_segment(n, each) for n, each in enumerate(rows)]

    kept = segments_with_access(segments, access)

    assert all(segments[n] in kept for n, each in enumerate(rows) if access in each)


def test_an_entry_is_in_the_segment_that_covers_it_or_in_the_tail() -> None:
    """One entry off at an edge would look for a row in a file that has it not."""
    segments = (make_segment(0, ["a", "b"]), make_segment(2, ["c"]))

    assert [segments[0], segments[0], segments[1], None] == [
        segment_of(segments, index) for index in range(4)
    ]
