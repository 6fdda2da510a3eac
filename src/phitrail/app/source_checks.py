"""Completeness of a trail's sources: numbers from the tables, proofs from the log.

The numbers are `projection.completeness`. For each epoch it is checked against the log that
its opening was signed with the credential that was registered at that time: an epoch
without such a proof was numbered by somebody else.
"""

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta

from phitrail.app.pins import read_pins
from phitrail.app.tables import open_tables
from phitrail.app.wiring import Trail
from phitrail.capture.source import check_opening
from phitrail.errors import IntegrityError
from phitrail.events.audit import AuditEvent
from phitrail.events.canonical import decode_leaf
from phitrail.events.codes import Log
from phitrail.projection.completeness import Epoch, SourcesRead, read_completeness
from phitrail.projection.tables import Tables
from phitrail.tlog.note import VerifierKey, parse_vkey
from phitrail.tlog.reader import LogReader

_REGISTERED = (
    "SELECT object_id, source_vkey, idx FROM audit "
    "WHERE event_type = 'source_registered' ORDER BY idx"
)


def read_sources_state(
    trail: Trail, since: datetime, until: datetime, now: datetime
) -> SourcesRead:
    """Read what every source sent within a window, and what is missing of it.

    Raises:
        IntegrityError: tables or log are damaged; the message says what to run.
        StorageError: a file cannot be read.
    """
    with open_tables(trail, now) as tables:
        found = read_completeness(
            tables,
            since,
            min(until, now),
            late_after=timedelta(seconds=trail.policy.source_late_after_s),
            silent_after=timedelta(seconds=trail.policy.source_silent_after_s),
        )
        unproven = find_unproven(trail, tables, found.epochs)
        return SourcesRead(found, unproven, dict(tables.as_of))


def find_unproven(
    trail: Trail, tables: Tables, epochs: Sequence[Epoch]
) -> dict[tuple[str, int], str]:
    """Say of which epochs nobody can tell who opened them, and why.

    Raises:
        IntegrityError: the genesis of the audit log cannot be read.
        StorageError: a file cannot be read.
    """
    keys = _registrations(tables)
    trail_id = read_pins(trail.directory)[Log.AUDIT].genesis.trail_id
    unproven = {}
    with closing(trail.behind_glass().reader(Log.AUDIT)) as reader:
        for epoch in epochs:
            try:
                _check(reader, epoch, keys, trail_id)
            except IntegrityError as error:
                unproven[epoch.source_id, epoch.epoch] = str(error)
    return unproven


def _registrations(tables: Tables) -> list[tuple[str, VerifierKey, int]]:
    rows = tables.ask(_REGISTERED).to_pylist()
    return [(r["object_id"], parse_vkey(r["source_vkey"]), r["idx"]) for r in rows]


def _check(
    reader: LogReader,
    epoch: Epoch,
    keys: Sequence[tuple[str, VerifierKey, int]],
    trail_id: str,
) -> None:
    """Check the proof of an epoch.

    1. Its opening stands in the audit log.
    2. The source was registered before, and the newest credential of then signed it.

    Raises:
        IntegrityError: names what is missing.
    """
    if epoch.opening is None or epoch.opening[0] != Log.AUDIT:
        raise IntegrityError("step 1: the event that opened this epoch is missing")
    index = epoch.opening[1]
    event = decode_leaf(reader.entry(index))
    known = [
        key for source, key, at in keys if source == epoch.source_id and at < index
    ]
    if not known:
        raise IntegrityError("step 2: this source was not registered when it began")
    if not isinstance(event, AuditEvent):
        raise IntegrityError("step 1: the event that opened this epoch is another one")
    try:
        check_opening(event, trail_id, known[-1])
    except IntegrityError as error:
        raise IntegrityError(f"step 2: {error}") from error
