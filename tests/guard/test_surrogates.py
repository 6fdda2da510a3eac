"""Made-up values: repeatable, consistent within a text, of one shape, nobody's."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phitrail.events.codes import IdentifierClass
from phitrail.guard.surrogates import Surrogates

NAME, PLACE = IdentifierClass.NAME, IdentifierClass.GEOGRAPHIC
PHONE, SSN = IdentifierClass.PHONE, IdentifierClass.SSN
SEEDS = [bytes([n]) for n in range(20)]


def _made_up(seed: bytes, value: str, kind: IdentifierClass) -> str:
    made = Surrogates(seed).made_up(value, kind)
    assert made is not None
    return made


@given(st.text(max_size=40), st.sampled_from(IdentifierClass), st.binary(max_size=8))
def test_the_same_seed_gives_the_same_surrogate(
    value: str, kind: IdentifierClass, seed: bytes
) -> None:
    """A scan that is repeated for an auditor must give the same answer."""
    assert Surrogates(seed).made_up(value, kind) == Surrogates(seed).made_up(
        value, kind
    )


def test_another_seed_gives_another_surrogate() -> None:
    """Surrogates that never change become names for the people behind them."""
    made = {_made_up(seed, "Zelda Quist", NAME) for seed in SEEDS}

    assert len(made) > len(SEEDS) // 2


def test_parts_of_a_name_follow_the_whole() -> None:
    """The reader must see that Ms. Quist is Zelda Quist, whoever she is."""
    surrogates = Surrogates(b"seed")
    given, _, family = (surrogates.made_up("Zelda B. Quist", NAME) or "").split()

    assert surrogates.made_up("Quist", NAME) == family
    assert surrogates.made_up("QUIST, Zelda", NAME) == f"{family.upper()}, {given}"
    assert surrogates.made_up("Z. Quist", NAME) == f"{given[0]}. {family}"
    assert surrogates.made_up("Zelda's", NAME) == f"{given}'s"


def test_two_people_do_not_become_one() -> None:
    """Two patients under one made-up name would be one patient."""
    surrogates = Surrogates(b"seed")
    names = [f"{a}{b}{c}an" for a in "BDF" for b in "aeiou" for c in "lmnr"]
    made = {surrogates.made_up(f"Tom {name}", NAME) for name in names}

    assert len(made) > 0.9 * len(names)


@pytest.mark.parametrize("seed", SEEDS)
def test_phones_and_ssns_are_nobodys_and_keep_their_shape(seed: bytes) -> None:
    """A made-up phone that rings at somebody's is a new disclosure."""
    phone = _made_up(seed, "(612) 304-9981", PHONE)
    ssn = _made_up(seed, "219-45-8812", SSN)

    assert re.fullmatch(r"\([2-9]\d\d\) 555-01\d\d", phone)
    assert re.fullmatch(r"9\d\d-[0-4]\d-\d{4}", ssn)
    assert ssn[4:6] != "00"


@pytest.mark.parametrize(
    "phone", ["+44 20 7946 1234", "612-304-9981 x567", "3049981", "6123049981", "9981"]
)
def test_no_part_of_a_phone_is_left(phone: str) -> None:
    """An extension or a country must not push the area code out of reach."""
    made = {_made_up(seed, phone, PHONE) for seed in SEEDS}

    for place, char in enumerate(phone):
        left = {each[place] for each in made}
        assert char.isdecimal() or left == {char}
    assert all(each[-4:].isdecimal() is phone[-4:].isdecimal() for each in made)
    assert not any("612" in each or "304" in each for each in made)


def test_the_last_four_follow_the_whole_number() -> None:
    """What "ends in 8812" must still be the end of the number written before."""
    surrogates = Surrogates(b"seed")
    whole = surrogates.made_up("219-45-8812", SSN) or ""

    assert surrogates.made_up("8812", SSN) == whole[-4:]


@pytest.mark.parametrize("seed", SEEDS)
def test_check_digits_are_broken(seed: bytes) -> None:
    """A made-up number that passes its check may be somebody's."""
    npi = _made_up(seed, "1234567893", IdentifierClass.LICENSE)
    vin = _made_up(seed, "1ABCD23E4FG567890", IdentifierClass.VEHICLE)

    assert len(npi) == 10
    assert _luhn_sum("80840" + npi) % 10 != 0
    assert _luhn_sum(npi) % 10 != 0
    assert len(vin) == 17
    assert "Q" in vin


def _luhn_sum(digits: str) -> int:
    doubled = (
        int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))
    )
    return sum(each // 10 + each % 10 for each in doubled)


@given(
    st.text(alphabet="AZaz09-/. ٣⑦", min_size=1, max_size=20),
    st.sampled_from(["mrn", "account", "health_plan", "device", "other"]),
)
def test_numbers_keep_their_shape(value: str, kind: str) -> None:
    """A form that checks lengths must take the made-up number as it took the real one."""
    made = _made_up(b"seed", value, IdentifierClass(kind))

    assert len(made) == len(value)
    for old, new in zip(value, made, strict=True):
        assert old.isalpha() == new.isalpha()
        assert old.isalnum() == new.isalnum()
        assert old.isalnum() or old == new


def test_a_long_value_gets_as_many_characters() -> None:
    """A template identifier of a hundred digits must not run out of made-up ones."""
    value = "7" * 100 + "a" * 100
    made = _made_up(b"seed", value, IdentifierClass.BIOMETRIC)

    assert made[:100].isdecimal()
    assert made[100:].isalpha()
    assert len(set(made[:100])) == 10


def test_more_people_than_names_are_still_renamed() -> None:
    """When the made-up names run out, a name is used twice; none is left as it was."""
    surrogates = Surrogates(b"seed")
    names = [f"{a}{b}quist" for a in "BDFGKLMPRT" for b in "aeiouyäöåü"]
    made = [surrogates.made_up(name, NAME) for name in names]

    assert None not in made
    assert not set(names) & set(made)


def test_places_keep_what_kind_of_place_they_are() -> None:
    """A clinic that becomes a street makes nonsense of the sentence."""
    surrogates = Surrogates(b"seed")
    clinic = surrogates.made_up("Norrvik Family Clinic", PLACE) or ""
    street = surrogates.made_up("88 Norrvik Ave, Apt 4", PLACE) or ""

    assert clinic.endswith(" Family Clinic")
    assert street.endswith(f"Ave, Apt {street[-1]}")
    assert clinic.split()[0] in street
    assert "Norrvik" not in clinic + street
    assert re.fullmatch(r"000\d\d", _made_up(b"seed", "55431", PLACE))
    assert re.fullmatch(r"000\d\d-\d{4}", _made_up(b"seed", "55431-1200", PLACE))
    assert _made_up(b"seed", "County", PLACE) != "County"


def test_hosts_and_addresses_are_those_kept_for_examples() -> None:
    """A made-up address that somebody reads mail at is a new disclosure."""
    assert re.fullmatch(
        r"person\d+@example\.org", _made_up(b"s", "z@q.se", IdentifierClass.EMAIL)
    )
    assert _made_up(b"s", "http://q.se/z", IdentifierClass.URL).startswith(
        "https://example.org/"
    )
    assert _made_up(b"s", "10.1.2.3", IdentifierClass.IP_ADDRESS).startswith("192.0.2.")
    assert _made_up(b"s", "fe80::1", IdentifierClass.IP_ADDRESS).startswith(
        "2001:db8::"
    )
    assert re.fullmatch(
        r"photo\d+\.png", _made_up(b"s", "zq.png", IdentifierClass.PHOTO)
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_dates_of_a_text_keep_their_distance(seed: bytes) -> None:
    """An interval between two doses is medicine; the day itself is not."""
    surrogates = Surrogates(seed)
    first = surrogates.made_up("2024-05-02", IdentifierClass.DATE) or ""
    second = surrogates.made_up("05/09/2024", IdentifierClass.DATE) or ""
    weekday = surrogates.made_up("Tuesday", IdentifierClass.DATE)

    year, month, day = map(int, first.split("-"))
    month2, day2, year2 = map(int, second.split("/"))
    assert (_day(year2, month2, day2) - _day(year, month, day)) == 7
    assert weekday != "Tuesday"
    assert surrogates.made_up("Midsummer", IdentifierClass.DATE) is None


def _day(year: int, month: int, day: int) -> int:
    from datetime import date  # noqa: PLC0415 - the name is that of a class above

    return date(year, month, day).toordinal()
