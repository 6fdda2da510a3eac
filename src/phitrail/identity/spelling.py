"""One spelling for an identifier, however a chart or a model wrote it.

Two writings of one number must give one keyed hash, so a value is brought into one form
before it is hashed:
1. NFKC, every decimal digit of Unicode to 0-9, case folded.
2. SSN: nine digits. Phone: its digits, without an extension and without the leading 1 of
   North America. E-mail: as it is, without `mailto:`. MRN and member id: letters and digits
   alone, without the word MRN before them; of plain numbers the leading zeros go.
3. What is too short to name one person, or is no such identifier, has no form.

Names and dates have no place here: they are borne by many.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping

from phitrail.events.codes import IdentifierClass

LONGEST_CHARS = 256
SSN_DIGITS = 9
PHONE_DIGITS = range(7, 16)
NORTH_AMERICAN_DIGITS = 11
SHORTEST_NUMBER_CHARS = 4
_EXTENSION = re.compile(r"(?:x|ext|extension|#)[.: ]{0,2}\d{1,6}\s*\Z")
_BEFORE_MAIL = re.compile(r"\A[ <]*(?:mailto:[ <]*)*")
_MAIL = re.compile(r"\A[^\s@<>]{1,64}@[^\s@<>]{1,190}\Z")


def spell(kind: IdentifierClass, value: str) -> str | None:
    """Return the one form of an identifier; None where it names nobody alone."""
    form = _FORM_OF.get(kind)
    if form is None or len(value) > LONGEST_CHARS:
        return None
    return form(_folded(value))


def _folded(value: str) -> str:
    text = unicodedata.normalize("NFKC", value).casefold()
    text = unicodedata.normalize("NFKC", text).strip()
    return "".join(
        str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text
    )


def _digits(text: str) -> str:
    return "".join(char for char in text if "0" <= char <= "9")


def _ssn(text: str) -> str | None:
    digits = _digits(text)
    return digits if len(digits) == SSN_DIGITS else None


def _phone(text: str) -> str | None:
    digits = _digits(_EXTENSION.sub("", text))
    if len(digits) == NORTH_AMERICAN_DIGITS and digits[0] == "1":
        digits = digits[1:]
    return digits if len(digits) in PHONE_DIGITS else None


def _mail(text: str) -> str | None:
    address = _BEFORE_MAIL.sub("", text).rstrip(" >")
    return address if _MAIL.match(address) else None


def _number(text: str) -> str | None:
    plain = "".join(char for char in text if char.isalnum())
    if plain.startswith("mrn") and plain[3:4].isdecimal():
        plain = plain[3:]
    if plain.isdecimal():
        plain = plain.lstrip("0")
    if len(plain) < SHORTEST_NUMBER_CHARS or not _digits(plain):
        return None
    return plain


_FORM_OF: Mapping[IdentifierClass, Callable[[str], str | None]] = {
    IdentifierClass.SSN: _ssn,
    IdentifierClass.PHONE: _phone,
    IdentifierClass.EMAIL: _mail,
    IdentifierClass.MRN: _number,
    IdentifierClass.HEALTH_PLAN: _number,
}

SPELLED = frozenset(_FORM_OF)
"""The classes that have one form: those by which a patient is recognised."""
