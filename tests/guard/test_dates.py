"""Dates are found in every writing, with their value, and traps are not."""

import pytest

from phitrail.guard.dates import DateValue, find_dates


@pytest.mark.parametrize(
    ("text", "written", "value"),
    [
        ("DOB 07/22/1949, seen", "07/22/1949", (1949, 7, 22)),
        ("DOB 7/22/49", "7/22/49", (1949, 7, 22)),
        ("seen 22.07.2019 by", "22.07.2019", (2019, 7, 22)),
        ("done 2021-11-30.", "2021-11-30", (2021, 11, 30)),
        ("at 2021-11-30T08:15:00Z it", "2021-11-30T08:15:00Z", (2021, 11, 30)),
        ("filed 20211130 today", "20211130", (2021, 11, 30)),
        ("on November 30, 2021 she", "November 30, 2021", (2021, 11, 30)),
        ("on Nov 30th '21 she", "Nov 30th '21", (2021, 11, 30)),
        ("on the 30th of November he", "the 30th of November", (None, 11, 30)),
        ("signed 30-NOV-2021", "30-NOV-2021", (2021, 11, 30)),
        ("signed 30NOV2021", "30NOV2021", (2021, 11, 30)),
        ("seen 2021-Nov-30", "2021-Nov-30", (2021, 11, 30)),
        ("in NOV/30/2021 out", "NOV/30/2021", (2021, 11, 30)),
        ("el 30 de noviembre de 2021 vino", "30 de noviembre de 2021", (2021, 11, 30)),
        ("sent 30/xi/2021", "30/xi/2021", (2021, 11, 30)),
        ("in November 2021 he", "November 2021", (2021, 11, None)),
        ("prior: 11/2021", "11/2021", (2021, 11, None)),
        ("on waitlist since 2021-11", "2021-11", (2021, 11, None)),
        ("follow up on 11/30 with", "11/30", (None, 11, 30)),
        ("seen 5/2 at 10:20", "5/2", (None, 5, 2)),
        (
            "seen november thirtieth twenty twenty one for",
            "november thirtieth twenty twenty one",
            (2021, 11, 30),
        ),
        ("check june the fourth ok", "june the fourth", (None, 6, 4)),
        ("recheck eleven slash thirty please", "eleven slash thirty", (None, 11, 30)),
        (
            "date of birth seven twenty two forty nine and",
            "seven twenty two forty nine",
            (1949, 7, 22),
        ),
        ("see her Tuesday, November 30 at", "Tuesday, November 30", (None, 11, 30)),
        ("back Tues 11/30 at", "Tues 11/30", (None, 11, 30)),
        ("here until Friday.", "Friday", (None, None, None)),
        ("since Thanksgiving he", "Thanksgiving", (None, None, None)),
        ("in the spring of 2019 she", "spring of 2019", (2019, None, None)),
        ("back in late September", "late September", (None, 9, None)),
        ("seen on the 20th.", "the 20th", (None, None, 20)),
        ("Birth: '49-07-22", "'49-07-22", (1949, 7, 22)),
    ],
)
def test_a_date_is_found_with_its_value(
    text: str, written: str, value: tuple[int | None, int | None, int | None]
) -> None:
    """A writing that is not read leaks, and cannot be compared with a record."""
    found = find_dates(text)

    assert [(written, DateValue(*value))] == [
        (text[date.start : date.end], date.value)
        for date in found
        if not date.is_neutral
    ]


@pytest.mark.parametrize(
    "text",
    [
        "pain 7/10 today, strength 4/5, 5/5 in all groups",
        "murmur 2/6, Apgar 8/9, GCS 14/15, vision 20/40",
        "1/2 tablet of 5/325 mg; BP 128/76; 24/26 mg BID",
        "take 2-3 times a week for 4-6 weeks",
        "version 3.2.1, section 4.2.12, OID 2.16.840.1.113883",
        "C5/6 and L4/5 discs, 3/4 positive nodes",
        "she may go home; may 2 nurses march on",
        "sat 94% in the sun, mon ami",
        "fall risk; a spring in the step; easter egg hunt rash",
        "diagnosed in 2019, 2018;71:13-115",
        "Christmas disease",
        "the second dose, the 8th rib, the 90th percentile",
        "room 12/14 mm, ratio 1/3, 0.5/2",
    ],
)
def test_what_only_looks_like_a_date_is_left(text: str) -> None:
    """Redacted scores and doses make an answer useless and unsafe."""
    assert [date for date in find_dates(text) if not date.is_neutral] == []


@pytest.mark.parametrize(
    "text",
    [
        "guideline, updated September 2024",
        "the CDC March 2024 guidance",
        "lot 55 exp 08/2027",
        "home visits every Monday",
    ],
)
def test_a_date_of_a_guideline_or_schedule_is_neutral(text: str) -> None:
    """It is nobody's, but a comparison with a record must still see it."""
    assert [date.is_neutral for date in find_dates(text)] == [True]


def test_both_readings_of_an_ambiguous_date_are_kept() -> None:
    """A record's date could not be matched to a European writing without the second."""
    (date,) = find_dates("seen 03/04/2021")

    assert (DateValue(2021, 3, 4), DateValue(2021, 4, 3)) == (
        date.value,
        date.alternative,
    )
