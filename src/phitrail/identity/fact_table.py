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

import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from types import MappingProxyType

import msgspec

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
TEXTS = frozenset({"user", "department", "patient"})
_NO_ROWS = range(0)


class StoredTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table as bytes."""

    kind: FactKind
    keys: tuple[str, ...]
    names: tuple[str, ...]
    starts: bytes
    columns: tuple[bytes, ...]


class FactTable:
    """One table; immutable."""

    def __init__(self, stored: StoredTable) -> None:
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
        """Give the rows as `fact_build.TableBuilder.add` takes them."""
        columns = [(name in TEXTS, self.column(name)) for name in COLUMNS[self.kind]]
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
        stored = msgspec.msgpack.decode(data, type=StoredTable)
    if stored is None:
        raise IntegrityError("a table of facts is damaged: load it again")
    return FactTable(stored)


def empty_table(kind: FactKind) -> FactTable:
    """Give a table without a row."""
    columns = tuple(b"" for _ in COLUMNS[kind])
    return FactTable(StoredTable(kind, (), ("",), bytes(8), columns))


def _numbers(data: bytes) -> Sequence[int]:
    """Read whole numbers; an array, since that is the quickest to look into."""
    if len(data) % 8:
        raise IntegrityError("a table of facts is damaged: load it again")
    numbers = array("q")
    numbers.frombytes(data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
