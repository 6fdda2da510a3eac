"""Windows of one group of a correlation, event by event: the tail's arithmetic.

Each keeps the events that may still matter, in order of time, and says of an instant what the
measure is over (t - span, t]. An event that comes late changes the instants in [t, t + span),
which are measured again (`typed`, rules 1 to 6).

1. Most events come in order: `push` takes one and measures its own instant alone. Of one that
   is late it says `LATE` and takes nothing; `insert` does.
2. There may be a million of them at once, so that each is two arrays of numbers and one small
   object; what most groups never need is made when it is needed.
3. What has left every window is dropped when there is some of it (`tidy`), not one by one.
"""

from array import array
from bisect import bisect_left, bisect_right
from typing import Any

import msgspec

from phitrail.detect.tail_state import WindowState
from phitrail.detect.typed import Kind

Instant = int
"""Microseconds since 1970, UTC."""
LATE = -(1 << 62)
"""What `push` says of an event that is earlier than another one that it has."""
MOST_STALE = 16
_FEW = 8
"""Up to so many values, to look at them all is as fast as counts, and holds less."""
_NEVER: Instant = 1 << 62


def _no_times() -> "array[int]":
    return array("q")


class _Window(msgspec.Struct, gc=False, eq=False):
    """What every window has beside its events. Nothing that it holds points back to it."""

    span_us: int
    seen: "array[int] | None" = None
    """Of the newest rows of its group: when each happened, and which it is, in turn."""
    course: Any = None
    """What came of it so far (`judge.Course`), where something did."""
    low: int = 0
    """Where the newest window begins in `times`."""
    times: "array[int]" = msgspec.field(default_factory=_no_times)

    def newest(self) -> Instant:
        """Say when the newest event that is kept happened."""
        return self.times[-1] if self.times else -_NEVER

    def oldest(self) -> Instant:
        """Say when the oldest event that is kept happened."""
        return self.times[0] if self.times else _NEVER


class CountWindow(_Window, gc=False, eq=False):
    """How many events."""

    def push(self, at: Instant, _value: object) -> int:
        """Take an event that is not earlier than any other; measure its instant."""
        times = self.times
        if times and at < times[-1]:
            return LATE
        times.append(at)
        low, edge = self.low, at - self.span_us
        if times[low] <= edge:
            low += 1
            while times[low] <= edge:
                low += 1
            self.low = low
        return len(times) - low

    def insert(self, at: Instant, _value: object) -> list[tuple[Instant, int]]:
        """Take an event; give the instants whose measure it changed, measured."""
        times = self.times
        times.insert(bisect_right(times, at), at)
        self.low = bisect_right(times, times[-1] - self.span_us)
        return [(t, self.measure(t)) for t in _changed(times, at, self.span_us)]

    def measure(self, at: Instant) -> int:
        """Measure the window that ends at an instant."""
        times = self.times
        return bisect_right(times, at) - bisect_right(times, at - self.span_us)

    def tidy(self, edge: Instant) -> None:
        """Drop what happened up to an instant, where there is some of it."""
        place = _stale(self.times, self.low, edge)
        del self.times[:place]
        self.low -= place

    def dump(self) -> WindowState:
        """Write what it keeps."""
        return WindowState((self.times.tobytes(),))

    def load(self, state: WindowState) -> None:
        """Take over what another one kept."""
        self.times = array("q", state.times[0])
        self.low = bisect_right(self.times, self.newest() - self.span_us)


class SumWindow(_Window, gc=False, eq=False):
    """What the values of events sum up to."""

    values: "array[int]" = msgspec.field(default_factory=_no_times)
    total: int = 0
    """The sum of the newest window."""

    def push(self, at: Instant, value: object) -> int:
        """Take an event that is not earlier than any other; measure its instant."""
        times, values = self.times, self.values
        if times and at < times[-1]:
            return LATE
        number = value if isinstance(value, int) else 0
        times.append(at)
        values.append(number)
        total, edge = self.total + number, at - self.span_us
        while times[self.low] <= edge:
            total -= values[self.low]
            self.low += 1
        self.total = total
        return total

    def insert(self, at: Instant, value: object) -> list[tuple[Instant, int]]:
        """Take an event; give the instants whose measure it changed, measured."""
        place = bisect_right(self.times, at)
        self.times.insert(place, at)
        self.values.insert(place, value if isinstance(value, int) else 0)
        self._recount()
        return [(t, self.measure(t)) for t in _changed(self.times, at, self.span_us)]

    def measure(self, at: Instant) -> int:
        """Measure the window that ends at an instant."""
        low = bisect_right(self.times, at - self.span_us)
        return sum(self.values[low : bisect_right(self.times, at)])

    def tidy(self, edge: Instant) -> None:
        """Drop what happened up to an instant, where there is some of it."""
        place = _stale(self.times, self.low, edge)
        del self.times[:place]
        del self.values[:place]
        self.low -= place

    def dump(self) -> WindowState:
        """Write what it keeps."""
        return WindowState((self.times.tobytes(),), sums=self.values.tobytes())

    def load(self, state: WindowState) -> None:
        """Take over what another one kept."""
        self.times = array("q", state.times[0])
        self.values = array("q", state.sums)
        self._recount()

    def _recount(self) -> None:
        self.low = bisect_right(self.times, self.newest() - self.span_us)
        self.total = sum(self.values[self.low :])


class DistinctWindow(_Window, gc=False, eq=False):
    """How many different values."""

    values: list[str] = msgspec.field(default_factory=list)
    counts: dict[str, int] | None = None
    """How often each value stands in the newest window, where it has many."""

    def push(self, at: Instant, value: object) -> int:
        """Take an event that is not earlier than any other; measure its instant."""
        times, values = self.times, self.values
        if times and at < times[-1]:
            return LATE
        text = value if type(value) is str else str(value)
        times.append(at)
        values.append(text)
        counts, edge = self.counts, at - self.span_us
        if counts is None:
            while times[self.low] <= edge:
                self.low += 1
            if len(values) - self.low > _FEW:
                self._recount()
            return len(set(values[self.low :] if self.low else values))
        counts[text] = counts.get(text, 0) + 1
        if times[self.low] <= edge:
            self._leave(counts, edge)
        return len(counts)

    def insert(self, at: Instant, value: object) -> list[tuple[Instant, int]]:
        """Take an event with one value; give the instants whose measure it changed."""
        place = bisect_right(self.times, at)
        self.times.insert(place, at)
        self.values.insert(place, str(value))
        self._recount()
        return [(t, self.measure(t)) for t in _changed(self.times, at, self.span_us)]

    def measure(self, at: Instant) -> int:
        """Measure the window that ends at an instant."""
        low = bisect_right(self.times, at - self.span_us)
        return len(set(self.values[low : bisect_right(self.times, at)]))

    def tidy(self, edge: Instant) -> None:
        """Drop what happened up to an instant, where there is some of it."""
        place = _stale(self.times, self.low, edge)
        del self.times[:place]
        del self.values[:place]
        self.low -= place

    def dump(self) -> WindowState:
        """Write what it keeps."""
        return WindowState((self.times.tobytes(),), tuple(self.values))

    def load(self, state: WindowState) -> None:
        """Take over what another one kept."""
        self.times = array("q", state.times[0])
        self.values = list(state.values)
        self._recount()

    def _leave(self, counts: dict[str, int], edge: Instant) -> None:
        """Count out what has left the newest window."""
        times, values, low = self.times, self.values, self.low
        while times[low] <= edge:
            value = values[low]
            left = counts[value] - 1
            if left:
                counts[value] = left
            else:
                del counts[value]
            low += 1
        self.low = low

    def _recount(self) -> None:
        self.low = bisect_right(self.times, self.newest() - self.span_us)
        self.counts = None
        if len(self.values) - self.low > _FEW:
            counts: dict[str, int] = {}
            for value in self.values[self.low :]:
                counts[value] = counts.get(value, 0) + 1
            self.counts = counts


class OrderWindow(_Window, gc=False, eq=False):
    """Whether every rule matched in the window, in order or in any.

    The measure is the number of rules when they did, 0 when they did not. `low` counts the
    events since it was last tidied.
    """

    rules: "tuple[array[int], ...]" = ()
    """When the events of each rule happened."""
    is_ordered: bool = False

    def push(self, at: Instant, value: object) -> int:
        """Take an event that is not earlier than any other; measure its instant."""
        assert isinstance(value, int)  # noqa: S101 - the tail numbers the rules
        if at < self.newest():
            return LATE
        self.low += 1
        self.rules[value].append(at)
        return self.measure(at)

    def insert(self, at: Instant, value: object) -> list[tuple[Instant, int]]:
        """Take an event of the rule whose number is the value."""
        assert isinstance(value, int)  # noqa: S101 - the tail numbers the rules
        self.low += 1
        own = self.rules[value]
        own.insert(bisect_right(own, at), at)
        changed = {t for times in self.rules for t in _changed(times, at, self.span_us)}
        return [(t, self.measure(t)) for t in sorted(changed)]

    def measure(self, at: Instant) -> int:
        """Say whether the window that ends at an instant holds all of them."""
        edge, after = at - self.span_us, at
        for times in self.rules:
            if not times or times[-1] <= edge:
                return 0
        for number, times in enumerate(self.rules):
            # Ordered: the earliest event that may follow the one before it.
            if number == 0 or not self.is_ordered:
                place = bisect_right(times, edge)
            else:
                place = bisect_left(times, after)
            if place >= len(times) or times[place] > at:
                return 0
            after = times[place]
        return len(self.rules)

    def newest(self) -> Instant:
        """Say when the newest event that is kept happened."""
        newest = -_NEVER
        for times in self.rules:
            if times and times[-1] > newest:
                newest = times[-1]
        return newest

    def oldest(self) -> Instant:
        """Say when the oldest event that is kept happened."""
        return min((times[0] for times in self.rules if times), default=_NEVER)

    def tidy(self, edge: Instant) -> None:
        """Drop what happened up to an instant."""
        self.low = 0
        for times in self.rules:
            if times and times[0] <= edge:
                del times[: bisect_right(times, edge)]

    def dump(self) -> WindowState:
        """Write what it keeps."""
        return WindowState(tuple(times.tobytes() for times in self.rules))

    def load(self, state: WindowState) -> None:
        """Take over what another one kept."""
        self.rules = tuple(array("q", times) for times in state.times)


Window = CountWindow | SumWindow | DistinctWindow | OrderWindow


def make_window(kind: Kind, span_us: int, rules: int) -> Window:
    """Make the window of one group."""
    if kind is Kind.EVENT_COUNT:
        return CountWindow(span_us)
    if kind is Kind.VALUE_COUNT:
        return DistinctWindow(span_us)
    if kind is Kind.VALUE_SUM:
        return SumWindow(span_us)
    return OrderWindow(
        span_us,
        rules=tuple(array("q") for _ in range(rules)),
        is_ordered=kind is Kind.TEMPORAL_ORDERED,
    )


def _changed(times: "array[int]", at: Instant, span_us: int) -> list[Instant]:
    """List the instants in [at, at + span), each once."""
    begin, end = bisect_left(times, at), bisect_left(times, at + span_us)
    return list(dict.fromkeys(times[begin:end]))


def _stale(times: "array[int]", low: int, edge: Instant) -> int:
    """Count the events up to an edge that no window needs; 0 where they are few."""
    if low <= MOST_STALE or times[MOST_STALE] > edge:
        return 0
    return min(bisect_right(times, edge), low)
