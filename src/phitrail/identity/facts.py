"""What the house's own lists say of a user and a patient at a time.

1. A list that was not loaded says nothing: None, never False. So does a list that does not
   know the user.
2. `state_of`: of the rows of `people` in force the one that began last. A user whose rows have
   all ended has left; one whose first row is still to come is not known.
3. `is_on_shift`: within a shift of `roster`. It says no only for a user whom the roster knows,
   and within the time that it covers, from its first shift to the end of its last.
4. `View.cares`: a row of `care` in force names the user, or the department. It says no only
   within the time that the list covers, from its first row to the end of its last: of history
   that is older it knows nothing.
5. `View.relations`: pairs that `relations` names; what `patients` says of the patient (`vip`,
   `deceased`); and what joins `people` and `patients`: the user's own record (`self`), that of
   somebody else who works here and has not left (`coworker`), one home (`household`), one
   surname (`same_surname`), one street and another home (`neighbour`).
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from phitrail.events.codes import Relation, UserState
from phitrail.identity.fact_table import (
    ABSENT,
    ALWAYS_FROM,
    ALWAYS_UNTIL,
    RELATIONS,
    STATES,
    FactKind,
    FactTable,
    empty_table,
)

_NOTHING: Mapping[FactKind, FactTable] = MappingProxyType({})


class Person(NamedTuple):
    """A row of `people`."""

    state: UserState
    department: str
    patient: str
    surname: int
    address: int
    street: int
    from_us: int
    until_us: int


class _Shifts(NamedTuple):
    """The shifts of a user: begins and ends, in order, none within another."""

    begins: list[int]
    ends: list[int]


class FactBook:
    """Facts of a house, ready to be asked; immutable, and safe among threads."""

    def __init__(self, tables: Mapping[FactKind, FactTable] = _NOTHING) -> None:
        """Take the tables that are loaded."""
        tables = {kind: empty_table(kind) for kind in FactKind} | dict(tables)
        self.people = _read_people(tables[FactKind.PEOPLE])
        self.staff = _read_staff(self.people)
        """When those patients worked here who did."""
        self._shifts = _read_shifts(tables[FactKind.ROSTER])
        self._covered = _covered(self._shifts)
        self.care = tables[FactKind.CARE]
        self.care_names = _places(self.care)
        self.care_cells = _cells(self.care, "user", "department", "from", "until")
        self.care_covers = (
            min(self.care.column("from"), default=ALWAYS_UNTIL),
            max(self.care.column("until"), default=ALWAYS_FROM),
        )
        self.pairs = tables[FactKind.RELATIONS]
        self.pair_names = _places(self.pairs)
        self.pair_cells = _cells(self.pairs, "user", "relation", "from", "until")
        self.patients = tables[FactKind.PATIENTS]
        self.patient_cells = _cells(
            self.patients,
            "vip",
            "deceased",
            "surname",
            "address",
            "street",
            "from",
            "until",
        )
        self.is_empty = not any(table.rows for table in tables.values())
        self.has_relations = bool(self.people or self.patients.rows or self.pairs.rows)

    def state_of(self, user: str, at_us: int) -> UserState | None:
        """Say what a user was; None where nobody can."""
        rows = self.people.get(user)
        if rows is None:
            return None
        row = in_force(rows, at_us)
        if row is not None:
            return row.state
        return UserState.LEFT if rows[0].from_us <= at_us else None

    def is_on_shift(self, user: str, at_us: int) -> bool | None:
        """Say whether a user was on shift; None where nobody can."""
        shifts = self._shifts.get(user)
        if shifts is None:
            return None
        place = bisect_right(shifts.begins, at_us) - 1
        if place >= 0 and at_us < shifts.ends[place]:
            return True
        begin, end = self._covered
        return False if begin <= at_us < end else None

    def view(self, user: str, department: str | None, at_us: int) -> "View":
        """Ask about patients for one user, at one time.

        Args:
            user: who.
            department: in which department; None for what `people` says.
            at_us: when.
        """
        return View(self, user, department, at_us)


class View:
    """What patients are to one user at one time."""

    __slots__ = ("_at_us", "_book", "_pair_user", "_person", "_user", "_where")

    def __init__(
        self, book: FactBook, user: str, department: str | None, at_us: int
    ) -> None:
        self._book = book
        self._at_us = at_us
        self._person = person = in_force(book.people.get(user, ()), at_us)
        if department is None and person is not None:
            department = person.department
        self._user = book.care_names.get(user)
        self._where = book.care_names.get(department) if department else None
        self._pair_user = book.pair_names.get(user)

    def cares(self, patient: str) -> bool | None:
        """Say whether a care relationship was known; None where nobody can."""
        book, at_us = self._book, self._at_us
        covered_from, covered_until = book.care_covers
        if not covered_from <= at_us < covered_until:
            return None
        user, where = self._user, self._where
        users, departments, begins, ends = book.care_cells
        for row in book.care.of(patient):
            if (users[row] == user or departments[row] == where) and begins[
                row
            ] <= at_us < ends[row]:
                return True
        return False

    def relations(self, patient: str) -> int:
        """Say what a patient is to the user, as a sum of bits (`relations_of`)."""
        book, person = self._book, self._person
        found = 0
        if self._pair_user is not None:
            found = self._named(self._pair_user, patient)
        if person is not None and person.patient == patient:
            found |= _SELF
            person = None  # of course the names are alike
        elif patient in book.staff and self._works(patient):
            found |= _COWORKER
        rows = book.patients.of(patient)
        return found | self._of_patient(rows, person) if rows else found

    def _named(self, user: int, patient: str) -> int:
        """Say what `relations` says."""
        at_us, found = self._at_us, 0
        users, codes, begins, ends = self._book.pair_cells
        for row in self._book.pairs.of(patient):
            if users[row] == user and begins[row] <= at_us < ends[row]:
                found |= 1 << codes[row]
        return found

    def _works(self, patient: str) -> bool:
        times = self._book.staff[patient]
        return any(begin <= self._at_us < end for begin, end in times)

    def _of_patient(self, rows: range, person: Person | None) -> int:
        """Say what `patients` says, and what joins it to a user."""
        at_us, found = self._at_us, 0
        vips, deaths, surnames, addresses, streets, begins, ends = (
            self._book.patient_cells
        )
        for row in rows:
            if not begins[row] <= at_us < ends[row]:
                continue
            if vips[row]:
                found |= _VIP
            if deaths[row] <= at_us:
                found |= _DECEASED
            if person is None:
                continue
            if person.surname == surnames[row] != ABSENT:
                found |= _SAME_SURNAME
            if person.address == addresses[row] != ABSENT:
                found |= _HOUSEHOLD
            elif person.street == streets[row] != ABSENT:
                found |= _NEIGHBOUR
        return found


@cache
def relations_of(bits: int) -> tuple[Relation, ...]:
    """Name the relations of a sum of bits, in their order."""
    return tuple(one for place, one in enumerate(RELATIONS) if bits >> place & 1)


def bits_of(relations: Iterable[object]) -> int:
    """Return the sum of bits of relations; what is none counts nothing."""
    given = tuple(relations)
    return sum(1 << place for place, one in enumerate(RELATIONS) if one in given)


def _bit(relation: Relation) -> int:
    return 1 << RELATIONS.index(relation)


_SELF, _COWORKER = _bit(Relation.SELF), _bit(Relation.COWORKER)
_HOUSEHOLD, _NEIGHBOUR = _bit(Relation.HOUSEHOLD), _bit(Relation.NEIGHBOUR)
_SAME_SURNAME = _bit(Relation.SAME_SURNAME)
_VIP, _DECEASED = _bit(Relation.VIP), _bit(Relation.DECEASED)


def in_force(rows: tuple[Person, ...], at_us: int) -> Person | None:
    """Return the row in force that began last; rows stand in the order of their beginning."""
    for row in reversed(rows):
        if row.from_us <= at_us < row.until_us:
            return row
    return None


def _places(table: FactTable) -> dict[str, int]:
    """Say at which place each name of a table stands; an absent one is no name."""
    return {name: place for place, name in enumerate(table.names) if name}


def _cells(table: FactTable, *names: str) -> tuple[Sequence[int], ...]:
    return tuple(table.column(name) for name in names)


def _read_people(table: FactTable) -> dict[str, tuple[Person, ...]]:
    states, departments, patients, *rest = (
        table.column(name)
        for name in (
            "state",
            "department",
            "patient",
            "surname",
            "address",
            "street",
            "from",
            "until",
        )
    )
    names = table.names
    return {
        user: tuple(
            sorted(
                (
                    Person(
                        STATES[states[row]],
                        names[departments[row]],
                        names[patients[row]],
                        *(cells[row] for cells in rest),
                    )
                    for row in table.of(user)
                ),
                key=lambda one: one.from_us,
            )
        )
        for user in table.subjects
    }


def _read_staff(
    people: Mapping[str, tuple[Person, ...]],
) -> dict[str, tuple[tuple[int, int], ...]]:
    """List the patients who work here, and when they did."""
    staff: dict[str, list[tuple[int, int]]] = {}
    for rows in people.values():
        for row in rows:
            if row.patient and row.state is not UserState.LEFT:
                staff.setdefault(row.patient, []).append((row.from_us, row.until_us))
    return {patient: tuple(times) for patient, times in staff.items()}


def _read_shifts(table: FactTable) -> dict[str, _Shifts]:
    """Read the shifts, and join those that touch."""
    begins, ends = table.column("from"), table.column("until")
    found: dict[str, _Shifts] = {}
    for user in table.subjects:
        joined = _Shifts([], [])
        for row in table.of(user):  # in the order of their beginning
            if joined.ends and begins[row] <= joined.ends[-1]:
                joined.ends[-1] = max(joined.ends[-1], ends[row])
            else:
                joined.begins.append(begins[row])
                joined.ends.append(ends[row])
        found[user] = joined
    return found


def _covered(shifts: Mapping[str, _Shifts]) -> tuple[int, int]:
    return (
        min((one.begins[0] for one in shifts.values()), default=ALWAYS_UNTIL),
        max((one.ends[-1] for one in shifts.values()), default=ALWAYS_FROM),
    )
