"""Made-up values that take the place of real ones: same shape, same person, nobody's.

Rules:
1. The same seed and text give the same surrogates; within a text the same name, number or
   place gets the same one. Nothing outlives the object, and another seed tells nothing.
2. Parts of names are replaced one by one, so that "Smith" follows "John Smith".
3. Dates of one text move by the same number of days (`phitrail.guard.surrogate_dates`).
4. A surrogate must not be somebody's: phones are of 555-0100 to 555-0199, SSNs of area 900
   and up with a group that no ITIN has, hosts of example.org (RFC 2606), addresses of the
   documentation ranges (RFC 5737, RFC 3849), ZIPs of 000, which is not assigned. Other
   numbers keep shape alone: NPI, card and VIN check digits are broken on purpose, but an
   MRN of the same shape may exist. Where that matters, use placeholders.
5. What cannot be made up safely has no surrogate: `made_up` gives None.

Sources: NANPA (555 line numbers), SSA (area numbers), IRS (ITIN groups).
"""

import re
import string
from hashlib import blake2b

from phitrail.events.codes import IdentifierClass
from phitrail.guard.surrogate_dates import moved_date

_GIVEN = (
    "Ada Alma Amos Anson Aria Basil Bela Brice Cara Celia Clio Cyrus Dara Delia Dorian "
    "Edith Elias Enid Esme Ezra Faye Felix Flora Gail Gideon Greta Hale Hana Hugo Ida "
    "Iris Ivo Jonas Juno Kara Keir Lars Leda Linus Lyle Mabel Marius Mina Nadia Nils "
    "Nora Odell Opal Orson Petra Pia Quincy Rhea Rufus Selma Silas Thea Tobias Una Vera "
    "Victor Wanda Wilmer Xenia Yara Zeno"
).split()
_EITHER = (
    "Alder Arden Avery Bellamy Blair Carey Corey Dale Darcy Drew Ellery Ellis Emery "
    "Flynn Greer Harper Hollis Jory Keegan Kendall Lane Lennox Marlow Merrill Morgan "
    "Oakley Palmer Perry Quinn Reese Remy Rowan Sawyer Shea Sloan Tatum Teagan Wynn"
).split()
_STEMS = (
    "Alden Ashen Barrow Birch Bracken Calder Cobble Crane Dunmore Elder Fallow Fenn "
    "Garnet Hazel Heron Inger Kestrel Larch Linden Mallow Merle Nettle Orchard Pell "
    "Quill Raven Rook Sable Sedge Tarn Thistle Umber Vale Warren Willow Yarrow"
).split()
_FAMILY_ENDINGS = ("", "son", "ley", "ford", "well", "man")
_PLACE_ENDINGS = ("mere", "holm", "stead", "combe", "haven", "wick")
_GENERIC_PLACE_WORDS = frozenset(
    (
        "of the at and for st street ave avenue rd road dr drive ln lane blvd boulevard "
        "ct court way pl place pkwy parkway hwy highway cir circle ter terrace apt unit "
        "suite ste fl floor po box north south east west n s e w ne nw se sw hospital "
        "clinic center centre medical health healthcare system university college school "
        "elementary middle high academy memorial general regional community county city "
        "town village church rehab rehabilitation nursing home care family children "
        "surgery surgical imaging radiology lab laboratory laboratories pharmacy dental "
        "dialysis hospice shelter institute associates group partners senior living "
        "assisted facility pediatrics oncology cardiology orthopedics urgent practice"
    ).split()
)
_WORD = re.compile(r"[^\W\d_]+|\d+")
_ZIP = re.compile(r"\A[0-9]{5}(?:-[0-9]{4})?\Z")
_PHONE_CLASSES = frozenset({IdentifierClass.PHONE, IdentifierClass.FAX})
_LOCAL_DIGITS = 7
_FULL_DIGITS = 10
_TAIL = 4
_SHIFT_FROM, _SHIFT_WEEKS = 35, 40
_DATES_MOVE_BACK = -1


class Surrogates:
    """The surrogates of one text; keep it for the text, or the stream, and no longer."""

    def __init__(self, seed: bytes) -> None:
        self._key = blake2b(seed).digest()
        weeks, rest = divmod(self._bits("shift", ""), 6)
        # Never a multiple of seven: a weekday alone would stay what it is.
        days = _SHIFT_FROM + 7 * (weeks % _SHIFT_WEEKS) + rest + 1
        self._days = _DATES_MOVE_BACK * days
        self._words: dict[tuple[str, str], str] = {}
        self._taken: set[str] = set()
        self._tails: dict[tuple[IdentifierClass, str], str] = {}

    def made_up(self, value: str, kind: IdentifierClass) -> str | None:
        """Return a surrogate of a value, or None where none can be made up safely."""
        if kind == IdentifierClass.NAME:
            return self._name(value)
        if kind == IdentifierClass.GEOGRAPHIC:
            return self._place(value)
        if kind == IdentifierClass.DATE:
            return moved_date(value, self._days)
        if kind == IdentifierClass.EMAIL:
            return f"person{self._bits('email', value.casefold()) % 10_000}@example.org"
        if kind == IdentifierClass.URL:
            return f"https://example.org/{self._bits('url', value) % 1_000_000}"
        if kind == IdentifierClass.IP_ADDRESS:
            number = self._bits("ip", value.casefold()) % 254 + 1
            return f"2001:db8::{number:x}" if ":" in value else f"192.0.2.{number}"
        if kind == IdentifierClass.PHOTO:
            ending = re.search(r"\.[A-Za-z0-9]{2,4}\Z", value)
            number = self._bits("photo", value) % 10_000
            return f"photo{number}{ending[0] if ending else ''}"
        return self._number(value, kind)

    def _bits(self, purpose: str, value: str) -> int:
        data = f"{purpose}\0{value}".encode("utf-8", "surrogatepass")
        return int.from_bytes(blake2b(data, key=self._key, digest_size=32).digest())

    def _name(self, value: str) -> str:
        words = [found for found in _WORD.finditer(value) if found[0] not in {"s", "S"}]
        whole = [found for found in words if len(found[0]) > 1]
        family = (whole[:1] if "," in value else whole[-1:]) if len(whole) > 1 else []
        out = value
        for found in reversed(words):
            part = "given" if family else "either"
            if found in family:
                part = "family"
            out = out[: found.start()] + self._word(found[0], part) + out[found.end() :]
        return out

    def _word(self, word: str, part: str) -> str:
        """Return what stands for one word of a name or place, in letters like its own."""
        lower = word.casefold()
        known = self._words.get(("", lower))
        if known is None:
            if len(word) == 1:
                known = string.ascii_uppercase[self._bits("initial", lower) % 26]
            else:
                known = self._unused(part, lower)
                self._words[("", lower[0])] = known[0]
            self._words[("", lower)] = known
        if word.isupper():
            return known.upper()
        return known.lower() if word.islower() else known

    def _unused(self, part: str, word: str) -> str:
        """Pick a word that stands for no other yet, as far as there are any."""
        bits = self._bits(part, word)
        known = ""
        for step in range(16):
            known = _candidate(part, bits + step * 7)
            if known not in self._taken and known.casefold() != word:
                break
        self._taken.add(known)
        return known

    def _place(self, value: str) -> str:
        if _ZIP.match(value):
            more = f"-{self._bits('zip4', value) % 10_000:04}" if "-" in value else ""
            return f"000{self._bits('zip', value[:5]) % 100:02}{more}"
        words = [*_WORD.finditer(value)]
        named = [w for w in words if w[0].casefold() not in _GENERIC_PLACE_WORDS]
        out = value
        for found in reversed(named or words):
            word = found[0]
            is_number = word.isdecimal()
            new = self._shape(word, word) if is_number else self._word(word, "place")
            out = out[: found.start()] + new + out[found.end() :]
        return out

    def _number(self, value: str, kind: IdentifierClass) -> str:
        plain = "".join(c for c in value if c.isalnum()).casefold()
        tail = (kind, plain[-_TAIL:])
        if len(plain) == _TAIL and tail in self._tails:
            return self._tails[tail]
        if kind in _PHONE_CLASSES:
            made = self._phone(value, plain)
        elif kind == IdentifierClass.SSN:
            made = self._ssn(value, plain)
        else:
            made = _unchecked(self._shape(value, f"{kind.value}\0{plain}"), kind)
        if len(plain) > _TAIL:
            self._tails[tail] = "".join(c for c in made if c.isalnum())[-_TAIL:]
        return made

    def _shape(self, value: str, key: str) -> str:
        """Replace letters by letters and everything else that counts by digits."""
        bits = self._bits("shape", f"{key}\0{len(value)}")
        out: list[str] = []
        for char in value:
            if bits < 1 << 64:
                bits = self._bits("more", f"{bits}\0{key}\0{len(out)}")
            if char.isalpha():
                bits, place = divmod(bits, 26)
                letter = string.ascii_uppercase[place]
                out.append(letter if char.isupper() else letter.lower())
            elif char.isalnum():
                bits, digit = divmod(bits, 10)
                out.append(str(digit))
            else:
                out.append(char)
        return "".join(out)

    def _phone(self, value: str, plain: str) -> str:
        number, area_code = plain[-_FULL_DIGITS:], plain[-_FULL_DIGITS:-_LOCAL_DIGITS]
        area = 200 + self._bits("area", area_code) % 800
        digits = f"{area}555" + f"01{self._bits('line', number) % 100:02}"
        # What stands further left is a country, or the number has an extension, the
        # letters of which stay.
        shaped = zip(value, self._shape(value, plain), strict=True)
        return _filled("".join(o if o.islower() else n for o, n in shaped), digits)

    def _ssn(self, value: str, plain: str) -> str:
        bits, serial = divmod(self._bits("ssn", plain), 9_999)
        bits, group = divmod(bits, 49)
        return _filled(value, f"{900 + bits % 100}{group + 1:02}{serial + 1:04}")


def _candidate(part: str, bits: int) -> str:
    if part == "given":
        return _GIVEN[bits % len(_GIVEN)]
    if part == "either":
        return _EITHER[bits % len(_EITHER)]
    endings = _FAMILY_ENDINGS if part == "family" else _PLACE_ENDINGS
    bits, place = divmod(bits, len(_STEMS))
    return f"{_STEMS[place]}{endings[bits % len(endings)]}"


def _filled(value: str, digits: str) -> str:
    """Put digits into a value from its end; digits further left stay."""
    left = list(digits)
    out = [left.pop() if c.isdecimal() and left else c for c in reversed(value)]
    return "".join(reversed(out))


def _unchecked(made: str, kind: IdentifierClass) -> str:
    """Break the check digit of what has one, so that it is nobody's for certain."""
    if kind == IdentifierClass.VEHICLE and len(made) == 17:  # noqa: PLR2004 - a VIN
        return made[:2] + "Q" + made[3:]
    if not made.isdecimal() or len(made) < _FULL_DIGITS:
        return made
    bad = {_luhn_digit(made[:-1], 0), _luhn_digit(made[:-1], 24)}
    good = [digit for digit in made[-1] + string.digits if digit not in bad]
    return made[:-1] + good[0]


def _luhn_digit(digits: str, prefix_sum: int) -> str:
    """Return the Luhn check digit; `prefix_sum` is 24 for an NPI (80840)."""
    total = prefix_sum
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled // 10 + doubled % 10
    return str(-total % 10)
