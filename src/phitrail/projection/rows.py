"""Which columns the table of a log has, made from the record types.

1. One table a log. Its columns are the fields of every kind of record that the log holds,
   so a field that is added to a record appears here by itself. `schema` says which kind a
   row is; fields that the kind does not have, or that were unknown, are null.
2. `idx` is the entry's index in its log: with it any row can be proven.
3. `records` is a table of its own, one row for each (patient, record, resource type).
4. Left out: `nonce`. It keeps leaf hashes from being guessed and says nothing.
5. Times are UTC timestamps, ids that are UUIDs are UUIDs, codes are their text, whole
   numbers carry their unit in the name.

`row_of` is the plain meaning of a row; `projection.fold` computes the same in bulk.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from functools import cache
from typing import Any, Final, TypeAlias, get_args

import msgspec

from phitrail.errors import InputError
from phitrail.events.alert import Alert
from phitrail.events.audit import AuditLeaf
from phitrail.events.canonical import LeafRecord
from phitrail.events.codes import Log
from phitrail.events.genesis import Genesis
from phitrail.events.ids import parse_time
from phitrail.events.quality import Feedback, QualityEntry, Rollout
from phitrail.events.security import SecurityEvent
from phitrail.events.shapes import Timestamp, Uuid7
from phitrail.events.succession import Succession

KINDS_OF_LOG: Final[Mapping[Log, tuple[Any, ...]]] = {
    Log.AUDIT: (AuditLeaf, Genesis, Succession),
    Log.SECURITY: (SecurityEvent, Alert, AuditLeaf, Genesis, Succession),
    Log.QUALITY: (QualityEntry, Feedback, Rollout, Genesis, Succession),
}
"""Which kinds of record stand in which log."""

INDEX: Final = "idx"
SCHEMA: Final = "schema"
RECORDS: Final = "records"
CLUSTER: Final = "cluster"
"""Where a row lies in a segment (`projection.segment_file`); says nothing of an entry."""
LEFT_OUT: Final = frozenset({"nonce"})

TEXT, WHOLE, TRUTH = "VARCHAR", "BIGINT", "BOOLEAN"
MOMENT, UUID = "TIMESTAMP", "UUID"
TEXTS, WHOLES, TRIPLES = "VARCHAR[]", "BIGINT[]", "VARCHAR[][]"

Value: TypeAlias = object
"""A cell: text, number, truth, UUID, time, or a tuple of them; None when unknown."""

_UNITS: Final = {
    "_us": "microseconds",
    "_e6": "millionths",
    "_chars": "characters",
    "_tokens": "tokens",
    "_count": "count",
    "_counts": "count",
    "_hash": "keyed hash",
    "_hash_norm": "keyed hash",
    "_hashes": "keyed hashes",
    "_digest": "SHA-256, hex",
    "_root": "SHA-256, hex",
}
_SHAPE_TYPES: Final = {
    get_args(Uuid7)[1].pattern: UUID,
    get_args(Timestamp)[1].pattern: MOMENT,
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, its type in SQL, and the unit of its values."""

    name: str
    sql_type: str
    unit: str


RECORD_COLUMNS: Final = (
    Column("patient", TEXT, "surrogate; empty when unknown"),
    Column(INDEX, WHOLE, "index of the entry in its log"),
    Column("access_id", UUID, "UUID"),
    Column("record", TEXT, "surrogate"),
    Column("resource_type", TEXT, "FHIR resource type"),
)
"""The table of records touched."""


@cache
def columns_of(log: Log) -> tuple[Column, ...]:
    """List the columns of a log's table: `idx`, `schema`, then fields by their kinds.

    Raises:
        InputError: two kinds of record give one name two types.
    """
    columns = {
        INDEX: Column(INDEX, WHOLE, "index of the entry in its log"),
        SCHEMA: Column(SCHEMA, TEXT, "kind of record"),
    }
    for kind in KINDS_OF_LOG[log]:
        for column in _columns_of_kind(kind):
            known = columns.setdefault(column.name, column)
            if known.sql_type != column.sql_type:
                raise InputError.for_field(column.name, "has two types in one log")
    return tuple(columns.values())


@cache
def schemas_of(log: Log) -> frozenset[str]:
    """List the schema marks of the records that a log may hold."""
    return frozenset(str(_struct_of(kind).tag) for kind in KINDS_OF_LOG[log])


def row_of(log: Log, index: int, record: LeafRecord) -> dict[str, Value]:
    """Say what the row of a record holds, column by column (`records` as triples)."""
    row: dict[str, Value] = {column.name: None for column in columns_of(log)}
    row[INDEX] = index
    row[SCHEMA] = record.__struct_config__.tag
    plain = msgspec.to_builtins(record)
    for column in columns_of(log):
        value = plain.get(column.name)
        if value is not None and column.name != SCHEMA:
            row[column.name] = _cell(column.sql_type, value)
    return row


def _cell(sql_type: str, value: Any) -> Value:  # noqa: ANN401 - a decoded JSON value
    if sql_type == UUID:
        return uuid.UUID(value)
    if sql_type == MOMENT:
        return parse_time(value).astimezone(UTC).replace(tzinfo=None)
    if isinstance(value, list | tuple):
        return tuple(tuple(v) if isinstance(v, list | tuple) else v for v in value)
    return value


def _struct_of(kind: Any) -> msgspec.inspect.StructType:  # noqa: ANN401 - a type
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType)  # noqa: S101 - the table above
    return info


def _columns_of_kind(kind: Any) -> list[Column]:  # noqa: ANN401 - a type
    return [
        Column(field.name, _sql_type(field.type), _unit(field.name, field.type))
        for field in _struct_of(kind).fields
        if field.name not in LEFT_OUT
    ]


def _bare(wanted: msgspec.inspect.Type) -> msgspec.inspect.Type:
    """Take off what says nothing of the type: a description, or that it may be absent."""
    if isinstance(wanted, msgspec.inspect.Metadata):
        return _bare(wanted.type)
    if isinstance(wanted, msgspec.inspect.UnionType):
        return _bare(
            next(t for t in wanted.types if not isinstance(t, msgspec.inspect.NoneType))
        )
    return wanted


def _sql_type(wanted: msgspec.inspect.Type) -> str:
    wanted = _bare(wanted)
    if isinstance(wanted, msgspec.inspect.StrType):
        return _SHAPE_TYPES.get(wanted.pattern, TEXT)
    if isinstance(wanted, msgspec.inspect.IntType):
        return WHOLE
    if isinstance(wanted, msgspec.inspect.BoolType):
        return TRUTH
    if isinstance(wanted, msgspec.inspect.VarTupleType):
        item = _bare(wanted.item_type)
        if isinstance(item, msgspec.inspect.TupleType):
            return TRIPLES
        return WHOLES if isinstance(item, msgspec.inspect.IntType) else TEXTS
    return TEXT  # enums: their code


def _unit(name: str, wanted: msgspec.inspect.Type) -> str:
    sql_type = _sql_type(wanted)
    if sql_type == MOMENT:
        return "UTC"
    if sql_type == UUID:
        return "UUID"
    if name == RECORDS:
        return "[patient, record, resource type]"
    for ending, unit in _UNITS.items():
        if name.endswith(ending):
            return unit
    inner = _bare(wanted)
    if isinstance(inner, msgspec.inspect.EnumType):
        return "code"
    return {TRUTH: "true or false", WHOLE: "number"}.get(sql_type, "")
