"""What the house's own lists say of a user and a patient at a time.

1. A list that was not loaded says nothing: None, never False. So does a list that does not
   know the user.
2. `state_of`: of the rows of `people` in force the one that began last. A user whose rows have
   all ended has left; one whose first row is still to come is not known.
3. `is_on_shift`: within a shift of `roster`. It says no only for a user whom the roster knows,
   and within the time that it covers, from its first shift to the end of its last.
4. `cares`: a row of `care` in force names the user, or the department.
5. `relations`: pairs that `relations` names; what `patients` says of the patient (`vip`,
   `deceased`); and what joins `people` and `patients`: the user's own record (`self`), that of
   somebody else who works here and has not left (`coworker`), one home (`household`), one
   surname (`same_surname`), one street and another home (`neighbour`).
"""

from bisect import bisect_right
from collections.abc import Mapping
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
    TableBuilder,
)

_NOTHING: Mapping[FactKind, FactTable] = MappingProxyType({})


class _Person(NamedTuple):
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
        tables = {k: TableBuilder(k).table() for k in FactKind} | dict(tables)
        self._has_care = tables[FactKind.CARE].rows > 0
        self._people = _read_people(tables[FactKind.PEOPLE])
        self._staff = _read_staff(self._people)
        self._shifts = _read_shifts(tables[FactKind.ROSTER])
        self._covered = _covered(self._shifts)
        care, self._care = _Names(tables[FactKind.CARE]), tables[FactKind.CARE]
        self._care_names = care
        self._care_cells = tuple(
            map(self._care.column, ("user", "department", "from", "until"))
        )
        self._pairs = tables[FactKind.RELATIONS]
        self._pair_names = _Names(self._pairs)
        self._pair_cells = tuple(
            map(self._pairs.column, ("user", "relation", "from", "until"))
        )
        self._patients = tables[FactKind.PATIENTS]
        self._patient_cells = tuple(
            map(
                self._patients.column,
                ("vip", "deceased", "surname", "address", "street", "from", "until"),
            )
        )
        self.is_empty = not any(table.rows for table in tables.values())
        self.has_relations = any(
            tables[kind].rows
            for kind in (FactKind.PEOPLE, FactKind.PATIENTS, FactKind.RELATIONS)
        )

    def state_of(self, user: str, at_us: int) -> UserState | None:
        """Say what a user was; None where nobody can."""
        rows = self._people.get(user)
        if rows is None:
            return None
        row = _in_force(rows, at_us)
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

    def department_of(self, user: str, at_us: int) -> str | None:
        """Say in which department a user worked, where `people` says it."""
        row = _in_force(self._people.get(user, ()), at_us)
        return None if row is None else row.department or None

    def cares(
        self, user: str, department: str | None, patient: str, at_us: int
    ) -> bool | None:
        """Say whether a care relationship was known; None where none is loaded at all."""
        if not self._has_care:
            return None
        rows = self._care.of(patient)
        if not rows:
            return False
        who = self._care_names.place(user)
        where = self._care_names.place(department)
        users, departments, begins, ends = self._care_cells
        for row in rows:
            if (
                (who and users[row] == who) or (where and departments[row] == where)
            ) and begins[row] <= at_us < ends[row]:
                return True
        return False

    def relations(self, user: str, patient: str, at_us: int) -> frozenset[Relation]:
        """Say what a patient is to a user."""
        found: set[Relation] = set()
        rows = self._pairs.of(patient)
        if rows:
            who = self._pair_names.place(user)
            users, codes, begins, ends = self._pair_cells
            found = {
                RELATIONS[codes[row]]
                for row in rows
                if users[row] == who and begins[row] <= at_us < ends[row]
            }
        person = _in_force(self._people.get(user, ()), at_us)
        is_self = person is not None and person.patient == patient
        if is_self:
            found.add(Relation.SELF)
        elif any(begin <= at_us < end for begin, end in self._staff.get(patient, ())):
            found.add(Relation.COWORKER)
        rows = self._patients.of(patient)
        if rows:
            found |= self._of_patient(rows, None if is_self else person, at_us)
        return frozenset(found)

    def _of_patient(
        self, rows: range, person: _Person | None, at_us: int
    ) -> set[Relation]:
        """Say what the list of patients tells, and what it has in common with a user."""
        vips, deaths, surnames, addresses, streets, begins, ends = self._patient_cells
        found: set[Relation] = set()
        for row in rows:
            if not begins[row] <= at_us < ends[row]:
                continue
            if vips[row]:
                found.add(Relation.VIP)
            if deaths[row] <= at_us:
                found.add(Relation.DECEASED)
            if person is None:
                continue
            if _is_same(person.surname, surnames[row]):
                found.add(Relation.SAME_SURNAME)
            if _is_same(person.address, addresses[row]):
                found.add(Relation.HOUSEHOLD)
            elif _is_same(person.street, streets[row]):
                found.add(Relation.NEIGHBOUR)
        return found


class _Names:
    """Finds the places of names in a table; 0 where a name is not in it, or absent."""

    def __init__(self, table: FactTable) -> None:
        self._places = {name: place for place, name in enumerate(table.names)}

    def place(self, name: str | None) -> int:
        """Return the place of a name."""
        return self._places.get(name or "", 0)


def _is_same(one: int, other: int) -> bool:
    return one == other != ABSENT


def _in_force(rows: tuple[_Person, ...], at_us: int) -> _Person | None:
    """Return the row in force that began last; rows stand in the order of their beginning."""
    for row in reversed(rows):
        if row.from_us <= at_us < row.until_us:
            return row
    return None


def _read_people(table: FactTable) -> dict[str, tuple[_Person, ...]]:
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
                    _Person(
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
    people: Mapping[str, tuple[_Person, ...]],
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
