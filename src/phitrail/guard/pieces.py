"""A long text is read in pieces, so that memory stays bounded and time linear.

A piece ends at the end of a line, else between words, else where it must. What is read of it
goes `AROUND` characters beyond either end, so that words there have their surroundings; what
lies in the piece, in part at least, belongs to it, so that nothing long falls between two.
"""

from collections.abc import Iterator
from dataclasses import dataclass

PIECE = 32_768
AROUND = 512
LOOK_BACK = 4_096


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text: what belongs to it, and what is read for it."""

    start: int
    end: int
    low: int
    high: int

    def touches(self, start: int, end: int) -> bool:
        """Say whether a finding lies in this piece, in part at least."""
        return start < self.end and end > self.start


def pieces_of(text: str) -> Iterator[Piece]:
    """Cut a text; one piece where it is short."""
    start = 0
    while start < len(text):
        end = _end(text, start)
        low = max(start - AROUND, 0)
        yield Piece(start, end, low, min(end + AROUND, len(text)))
        start = end


def _end(text: str, start: int) -> int:
    most = start + PIECE
    if most >= len(text):
        return len(text)
    for sign in "\n", " ":
        at = text.rfind(sign, most - LOOK_BACK, most)
        if at > start:
            return at + 1
    return most
