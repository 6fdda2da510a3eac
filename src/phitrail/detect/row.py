"""A record of a log as rules see it: fields by name, and nothing else of it.

1. The fields are those of `detect.schema`. What is absent is None, and so is an empty list.
2. Ids are text and codes are their text, as rules write them. Lists are tuples.
3. `patient`, `record`, `resource_types` are made of `records`: each value once, in order, the
   unknown patient left out. `record_count` is how many (patient, record) a row names,
   `field_count` how many kinds of PHI fields.
4. `access` is the access that an event belongs to; an event without one is its own.
5. Local time is worked out when it is asked for, which most rules never do.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from phitrail.detect.enrich import LOCAL_FIELDS, Zones
from phitrail.events.alert import Alert
from phitrail.events.canonical import LeafRecord
from phitrail.events.ids import parse_time

_MINUTE = len("2026-01-05T12:00")
_Triples: TypeAlias = tuple[tuple[str, str, str], ...]


class Row(dict[str, object]):
    """The fields of one record, each found once: many rules ask for the same ones."""

    __slots__ = ("_at_us", "_record", "_zones")

    def __init__(self, record: LeafRecord, at_us: int, zones: Zones) -> None:
        """Make a row of a record that happened at an instant (`instant_of`)."""
        self._record: Any = record
        self._at_us = at_us
        self._zones = zones

    get = dict.__getitem__  # type: ignore[assignment]  # what is absent is None, too

    def __missing__(self, name: str) -> object:
        """Find what a field holds; None where it is absent."""
        made = _MADE.get(name)
        value = getattr(self._record, name, None) if made is None else made(self)
        if not value and value == ():
            value = None
        self[name] = value
        return value

    def schema(self) -> object:
        """Return the kind of record."""
        return self._record.__struct_config__.tag

    def access(self) -> object:
        """Return the access that it belongs to."""
        found: object = getattr(self._record, "access_id", None)
        return found or self._record.event_id

    def records(self) -> _Triples:
        """Return (patient, record, resource type) of what was touched."""
        found: _Triples = getattr(self._record, "records", ())
        return found

    def patients(self) -> tuple[str, ...] | None:
        """Return the patients whose records these are, or the one that an alert is about."""
        record, triples = self._record, self.records()
        if len(triples) == 1:
            return (triples[0][0],) if triples[0][0] else None
        if isinstance(record, Alert):
            return None if record.patient is None else (record.patient,)
        return _each_once(patient for patient, _, _ in triples if patient)

    def local(self, name: str) -> object:
        """Return a field of its local time."""
        record = self._record
        facility = getattr(record, "facility_id", None)
        said = getattr(record, "local_offset_s", None)
        if facility is None and said is None:
            return None
        local = self._zones.local(facility, self._at_us, said)
        return None if local is None else getattr(local, name)


def instant_of(record: LeafRecord) -> int | None:
    """Say when a record happened, in microseconds since 1970; None for those of the log itself.

    Founding and succession of a log are no events that rules judge.
    """
    written = getattr(record, "timestamp_utc", None)
    return None if written is None else instant_us(written)


def instant_us(written: str) -> int:
    """Read a time of a record, in microseconds since 1970."""
    seconds_us = int(written[17:19]) * 1_000_000 + int(written[20:23]) * 1_000
    return _minute_us(written[:_MINUTE]) + seconds_us


@lru_cache(maxsize=4096)
def _minute_us(written: str) -> int:
    return int(parse_time(written + ":00Z").timestamp()) * 1_000_000


def _each_once(values: Iterable[str]) -> tuple[str, ...] | None:
    return tuple(dict.fromkeys(values)) or None


def _local_field(name: str) -> Callable[[Row], object]:
    return lambda row: row.local(name)


_MADE: Mapping[str, Callable[[Row], object]] = {
    "schema": Row.schema,
    "access": Row.access,
    "patient": Row.patients,
    "record": lambda row: _each_once(record for _, record, _ in row.records()),
    "resource_types": lambda row: _each_once(kind for _, _, kind in row.records()),
    "record_count": lambda row: (
        len({(patient, record) for patient, record, _ in row.records()}) or None
    ),
    "field_count": lambda row: len(row.get("phi_fields_accessed") or ()) or None,  # type: ignore[arg-type]  # a tuple of texts
    **{name: _local_field(name) for name in LOCAL_FIELDS},
}
