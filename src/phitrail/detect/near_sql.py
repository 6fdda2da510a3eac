"""Which events can matter to a rule at all, said cheaply: by counts in stretches of time.

Time is cut into stretches of one `span`. The window of an instant lies in its own stretch and
the one before. So a window that holds n events leaves one of its two stretches with half of
them at least; one that holds n values has them all in two stretches in a row; and one that
holds an event of every rule has all of them within a stretch of each other. What is kept is
always enough, and mostly little: a hash table of counts instead of a sort of everything.

`events` are what is filtered; they are written once more (`again`) for the counts.
"""

from collections.abc import Callable
from dataclasses import dataclass

from phitrail.detect.typed import Compare, Correlation


def least_needed(rule: Correlation) -> int | None:
    """Say how much must be in a window at least; None where that would leave out nothing."""
    floors = [
        one.number + (one.compare is Compare.GT)
        for one in rule.bounds
        if one.compare in {Compare.GT, Compare.GTE, Compare.EQ}
    ]
    least = max(floors, default=0)
    return least if least > 1 else None


@dataclass(frozen=True, slots=True)
class Near:
    """Writes filters of the events of one rule."""

    groups: tuple[str, ...]
    span_us: int

    def to_many(
        self, events: str, again: Callable[[], str], weight: str, least: int
    ) -> str:
        """Keep events near a stretch that weighs half of `least`, or more."""
        if least <= 2:  # noqa: PLR2004 - half of two is one, which every event is
            return events
        listed = "".join(f"{one}, " for one in self.groups)
        crowded = (
            f"SELECT {listed}stretch FROM ({self._in_stretches(again())}) AS b "
            f"GROUP BY {listed}stretch HAVING SUM({weight}) >= {(least + 1) // 2}"
        )
        return self._filtered(events, f"SELECT * FROM ({crowded}) AS h {self._around}")

    def to_different(self, events: str, again: Callable[[], str], least: int) -> str:
        """Keep events of two stretches in a row with so many different values."""
        listed = "".join(f"{one}, " for one in self.groups)
        values = (
            f"SELECT DISTINCT {listed}stretch, value FROM ({self._in_stretches(again())}) "
            "AS b"
        )
        varied = (
            f"SELECT {listed}stretch + later AS stretch FROM ({values}) AS h CROSS JOIN "
            f"(SELECT 0 AS later UNION ALL SELECT {self.span_us} AS later) AS two "
            f"GROUP BY {listed}stretch + later HAVING COUNT(DISTINCT value) >= {least}"
        )
        both = (
            f"SELECT {listed}stretch - earlier AS stretch FROM ({varied}) AS w CROSS JOIN "
            f"(SELECT 0 AS earlier UNION ALL SELECT {self.span_us} AS earlier) AS two"
        )
        return self._filtered(events, both, is_moved=True)

    def to_all(self, events: str, again: Callable[[], str], rules: int) -> str:
        """Keep events with one of every rule in their stretch or beside it."""
        if rules == 1:
            return events
        listed = "".join(f"{one}, " for one in self.groups)
        marks = [
            f"MAX(CASE WHEN value = {n} THEN 1 ELSE 0 END) AS r{n}"
            for n in range(rules)
        ]
        has = " AND ".join(f"MAX(r{number}) = 1" for number in range(rules))
        present = (
            f"SELECT {listed}stretch, {', '.join(marks)} FROM "
            f"({self._in_stretches(again())}) AS b GROUP BY {listed}stretch"
        )
        near = (
            f"SELECT {listed}stretch + beside AS stretch FROM ({present}) AS h "
            f"{self._around} GROUP BY {listed}stretch + beside HAVING {has}"
        )
        return self._filtered(events, near, is_moved=True)

    @property
    def _around(self) -> str:
        return (
            f"CROSS JOIN (SELECT 0 AS beside UNION ALL SELECT {self.span_us} AS beside "
            f"UNION ALL SELECT -{self.span_us} AS beside) AS around"
        )

    def _in_stretches(self, events: str) -> str:
        return f"SELECT *, {self._stretch} AS stretch FROM ({events}) AS a"

    @property
    def _stretch(self) -> str:
        return f"at_us - at_us % {self.span_us}"

    def _filtered(self, events: str, near: str, *, is_moved: bool = False) -> str:
        listed = "".join(f"{one}, " for one in self.groups)
        place = "stretch" if is_moved else "stretch + beside"
        wanted = f"SELECT {listed}{place} FROM ({near}) AS n"
        return f"SELECT * FROM ({events}) AS k WHERE ({listed}{self._stretch}) IN ({wanted})"
