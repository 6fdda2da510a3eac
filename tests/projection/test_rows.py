"""The columns of a table are the fields of the records, with their types and units."""

import pytest

from phitrail.events.codes import Log
from phitrail.projection.rows import (
    KINDS_OF_LOG,
    LEFT_OUT,
    RECORDS,
    Column,
    columns_of,
)


@pytest.mark.parametrize("log", list(Log))
def test_every_field_of_every_kind_is_a_column(log: Log) -> None:
    """A field that is recorded and cannot be asked for would be lost to reviewers."""
    fields = {
        name
        for kind in KINDS_OF_LOG[log]
        for name in getattr(kind, "__origin__", kind).__struct_fields__
    }

    assert fields - LEFT_OUT <= {column.name for column in columns_of(log)}


def test_types_follow_the_shapes_of_fields() -> None:
    """Times as text would sort, but not add; counts as text would not even sort."""
    by_name = {column.name: column for column in columns_of(Log.AUDIT)}

    assert Column("timestamp_utc", "TIMESTAMP", "UTC") == by_name["timestamp_utc"]
    assert Column("event_id", "UUID", "UUID") == by_name["event_id"]
    assert Column("latency_us", "BIGINT", "microseconds") == by_name["latency_us"]
    assert Column("event_type", "VARCHAR", "code") == by_name["event_type"]
    assert by_name[RECORDS].sql_type == "VARCHAR[][]"


def test_the_nonce_stays_in_the_log() -> None:
    """The nonce keeps leaf hashes from being guessed; a table is no place for it."""
    assert all(c.name != "nonce" for log in Log for c in columns_of(log))
