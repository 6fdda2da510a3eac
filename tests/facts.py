"""Small tables of facts, of rows that say only what a test is about."""

from collections.abc import Sequence

from phitrail.events.codes import UserState
from phitrail.identity.fact_build import TableBuilder
from phitrail.identity.fact_table import (
    ALWAYS_FROM,
    ALWAYS_UNTIL,
    STATES,
    FactKind,
    FactTable,
    decode_table,
)
from phitrail.identity.facts import FactBook

EVER = (ALWAYS_FROM, ALWAYS_UNTIL)
EMPLOYED, ON_LEAVE, LEFT = (STATES.index(one) for one in UserState)
Cells = Sequence[int | str]


def table(kind: FactKind, *rows: tuple[str, Cells]) -> FactTable:
    """Put a table together."""
    builder = TableBuilder(kind)
    for key, cells in rows:
        builder.add(key, cells)
    return builder.table()


def book(*tables: FactTable) -> FactBook:
    """Make a book of tables that were written and read again."""
    return FactBook({one.kind: decode_table(one.encode()) for one in tables})


def person(
    state: int = EMPLOYED,
    times: tuple[int, int] = EVER,
    *,
    patient: str = "",
    department: str = "",
    likeness: tuple[int, int, int] = (0, 0, 0),
) -> Cells:
    """Give a row of `people`."""
    return (state, department, patient, *likeness, *times)


def patient(
    likeness: tuple[int, int, int] = (0, 0, 0),
    times: tuple[int, int] = EVER,
    *,
    vip: int = 0,
    deceased: int = ALWAYS_UNTIL,
) -> Cells:
    """Give a row of `patients`."""
    return (vip, deceased, *likeness, *times)
