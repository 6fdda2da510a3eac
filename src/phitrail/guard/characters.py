# ruff: noqa: RUF001 - the signs that look alike are the subject
"""What one character outside ASCII is read as, before anything is looked for.

Rules:
- Digits of every script and style become 0-9 (Unicode property Digit, not `isdigit`,
  which accepts what `int` refuses). Spaces become a space, line separators a line feed,
  hyphens and dashes a hyphen, typographic quotes the plain ones.
- What a reader does not see is dropped: zero-width characters, soft hyphens, direction
  marks, variation selectors, marks that compose with no letter. Tag characters
  (U+E0020-E007E), which spell ASCII invisibly, are read as what they spell.
- Compatibility forms (fullwidth, mathematical, enclosed, ligatures) are read as their
  NFKC form. Letters with accents stay: names keep them.
- What ordinary clinical text writes stays as it is and costs nothing: accented Latin,
  Greek, Cyrillic, signs, fractions, superscripts in runs shorter than four. `ACTIVE`
  is the class of the characters that are looked at; all others are left alone.

Letters of other scripts that look Latin are for `phitrail.guard.homoglyphs`.
Source: Unicode Standard Annex 15 (NFKC), Annex 44 (Digit), Technical Report 36.
"""

import re
import unicodedata

DIGIT_ZEROS = tuple(
    int(code, 16)
    for code in (
        "0660 06F0 07C0 0966 09E6 0A66 0AE6 0B66 0BE6 0C66 0CE6 0D66 0DE6 0E50 0ED0 "
        "0F20 1040 1090 17E0 1810 1946 19D0 1A80 1A90 1B50 1BB0 1C40 1C50 A620 A8D0 "
        "A900 A9D0 A9F0 AA50 ABF0 FF10 104A0 10D30 11066 110F0 11136 111D0 112F0 "
        "11450 114D0 11650 116C0 11730 118E0 11950 11C50 11D50 11DA0 11F50 16A60 "
        "16AC0 16B50 1D7CE 1D7D8 1D7E2 1D7EC 1D7F6 1E140 1E2F0 1E4F0 1E950 1FBF0"
    ).split()
)
"""The zero of each run of ten decimal digits outside ASCII (general category Nd)."""

SMALL_RUN = 4
"""Superscripts are exponents and units; so many in a row are a number in disguise."""

_SMALL = "²³¹⁰⁴-⁹⁺⁻₀-₉₊₋"
_MARKS = "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_RANGES = (
    "\u0080-\u00a0\u00ad\u017f\u02b0-\u02ff\u034f\u0600-\u0605\u061c\u06dd\u070f"
    "\u0890\u0891\u08e2\u1369-\u1371\u115f\u1160\u1680\u17b4\u17b5\u1806\u180b-\u180f"
    "\u19da\u1d2c-\u1d6a\u1d78\u1d9b-\u1dbf\u2000-\u201f\u2024\u2028-\u202f\u203c"
    "\u2047-\u2049\u205f-\u206f\u2071-\u207f\u208a-\u209c\u2102\u210a-\u2113\u2115"
    "\u2116\u2119-\u211d\u2124\u2128\u212c-\u2131\u2133\u2134\u2139\u2145-\u2149"
    "\u2160-\u217f\u2212\u2460-\u24ff\u2776-\u2793\u2c7c\u2c7d\u2e3a\u2e3b\u3000"
    "\u3164\u3200-\u33ff\ua69c\ua69d\ua770\ufb00-\ufb06\ufe00-\ufe0f\ufe30-\ufe6f"
    # One range beyond the first plane: many would be tried one by one on every letter.
    "\ufeff\uff00-\uffef\ufff9-\ufffb\U00010000-\U0010ffff"
)
_LAST_OF_PLANE = 0xFFFF
_DIGITS = "".join(
    f"{chr(zero)}-{chr(zero + 9)}" for zero in DIGIT_ZEROS if zero <= _LAST_OF_PLANE
)

ACTIVE = f"{_SMALL}{_MARKS}{_RANGES}{_DIGITS}"
"""The inside of a character class: what `fold`, `SMALL` and `MARKS` answer for."""

SMALL = re.compile(f"[{_SMALL}]+")
MARKS = re.compile(f"[{_MARKS}]+")

EM_DASHES = frozenset("—―⸺⸻")
"""Read as hyphens between digits only: between words they part what they stand between."""

_READ_AS = {
    **dict.fromkeys("\u00a0\u1680\u202f\u205f\u3000\u3164\ufeff"[:-1], " "),
    **dict.fromkeys(map(chr, range(0x2000, 0x200B)), " "),
    **dict.fromkeys("\u0085\u2028\u2029", "\n"),
    **dict.fromkeys("‐‑‒–−﹘﹣－⁻₋᠆", "-"),
    **dict.fromkeys("‘’‛ʹʻʼʽˈ＇", "'"),
    **dict.fromkeys("“”‟ˮ＂", '"'),
    **dict.fromkeys("⁺₊", "+"),
    "\u2024": ".",
    "№": "No",
}
_UNSEEN = frozenset(
    map(
        chr,
        (
            *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0xFEFF),
            *range(0x180B, 0x1810),
            *range(0x200B, 0x2010),
            *range(0x202A, 0x202F),
            *range(0x2060, 0x2070),
            *range(0xFE00, 0xFE10),
            *range(0xFFF9, 0xFFFC),
            *range(0x1D173, 0x1D17B),
            *range(0xE0000, 0xE0020),
            *range(0xE007F, 0xE1000),
        ),
    )
)
_TAGS = range(0xE0020, 0xE007F)
_TAG_OFFSET = 0xE0000
_LETTER_RUNS = ((0x1F130, 26), (0x1F150, 26), (0x1F170, 26), (0x1F1E6, 26))
"""First letters of the enclosed and flag alphabets that NFKC leaves alone, and sizes."""

_MOST_MARKS = 8
"""Composed with one letter at most; ordering an endless run takes square time."""


def fold(character: str) -> str:
    """Give what one active character is read as; empty when nobody sees it."""
    if character in _READ_AS:
        return _READ_AS[character]
    if character in _UNSEEN:
        return ""
    digit = unicodedata.digit(character, None)
    if digit is not None:
        return str(digit)
    code = ord(character)
    if code in _TAGS:
        return chr(code - _TAG_OFFSET)
    for first, size in _LETTER_RUNS:
        if first <= code < first + size:
            return chr(ord("A") + code - first)
    if MARKS.match(character):
        return ""
    return _decimal_in(unicodedata.normalize("NFKC", character)) or character


def _decimal_in(text: str) -> str:
    """Read what NFKC gives: digits that it left in another script become 0-9 too."""
    if text.isascii():
        return text
    return "".join(
        str(unicodedata.decimal(one)) if one.isdecimal() else _READ_AS.get(one, one)
        for one in text
    )


def compose(base: str, marks: str) -> str:
    """Give a letter with those of its marks that compose; what is left over is dropped."""
    composed = unicodedata.normalize("NFC", base + marks[:_MOST_MARKS])
    return "".join(one for one in composed if not MARKS.match(one)) or base
