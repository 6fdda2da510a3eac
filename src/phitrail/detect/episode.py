"""Episodes of one group: qualifying instants that belong together (`typed`, rule 5)."""

from array import array
from bisect import bisect_left, insort
from dataclasses import dataclass, field

from phitrail.detect.reads import Group
from phitrail.detect.tail_state import EpisodeState, Told
from phitrail.detect.typed import Correlation, Rule
from phitrail.detect.windows import Instant

_MOST_OLD = 64


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

    def dump(self) -> EpisodeState:
        """Write what it is."""
        return EpisodeState(
            self.first_us, self.last_us, self.peak, self.instants, self.told
        )


@dataclass(slots=True, eq=False)
class Course:
    """What came of one group: instants that wait to be judged, that qualified, episodes."""

    waiting: list[Instant] = field(default_factory=list)
    qualified: dict[Instant, int] = field(default_factory=dict)
    episodes: list[Episode] = field(default_factory=list)
    _tidy_at: int = _MOST_OLD

    def wait(self, at: Instant) -> None:
        """Let an instant wait for the watermark."""
        place = bisect_left(self.waiting, at)
        if place == len(self.waiting) or self.waiting[place] != at:
            insort(self.waiting, at)

    def qualify(self, at: Instant, measure: int) -> bool:
        """Take an instant that qualifies; say whether it did not before."""
        is_new = at not in self.qualified
        self.qualified[at] = measure
        return is_new

    def near(self, at: Instant, span_us: int) -> list[Episode]:
        """List the episodes that an instant belongs to, the earliest first."""
        return [
            one
            for one in self.episodes
            if one.first_us - span_us < at < one.last_us + span_us
        ]

    def begin(self, episode: Episode) -> None:
        """Add an episode."""
        self.episodes.append(episode)
        self.episodes.sort(key=lambda one: one.first_us)

    def tidy(self, edge: Instant) -> None:
        """Forget what was over at an instant, where there is some of it."""
        if len(self.qualified) < self._tidy_at:
            return
        self.qualified = {at: m for at, m in self.qualified.items() if at > edge}
        self.episodes = [one for one in self.episodes if one.last_us > edge]
        self._tidy_at = max(_MOST_OLD, 2 * len(self.qualified))

    def extend(
        self, near: list[Episode], at: Instant, measure: int, *, is_new: bool
    ) -> Episode:
        """Put an instant into the first of the episodes near it; it joins the others."""
        episode = near[0]
        for other in near[1:]:
            episode.last_us = max(episode.last_us, other.last_us)
            episode.peak = max(episode.peak, other.peak)
            episode.instants += other.instants
            other.is_joined = True
            self.episodes.remove(other)
        episode.first_us = min(episode.first_us, at)
        episode.last_us = max(episode.last_us, at)
        episode.peak = max(episode.peak, measure)
        episode.instants += is_new
        return episode
