"""What is asked of a log: a filter, its digest, and the SELECTs that answer it.

1. All that is given must hold. `since` is included, `until` is not.
2. A patient or record is found through the table of records; the rows then by their
   clusters, where Parquet holds what concerns one patient together.
3. `with_accesses` adds every entry of the accesses that were found: what each led to.
4. Values go as parameters; only names of columns and files stand in the SQL. Which files
   those are (`events` and `records` of a SELECT) says `app.query_answer`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from phitrail.errors import InputError
from phitrail.events.canonical import encode_canonical
from phitrail.events.codes import Action, EventType, Log, Outcome
from phitrail.events.shapes import (
    ModelName,
    OpaqueId,
    Surrogate,
    Term,
    Timestamp,
    Uuid7,
)
from phitrail.projection.rows import CLUSTER, INDEX, RECORDS, columns_of

MAX_ROWS: Final = 100_000
DEFAULT_ROWS: Final = 1_000
SOME, MANY = 8, 2_000
SHOWN_COLUMNS: Final = (
    "idx", "timestamp_utc", "event_type", "user_id", "user_role", "department",
    "use_case", "purpose_of_use", "action", "outcome", "resource_type", "access_id",
    "request_id", "session_id", "ai_model_id", "ai_model_version", "model_id",
    "model_version", "released_chars", "response_phi_detected", "guard_decision",
    "reason_code", "severity", "state", "alert_id", "rule_id", "decision", "latency_us",
    "input_tokens", "output_tokens", "result_count", "value", "source_id", "event_id",
)  # fmt: skip
"""What an answer shows unless all columns are asked for; those that the log has."""


class Filter(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """What must hold of an entry; patients and records by their surrogates."""

    log: Log = Log.AUDIT
    user: OpaqueId | None = None
    patient: Surrogate | None = None
    record: Surrogate | None = None
    resource_type: OpaqueId | None = None
    event_type: EventType | None = None
    action: Action | None = None
    outcome: Outcome | None = None
    use_case: Term | None = None
    model: ModelName | None = None
    department: Term | None = None
    session: OpaqueId | None = None
    request: OpaqueId | None = None
    access: Uuid7 | None = None
    source: OpaqueId | None = None
    since: Timestamp | None = None
    until: Timestamp | None = None
    with_accesses: bool = False
    sql: str | None = None
    after: Annotated[int, msgspec.Meta(ge=-1)] = -1
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_ROWS)] = DEFAULT_ROWS

    def text(self) -> bytes:
        """Return the canonical filter: the record of the read holds its SHA-256."""
        return encode_canonical(self)


_COLUMN_OF_FIELD: Final[Mapping[str, tuple[str, ...]]] = {
    "user": ("user_id",),
    "event_type": ("event_type",),
    "action": ("action",),
    "outcome": ("outcome",),
    "use_case": ("use_case",),
    "model": ("ai_model_id", "model_id"),
    "department": ("department",),
    "session": ("session_id",),
    "request": ("request_id",),
    "access": ("access_id",),
    "source": ("source_id",),
}
_RECORD_FIELDS: Final = ("patient", "record", "resource_type")


@dataclass(frozen=True, slots=True)
class Select:
    """One SELECT, or a part of one, and its parameters."""

    sql: str
    values: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """Which rows were found: their indexes, and their accesses."""

    indexes: tuple[int, ...]
    accesses: tuple[str, ...]


def check_filter(wanted: Filter) -> Filter:
    """Check every field against its shape.

    Raises:
        InputError: names the field and the rule, or says that the log has no such column.
    """
    try:
        checked = msgspec.convert(msgspec.to_builtins(wanted), Filter)
    except msgspec.ValidationError:
        raise _explain(wanted) from None
    names = {column.name for column in columns_of(wanted.log)}
    for field, columns in _COLUMN_OF_FIELD.items():
        if getattr(wanted, field) is not None and not names & set(columns):
            raise InputError.for_field(field, f"the {wanted.log} log does not hold it")
    if (wanted.patient or wanted.record) and RECORDS not in names:
        raise InputError.for_field("patient", f"the {wanted.log} log names no patient")
    if wanted.with_accesses and wanted.log is not Log.AUDIT:
        raise InputError.for_field("timeline", "accesses stand in the audit log")
    return checked


def _explain(wanted: Filter) -> InputError:
    for field in msgspec.structs.fields(Filter):
        try:
            msgspec.convert(
                msgspec.to_builtins(getattr(wanted, field.name)), field.type
            )
        except msgspec.ValidationError:
            return InputError.for_field(
                field.name, "does not have the shape it must have"
            )
    return InputError.for_field("(filter)", "does not fit its rule")


def has_conditions(wanted: Filter) -> bool:
    """Say whether more is asked of an event than which patient and record it names."""
    return bool(_conditions(wanted, ""))


def columns_to_find(log: Log) -> tuple[str, ...]:
    """List the columns of events that find an entry and say where it lies."""
    names = {name for some in _COLUMN_OF_FIELD.values() for name in some}
    names |= {INDEX, "access_id", "resource_type", "timestamp_utc"}
    return (CLUSTER, *(c.name for c in columns_of(log) if c.name in names))


def in_clusters(clusters: Sequence[str]) -> Select:
    """Write what holds, in a file, of the rows of these clusters alone."""
    some, values = _one_of(clusters, "VARCHAR", MANY)
    return Select(f"{CLUSTER} IN ({some})", values)


def select_found(wanted: Filter, events: str, records: str) -> Select:
    """Ask for the entries that a filter without patient and record finds, in order."""
    conditions = _conditions(wanted, records)
    where = " AND ".join(["e.idx > ?", *(condition for condition, _ in conditions)])
    return Select(
        f"SELECT {_place(wanted.log)} FROM {events} AS e WHERE {where} "
        "ORDER BY e.idx LIMIT ?",
        (wanted.after, *(v for _, some in conditions for v in some), wanted.limit + 1),
    )


def select_touching(wanted: Filter, records: str) -> Select:
    """Ask for the entries that name the patient and the record, in order.

    When nothing else is asked, one more than a page; else all of them.
    """
    given = [(f, getattr(wanted, f)) for f in _RECORD_FIELDS if getattr(wanted, f)]
    where = " AND ".join(["idx > ?", *(f"{field} = ?" for field, _ in given)])
    limit = () if has_conditions(wanted) else (wanted.limit + 1,)
    return Select(
        f"SELECT DISTINCT idx, cluster, access_id FROM {records} WHERE {where} "
        "ORDER BY idx" + (" LIMIT ?" if limit else ""),
        (wanted.after, *(value for _, value in given), *limit),
    )


def select_holding(wanted: Filter, found: Found, events: Select) -> Select:
    """Ask which of the entries that were found hold all else that is asked."""
    conditions = _conditions(wanted, "")
    held = " AND ".join(condition for condition, _ in conditions)
    indexes, values = _one_of(found.indexes, "BIGINT")
    return Select(
        f"SELECT {_place(wanted.log)} FROM {events.sql} AS e WHERE e.idx IN "
        f"({indexes}) AND {held} ORDER BY e.idx LIMIT ?",
        (
            *events.values,
            *values,
            *(v for _, some in conditions for v in some),
            wanted.limit + 1,
        ),
    )


def _place(log: Log) -> str:
    access = "NULL" if log is Log.QUALITY else "e.access_id"
    return f"e.idx, e.cluster, {access} AS access_id"


def _conditions(wanted: Filter, records: str) -> list[tuple[str, tuple[object, ...]]]:
    types = {column.name: column.sql_type for column in columns_of(wanted.log)}
    conditions: list[tuple[str, tuple[object, ...]]] = []
    for field, columns in _COLUMN_OF_FIELD.items():
        value = getattr(wanted, field)
        here = [column for column in columns if column in types]
        if value is not None:
            either = " OR ".join(f"e.{name} = ?::{types[name]}" for name in here)
            conditions.append((f"({either})", (str(value),) * len(here)))
    if wanted.resource_type and not (wanted.patient or wanted.record):
        touched = f"SELECT idx FROM {records} WHERE resource_type = ?"
        either = f"(e.resource_type = ? OR e.idx IN ({touched}))"
        conditions.append((either, (wanted.resource_type,) * 2))
    for field, sign in (("since", ">="), ("until", "<")):
        moment = getattr(wanted, field)
        if moment is not None:
            conditions.append((f"e.timestamp_utc {sign} ?::TIMESTAMP", (moment,)))
    return conditions


def select_elsewhere(accesses: Sequence[str], events: str) -> Select:
    """Ask where entries of accesses lie in the events of other segments."""
    some, values = _one_of(accesses, "UUID")
    return Select(
        f"SELECT idx, cluster, access_id FROM {events} WHERE access_id IN ({some})",
        values,
    )


def select_rows(
    wanted: Filter, found: Found, events: Select, columns: tuple[str, ...]
) -> Select:
    """Ask for the rows that were found and, where wanted, those of their accesses."""
    where, values = _one_of(found.indexes, "BIGINT")
    where, order = f"idx IN ({where})", "idx"
    if wanted.with_accesses:
        accesses, access_values = _one_of(found.accesses, "UUID")
        where, order = f"{where} OR access_id IN ({accesses})", "timestamp_utc, idx"
        values = (*values, *access_values)
    names = ", ".join(columns)
    return Select(
        f"SELECT {names} FROM {events.sql} WHERE {where} ORDER BY {order}",
        (*events.values, *values),
    )


def _one_of(
    some: Sequence[object], sql_type: str, many: int = SOME
) -> tuple[str, tuple[object, ...]]:
    """Write what stands in `IN (...)`: each value while they are few, else one list.

    Single values let DuckDB skip row groups, which pays for clusters; each costs its part
    of the time to plan.
    """
    if len(some) > many:
        return f"SELECT unnest(?::{sql_type}[])", (list(some),)
    return ", ".join([f"?::{sql_type}"] * len(some)) or "NULL", tuple(some)


def shown_columns(log: Log, *, is_all: bool) -> tuple[str, ...]:
    """List the columns of an answer."""
    names = [column.name for column in columns_of(log) if column.name != RECORDS]
    if is_all:
        return tuple(names)
    return tuple(name for name in SHOWN_COLUMNS if name in names)
