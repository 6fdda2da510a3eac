"""Which lists a word stands in: given names, surnames, towns, counties, plain words.

The lists are kept as sorted CRC-32 values of the lower-case words with one byte of flags
each: two arrays of about one megabyte together, no strings. Two words with one CRC-32 are
told apart wrongly in about one of ten thousand words that stand in no list, which the
tagger bears: a flag is one feature among many.
"""

from zlib import crc32

import numpy as np
from numpy.typing import NDArray

GIVEN, SURNAME, TOWN, COUNTY, PLAIN = 1, 2, 4, 8, 16


def word_hash(word: str) -> int:
    """Return the CRC-32 of a word in lower case."""
    return crc32(word.lower().encode("utf-8", "surrogatepass"))


class Gazetteer:
    """The lists, as hashes."""

    def __init__(self, hashes: NDArray[np.uint32], flags: NDArray[np.uint8]) -> None:
        self._hashes = hashes
        self._flags = flags

    def flags(self, words: list[str]) -> list[int]:
        """Return the flags of each word; 0 where no list has it."""
        if not words:
            return []
        asked = np.fromiter((word_hash(word) for word in words), np.uint32, len(words))
        places = np.searchsorted(self._hashes, asked)
        places[places == len(self._hashes)] = 0
        found = np.where(self._hashes[places] == asked, self._flags[places], 0)
        return [int(flag) for flag in found]
