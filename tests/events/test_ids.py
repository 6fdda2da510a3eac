"""UUIDv7 and times have the written forms that the standards give."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phitrail.errors import InputError
from phitrail.events import shapes
from phitrail.events.ids import format_time, new_uuid7, parse_time, uuid_bytes

DECODER = msgspec.json.Decoder(shapes.Timestamp)

moments = st.datetimes(
    min_value=datetime(1970, 1, 2),  # noqa: DTZ001 - hypothesis wants naive bounds
    max_value=datetime(9999, 1, 1),  # noqa: DTZ001 - hypothesis wants naive bounds
).map(lambda moment: moment.replace(tzinfo=UTC))


def test_uuid7_matches_the_example_of_rfc_9562() -> None:
    """RFC 9562 appendix A.6: 2022-02-22T19:22:22Z with its random bits."""
    rand_a, rand_b = 0xCC3, 0x18C4DC0C0C07398F
    entropy = ((rand_a << 62) | rand_b).to_bytes(10, "big")
    moment = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)

    assert new_uuid7(moment, entropy) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(moments, st.binary(min_size=10, max_size=10))
def test_uuid7_has_version_variant_and_order(moment: datetime, entropy: bytes) -> None:
    """Ids sort by time, so that the unique index grows at its edge."""
    made = UUID(new_uuid7(moment, entropy))

    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert made.int >> 80 == int(moment.timestamp() * 1000)
    assert uuid_bytes(str(made)) == made.bytes


def test_two_ids_of_one_moment_differ() -> None:
    """Randomness is drawn when none is given."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)

    assert new_uuid7(moment) != new_uuid7(moment)


def test_what_is_no_uuid_is_refused_without_its_text() -> None:
    """The error names the field only."""
    with pytest.raises(InputError) as caught:
        uuid_bytes("Zebulon")

    assert "Zebulon" not in str(caught.value)


@given(moments)
def test_times_round_trip_to_the_millisecond(moment: datetime) -> None:
    """Three fraction digits and Z, whatever the zone of the caller."""
    text = format_time(moment.astimezone(timezone(timedelta(hours=-5))))

    assert text == format_time(moment)
    assert len(text) == 24
    assert text.endswith("Z")
    assert timedelta() <= moment - parse_time(text) < timedelta(milliseconds=1)


@given(st.integers(0, 9999), st.integers(0, 13), st.integers(0, 32), st.integers(0, 25))
def test_the_shape_of_a_time_admits_what_the_calendar_has(
    year: int, month: int, day: int, hour: int
) -> None:
    """A time that is stored can be read back, 29 February included."""
    text = f"{year:04}-{month:02}-{day:02}T{hour:02}:59:59.999Z"
    try:
        is_admitted = bool(DECODER.decode(f'"{text}"'))
    except msgspec.ValidationError:
        is_admitted = False
    try:
        expected = parse_time(text).tzinfo is not None
    except ValueError:
        expected = False

    assert is_admitted == expected


@pytest.mark.parametrize(
    ("date", "is_admitted"),
    [
        ("2024-02-29", True),
        ("2023-02-29", False),
        ("2000-02-29", True),
        ("1900-02-29", False),
        ("2024-04-31", False),
        ("0000-01-01", False),
    ],
)
def test_leap_years_are_told_apart(date: str, is_admitted: bool) -> None:
    """The random test seldom meets them."""
    line = f'"{date}T00:00:00.000Z"'
    if is_admitted:
        assert DECODER.decode(line).startswith(date)
        return

    with pytest.raises(msgspec.ValidationError):
        DECODER.decode(line)
