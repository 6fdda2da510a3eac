"""Where the words of a text stand.

A token is a word (with inner apostrophes, without a possessive 's), a run of digits, or one
other sign that is no white space. Tokens are told as places; their text stays where it is.
"""

import re
from dataclasses import dataclass

TOKEN = re.compile(r"[^\W\d_]+(?:['\u2019\u02bc](?![sS]\b)[^\W\d_]+)*|\d+|[^\w\s]|_")


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a text: what they are, where they start and end, what stands before.

    A gap is 0 for nothing, 1 for a blank, 2 for a line break, 3 for an empty line; before
    the first token stands an empty line.
    """

    words: list[str]
    starts: list[int]
    ends: list[int]
    gaps: list[int]


def tokenize(text: str) -> Tokens:
    """Cut a text into tokens."""
    words: list[str] = TOKEN.findall(text)
    starts: list[int] = []
    ends: list[int] = []
    gaps: list[int] = []
    find = text.find
    end = 0
    for word in words:
        start = find(word, end)
        if start == end:
            gaps.append(0)
        elif start == end + 1 and text[end] != "\n":
            gaps.append(1)
        else:
            gaps.append(min(1 + text.count("\n", end, start), 3))
        starts.append(start)
        end = start + len(word)
        ends.append(end)
    if gaps:
        gaps[0] = 3
    return Tokens(words, starts, ends, gaps)
