"""The tail: rules judged as rows are committed, with the meaning of `typed`.

1. Rows come in the order of the log. A row whose event id was seen within the horizon is the
   same event again and changes nothing, but for the parts of one event, which have their own
   patients: each is judged, and the event counts once.
2. A measure that can only grow is judged at once (monotone bounds, and `temporal`). Others are
   judged when the watermark has passed their instant, so that nothing earlier is missing.
3. A row that comes late changes what its windows say: they are measured again, and an episode
   may begin earlier, grow, or join another one. What is not later than the watermark is counted
   as `beyond`: history alone can judge it.
4. What can no longer change is forgotten: events `span` before the watermark, and episodes that
   ended so long ago.

Episodes are the truth here; `alerts` makes of them what the log holds.
"""

from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from phitrail.detect.match import Matches, Row, compile_predicate
from phitrail.detect.typed import (
    COUNTING,
    All,
    Any,
    Bound,
    Compare,
    Correlation,
    Detection,
    Kind,
    Op,
    Predicate,
    Rule,
    Source,
    Test,
)
from phitrail.detect.windows import Instant, Window, make_window
from phitrail.events.codes import Log

Group: TypeAlias = tuple[str, ...]

EVENT_TYPE = "event_type"
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


@dataclass(slots=True)
class _Group:
    """One group of one correlation: its window, what qualified, its episodes."""

    window: Window
    newest: Instant = 0
    waiting: list[Instant] = field(default_factory=list)
    qualified: dict[Instant, int] = field(default_factory=dict)
    episodes: list[Episode] = field(default_factory=list)


class _Judge:
    """One correlation at work."""

    def __init__(self, rule: Correlation) -> None:
        self.rule = rule
        self.groups: OrderedDict[Group, _Group] = OrderedDict()
        """By when they were last met, the longest ago first."""
        self.feeds: list[tuple[_Judge, _Reads]] = []
        self._is_eager = rule.kind not in COUNTING or rule.is_monotone
        self._edge: Instant | None = None
        self._has_many_sources = len(rule.sources) > 1
        self._counted_id = ""
        self._counted: set[tuple[Group, object]] = set()

    def take(
        self, reads: "_Reads", at: Instant, event_id: str, row: Row, *, is_part: bool
    ) -> Iterable[Episode]:
        """Take an event that a source selected; give the episodes that it changed."""
        group = reads.group(row)
        if group is None:
            return ()
        values = reads.values(row)
        if not values:
            return ()
        held = self._held(group, at)
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
        while self.groups:
            group, held = next(iter(self.groups.items()))
            if held.newest > edge or held.waiting:
                break
            del self.groups[group]
        return changed

    def _held(self, group: Group, at: Instant) -> _Group:
        held = self.groups.get(group)
        if held is None:
            rule = self.rule
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
            for judge, reads in self.feeds:
                changed += judge.take(reads, instant, event_id, row, is_part=False)
        return changed

    def _holds(self, measure: int) -> bool:
        bounds = self.rule.bounds
        if not bounds:
            return measure > 0
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
            episode = Episode(self.rule, group, instant, instant, measure)
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


class _Reads:
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


@dataclass(slots=True)
class _Selects:
    """One detection at work, and the correlations that it feeds."""

    rule: Detection
    matches: Matches
    is_wanted: bool
    feeds: list[tuple[_Judge, _Reads]] = field(default_factory=list)


class Tail:
    """Rules over rows as they come."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        """Make a tail of the rules that make alerts; what feeds them is found from them."""
        self._wanted = {rule.head.rule_id for rule in rules}
        self._judges: dict[str, _Judge] = {}
        self._selects: dict[str, _Selects] = {}
        self._watermark: Instant | None = None
        self._recent: tuple[set[str], set[str]] = (set(), set())
        self._newest: Instant = 0
        self._older_until: Instant = 0
        self.beyond = 0
        for rule in rules:
            self._add(rule)
        self._by_type = _by_event_type(self._selects.values())

    def take(
        self, log: Log, at: Instant, event_id: str, row: Row, *, is_part: bool = False
    ) -> list[Episode]:
        """Judge one row; give the episodes that it changed.

        Args:
            log: where it stands.
            at: when it happened.
            event_id: which event it is.
            row: its fields.
            is_part: it is one of several rows of this event.
        """
        if self._watermark is not None and at <= self._watermark:
            self.beyond += 1
            return []
        selects = self._by_type.get((log, row.get(EVENT_TYPE)))
        if selects is None:
            selects = self._by_type[log, None]
        if not is_part:
            newer, older = self._recent
            if event_id in newer or event_id in older:
                return []
            newer.add(event_id)
            self._newest = max(self._newest, at)
        changed: list[Episode] = []
        for one in selects:
            if not one.matches(row):
                continue
            if one.is_wanted:
                changed.append(Episode(one.rule, (event_id,), at, at, 1))
            for judge, reads in one.feeds:
                changed += judge.take(reads, at, event_id, row, is_part=is_part)
        return self._of_wanted(changed)

    def advance(self, watermark: Instant) -> list[Episode]:
        """Say that nothing at or before an instant is expected any more."""
        if self._watermark is not None and watermark <= self._watermark:
            return []
        if self._older_until <= watermark:  # none of the older ids can come again
            self._recent = (set(), self._recent[0])
            self._older_until = self._newest
        self._watermark = watermark
        changed: list[Episode] = []
        for judge in self._judges.values():  # what feeds another one comes first
            changed += judge.advance(watermark)
        return self._of_wanted(changed)

    def _of_wanted(self, changed: list[Episode]) -> list[Episode]:
        if not changed:
            return changed
        return [one for one in changed if one.rule.head.rule_id in self._wanted]

    def _add(self, rule: Rule) -> None:
        if isinstance(rule, Detection):
            if rule.head.rule_id not in self._selects:
                self._selects[rule.head.rule_id] = _Selects(
                    rule,
                    compile_predicate(rule.selection.predicate),
                    rule.head.rule_id in self._wanted,
                )
        elif rule.head.rule_id not in self._judges:
            for source in rule.sources:
                self._add(source.rule)
            judge = self._judges[rule.head.rule_id] = _Judge(rule)
            for number, source in enumerate(rule.sources):
                fed, reads = source.rule.head.rule_id, _Reads(rule, number, source)
                if isinstance(source.rule, Detection):
                    self._selects[fed].feeds.append((judge, reads))
                else:
                    self._judges[fed].feeds.append((judge, reads))


def _by_event_type(
    selects: Iterable[_Selects],
) -> dict[tuple[Log, object], tuple[_Selects, ...]]:
    """Sort detections by the event types that they can match at all.

    Under (log, None) stand those for every type that no detection names.
    """
    every = tuple(selects)
    named = {
        one.rule.head.rule_id: _event_types(one.rule.selection.predicate)
        for one in every
    }
    types = {kind for kinds in named.values() if kinds for kind in kinds}
    table: dict[tuple[Log, object], tuple[_Selects, ...]] = {}
    for log in Log:
        of_log = [one for one in every if one.rule.selection.log is log]
        for kind in (None, *types):
            table[log, kind] = tuple(
                one
                for one in of_log
                if (kinds := named[one.rule.head.rule_id]) is None or kind in kinds
            )
    return table


def _event_types(predicate: Predicate) -> frozenset[str] | None:
    """Name the event types that a predicate needs; None where it needs none."""
    if isinstance(predicate, Test):
        is_it = predicate.field == EVENT_TYPE and predicate.op is Op.EQ
        return frozenset({str(predicate.value)}) if is_it else None
    if isinstance(predicate, All):
        found = [
            one for part in predicate.of if (one := _event_types(part)) is not None
        ]
        return frozenset.intersection(*found) if found else None
    if isinstance(predicate, Any):
        kinds = [_event_types(part) for part in predicate.of]
        known = [one for one in kinds if one is not None]
        return frozenset().union(*known) if len(known) == len(kinds) else None
    return None


def _bound_holds(bound: Bound, measure: int) -> bool:
    return _HOLDS[bound.compare](measure, bound.number)


def _stands_in(times: list[Instant], at: Instant) -> bool:
    place = bisect_left(times, at)
    return place < len(times) and times[place] == at


def _text(value: object) -> str:
    """Write a value as the tables write it as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
