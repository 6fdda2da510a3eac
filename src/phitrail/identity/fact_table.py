"""One table of dated facts in memory and in bytes: whose, from when until when, and what.

1. A row is about one user (`people`, `roster`) or one patient (`patients`, `care`,
   `relations`). Users are the ids that stand in leaves, patients their surrogates.
2. Every cell is a whole number: a time in microseconds since 1970, a code by its place in its
   list, a text by its place in `names`, or what a surname or an address was hashed to
   (`identity.fact_join`). 0 is absent where a cell may be; a time that is open is `ALWAYS_FROM`
   or `ALWAYS_UNTIL`.
3. `until` is the first moment at which a fact no longer holds.
4. Rows stand sorted and each once: the same facts give the same bytes, however they came.
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from types import MappingProxyType

import msgspec
import numpy as np

from phitrail.errors import IntegrityError
from phitrail.events.codes import Relation, UserState

ALWAYS_FROM, ALWAYS_UNTIL = -(2**62), 2**62
ABSENT = 0
STATES, RELATIONS = tuple(UserState), tuple(Relation)


class FactKind(StrEnum):
    """What a table holds."""

    PEOPLE = "people"
    PATIENTS = "patients"
    ROSTER = "roster"
    CARE = "care"
    RELATIONS = "relations"


class CareBasis(StrEnum):
    """What a care relationship rests on."""

    APPOINTMENT = "appointment"
    ORDER = "order"
    ASSIGNMENT = "assignment"
    ADT = "adt"
    REFERRAL = "referral"


BASES = tuple(CareBasis)
_TIMES = ("from", "until")
_LIKENESS = ("surname", "address", "street")
COLUMNS: Mapping[FactKind, tuple[str, ...]] = MappingProxyType(
    {
        FactKind.PEOPLE: ("state", "department", "patient", *_LIKENESS, *_TIMES),
        FactKind.PATIENTS: ("vip", "deceased", *_LIKENESS, *_TIMES),
        FactKind.ROSTER: _TIMES,
        FactKind.CARE: ("user", "department", "basis", *_TIMES),
        FactKind.RELATIONS: ("user", "relation", *_TIMES),
    }
)
"""The columns of each table beside whose row it is."""
OF_USERS = frozenset({FactKind.PEOPLE, FactKind.ROSTER})
_TEXTS = frozenset({"user", "department", "patient"})
_NO_ROWS = range(0)


class _Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table as bytes."""

    kind: FactKind
    keys: tuple[str, ...]
    names: tuple[str, ...]
    starts: bytes
    columns: tuple[bytes, ...]


class FactTable:
    """One table; immutable."""

    def __init__(self, stored: _Stored) -> None:
        """Take a table as `encode` gave it.

        Raises:
            IntegrityError: its parts do not fit each other.
        """
        self._stored = stored
        self.kind = stored.kind
        self.names = stored.names
        self._places = {key: place for place, key in enumerate(stored.keys)}
        self._starts = _numbers(stored.starts)
        self._columns = dict(
            zip(COLUMNS[stored.kind], map(_numbers, stored.columns), strict=False)
        )
        self.rows = len(self.column("until"))
        is_whole = len(self._columns) == len(stored.columns) == len(COLUMNS[self.kind])
        if not is_whole or len(self._starts) != len(stored.keys) + 1:
            raise IntegrityError("a table of facts is damaged: load it again")

    def column(self, name: str) -> Sequence[int]:
        """Return the cells of a column."""
        return self._columns.get(name, array("q"))

    @property
    def subjects(self) -> Sequence[str]:
        """Whose rows these are, in order."""
        return self._stored.keys

    def of(self, key: str) -> range:
        """Return the places of the rows of a user or patient."""
        place = self._places.get(key)
        if place is None:
            return _NO_ROWS
        starts = self._starts
        return range(starts[place], starts[place + 1])

    def cells(self) -> Iterator[tuple[str, tuple[int | str, ...]]]:
        """Give the rows as `TableBuilder.add` takes them."""
        columns = [(name in _TEXTS, self.column(name)) for name in COLUMNS[self.kind]]
        for key in self._stored.keys:
            for row in self.of(key):
                yield (
                    key,
                    tuple(
                        self.names[cells[row]] if is_text else cells[row]
                        for is_text, cells in columns
                    ),
                )

    def encode(self) -> bytes:
        """Return the bytes of the table."""
        return msgspec.msgpack.encode(self._stored)


def decode_table(data: bytes) -> FactTable:
    """Read a table.

    Raises:
        IntegrityError: the bytes are none.
    """
    stored = None
    with suppress(msgspec.MsgspecError, UnicodeDecodeError):  # it quotes what it read
        stored = msgspec.msgpack.decode(data, type=_Stored)
    if stored is None:
        raise IntegrityError("a table of facts is damaged: load it again")
    return FactTable(stored)


class TableBuilder:
    """Puts a table together, row by row; holds each row as a few whole numbers."""

    def __init__(self, kind: FactKind) -> None:
        self._kind = kind
        self._is_text = tuple(name in _TEXTS for name in COLUMNS[kind])
        self._keys: dict[str, int] = {}
        self._names: dict[str, int] = {"": 0}
        self._rows = array("q")
        self._columns = tuple(array("q") for _ in COLUMNS[kind])

    def add(self, key: str, cells: Sequence[int | str]) -> None:
        """Take a row; texts are texts here, and an absent one is empty."""
        keys, names = self._keys, self._names
        self._rows.append(keys.setdefault(key, len(keys)))
        for cell, column in zip(cells, self._columns, strict=True):
            column.append(
                names.setdefault(cell, len(names)) if isinstance(cell, str) else cell
            )

    def table(self) -> FactTable:
        """Return the table: sorted, each row once."""
        keys, names = sorted(self._keys), sorted(self._names)
        of_keys = _ranks(self._keys, keys)[_array(self._rows)]
        of_names = _ranks(self._names, names)
        columns = [
            of_names[_array(column)] if is_text else _array(column)
            for is_text, column in zip(self._is_text, self._columns, strict=True)
        ]
        order = np.lexsort((*columns[::-1], of_keys))
        sorted_ = [one[order] for one in (of_keys, *columns)]
        if len(order) > 1:
            is_new = np.ones(len(order), dtype=bool)
            is_new[1:] = np.logical_or.reduce([one[1:] != one[:-1] for one in sorted_])
            sorted_ = [one[is_new] for one in sorted_]
        starts = np.searchsorted(sorted_[0], np.arange(len(keys) + 1))
        return FactTable(
            _Stored(
                self._kind,
                tuple(keys),
                tuple(names),
                starts.astype("<i8").tobytes(),
                tuple(one.astype("<i8").tobytes() for one in sorted_[1:]),
            )
        )


def _array(numbers: "array[int]") -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.frombuffer(numbers, dtype=np.int64) if numbers else np.empty(0, np.int64)


def _ranks(
    places: Mapping[str, int], in_order: Sequence[str]
) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Say at which place of the order each of the numbered texts stands."""
    ranks = np.empty(len(places), np.int64)
    for rank, text in enumerate(in_order):
        ranks[places[text]] = rank
    return ranks


def _numbers(data: bytes) -> Sequence[int]:
    """Read whole numbers; an array, since that is the quickest to look into."""
    if len(data) % 8:
        raise IntegrityError("a table of facts is damaged: load it again")
    numbers = array("q")
    numbers.frombytes(np.frombuffer(data, "<i8").astype(np.int64).tobytes())
    return numbers
