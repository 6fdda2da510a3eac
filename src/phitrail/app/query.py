"""Asking a trail: find, record the read, then show; with proofs if they are wanted.

1. An identifier becomes a surrogate only for somebody who stays within the number of
   look-ups that policy gives an hour; each look-up is recorded, found or not.
2. What is asked is answered from the tables, up to the sizes that `as_of` says; rows of
   entries under a compromised key are refused, as the entries are (`app.quarantine`).
3. One `audit_log_read` is recorded: who, which log, the digest of the filter, how many
   entries. If that cannot be recorded, nothing is shown.
4. Proofs are made from the log, not from the tables: each is verified here as an outsider
   would, and comes with the entry that it proves.
"""

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from phitrail.app.documents import keep_document
from phitrail.app.proof_files import write_proof_files
from phitrail.app.quarantine import check_all_rows, check_rows
from phitrail.app.query_answer import Answer, answer_filter
from phitrail.app.query_filter import MAX_ROWS, Filter, check_filter
from phitrail.app.reading import COMPONENT, record_read, verified_proof
from phitrail.app.running import RunningTrail
from phitrail.app.tables import open_tables
from phitrail.app.wiring import Trail
from phitrail.errors import InputError, RefusedError
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.codes import (
    Action,
    ActorType,
    Assurance,
    AttributionBasis,
    EventType,
    Outcome,
)
from phitrail.events.ids import format_time, new_uuid7
from phitrail.events.protected import Protected
from phitrail.identity.lookup import find_surrogate
from phitrail.projection.rows import INDEX
from phitrail.projection.tables import Tables

LOOKUPS_WITHIN: Final = timedelta(hours=1)
NOBODY: Final = "A" * 43
"""A surrogate that stands for nobody: the answer for an identifier that is not known."""


@dataclass(frozen=True, slots=True)
class Question:
    """A filter, and identifiers that are still to be exchanged for surrogates."""

    filter: Filter
    patient_id: Protected[str] | None = None
    record_id: Protected[str] | None = None
    is_all_columns: bool = False


def ask(trail: Trail, question: Question, *, by: str, now: datetime) -> Answer:
    """Answer a question and record that it was asked.

    Raises:
        InputError: the filter or the SQL does not fit; the message names the field.
        RefusedError: too many look-ups of identifiers within the hour, or something of
            the answer is in quarantine.
        IntegrityError: tables or log are damaged; the message says what to run.
        StorageError: it could not be answered or recorded; nothing is shown.
    """
    wanted = check_filter(question.filter)
    if question.patient_id is not None or question.record_id is not None:
        check_filter(msgspec.structs.replace(wanted, patient=NOBODY))
    with open_tables(trail, now) as tables:
        wanted = _exchange(trail, tables, question, wanted, by=by, now=now)
        answer = (
            _ask_sql(tables, wanted, wanted.sql)
            if wanted.sql is not None
            else answer_filter(tables, wanted, is_all=question.is_all_columns)
        )
    _check_quarantine(trail, wanted, answer)
    record_read(
        trail,
        wanted.log,
        by=by,
        reason_code="log_query",
        result_count=answer.rows.num_rows,
        object_digest=keep_document(trail, wanted.text()),
        action=Action.QUERY,
        now=now,
    )
    return answer


def _check_quarantine(trail: Trail, wanted: Filter, answer: Answer) -> None:
    """Refuse rows of entries under a compromised key; of SQL, nobody knows which."""
    if wanted.sql is None and INDEX in answer.rows.column_names:
        check_rows(trail, answer.log, map(int, answer.rows[INDEX].to_pylist()))
    else:
        check_all_rows(trail)


def _ask_sql(tables: Tables, wanted: Filter, sql: str) -> Answer:
    rows = tables.ask(sql)
    return Answer(wanted.log, rows, tables.as_of, None)


# --- identifiers ---


def _exchange(
    trail: Trail,
    tables: Tables,
    question: Question,
    wanted: Filter,
    *,
    by: str,
    now: datetime,
) -> Filter:
    systems = trail.tenant.identity
    for field, system, identifier in (
        ("patient", systems.patient, question.patient_id),
        ("record", systems.record, question.record_id),
    ):
        if identifier is not None:
            check_lookup_rate(trail, tables, by=by, now=now)
            surrogate = find_surrogate(trail.identity, system, identifier)
            record_lookup(
                trail,
                by=by,
                now=now,
                reason_code="log_query",
                count=int(surrogate is not None),
            )
            wanted = msgspec.structs.replace(wanted, **{field: surrogate or NOBODY})
    return wanted


def check_lookup_rate(trail: Trail, tables: Tables, *, by: str, now: datetime) -> None:
    """Refuse another look-up to somebody who has used up the number of this hour.

    Raises:
        RefusedError: says how many policy gives.
        StorageError: a file cannot be read.
    """
    limit = trail.policy.identity_lookups_per_hour
    lookups = Filter(
        event_type=EventType.IDENTITY_LOOKED_UP,
        user=by,
        since=format_time(now - LOOKUPS_WITHIN),
        limit=min(max(limit, 1), MAX_ROWS),
    )
    counted = answer_filter(tables, lookups).rows.num_rows
    if counted >= limit:
        raise RefusedError(
            f"{limit} look-ups of identifiers an hour are what policy gives one person; "
            "ask by surrogate, or later, or raise identity_lookups_per_hour"
        )


def record_lookup(
    trail: Trail, *, by: str, now: datetime, reason_code: str, count: int
) -> None:
    """Record that identifiers were looked up, and how many of them are known here.

    Raises:
        InputError: `by` is no user id.
        StorageError: not recorded; the answer may not be used.
    """
    event: CallerEvent = AuditEvent(
        event_type=EventType.IDENTITY_LOOKED_UP,
        event_id=new_uuid7(now),
        timestamp_utc=format_time(now),
        user_id=by,
        actor_type=ActorType.HUMAN,
        attribution_basis=AttributionBasis.STATIC,
        action=Action.QUERY,
        outcome=Outcome.SUCCESS,
        reason_code=reason_code,
        result_count=count,
        service_component=COMPONENT,
        assurance=Assurance.ENFORCED,
    )
    trail.recorder.record(event, now)


# --- proofs ---


def write_proofs(trail: RunningTrail, answer: Answer, directory: Path) -> int:
    """Write `<log>-<index>.tlog-proof` and `.leaf` for each entry of an answer.

    Returns:
        How many entries were proven.

    Raises:
        InputError: the directory exists, or the rows have no index.
        IntegrityError: an entry or its proof does not verify.
        StorageError: nobody publishes, or a file cannot be written.
    """
    if INDEX not in answer.rows.column_names:
        raise InputError.for_field(
            "--prove", f"the answer must have the column {INDEX}"
        )
    indexes = sorted({int(i) for i in answer.rows[INDEX].to_pylist()})
    log, vkey = answer.log, str(trail.parts.log_keys[answer.log.value].checkpoint.vkey)
    with closing(trail.parts.reader(log)) as reader:
        if indexes:
            trail.publish_up_to(reader, indexes[-1] + 1)
        entries = (verified_proof(trail, reader, log, index) for index in indexes)
        return write_proof_files(directory, entries, [vkey])
