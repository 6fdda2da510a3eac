"""Where the words of a text stand.

A token is a word (with inner apostrophes, without a possessive 's), a run of digits, or one
other sign that is no white space. Tokens are told as places; their text stays where it is.
"""

import re

TOKEN = re.compile(r"[^\W\d_]+(?:['\u2019\u02bc](?![sS]\b)[^\W\d_]+)*|\d+|[^\w\s]|_")


def tokenize(text: str) -> tuple[list[str], list[int], list[int]]:
    """Return the tokens of a text, and the code points at which they start and end."""
    words: list[str] = TOKEN.findall(text)
    starts: list[int] = []
    ends: list[int] = []
    find = text.find
    place = 0
    for word in words:
        place = find(word, place)
        starts.append(place)
        place += len(word)
        ends.append(place)
    return words, starts, ends
