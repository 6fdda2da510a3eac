"""Ids and birth dates of a record that a text spells out.

Dictation writes numbers as words: digits (`four eight`), tens (`twenty one`), `double five`,
letters of the spelling alphabet (`bravo kilo`) and single letters; `dash` and `dot` are silent.
"""

from collections.abc import Sequence

from phitrail.events.codes import IdentifierClass
from phitrail.guard.found import Found
from phitrail.guard.record_numbers import NumberKeys
from phitrail.guard.record_text import PlacedText

_SHORTEST = 5
_MOST_WORDS = 48
_UNIT_WORDS = dict(
    zip(
        "zero oh o one two three four five six seven eight nine niner".split(),
        "0001234567899",
        strict=True,
    )
)
_TEENS = dict(
    zip(
        "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
        "nineteen".split(),
        (str(n) for n in range(10, 20)),
        strict=True,
    )
)
_TENS = dict(
    zip(
        "twenty thirty forty fifty sixty seventy eighty ninety".split(),
        "23456789",
        strict=True,
    )
)
_LETTER_WORDS = {
    word: word[0]
    for word in """alpha alfa bravo charlie delta echo foxtrot golf hotel india juliet juliett
    kilo lima mike november oscar papa quebec romeo sierra tango uniform victor whiskey
    xray yankee zulu""".split()
}
_SILENT = frozenset("dash hyphen dot point space slash".split())
_TIMES = {"double": 2, "triple": 3}
SPOKEN = (
    frozenset(_UNIT_WORDS)
    | frozenset(_TEENS)
    | frozenset(_TENS)
    | frozenset(_LETTER_WORDS)
    | _SILENT
    | frozenset(_TIMES)
) - {"o"}
"""Words that may spell a number."""

_FEWEST_SPOKEN = 3


def match_spoken(
    keys: NumberKeys, placed: PlacedText, hits: Sequence[int]
) -> list[Found]:
    """Find ids that are spelled out; `hits` are the words of `SPOKEN`, in order."""
    found: list[Found] = []
    run: list[int] = []
    for at in [*hits, len(placed.words) + 1]:
        while run and at > run[-1] + 1 and _single(placed, run[-1] + 1):
            run.append(run[-1] + 1)
        if run and at != run[-1] + 1:
            if len(run) >= _FEWEST_SPOKEN:
                found += _spoken_run(keys, placed, run)
            run = []
        if not run:
            run = _singles_before(placed, at)
        run.append(at)
    return found


def _singles_before(placed: PlacedText, at: int) -> list[int]:
    first = at
    while first and _single(placed, first - 1):
        first -= 1
    return list(range(first, at))


def _single(placed: PlacedText, at: int) -> bool:
    return at < len(placed.words) and (
        len(placed.words[at]) == 1 or placed.words[at].isdecimal()
    )


def _spoken_run(
    keys: NumberKeys, placed: PlacedText, run: Sequence[int]
) -> list[Found]:
    signs = _said(placed, run)
    found: list[Found] = []
    past = -1
    for first in range(len(run)):
        if first <= past or not signs[first]:
            continue
        key, best, best_key = "", -1, ""
        for last in range(first, min(len(run), first + _MOST_WORDS)):
            key = (key + signs[last]).lstrip("0")
            if key and not (key in keys.beginnings or key in keys.birth_beginnings):
                break
            if signs[last] and (key in keys.ids or key in keys.births):
                best, best_key = last, key
        if best >= 0 and len(best_key) >= _SHORTEST:
            past = best
            is_doubled = first > 0 and placed.words[run[first - 1]] in _TIMES
            begin = run[first - is_doubled]
            of = keys.ids.get(best_key, IdentifierClass.DATE)
            found.append(
                Found(
                    placed.places[begin][0],
                    placed.places[run[best]][1],
                    of,
                    1.0,
                    f"record.{of.value}",
                    is_in_record=True,
                )
            )
    return found


def _said(placed: PlacedText, run: Sequence[int]) -> list[str]:
    """Return what each word of a run spells; nothing for dashes and `double`."""
    signs: list[str] = []
    times = 1
    for n, at in enumerate(run):
        word = placed.words[at]
        following = placed.words[run[n + 1]] if n + 1 < len(run) else ""
        if word in _TIMES:
            times = _TIMES[word]
            signs.append("")
            continue
        if word in _TENS:
            is_joined = following in _UNIT_WORDS and following not in (
                "zero",
                "oh",
                "o",
            )
            sign = _TENS[word] + ("" if is_joined else "0")
        elif word in _SILENT:
            sign = ""
        else:
            sign = (
                _UNIT_WORDS.get(word)
                or _TEENS.get(word)
                or _LETTER_WORDS.get(word, word)
            )
        signs.append(sign * times)
        times = 1
    return signs
