"""What is asked of a log: a filter, its digest, and the SELECTs that answer it.

1. All that is given must hold. `since` is included, `until` is not.
2. A patient, record or touched resource type is found through the table of records; the
   rows then by their clusters, where Parquet holds what concerns one patient together.
3. `with_accesses` adds every entry of the accesses that were found: what each led to.
4. Values go as parameters; only names of columns stand in the SQL.
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
from phitrail.projection.rows import RECORDS, columns_of

MAX_ROWS: Final = 100_000
DEFAULT_ROWS: Final = 1_000
MANY: Final = 2_000
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
_RECORD_FIELDS: Final = ("patient", "record")


@dataclass(frozen=True, slots=True)
class Select:
    """One SELECT and its parameters."""

    sql: str
    values: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """Which rows the first step found: indexes, and where they lie."""

    indexes: tuple[int, ...]
    clusters: tuple[str, ...]
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


def select_found(wanted: Filter) -> Select:
    """Make the first step: which entries, page by page, in the order of the log."""
    where, values = ["e.idx > ?"], [wanted.after]
    source = f"{wanted.log} e"
    conditions = _conditions(wanted)
    if wanted.patient or wanted.record:
        touched, touched_values = _touched(wanted)
        if not conditions:
            sql = (
                f"SELECT DISTINCT idx, cluster, access_id FROM {touched} AS e "
                "WHERE idx > ? ORDER BY idx LIMIT ?"
            )
            return Select(sql, (*touched_values, wanted.after, wanted.limit + 1))
        source += (
            f" SEMI JOIN {touched} AS r ON r.idx = e.idx AND r.cluster = e.cluster"
        )
        values = [*touched_values, *values]  # type: ignore[list-item]
    where += [condition for condition, _ in conditions]
    values += [v for _, some in conditions for v in some]  # type: ignore[misc]
    has_access = wanted.log is not Log.QUALITY
    places = "e.idx, e.cluster, e.access_id" if has_access else "e.idx, '', NULL"
    sql = (
        f"SELECT {places} FROM {source} WHERE {' AND '.join(where)} ORDER BY 1 LIMIT ?"
    )
    return Select(sql, (*values, wanted.limit + 1))


def _touched(wanted: Filter) -> tuple[str, list[str]]:
    where = [f"{name} = ?" for name in _RECORD_FIELDS if getattr(wanted, name)]
    values = [getattr(wanted, name) for name in _RECORD_FIELDS if getattr(wanted, name)]
    if wanted.resource_type:
        where.append("resource_type = ?")
        values.append(wanted.resource_type)
    sql = f"(SELECT * FROM {wanted.log}_records WHERE {' AND '.join(where)})"
    return sql, values


def _conditions(wanted: Filter) -> list[tuple[str, tuple[object, ...]]]:
    types = {column.name: column.sql_type for column in columns_of(wanted.log)}
    conditions: list[tuple[str, tuple[object, ...]]] = []
    for field, columns in _COLUMN_OF_FIELD.items():
        value = getattr(wanted, field)
        here = [column for column in columns if column in types]
        if value is not None:
            either = " OR ".join(f"e.{name} = ?::{types[name]}" for name in here)
            conditions.append((f"({either})", (str(value),) * len(here)))
    if wanted.resource_type and not (wanted.patient or wanted.record):
        conditions.append(
            (
                (
                    f"(e.resource_type = ? OR e.idx IN (SELECT idx FROM {wanted.log}_records "
                    "WHERE resource_type = ?))"
                ),
                (wanted.resource_type,) * 2,
            )
        )
    for field, sign in (("since", ">="), ("until", "<")):
        moment = getattr(wanted, field)
        if moment is not None:
            conditions.append((f"e.timestamp_utc {sign} ?::TIMESTAMP", (moment,)))
    return conditions


def select_clusters(found: Found) -> Select:
    """Ask where else the entries of these accesses lie (an access may span segments)."""
    some, values = _one_of(found.accesses, "UUID")
    return Select(
        f"SELECT DISTINCT cluster FROM audit_records WHERE access_id IN ({some})",
        values,
    )


def select_rows(wanted: Filter, found: Found, columns: tuple[str, ...]) -> Select:
    """Make the second step: the rows that were found, and those of their accesses."""
    names = ", ".join(columns)
    indexes, index_values = _one_of(found.indexes, "BIGINT")
    if wanted.log is Log.QUALITY:
        sql = f"SELECT {names} FROM {wanted.log} WHERE idx IN ({indexes}) ORDER BY idx"
        return Select(sql, index_values)
    clusters, values = _one_of(tuple(dict.fromkeys((*found.clusters, ""))), "VARCHAR")
    start = f"SELECT {names} FROM {wanted.log} WHERE cluster IN ({clusters}) AND"
    if not wanted.with_accesses:
        return Select(
            f"{start} idx IN ({indexes}) ORDER BY idx", (*values, *index_values)
        )
    accesses, access_values = _one_of(found.accesses, "UUID")
    return Select(
        f"SELECT * FROM ({start} idx IN ({indexes}) "
        f"UNION {start} access_id IN ({accesses})) ORDER BY timestamp_utc, idx",
        (*values, *index_values, *values, *access_values),
    )


def _one_of(some: Sequence[object], sql_type: str) -> tuple[str, tuple[object, ...]]:
    """Write what stands in `IN (...)`: each value while they are few, else one list.

    Few values let DuckDB skip row groups; many would make a statement of megabytes.
    """
    if len(some) > MANY:
        return f"SELECT unnest(?::{sql_type}[])", (list(some),)
    return ", ".join([f"?::{sql_type}"] * len(some)) or "NULL", tuple(some)


def shown_columns(log: Log, *, is_all: bool) -> tuple[str, ...]:
    """List the columns of an answer."""
    names = [column.name for column in columns_of(log) if column.name != RECORDS]
    if is_all:
        return tuple(names)
    return tuple(name for name in SHOWN_COLUMNS if name in names)
