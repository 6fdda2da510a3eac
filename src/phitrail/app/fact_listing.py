"""What is loaded of a house's facts: counts, ranges and digests, and never a value."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from phitrail.app.wiring import Trail
from phitrail.events.codes import Relation, UserState
from phitrail.identity.fact_store import FactFile
from phitrail.identity.fact_table import (
    ABSENT,
    ALWAYS_FROM,
    ALWAYS_UNTIL,
    CareBasis,
    FactKind,
    FactTable,
)

_CODES = {
    "state": tuple(UserState),
    "basis": tuple(CareBasis),
    "relation": tuple(Relation),
}


@dataclass(frozen=True, slots=True)
class FactCounts:
    """One table: what it is, and how often each thing stands in it."""

    file: FactFile
    counts: dict[str, int]


def list_facts(trail: Trail) -> Sequence[FactFile]:
    """List the tables in force.

    Raises:
        IntegrityError: their index cannot be read.
        StorageError: it cannot be read.
    """
    index = trail.facts.store.index()
    return () if index is None else index.files


def count_facts(trail: Trail, kind: FactKind) -> FactCounts | None:
    """Count what stands in a table; None where none of this kind is loaded.

    Raises:
        IntegrityError: it cannot be read.
        StorageError: it cannot be read.
    """
    for file in list_facts(trail):
        if file.kind is kind:
            return FactCounts(file, _counts(trail.facts.store.table(file)))
    return None


def _counts(table: FactTable) -> dict[str, int]:
    counts = {
        f"{name} {code.value}": count
        for name, codes in _CODES.items()
        for place, count in sorted(Counter(table.column(name)).items())
        for code in codes[place : place + 1]
    }
    filled = {
        "vip": ABSENT,
        "deceased": ALWAYS_UNTIL,
        "department": table.names.index("") if table.names else ABSENT,
        "patient": table.names.index("") if table.names else ABSENT,
        "surname": ABSENT,
        "address": ABSENT,
        "street": ABSENT,
        "from": ALWAYS_FROM,
        "until": ALWAYS_UNTIL,
    }
    for name, absent in filled.items():
        cells = table.column(name)
        if len(cells):
            counts[f"with {name}"] = sum(cell != absent for cell in cells)
    return counts
