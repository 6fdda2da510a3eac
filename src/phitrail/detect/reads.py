"""What a correlation reads of an event: the group that it is in, and the values it gives."""

from typing import TypeAlias

from phitrail.detect.match import Row
from phitrail.detect.typed import COUNTING, Correlation, Kind, Source

Group: TypeAlias = tuple[str, ...]
Key: TypeAlias = str | Group
"""A group as a tail keeps it: of one field, its text alone."""


def group_of(key: Key) -> Group:
    """Return the group that a key stands for."""
    return (key,) if isinstance(key, str) else key


def key_of(group: Group) -> Key:
    """Return what stands for a group."""
    return group[0] if len(group) == 1 else group


class Reads:
    """What a correlation reads of the events of one of its sources."""

    def __init__(self, rule: Correlation, number: int, source: Source) -> None:
        self._names = tuple(source.field(name) for name in rule.group_by)
        self.one = self._names[0] if len(self._names) == 1 else None
        """The field that it groups by, where that is one."""
        self._is_counting = rule.kind in COUNTING
        self._is_sum = rule.kind is Kind.VALUE_SUM
        self._field = None if rule.field is None else source.field(rule.field)
        self.fixed: tuple[object, ...] | None = None
        """What the window takes of every event, where that is always the same."""
        if not self._is_counting:
            self.fixed = (number,)
        elif self._field is None:
            self.fixed = (1,)

    def key(self, row: Row) -> Key | None:
        """Return the group of an event; None where a field of it is absent."""
        if self.one is not None:
            value = row.get(self.one)
            return value if value is None or type(value) is str else _text(value)
        group = []
        for name in self._names:
            value = row.get(name)
            if value is None:
                return None
            group.append(_text(value))
        return tuple(group)

    def values(self, row: Row) -> tuple[object, ...]:
        """Return what the window takes of an event."""
        if self.fixed is not None:
            return self.fixed
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
