"""Foreign times become ours without a guess."""

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from phitrail.capture.history.times import TimeReader
from phitrail.errors import InputError

CHICAGO = ZoneInfo("America/Chicago")


@pytest.mark.parametrize(
    ("reader", "written", "expected"),
    [
        (TimeReader(), "2026-03-15T14:23:07.123456+00:00", "14:23:07.123"),
        (TimeReader(), "2026-03-15T14:23:07+00:00", "14:23:07.000"),
        (TimeReader(), "2026-03-15 16:23:07.5+02:00", "14:23:07.500"),
        (TimeReader(), "2026-03-15T14:23:07Z", "14:23:07.000"),
        (TimeReader("epoch_s"), 1773584587, "14:23:07.000"),
        (TimeReader("epoch_s"), "1773584587.25", "14:23:07.250"),
        (TimeReader("epoch_ms"), 1773584587123, "14:23:07.123"),
        (TimeReader("iso", CHICAGO), "2026-03-15T09:23:07", "14:23:07.000"),
        (TimeReader("%d.%m.%Y %H:%M", UTC), "15.03.2026 14:23", "14:23:00.000"),
    ],
)
def test_a_time_becomes_ours(
    reader: TimeReader, written: str | float, expected: str
) -> None:
    """A wrong hour puts somebody else on the ward."""
    assert f"2026-03-15T{expected}Z" == reader.read(written)


@pytest.mark.parametrize(
    "written",
    ["2026-03-15T14:23:07", "2026-03-15", "soon", "", 5, True, None, ("a",), "9" * 400],
)
def test_what_is_no_time_with_an_offset_is_refused(written: object) -> None:
    """A guessed zone is a false record."""
    with pytest.raises(InputError) as caught:
        TimeReader().read(written)  # type: ignore[arg-type]  # foreign values

    assert caught.value.field == "timestamp_utc"
    assert caught.value.__context__ is None or "soon" not in str(caught.value)


@pytest.mark.parametrize("written", [1e300, float("nan"), "nan", -(10**18), "x"])
def test_numbers_that_are_no_times_are_refused(written: float | str) -> None:
    """An overflow is a refusal, not a crash."""
    for form in ("epoch_s", "epoch_ms"):
        with pytest.raises(InputError):
            TimeReader(form).read(written)


def test_an_hour_that_comes_twice_needs_a_word() -> None:
    """In autumn 01:30 is two moments; the file cannot say which."""
    written = "2026-11-01T01:30:00"
    with pytest.raises(InputError):
        TimeReader("iso", CHICAGO).read(written)

    assert (
        TimeReader("iso", CHICAGO, "earlier")
        .read(written)
        .startswith("2026-11-01T06:30")
    )
    assert (
        TimeReader("iso", CHICAGO, "later").read(written).startswith("2026-11-01T07:30")
    )


def test_an_hour_that_never_was_is_refused() -> None:
    """In spring 02:30 did not happen."""
    with pytest.raises(InputError):
        TimeReader("iso", CHICAGO, "earlier").read("2026-03-08T02:30:00")
