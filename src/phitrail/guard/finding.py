"""`Finding`: everything in one text that may identify somebody, by all stages together.

1. The text is read in its views (`guard.normal`): disguises taken off, each with a way back.
2. What a record of the access explains is found first (`guard.record_match`), then what has
   a shape (`guard.patterns`), then what the words around it give away (`guard.tagged`).
3. Overlapping findings become one that covers them all (`guard.merging`), without what a
   record explains (`guard.carving`); they take in what belongs to their edges
   (`guard.edges`).
4. Terms of medicine that look like names or places are let go (`guard.allow_list`), and so
   are whole states and countries.
5. A name or number that was found once is found wherever it stands again
   (`guard.propagation`).
6. A long text is read in pieces (`guard.pieces`): memory is bounded, time linear.

One object serves one scan; what it keeps of the text goes with it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from phitrail.events.codes import IdentifierClass
from phitrail.guard.allow_list import is_allowed, is_neutral_place
from phitrail.guard.carving import carved
from phitrail.guard.clinical_codes import find_clinical_codes
from phitrail.guard.dates import find_dates
from phitrail.guard.edges import with_edges, with_whole_words
from phitrail.guard.found import Found
from phitrail.guard.listed_names import find_listed
from phitrail.guard.merging import merged
from phitrail.guard.normal import views
from phitrail.guard.patterns.finder import find_patterns
from phitrail.guard.pieces import PIECE, Piece, pieces_of
from phitrail.guard.propagation import AGAIN, name_words, propagated
from phitrail.guard.record_context import RecordContext
from phitrail.guard.record_match import match_record
from phitrail.guard.roles import role_of
from phitrail.guard.tagged import find_tagged
from phitrail.guard.tagger import Seen, Tagger

NAMES_AND_PLACES = frozenset({IdentifierClass.NAME, IdentifierClass.GEOGRAPHIC})
MOST_NAMES = 10_000
"""Names of a long text that are looked for in all of it, at the most."""

FindIn = Callable[[str], list[Found]]
"""Finds in one view of a text."""


class Finding:
    """The stages, over one text."""

    def __init__(self, tagger: Tagger, context: RecordContext | None) -> None:
        """Begin a scan.

        Args:
            tagger: the statistical tagger.
            context: the records of the access, if any.
        """
        self._tagger = tagger
        self._context = context
        self._seen = Seen()
        self._is_plain = False

    def find(self, text: str, known: Iterable[str] = ()) -> list[Found]:
        """Return everything found, in order, disjoint.

        Args:
            text: the answer, or a part of it.
            known: names that were found before in the same answer.
        """
        names = set(known)
        found: list[Found] = []
        for piece in pieces_of(text):
            own = self._read_piece(text, piece, self._in_view, names)
            if piece.end < len(text) and len(names) < MOST_NAMES:
                names |= name_words(text, own)
            found += own
        found = merged(found)
        return found if len(text) <= PIECE else merged(_again(text, found, names))

    def find_left_over(self, text: str, *, is_glued: bool) -> list[Found]:
        """Find what shows in a redacted text only.

        What has a shape was found before, unless a part of a word is left (`is_glued`).
        Else what the words around it give away, in whichever view, is all that can be new.
        A text that was its own view stays so: placeholders disguise nothing, and bring
        nothing together.
        """
        find_in = self._in_view if is_glued else self._left_in_view
        if self._is_plain:
            return find_in(text)
        return merged(
            one
            for piece in pieces_of(text)
            for one in self._read_piece(text, piece, find_in, ())
        )

    def _left_in_view(self, text: str) -> list[Found]:
        return with_edges(text, merged(self._tag(text, ())))

    def _tag(self, text: str, codes: Sequence[Found]) -> list[Found]:
        """Find what the words around it give away; codes and terms of medicine apart."""
        return [
            one
            for one in with_whole_words(
                text, find_tagged(self._tagger, text, self._seen)
            )
            if not _is_within(one, codes) and not _is_term(text, one)
        ]

    def _read_piece(
        self, text: str, piece: Piece, find_in: FindIn, known: Iterable[str]
    ) -> list[Found]:
        """Find in one piece of a text; offsets are those of the text."""
        if piece.low == 0 and piece.high == len(text):
            return self._read(text, find_in, known)
        self._seen = Seen()
        part = self._read(text[piece.low : piece.high], find_in, known)
        self._is_plain = False  # a long text is read in pieces again
        return [
            _moved(one, one.start + piece.low, one.end + piece.low)
            for one in part
            if piece.touches(one.start + piece.low, one.end + piece.low)
        ]

    def _read(self, text: str, find_in: FindIn, known: Iterable[str]) -> list[Found]:
        """Find in a text of bounded length, in all of its views."""
        read = views(text)
        main = read.main
        self._is_plain = main.text is text and not read.fragments
        found = _again(main.text, find_in(main.text), known)
        if main.is_mapped:
            found = [_moved(one, *main.source(one.start, one.end)) for one in found]
        for fragment in read.fragments:
            found += [
                _moved(one, *fragment.source(one.start, one.end))
                for one in find_in(fragment.text)
                if fragment.is_rebuilt(one.start, one.end)
            ]
        return found

    def _in_view(self, text: str) -> list[Found]:
        dates = find_dates(text)
        known = (
            [] if self._context is None else match_record(self._context, text, dates)
        )
        codes = find_clinical_codes(text)
        found = find_patterns(text, dates) + find_listed(text, self._tagger.gazetteer)
        found = [one for one in found if not _is_term(text, one)]
        found = merged([*found, *codes, *self._tag(text, codes)])
        rest = [one for one in carved(text, found, known) if not _is_term(text, one)]
        whole = with_edges(text, merged([*known, *rest]))
        return [_with_role(text, one) for one in whole]


def _again(text: str, found: Sequence[Found], known: Iterable[str]) -> list[Found]:
    """Find again what was found, save where it is a term of medicine."""
    return [
        one
        for one in propagated(text, found, known)
        if one.rule != AGAIN or not _is_term(text, one)
    ]


def _is_term(text: str, one: Found) -> bool:
    """Say whether what looks like a name or place is a term, or a whole state or country."""
    if one.identifier_class not in NAMES_AND_PLACES:
        return False
    return is_allowed(text, one.start, one.end) or (
        one.identifier_class == IdentifierClass.GEOGRAPHIC
        and is_neutral_place(text, one.start, one.end)
    )


def _is_within(one: Found, others: Sequence[Found]) -> bool:
    return any(o.start <= one.start and one.end <= o.end for o in others)


def _moved(one: Found, start: int, end: int) -> Found:
    return replace(one, start=start, end=end)


def _with_role(text: str, one: Found) -> Found:
    if one.identifier_class != IdentifierClass.NAME or one.role is not None:
        return one
    role = role_of(text, one.start, one.end)
    return one if role is None else replace(one, role=role)
