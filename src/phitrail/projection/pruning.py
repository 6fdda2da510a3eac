"""Which segments and files can hold what is asked, by the ranges in the sealed manifest.

What is left out here cannot hold a row that is asked for; what is kept may. So a question
opens the files that it needs and no answer depends on the ranges being narrow.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence

from phitrail.projection.segments import Segment, SegmentFile


def segments_between(
    segments: Sequence[Segment], since: str | None, until: str | None
) -> tuple[Segment, ...]:
    """Keep segments that can hold a time from `since` on and before `until`."""
    if since is None and until is None:
        return tuple(segments)
    return tuple(
        segment
        for segment in segments
        if segment.times is not None
        and (since is None or segment.times[1] >= since)
        and (until is None or segment.times[0] < until)
    )


def segments_with_access(
    segments: Sequence[Segment], access: str
) -> tuple[Segment, ...]:
    """Keep segments that can hold an entry of an access."""
    return tuple(
        segment
        for segment in segments
        if segment.accesses is not None
        and segment.accesses[0] <= access <= segment.accesses[1]
    )


def segment_of(segments: Sequence[Segment], index: int) -> Segment | None:
    """Find the segment of an entry; none when the entry is in the tail."""
    at = bisect_right(segments, index, key=lambda segment: segment.end)
    return segments[at] if at < len(segments) else None


def files_holding(
    files: Sequence[SegmentFile], values: Collection[str]
) -> tuple[SegmentFile, ...]:
    """Keep files that can hold one of some clusters (of records: patients)."""
    ordered = sorted(values)

    def can_hold(file: SegmentFile) -> bool:
        at = bisect_left(ordered, file.low)
        return at < len(ordered) and ordered[at] <= file.high

    return tuple(file for file in files if can_hold(file))
