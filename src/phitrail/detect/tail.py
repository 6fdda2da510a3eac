"""The tail: rules judged as rows are committed, with the meaning of `typed`.

1. Rows come in the order of the log. A row whose event id was seen within the horizon is the
   same event again and changes nothing, but for the parts of one event, which have their own
   patients: each is judged, and the event counts once.
2. A measure that can only grow is judged at once (monotone bounds, and `temporal`). Others are
   judged when the watermark has passed their instant, so that nothing earlier is missing.
3. A row that comes late changes what its windows say: they are measured again, and an episode
   may begin earlier, grow, or join another one. What is not later than the watermark is counted
   as `beyond` where a correlation wants it: history alone can judge that. A rule over single
   events has no window that could be over, and judges it all the same.
4. What can no longer change is forgotten: events `span` before the watermark, and episodes that
   ended so long ago.

Episodes are the truth here; `alerts` makes of them what the log holds.
"""

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from phitrail.detect.judge import MOST_GROUPS, NO_REF, Episode, Evicted, Judge
from phitrail.detect.match import Matches, Row, compile_predicate, given
from phitrail.detect.reads import Reads
from phitrail.detect.tail_state import TailState
from phitrail.detect.typed import (
    All,
    Any,
    Correlation,
    Detection,
    Op,
    Predicate,
    Rule,
    Test,
)
from phitrail.detect.windows import Instant
from phitrail.events.codes import Log

__all__ = ["Episode", "Tail"]

EVENT_TYPE = "event_type"


@dataclass(slots=True)
class _Selects:
    """One detection at work, and the correlations that it feeds."""

    rule: Detection
    matches: Matches
    is_wanted: bool
    windows: int = 0
    feeds: list[tuple[Judge, Reads]] = field(default_factory=list)


class Tail:
    """Rules over rows as they come."""

    def __init__(
        self, rules: tuple[Rule, ...], *, most_groups: int = MOST_GROUPS
    ) -> None:
        """Make a tail of the rules that make alerts; what feeds them is found from them.

        Args:
            rules: what is judged.
            most_groups: how many groups each correlation keeps at once.
        """
        self._most_groups = most_groups
        self._wanted = {rule.head.rule_id for rule in rules}
        self._judges: dict[str, Judge] = {}
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
        self,
        log: Log,
        at: Instant,
        event_id: str,
        row: Row,
        *,
        is_part: bool = False,
        ref: int = NO_REF,
    ) -> list[Episode]:
        """Judge one row; give the episodes that it changed.

        Args:
            log: where it stands.
            at: when it happened.
            event_id: which event it is.
            row: its fields.
            is_part: it is one of several rows of this event.
            ref: which row it is, as the evidence of an episode will say.
        """
        is_late = self._watermark is not None and at <= self._watermark
        selects = self._by_type.get((log, row.get(EVENT_TYPE)))
        if selects is None:
            selects = self._by_type[log, None]
        if not selects:
            return []
        if not is_part:
            newer, older = self._recent
            if event_id in newer or event_id in older:
                return []
            newer.add(event_id)
            self._newest = max(self._newest, at)
        changed: list[Episode] = []
        is_lost = False
        for one, matches in selects:
            if matches is not None and not matches(row):
                continue
            if one.is_wanted:
                one.windows += 1
                seen = array("q", () if ref == NO_REF else (at, ref))
                changed.append(Episode(one.rule, (event_id,), at, at, 1, seen=seen))
            if is_late:
                is_lost = is_lost or bool(one.feeds)
                continue
            for judge, reads in one.feeds:
                changed += judge.take(
                    reads, at, event_id, row, is_part=is_part, ref=ref
                )
        self.beyond += is_lost
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

    def rules(self) -> tuple[Correlation, ...]:
        """List the correlations at work, those that only feed others too."""
        return tuple(judge.rule for judge in self._judges.values())

    def windows(self) -> dict[str, int]:
        """Say how many windows each rule judged, by id: one for each event that it took."""
        return {
            **{rule_id: one.windows for rule_id, one in self._selects.items()},
            **{rule_id: judge.windows for rule_id, judge in self._judges.items()},
        }

    def event_types(self, log: Log) -> frozenset[str] | None:
        """Name the event types of a log that it asks for; None where it asks for all."""
        if self._by_type[log, None]:
            return None
        return frozenset(
            str(kind) for of, kind in self._by_type if of is log and kind is not None
        )

    @property
    def watermark(self) -> Instant | None:
        """At and before which instant nothing is expected any more."""
        return self._watermark

    def take_evicted(self) -> dict[str, Evicted]:
        """Give what each rule forgot since this was last asked, by its id."""
        found = {}
        for rule_id, judge in self._judges.items():
            if judge.evicted.groups:
                found[rule_id], judge.evicted = judge.evicted, Evicted()
        return found

    def dump(self, name: Callable[[Rule], str]) -> TailState:
        """Write what it remembers; each correlation's under the name of its rule."""
        newer, older = self._recent
        return TailState(
            self._watermark,
            self._newest,
            self._older_until,
            tuple(newer),
            tuple(older),
            {name(judge.rule): judge.dump() for judge in self._judges.values()},
        )

    def load(self, state: TailState, name: Callable[[Rule], str]) -> list[Episode]:
        """Take over what another tail remembered of the same rules; give its episodes."""
        self._watermark, self._newest = state.watermark, state.newest
        self._older_until = state.older_until
        self._recent = (set(state.newer_ids), set(state.older_ids))
        episodes: list[Episode] = []
        for judge in self._judges.values():
            known = state.judges.get(name(judge.rule))
            if known is not None:
                episodes += judge.load(known)
        return self._of_wanted(episodes)

    def adopt(
        self,
        state: TailState,
        rules: Iterable[Correlation],
        name: Callable[[Rule], str],
    ) -> list[Episode]:
        """Take over what another tail made of earlier rows, for rules that are new here.

        Args:
            state: what that one remembered, at the watermark of this one.
            rules: which correlations are taken over.
            name: under which name each stands there.

        Returns:
            their episodes that something may still be added to.
        """
        self._recent[0].update(state.newer_ids, state.older_ids)
        self._newest = max(self._newest, state.newest)
        episodes: list[Episode] = []
        for rule in rules:
            judge = self._judges[rule.head.rule_id]
            judge.load(state.judges[name(rule)])
            if self._watermark is not None:
                episodes += judge.alive(self._watermark)
        return self._of_wanted(episodes)

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
            judge = Judge(rule, self._most_groups)
            self._judges[rule.head.rule_id] = judge
            for number, source in enumerate(rule.sources):
                fed, reads = source.rule.head.rule_id, Reads(rule, number, source)
                if isinstance(source.rule, Detection):
                    self._selects[fed].feeds.append((judge, reads))
                else:
                    self._judges[fed].feeds.append((judge, reads))


def _by_event_type(
    selects: Iterable[_Selects],
) -> dict[tuple[Log, object], tuple[tuple[_Selects, Matches | None], ...]]:
    """Sort detections by the event types that they can match at all.

    With each stands what is left to ask of a row of that type: None where nothing is. Under
    (log, None) stand those for every type that no detection names.
    """
    every = tuple(selects)
    named = {
        one.rule.head.rule_id: _event_types(one.rule.selection.predicate)
        for one in every
    }
    types = {kind for kinds in named.values() if kinds for kind in kinds}
    table: dict[tuple[Log, object], tuple[tuple[_Selects, Matches | None], ...]] = {}
    for log in Log:
        of_log = [one for one in every if one.rule.selection.log is log]
        table[log, None] = tuple(
            (one, one.matches) for one in of_log if named[one.rule.head.rule_id] is None
        )
        for kind in types:
            left = (
                (one, given(one.rule.selection.predicate, EVENT_TYPE, kind))
                for one in of_log
            )
            table[log, kind] = tuple(
                (one, None if rest is True else compile_predicate(rest))
                for one, rest in left
                if rest is not False
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
