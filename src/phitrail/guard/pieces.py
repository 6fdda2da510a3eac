"""A long text is read in pieces, so that memory stays bounded and time linear.

A piece ends at the end of a line, else between words, else where it must. What is read of it
goes `AROUND` characters beyond either end, so that words there have their surroundings; what
is found belongs to the piece in which it begins.
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

    def owns(self, place: int) -> bool:
        """Say whether what begins at a place belongs to this piece."""
        return self.start <= place < self.end


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
