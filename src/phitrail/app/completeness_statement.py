"""Making a completeness statement: read, record that it is made, sign.

1. The logs are looked at up to what is durable, or up to the sizes of an earlier statement
   that is made again: then all that follows from the logs is the same to the byte.
2. That it is made is one `audit_log_read` (`completeness_statement`), durable before
   anything is shown; the statement names that entry.
3. `known_to` gives the part that follows from the logs alone, for a report that carries it.

What the words claim is decided in `evidence.completeness_words`, what is missing in
`projection.completeness`.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from phitrail.app.documents import open_document
from phitrail.app.pins import read_pins
from phitrail.app.query import NOBODY, check_lookup_rate, record_lookup
from phitrail.app.reading import record_read
from phitrail.app.reconciliation import ReconciliationReport
from phitrail.app.source_checks import find_unproven
from phitrail.app.status import read_status
from phitrail.app.tables import open_tables
from phitrail.app.verification import verify_trail
from phitrail.app.wiring import OUTSIDE, Trail
from phitrail.errors import InputError, IntegrityError
from phitrail.events.codes import Action, Log
from phitrail.events.ids import format_time, parse_time
from phitrail.events.protected import Protected
from phitrail.events.shapes import OpaqueId, Surrogate
from phitrail.evidence.completeness_facts import (
    Window,
    read_missing,
    read_open,
    read_received,
    read_window_epochs,
)
from phitrail.evidence.completeness_statement import (
    LISTED,
    Compared,
    Known,
    LogAt,
    Made,
    Reconciled,
    Scope,
    Statement,
    Support,
    Thresholds,
    sign_statement,
)
from phitrail.evidence.completeness_words import words_of
from phitrail.identity.lookup import find_surrogate
from phitrail.projection.tables import Tables
from phitrail.tlog.outside import read_outside
from phitrail.tlog.proof import root_at
from phitrail.tlog.spelling import print_base64

REASON_CODE: Final = "completeness_statement"
_RECONCILED: Final = (
    "SELECT idx, timestamp_utc, object_digest FROM audit "
    "WHERE event_type = 'source_reconciled' ORDER BY idx DESC"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a statement is asked about; `patient_id` is exchanged for its surrogate."""

    since: datetime
    until: datetime
    patient: str | None = None
    patient_id: Protected[str] | None = None
    user: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class MadeStatement:
    """A statement and the signed note that it stands in."""

    statement: Statement
    note: bytes


def make_statement(
    trail: Trail,
    asked: Asked,
    *,
    by: str,
    now: datetime,
    again: Statement | None = None,
    is_verifying: bool = False,
) -> MadeStatement:
    """Say what is known of a window, sign it, and record that it was made.

    Args:
        trail: the open trail.
        asked: which window, and what in it.
        by: who asks.
        now: the present time.
        again: look at the logs as this statement did, with its thresholds.
        is_verifying: derive the logs anew as well; slow where they are long.

    Raises:
        InputError: the window is none, or a field does not have its shape.
        RefusedError: too many look-ups of identifiers within the hour.
        IntegrityError: tables or log are damaged; the message says what to run.
        StorageError: it could not be answered or recorded; nothing is shown.
    """
    scope = _scope(asked, now if again is None else parse_time(again.known.known_at))
    if asked.patient_id is not None:
        scope = _look_up(trail, scope, asked.patient_id, by=by, now=now)
    known = known_to(trail, scope, now, again=again)
    support = _support(trail, known, is_verifying=is_verifying)
    position = record_read(
        trail,
        Log.AUDIT,
        by=by,
        reason_code=REASON_CODE,
        result_count=known.received.total.events,
        action=Action.QUERY,
        now=now,
    )
    statement = Statement(
        known=known,
        support=support,
        made=Made(at=format_time(now), by=by, index=position.index),
        words=words_of(known, support),
    )
    signer = trail.log_keys[Log.AUDIT.value].checkpoint
    return MadeStatement(statement, sign_statement(statement, signer))


def known_to(
    trail: Trail, scope: Scope, now: datetime, *, again: Statement | None = None
) -> Known:
    """Say what is known of a scope from the logs alone; records and signs nothing.

    Raises:
        InputError: a log is smaller than `again` says, or it took too long.
        IntegrityError: tables or log are damaged, or not those of `again`.
        StorageError: a file cannot be read.
    """
    policy = trail.policy
    thresholds = Thresholds(
        silent_after_ms=round(policy.source_silent_after_s * 1000),
        late_after_ms=round(policy.source_late_after_s * 1000),
        unclosed_after_ms=round(policy.access_unclosed_after_s * 1000),
    )
    known_at = now
    if again is not None:
        thresholds, known_at = again.known.thresholds, parse_time(again.known.known_at)
    window = Window(parse_time(scope.since), parse_time(scope.until), known_at)
    with open_tables(
        trail, now, sizes=None if again is None else again.known.sizes
    ) as tables:
        epochs = read_window_epochs(tables, window, scope, thresholds)
        unproven = find_unproven(trail, tables, epochs)
        received = read_received(tables, window, scope, thresholds)
        known = Known(
            tenant=trail.tenant.tenant,
            trail_id=read_pins(trail.directory)[Log.AUDIT].genesis.trail_id,
            scope=scope,
            known_at=format_time(known_at),
            as_of=_as_of(trail, tables),
            thresholds=thresholds,
            received=received,
            missing=read_missing(tables, window, scope, epochs, unproven),
            reconciled=_reconciled(trail, tables, window, is_numbered=bool(epochs)),
            open=read_open(tables, window, scope, thresholds),
        )
    if again is not None and known.as_of != again.known.as_of:
        raise IntegrityError(
            "the logs are not those of the statement that is to be made again: their "
            "roots differ; run `phitrail verify --statement` with it"
        )
    return known


# --- what is asked ---


def _scope(asked: Asked, now: datetime) -> Scope:
    """Write what is asked; a window ends now at the latest.

    Raises:
        InputError: names the field and the rule.
    """
    until = min(asked.until, now)
    if asked.since >= until:
        raise InputError.for_field("--from", "must lie before --to, and in the past")
    if asked.patient is not None and asked.patient_id is not None:
        raise InputError.for_field("--patient", "goes without --patient-id")
    for field, value, shape in (
        ("--patient", asked.patient, Surrogate),
        ("--user", asked.user, OpaqueId),
        ("--source", asked.source, OpaqueId),
    ):
        try:
            msgspec.convert(value, shape | None)
        except msgspec.ValidationError:
            raise InputError.for_field(
                field, "does not have the shape that it must have"
            ) from None
    return Scope(
        since=format_time(asked.since),
        until=format_time(until),
        patient=asked.patient,
        user=asked.user,
        source=asked.source,
    )


def _look_up(
    trail: Trail, scope: Scope, patient: Protected[str], *, by: str, now: datetime
) -> Scope:
    with open_tables(trail, now) as tables:
        check_lookup_rate(trail, tables, by=by, now=now)
    surrogate = find_surrogate(trail.identity, trail.tenant.identity.patient, patient)
    record_lookup(
        trail, by=by, now=now, reason_code=REASON_CODE, count=int(surrogate is not None)
    )
    return msgspec.structs.replace(scope, patient=surrogate or NOBODY)


# --- what is known ---


def _as_of(trail: Trail, tables: Tables) -> tuple[LogAt, ...]:
    """Name the logs as far as they were looked at, with their roots then."""
    looked = []
    for log in Log:
        size = tables.as_of[log.value]
        with closing(trail.behind_glass().reader(log)) as reader:
            root = root_at(size, reader.show_durable().node)
        origin = trail.log_keys[log.value].origin
        looked.append(
            LogAt(log=log.value, origin=origin, size=size, root=print_base64(root))
        )
    return tuple(looked)


def _reconciled(
    trail: Trail, tables: Tables, window: Window, *, is_numbered: bool
) -> Reconciled:
    """Read the comparisons that cover something of the window, the newest first.

    Raises:
        IntegrityError: a report was altered, or is not there.
    """
    found: list[Compared] = []
    for row in tables.ask(_RECONCILED).to_pylist():
        one = _compared(trail, row)
        if window.overlaps(parse_time(one.since), parse_time(one.until)):
            found.append(one)
    if found:
        is_whole = _covers(found, window)
        state = "reconciled" if is_whole else "partly reconciled"
    else:
        state = (
            "numbered, not reconciled"
            if is_numbered
            else "neither numbered nor reconciled"
        )
    return Reconciled(
        state=state, comparisons=tuple(found[:LISTED]), comparison_count=len(found)
    )


def _compared(trail: Trail, row: dict[str, Any]) -> Compared:
    document = open_document(trail.behind_glass(), row["object_digest"] or "")
    if document is None:
        raise IntegrityError(
            f"the report of the comparison in audit entry {row['idx']} is missing from "
            "state/documents; restore it from the archive"
        )
    report = msgspec.json.decode(document, type=ReconciliationReport)
    counts = report.counts
    return Compared(
        index=row["idx"],
        at=format_time(row["timestamp_utc"].replace(tzinfo=UTC)),
        by=report.by,
        since=report.since,
        until=report.until,
        agrees=report.is_agreed,
        matched=counts.matched,
        theirs_only=counts.theirs_only,
        ours_only=counts.ours_only,
        refused=counts.refused,
    )


def _covers(compared: Sequence[Compared], window: Window) -> bool:
    """Say whether the comparisons together cover all of the window."""
    reached = window.since
    for since, until in sorted(
        (parse_time(one.since), parse_time(one.until)) for one in compared
    ):
        if since <= reached:
            reached = max(reached, until)
    return reached >= window.until


# --- what stands behind it ---


def _support(trail: Trail, known: Known, *, is_verifying: bool) -> tuple[Support, ...]:
    status = {one.log.value: one for one in read_status(trail.directory).logs}
    derived = {}
    if is_verifying:
        derived = {one.log.value: one for one in verify_trail(trail.directory).logs}
    support = []
    for at in known.as_of:
        standing = status[at.log]
        held = {
            one.settings.name: one.standing.held_size
            for one in standing.anchors
            if one.standing.held_size and not one.standing.is_other_history
        }
        line = trail.log_keys[at.log].line
        for seen in read_outside(trail.directory / OUTSIDE, line):
            held.setdefault(seen.source, seen.checkpoint.size)
        anchored = min(max(held.values(), default=0), at.size)
        verdict = derived.get(at.log)
        support.append(
            Support(
                log=at.log,
                size=at.size,
                published=min(standing.published_size, at.size),
                anchored=anchored,
                anchored_by=tuple(
                    sorted(name for name, size in held.items() if size >= anchored > 0)
                ),
                contradicted_by=standing.contradicted_by,
                verified=None if verdict is None else min(verdict.entries, at.size),
                findings=None if verdict is None else len(verdict.findings),
            )
        )
    return tuple(support)
