"""Validators know the published examples and refuse their neighbours."""

import pytest

from phitrail.guard import validators


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (validators.is_ssn, "219099998", "000099998"),
        (validators.is_ssn, "899119998", "900119998"),
        (validators.is_ssn, "665119998", "666119998"),
        (validators.is_ssn, "219019998", "219009998"),
        (validators.is_ssn, "219090001", "219090000"),
        (validators.is_itin, "900701234", "900691234"),
        (validators.is_luhn, "4111111111111111", "4111111111111112"),
        (validators.is_npi, "1234567893", "1234567890"),
        (validators.is_npi, "1245319599", "3245319599"),
        (validators.is_dea, "AB1234563", "AB1234564"),
        (validators.is_dea, "F91234563", "F81234563"),
        (validators.is_vin, "1M8GDM9AXKP042788", "1M8GDM9A0KP042788"),
        (validators.is_vin, "11111111111111111", "1111111111111111I"),
        (validators.is_mbi, "1EG4TE5MK73", "1EG4TE5MK7A"),
        (validators.is_mbi, "1EG4TE5MK73", "1SG4TE5MK73"),
        (validators.is_payment_card, "4111111111111111", "1111111111111117"),
        (validators.is_iban, "GB82WEST12345698765432", "GB82WEST12345698765433"),
        (validators.is_routing_number, "021000021", "021000022"),
        (validators.is_us_phone, "2025550123", "1025550123"),
        (validators.is_us_phone, "2025550123", "2915550123"),
        (validators.is_us_phone, "2025550123", "2029110123"),
        (validators.is_ipv4, "192.0.2.255", "192.0.2.256"),
        (validators.is_ipv6, "2001:db8::1", "2001:db8:::1"),
        (validators.is_loinc, "4548-4", "4548-5"),
        (validators.is_snomed, "44054006", "44054007"),
    ],
)
def test_a_published_example_passes_and_its_neighbour_does_not(
    check: object, good: str, bad: str
) -> None:
    """A validator that passes both would let any number in; one that fails both, none."""
    assert callable(check)

    assert (check(good), check(bad)) == (True, False)


@pytest.mark.parametrize("digits", ["\u0661\u0662", "\u2467", "\u00b2", "", "12a"])
def test_only_ascii_digits_count(digits: str) -> None:
    """`int` fails on a circled digit that `str.isdigit` accepts: one would stop a scan."""
    assert not validators.is_ascii_digits(digits)
    assert not validators.is_luhn(digits)


@pytest.mark.parametrize(
    ("year", "month", "day", "expected"),
    [
        (2024, 2, 29, True),
        (2023, 2, 29, False),
        (1900, 2, 29, False),
        (None, 2, 29, True),
        (2023, 4, 31, False),
        (2023, 13, 1, False),
        (1700, 1, 1, False),
    ],
)
def test_days_stand_in_the_calendar(
    year: int | None, month: int, day: int, *, expected: bool
) -> None:
    """Without the calendar, versions and scores would pass as dates."""
    assert expected is validators.is_calendar_day(year, month, day)
