"""Rules judged over the rows of one trail, and the alerts of them recorded.

1. Rows are judged in batches. A batch that makes alerts is noted durably before they are
   recorded; after a crash the same batches are judged again from the last snapshot, and the
   alerts that the log has already are left out. So none is lost and none is doubled.
2. The clock is the log's own: the newest time of receipt, or this host's while nothing
   comes. The watermark is behind it (`detect.source_clock`); no source can make another one
   late.
3. A row that happened before the watermark is not judged here, and neither is a group that a
   rule has no room for: `app.detect_gaps` says so. History judges both.
4. Alerts of rules that read alerts feed no rule.
5. A rule that is new, or means something else, is warmed up (`app.detect_warm`).
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from msgspec.structs import replace

from phitrail.app.alert_completeness import KnownMissing
from phitrail.app.config import DetectSection
from phitrail.app.detect_gaps import GapBook, is_dated_by_a_clock, is_ours
from phitrail.app.detect_rows import Fed, RowFeed, Seen, received_us, take_batch
from phitrail.app.detect_state import (
    NOWHERE,
    Batch,
    Coverage,
    DetectState,
    Gap,
    Standing,
)
from phitrail.app.detect_warm import WarmUp, alerts_since
from phitrail.app.documents import keep_document
from phitrail.app.rules import TrailRules, reads_alerts
from phitrail.app.wiring import Trail
from phitrail.detect.alert_marks import ref_of
from phitrail.detect.alert_said import close_orphans
from phitrail.detect.alerts import SUBJECTS, AlertBook, Cause
from phitrail.detect.digest import digest_of
from phitrail.detect.enrich import Zones
from phitrail.detect.snapshot import dump_tail, load_tail, name_of
from phitrail.detect.source_clock import Patience, Skew, SourceClock
from phitrail.detect.tail import Tail
from phitrail.detect.typed import Correlation
from phitrail.errors import ConflictError, InputError
from phitrail.events.alert import Alert
from phitrail.events.canonical import CallerRecord, LeafRecord
from phitrail.events.codes import EventType
from phitrail.events.ids import format_time, parse_time

BATCH_ROWS = 2_048
RECORDED_AT_ONCE = 100
IDLE_US = 1_000_000
UNATTENDED, UNATTENDED_US = "unattended", 120_000_000


class Engine:
    """Judges the rows of one trail; for one thread, under the lock of detection."""

    def __init__(
        self,
        trail: Trail,
        trail_id: str,
        state: DetectState,
        rules: TrailRules,
        settings: DetectSection,
    ) -> None:
        """Open what is read; nothing is judged yet (`begin`).

        Raises:
            StorageError: the journal cannot be opened.
        """
        self._trail = trail
        self._trail_id = trail_id
        self._state = state
        self._settings = settings
        self._zones = Zones(trail.tenant.facility_zones, trail.tenant.holidays)
        self._patience = patience_of(settings)
        self._place = NOWHERE
        self._unsaved: list[Batch] = []
        self._waiting: list[CallerRecord] = []
        keep = partial(keep_document, trail)
        self._gaps = GapBook(trail_id, keep)
        self._missing = KnownMissing(keep)
        self._clock = SourceClock(self._patience)
        self._coverage: dict[str, Coverage] = {}
        self._alert_counts: dict[str, int] = {}
        self._rows_since_snapshot = 0
        self._take_up(rules)
        self._feed = RowFeed(trail)

    def close(self) -> None:
        """Close what is read."""
        self._feed.close()

    @property
    def rows_since_snapshot(self) -> int:
        """How many rows a crash would have judged again."""
        return self._rows_since_snapshot

    # --- beginning ---

    def begin(self, now: datetime) -> None:
        """Go on from the last snapshot, and judge again what was judged since.

        Raises:
            IntegrityError: an entry or the snapshot is damaged.
            StorageError: something cannot be read, or alerts cannot be recorded.
        """
        self._coverage = self._state.coverage()
        self._note_unattended(now)
        known = self._state.snapshot()
        if known is not None:
            self._place, tail = known
            self._load(tail)
        for batch in self._state.batches():
            rows = list(self._feed.rows(self._place.ends, batch.ends))
            self._waiting += self._judge(rows, batch)
        self._flush(now)
        if self._since_us:
            self.save()  # rules were warmed up: what they know must not be made again

    def _note_unattended(self, now: datetime) -> None:
        """Say from when until when nobody judged, where somebody recorded meanwhile."""
        before = self._state.standing()
        if before is None:
            return
        rows = sum(self._feed.sizes()) - sum(before.batch.ends)
        from_us, until_us = _us(parse_time(before.looked_at)), _us(now)
        if rows > 0 and until_us - from_us >= UNATTENDED_US:
            self._gaps.add(Gap(UNATTENDED, from_us, until_us, rows))

    def change_rules(self, rules: TrailRules, now: datetime) -> None:
        """Judge by other rules from here on; those that mean the same go on as they were.

        Raises:
            StorageError: alerts could not be recorded, or the state not be kept.
        """
        self._flush(now)
        tail = self._dump()
        self._count()
        self._state.keep_snapshot(self._place, tail)
        self._take_up(rules)
        self._load(tail)
        self._flush(now)
        self.save()

    def _take_up(self, rules: TrailRules) -> None:
        judged = rules.set.judged()
        self._rules = {rule.head.rule_id: rule for rule in judged}
        self._digests = {
            rule_id: digest_of(one) for rule_id, one in self._rules.items()
        }
        readers = frozenset(r.head.rule_id for r in judged if reads_alerts(r))
        self._seen = Seen(self._zones, readers)
        self._tail = Tail(judged, most_groups=self._settings.most_groups)
        self._book = AlertBook(
            self._trail_id,
            update_after_us=int(self._settings.update_after_s * 1_000_000),
            completeness=self._missing.digest,
        )
        self._counted: dict[str, int] = {}
        self._began_us = self._place.clock_us
        self._since_us: dict[str, int] = {}

    def _load(self, tail: bytes) -> None:
        restored = load_tail(self._tail, tail)
        self._clock.load(restored.sources)
        self._missing.load(*restored.missing)
        self._book.take_over(restored.episodes)
        said = alerts_since(self._feed, self._place)
        self._waiting += close_orphans(restored.orphans, said, self._digests)
        if restored.fresh:
            self._warm_up(restored.fresh)
        self._counted = self._tail.windows()

    def _dump(self) -> bytes:
        return dump_tail(self._tail, self._clock.dump(), self._missing.dump())

    def _warm_up(self, fresh: Sequence[Correlation]) -> None:
        """Let rules that are new know what they would know had they always been here."""
        warm_up = WarmUp(
            self._feed,
            self._seen,
            self._patience.lateness_us + self._patience.wait_us,
            self._settings.warm_up_rows,
            self._settings.most_groups,
        )
        warmed = warm_up.run(fresh, self._place, self._digests)
        warmed.tail.advance(self._tail.watermark or 0)
        alive = self._tail.adopt(warmed.tail.dump(name_of), fresh, name_of)
        self._waiting += self._book.take_up(alive, warmed.said, self._place.clock_us)
        for gap in warmed.gaps:
            self._gaps.add(gap)
        self._since_us.update(warmed.since_us)
        for rule in fresh:
            self._coverage.pop(rule.head.rule_id, None)

    # --- judging ---

    def look(self, now: datetime) -> int:
        """Judge what is committed and new; return how many rows that were.

        Raises:
            IntegrityError: an entry is missing or altered.
            StorageError: something cannot be read, or alerts cannot be recorded; they are
                recorded at the next look.
        """
        self._flush(now)
        rows = self._next_rows()
        clock_us = max([self._place.clock_us, *(received_us(row) for row in rows[-1:])])
        if not rows:
            now_us = _us(now)
            if not self._place.clock_us or now_us < self._place.clock_us + IDLE_US:
                return 0
            clock_us = now_us
        ends = self._feed.ends_after(self._place.ends, rows)
        batch = Batch(ends, clock_us)
        if self._unsaved and self._unsaved[-1].ends == ends:
            self._unsaved.pop()  # time alone went on: the later one says it all
        self._unsaved.append(batch)
        self._waiting += self._judge(rows, batch)
        self._flush(now)
        return len(rows)

    def _next_rows(self) -> list[Fed]:
        sizes = self._feed.sizes()
        if sizes == self._place.ends:
            return []
        return take_batch(self._feed.rows(self._place.ends, sizes), BATCH_ROWS)

    def _judge(self, rows: Sequence[Fed], batch: Batch) -> list[CallerRecord]:
        """Judge the rows of a batch; give what is to be recorded."""
        clock_us = self._place.clock_us
        found: list[CallerRecord] = []
        for row in rows:
            received = received_us(row)
            clock_us = max(clock_us, received)
            self._began_us = self._began_us or received
            found += self._judge_row(row, received, clock_us)
        clock_us = max(clock_us, batch.clock_us)
        changed = self._tail.advance(self._clock.watermark(clock_us))
        found += self._book.told(changed, clock_us, None)
        found += self._book.advance(self._tail.watermark or 0, clock_us)
        self._place = Batch(batch.ends, clock_us)
        self._rows_since_snapshot += len(rows)
        for alert in found:
            if isinstance(alert, Alert) and alert.state == "open":
                count = self._alert_counts.get(alert.rule_id, 0)
                self._alert_counts[alert.rule_id] = count + 1
        return [*found, *self._gaps.events(clock_us, self._tail.take_evicted())]

    def _judge_row(self, fed: Fed, received: int, clock_us: int) -> list[Alert]:
        at_us = self._seen.instant(fed.record)
        if at_us is None:
            return []
        self._missing.see(fed.record, at_us, ref_of(fed.log, fed.idx))
        if not is_ours(fed.record):
            self._hear(fed.record, at_us, received)
        row = self._seen.row(fed.record, at_us)
        before = self._tail.beyond
        changed = self._seen.give(self._tail, fed, at_us, row)
        if self._tail.beyond != before and not is_ours(fed.record):
            self._gaps.beyond(at_us)
        if not changed:
            return []
        return self._book.told(changed, clock_us, Cause(at_us, received, row))

    def _hear(self, record: LeafRecord, at_us: int, received: int) -> None:
        """Take what a source says of the time."""
        source: str | None = getattr(record, "source_id", None)
        is_of_spool = False
        if source is not None:
            epoch: int = getattr(record, "source_epoch", None) or 0
            self._clock.hear(source, epoch, at_us, received)
            is_of_spool = self._is_of_spool(record, source)
        skew = self._patience.skew(at_us, received)
        if skew is Skew.BEHIND and is_of_spool:
            return
        if skew is not None and is_dated_by_a_clock(record):
            name = source or getattr(record, "service_component", None) or ""
            self._gaps.skewed(skew, name, received)

    def _is_of_spool(self, record: LeafRecord, source: str) -> bool:
        """Say whether a row came out of a spool, its first and last word among them."""
        kind = getattr(record, "event_type", None)
        was_replaying = self._clock.is_replaying(source)
        if kind in {EventType.SPOOL_STARTED, EventType.SPOOL_REPLAYED}:
            self._clock.replay(source, begins=kind is EventType.SPOOL_STARTED)
        return was_replaying or self._clock.is_replaying(source)

    # --- recording ---

    def _flush(self, now: datetime) -> None:
        """Record what waits; what the log has already is left out."""
        if not self._waiting:
            return
        if self._unsaved:
            self._state.intend(self._unsaved)
            self._unsaved = []
        while self._waiting:
            chunk = self._waiting[:RECORDED_AT_ONCE]
            fresh = [
                one for one in chunk if not self._feed.is_known(one.event_id or "")
            ]
            if fresh:
                self._record(fresh, now)
            del self._waiting[: len(chunk)]

    def _record(self, records: Sequence[CallerRecord], now: datetime) -> None:
        try:
            self._trail.recorder.record_many(records, now)
        except (ConflictError, InputError):
            for one in records:
                self._record_one(one, now)

    def _record_one(self, record: CallerRecord, now: datetime) -> None:
        """Record one; a subject whose term the tenant has dropped since is left out."""
        try:
            self._trail.recorder.record(record, now)
        except ConflictError:
            return  # somebody else told it
        except InputError:
            if not isinstance(record, Alert):
                raise
            bare = replace(record, **dict.fromkeys(SUBJECTS))
            self._trail.recorder.record(bare, now)

    # --- keeping ---

    def save(self) -> None:
        """Keep where the tail stands; the alerts up to here are recorded.

        Raises:
            StorageError: it was not kept.
        """
        self._state.keep_snapshot(self._place, self._dump())
        self._unsaved = []
        self._rows_since_snapshot = 0

    def report(
        self, now: datetime, *, failure: str = "", rules_error: str = ""
    ) -> None:
        """Keep how detection stands, for `status` and `rule list`.

        Raises:
            StorageError: it was not kept.
        """
        watermark_us = self._tail.watermark or 0
        standing = Standing(
            format_time(now), self._place, watermark_us, failure, rules_error
        )
        self._count()
        self._state.report(standing, self._coverage.values(), self._gaps.take())

    def _count(self) -> None:
        """Add to the coverage of each rule what was judged since this was last done."""
        windows, clock_us = self._tail.windows(), self._place.clock_us
        for rule_id, digest in self._digests.items():
            known = self._coverage.get(rule_id)
            if known is None or known.digest != digest:
                since_us = self._since_us.get(rule_id, self._began_us or clock_us)
                known = Coverage(rule_id, digest, since_us, clock_us, 0, 0)
            judged = windows[rule_id] - self._counted.get(rule_id, 0)
            self._coverage[rule_id] = Coverage(
                rule_id,
                digest,
                known.since_us,
                clock_us,
                known.windows + judged,
                known.alerts + self._alert_counts.pop(rule_id, 0),
            )
        self._coverage = {one: self._coverage[one] for one in self._digests}
        self._counted = windows


def _us(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)


def patience_of(settings: DetectSection) -> Patience:
    """Write a policy's seconds as microseconds."""
    return Patience(
        *(
            int(seconds * 1_000_000)
            for seconds in (
                settings.lateness_s,
                settings.wait_s,
                settings.idle_s,
                settings.ahead_s,
                settings.behind_s,
            )
        )
    )
