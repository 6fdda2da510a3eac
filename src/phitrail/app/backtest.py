"""Rules over history: what they would have told, as a read of the logs that is recorded.

1. The rules are judged over the tables (`app.backtest_rules`), which hold what the logs hold;
   `as_of` says up to which sizes.
2. As with every other read, entries under a compromised key are refused.
3. One `audit_log_read` for each log that was read is recorded, with the digest of what was
   asked, before anything is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from phitrail.app.backtest_answer import Backtest
from phitrail.app.backtest_rules import Between, History
from phitrail.app.documents import keep_document
from phitrail.app.quarantine import check_all_rows
from phitrail.app.reading import record_read
from phitrail.app.rules import own_files, rules_of
from phitrail.app.tables import open_tables
from phitrail.app.wiring import Trail
from phitrail.detect.digest import digest_of
from phitrail.detect.enrich import Zones
from phitrail.detect.scan import logs_of
from phitrail.detect.sweep import MOST_THRESHOLDS
from phitrail.detect.typed import Rule
from phitrail.errors import InputError
from phitrail.events.codes import Action, Log
from phitrail.events.ids import format_time

REASON_CODE: Final = "rule_backtest"
MEMORY_MB: Final = 2_048


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked: which rules, from when on, before when, which other thresholds."""

    rules: tuple[Rule, ...]
    since: datetime | None = None
    until: datetime | None = None
    thresholds: tuple[int, ...] = ()
    top: int = 5

    def text(self) -> bytes:
        """Write it, for the record of the read."""
        return msgspec.json.encode(
            {
                "rules": {one.head.rule_id: digest_of(one) for one in self.rules},
                "since": None if self.since is None else format_time(self.since),
                "until": None if self.until is None else format_time(self.until),
                "thresholds": self.thresholds,
            }
        )


def backtest(trail: Trail, asked: Asked, *, by: str, now: datetime) -> Backtest:
    """Judge rules over history, and record that their logs were read.

    Raises:
        InputError: the time or a threshold does not fit, or it took too long.
        RefusedError: an entry is in quarantine: its key is compromised.
        IntegrityError: tables or log are damaged; the message says what to run.
        StorageError: it could not be answered or recorded; nothing is shown.
    """
    _check(asked)
    check_all_rows(trail)
    between = Between(_micros(asked.since), _micros(asked.until))
    zones = Zones(trail.tenant.facility_zones, trail.tenant.holidays)
    with open_tables(trail, now, memory_mb=MEMORY_MB) as tables:
        history = History(tables, zones, between)
        selected = history.scan(asked.rules)
        recorded = history.read_recorded()
        found = tuple(
            history.judge(rule, thresholds=asked.thresholds, top=asked.top)
            for rule in asked.rules
        )
        first, last = history.times(tuple(selected))
        as_of = dict(tables.as_of)
    read = {Log.SECURITY: recorded} | dict.fromkeys(_logs(asked.rules), 0)
    digest = keep_document(trail, asked.text())
    for log, count in read.items():
        record_read(
            trail,
            log,
            by=by,
            reason_code=REASON_CODE,
            result_count=selected.get(log, 0) + count,
            object_digest=digest,
            action=Action.QUERY,
            now=now,
        )
    return Backtest(
        asked.since or first or now, asked.until or last or now, as_of, selected, found
    )


def choose_rules(directory: Path, wanted: Sequence[str]) -> tuple[Rule, ...]:
    """Choose rules of a trail by name or id; all that make alerts where none is named.

    Raises:
        InputError: no rule has that name or id, or a rule file is broken.
        StorageError: a rule file cannot be read.
    """
    known = rules_of(own_files(directory)).set
    if not wanted:
        return known.judged()
    named = {
        name: rule
        for rule in known.rules
        for name in (rule.head.rule_id, rule.head.name)
        if name is not None
    }
    if not set(wanted) <= set(named):
        raise InputError.for_field(
            "RULE", "no rule has that name or id; see `phitrail rule list`"
        )
    return tuple(named[name] for name in dict.fromkeys(wanted))


def _logs(rules: Sequence[Rule]) -> frozenset[Log]:
    return frozenset().union(*(logs_of(rule) for rule in rules))


def _check(asked: Asked) -> None:
    if asked.since and asked.until and asked.since >= asked.until:
        raise InputError.for_field("--to", "must be after --from")
    if len(asked.thresholds) > MOST_THRESHOLDS or any(t < 0 for t in asked.thresholds):
        raise InputError.for_field(
            "--threshold", f"at most {MOST_THRESHOLDS} whole numbers"
        )


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1_000_000)
