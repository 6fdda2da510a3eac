"""Where the words of a text stand.

A token is a word (with inner apostrophes, without a possessive 's), a run of digits, or one
other sign that is no white space. `TOKEN` says it; `tokenize` does the same over arrays, some
times as fast, since it is done twice for each answer.
"""

import re
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

TOKEN = re.compile(r"[^\W\d_]+(?:['\u2019\u02bc](?![sS]\b)[^\W\d_]+)*|\d+|[^\w\s]|_")

_BLANK, _LETTER, _DIGIT, _SIGN = range(4)
_ASCII = 128
_APOSTROPHE = re.compile(r"['\u2019\u02bc](?<=[^\W\d_].)(?![sS]\b)(?=[^\W\d_])")


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a text: what they are, where they start and end, what stands before.

    A gap is 0 for nothing, 1 for a blank, 2 for a line break, 3 for an empty line; before
    the first token stands an empty line.
    """

    words: list[str] = field(repr=False)
    starts: list[int]
    ends: list[int]
    gaps: NDArray[np.intp]


def tokenize(text: str) -> Tokens:
    """Cut a text into tokens."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    kinds = _kinds(text, codes)
    for match in _APOSTROPHE.finditer(text):
        kinds[match.start()] = _LETTER
    edges = np.empty(len(kinds) + 1, np.bool_)
    edges[0] = edges[-1] = True
    edges[1:-1] = (kinds[1:] != kinds[:-1]) | (kinds[1:] == _SIGN)
    borders = np.flatnonzero(edges)
    is_token = kinds[borders[:-1]] != _BLANK
    starts, ends = borders[:-1][is_token], borders[1:][is_token]
    places = starts.tolist(), ends.tolist()
    words = [text[start:end] for start, end in zip(*places, strict=True)]
    return Tokens(words, *places, _gaps(codes, starts, ends))


def _kinds(text: str, codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Say of each character what it is."""
    kinds = _KINDS[np.minimum(codes, _ASCII)]
    if not text.isascii():
        others = np.flatnonzero(codes >= _ASCII)
        kinds[others] = [_kind(text[place]) for place in others.tolist()]
    return kinds


def _kind(sign: str) -> int:
    if sign.isspace():
        return _BLANK
    if sign.isdecimal():
        return _DIGIT
    return _LETTER if sign.isalnum() else _SIGN


_KINDS = np.array([_kind(chr(code)) for code in range(_ASCII + 1)], np.uint8)


def _gaps(
    codes: NDArray[np.uint32], starts: NDArray[np.intp], ends: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Say what stands before each token."""
    gaps = np.full(len(starts), 3, np.intp)
    if len(starts) > 1:
        lines = np.concatenate(([0], np.cumsum(codes == ord("\n"))))
        breaks = lines[starts[1:]] - lines[ends[:-1]]
        gaps[1:] = np.where(starts[1:] == ends[:-1], 0, np.minimum(1 + breaks, 3))
    return gaps
