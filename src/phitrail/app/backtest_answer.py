"""What a backtest tells: plain values, made without a database at hand."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from phitrail.detect.sweep import Swept
from phitrail.detect.typed import Rule
from phitrail.events.codes import Log

DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class EpisodeFound:
    """One episode: an alert that the rule would have made."""

    group: Mapping[str, str]
    first_us: int
    last_us: int
    peak: int
    instants: int
    entries: tuple[int, ...] = ()
    """The first of the log's entries in its window, by index."""


@dataclass(frozen=True, slots=True)
class TopGroup:
    """A group with many alerts."""

    group: Mapping[str, str]
    alerts: int
    peak: int


@dataclass(frozen=True, slots=True)
class Overlap:
    """What the log holds of alerts of the same rule, by disposition.

    `again` was found again, `missed` was not; `none` stands for alerts without a disposition.
    """

    again: Mapping[str, int]
    missed: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RuleFound:
    """What one rule would have told."""

    rule: Rule
    alerts: int
    groups: int
    days: Mapping[str, int]
    top: tuple[TopGroup, ...]
    sample: EpisodeFound | None
    overlap: Overlap
    sweep: tuple[Swept, ...]


@dataclass(frozen=True, slots=True)
class Backtest:
    """What the rules would have told; `days` is how many the rates are over."""

    since: datetime
    until: datetime
    as_of: Mapping[str, int]
    selected: Mapping[Log, int]
    """How many events of each log some rule selects."""
    rules: tuple[RuleFound, ...]

    @property
    def days(self) -> float:
        """How many days, one at least."""
        return max(1.0, (self.until - self.since).total_seconds() / DAY_S)
