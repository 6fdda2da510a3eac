"""Local time is exact at its boundaries, both ways through a change of the clock."""

from datetime import UTC, date, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phitrail.detect.enrich import (
    FIRST_YEAR,
    LAST_YEAR,
    LOCAL_FIELDS,
    LOCAL_SQL,
    LocalTime,
    Zones,
    check_zones,
    tz_version,
)
from phitrail.detect.relation import needed, offset_values, relation
from phitrail.errors import InputError
from phitrail.events.codes import Log

FACILITIES = {
    "york": "America/New_York",
    "pune": "Asia/Kolkata",
    "phoenix": "America/Phoenix",
    "howe": "Australia/Lord_Howe",
    "casa": "Africa/Casablanca",
    "apia": "Pacific/Apia",
    "utc": "UTC",
}
HOLIDAYS = {"york": [date(2026, 11, 26)], "pune": [date(2026, 1, 26)]}
ZONES = Zones(FACILITIES, HOLIDAYS)
DAY_US = 86_400_000_000
CANARY = "Atlantis/Canary-City"


def us(written: str) -> int:
    """Read a time in UTC as microseconds."""
    return int(datetime.fromisoformat(written + "+00:00").timestamp() * 1_000) * 1_000


def local(facility: str, written: str) -> LocalTime:
    """Say what a time in UTC is at a facility."""
    found = ZONES.local(facility, us(written))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("written", "hour", "band", "night"),
    [
        ("2026-01-06T02:59:59.999", 21, "business", None),
        ("2026-01-06T03:00:00.000", 22, "after_hours", "2026-01-05"),
        ("2026-01-06T04:59:59.999", 23, "after_hours", "2026-01-05"),
        ("2026-01-06T05:00:00.000", 0, "after_hours", "2026-01-05"),
        ("2026-01-06T10:59:59.999", 5, "after_hours", "2026-01-05"),
        ("2026-01-06T11:00:00.000", 6, "business", None),
    ],
)
def test_the_night_begins_at_22_and_ends_before_6(
    written: str, hour: int, band: str, night: str | None
) -> None:
    """A boundary that is off by a moment makes or misses an alert."""
    found = local("york", written)

    assert (hour, band, night) == (found.local_hour, found.time_band, found.night)


@pytest.mark.parametrize(
    ("written", "hour"),
    [
        ("2026-03-08T06:59:59.999", 1),
        ("2026-03-08T07:00:00.000", 3),  # 02:00 does not exist
        ("2026-03-08T09:59:59.999", 5),
        ("2026-03-08T10:00:00.000", 6),
        ("2026-11-01T05:59:59.999", 1),
        ("2026-11-01T06:00:00.000", 1),  # 01:00 comes again
        ("2026-11-01T07:00:00.000", 2),
        ("2026-11-01T10:59:59.999", 5),
        ("2026-11-01T11:00:00.000", 6),
    ],
)
def test_the_hour_is_right_where_the_clock_changes(written: str, hour: int) -> None:
    """Local wall time alone cannot tell one 01:30 from the other."""
    assert hour == local("york", written).local_hour


def test_a_zone_of_half_hours_and_one_without_changes() -> None:
    """Not every offset is a whole hour, and not every clock changes."""
    assert local("pune", "2026-01-05T16:29:59.999").local_hour == 21
    assert local("pune", "2026-01-05T16:30:00.000").night == "2026-01-05"
    assert {
        local("phoenix", f"2026-{m:02}-15T12:00:00").local_hour for m in range(1, 13)
    } == {5}


def test_a_change_of_half_an_hour_is_seen() -> None:
    """Lord Howe's clock changes by half an hour."""
    before = local("howe", "2026-04-04T14:59:59.999")
    after = local("howe", "2026-04-04T15:00:00.000")

    assert (before.local_hour, after.local_hour) == (1, 1)


def test_the_day_of_the_week_is_the_local_one() -> None:
    """Sunday evening in New York is Monday in UTC."""
    assert local("york", "2026-01-05T04:59:00").local_dow == 7
    assert local("york", "2026-01-05T05:00:00").local_dow == 1


@pytest.mark.parametrize(
    ("facility", "at_us"),
    [
        ("unknown", us("2026-01-05T12:00:00")),
        ("york", us(f"{FIRST_YEAR - 1}-12-31T23:59:59.999")),
        ("york", us(f"{LAST_YEAR + 1}-01-01T00:00:00")),
        ("york", -(1 << 60)),
        ("york", 1 << 60),
    ],
)
def test_what_nobody_can_say_is_absent(facility: str, at_us: int) -> None:
    """A guessed hour is an alert about somebody who did nothing."""
    assert ZONES.local(facility, at_us) is None


instants = st.integers(us("1971-01-01T00:00:00"), us("2200-12-31T23:59:59"))


@settings(max_examples=400)
@given(facility=st.sampled_from(sorted(FACILITIES)), at_us=instants)
def test_local_time_is_what_zoneinfo_says(facility: str, at_us: int) -> None:
    """Stretches and caches must not change the answer."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
    wall = moment.astimezone(ZoneInfo(FACILITIES[facility]))
    found = ZONES.local(facility, at_us)

    assert found is not None
    assert (wall.hour, wall.isoweekday()) == (found.local_hour, found.local_dow)
    if found.night is not None:
        assert str((wall - timedelta(hours=6)).date()) == found.night


@settings(max_examples=25, deadline=None)
@given(begin=instants, steps=st.lists(st.integers(0, 90 * 86_400_000), min_size=1))
def test_history_works_out_the_same_local_time(begin: int, steps: list[int]) -> None:
    """A backtest that sees another hour than the tail did proves nothing."""
    times = sorted({begin, *(begin + step * 1_000 for step in steps)})
    columns = ", ".join(f"{LOCAL_SQL[name]} AS {name}" for name in LOCAL_FIELDS)
    with duckdb.connect() as database:
        database.execute(
            "CREATE TABLE zones (facility_id VARCHAR, zone VARCHAR, from_us BIGINT, "
            "until_us BIGINT, offset_us BIGINT)"
        )
        for row in ZONES.offset_rows(times[0], times[-1] + 1):
            values = [
                row.facility_id,
                row.zone,
                row.from_us,
                row.until_us,
                row.offset_us,
            ]
            database.execute("INSERT INTO zones VALUES (?, ?, ?, ?, ?)", values)
        told = database.execute(
            f"SELECT facility_id, at_us, {columns} FROM (SELECT UNNEST(?::BIGINT[]) AS at_us) "
            "AS events JOIN (SELECT *, NULL AS holiday FROM zones) AS zones "
            "ON at_us >= from_us AND at_us < until_us",
            [times],
        ).fetchall()
    plain_days = Zones(FACILITIES)
    by_tail = {
        (facility, at_us, *(getattr(found, name) for name in LOCAL_FIELDS))
        for facility in FACILITIES
        for at_us in times
        if (found := plain_days.local(facility, at_us)) is not None
    }

    assert by_tail == set(told)


@settings(max_examples=25, deadline=None)
@given(
    times=st.lists(
        st.integers(us("2025-12-01T00:00:00"), us("2026-12-31T00:00:00")), min_size=1
    ),
    saids=st.lists(
        st.none()
        | st.sampled_from([0, 19_800, -18_000, 64_800, -64_800, 64_801, -(2**53) + 1]),
        min_size=1,
    ),
)
def test_history_takes_what_an_event_says_of_its_clock_as_the_tail_does(
    times: list[int], saids: list[int | None]
) -> None:
    """A replay under other zones must give the hour that was, in both executors."""
    facilities = [*FACILITIES, "nowhere", None]
    cases = [
        (number, at_us, saids[number % len(saids)], facility)
        for number, (at_us, facility) in enumerate(product(times, facilities))
    ]
    what = needed(Log.AUDIT, LOCAL_FIELDS, ())
    rows = [
        (i, datetime.fromtimestamp(at // 1_000 / 1_000, UTC), said, facility)
        for i, at, said, facility in cases
    ]
    with duckdb.connect() as database:
        database.execute(
            "CREATE TABLE event (idx BIGINT, timestamp_utc TIMESTAMPTZ, "
            "local_offset_s BIGINT, facility_id VARCHAR, event_id VARCHAR)"
        )
        database.executemany("INSERT INTO event VALUES (?, ?, ?, ?, 'e')", rows)
        low, high = min(times) - DAY_US, max(times) + DAY_US
        told = offset_values(ZONES.offset_rows(low, high))
        database.execute(f"CREATE TABLE offsets AS {told}")
        sql = relation(what, "event", None, "offsets", ZONES.holidays)
        names = ", ".join(("at_us", *LOCAL_FIELDS))
        found = database.execute(f"SELECT {names} FROM ({sql}) ORDER BY idx").fetchall()

    for (_, at_us, said, facility), row in zip(cases, found, strict=True):
        assert row[0] == at_us // 1_000 * 1_000
        seen = ZONES.local(facility, row[0], said)
        absent = (None,) * len(LOCAL_FIELDS)
        plain = tuple(getattr(seen, n) for n in LOCAL_FIELDS) if seen else absent
        assert plain == row[1:]


def test_what_an_event_says_of_its_clock_goes_before_the_zone() -> None:
    """The tz database changes; the night in which somebody was at work does not."""
    at_us = us("2026-01-06T03:00:00.000")
    by_zone, said = ZONES.local("york", at_us), ZONES.local("york", at_us, -6 * 3_600)

    assert by_zone is not None
    assert said is not None
    assert (by_zone.local_hour, by_zone.time_band) == (22, "after_hours")
    assert (said.local_hour, said.time_band, said.facility_tz) == (
        21,
        "business",
        "America/New_York",
    )


@pytest.mark.parametrize("said", [64_801, -64_801, 2**53 - 1])
def test_no_clock_is_so_far_from_utc(said: int) -> None:
    """A caller who says so would move his accesses out of the night."""
    at_us = us("2026-01-06T03:00:00.000")

    assert ZONES.local("york", at_us, said) == ZONES.local("york", at_us)
    assert ZONES.local("nowhere", at_us, said) is None


@pytest.mark.parametrize(
    ("facility", "written", "kind"),
    [
        ("york", "2026-11-26T04:59:59.999", "workday"),
        ("york", "2026-11-26T05:00:00.000", "holiday"),
        ("york", "2026-11-27T04:59:59.999", "holiday"),
        ("york", "2026-11-27T05:00:00.000", "workday"),
        ("york", "2026-11-28T05:00:00.000", "weekend"),
        ("york", "2026-11-30T04:59:59.999", "weekend"),
        ("york", "2026-11-30T05:00:00.000", "workday"),
        ("utc", "2026-11-26T12:00:00.000", "workday"),
    ],
)
def test_a_day_is_a_holiday_where_the_house_says_so(
    facility: str, written: str, kind: str
) -> None:
    """A holiday is one from its first local moment to its last, and of its facility."""
    assert kind == local(facility, written).day_kind


def test_how_far_a_clock_is_ahead_is_told_for_the_log() -> None:
    """The log keeps it, so that nobody must ask a tz database of two years ago."""
    before, after = us("2026-03-08T06:59:59.999"), us("2026-03-08T07:00:00.000")

    assert ZONES.offset_s("york", before) == -5 * 3_600
    assert ZONES.offset_s("york", after) == -4 * 3_600
    assert ZONES.offset_s("pune", after) == 19_800
    assert ZONES.offset_s("nowhere", after) is None
    assert ZONES.offset_s("york", us("1970-06-01T00:00:00")) is None


def test_a_year_of_offsets_is_a_few_rows() -> None:
    """History joins with them, so they must be few."""
    rows = list(ZONES.offset_rows(us("2026-01-01T00:00:00"), us("2027-01-01T00:00:00")))

    assert [row.offset_us for row in rows if row.facility_id == "york"] == [
        -5 * 3_600_000_000,
        -4 * 3_600_000_000,
        -5 * 3_600_000_000,
    ]
    assert [r.until_us for r in rows if r.facility_id == "york"][:2] == [
        us("2026-03-08T07:00:00"),
        us("2026-11-01T06:00:00"),
    ]


@pytest.mark.parametrize("name", [CANARY, "../etc/passwd", "", "/etc/localtime"])
def test_a_name_that_is_no_zone_is_refused_and_not_quoted(name: str) -> None:
    """A typing error would leave the nights of a facility unjudged."""
    with pytest.raises(InputError, match="entry number 2") as refused:
        check_zones({"main": "UTC", "east": name})

    assert CANARY not in str(refused.value)


def test_under_which_zones_an_event_was_judged_is_told() -> None:
    """A replay under other zones may give other alerts, and must be able to say so."""
    assert tz_version() == ZONES.tz_version != ""
    assert Zones({"a": "UTC"}).digest != Zones({"a": "Asia/Kolkata"}).digest
    assert Zones({"a": "UTC"}).digest == Zones({"a": "UTC"}).digest
    days = {"a": [date(2026, 12, 25)]}
    assert Zones({"a": "UTC"}, days).digest != Zones({"a": "UTC"}).digest
