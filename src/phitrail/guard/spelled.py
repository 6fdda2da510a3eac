"""Characters and digits that are spelled out, and values that a line end broke in two.

Rules:
- Single characters with one separator between them (`6 4 6 - 9 4`, `J_o_h_n`, `5.5.5`)
  read as what they spell; a wider gap is a gap between words.
- Digit words read as digits when four or more stand in a row (three, when tens among
  them make five digits): doses and counts in prose are shorter. `oh`, `double`, `dash`
  and single capitals count inside such a run only.
- `john dot smith at host dot org` reads as an address.
- A number or address that goes on behind a line end is read without it; a list that
  goes on with its next number is not.
- These are other readings, never the only one: the text as it stands is scanned as well.

Gates that cost next to nothing decide for each kind whether a text is looked through.
"""

import re
from itertools import pairwise

from phitrail.guard.view import Rewrite

Piece = tuple[str, int, int]


def spelled_rewrites(text: str) -> list[Rewrite]:
    """Give what the spelled and broken stretches of a text say."""
    found: list[Rewrite] = []
    if _SPACED_GATE.search(text) is not None:
        found += _spaced(text, _SPACED_RUN, " ")
    for separator in set(_PARTED_GATE.findall(text)):
        found += _spaced(text, _PARTED_RUNS[separator], separator)
    lowered = text.lower()
    for start, end in _crowds(text, lowered):
        found += _digit_words(text, start, end)
    if any(word in lowered for word in _ADDRESS_GATE):
        found += _addresses(text)
    if "\n" in text:
        found += _broken(text)
    return found


# Characters spaced out

_SEPARATORS = "_.*|/,~+:;·-"
_LEAST_SPACED = 5
_SPACED_GATE = re.compile(r" [^\s] {1,3}[^\s] {1,3}[^\s](?!\w)")
_SPACED_RUN = re.compile(r"(?<![\w'])[^\s](?: {1,3}[^\s](?!\w)){4,}+")
_PARTED_GATE = re.compile(rf"([{_SEPARATORS}])[^\s]\1[^\s]\1(?=[^\s])")
_PARTED_RUNS = {
    one: re.compile(
        rf"(?<![^\W_])(?:[^\s{re.escape(one)}]{re.escape(one)}| {re.escape(one)}){{4,}}+"
        rf"(?:[^\s{re.escape(one)}](?![^\W_]))?"
    )
    for one in _SEPARATORS
}
_NOT_SPELLED = frozenset("aAI&x")
"""Words of one letter that stand before or behind a run without being part of it."""


def _spaced(text: str, run: "re.Pattern[str]", separator: str) -> list[Rewrite]:
    found = []
    for match in run.finditer(text):
        pieces = _trimmed(_singles(match, separator))
        known = sum(1 for one, _, _ in pieces if one.isalnum())
        if known >= _LEAST_SPACED and known * 2 > len(pieces):
            found.append(Rewrite(pieces[0][1], pieces[-1][2], tuple(pieces)))
    return found


def _singles(match: "re.Match[str]", separator: str) -> list[Piece]:
    """Split a run into its characters; a gap wider than the separator is a space."""
    run, begin = match[0], match.start()
    pieces: list[Piece] = []
    gap = 0
    for place, one in enumerate(run, begin):
        if one == separator:
            gap += 1
            continue
        if separator == " " and gap > 1:
            pieces.append((" ", place - gap, place))
        pieces.append((one, place, place + 1))
        gap = 0
    return pieces


def _trimmed(pieces: list[Piece]) -> list[Piece]:
    first, last = 0, len(pieces)
    while first < last and not (pieces[first][0].isalnum() or pieces[first][0] in "(+"):
        first += 1
    while last > first and not pieces[last - 1][0].isalnum():
        last -= 1
    if last - first > 1:
        first += _is_beside(pieces[first], pieces[first + 1])
        last -= _is_beside(pieces[last - 1], pieces[last - 2])
    return pieces[first:last]


def _is_beside(edge: Piece, inner: Piece) -> bool:
    return edge[0] in _NOT_SPELLED and inner[0].isdecimal()


# Digit words

_DIGITS = dict(
    zip(
        "zero oh o one two three four five six seven eight nine niner".split(),
        "0001234567899",
        strict=True,
    )
)
_TEENS = {
    word: str(value)
    for value, word in enumerate(
        "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
        "nineteen".split(),
        10,
    )
}
_TENS = {
    word: str(value)
    for value, word in enumerate(
        "twenty thirty forty fifty sixty seventy eighty ninety".split(), 2
    )
}
_TIMES = {"double": 2, "triple": 3}
_SIGNS = {"dash": "-", "hyphen": "-", "slash": "/"}
_NEAR = 20
_AROUND = 40
_SPOKEN = (
    "zero|o(?:ne|h)?|t(?:en|wo|hree|welve|hirteen|wenty|hirty|riple)|f(?:our(?:teen)?|ive|"
    "ifteen|orty|ifty)|s(?:ix(?:teen|ty)?|even(?:teen|ty)?|lash)|e(?:ight(?:een|y)?|leven)|"
    "nine(?:r|teen|ty)?|d(?:ouble|ash)|hyphen"
)
"""Every word of the tables above, by first letters: a long list of words is tried slowly."""

_PAIRS = tuple(
    # One sign first, so that the engine passes over everything else fast.
    re.compile(rf"{sign}(?=[defhnostz])(?:{_SPOKEN})(?=[ ,/-]{{1,3}}(?:{_SPOKEN})\b)")
    for sign in " -"
)
_TOKEN = re.compile(rf"\b(?:(?i:{_SPOKEN})|[A-Z])\b")
_DIGIT_RUN = re.compile(
    rf"\b(?i:{_SPOKEN})\b(?:(?:[ ,/-]{{1,3}}|\s)(?:(?i:{_SPOKEN})|[A-Z])\b)++"
)
_LETTERS_BEFORE = re.compile(r"(?<!\w)(?:[A-Z][ -]{1,2}){1,4}\Z")
_MOST_BEFORE = 12
_OPEN = {*_TIMES, *_SIGNS}
"""Words that say something about the next one, and nothing at the end of a run."""

_LEAST_WORDS = 4
_LEAST_WITH_TENS = 3
_LEAST_DIGITS = 5
_COMMAS = 3
"""A comma after every digit parts nothing; one in so many words or fewer parts groups."""


def is_number_word(word: str) -> bool:
    """Say whether a word, with a comma or full stop or without, is one of a number."""
    word = word.rstrip(".,").lower()
    return _is_valued(word) or word in _OPEN


def _crowds(text: str, lowered: str) -> list[tuple[int, int]]:
    """Give the stretches in which number words stand close together."""
    if len(lowered) != len(text):  # one capital became two letters: places differ
        return [(0, len(text))]
    pairs = sorted(match.start() for pair in _PAIRS for match in pair.finditer(lowered))
    found: list[tuple[int, int]] = []
    first = 0
    for place in range(1, len(pairs) + 1):
        if place < len(pairs) and pairs[place] - pairs[place - 1] <= _NEAR:
            continue
        found.append((max(0, pairs[first] - _AROUND), pairs[place - 1] + _AROUND))
        first = place
    return found


def _digit_words(text: str, begin: int, end: int) -> list[Rewrite]:
    found = []
    for match in _DIGIT_RUN.finditer(text, begin, end):
        words = _words_of(text, match)
        valued = sum(1 for one in words if _is_valued(one[0].lower()))
        if valued < _LEAST_WITH_TENS:
            continue
        pieces = _digits_of(text, words)
        digits = sum(1 for one, _, _ in pieces for digit in one if digit.isdecimal())
        if valued >= _LEAST_WORDS or digits >= _LEAST_DIGITS:
            found.append(Rewrite(pieces[0][1], pieces[-1][2], tuple(pieces)))
    return found


def _words_of(text: str, run: "re.Match[str]") -> list["re.Match[str]"]:
    """Give the words of a run and the capitals before it, up to its last digit."""
    begin = max(0, run.start() - _MOST_BEFORE)
    letters = _LETTERS_BEFORE.search(text[begin : run.start()])
    start = run.start() if letters is None else begin + letters.start()
    words = list(_TOKEN.finditer(text, start, run.end()))
    while words and (words[-1][0] in _NOT_SPELLED or words[-1][0].lower() in _OPEN):
        words.pop()
    return words


def _is_valued(word: str) -> bool:
    return word in _DIGITS or word in _TEENS or word in _TENS


def _digits_of(text: str, words: list["re.Match[str]"]) -> list[Piece]:
    gaps = ["", *(text[one.end() : two.start()] for one, two in pairwise(words))]
    is_grouped = sum("," in gap for gap in gaps) * _COMMAS <= len(words)
    pieces: list[Piece] = []
    times, tens, start = 1, "", None
    for match, gap in zip(words, gaps, strict=True):
        word = match[0].lower()
        start = match.start() if start is None else start
        if "," in gap and is_grouped:
            pieces.append(("-", start - 1, start))
            tens = ""
        if word in _TIMES:
            times = _TIMES[word]
            continue
        digit = _DIGITS.get(word, "")
        if tens and digit not in ("", "0"):
            pieces[-1] = (tens, *pieces[-1][1:])
        tens = _TENS.get(word, "")
        read = digit or _TEENS.get(word) or _SIGNS.get(word) or (tens and f"{tens}0")
        pieces.append(((read or match[0]) * times, start, match.end()))
        times, start = 1, None
    return pieces


# Addresses

_ADDRESS_GATE = ("dot", "[at]", "(at)")
_AT = r"(?: at |\s?[\[(]at[\])]\s?)"
_DOT = r"(?: dot |\s?[\[(]dot[\])]\s?|\.)"
_ADDRESS = re.compile(rf"(?i:{_AT}[a-z0-9-]{{1,63}}(?:{_DOT}[a-z0-9-]{{1,63}}){{1,4}})")
_LOCAL = re.compile(
    r"[A-Za-z0-9._%+-]{1,64}"
    r"(?:(?: (?i:dot|underscore|dash|hyphen) |\s?[\[(](?i:dot)[\])]\s?)"
    r"[A-Za-z0-9._%+-]{1,64}){0,4}\Z"
)
_PART = re.compile(
    r"(?P<at>(?i: at |\s?[\[(]at[\])]\s?))|(?P<dot>(?i: dot |\s?[\[(]dot[\])]\s?))"
    r"|(?P<line>(?i: underscore ))|(?P<dash>(?i: (?:dash|hyphen) ))"
)
_READ_AS = {"at": "@", "dot": ".", "line": "_", "dash": "-"}
_MOST_LOCAL = 96


def _addresses(text: str) -> list[Rewrite]:
    found = []
    for match in _ADDRESS.finditer(text):
        if not any(sign in match[0].lower() for sign in _ADDRESS_GATE):
            continue
        begin = max(0, match.start() - _MOST_LOCAL)
        local = _longest_local(text[begin : match.start()])
        if local:
            start = match.start() - len(local)
            found.append(
                Rewrite(start, match.end(), _address_pieces(text, start, match.end()))
            )
    return found


def _longest_local(before: str) -> str:
    """Give the part before the at sign: from the word from which all of it is one."""
    match = _LOCAL.search(before)
    return match[0] if match is not None else ""


def _address_pieces(text: str, start: int, end: int) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    kept = start
    for match in _PART.finditer(text, start, end):
        pieces += [
            (one, at, at + 1) for at, one in enumerate(text[kept : match.start()], kept)
        ]
        pieces.append((_READ_AS[match.lastgroup or "at"], match.start(), match.end()))
        kept = match.end()
    pieces += [(one, at, at + 1) for at, one in enumerate(text[kept:end], kept)]
    return tuple(pieces)


# Broken by a line end

_BREAK = re.compile(r"\n(?<=[0-9A-Za-z/-]\n)(?=[0-9]|[-/.@][0-9A-Za-z])")
_BREAK_IN_HOST = re.compile(r"@[A-Za-z0-9-]{0,40}\n(?=[A-Za-z0-9-]{0,40}\.[A-Za-z])")
_NEXT_ITEM = re.compile(r"[0-9]{1,3}(?:[.)]\s|st\b|nd\b|rd\b|th\b)")
_MOST_LEFT = 24
_WHOLE_DIGITS = 8
"""So many digits on one line are a whole number, and what follows another."""


def _broken(text: str) -> list[Rewrite]:
    found = [
        match.start()
        for match in _BREAK.finditer(text)
        if _goes_on(text, match.start())
    ]
    if "@" in text:
        found += [match.end() - 1 for match in _BREAK_IN_HOST.finditer(text)]
    return [Rewrite(at, at + 1, ()) for at in sorted(set(found))]


def _goes_on(text: str, at: int) -> bool:
    left = text[max(0, at - _MOST_LEFT) : at]
    left = left[max(map(left.rfind, " \n\t")) + 1 :]
    if not left or _NEXT_ITEM.match(text, at + 1):
        return False
    if text[at + 1] == "@":
        return True
    return 0 < sum(one.isdecimal() for one in left) < _WHOLE_DIGITS
