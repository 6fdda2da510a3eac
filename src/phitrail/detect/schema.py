"""Which fields a rule may name, by log; a name that no event has is refused, never unmatched.

1. The columns of the log's table (`projection.rows`), but times, ids of events and `records`.
2. What is made of a row for rules: `patient`, `record`, `resource_types` (lists, of `records`),
   `record_count`, `field_count`, `access` (the access that an event belongs to, or the event
   itself), and the local time of its facility: `facility_tz`, `local_hour` (0-23), `local_dow`
   (1-7, Monday is 1), `day_kind`, `time_band`, `night` (the local date on which the night of an
   after-hours event began).
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from types import MappingProxyType

from phitrail.events.codes import Log
from phitrail.projection import rows

PRODUCT = "phitrail"
"""What `logsource.product` must be; `service` is the log."""


class FieldType(StrEnum):
    """What a field holds."""

    TEXT = "text"
    WHOLE = "whole number"
    TRUTH = "true or false"
    TEXTS = "list of texts"


_TYPES = {
    rows.TEXT: FieldType.TEXT,
    rows.UUID: FieldType.TEXT,
    rows.WHOLE: FieldType.WHOLE,
    rows.TRUTH: FieldType.TRUTH,
    rows.TEXTS: FieldType.TEXTS,
}
_LEFT_OUT = frozenset({rows.INDEX, "event_id", "part", "parts", "received_at"})
DERIVED: Mapping[str, FieldType] = MappingProxyType(
    {
        "access": FieldType.TEXT,
        "patient": FieldType.TEXTS,
        "record": FieldType.TEXTS,
        "resource_types": FieldType.TEXTS,
        "record_count": FieldType.WHOLE,
        "field_count": FieldType.WHOLE,
        "facility_tz": FieldType.TEXT,
        "local_hour": FieldType.WHOLE,
        "local_dow": FieldType.WHOLE,
        "day_kind": FieldType.TEXT,
        "time_band": FieldType.TEXT,
        "night": FieldType.TEXT,
    }
)
"""Fields that are made of a row for rules (`detect.row`)."""
MAY_BE_NEGATIVE = frozenset(
    {
        "local_offset_s",
        "effect_e6",
        "effect_low_e6",
        "effect_high_e6",
        "top_retrieval_score_e6",
    }
)
"""Whole numbers of which a sum does not only grow; a test holds them to the record types."""


@cache
def fields_of(log: Log) -> Mapping[str, FieldType]:
    """List the fields of a log's events that a rule may name, and what each holds."""
    fields = {
        column.name: _TYPES[column.sql_type]
        for column in rows.columns_of(log)
        if column.sql_type in _TYPES and column.name not in _LEFT_OUT
    }
    return MappingProxyType({**fields, **DERIVED})
