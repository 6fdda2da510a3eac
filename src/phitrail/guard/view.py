"""A text as a scanner reads it, and where each part of it stands in the source.

Rules: a view's map never goes backwards; a place in a view answers with whole source
code points; a span answers with everything between its ends, so what was dropped inside
it (zero-width characters, markup) is covered too. Where nothing moved there is no map.

The map is kept as segments, not per character: `_at` holds where a segment begins in
the view, `_source_at` where it begins in the source, and `_block_end` where a segment
that stands for one whole stretch of the source ends (0: characters stand one to one).
What is rewritten, and why, is for `phitrail.guard.normal` and its neighbours.
"""

from array import array
from bisect import bisect_right
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class View:
    """A text, the way back to its source, and which parts of it were put together.

    `rebuilt` holds the stretches of `text` that did not stand in the source like that:
    in a fragment, what does not touch one was seen in the main view already. A stretch
    may be empty (something was dropped there).
    """

    text: str = field(repr=False)
    rebuilt: tuple[tuple[int, int], ...] = ()
    _at: "array[int] | None" = field(default=None, repr=False)
    _source_at: "array[int] | None" = field(default=None, repr=False)
    _block_end: "array[int] | None" = field(default=None, repr=False)
    _parent: "View | None" = field(default=None, repr=False)

    @property
    def is_mapped(self) -> bool:
        """Whether places here differ from places in the source."""
        return self._at is not None or self._parent is not None

    def source(self, start: int, end: int) -> tuple[int, int]:
        """Give the code points of the source that a span of this view stands for."""
        if self._at is None or self._source_at is None or self._block_end is None:
            return (start, end) if self._parent is None else self._up(start, end)
        first = bisect_right(self._at, start) - 1
        begin = self._source_at[first]
        if not self._block_end[first]:
            begin += start - self._at[first]
        if end <= start:
            return self._up(begin, begin)
        last = bisect_right(self._at, end - 1) - 1
        stop = self._block_end[last] or (self._source_at[last] + end - self._at[last])
        return self._up(begin, stop)

    def _up(self, start: int, end: int) -> tuple[int, int]:
        return (start, end) if self._parent is None else self._parent.source(start, end)

    def reading(self, text: str) -> "View":
        """Give the same view with each character read as that of `text` in its place."""
        return replace(self, text=text)

    def is_rebuilt(self, start: int, end: int) -> bool:
        """Say whether a span of this view touches a stretch that was put together."""
        place = bisect_right(self.rebuilt, start, key=_first)
        near = self.rebuilt[max(place - 1, 0) : place + 1]
        return any(start < stop and end > begin for begin, stop in near)


def _first(stretch: tuple[int, int]) -> int:
    return stretch[0]


class ViewWriter:
    """Write a view of a stretch of a text from left to right.

    What is not put differently is kept as it stands. `window` is the stretch to write.
    """

    __slots__ = (
        "_at",
        "_block_end",
        "_delta",
        "_kept",
        "_length",
        "_pieces",
        "_source_at",
        "_stop",
        "_text",
    )

    def __init__(self, text: str, window: tuple[int, int] | None = None) -> None:
        self._text = text
        self._kept, self._stop = window or (0, len(text))
        self._pieces: list[str] = []
        self._length = 0
        self._at = array("q")
        self._source_at = array("q")
        self._block_end = array("q")
        self._delta: int | None = 0  # source minus view of the open one-to-one segment

    @property
    def written_to(self) -> int:
        """How far into the source the view was written; what follows is still open."""
        return self._kept

    @property
    def length(self) -> int:
        """How long the view is so far."""
        return self._length

    def keep_to(self, place: int) -> None:
        """Keep the source up to `place` as it stands."""
        if place > self._kept:
            self._same(self._text[self._kept : place], self._kept)
            self._kept = place

    def put(self, start: int, end: int, replacement: str) -> None:
        """Write `replacement` for the source between `start` and `end`, as one block.

        One character for one character moves nothing and needs no entry in the map.
        """
        self.keep_to(start)
        self._kept = end
        if len(replacement) == 1 == end - start:
            self._same(replacement, start)
        elif replacement:
            self._mark(start, end)
            self._delta = None
            self._pieces.append(replacement)
            self._length += len(replacement)

    def skip_to(self, place: int) -> None:
        """Leave the source out up to `place`."""
        self._kept = max(self._kept, place)

    def view(
        self,
        rebuilt: tuple[tuple[int, int], ...] = (),
        parent: View | None = None,
    ) -> View:
        """Keep what is left and give the view; this object is spent then."""
        self.keep_to(self._stop)
        text = "".join(self._pieces)
        parent = parent if parent is not None and parent.is_mapped else None
        if not self._at:
            return View(text, rebuilt, _parent=parent)
        if self._at[0]:
            self._at.insert(0, 0)
            self._source_at.insert(0, 0)
            self._block_end.insert(0, 0)
        return View(
            text, rebuilt, self._at, self._source_at, self._block_end, _parent=parent
        )

    def _same(self, piece: str, start: int) -> None:
        if self._delta != start - self._length:
            self._mark(start, 0)
            self._delta = start - self._length
        self._pieces.append(piece)
        self._length += len(piece)

    def _mark(self, start: int, block_end: int) -> None:
        self._at.append(self._length)
        self._source_at.append(start)
        self._block_end.append(block_end)


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What a stretch of a text says when it is read another way.

    `pieces` are (text, start, end): what is written for the source between two places,
    in order and inside the stretch; what no piece names is dropped.
    """

    start: int
    end: int
    pieces: tuple[tuple[str, int, int], ...] = field(repr=False)


def fragments_of(
    view: View, rewrites: list[Rewrite], *, left: int, right: int
) -> tuple[View, ...]:
    """Write a view around each rewrite, with some text on either side for its cues.

    Rewrites whose surroundings meet share one view, so the fragments of a text are
    together at most about twice as long as the text. Of two that overlap the one that
    begins first stays.
    """
    groups: list[list[Rewrite]] = []
    for rewrite in sorted(rewrites, key=lambda one: (one.start, -one.end)):
        if groups and rewrite.start < groups[-1][-1].end:
            continue
        if groups and rewrite.start - groups[-1][-1].end <= left + right:
            groups[-1].append(rewrite)
        else:
            groups.append([rewrite])
    return tuple(_fragment(view, group, left, right) for group in groups)


def _fragment(view: View, group: list[Rewrite], left: int, right: int) -> View:
    begin = _word_edge(view.text, max(0, group[0].start - left), group[0].start)
    stop = min(len(view.text), group[-1].end + right)
    writer = ViewWriter(view.text, (begin, stop))
    rebuilt = []
    for rewrite in group:
        writer.keep_to(rewrite.start)
        at = writer.length
        for text, start, end in rewrite.pieces:
            writer.skip_to(start)
            writer.put(start, end, text)
        writer.skip_to(rewrite.end)
        rebuilt.append((at, writer.length))
    return writer.view(tuple(rebuilt), view)


def _word_edge(text: str, place: int, limit: int) -> int:
    """Begin at a word, so that a word cut in two is no cue and no name."""
    if place == 0:
        return 0
    space = text.find(" ", place, limit)
    return place if space < 0 else space + 1
