"""Sorts the rows of a table of facts, and leaves out what stands there twice."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A column as it came: numbers, or places of texts that are to be sorted.

    Attributes:
        places: the number that each text got; empty for a column of numbers.
        in_order: the same texts, sorted.
        cells: the column.
    """

    places: Mapping[str, int]
    in_order: Sequence[str]
    cells: "array[int]"

    def numbers(self) -> Numbers:
        """Give the column; of texts their place in the order."""
        cells = (
            np.frombuffer(self.cells, dtype=np.int64)
            if self.cells
            else np.empty(0, np.int64)
        )
        if not self.places:
            return cells
        ranks = np.empty(len(self.places), np.int64)
        for rank, text in enumerate(self.in_order):
            ranks[self.places[text]] = rank
        return ranks[cells]


def in_order(keys: Drawn, columns: Sequence[Drawn]) -> tuple[bytes, tuple[bytes, ...]]:
    """Sort by key, then by columns; each row once.

    Returns:
        Where the rows of each key begin, and the columns: little-endian, 8 bytes a number.
    """
    of_keys, rest = keys.numbers(), [one.numbers() for one in columns]
    order = np.lexsort((*rest[::-1], of_keys))
    rows = [one[order] for one in (of_keys, *rest)]
    if len(order) > 1:
        is_new = np.ones(len(order), dtype=bool)
        is_new[1:] = np.logical_or.reduce([one[1:] != one[:-1] for one in rows])
        rows = [one[is_new] for one in rows]
    starts = np.searchsorted(rows[0], np.arange(len(keys.in_order) + 1))
    return _bytes(starts), tuple(_bytes(one) for one in rows[1:])


def _bytes(numbers: Numbers) -> bytes:
    return numbers.astype("<i8").tobytes()
