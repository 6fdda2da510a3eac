"""What a correlation reads of an event: the group that it is in, and the values it gives."""

from typing import TypeAlias

from phitrail.detect.match import Row
from phitrail.detect.typed import COUNTING, Correlation, Kind, Source

Group: TypeAlias = tuple[str, ...]


class Reads:
    """What a correlation reads of the events of one of its sources."""

    def __init__(self, rule: Correlation, number: int, source: Source) -> None:
        self._names = tuple(source.field(name) for name in rule.group_by)
        self._one = self._names[0] if len(self._names) == 1 else None
        self._is_counting = rule.kind in COUNTING
        self._is_sum = rule.kind is Kind.VALUE_SUM
        self._field = None if rule.field is None else source.field(rule.field)
        self._fixed: tuple[object, ...] | None = None
        if not self._is_counting:
            self._fixed = (number,)
        elif self._field is None:
            self._fixed = (1,)

    def group(self, row: Row) -> Group | None:
        """Return the group of an event; None where a field of it is absent."""
        if self._one is not None:
            value = row.get(self._one)
            if value is None:
                return None
            return (value if type(value) is str else _text(value),)
        group = []
        for name in self._names:
            value = row.get(name)
            if value is None:
                return None
            group.append(_text(value))
        return tuple(group)

    def values(self, row: Row) -> tuple[object, ...]:
        """Return what the window takes of an event."""
        if self._fixed is not None:
            return self._fixed
        value = row.get(self._field or "")
        if value is None:
            return ()
        if isinstance(value, tuple):
            return value
        return (value if self._is_sum else _text(value),)


def _text(value: object) -> str:
    """Write a value as the tables write it as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
