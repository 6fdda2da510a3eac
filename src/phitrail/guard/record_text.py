"""A text in pieces, as the parts of the record matcher look at it."""

import re
from dataclasses import dataclass, field

from phitrail.guard.record_words import placed_pieces

_GAP_SIGNS = frozenset(" \t.,'\"()-^_")
_LONGEST_GAP = 4
_TITLE_CASE = re.compile(r"[A-Z][a-z]")
_ENOUGH = 1000
_LOWER_AT_MOST_ONE_IN = 300


@dataclass(frozen=True, slots=True)
class PlacedText:
    """A text, its folded pieces, and where each stands."""

    text: str = field(repr=False)
    words: list[str] = field(repr=False)
    gaps: list[str] = field(repr=False)
    places: list[tuple[int, int]] = field(repr=False)
    is_lower: bool
    """Whether capital letters begin hardly any word, so that they tell nothing."""

    @classmethod
    def of(cls, text: str) -> "PlacedText":
        """Cut a text."""
        words, gaps, places = placed_pieces(text)
        beginning = text[:_ENOUGH]
        capitals = len(_TITLE_CASE.findall(beginning))
        is_lower = capitals * _LOWER_AT_MOST_ONE_IN <= len(beginning) and (
            not beginning.isupper()
        )
        return cls(text, words, gaps, places, is_lower)

    def gap(self, at: int) -> str:
        """Return what stands between piece `at` and the next, in plain signs."""
        return self.gaps[at + 1]

    def joins(self, at: int) -> bool:
        """Whether piece `at` and the next may be parts of one name."""
        gap = self.gaps[at + 1]
        return gap == " " or (len(gap) <= _LONGEST_GAP and _GAP_SIGNS.issuperset(gap))

    def is_upper(self, at: int) -> bool:
        """Whether a piece begins with a capital letter."""
        return self.text[self.places[at][0]].isupper()

    def is_title(self, at: int) -> bool:
        """Whether a piece is a capital letter and small ones."""
        start, end = self.places[at]
        return self.text[start].isupper() and (
            end - start == 1 or self.text[start + 1].islower()
        )

    def is_acronym(self, at: int) -> bool:
        """Whether a piece is all capitals between pieces that are not."""
        start, end = self.places[at]
        beside = (one for one in (at - 1, at + 1) if 0 <= one < len(self.words))
        return self.text[start:end].isupper() and not any(
            self.text[self.places[one][0] : self.places[one][1]].isupper()
            for one in beside
        )

    def begins_sentence(self, at: int) -> bool:
        """Whether a piece is the first of its line or sentence (a colon begins none)."""
        start = self.places[at][0]
        before = self.text[max(0, start - 4) : start].rstrip(" \t\"'(*#-\u2022")
        return not before or before[-1] in ".!?\n|>"
