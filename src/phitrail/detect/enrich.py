"""The local time of an event: its facility's zone, the hour there, the night it belongs to.

1. Worked out from the instant in UTC and the IANA zone of `facility_id`
   (`facility_zones` in tenant.yaml), never from local wall time, so that the hour that a clock
   change repeats, or leaves out, is no question.
2. `time_band` is `business` from 06:00 to before 22:00 and `after_hours` otherwise: 22:00:00 is
   out of hours and 06:00:00 is in. Weekends are told by `local_dow` (1 is Monday).
3. `night` is the local date on which the night of an after-hours event began.
4. A facility without a zone, or an instant outside `FIRST_YEAR` to `LAST_YEAR`, has no local
   time: the fields are absent, never guessed.
5. The same event has the same local time as long as zones and tz database are the same:
   `Zones.tz_version` and `Zones.digest` say under which an event was judged.

A zone is a list of stretches with one offset each. `offset_rows` gives them to history, where
`LOCAL_SQL` does the same arithmetic.
"""

import hashlib
import zoneinfo
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib import metadata
from pathlib import Path
from types import MappingProxyType

from phitrail.errors import InputError
from phitrail.events.canonical import encode_canonical

FIRST_YEAR = 1971
LAST_YEAR = 2200
BUSINESS = "business"
AFTER_HOURS = "after_hours"
OPENS_AT, CLOSES_AT = 6, 22
MOST_CACHED = 20_000

_SECOND_US = 1_000_000
_HOUR_US = 3_600 * _SECOND_US
_QUARTER_US = _HOUR_US // 4
"""Within one that begins with UTC's, a clock that does not change shows one hour."""
_DAY_US = 24 * _HOUR_US
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_THURSDAY = 3
"""The day of the week of 1970-01-01, where Monday is 0."""
_FIRST_US = (date(FIRST_YEAR, 1, 1) - _EPOCH.date()).days * _DAY_US
_END_US = (date(LAST_YEAR + 1, 1, 1) - _EPOCH.date()).days * _DAY_US

LOCAL_FIELDS = ("facility_tz", "local_hour", "local_dow", "time_band", "night")
_LOCAL = "(at_us + offset_us)"
_IN_DAY = f"({_LOCAL} % {_DAY_US})"
_OPENS_US, _CLOSES_US = OPENS_AT * _HOUR_US, CLOSES_AT * _HOUR_US


def _whole_sql(number: str, unit_us: int) -> str:
    """Write how often a unit is in a number; what is divided is a multiple, so exact."""
    return f"CAST(({number} - {number} % {unit_us}) / {unit_us} AS INTEGER)"


_NIGHT = f"(at_us + offset_us - {_OPENS_US})"
LOCAL_SQL: Mapping[str, str] = MappingProxyType(
    {
        "facility_tz": "zone",
        "local_hour": _whole_sql(_IN_DAY, _HOUR_US),
        "local_dow": f"({_whole_sql(_LOCAL, _DAY_US)} + {_THURSDAY}) % 7 + 1",
        "time_band": (
            f"CASE WHEN {_IN_DAY} >= {_OPENS_US} AND {_IN_DAY} < {_CLOSES_US} "
            f"THEN '{BUSINESS}' WHEN offset_us IS NOT NULL THEN '{AFTER_HOURS}' END"
        ),
        "night": (
            f"CASE WHEN {_IN_DAY} < {_OPENS_US} OR {_IN_DAY} >= {_CLOSES_US} THEN "
            f"CAST(DATE '1970-01-01' + {_whole_sql(_NIGHT, _DAY_US)} AS VARCHAR) END"
        ),
    }
)
"""Each local field over `at_us` and the `zone`, `offset_us` of its row of `offset_rows`."""


@dataclass(frozen=True, slots=True)
class LocalTime:
    """What an instant is at a facility."""

    facility_tz: str
    local_hour: int
    local_dow: int
    time_band: str
    night: str | None


@dataclass(frozen=True, slots=True)
class OffsetRow:
    """From when until before when a facility's clock was so far ahead of UTC."""

    facility_id: str
    zone: str
    from_us: int
    until_us: int
    offset_us: int


class Zones:
    """The zone of each facility."""

    def __init__(self, facility_zones: Mapping[str, str]) -> None:
        """Read the zones.

        Raises:
            InputError: a name is no zone that is known here; says which entry.
        """
        self._zones = {
            facility: _zone(name, number)
            for number, (facility, name) in enumerate(facility_zones.items(), start=1)
        }
        self._offsets: dict[tuple[str, int], tuple[tuple[int, int], ...]] = {}
        self._quarters: dict[tuple[str, int], LocalTime] = {}
        self.tz_version = tz_version()
        said = ["phitrail/facility-zones/v1", self.tz_version, dict(facility_zones)]
        self.digest = hashlib.sha256(encode_canonical(said)).hexdigest()

    def local(self, facility_id: str, at_us: int) -> LocalTime | None:
        """Say what an instant is at a facility; None where nobody can say."""
        quarter = (facility_id, at_us // _QUARTER_US)
        known = self._quarters.get(quarter)
        if known is not None:
            return known
        zone = self._zones.get(facility_id)
        if zone is None or not _FIRST_US <= at_us < _END_US:
            return None
        stretches = self._of_day(zone, at_us // _DAY_US)
        offset_us = next(offset for until, offset in stretches if at_us < until)
        local = _local_time(zone.key, (at_us + offset_us) // _HOUR_US)
        if len(stretches) == 1 and offset_us % _QUARTER_US == 0:
            if len(self._quarters) >= MOST_CACHED:
                self._quarters.clear()
            self._quarters[quarter] = local
        return local

    def offset_rows(self, from_us: int, until_us: int) -> Iterator[OffsetRow]:
        """List what every facility's clock was in a time, for a join with its events."""
        first = max(from_us, _FIRST_US) // _DAY_US
        last = (min(until_us, _END_US) - 1) // _DAY_US
        for facility, zone in self._zones.items():
            begun, held = first * _DAY_US, None
            end = begun
            for day in range(first, last + 1):
                for end_us, offset_us in self._of_day(zone, day):
                    if held is not None and offset_us != held:
                        yield OffsetRow(facility, zone.key, begun, end, held)
                        begun = end
                    held, end = offset_us, end_us
            if held is not None:
                yield OffsetRow(facility, zone.key, begun, end, held)

    def _of_day(self, zone: zoneinfo.ZoneInfo, day: int) -> tuple[tuple[int, int], ...]:
        """Give the stretches of a day in UTC: until when, and which offset."""
        known = self._offsets.get((zone.key, day))
        if known is None:
            if len(self._offsets) >= MOST_CACHED:
                self._offsets.clear()
            known = tuple(_stretches(zone, day * _DAY_US, (day + 1) * _DAY_US))
            self._offsets[zone.key, day] = known
        return known


def tz_version() -> str:
    """Name the tz database that zones are read from here, as `2025b`."""
    for place in zoneinfo.TZPATH:
        with suppress(OSError, UnicodeDecodeError):
            with (Path(place) / "tzdata.zi").open(encoding="ascii") as table:
                first = table.readline().split()
            if first[:2] == ["#", "version"]:
                return first[-1]
    with suppress(metadata.PackageNotFoundError):
        return f"tzdata-{metadata.version('tzdata')}"
    return "unnamed"


def check_zones(facility_zones: Mapping[str, str]) -> None:
    """Check that each facility's zone is one that is known here.

    Raises:
        InputError: one is not; says which entry.
    """
    for number, name in enumerate(facility_zones.values(), start=1):
        _zone(name, number)


def _zone(name: str, number: int) -> zoneinfo.ZoneInfo:
    zone = None
    with suppress(ValueError, OSError, KeyError):  # unknown, a path, no zones here
        zone = zoneinfo.ZoneInfo(name)
    if zone is None:
        raise InputError.for_field(
            "facility_zones",
            f"entry number {number} is no zone of the tz database of this host; write it "
            "as America/New_York, or install the package tzdata",
        )
    return zone


def _stretches(
    zone: zoneinfo.ZoneInfo, from_us: int, until_us: int
) -> Iterator[tuple[int, int]]:
    """Cut a time at the changes of a zone's clock; a day has at most one."""
    first, last = _offset_at(zone, from_us), _offset_at(zone, until_us - 1)
    if first != last:
        low, high = from_us // _SECOND_US, (until_us - 1) // _SECOND_US
        while high - low > 1:
            middle = (low + high) // 2
            if _offset_at(zone, middle * _SECOND_US) == first:
                low = middle
            else:
                high = middle
        yield high * _SECOND_US, first
    yield until_us, last


def _offset_at(zone: zoneinfo.ZoneInfo, at_us: int) -> int:
    moment = (_EPOCH + timedelta(microseconds=at_us)).astimezone(zone)
    offset = moment.utcoffset()
    assert offset is not None  # noqa: S101 - a zone has an offset
    return offset // timedelta(microseconds=1)


def _local_time(zone: str, hour_since_1970: int) -> LocalTime:
    days, hour = divmod(hour_since_1970, 24)
    is_business = OPENS_AT <= hour < CLOSES_AT
    began = _EPOCH.date() + timedelta(days=days - (hour < OPENS_AT))
    return LocalTime(
        facility_tz=zone,
        local_hour=hour,
        local_dow=(days + _THURSDAY) % 7 + 1,
        time_band=BUSINESS if is_business else AFTER_HOURS,
        night=None if is_business else began.isoformat(),
    )
