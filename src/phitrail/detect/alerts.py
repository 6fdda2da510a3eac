"""From episodes to `Alert` events: opened, told again when they grow, closed when over.

1. Everything follows from the rows and their order: ids, times and moves. Who judges the
   same rows again writes the same events, and the log holds each once.
2. The id of an alert is the SHA-256 of trail, rule id, what the rule means, group, and its
   first instant when it was opened. It stays when late rows make it begin earlier.
3. `open` when an episode begins; `update` when its measure is twice what was told, or when
   it changed and `update_after_us` passed on the clock of the log; `close` when the
   watermark is past the last instant by a span, so that nothing can be added. Nobody's
   verdict is in it.
4. An episode that late rows joined with another one is closed as a duplicate: `joined`.
5. A single event is over when it is told: it is opened and not closed.
6. `reason_codes`: what was measured (or `matched`), and `late` where the row that did it
   came more than `LATE_US` after it happened. `evidence`: the newest rows of its windows.
7. A rule that is put in force where rows stand already takes up what is going on: an episode
   that the log has an alert of goes on as that alert, one that it has none of is told at once.
8. Subjects are the fields that the rule groups by, and of a single event its own. Rows hold
   surrogates, so alerts hold nothing else.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from msgspec.structs import replace

from phitrail.detect.alert_marks import (
    JOINED,
    LATE,
    MATCHED,
    RULE_CHANGED,
    entry_of,
    marks_of,
    time_of,
    us_of,
)
from phitrail.detect.alert_said import Said, sort_said
from phitrail.detect.digest import digest_of
from phitrail.detect.judge import Episode
from phitrail.detect.match import Row
from phitrail.detect.tail_state import Told
from phitrail.detect.typed import Correlation, Rule
from phitrail.events.alert import Alert
from phitrail.events.codes import AlertState, Disposition

LATE_US = 10_000_000
SUBJECTS = (
    "user_id",
    "source_ip",
    "use_case",
    "facility_id",
    "ai_model_id",
    "ai_model_version",
)
_Fields: TypeAlias = Mapping[str, Any]
_MILLISECOND_US = 1_000


@dataclass(frozen=True, slots=True)
class Cause:
    """The row that changed an episode: when it happened and was received, its fields."""

    at_us: int
    received_us: int
    row: Row


class AlertBook:
    """Alerts of one trail, as far as episodes are open."""

    def __init__(
        self,
        trail_id: str,
        *,
        update_after_us: int,
        completeness: Callable[[int, int], str | None] = lambda *_: None,
    ) -> None:
        """Begin with no alert.

        Args:
            trail_id: the trail.
            update_after_us: after how long a growing alert is told again.
            completeness: gives the digest of what is known to be missing in a time.
        """
        self._trail_id = trail_id
        self._update_after_us = update_after_us
        self._completeness = completeness
        self._open: dict[Episode, None] = {}
        self._digests: dict[str, str] = {}
        self._single: tuple[str, set[str]] = ("", set())

    @property
    def open_count(self) -> int:
        """How many alerts are not closed."""
        return len(self._open)

    def take_over(self, episodes: Iterable[Episode]) -> None:
        """Go on with episodes that came out of a snapshot."""
        self._open.update((one, None) for one in episodes if one.told is not None)

    def told(
        self, changed: Iterable[Episode], clock_us: int, cause: Cause | None
    ) -> list[Alert]:
        """Say what the log is to be told of episodes that changed.

        Args:
            changed: what the tail gave.
            clock_us: the newest time of receipt so far.
            cause: the row that changed them; None where time did.
        """
        moves: list[Alert] = []
        for episode in dict.fromkeys(changed):
            if not isinstance(episode.rule, Correlation):
                moves += self._tell_single(episode, clock_us, cause)
            elif not episode.is_joined:
                moves += self._tell(episode, clock_us, cause)
        if moves or any(one.is_joined for one in self._open):
            moves += self._close_joined(clock_us)
        return moves

    def advance(self, watermark_us: int, clock_us: int) -> list[Alert]:
        """Close what is over."""
        over = [
            one
            for one in self._open
            if isinstance(one.rule, Correlation)
            and one.last_us + one.rule.span_us <= watermark_us
        ]
        return [self._close(one, clock_us) for one in over]

    def take_up(
        self, episodes: Iterable[Episode], said: Iterable[Alert], clock_us: int
    ) -> list[Alert]:
        """Tell of episodes that began before their rule did.

        One that the log has an alert of goes on under its id, and is told again only where
        the log says that its rule was another one.

        Args:
            episodes: those that something may still be added to.
            said: what the log holds of their rules.
            clock_us: the newest time of receipt so far.
        """
        known = sort_said(said)
        moves: list[Alert] = []
        for episode in episodes:
            found = self._find(episode, known)
            if found is None:
                moves += self._tell(episode, clock_us, None)
                continue
            bare = replace(found.newest, received_at=None, nonce=None)
            episode.told = Told(bare, found.moves)
            self._open[episode] = None
            if found.newest.reason_codes == (RULE_CHANGED,):
                moves.append(self._update(episode, clock_us, None))
        return moves

    def _find(self, episode: Episode, known: Sequence["Said"]) -> "Said | None":
        """Find what the log holds of an episode, by the id that it would have."""
        rule = episode.rule
        assert isinstance(rule, Correlation)  # noqa: S101 - others have no episodes
        begin, rule_id = episode.first_us - rule.span_us, rule.head.rule_id
        for one in known:
            if one.newest.rule_id != rule_id:
                continue
            firsts = {start + rule.span_us for start in one.starts}
            for first_us in sorted(firsts):
                is_near = begin < first_us <= episode.last_us
                if is_near and self._alert_id(episode, first_us) == one.newest.alert_id:
                    return one
        return None

    # --- moves ---

    def _tell(
        self, episode: Episode, clock_us: int, cause: Cause | None
    ) -> list[Alert]:
        told = episode.told
        if told is None:
            alert = self._opened(episode, clock_us, cause)
            episode.told = Told(alert, 1)
            self._open[episode] = None
            return [alert]
        before = told.alert
        has_doubled = episode.peak >= 2 * max(1, before.match_count or 0)
        is_time = clock_us - us_of(before.timestamp_utc) >= self._update_after_us
        if not has_doubled and not is_time:
            return []
        return [self._update(episode, clock_us, cause)]

    def _update(self, episode: Episode, clock_us: int, cause: Cause | None) -> Alert:
        told = episode.told
        assert told is not None  # noqa: S101 - it was opened
        before = told.alert
        update = replace(
            before,
            state=AlertState.UPDATE,
            **self._measured(episode, cause),
            **marks_of(before.alert_id, f"update-{told.moves}", clock_us),
        )
        episode.told = Told(update, told.moves + 1)
        return update

    def _tell_single(
        self, episode: Episode, clock_us: int, cause: Cause | None
    ) -> list[Alert]:
        """Tell of one event; its further parts are the same alert."""
        event_id, rules = self._single
        if episode.group[0] != event_id:
            rules = set()
            self._single = (episode.group[0], rules)
        if episode.rule.head.rule_id in rules:
            return []
        rules.add(episode.rule.head.rule_id)
        return [self._opened(episode, clock_us, cause)]

    def _opened(self, episode: Episode, clock_us: int, cause: Cause | None) -> Alert:
        rule = episode.rule
        alert_id = self._alert_id(episode, episode.first_us)
        return Alert(
            alert_id=alert_id,
            rule_id=rule.head.rule_id,
            rule_digest=self._digest(rule),
            state=AlertState.OPEN,
            severity=rule.head.severity,
            threshold=_threshold(rule),
            controls=rule.head.controls,
            **self._measured(episode, cause),
            **_subjects(episode, cause),
            **marks_of(alert_id, "open", clock_us),
        )

    def _alert_id(self, episode: Episode, first_us: int) -> str:
        rule = episode.rule
        said = "|".join(
            (
                "phitrail/alert-id/v1",
                self._trail_id,
                rule.head.rule_id,
                self._digest(rule),
                *(f"{len(one)}:{one}" for one in episode.group),
                str(first_us),
            )
        )
        return hashlib.sha256(said.encode()).hexdigest()

    def _close(self, episode: Episode, clock_us: int) -> Alert:
        del self._open[episode]
        told = episode.told
        assert told is not None  # noqa: S101 - what is open was told
        episode.told = None
        return replace(
            told.alert,
            state=AlertState.CLOSE,
            **self._measured(episode, None),
            **marks_of(told.alert.alert_id, "close", clock_us),
        )

    def _close_joined(self, clock_us: int) -> list[Alert]:
        joined = [one for one in self._open if one.is_joined]
        return [
            replace(
                self._close(one, clock_us),
                disposition=Disposition.DUPLICATE,
                reason_codes=(JOINED,),
            )
            for one in joined
        ]

    def _measured(self, episode: Episode, cause: Cause | None) -> _Fields:
        """Say what an episode is now."""
        rule = episode.rule
        span_us = rule.span_us if isinstance(rule, Correlation) else _MILLISECOND_US
        reasons = [rule.kind.value if isinstance(rule, Correlation) else MATCHED]
        if cause is not None and cause.received_us - cause.at_us > LATE_US:
            reasons.append(LATE)
        begin_us = episode.first_us - span_us
        return {
            "window_start": time_of(begin_us),
            "window_end": time_of(episode.last_us),
            "match_count": max(0, episode.peak),
            "evidence": tuple(entry_of(ref) for ref in episode.evidence()),
            "reason_codes": tuple(reasons),
            "completeness_digest": self._completeness(begin_us, episode.last_us),
        }

    def _digest(self, rule: Rule) -> str:
        known = self._digests.get(rule.head.rule_id)
        if known is None:
            known = self._digests[rule.head.rule_id] = digest_of(rule)
        return known


def _threshold(rule: Rule) -> int | None:
    if not isinstance(rule, Correlation):
        return None
    return rule.bounds[0].number if rule.bounds else len(rule.sources)


def subjects_of(rule: Rule) -> frozenset[str]:
    """Say which subjects alerts of a rule may have: of a correlation, what it groups by."""
    if not isinstance(rule, Correlation):
        return frozenset(SUBJECTS)
    return frozenset(one for name in rule.group_by for one in _fields_of(rule, name))


def _subjects(episode: Episode, cause: Cause | None) -> _Fields:
    """Say who and what an alert is about, as far as its group says."""
    rule = episode.rule
    if isinstance(rule, Correlation):
        pairs = zip(rule.group_by, episode.group, strict=True)
        held = {one: value for name, value in pairs for one in _fields_of(rule, name)}
        return {name: held[name] for name in SUBJECTS if name in held}
    if cause is None:
        return {}
    get: Callable[[str], object] = cause.row.get
    found = {name: str(value) for name in SUBJECTS if (value := get(name)) is not None}
    patients = get("patient")
    if isinstance(patients, tuple) and len(patients) == 1:
        found["patient"] = str(patients[0])
    return found


def _fields_of(rule: Correlation, name: str) -> frozenset[str]:
    """Follow a group-by name down to the subjects that it is in the events of its rules."""
    found: set[str] = set()
    for source in rule.sources:
        inner = source.field(name)
        if isinstance(source.rule, Correlation):
            found |= _fields_of(source.rule, inner)
        else:
            found.add(inner)
    return frozenset(found.intersection(SUBJECTS))
