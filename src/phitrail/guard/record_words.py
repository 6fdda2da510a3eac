"""Words as the record matcher compares them: folded, and addresses in their short forms.

A text and a record are cut into the same pieces: runs of letters, and runs of ASCII digits
(`118-A` and `118A` are the same two pieces). Letters are folded: lower case, accents and
strokes off (`Sørlie` = `Sorlie`). Parts of addresses and institutions have one canonical
short form each (`Saint` and `Street` are both `st`), after USPS Publication 28, appendices B
and C, as far as texts use them.
"""

import re
import unicodedata
from itertools import accumulate

from phitrail.guard.lowered import lowered

_ASCII_PIECE = re.compile(r"[a-z]+|[0-9]+")
_PIECE = re.compile(r"[^\W\d_]+(?:[\u0300-\u036f]+[^\W\d_]*)*|[0-9]+")
_SPLIT_ASCII = re.compile(f"({_ASCII_PIECE.pattern})")
_SPLIT = re.compile(f"({_PIECE.pattern})")

_STROKES = str.maketrans(
    dict(zip("øđðłħŋ\u0131", "oddlhni", strict=True))
    | {"ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"}
)
_SPELLED_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})

CANONICAL = {
    variant: short
    for short, variants in {
        "st": "street saint str sainte ste",
        "ave": "avenue av aven avenida",
        "rd": "road",
        "dr": "drive drv",
        "ln": "lane",
        "blvd": "boulevard boul bulevar",
        "ct": "court",
        "pl": "place",
        "cir": "circle circ",
        "ter": "terrace terr",
        "pkwy": "parkway pkway",
        "hwy": "highway hiway hgwy",
        "sq": "square",
        "trl": "trail",
        "xing": "crossing",
        "tpke": "turnpike",
        "rte": "route rt",
        "mt": "mount mountain mtn",
        "ft": "fort",
        "hts": "heights",
        "jct": "junction",
        "spgs": "springs spg spring",
        "vlg": "village",
        "n": "north",
        "s": "south",
        "e": "east",
        "w": "west",
        "ne": "northeast",
        "nw": "northwest",
        "se": "southeast",
        "sw": "southwest",
        "apt": "apartment unit suite no number rm room fl floor spc lot bldg building",
        "peds": "pediatric pediatrics paediatric paediatrics childrens",
        "ctr": "center centre cntr cntre",
        "hosp": "hospital hsptl",
        "med": "medical medicine",
        "univ": "university",
        "coop": "cooperative",
        "co": "company",
        "corp": "corporation",
        "inc": "incorporated",
        "assoc": "associates associate association assn",
        "bros": "brothers",
        "dept": "department",
        "elem": "elementary",
        "natl": "national",
        "intl": "international",
        "mfg": "manufacturing",
        **dict(
            zip(
                ("1st", "2nd", "3rd", "4th", "5th", "6th", "7th", "8th", "9th", "10th"),
                (
                    *("first", "second", "third", "fourth", "fifth"),
                    *("sixth", "seventh", "eighth", "ninth", "tenth"),
                ),
                strict=True,
            )
        ),
    }.items()
    for variant in variants.split()
}
"""What is written for what: each long or odd form with its canonical one."""

VARIANTS: dict[str, tuple[str, ...]] = {
    short: (short, *(long for long, to in CANONICAL.items() if to == short))
    for short in set(CANONICAL.values())
}
"""The table the other way round."""

PHRASES = {
    ("p", "o"): "po",
    ("post", "office"): "po",
    ("highway", "contract"): "hc",
    ("county", "road"): "cr",
    ("county", "rd"): "cr",
    ("state", "route"): "sr",
    ("state", "road"): "sr",
    ("rural", "route"): "rr",
    ("us", "highway"): "us",
    ("us", "hwy"): "us",
    ("us", "route"): "us",
}
"""Two words that one short form stands for."""

STATES = {
    name.replace("_", " "): code
    for name, code in zip(
        """alabama alaska arizona arkansas california colorado connecticut delaware florida
        georgia hawaii idaho illinois indiana iowa kansas kentucky louisiana maine maryland
        massachusetts michigan minnesota mississippi missouri montana nebraska nevada
        new_hampshire new_jersey new_mexico new_york north_carolina north_dakota ohio
        oklahoma oregon pennsylvania rhode_island south_carolina south_dakota tennessee
        texas utah vermont virginia washington west_virginia wisconsin wyoming
        district_of_columbia puerto_rico guam""".split(),
        """al ak az ar ca co ct de fl ga hi id il in ia ks ky la me md ma mi mn ms mo mt ne
        nv nh nj nm ny nc nd oh ok or pa ri sc sd tn tx ut vt va wa wv wi wy dc pr gu
        """.split(),
        strict=True,
    )
}
"""The states (neutral in texts: larger than what the rule protects), with their codes."""


def fold(word: str) -> str:
    """Lower a word and take its accents and strokes off."""
    low = word.lower()
    if low.isascii():
        return low
    apart = unicodedata.normalize("NFKD", low.translate(_STROKES))
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def foldings(word: str) -> tuple[str, ...]:
    """Return a word of a record folded in each usual way (`ü` as `u` and as `ue`)."""
    spelled = unicodedata.normalize("NFC", word.lower()).translate(_SPELLED_OUT)
    return tuple(dict.fromkeys((fold(word), fold(spelled))))


def pieces(text: str) -> list[str]:
    """Cut a value into folded pieces."""
    low = lowered(text)
    if low.isascii():
        return _ASCII_PIECE.findall(low)
    return [fold(piece) for piece in _PIECE.findall(low)]


def placed_pieces(text: str) -> tuple[list[str], list[str], list[tuple[int, int]]]:
    """Cut a text into folded pieces, what stands around them, and their places.

    Returns:
        the pieces; the gaps, one more than pieces (before, between and behind them); and
        where each piece starts and ends in `text`.
    """
    low = lowered(text)
    if not low.isascii():
        low = _folded_in_place(low)
    parts = (_SPLIT_ASCII if low.isascii() else _SPLIT).split(low)
    offsets = list(accumulate(map(len, parts)))
    words = parts[1::2]
    if not low.isascii():
        words = [word if word.isascii() else fold(word) for word in words]
    return words, parts[0::2], list(zip(offsets[0::2], offsets[1::2], strict=False))


def _folded_in_place(low: str) -> str:
    """Fold the letters that stay one letter, so that places hold; blank other signs."""
    table: dict[int, str] = {}
    for sign in set(low):
        if sign.isascii() or unicodedata.combining(sign):
            continue
        folded = fold(sign)
        if len(folded) == 1 and folded.isascii() and folded.isalpha():
            table[ord(sign)] = folded
        elif not sign.isalnum():
            table[ord(sign)] = _PLAIN_SIGNS.get(sign, "\x1f")
    return low.translate(table)


_PLAIN_SIGNS = {
    **dict.fromkeys("\u2018\u2019\u02bc\u00b4", "'"),
    **dict.fromkeys("\u201c\u201d\u00ab\u00bb", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),
    **dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u202f", " "),
    **dict.fromkeys("\u2022\u00b7", "*"),
}


def canonical_pieces(value: str) -> list[str]:
    """Cut an address or an institution of a record into its canonical short forms."""
    words = pieces(value.replace("'s", "").replace("\u2019s", ""))
    short: list[str] = []
    at = 0
    while at < len(words):
        pair = (words[at], words[at + 1] if at + 1 < len(words) else "")
        ordinal = pair[0].isdecimal() and pair[1] in _ORDINAL_ENDS
        if pair in PHRASES or ordinal:
            joined = "".join(pair)
            short.append(PHRASES.get(pair) or CANONICAL.get(joined, joined))
            at += 2
        else:
            short.append(CANONICAL.get(words[at], words[at]))
            at += 1
    return short


_ORDINAL_ENDS = frozenset({"st", "nd", "rd", "th"})
