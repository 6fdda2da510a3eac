"""Puts a table of facts together: row by row, then sorted, each row once.

Sorting is for NumPy (`identity.fact_order`), which only whoever loads a list needs.
"""

from array import array
from collections.abc import Sequence

from phitrail.identity.fact_table import (
    COLUMNS,
    TEXTS,
    FactKind,
    FactTable,
    StoredTable,
)


class TableBuilder:
    """Puts a table together, row by row; holds each row as a few whole numbers."""

    def __init__(self, kind: FactKind) -> None:
        self._kind = kind
        self._is_text = tuple(name in TEXTS for name in COLUMNS[kind])
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
        from phitrail.identity.fact_order import (  # noqa: PLC0415 - loads NumPy
            Drawn,
            in_order,
        )

        keys, names = sorted(self._keys), sorted(self._names)
        starts, columns = in_order(
            Drawn(self._keys, keys, self._rows),
            [
                Drawn(self._names, names, column) if is_text else Drawn({}, (), column)
                for is_text, column in zip(self._is_text, self._columns, strict=True)
            ],
        )
        return FactTable(
            StoredTable(self._kind, tuple(keys), tuple(names), starts, columns)
        )
