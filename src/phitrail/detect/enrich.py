"""The local time of an event: its facility's zone, the hour there, the night it belongs to.

1. Worked out from the instant in UTC and how far the facility's clock was ahead of it, never
   from local wall time, so that the hour that a clock change repeats, or leaves out, is no
   question. The event says how far (`local_offset_s`, put there at the door); where it does
   not, the IANA zone of `facility_id` does (`facility_zones` in tenant.yaml).
2. `time_band` is `business` from 06:00 to before 22:00 and `after_hours` otherwise: 22:00:00 is
   out of hours and 06:00:00 is in. Apart from the hour there are `local_dow` (1 is Monday) and
   `day_kind`: `holiday` (`holidays` in tenant.yaml), else `weekend` (Saturday, Sunday), else
   `workday`.
3. `night` is the local date on which the night of an after-hours event began.
4. Where neither event nor zone tells, or the instant is outside `FIRST_YEAR` to `LAST_YEAR`,
   there is no local time: the fields are absent, never guessed. No clock is more than
   `MOST_OFFSET_S` from UTC: an event that says so says nothing.
5. What an event says of its clock stays. Else its local time is the same as long as zones and
   tz database are: `Zones.tz_version` and `Zones.digest` say under which, and under which
   holidays, an event was judged.

A zone is a list of stretches with one offset each. `offset_rows` gives them to history, where
`LOCAL_SQL` does the same arithmetic.
"""

import hashlib
import zoneinfo
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from phitrail.errors import InputError
from phitrail.events.canonical import encode_canonical

FIRST_YEAR = 1971
LAST_YEAR = 2200
BUSINESS = "business"
AFTER_HOURS = "after_hours"
OPENS_AT, CLOSES_AT = 6, 22
WORKDAY, WEEKEND, HOLIDAY = "workday", "weekend", "holiday"
MOST_OFFSET_S = 64_800
MOST_CACHED = 20_000

_SECOND_US = 1_000_000
_HOUR_US = 3_600 * _SECOND_US
_QUARTER_US = _HOUR_US // 4
"""Within one that begins with UTC's, a clock that does not change shows one hour."""
_DAY_US = 24 * _HOUR_US
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_THURSDAY = 3
"""The day of the week of 1970-01-01, where Monday is 0."""
_NO_HOLIDAYS: Mapping[str, Collection[date]] = MappingProxyType({})
_Stretches: TypeAlias = tuple[tuple[int, int], ...]
"""Until when, and how far the clock is ahead of UTC until then; microseconds."""
_FIRST_US = (date(FIRST_YEAR, 1, 1) - _EPOCH.date()).days * _DAY_US
_END_US = (date(LAST_YEAR + 1, 1, 1) - _EPOCH.date()).days * _DAY_US

_SATURDAY = 6

LOCAL_FIELDS = (
    "facility_tz",
    "local_hour",
    "local_dow",
    "day_kind",
    "time_band",
    "night",
)
_LOCAL = "(at_us + offset_us)"
_IN_DAY = f"({_LOCAL} % {_DAY_US})"
_OPENS_US, _CLOSES_US = OPENS_AT * _HOUR_US, CLOSES_AT * _HOUR_US


def _whole_sql(number: str, unit_us: int) -> str:
    """Write how often a unit is in a number; what is divided is a multiple, so exact."""
    return f"CAST(({number} - {number} % {unit_us}) / {unit_us} AS INTEGER)"


_NIGHT = f"(at_us + offset_us - {_OPENS_US})"
_DOW = f"({_whole_sql(_LOCAL, _DAY_US)} + {_THURSDAY}) % 7 + 1"
DAY_SQL = _whole_sql(_LOCAL, _DAY_US)
"""The local day, counted from 1970-01-01, over `at_us` and `offset_us`."""
LOCAL_SQL: Mapping[str, str] = MappingProxyType(
    {
        "facility_tz": "CASE WHEN offset_us IS NOT NULL THEN zone END",
        "local_hour": _whole_sql(_IN_DAY, _HOUR_US),
        "local_dow": _DOW,
        "day_kind": (
            f"CASE WHEN offset_us IS NULL THEN NULL WHEN holiday IS NOT NULL THEN "
            f"'{HOLIDAY}' WHEN {_DOW} >= {_SATURDAY} THEN '{WEEKEND}' ELSE '{WORKDAY}' END"
        ),
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
"""Each local field over `at_us`, the `zone` of its facility, `offset_us` (`offset_sql`), and a
`holiday` that is NULL on other days."""


def offset_sql(said_s: str, of_zone: str) -> str:
    """Write how far a clock was ahead: what the event says, else its row of `offset_rows`."""
    return (
        f"CASE WHEN at_us < {_FIRST_US} OR at_us >= {_END_US} THEN NULL "
        f"WHEN {said_s} BETWEEN -{MOST_OFFSET_S} AND {MOST_OFFSET_S} "
        f"THEN {said_s} * {_SECOND_US} ELSE {of_zone} END"
    )


@dataclass(frozen=True, slots=True)
class LocalTime:
    """What an instant is at a facility."""

    facility_tz: str | None
    local_hour: int
    local_dow: int
    day_kind: str
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
    """The zone of each facility, and its holidays."""

    def __init__(
        self,
        facility_zones: Mapping[str, str],
        holidays: Mapping[str, Collection[date]] = _NO_HOLIDAYS,
    ) -> None:
        """Read the zones.

        Raises:
            InputError: a name is no zone that is known here; says which entry.
        """
        self._zones = {
            facility: _zone(name, number)
            for number, (facility, name) in enumerate(facility_zones.items(), start=1)
        }
        self.holidays = frozenset(
            (facility, (day - _EPOCH.date()).days)
            for facility, days in holidays.items()
            for day in days
        )
        """(facility, local day since 1970-01-01)"""
        self._offsets: dict[tuple[str, int], _Stretches] = {}
        self._quarters: dict[tuple[str, int], LocalTime] = {}
        self._hours: dict[tuple[str | None, int], LocalTime] = {}
        self.tz_version = tz_version()
        days = {
            facility: sorted(day.isoformat() for day in each)
            for facility, each in holidays.items()
        }
        said = [
            "phitrail/facility-zones/v2",
            self.tz_version,
            dict(facility_zones),
            days,
        ]
        self.digest = hashlib.sha256(encode_canonical(said)).hexdigest()

    def local(
        self, facility_id: str | None, at_us: int, offset_s: int | None = None
    ) -> LocalTime | None:
        """Say what an instant is at a facility; None where nobody can say.

        Args:
            facility_id: which facility.
            at_us: the instant.
            offset_s: how far its clock was ahead of UTC, where the event says it.
        """
        if offset_s is not None and -MOST_OFFSET_S <= offset_s <= MOST_OFFSET_S:
            if not _FIRST_US <= at_us < _END_US:
                return None
            return self._of_hour(facility_id, at_us + offset_s * _SECOND_US)
        if facility_id is None:
            return None
        quarter = (facility_id, at_us // _QUARTER_US)
        known = self._quarters.get(quarter)
        if known is not None:
            return known
        stretches = self._at(facility_id, at_us)
        if stretches is None:
            return None
        offset_us = _offset_of(stretches, at_us)
        local = self._of_hour(facility_id, at_us + offset_us)
        if len(stretches) == 1 and offset_us % _QUARTER_US == 0:
            if len(self._quarters) >= MOST_CACHED:
                self._quarters.clear()
            self._quarters[quarter] = local
        return local

    def offset_s(self, facility_id: str, at_us: int) -> int | None:
        """Say how far a facility's clock was ahead of UTC; None where nobody can say."""
        stretches = self._at(facility_id, at_us)
        if stretches is None:
            return None
        return _offset_of(stretches, at_us) // _SECOND_US

    def _at(self, facility_id: str, at_us: int) -> _Stretches | None:
        zone = self._zones.get(facility_id)
        if zone is None or not _FIRST_US <= at_us < _END_US:
            return None
        return self._of_day(zone, at_us // _DAY_US)

    def _of_hour(self, facility_id: str | None, local_us: int) -> LocalTime:
        hour = (facility_id, local_us // _HOUR_US)
        local = self._hours.get(hour)
        if local is None:
            if len(self._hours) >= MOST_CACHED:
                self._hours.clear()
            zone = None if facility_id is None else self._zones.get(facility_id)
            is_holiday = (facility_id, local_us // _DAY_US) in self.holidays
            local = self._hours[hour] = _local_time(
                None if zone is None else zone.key, hour[1], is_holiday=is_holiday
            )
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

    def _of_day(self, zone: zoneinfo.ZoneInfo, day: int) -> _Stretches:
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


def _offset_of(stretches: _Stretches, at_us: int) -> int:
    return next(offset for until, offset in stretches if at_us < until)


def _offset_at(zone: zoneinfo.ZoneInfo, at_us: int) -> int:
    moment = (_EPOCH + timedelta(microseconds=at_us)).astimezone(zone)
    offset = moment.utcoffset()
    assert offset is not None  # noqa: S101 - a zone has an offset
    return offset // timedelta(microseconds=1)


def _local_time(
    zone: str | None, hour_since_1970: int, *, is_holiday: bool
) -> LocalTime:
    days, hour = divmod(hour_since_1970, 24)
    dow = (days + _THURSDAY) % 7 + 1
    is_business = OPENS_AT <= hour < CLOSES_AT
    began = _EPOCH.date() + timedelta(days=days - (hour < OPENS_AT))
    return LocalTime(
        facility_tz=zone,
        local_hour=hour,
        local_dow=dow,
        day_kind=HOLIDAY if is_holiday else WEEKEND if dow >= _SATURDAY else WORKDAY,
        time_band=BUSINESS if is_business else AFTER_HOURS,
        night=None if is_business else began.isoformat(),
    )
