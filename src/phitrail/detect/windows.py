"""Windows of one group of a correlation, event by event: the tail's arithmetic.

Each keeps the events that may still matter, in order of time, and says of an instant what the
measure is over (t - span, t]. An event that comes late changes the instants in [t, t + span),
which are measured again (`typed`, rules 1 to 6).
"""

from array import array
from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field

from phitrail.detect.tail_state import WindowState
from phitrail.detect.typed import Kind

Instant = int
"""Microseconds since 1970, UTC."""
_NEVER: Instant = 1 << 62


@dataclass(slots=True)
class CountWindow:
    """How many events, or what their values sum up to."""

    span_us: int
    times: "array[int]" = field(default_factory=lambda: array("q"))
    values: "array[int] | None" = None
    """Beside `times`, where values are summed up."""

    def insert(self, at: Instant, value: object) -> list[tuple[Instant, int]]:
        """Take an event; give the instants whose measure it changed, measured."""
        times = self.times
        if not times or at >= times[-1]:
            times.append(at)
            self._note(len(times) - 1, value)
            return [(at, self.measure(at))]
        place = bisect_right(times, at)
        times.insert(place, at)
        self._note(place, value)
        changed = {t for t in times[bisect_left(times, at) :] if t < at + self.span_us}
        return [(t, self.measure(t)) for t in sorted(changed)]

    def measure(self, at: Instant) -> int:
        """Measure the window that ends at an instant."""
        times = self.times
        low = bisect_right(times, at - self.span_us)
        high = len(times) if at >= times[-1] else bisect_right(times, at)
        return high - low if self.values is None else sum(self.values[low:high])

    def oldest(self) -> Instant:
        """Say when the oldest event that is kept happened."""
        return self.times[0] if self.times else _NEVER

    def forget(self, until: Instant) -> None:
        """Drop what happened up to an instant."""
        low = bisect_right(self.times, until)
        del self.times[:low]
        if self.values is not None:
            del self.values[:low]

    def dump(self) -> WindowState:
        """Write what it keeps."""
        sums = b"" if self.values is None else self.values.tobytes()
        return WindowState((self.times.tobytes(),), sums=sums)

    def load(self, state: WindowState) -> None:
        """Take over what another one kept."""
        self.times = array("q", state.times[0])
        if self.values is not None:
            self.values = array("q", state.sums)

    def _note(self, place: int, value: object) -> None:
        if self.values is not None:
            self.values.insert(place, value if isinstance(value, int) else 0)


@dataclass(slots=True)
class DistinctWindow:
    """How many different values."""

    span_us: int
    events: list[tuple[Instant, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    low: int = 0
    """Where the newest window begins in `events`; `counts` is of that window."""

    def insert(self, at: Instant, value: object) -> list[tuple[Instant, int]]:
        """Take an event with one value; give the instants whose measure it changed."""
        entry = (at, str(value))
        if not self.events or at >= self.events[-1][0]:
            self.events.append(entry)
            self.counts[entry[1]] = self.counts.get(entry[1], 0) + 1
            self._advance(at)
            return [(at, len(self.counts))]
        insort(self.events, entry)
        newest = self.events[-1][0]
        self._recount(newest)
        place = bisect_left(self.events, (at, ""))
        changed = {t for t, _ in self.events[place:] if t < at + self.span_us}
        return [(t, self.measure(t)) for t in sorted(changed)]

    def measure(self, at: Instant) -> int:
        """Measure the window that ends at an instant."""
        low = bisect_left(self.events, (at - self.span_us + 1, ""))
        high = bisect_left(self.events, (at + 1, ""))
        return len({value for _, value in self.events[low:high]})

    def oldest(self) -> Instant:
        """Say when the oldest event that is kept happened."""
        return self.events[0][0] if self.events else _NEVER

    def forget(self, until: Instant) -> None:
        """Drop what happened up to an instant."""
        place = min(bisect_left(self.events, (until + 1, "")), self.low)
        del self.events[:place]
        self.low -= place

    def dump(self) -> WindowState:
        """Write what it keeps."""
        times = array("q", [at for at, _ in self.events])
        return WindowState((times.tobytes(),), tuple(value for _, value in self.events))

    def load(self, state: WindowState) -> None:
        """Take over what another one kept."""
        times = array("q", state.times[0])
        self.events = list(zip(times, state.values, strict=True))
        if self.events:
            self._recount(self.events[-1][0])

    def _advance(self, at: Instant) -> None:
        events, edge = self.events, at - self.span_us
        while events[self.low][0] <= edge:
            value = events[self.low][1]
            left = self.counts[value] - 1
            if left:
                self.counts[value] = left
            else:
                del self.counts[value]
            self.low += 1

    def _recount(self, newest: Instant) -> None:
        self.low = bisect_left(self.events, (newest - self.span_us + 1, ""))
        self.counts = {}
        for _, value in self.events[self.low :]:
            self.counts[value] = self.counts.get(value, 0) + 1


@dataclass(slots=True)
class OrderWindow:
    """Whether every rule matched in the window, in order or in any.

    The measure is the number of rules when they did, 0 when they did not.
    """

    span_us: int
    rules: int
    is_ordered: bool
    times: list[list[Instant]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.times = [[] for _ in range(self.rules)]

    def insert(self, at: Instant, value: object) -> list[tuple[Instant, int]]:
        """Take an event of the rule whose number is the value."""
        assert isinstance(value, int)  # noqa: S101 - the tail numbers the rules
        insort(self.times[value], at)
        changed = {at}
        for times in self.times:
            for t in times[bisect_left(times, at) :]:
                if t >= at + self.span_us:
                    break
                changed.add(t)
        return [(t, self.measure(t)) for t in sorted(changed)]

    def measure(self, at: Instant) -> int:
        """Say whether the window that ends at an instant holds all of them."""
        first, after = True, at
        for times in self.times:
            # Ordered: the earliest event that may follow the one before it.
            if first or not self.is_ordered:
                place = bisect_right(times, at - self.span_us)
            else:
                place = bisect_left(times, after)
            if place >= len(times) or times[place] > at:
                return 0
            first, after = False, times[place]
        return self.rules

    def oldest(self) -> Instant:
        """Say when the oldest event that is kept happened."""
        return min((times[0] for times in self.times if times), default=_NEVER)

    def forget(self, until: Instant) -> None:
        """Drop what happened up to an instant."""
        for times in self.times:
            del times[: bisect_right(times, until)]

    def dump(self) -> WindowState:
        """Write what it keeps."""
        return WindowState(tuple(array("q", times).tobytes() for times in self.times))

    def load(self, state: WindowState) -> None:
        """Take over what another one kept."""
        self.times = [list(array("q", times)) for times in state.times]


Window = CountWindow | DistinctWindow | OrderWindow


def make_window(kind: Kind, span_us: int, rules: int) -> Window:
    """Make the window of one group."""
    if kind is Kind.VALUE_COUNT:
        return DistinctWindow(span_us)
    if kind is Kind.EVENT_COUNT:
        return CountWindow(span_us)
    if kind is Kind.VALUE_SUM:
        return CountWindow(span_us, values=array("q"))
    return OrderWindow(span_us, rules, is_ordered=kind is Kind.TEMPORAL_ORDERED)
