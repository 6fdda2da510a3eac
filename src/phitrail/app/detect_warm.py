"""A rule that is put in force where rows stand already: what it would remember of them.

1. Rows of twice the time that its windows reach back are judged again, by the rules that are
   new and nothing else, up to the place where the others are. From there on they know what
   they would know had they always been in force: there is no blind time after a deployment.
2. At most `most_rows` rows of each log are read. Where that is not enough, it is said: a gap
   from where the windows reach back to, until where rows were read from.
3. What began before the deployment and goes on is an alert now; what is over is history,
   which `rule backtest` judges. Alerts that the log has already are gone on with
   (`detect.alerts`), so a rule that is taken out and put back tells nothing twice.
4. Everything follows from the rows up to that place: after a crash the same rows are judged
   again, and the same alerts come of them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from phitrail.app.detect_rows import RowFeed, Seen, received_us
from phitrail.app.detect_state import Batch, Gap
from phitrail.app.rules import ALERT_SCHEMA
from phitrail.detect.alert_marks import time_of
from phitrail.detect.tail import Tail
from phitrail.detect.typed import Correlation, Rule
from phitrail.events.alert import Alert
from phitrail.events.canonical import encode_canonical
from phitrail.events.codes import Log

WARM_UP = "warm_up"
ADVANCE_EVERY = 2_048
TIMES = 2


@dataclass(frozen=True, slots=True)
class Warmed:
    """What came of the rows.

    Attributes:
        tail: the rules, with what they remember.
        said: what the log holds of alerts of these rules.
        since_us: from when on the windows of each rule are whole, by id.
        gaps: what could not be read.
    """

    tail: Tail
    said: tuple[Alert, ...] = ()
    since_us: Mapping[str, int] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True)
class WarmUp:
    """How rules are warmed up: the rows, how rules see them, and how much is read."""

    feed: RowFeed
    seen: Seen
    lateness_us: int
    most_rows: int
    most_groups: int

    def run(
        self, rules: Sequence[Correlation], place: Batch, digests: Mapping[str, str]
    ) -> Warmed:
        """Judge what the windows of these rules reach back to.

        Args:
            rules: correlations that are new.
            place: up to where rows are judged.
            digests: what each rule means, by its id.

        Raises:
            IntegrityError: an entry is missing or altered.
            StorageError: it cannot be read.
        """
        tail = Tail(tuple(rules), most_groups=self.most_groups)
        reach_us = max(reach_of(rule) for rule in rules)
        wanted_us = place.clock_us - self.lateness_us - TIMES * reach_us
        starts = self.feed.starts_at(time_of(wanted_us), place.ends)
        read_us, starts = self._within_bounds(wanted_us, starts, place)
        said: list[Alert] = []
        clock_us = 0
        rows = self.feed.rows(starts, place.ends, _wanted(tail))
        for number, fed in enumerate(rows, start=1):
            record = fed.record
            if isinstance(record, Alert) and _is_of(record, digests):
                said.append(record)
            at_us = self.seen.instant(record)
            if at_us is not None:
                self.seen.give(tail, fed, at_us)
            clock_us = max(clock_us, received_us(fed))
            if number % ADVANCE_EVERY == 0:  # a year of rows is not kept at once
                tail.advance(clock_us - 2 * self.lateness_us)
        return Warmed(
            tail,
            (
                *said,
                *(
                    one
                    for one in alerts_since(self.feed, place)
                    if _is_of(one, digests)
                ),
            ),
            {
                rule.head.rule_id: min(place.clock_us, read_us + reach_of(rule))
                for rule in rules
            },
            tuple(self._gaps(rules, read_us, place)),
        )

    def _within_bounds(
        self, wanted_us: int, starts: tuple[int, ...], place: Batch
    ) -> tuple[int, tuple[int, ...]]:
        """Begin later where a log has too many rows; say when that is."""
        latest_us = wanted_us
        for log, (start, end) in enumerate(zip(starts, place.ends, strict=True)):
            if end - start > self.most_rows:
                first = self.feed.received_at(log, end - self.most_rows, end)
                latest_us = max(latest_us, min(first, place.clock_us))
        if latest_us == wanted_us:
            return wanted_us, starts
        return latest_us, self.feed.starts_at(time_of(latest_us), place.ends)

    def _gaps(
        self, rules: Iterable[Correlation], read_us: int, place: Batch
    ) -> Iterable[Gap]:
        for rule in rules:
            begin_us = place.clock_us - self.lateness_us - reach_of(rule)
            if read_us > begin_us:
                yield Gap(WARM_UP, begin_us, read_us, 0, rule.head.rule_id)


def reach_of(rule: Rule) -> int:
    """Say how far back a rule can see at all: its span, and those of the rules it is over."""
    if not isinstance(rule, Correlation):
        return 0
    return rule.span_us + max(reach_of(source.rule) for source in rule.sources)


def alerts_since(feed: RowFeed, place: Batch) -> Iterator[Alert]:
    """Read the alerts that were told after a place: before a crash, or by other rules."""
    sizes = feed.sizes()
    starts = [
        place.end(log) if log is Log.SECURITY else size
        for log, size in zip(Log, sizes, strict=True)
    ]
    wanted = {Log.SECURITY: (encode_canonical(ALERT_SCHEMA),)}
    for fed in feed.rows(starts, sizes, wanted):
        if isinstance(fed.record, Alert):
            yield fed.record


def _wanted(tail: Tail) -> Mapping[Log, Sequence[bytes]]:
    """Say what a row holds that rules may select, or that tells of their alerts."""
    found = {}
    for log in Log:
        types = tail.event_types(log)
        if types is not None:
            texts = [encode_canonical(kind) for kind in sorted(types)]
            found[log] = (encode_canonical(ALERT_SCHEMA), *texts)
    return found


def _is_of(record: Alert, digests: Mapping[str, str]) -> bool:
    """Say whether detection made an alert, by a rule that meant the same."""
    is_ours = record.note_digest is None and record.window_start is not None
    return is_ours and digests.get(record.rule_id) == record.rule_digest
