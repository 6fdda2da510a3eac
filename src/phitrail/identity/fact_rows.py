"""A line of a file of facts, read strictly: which columns there are, and what each may hold.

1. A column that is not known is refused, and so is a file that lacks one that is needed. An
   empty cell is absent.
2. A time has its offset (`2026-01-05T19:00:00-05:00`, `...Z`), or it is the wall time of the
   zone that was given with the file. A date is its first moment there; in UTC without a zone.
   A wall time that comes twice or never, when clocks change, is refused.
3. `until` is the first moment at which the fact no longer holds, and comes after `from`.
4. Surnames, addresses and streets are hashed here (`identity.fact_join`) and go no further.
   Users and patients are identifiers still: whoever loads gives them the names of leaves.
5. What is wrong is told by column and rule; nothing of the line.
"""

import re
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from types import MappingProxyType
from typing import Final, TypeAlias, get_args

from msgspec import Meta

from phitrail.errors import InputError
from phitrail.events.canonical import check_identifier
from phitrail.events.codes import Relation, UserState
from phitrail.events.shapes import CallerUserId, OpaqueId
from phitrail.identity.fact_join import Joins
from phitrail.identity.fact_table import (
    ALWAYS_FROM,
    ALWAYS_UNTIL,
    COLUMNS,
    OF_USERS,
    CareBasis,
    FactKind,
)

FILE_COLUMNS: Final[Mapping[FactKind, tuple[str, ...]]] = MappingProxyType(
    {
        kind: (
            ("user", *COLUMNS[kind])
            if kind in OF_USERS
            else ("patient", *COLUMNS[kind])
        )
        for kind in FactKind
    }
)
"""The columns that a file of each kind may have."""
NEEDED: Final[Mapping[FactKind, tuple[str, ...]]] = MappingProxyType(
    {
        FactKind.PEOPLE: ("user",),
        FactKind.PATIENTS: ("patient",),
        FactKind.ROSTER: ("user", "from", "until"),
        FactKind.CARE: ("patient",),
        FactKind.RELATIONS: ("user", "patient", "relation"),
    }
)
"""Those that every line must fill."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})?",
    re.ASCII,
)
_A_TIME = "must be a time with its offset, as 2026-01-05T07:00:00Z, or a date"
_YES_NO = MappingProxyType({"yes": 1, "no": 0})
_USER, _OPAQUE = get_args(CallerUserId)[1], get_args(OpaqueId)[1]

Cell: TypeAlias = int | str


@dataclass(frozen=True, slots=True)
class FactRow:
    """A line that could be read; `user` and `patient` are identifiers, empty where absent."""

    kind: FactKind
    user: str
    patient: str
    cells: Mapping[str, Cell]

    def keyed(self, user: str, patient: str) -> tuple[str, tuple[Cell, ...]]:
        """Give the row of a table, by the names that stand in leaves.

        Args:
            user: what the user is called there; empty where absent.
            patient: the surrogate; empty where absent.
        """
        cells = {**self.cells, "user": user, "patient": patient}
        key = user if self.kind in OF_USERS else patient
        return key, tuple(cells[name] for name in COLUMNS[self.kind])


class RowReader:
    """Reads the lines of one file."""

    def __init__(
        self,
        kind: FactKind,
        joins: Joins,
        *,
        departments: Collection[str],
        zone: tzinfo | None = None,
    ) -> None:
        """Take what lines are read by.

        Args:
            kind: what the file holds.
            joins: hashes surnames and addresses.
            departments: the house's own terms.
            zone: whose wall times stand there without an offset.
        """
        self._kind = kind
        self._joins = joins
        self._departments = frozenset(departments)
        self._zone = zone

    def check_header(self, columns: Collection[str]) -> None:
        """Check which columns a file has.

        Raises:
            InputError: one is not known, by its number, or one is missing.
        """
        known = FILE_COLUMNS[self._kind]
        for number, name in enumerate(columns, start=1):
            if name not in known:
                raise InputError.for_field(
                    "FILE",
                    f"column number {number} is unknown in {self._kind}; known: "
                    + ", ".join(known),
                )
        for name in NEEDED[self._kind]:
            if name not in columns:
                raise InputError.for_field("FILE", f"lacks the column {name}")

    def read(self, fields: Mapping[str, object]) -> FactRow:
        """Read a line: what stands in its columns, those that are empty left out.

        Raises:
            InputError: names the column and the rule.
        """
        texts = {name: str(value).strip() for name, value in fields.items()}
        for name in NEEDED[self._kind]:
            if name not in texts:
                raise InputError.for_field(name, "is needed in every line")
        if self._kind is FactKind.CARE and not texts.keys() & {"user", "department"}:
            raise InputError.for_field("user", "this or department is needed")
        user, patient = texts.get("user", ""), texts.get("patient", "")
        if user:
            _check_user(user)
        if patient:
            check_identifier(patient, "patient")
        cells = {name: self._cell(name, texts.get(name)) for name in _CELLS[self._kind]}
        if cells["until"] <= cells["from"]:  # type: ignore[operator]  # times are numbers
            raise InputError.for_field("until", "must come after from")
        return FactRow(self._kind, user, patient, cells)

    def _cell(self, name: str, text: str | None) -> Cell:
        if text is None:
            return _ABSENT[name]
        if name in _CODES:
            return _code(name, text)
        if name in {"from", "until", "deceased"}:
            return self._moment(name, text)
        if name == "department":
            if text not in self._departments:
                raise InputError.for_field(
                    name, "is none of the departments of tenant.yaml"
                )
            return text
        hashed: Callable[[str], int] = getattr(self._joins, name)
        return hashed(text)

    def _moment(self, name: str, text: str) -> int:
        moment = None
        if _DATE.fullmatch(text) or _TIME.fullmatch(text):
            with suppress(ValueError):  # no day of the calendar
                moment = datetime.fromisoformat(text)
        if moment is None:
            raise InputError.for_field(name, _A_TIME)
        if moment.tzinfo is None:
            if self._zone is None and not _DATE.fullmatch(text):
                raise InputError.for_field(name, f"{_A_TIME}; or give --zone")
            moment = _on_wall(name, moment, self._zone or UTC)
        return (moment - _EPOCH) // timedelta(microseconds=1)


def _check_user(user: str) -> None:
    rule: Meta = _USER if "@" in user else _OPAQUE
    if re.fullmatch(rule.pattern or "", user) is None:
        raise InputError.for_field("user", rule.description or "")


def _code(name: str, text: str) -> int:
    codes = _CODES[name]
    if text not in codes:
        raise InputError.for_field(name, f"must be one of {', '.join(codes)}")
    return codes[text]


def _on_wall(name: str, wall: datetime, zone: tzinfo) -> datetime:
    """Take a wall time of a zone for the one instant that it is."""
    first, second = (wall.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() != second.utcoffset():
        raise InputError.for_field(
            name, "comes twice or never, since clocks change then; write its offset"
        )
    return first


_CODES: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "state": {one.value: place for place, one in enumerate(UserState)},
        "relation": {one.value: place for place, one in enumerate(Relation)},
        "basis": {one.value: place for place, one in enumerate(CareBasis)},
        "vip": _YES_NO,
    }
)
_ABSENT: Mapping[str, Cell] = MappingProxyType(
    {
        "state": tuple(UserState).index(UserState.EMPLOYED),
        "basis": tuple(CareBasis).index(CareBasis.ASSIGNMENT),
        "vip": 0,
        "department": "",
        "deceased": ALWAYS_UNTIL,
        "surname": 0,
        "address": 0,
        "street": 0,
        "from": ALWAYS_FROM,
        "until": ALWAYS_UNTIL,
    }
)
_CELLS: Mapping[FactKind, tuple[str, ...]] = MappingProxyType(
    {
        kind: tuple(name for name in COLUMNS[kind] if name not in {"user", "patient"})
        for kind in FactKind
    }
)
