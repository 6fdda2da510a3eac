"""The condition of a rule: names of selections, joined (Sigma specification, appendix).

    or    := and ("or" and)*
    and   := not ("and" not)*
    not   := "not" not | "(" or ")" | count "of" ("them" | pattern) | name
    count := "all" | whole number from 1 on

A pattern may end in `*`; `them` is every selection whose name does not begin with `_`.
Words of the grammar are read without regard to case. Two rounds of brackets more than
`MOST_BRACKETS` are refused.
"""

import re
from collections.abc import Mapping
from itertools import combinations

from phitrail.detect.source import Place
from phitrail.detect.typed import All, Any, Not, Predicate

MOST_TOKENS = 256
MOST_BRACKETS = 16
MOST_OF = 8
_TOKEN = re.compile(r"([()])|([A-Za-z0-9_*.-]+)")
_WORDS = frozenset({"and", "or", "not", "of", "them", "all"})


def read_condition(
    text: str, place: Place, selections: Mapping[str, Predicate]
) -> Predicate:
    """Read a condition over named selections.

    Raises:
        InputError: it does not parse, or names a selection that is not there.
    """
    reader = _Reader(_tokens(text, place), place, selections)
    return reader.whole()


def _tokens(text: str, place: Place) -> list[str]:
    tokens: list[str] = []
    at, text = 0, text.strip()
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        match = _TOKEN.match(text, at)
        if match is None:
            raise place.refuse(f"condition: character {at + 1} is none of the grammar")
        tokens.append(match[1] or match[2])
        at = match.end()
    if not tokens or len(tokens) > MOST_TOKENS:
        raise place.refuse(f"condition: must have 1 to {MOST_TOKENS} words")
    return tokens


class _Reader:
    """Reads one condition from left to right."""

    def __init__(
        self, tokens: list[str], place: Place, selections: Mapping[str, Predicate]
    ) -> None:
        self._tokens = tokens
        self._place = place
        self._selections = selections
        self._at = 0
        self._brackets = 0

    def whole(self) -> Predicate:
        found = self._or()
        if self._at < len(self._tokens):
            raise self._refuse("ends before this word")
        return found

    def _or(self) -> Predicate:
        parts = [self._and()]
        while self._take("or"):
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else Any(tuple(parts))

    def _and(self) -> Predicate:
        parts = [self._not()]
        while self._take("and"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _not(self) -> Predicate:
        if self._take("not"):
            return Not(self._not())
        if self._take("("):
            self._brackets += 1
            if self._brackets > MOST_BRACKETS:
                raise self._refuse(f"has more than {MOST_BRACKETS} brackets")
            found = self._or()
            if not self._take(")"):
                raise self._refuse("lacks a closing bracket")
            return found
        return self._name()

    def _name(self) -> Predicate:
        word = self._next("a selection")
        following = self._peek()
        if following == "of" and (word.lower() == "all" or word.isdecimal()):
            self._at += 1
            return self._some(word.lower())
        if word.lower() in _WORDS or word in {"(", ")"}:
            raise self._refuse("a selection is missing before this word", back=1)
        if word not in self._selections:
            raise self._refuse("names a selection that the rule does not have", back=1)
        return self._selections[word]

    def _some(self, count: str) -> Predicate:
        pattern = self._next("`them` or a pattern")
        if pattern.lower() == "them":
            names = [one for one in self._selections if not one.startswith("_")]
        else:
            wanted = re.compile(re.escape(pattern).replace(r"\*", ".*"))
            names = [one for one in self._selections if wanted.fullmatch(one)]
        if not names:
            raise self._refuse("matches no selection of the rule", back=1)
        found = tuple(self._selections[name] for name in names)
        if count == "all":
            return All(found)
        wanted_count = int(count)
        if not 1 <= wanted_count <= len(found):
            raise self._refuse(f"asks for {wanted_count} of {len(found)}", back=1)
        if wanted_count == 1:
            return Any(found)
        if len(found) > MOST_OF:
            raise self._refuse(f"counts among more than {MOST_OF} selections", back=1)
        return Any(tuple(All(some) for some in combinations(found, wanted_count)))

    def _peek(self) -> str | None:
        if self._at < len(self._tokens):
            return self._tokens[self._at].lower()
        return None

    def _take(self, word: str) -> bool:
        if self._peek() == word:
            self._at += 1
            return True
        return False

    def _next(self, what: str) -> str:
        if self._at >= len(self._tokens):
            raise self._place.refuse(f"condition: {what} is missing at the end")
        self._at += 1
        return self._tokens[self._at - 1]

    def _refuse(self, rule: str, *, back: int = 0) -> Exception:
        return self._place.refuse(f"condition, word {self._at + 1 - back}: {rule}")
