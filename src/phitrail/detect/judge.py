"""One correlation at work: its groups, their windows, what qualified, and episodes of it.

1. A group keeps the events that may still matter, and which rows of the log the newest of them
   are (`MOST_SEEN`): the evidence of an alert.
2. A rule has at most `most_groups` at once; past that the one that was not met for the longest
   time is forgotten, and counted. Those with an open episode are spared where others are near.
3. `dump` and `load` carry all of it over to another process.
"""

from array import array
from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from phitrail.detect.match import Row
from phitrail.detect.reads import Group, Reads
from phitrail.detect.tail_state import EpisodeState, GroupState, JudgeState, Told
from phitrail.detect.typed import (
    COUNTING,
    Bound,
    Compare,
    Correlation,
    Rule,
)
from phitrail.detect.windows import Instant, Window, make_window

MOST_SEEN = 64
MOST_GROUPS = 1_000_000
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


@dataclass(slots=True, eq=False)
class Episode:
    """Qualifying instants of one group that belong together."""

    rule: Rule
    group: Group
    first_us: Instant
    last_us: Instant
    peak: int
    instants: int = 1
    is_joined: bool = False
    """It was taken into another episode, which goes on in its place."""
    seen: "array[int]" = field(default_factory=lambda: array("q"))
    """Of the newest rows of its group: when each happened, and which it is, in turn."""
    told: Told | None = None
    """What the log was told of it (`detect.alerts`)."""

    def evidence(self) -> list[int]:
        """List the newest rows that its windows hold, in the order in which they came."""
        span = self.rule.span_us if isinstance(self.rule, Correlation) else 1
        begin, seen = self.first_us - span, self.seen
        return [
            seen[place + 1]
            for place in range(0, len(seen), 2)
            if begin < seen[place] <= self.last_us
        ]


@dataclass(slots=True)
class _Group:
    """One group of one correlation: its window, what qualified, its episodes."""

    window: Window
    newest: Instant = 0
    waiting: list[Instant] = field(default_factory=list)
    qualified: dict[Instant, int] = field(default_factory=dict)
    episodes: list[Episode] = field(default_factory=list)
    seen: "array[int]" = field(default_factory=lambda: array("q"))

    def see(self, at: Instant, ref: int) -> None:
        """Keep which row came."""
        self.seen.append(at)
        self.seen.append(ref)
        if len(self.seen) > 2 * MOST_SEEN:
            del self.seen[:2]


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
        self.groups: OrderedDict[Group, _Group] = OrderedDict()
        """By when they were last met, the longest ago first."""
        self.feeds: list[tuple[Judge, Reads]] = []
        self._is_eager = rule.kind not in COUNTING or rule.is_monotone
        self._least = rule.least
        self._edge: Instant | None = None
        self._most_groups = most_groups
        self._has_many_sources = len(rule.sources) > 1
        self._counted_id = ""
        self._counted: set[tuple[Group, object]] = set()

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
        group = reads.group(row)
        if group is None:
            return ()
        values = reads.values(row)
        if not values:
            return ()
        held = self._held(group, at)
        self.windows += 1
        if ref != NO_REF:
            held.see(at, ref)
        may_repeat = is_part or self._has_many_sources
        changed: list[Episode] = []
        for value in values:
            if may_repeat and self._is_counted(group, event_id, value):
                continue
            measured = held.window.insert(at, value)
            if self._is_eager:
                for instant, measure in measured:
                    if self._holds(measure):
                        changed += self._qualify(group, held, instant, measure)
            elif not _stands_in(held.waiting, at):
                insort(held.waiting, at)
        return changed

    def advance(self, watermark: Instant) -> list[Episode]:
        """Judge what waited for the watermark, and forget what cannot change any more."""
        self._edge = edge = watermark - self.rule.span_us
        changed: list[Episode] = []
        if not self._is_eager:
            for group, held in self.groups.items():
                until = bisect_right(held.waiting, watermark)
                for instant in held.waiting[:until]:
                    measure = held.window.measure(instant)
                    if self._holds(measure):
                        changed += self._qualify(group, held, instant, measure)
                del held.waiting[:until]
        self._forget_groups(watermark, edge)
        return changed

    def _forget_groups(self, watermark: Instant, edge: Instant) -> None:
        """Forget whole groups; what is dated ahead of its time keeps no other one."""
        ahead = 0
        while self.groups:
            group, held = next(iter(self.groups.items()))
            if held.newest > watermark + _AHEAD_US and ahead < _SPARED:
                self.groups.move_to_end(group)
                ahead += 1
                continue
            if held.newest > edge or held.waiting:
                break
            del self.groups[group]

    def _evict(self) -> None:
        """Make room: of the groups met the longest ago, take one without an episode."""
        near = list(islice(self.groups.items(), _SPARED))
        spare = next((group for group, held in near if not held.episodes), near[0][0])
        held = self.groups.pop(spare)
        self.evicted.add(min(held.window.oldest(), held.newest), held.newest)

    # --- carrying over ---

    def dump(self) -> JudgeState:
        """Write what it remembers."""
        return JudgeState(
            self._edge,
            self.windows,
            tuple(_dump_group(group, held) for group, held in self.groups.items()),
            self._counted_id,
            tuple(self._counted),  # type: ignore[arg-type]  # texts and numbers
        )

    def load(self, state: JudgeState) -> list[Episode]:
        """Take over what another one of the same rule remembered; give its episodes."""
        self._edge, self.windows = state.edge, state.windows
        self._counted_id, self._counted = state.counted_id, set(state.counted)
        episodes: list[Episode] = []
        for one in state.groups:
            held = self.groups[one.group] = self._load_group(one)
            episodes += held.episodes
        return episodes

    def _load_group(self, state: GroupState) -> _Group:
        rule = self.rule
        window = make_window(rule.kind, rule.span_us, len(rule.sources))
        window.load(state.window)
        seen = array("q", state.seen)
        episodes = [
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
        ]
        return _Group(
            window,
            state.newest,
            list(state.waiting),
            dict(state.qualified),
            episodes,
            seen,
        )

    def alive(self, watermark: Instant) -> list[Episode]:
        """List the episodes that something may still be added to."""
        edge = watermark - self.rule.span_us
        return [
            one
            for held in self.groups.values()
            for one in held.episodes
            if one.last_us > edge
        ]

    # --- one group ---

    def _held(self, group: Group, at: Instant) -> _Group:
        held = self.groups.get(group)
        if held is None:
            rule = self.rule
            if len(self.groups) >= self._most_groups:
                self._evict()
            window = make_window(rule.kind, rule.span_us, len(rule.sources))
            held = self.groups[group] = _Group(window, at)
            return held
        self.groups.move_to_end(group)
        held.newest = max(held.newest, at)
        if self._edge is not None and held.window.oldest() <= self._edge:
            self._forget(held, self._edge)
        return held

    def _forget(self, held: _Group, edge: Instant) -> None:
        held.window.forget(edge)
        if held.qualified:
            held.qualified = {at: m for at, m in held.qualified.items() if at > edge}
            held.episodes = [one for one in held.episodes if one.last_us > edge]

    def _is_counted(self, group: Group, event_id: str, value: object) -> bool:
        """Say whether this event gave this value already: its rows come one after the other."""
        if event_id != self._counted_id:
            self._counted_id = event_id
            self._counted.clear()
        if (group, value) in self._counted:
            return True
        self._counted.add((group, value))
        return False

    def _qualify(
        self, group: Group, held: _Group, instant: Instant, measure: int
    ) -> list[Episode]:
        is_new = instant not in held.qualified
        held.qualified[instant] = measure
        changed = [self._place(group, held, instant, measure, is_new=is_new)]
        if is_new:
            event_id = "|".join((self.rule.head.rule_id, *group, str(instant)))
            row = dict(zip(self.rule.group_by, group, strict=True))
            ref = held.seen[-1] if held.seen else NO_REF
            for judge, reads in self.feeds:
                changed += judge.take(
                    reads, instant, event_id, row, is_part=False, ref=ref
                )
        return changed

    def _holds(self, measure: int) -> bool:
        if self._least is not None:
            return measure >= self._least
        bounds = self.rule.bounds
        return all(_bound_holds(bound, measure) for bound in bounds)

    def _place(
        self,
        group: Group,
        held: _Group,
        instant: Instant,
        measure: int,
        *,
        is_new: bool,
    ) -> Episode:
        """Put an instant into its episode: one that is near, two that it joins, a new one."""
        span = self.rule.span_us
        near = [
            one
            for one in held.episodes
            if one.first_us - span < instant < one.last_us + span
        ]
        if not near:
            episode = Episode(
                self.rule, group, instant, instant, measure, seen=held.seen
            )
            held.episodes.append(episode)
            held.episodes.sort(key=lambda one: one.first_us)
            return episode
        episode = near[0]
        for other in near[1:]:
            episode.last_us = max(episode.last_us, other.last_us)
            episode.peak = max(episode.peak, other.peak)
            episode.instants += other.instants
            other.is_joined = True
            held.episodes.remove(other)
        episode.first_us = min(episode.first_us, instant)
        episode.last_us = max(episode.last_us, instant)
        episode.peak = max(episode.peak, measure)
        episode.instants += is_new
        return episode


def _dump_group(group: Group, held: _Group) -> GroupState:
    return GroupState(
        group,
        held.newest,
        held.window.dump(),
        tuple(held.waiting),
        tuple(held.qualified.items()),
        tuple(
            EpisodeState(one.first_us, one.last_us, one.peak, one.instants, one.told)
            for one in held.episodes
        ),
        held.seen.tobytes(),
    )


def _bound_holds(bound: Bound, measure: int) -> bool:
    return _HOLDS[bound.compare](measure, bound.number)


def _stands_in(times: list[Instant], at: Instant) -> bool:
    place = bisect_left(times, at)
    return place < len(times) and times[place] == at
