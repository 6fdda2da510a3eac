"""A date is moved and written as it was written, or not at all."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phitrail.guard.surrogate_dates import moved_date


@pytest.mark.parametrize(
    ("written", "moved"),
    [
        ("03/14/1958", "01/28/1958"),
        ("3/14/58", "1/28/58"),
        ("2025-03-04", "2025-01-18"),
        ("2025-03-04T10:00:00Z", "2025-01-18T10:00:00Z"),
        ("2025-03-04 at 10:00", "2025-01-18 at 10:00"),
        ("31.12.2024", "16.11.2024"),
        ("January 04, 2025", "November 20, 2024"),
        ("October 18, 2024", "September 3, 2024"),
        ("2/3", "12/20"),
        ("12 Feb", "29 Dec"),
        ("March 4, 2025", "January 18, 2025"),
        ("15-JAN-2025", "01-DEC-2024"),
        ("2025 March 4", "2025 January 18"),
        ("the 19th of May", "the 4th of Apr"),
        ("sept. 3rd", "jul. 20th"),
        ("January 2025", "December 2024"),
        ("01/2025", "12/2024"),
        ("March", "January"),
        ("May 27th", "Apr 12th"),
        ("TUESDAY", "SATURDAY"),
        ("tues", "sat"),
        ("Thursday, January 16th", "Monday, December 2nd"),
        ("April 26, 2024", "March 12, 2024"),
    ],
)
def test_a_date_keeps_its_order_padding_and_letters(written: str, moved: str) -> None:
    """A note in which dates change their style reads as if somebody else wrote it."""
    assert moved_date(written, -45) == moved


@pytest.mark.parametrize(
    "written",
    [
        "",
        "Thanksgiving",
        "march third",
        "20250304",
        "1959",
        "13/13/2020",
        "02/30/2020",
        "2020/13",
        "1/2/3/4",
        "12 Feb 3 Mar",
        "Mayor",
        "45",
        "0001-01-01",
        "January 3 4 2020",
        "٣/٤/٢٠٢٠",
    ],
)
def test_what_cannot_be_read_for_certain_is_not_moved(written: str) -> None:
    """A guess would leave a real day standing as if it were made up."""
    assert moved_date(written, -45) is None


@given(
    st.dates(date(1900, 1, 1), date(2100, 12, 31)),
    st.integers(-300, 300),
    st.sampled_from(["%Y-%m-%d", "%m/%d/%Y", "%d-%b-%Y", "%b/%d/%Y", "%A-%Y/%m/%d"]),
)
def test_a_whole_date_moves_by_the_days_that_were_asked(
    day: date, days: int, form: str
) -> None:
    """Intervals between dates are what the reader needs of them."""
    moved = moved_date(day.strftime(form), days)

    assert (day + timedelta(days=days)).strftime(form) == moved


@given(st.text(max_size=30), st.integers(-400, 400))
def test_no_text_makes_it_fail(written: str, days: int) -> None:
    """What is taken for a date may be anything."""
    moved = moved_date(written, days)

    assert moved is None or isinstance(moved, str)
