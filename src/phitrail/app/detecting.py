"""Judges rules beside the publisher: what is committed now is an alert within a moment.

1. One process of a trail judges: the one that publishes and has the lock of detection. It
   looks at the heads of the logs every `LOOK_EVERY_S`, reads what is new, and records alerts
   through the door that everybody uses. Who records waits for none of it.
2. Rules are read when there is something to judge, and again when a file in `rules/`, or
   tenant.yaml, changed. Files that cannot be read leave the rules as they are, and `status`
   says why; at a start, the newest files that could be read are used.
3. What goes wrong here stops this stage and nothing else; `failure` and `status` say what it
   was. A disk or a vault that does not answer is asked again.
4. Closing judges what was committed until then, for `CLOSE_WITHIN_S` at most, and keeps
   where it stands. What is left is judged by the next one.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

from phitrail.app import clock
from phitrail.app.detect_engine import Engine
from phitrail.app.detect_state import DETECT_LOCK, DetectState
from phitrail.app.rules import RuleFiles, TrailRules, own_files, rules_of, signature_of
from phitrail.app.wiring import Trail
from phitrail.detect.digest import digest_of
from phitrail.durable.lock import FileLock
from phitrail.errors import ConfigError, InputError, PhitrailError, StorageError
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.codes import ActorType, Assurance, AttributionBasis, EventType, Log
from phitrail.events.ids import format_time, new_uuid7
from phitrail.tlog.journal import Journal

LOOK_EVERY_S = 0.05
TRY_AGAIN_S = 1.0
REPORT_EVERY_US = 1_000_000
REPORT_AT_LEAST_EVERY_US = 60_000_000
RULES_EVERY_US = 2_000_000
SNAPSHOT_EVERY_US = 60_000_000
SNAPSHOT_ROWS = 50_000
REST = 20
CLOSE_WITHIN_S = 10.0
COMPONENT = "phitrail"
FOUNDING_ROWS = 1


class Detector:
    """Judges the rules of one trail while its process publishes."""

    def __init__(
        self,
        trail: Trail,
        trail_id: str,
        *,
        is_publishing: Callable[[], bool],
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._trail = trail
        self._trail_id = trail_id
        self._is_publishing = is_publishing
        self._look_every_s = look_every_s
        self._stop = threading.Event()
        self._work: _Work | None = None
        self._journal: Journal | None = None
        self.failure: Exception | None = None
        self._thread = threading.Thread(
            target=self._run, name="phitrail detection", daemon=True
        )

    def start(self) -> None:
        """Begin to look, where policy says so."""
        if self._trail.policy.detect.is_on:
            self._thread.start()

    def close(self) -> None:
        """Judge what is committed, keep where it stands, and stop."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        wait_s = self._look_every_s
        try:
            while not self._stop.wait(wait_s):
                wait_s = self._look_every_s
                try:
                    self._tick()
                except StorageError:
                    wait_s = TRY_AGAIN_S
            self._finish()
        except Exception as error:  # noqa: BLE001 - kept as `failure`, shown by `status`
            self._end(error)
        finally:
            if self._work is not None:
                self._work.close()
            if self._journal is not None:
                self._journal.close()

    def _tick(self) -> None:
        if self._work is None:
            if not self._is_publishing() or not self._has_rows():
                return
            self._work = _Work.open(self._trail, self._trail_id)
            if self._work is None:
                return  # somebody else judges
        self._work.go_on(clock.now())

    def _has_rows(self) -> bool:
        """Say whether a log holds more than its founding: until then nothing is loaded."""
        if self._journal is None:
            self._journal = self._trail.journal()
        heads = [self._journal.head(log) for log in self._trail.log_keys]
        return any(head.size > FOUNDING_ROWS for head in heads)

    def _finish(self) -> None:
        """Judge what came last; what cannot be kept now is judged again by the next one."""
        until_us = clock.monotonic_us() + int(CLOSE_WITHIN_S * 1_000_000)
        with suppress(StorageError):
            self._tick()
            while self._work is not None and clock.monotonic_us() < until_us:
                if not self._work.look(clock.now()):
                    break
            if self._work is not None:
                self._work.keep(clock.now())

    def _end(self, error: Exception) -> None:
        self.failure = error
        if self._work is not None:
            with suppress(PhitrailError):
                self._work.report(clock.now(), failure=_told(error))


class _Work:
    """The lock, the state and the engine of the one who judges."""

    def __init__(self, trail: Trail, trail_id: str, lock: FileLock) -> None:
        self._trail, self._trail_id, self._lock = trail, trail_id, lock
        self._state = DetectState(trail.directory, trail.log_keys[Log.AUDIT.value])
        self._engine: Engine | None = None
        self._rules_error = ""
        now_us = clock.monotonic_us()
        self._reported_us = self._saved_us = now_us
        self._rules_us = now_us
        self._rest_us = 0
        self._has_news = False

    @classmethod
    def open(cls, trail: Trail, trail_id: str) -> "_Work | None":
        """Take the lock and go on from where the state is; None where another one has it."""
        lock = FileLock(trail.directory / DETECT_LOCK)
        if not lock.try_acquire():
            lock.close()
            return None
        try:
            return cls(trail, trail_id, lock)
        except BaseException:
            lock.close()
            raise

    def close(self) -> None:
        """Give everything back."""
        if self._engine is not None:
            self._engine.close()
        self._state.close()
        self._lock.close()

    def go_on(self, now: datetime) -> None:
        """Look at rules and rows, and keep what is due."""
        now_us = clock.monotonic_us()
        if self._engine is None:
            self._begin(now)
        elif now_us - self._rules_us >= RULES_EVERY_US:
            self._rules_us = now_us
            self._look_at_rules(now)
        self.look(clock.now())  # to begin may have taken seconds
        if self._is_snapshot_due(now_us):
            self._save(now_us)
        since_us = now_us - self._reported_us
        every_us = REPORT_EVERY_US if self._has_news else REPORT_AT_LEAST_EVERY_US
        if since_us >= every_us:
            self.report(now)

    def look(self, now: datetime) -> int:
        """Judge what is new; say how many rows that were."""
        if self._engine is None:
            return 0
        count = self._engine.look(now)
        self._has_news = self._has_news or count > 0
        return count

    def keep(self, now: datetime) -> None:
        """Keep everything."""
        if self._engine is None:
            return
        if self._has_news or self._engine.rows_since_snapshot:
            self._engine.save()
        self.report(now)

    def report(self, now: datetime, *, failure: str = "") -> None:
        """Keep how detection stands."""
        if self._engine is not None:
            self._engine.report(now, failure=failure, rules_error=self._rules_error)
            self._reported_us = clock.monotonic_us()
            self._has_news = False

    def _is_snapshot_due(self, now_us: int) -> bool:
        if self._engine is None or not self._engine.rows_since_snapshot:
            return False
        is_much = self._engine.rows_since_snapshot >= SNAPSHOT_ROWS
        wait_us = self._rest_us if is_much else max(self._rest_us, SNAPSHOT_EVERY_US)
        return now_us - self._saved_us >= wait_us

    def _save(self, now_us: int) -> None:
        assert self._engine is not None  # noqa: S101 - asked before
        self._engine.save()
        self._saved_us = clock.monotonic_us()
        self._rest_us = REST * (self._saved_us - now_us)  # a large state is kept rarely

    # --- rules ---

    def _begin(self, now: datetime) -> None:
        self._signature = signature_of(self._trail.directory)
        kept = self._state.rule_files()
        files, rules = self._read() or (kept, rules_of(kept))
        engine = Engine(
            self._trail, self._trail_id, self._state, rules, self._trail.policy.detect
        )
        try:
            engine.begin(now)
        except BaseException:
            engine.close()
            raise
        self._engine = engine
        self._take_files(kept, files, rules, now)

    def _look_at_rules(self, now: datetime) -> None:
        assert self._engine is not None  # noqa: S101 - begun before
        signature = signature_of(self._trail.directory)
        if signature == self._signature:
            return
        read = self._read()
        if read is not None:
            files, rules = read
            self._engine.change_rules(rules, now)
            self._take_files(self._state.rule_files(), files, rules, now)
        self._signature = signature
        self.report(now)

    def _read(self) -> tuple[RuleFiles, TrailRules] | None:
        """Read rules; where that fails, say so and give none."""
        try:
            files = own_files(self._trail.directory)
            rules = rules_of(files)
        except (InputError, ConfigError) as error:
            self._rules_error = str(error)
            self._has_news = True
            return None
        self._rules_error = ""
        return files, rules

    def _take_files(
        self, kept: RuleFiles, files: RuleFiles, rules: TrailRules, now: datetime
    ) -> None:
        """Record which rules of the house are others now, then keep their files."""
        if files == kept:
            return
        before = _own_digests(rules_of(kept))
        events = rule_events(before, _own_digests(rules), now)
        if events:
            self._trail.recorder.record_many(events, now)
        self._state.keep_rule_files(files)


def rule_events(
    before: dict[str, str], after: dict[str, str], now: datetime
) -> Sequence[CallerEvent]:
    """Make the events that say which rules of the house were added, changed, removed."""
    changes = [
        *(
            (EventType.RULE_ADDED, one, after[one])
            for one in after
            if one not in before
        ),
        *(
            (EventType.RULE_CHANGED, one, after[one])
            for one in after
            if one in before and before[one] != after[one]
        ),
        *(
            (EventType.RULE_REMOVED, one, before[one])
            for one in before
            if one not in after
        ),
    ]
    return [
        AuditEvent(
            event_type=kind,
            event_id=new_uuid7(now),
            timestamp_utc=format_time(now),
            actor_type=ActorType.SERVICE,
            attribution_basis=AttributionBasis.STATIC,
            object_id=rule_id,
            object_digest=digest,
            service_component=COMPONENT,
            assurance=Assurance.ENFORCED,
        )
        for kind, rule_id, digest in changes
    ]


def _own_digests(rules: TrailRules) -> dict[str, str]:
    """Say what each rule of the house means."""
    return {
        rule.head.rule_id: digest_of(rule)
        for rule in rules.set.rules
        if rules.is_own(rule)
    }


def _told(error: Exception) -> str:
    """Say what ended detection; of a bug only its kind, since its text may hold content."""
    if isinstance(error, PhitrailError):
        return str(error)
    return f"a bug in phitrail: {type(error).__name__}; please report it"
