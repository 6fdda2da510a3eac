"""Asking a trail what its models did: metrics over a window, by group, as of a time.

1. A summary shows counts, means and rates; no entry, no person, no rater. So it is not
   recorded as a read of the log, as little as `status` is: programs ask for it every
   minute. Whoever wants to see entries asks `log query`, which is recorded.
2. What a compromised key sealed is refused as everywhere (`app.quarantine`).
3. Nothing is answered for a time that has not come: it would be another answer later.
"""

from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from phitrail.app.quarantine import check_rows
from phitrail.app.tables import open_tables
from phitrail.app.wiring import Trail
from phitrail.errors import InputError
from phitrail.events.codes import Log, QualityMetric
from phitrail.quality.as_of import AsOf
from phitrail.quality.metric import CLASSIC, METRICS, Kind
from phitrail.quality.sql import Scope
from phitrail.quality.summary import Summary, count_unmatched, summarize
from phitrail.quality.windows import TOGETHER, Dimension, Grouping

MOST_HOURS: Final = 24 * 366 * 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked; `as_of` is now where it is not said, unmatched ratings if wanted."""

    window: timedelta
    as_of: datetime | None = None
    maturity: timedelta | None = None
    metrics: tuple[QualityMetric, ...] = tuple(METRICS)
    only: tuple[tuple[Dimension, str], ...] = ()
    grouping: Grouping = TOGETHER
    has_unmatched: bool = False

    def scope(self, now: datetime) -> Scope:
        """Say what that is in the tables.

        Raises:
            InputError: names the field and the rule.
        """
        if not timedelta(0) < self.window <= timedelta(hours=MOST_HOURS):
            raise InputError.for_field("window", "more than nothing, at most 20 years")
        if self.as_of is not None and self.as_of > now:
            raise InputError.for_field("as_of", "a time that is over")
        view = AsOf(self.as_of or now, self.maturity)
        return Scope(
            view=view,
            since=view.until - self.window,
            metrics=self.metrics,
            only=self.only,
            grouping=self.grouping,
        )


def answer_quality(trail: Trail, asked: Asked, *, now: datetime) -> Summary:
    """Measure what is asked.

    Raises:
        InputError: names the field and the rule, or it took too long.
        RefusedError: entries of the quality log are in quarantine.
        IntegrityError: tables or log are damaged; the message says what to run.
        StorageError: a file cannot be read.
    """
    scope = asked.scope(now)
    with closing(trail.journal()) as journal:
        size = journal.head(Log.QUALITY.value).size
    check_rows(trail, Log.QUALITY, range(size))
    with open_tables(trail, now) as tables:
        found = summarize(tables, scope)
        if not asked.has_unmatched:
            return found
        return replace(found, unmatched=count_unmatched(tables, scope))


def classic_metrics(
    trail: Trail, window: timedelta, *, now: datetime
) -> dict[str, float | int | None]:
    """Give the nine classic metrics by name, None where nothing was measured.

    Raises:
        InputError: the window is empty or too long.
        RefusedError: entries of the quality log are in quarantine.
        IntegrityError: tables or log are damaged; the message says what to run.
        StorageError: a file cannot be read.
    """
    cells = answer_quality(trail, Asked(window=window, metrics=CLASSIC), now=now).cells
    return {
        name.value: one.n if METRICS[name].kind is Kind.COUNT else one.value
        for cell in cells
        for name, one in cell.measured.items()
    }
