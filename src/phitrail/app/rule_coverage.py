"""Which windows each rule was judged over, and which it was not.

1. A rule is judged from when on its windows were whole until the log's clock as it stood at
   the last report; a rule that means something else by now was never judged.
2. It is behind by the age of what is committed and not judged: nothing where all is.
3. Its gaps are those of all rules and its own (`Gap.reason`): `beyond_horizon` rows came too
   late, `state_cap` groups had no room, `warm_up` rows were too many to be read again when it
   was put in force, `unattended` nobody judged, and the rows were judged later.
"""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from phitrail.app.detect_state import Coverage, Gap, Report, Standing, read_report
from phitrail.app.pins import JOURNAL
from phitrail.app.rules import TrailRules
from phitrail.detect.digest import digest_of
from phitrail.detect.typed import Rule
from phitrail.events.codes import Log
from phitrail.tlog.journal import Journal

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RuleCoverage:
    """One rule: what it judged (None: nothing), how far behind it is, its gaps."""

    rule: Rule
    judged: Coverage | None
    lag_s: float | None
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class TrailCoverage:
    """The rules of a trail; `unjudged` entries are committed and not judged."""

    standing: Standing | None
    rules: tuple[RuleCoverage, ...]
    gaps: tuple[Gap, ...]
    unjudged: int

    @property
    def has_failed(self) -> bool:
        """Whether detection stopped, or a rule never ran where others did."""
        if self.standing is None:
            return False
        is_missing = any(one.judged is None for one in self.rules)
        return bool(self.standing.failure) or is_missing


def read_coverage(directory: Path, rules: TrailRules, now: datetime) -> TrailCoverage:
    """Read what each rule that makes alerts was judged over.

    Raises:
        StorageError: a file cannot be read.
    """
    report = read_report(directory)
    unjudged = _unjudged(directory, report)
    return TrailCoverage(
        None if report is None else report.standing,
        tuple(_of_rule(rule, report, unjudged, now) for rule in rules.set.judged()),
        () if report is None else report.gaps,
        unjudged,
    )


def _of_rule(
    rule: Rule, report: Report | None, unjudged: int, now: datetime
) -> RuleCoverage:
    if report is None:
        return RuleCoverage(rule, None, None, ())
    gaps = tuple(one for one in report.gaps if one.rule_id in {"", rule.head.rule_id})
    judged = report.coverage.get(rule.head.rule_id)
    if judged is None or judged.digest != digest_of(rule):
        return RuleCoverage(rule, None, None, gaps)
    until = _EPOCH + timedelta(microseconds=judged.until_us)
    lag_s = max(0.0, (now - until).total_seconds()) if unjudged else 0.0
    within = tuple(one for one in gaps if one.rule_id or one.until_us > judged.since_us)
    return RuleCoverage(rule, judged, lag_s, within)


def _unjudged(directory: Path, report: Report | None) -> int:
    """Count what is committed and not judged."""
    with closing(Journal.open(directory / JOURNAL, read_only=True)) as journal:
        sizes: Mapping[Log, int] = {
            log: journal.head(log.value).size for log in tuple(Log)
        }
    if report is None:
        return sum(sizes.values())
    batch = report.standing.batch
    return sum(max(0, size - batch.end(log)) for log, size in sizes.items())
