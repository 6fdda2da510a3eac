"""One correlation at work: its groups, their windows, what qualified, and episodes of it.

1. A group keeps the events that may still matter, and which rows of the log the newest of them
   are (`MOST_SEEN`): the evidence of an alert.
2. A rule has at most `most_groups` at once; past that the one that was not met for the longest
   time is forgotten, and counted. Those with an open episode are spared where others are near.
3. `dump` and `load` carry all of it over to another process.
"""

from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from phitrail.detect.episode import Course, Episode
from phitrail.detect.match import Row
from phitrail.detect.reads import Key, Reads, group_of, key_of
from phitrail.detect.tail_state import (
    GroupState,
    JudgeState,
    pack_groups,
    unpack_groups,
)
from phitrail.detect.typed import COUNTING, Bound, Compare, Correlation, Kind
from phitrail.detect.windows import LATE, MOST_STALE, Instant, Window, make_window

__all__ = ["MOST_GROUPS", "NO_REF", "Episode", "Judge"]

MOST_SEEN = 64
MOST_GROUPS = 1_000_000
MOST_TEXTS = 100_000
"""So many different values are kept once, whichever groups name them."""
_SPARED = 32
_AHEAD_US = 3_600_000_000
"""What is dated so far after the watermark is not of the order in which groups were met."""
NO_REF = -1
_HOLDS: Mapping[Compare, Callable[[int, int], bool]] = {
    Compare.GT: lambda measure, number: measure > number,
    Compare.GTE: lambda measure, number: measure >= number,
    Compare.LT: lambda measure, number: measure < number,
    Compare.LTE: lambda measure, number: measure <= number,
    Compare.EQ: lambda measure, number: measure == number,
    Compare.NEQ: lambda measure, number: measure != number,
}


@dataclass(slots=True)
class Evicted:
    """Groups that were forgotten: how many, and from when until when their events are."""

    groups: int = 0
    from_us: Instant = 0
    until_us: Instant = 0

    def add(self, from_us: Instant, until_us: Instant) -> None:
        """Count one more."""
        if self.groups:
            from_us, until_us = (
                min(from_us, self.from_us),
                max(until_us, self.until_us),
            )
        self.groups, self.from_us, self.until_us = self.groups + 1, from_us, until_us


class Judge:
    """One correlation at work."""

    def __init__(self, rule: Correlation, most_groups: int = MOST_GROUPS) -> None:
        self.rule = rule
        self.windows = 0
        """How many events it took, each of which ends a window."""
        self.evicted = Evicted()
        """The groups that were forgotten because there were too many."""
        self.groups: OrderedDict[Key, Window] = OrderedDict()
        """By when they were last met, the longest ago first."""
        self.feeds: list[tuple[Judge, Reads]] = []
        self._is_eager = rule.kind not in COUNTING or rule.is_monotone
        self._least = rule.least or 0
        """What a measure must reach, where events are judged at once."""
        self._edge: Instant | None = None
        self._most_groups = most_groups
        self._has_many_sources = len(rule.sources) > 1
        self._counted_id = ""
        self._counted: set[tuple[Key, object]] = set()
        self._waits: dict[Key, None] = {}
        """The groups in which an instant waits for the watermark."""
        self._texts: dict[object, object] = {}
        self._has_texts = rule.kind is Kind.VALUE_COUNT

    def take(
        self,
        reads: Reads,
        at: Instant,
        event_id: str,
        row: Row,
        *,
        is_part: bool,
        ref: int = NO_REF,
    ) -> Iterable[Episode]:
        """Take an event that a source selected; give the episodes that it changed."""
        key = reads.key(row)
        if key is None:
            return ()
        values = reads.fixed
        if values is None and not (values := reads.values(row)):
            return ()
        held = self._met(key)
        self.windows += 1
        if ref != NO_REF:
            _see(held, at, ref)
        if is_part or self._has_many_sources:
            values = self._uncounted(key, event_id, values)
        if not self._is_eager:
            return self._wait(key, held, at, values)
        changed: list[Episode] = []
        for value in values:
            measure = held.push(at, self._once(value) if self._has_texts else value)
            if measure >= self._least:
                changed += self._qualify(key, held, at, measure)
            elif measure == LATE:
                changed += self._insert(key, held, at, value)
        return changed

    def advance(self, watermark: Instant) -> list[Episode]:
        """Judge what waited for the watermark, and forget what cannot change any more."""
        self._edge = edge = watermark - self.rule.span_us
        changed: list[Episode] = []
        for key in list(self._waits):
            held = self.groups.get(key)
            if held is None or self._judge_waiting(key, held, watermark, changed):
                del self._waits[key]
        self._forget_groups(watermark, edge)
        return changed

    def _judge_waiting(
        self, key: Key, held: Window, watermark: Instant, changed: list[Episode]
    ) -> bool:
        """Judge what waited in one group; say whether nothing waits any more."""
        course = _course_of(held)
        until = bisect_right(course.waiting, watermark)
        due = course.waiting[:until]
        del course.waiting[:until]
        for instant in due:
            measure = held.measure(instant)
            if all(_bound_holds(bound, measure) for bound in self.rule.bounds):
                changed += self._qualify(key, held, instant, measure)
        return not course.waiting

    def _forget_groups(self, watermark: Instant, edge: Instant) -> None:
        """Forget whole groups; what is dated ahead of its time keeps no other one."""
        ahead = 0
        while self.groups:
            key, held = next(iter(self.groups.items()))
            newest = held.newest()
            if newest > watermark + _AHEAD_US and ahead < _SPARED:
                self.groups.move_to_end(key)
                ahead += 1
                continue
            if newest > edge:
                break
            del self.groups[key]

    def _evict(self) -> None:
        """Make room: of the groups met the longest ago, take one without an episode."""
        near = list(islice(self.groups.items(), _SPARED))
        edge = -1 if self._edge is None else self._edge
        spare = next(
            (key for key, held in near if not _is_open(held, edge)), near[0][0]
        )
        held = self.groups.pop(spare)
        self.evicted.add(held.oldest(), held.newest())

    # --- carrying over ---

    def dump(self) -> JudgeState:
        """Write what it remembers."""
        return JudgeState(
            self._edge,
            self.windows,
            pack_groups(_dump_group(key, held) for key, held in self.groups.items()),
            self._counted_id,
            tuple((group_of(key), value) for key, value in self._counted),  # type: ignore[misc]  # texts and numbers
        )

    def load(self, state: JudgeState) -> list[Episode]:
        """Take over what another one of the same rule remembered; give its episodes."""
        self._edge, self.windows = state.edge, state.windows
        self._counted_id = state.counted_id
        self._counted = {(key_of(group), value) for group, value in state.counted}
        groups = unpack_groups(state.groups)
        return [one for group in groups for one in self._load_group(group)]

    def _load_group(self, state: GroupState) -> list[Episode]:
        rule, key = self.rule, key_of(state.group)
        held = self.groups[key] = self._window()
        held.load(state.window)
        seen = array("q", state.seen)
        held.seen = seen or None
        if not (state.waiting or state.qualified or state.episodes):
            return []
        held.course = Course(
            list(state.waiting),
            dict(state.qualified),
            [
                Episode(
                    rule,
                    state.group,
                    one.first_us,
                    one.last_us,
                    one.peak,
                    one.instants,
                    seen=seen,
                    told=one.told,
                )
                for one in state.episodes
            ],
        )
        if state.waiting:
            self._waits[key] = None
        episodes: list[Episode] = held.course.episodes
        return episodes

    def alive(self, watermark: Instant) -> list[Episode]:
        """List the episodes that something may still be added to."""
        edge = watermark - self.rule.span_us
        return [
            one
            for held in self.groups.values()
            if held.course is not None
            for one in held.course.episodes
            if one.last_us > edge
        ]

    # --- one group ---

    def _met(self, key: Key) -> Window:
        """Give the window of a group that is met now; a new one where there is none."""
        held = self.groups.get(key)
        if held is not None:
            self.groups.move_to_end(key)
            if held.low > MOST_STALE and self._edge is not None:
                held.tidy(self._edge)
            return held
        if len(self.groups) >= self._most_groups:
            self._evict()
        held = self.groups[key] = self._window()
        return held

    def _window(self) -> Window:
        rule = self.rule
        return make_window(rule.kind, rule.span_us, len(rule.sources))

    def _insert(
        self, key: Key, held: Window, at: Instant, value: object
    ) -> list[Episode]:
        """Take what comes late, and judge again what it changes."""
        changed: list[Episode] = []
        for instant, measure in held.insert(at, value):
            if measure >= self._least:
                changed += self._qualify(key, held, instant, measure)
        return changed

    def _wait(
        self, key: Key, held: Window, at: Instant, values: Iterable[object]
    ) -> tuple[Episode, ...]:
        """Take what an event gives, and judge it when the watermark has passed it."""
        for value in values:
            if held.push(at, value) == LATE:
                held.insert(at, value)
            _course_of(held).wait(at)
            self._waits[key] = None
        return ()

    def _uncounted(
        self, key: Key, event_id: str, values: Iterable[object]
    ) -> tuple[object, ...]:
        """List what this event did not give yet: its rows come one after the other."""
        if event_id != self._counted_id:
            self._counted_id = event_id
            self._counted.clear()
        fresh = tuple(one for one in values if (key, one) not in self._counted)
        self._counted.update((key, one) for one in fresh)
        return fresh

    def _once(self, value: object) -> object:
        """Give the same text for equal ones, so that it is held once."""
        if len(self._texts) >= MOST_TEXTS:
            self._texts.clear()
        return self._texts.setdefault(value, value)

    def _qualify(
        self, key: Key, held: Window, instant: Instant, measure: int
    ) -> list[Episode]:
        course = _course_of(held)
        if self._edge is not None:
            course.tidy(self._edge)
        is_new = course.qualify(instant, measure)
        changed = [self._place(key, held, instant, measure, is_new=is_new)]
        if is_new and self.feeds:
            group = group_of(key)
            event_id = "|".join((self.rule.head.rule_id, *group, str(instant)))
            row = dict(zip(self.rule.group_by, group, strict=True))
            ref = held.seen[-1] if held.seen else NO_REF
            for judge, reads in self.feeds:
                changed += judge.take(
                    reads, instant, event_id, row, is_part=False, ref=ref
                )
        return changed

    def _place(
        self, key: Key, held: Window, instant: Instant, measure: int, *, is_new: bool
    ) -> Episode:
        """Put an instant into its episode: one that is near, two that it joins, a new one."""
        course = _course_of(held)
        near = course.near(instant, self.rule.span_us)
        if near:
            return course.extend(near, instant, measure, is_new=is_new)
        if held.seen is None:
            held.seen = array("q")
        episode = Episode(
            self.rule, group_of(key), instant, instant, measure, seen=held.seen
        )
        course.begin(episode)
        return episode


def _see(held: Window, at: Instant, ref: int) -> None:
    """Keep which row came."""
    seen = held.seen
    if seen is None:
        held.seen = array("q", (at, ref))
        return
    seen.append(at)
    seen.append(ref)
    if len(seen) > 2 * MOST_SEEN:
        del seen[:2]


def _course_of(held: Window) -> Course:
    if held.course is None:
        held.course = Course()
    course: Course = held.course
    return course


def _is_open(held: Window, edge: Instant) -> bool:
    """Say whether a group has an episode that something may still be added to."""
    return held.course is not None and any(
        one.last_us > edge for one in held.course.episodes
    )


def _dump_group(key: Key, held: Window) -> GroupState:
    course: Course = held.course or _NOTHING
    return GroupState(
        group_of(key),
        held.newest(),
        held.dump(),
        tuple(course.waiting),
        tuple(course.qualified.items()),
        tuple(one.dump() for one in course.episodes),
        b"" if held.seen is None else held.seen.tobytes(),
    )


_NOTHING = Course()


def _bound_holds(bound: Bound, measure: int) -> bool:
    return _HOLDS[bound.compare](measure, bound.number)
