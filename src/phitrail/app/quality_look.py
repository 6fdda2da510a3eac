"""One look at the quality of all models: verdicts, and what of them is news.

Verdicts follow from the log and `as_of`; what was said already is read from the security
log. So a look can be had again, and records nothing a second time.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta

from phitrail.app.config import read_policy
from phitrail.app.pins import read_pins
from phitrail.app.quality_compare import Wanted, check_asked, pairs_of
from phitrail.app.rules import ALERT_SCHEMA
from phitrail.app.tables import open_tables
from phitrail.app.wiring import Trail
from phitrail.errors import ConflictError
from phitrail.events.alert import Alert
from phitrail.events.canonical import decode_leaf
from phitrail.events.codes import Log
from phitrail.projection.tables import Tables
from phitrail.quality.alert_words import RULE_PREFIX
from phitrail.quality.alerts import Look, moves_of
from phitrail.quality.family import Asked, compare_family
from phitrail.quality.verdict import Comparison
from phitrail.quality.versions import Pair

_SAID = (
    "SELECT idx FROM security WHERE schema = ? AND starts_with(rule_id, ?) ORDER BY idx"
)


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look found, and the moves of alerts that it recorded."""

    as_of: datetime
    found: tuple[tuple[Pair, Comparison], ...]
    moves: tuple[Alert, ...]


def watch_quality(
    trail: Trail,
    as_of: datetime,
    *,
    now: datetime,
    progress: Callable[[int, int], None] | None = None,
) -> Looked:
    """Look once, and record what is new.

    Raises:
        InputError: the tables took too long.
        RefusedError: entries of the quality log are in quarantine.
        IntegrityError: tables or log are damaged; the message says what to run.
        StorageError: a file cannot be read, or nothing was recorded.
    """
    policy = read_policy(trail.directory).quality
    asked = Asked(
        as_of, timedelta(hours=policy.ratings_ripen_hours), policy.false_discovery
    )
    check_asked(trail, asked, now)
    with open_tables(trail, now) as tables:
        pairs = pairs_of(tables, Wanted(), asked)
        found = compare_family(tables, pairs, asked, progress)
        said = _said(trail, tables)
    family = max((one.family_size for _, one in found), default=0)
    trail_id = read_pins(trail.directory)[Log.AUDIT].genesis.trail_id
    moves = moves_of(found, said, Look(trail_id, as_of, family))
    recorded = [move for move in moves if _record(trail, move, now)]
    return Looked(as_of, found, tuple(recorded))


def _said(trail: Trail, tables: Tables) -> list[Alert]:
    """Read the newest move of each alert of quality; what people said is left out."""
    rows = tables.ask(_SAID, [ALERT_SCHEMA, RULE_PREFIX]).to_pylist()
    newest: dict[str, Alert] = {}
    with closing(trail.reader(Log.SECURITY)) as reader:
        for row in rows:
            record = decode_leaf(reader.entry(row["idx"]))
            assert isinstance(record, Alert)  # noqa: S101 - asked by its schema
            if record.note_digest is None:
                newest[record.alert_id] = record
    return list(newest.values())


def _record(trail: Trail, move: Alert, now: datetime) -> bool:
    try:
        trail.recorder.record(move, now)
    except ConflictError:
        return False  # said meanwhile by a process that looked at another hour
    return True
