"""The events of a log as rules ask for them in SQL, out of the log's tables.

The meaning of a field is `detect.row`'s; here it is written for many rows at once, in the SQL
of DuckDB. An entry without a time (founding and succession of a log) is no event.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from phitrail.detect.enrich import (
    DAY_SQL,
    LOCAL_FIELDS,
    LOCAL_SQL,
    OffsetRow,
    offset_sql,
)
from phitrail.detect.schema import DERIVED, FieldType, fields_of
from phitrail.events.alert import Alert
from phitrail.events.codes import Log
from phitrail.projection.rows import INDEX, SCHEMA, UUID, columns_of

OFFSET_TYPES = {
    "facility_id": "VARCHAR",
    "zone": "VARCHAR",
    "from_us": "BIGINT",
    "until_us": "BIGINT",
    "offset_us": "BIGINT",
}
"""The columns of a table of offsets."""
_RECORDS_SQL = {
    "patient": "LIST(patient) FILTER (WHERE patient <> '')",
    "record": "LIST(record)",
    "resource_types": "LIST(resource_type)",
    "record_count": "COUNT(DISTINCT (patient, record))",
}
"""Each field that is made of the records of an event; a value may stand twice in a list, since
no rule asks how often."""
_SAID = "local_offset_s"
_LISTED = "phi_fields_accessed"
_ALERT = Alert.__struct_config__.tag


@dataclass(frozen=True, slots=True)
class Needed:
    """What is needed of a log's tables for some fields of its events."""

    log: Log
    fields: tuple[str, ...]
    is_tested: frozenset[str]

    @property
    def columns(self) -> tuple[str, ...]:
        """Which columns of the log's table."""
        known = {column.name for column in columns_of(self.log)}
        wanted = {INDEX, SCHEMA, "event_id", "timestamp_utc", *self.fields}
        if "access" in self.fields:
            wanted.add("access_id")
        if "field_count" in self.fields:
            wanted.add(_LISTED)
        if self.has_local_time:
            wanted |= {"facility_id", _SAID}
        return tuple(sorted(wanted & known))

    @property
    def of_records(self) -> tuple[str, ...]:
        """Which fields are made of the table of records."""
        return tuple(name for name in self.fields if name in _RECORDS_SQL)

    @property
    def has_local_time(self) -> bool:
        """Whether a field of local time is among them, and the log names facilities."""
        names = {column.name for column in columns_of(self.log)}
        return "facility_id" in names and any(f in LOCAL_FIELDS for f in self.fields)


def needed(log: Log, kept: Collection[str], tested: Collection[str]) -> Needed:
    """Say what is needed for some fields of a log's events.

    Args:
        log: which log.
        kept: fields that are grouped by or measured.
        tested: fields that predicates test; their ids are text, as rules write them.
    """
    return Needed(log, tuple(sorted({*kept, *tested})), frozenset(tested))


def relation(
    what: Needed,
    events: str,
    records: str | None,
    offsets: str,
    holidays: Collection[tuple[str, int]] = (),
) -> str:
    """Write the relation: `idx`, `at_us`, `event_id` and the fields.

    Args:
        what: what is needed.
        events: what stands in FROM for the log's table.
        records: the same for its records; None where the log has none.
        offsets: the table of `Zones.offset_rows`, with the columns of `OFFSET_TYPES`.
        holidays: `Zones.holidays`.
    """
    types = {column.name: column.sql_type for column in columns_of(what.log)}
    listed = "".join(
        f", {_field(what, name, types, has_records=records is not None)} AS {name}"
        for name in what.fields
    )
    source = (
        f"(SELECT *, epoch_us(timestamp_utc) AS at_us FROM {events} AS t "
        "WHERE timestamp_utc IS NOT NULL) AS e"
    )
    if what.has_local_time:
        source = _with_local_time(source, types, offsets, holidays)
    if what.of_records and records is not None:
        made = ", ".join(f"{_RECORDS_SQL[name]} AS {name}" for name in what.of_records)
        source += (
            f" LEFT JOIN (SELECT {INDEX}, {made} FROM {records} AS a GROUP BY {INDEX}) "
            f"AS r ON r.{INDEX} = e.{INDEX}"
        )
    return f"SELECT e.{INDEX}, e.at_us, e.event_id{listed} FROM {source}"


def _with_local_time(
    source: str,
    types: Mapping[str, str],
    offsets: str,
    holidays: Collection[tuple[str, int]],
) -> str:
    """Add `zone`, `offset_us`, `holiday`: what the event says of its clock goes first."""
    said = _SAID if _SAID in types else "NULL"
    joined = (
        f"(SELECT e.*, o.zone, {offset_sql(said, 'o.offset_us')} AS offset_us "
        f"FROM {source} LEFT JOIN {offsets} AS o ON o.facility_id = e.facility_id "
        "AND e.at_us >= o.from_us AND e.at_us < o.until_us) AS e"
    )
    if not holidays:
        return f"(SELECT e.*, NULL AS holiday FROM {joined}) AS e"
    told = ", ".join(f"('{facility}', {day})" for facility, day in sorted(holidays))
    return (
        f"(SELECT e.*, h.holiday FROM {joined} LEFT JOIN (VALUES {told}) "
        f"AS h(facility, holiday) ON h.facility = e.facility_id AND h.holiday = {DAY_SQL}) "
        "AS e"
    )


def _field(what: Needed, name: str, types: dict[str, str], *, has_records: bool) -> str:
    if name in LOCAL_SQL:
        sql = LOCAL_SQL[name] if what.has_local_time else "NULL"
        return f"CAST({sql} AS {_SQL_TYPES[DERIVED[name]]})"
    if name == "access":
        own = "e.event_id"
        inner = f"COALESCE(e.access_id, {own})" if "access_id" in types else own
        return f"CAST({inner} AS VARCHAR)" if name in what.is_tested else inner
    if name == "field_count":
        return (
            f"NULLIF(LEN(e.{_LISTED}), 0)"
            if _LISTED in types
            else "CAST(NULL AS BIGINT)"
        )
    if name in _RECORDS_SQL:
        made = f"r.{name}" if has_records else "NULL"
        if name == "patient" and name in types:
            of_alert = "CASE WHEN e.patient IS NOT NULL THEN [e.patient] END"
            made = f"CASE WHEN e.{SCHEMA} = '{_ALERT}' THEN {of_alert} ELSE {made} END"
        return f"CAST({made} AS {_SQL_TYPES[DERIVED[name]]})"
    if fields_of(what.log)[name] is FieldType.TEXTS:
        return f"CASE WHEN LEN(e.{name}) > 0 THEN e.{name} END"
    is_id = types[name] == UUID and name in what.is_tested
    return f"CAST(e.{name} AS VARCHAR)" if is_id else f"e.{name}"


_SQL_TYPES = {
    FieldType.TEXT: "VARCHAR",
    FieldType.WHOLE: "BIGINT",
    FieldType.TRUTH: "BOOLEAN",
    FieldType.TEXTS: "VARCHAR[]",
}


def offset_values(rows: Iterable[OffsetRow]) -> str:
    """Write the SELECT of a table of offsets; names of facilities and zones are terms."""
    told = [
        f"('{row.facility_id}', '{row.zone}', {row.from_us}, {row.until_us}, "
        f"{row.offset_us})"
        for row in rows
    ]
    if told:
        names = ", ".join(OFFSET_TYPES)
        return f"SELECT * FROM (VALUES {', '.join(told)}) AS v({names})"
    empty = [f"CAST(NULL AS {type_}) AS {name}" for name, type_ in OFFSET_TYPES.items()]
    return f"SELECT {', '.join(empty)} WHERE FALSE"
