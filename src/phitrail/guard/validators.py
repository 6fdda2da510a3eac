"""What makes a number one of its kind: areas, check digits, shapes and calendars.

Each function takes the compact form (no spaces or hyphens), knows nothing of the text
around it, and answers whether the form can be one. A number that fails may still be
someone's, mistyped: the rules that call these lower a score, or ask for a cue word,
rather than let it pass. Only ASCII digits count; other scripts are the normaliser's.
"""

import ipaddress
from typing import Final

_VIN_VALUES = dict(
    zip(
        "ABCDEFGHJKLMNPRSTUVWXYZ0123456789",
        (
            1,
            2,
            3,
            4,
            5,
            6,
            7,
            8,
            1,
            2,
            3,
            4,
            5,
            7,
            9,
            2,
            3,
            4,
            5,
            6,
            7,
            8,
            9,
            *range(10),
        ),
        strict=True,
    )
)
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_MBI_LETTERS = frozenset("ACDEFGHJKMNPQRTUVWXY")
_DEA_TYPES = frozenset("ABCDEFGHJKLMNPRSTUX")
_MONTH_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_SSN_DIGITS = 9
_NPI_DIGITS = 10
_DEA_CHARACTERS = 9
_VIN_CHARACTERS = 17
_MBI_CHARACTERS = 11
_PHONE_DIGITS = 10
_ROUTING_DIGITS = 9
_CARD_DIGITS = range(13, 20)
_IBAN_CHARACTERS = range(15, 35)
_YEARS = range(1870, 2101)


def is_ascii_digits(value: str) -> bool:
    """Whether a value is one or more of the digits 0 to 9 and nothing else."""
    return value.isascii() and value.isdigit()


def is_ssn(digits: str) -> bool:
    """Whether nine digits can be a social security number (SSA, POMS RM 10201.035).

    Area 000, 666 and 900-999, group 00 and serial 0000 were never assigned.
    """
    if len(digits) != _SSN_DIGITS or not is_ascii_digits(digits):
        return False
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return (
        area not in {"000", "666"}
        and area < "900"
        and group != "00"
        and serial != "0000"
    )


def is_itin(digits: str) -> bool:
    """Whether nine digits can be an individual taxpayer number (IRS, 26 CFR 301.6109-1).

    It begins with 9; digits four and five are 50-65, 70-88, 90-92 or 94-99.
    """
    if len(digits) != _SSN_DIGITS or not is_ascii_digits(digits) or digits[0] != "9":
        return False
    group = int(digits[3:5])
    return 50 <= group <= 99 and group not in {66, 67, 68, 69, 89, 93}  # noqa: PLR2004 - the IRS's own bounds


def is_luhn(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit (ISO/IEC 7812-1, annex B)."""
    if not is_ascii_digits(digits):
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled // 10 + doubled % 10
    return total % 10 == 0


def is_npi(digits: str) -> bool:
    """Whether ten digits are a national provider identifier (45 CFR 162.406).

    The check digit is Luhn's over the number with the prefix 80840; the first is 1 or 2.
    """
    return (
        len(digits) == _NPI_DIGITS and digits[0] in "12" and is_luhn("80840" + digits)
    )


def is_dea(value: str) -> bool:
    """Whether a value is a DEA registration number (21 CFR 1301; DEA's check digit).

    Two letters (the second may be 9) and seven digits: the first, third and fifth, plus
    twice the second, fourth and sixth, end in the seventh.
    """
    upper = value.upper()
    if len(upper) != _DEA_CHARACTERS or upper[0] not in _DEA_TYPES:
        return False
    if not (upper[1].isascii() and (upper[1].isalpha() or upper[1] == "9")):
        return False
    if not is_ascii_digits(upper[2:]):
        return False
    numbers = [int(digit) for digit in upper[2:]]
    odd, even = sum(numbers[0:6:2]), sum(numbers[1:6:2])
    return (odd + 2 * even) % 10 == numbers[6]


def is_vin(value: str) -> bool:
    """Whether 17 characters carry the right check digit (49 CFR 565.15)."""
    upper = value.upper()
    if len(upper) != _VIN_CHARACTERS or any(sign not in _VIN_VALUES for sign in upper):
        return False
    total = sum(
        _VIN_VALUES[sign] * weight
        for sign, weight in zip(upper, _VIN_WEIGHTS, strict=True)
    )
    return upper[8] == "0123456789X"[total % 11]


def is_mbi(value: str) -> bool:
    """Whether a value has the shape of a Medicare beneficiary identifier (CMS).

    Eleven characters: C (1-9), A (letter), N (digit) or X (either), A/N by place, and
    letters without S, L, O, I, B and Z.
    """
    upper = value.upper()
    if (
        len(upper) != _MBI_CHARACTERS
        or not upper.isascii()
        or upper[0] not in "123456789"
    ):
        return False
    return all(
        _fits_mbi(sign, kind)
        for sign, kind in zip(upper[1:], "AXNAXNAANN", strict=True)
    )


def _fits_mbi(sign: str, kind: str) -> bool:
    if kind == "A":
        return sign in _MBI_LETTERS
    if kind == "N":
        return sign.isdigit()
    return sign.isdigit() or sign in _MBI_LETTERS


def is_payment_card(digits: str) -> bool:
    """Whether 13 to 19 digits can be a payment card (ISO/IEC 7812-1: 2-6 and Luhn)."""
    return len(digits) in _CARD_DIGITS and digits[0] in "23456" and is_luhn(digits)


def is_iban(value: str) -> bool:
    """Whether a value is an international bank account number (ISO 13616, mod 97)."""
    upper = value.upper()
    if len(upper) not in _IBAN_CHARACTERS or not (upper.isascii() and upper.isalnum()):
        return False
    if not upper[:2].isalpha() or not upper[2:4].isdigit():
        return False
    turned = upper[4:] + upper[:4]
    return int("".join(str(int(sign, 36)) for sign in turned)) % 97 == 1


def is_routing_number(digits: str) -> bool:
    """Whether nine digits are a bank routing number (ABA; weights 3, 7, 1)."""
    if len(digits) != _ROUTING_DIGITS or not is_ascii_digits(digits):
        return False
    weights = (3, 7, 1) * 3
    total = sum(int(d) * w for d, w in zip(digits, weights, strict=True))
    return total % 10 == 0


def is_us_phone(digits: str) -> bool:
    """Whether ten digits look like a telephone number of North America (NANPA rules).

    The area code begins with 2-9, its second digit is not 9, and neither it nor the
    exchange ends in 11. The exchange's first digit and the area 555 are let pass:
    invented numbers stand in for real ones in letters and in tests.
    """
    if len(digits) != _PHONE_DIGITS or not is_ascii_digits(digits):
        return False
    area, exchange = digits[:3], digits[3:6]
    return (
        area[0] in "23456789"
        and area[1:] != "11"
        and area[1] != "9"
        and exchange[1:] != "11"
    )


def is_ipv4(value: str) -> bool:
    """Whether a value is a dotted IPv4 address (RFC 6943, section 3.1.1: strict form)."""
    try:
        ipaddress.IPv4Address(value)
    except ipaddress.AddressValueError:
        return False
    return True


def is_ipv6(value: str) -> bool:
    """Whether a value is an IPv6 address (RFC 4291, section 2.2)."""
    try:
        ipaddress.IPv6Address(value)
    except ipaddress.AddressValueError:
        return False
    return True


def is_calendar_day(year: int | None, month: int, day: int) -> bool:
    """Whether a day stands in the Gregorian calendar; without a year, in a leap year."""
    if not (1 <= month <= len(_MONTH_DAYS) and 1 <= day <= _MONTH_DAYS[month - 1]):
        return False
    if year is None:
        return True
    if year not in _YEARS:
        return False
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return is_leap or (month, day) != (2, 29)


def is_loinc(code: str) -> bool:
    """Whether a code carries the LOINC check digit (LOINC Users' Guide: mod 10, Luhn)."""
    number, _, check = code.partition("-")
    return (
        is_ascii_digits(number) and is_ascii_digits(check) and is_luhn(number + check)
    )


_DIHEDRAL: Final = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_TURNS: Final = (
    "0123456789", "1576283094", "5803796142", "8916043527",
    "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip
_SNOMED_DIGITS: Final = range(6, 19)


def is_snomed(digits: str) -> bool:
    """Whether 6 to 18 digits end in the Verhoeff check digit (SNOMED CT, SCTID)."""
    if len(digits) not in _SNOMED_DIGITS or not is_ascii_digits(digits):
        return False
    check = 0
    for place, digit in enumerate(reversed(digits)):
        turned = int(_TURNS[place % len(_TURNS)][int(digit)])
        check = int(_DIHEDRAL[check][turned])
    return check == 0
