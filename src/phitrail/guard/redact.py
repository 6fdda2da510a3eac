"""Replace what may not go on: by placeholders, made-up values, or a mask.

Rules:
1. Spans whose action is redact or block are replaced; everything else stays as it was.
2. `placeholder`: `[NAME-1]`, one number for one person or value (`placeholders`).
   `surrogate`: a made-up value (`surrogates`), or a placeholder where none is safe; 90+ for
   an age over 89. `mask`: a star for every letter and digit, so that offsets stay.
3. One `Redactor` serves one text or one stream, front to back, and knows what stood before;
   it is thrown away with it. The text of what it knows is in no representation.

A person: a name is taken for one that came before if all of its words, initials apart, are
words of that name, or the other way round; the latest such name wins. Initials alone are
those of the latest name that has them.
"""

import re

from phitrail.events.codes import GuardDecision, IdentifierClass
from phitrail.guard.placeholders import AGE_LABEL, LABEL_OF_CLASS, placeholder
from phitrail.guard.policy import RedactionStyle
from phitrail.guard.surrogates import Surrogates

REPLACED = frozenset({GuardDecision.REDACT, GuardDecision.BLOCK})
SURROGATE_AGE = "90+"
MASK = "*"

_WORD = re.compile(r"[^\W_]+")
_TITLES = frozenset(
    "dr mr mrs ms miss mx prof rev sr jr ii iii iv md do rn np pa phd".split()
)
_MOST_INITIALS = 4
_TAIL = 4
_AGE = re.compile(
    r"\A(?:[0-9]{2,3}|(?:very )?(?:early|mid|late)[ -](?:nineties|90'?s)|nonagenarian|"
    r"centenarian|ninety(?:[ -][a-z]+)?|(?:a |one )hundred(?: and)?(?: [a-z]+)?)\Z",
    re.IGNORECASE,
)


class Redactor:
    """What one text, or one stream, has had replaced so far."""

    def __init__(self, style: RedactionStyle, seed: bytes) -> None:
        """Begin a text.

        Args:
            style: of the policy.
            seed: makes surrogates repeatable; secret, and fresh for each text.
        """
        self._style = style
        self._surrogates = Surrogates(seed)
        self._people = _People()
        self._numbers: dict[tuple[str, str], int] = {}
        self._highest: dict[str, int] = {}

    def replacement(self, value: str, kind: IdentifierClass) -> str:
        """Return what stands in the place of one value; the next one knows of it."""
        if self._style == "mask":
            return "".join(MASK if char.isalnum() else char for char in value)
        is_age = kind == IdentifierClass.DATE and _AGE.match(value) is not None
        if self._style == "surrogate":
            made_up = SURROGATE_AGE if is_age else self._surrogates.made_up(value, kind)
            if made_up is not None:
                return made_up
        label = AGE_LABEL if is_age else LABEL_OF_CLASS[kind]
        return placeholder(label, self._number(value, kind, label))

    def _number(self, value: str, kind: IdentifierClass, label: str) -> int:
        if kind == IdentifierClass.NAME:
            return self._people.number(value)
        plain = "".join(char for char in value if char.isalnum()).casefold()
        known = self._numbers.get((label, plain))
        if known is None:
            known = self._highest[label] = self._highest.get(label, 0) + 1
            self._numbers[(label, plain)] = known
            if len(plain) > _TAIL and plain[-_TAIL:].isdecimal():
                self._numbers[(label, plain[-_TAIL:])] = known
        return known


class _People:
    """Numbers for the persons of one text, in the order in which they appear."""

    def __init__(self) -> None:
        self._words_of: list[frozenset[str]] = []
        self._latest: dict[str, int] = {}
        self._latest_initials: dict[str, int] = {}

    def number(self, name: str) -> int:
        """Return the number of the person that a name is of."""
        words = _words(name)
        known = self._known(words)
        if known is None and (name.isupper() or not words):
            known = self._latest_initials.get(_initials(name))
        if known is None:
            self._words_of.append(words)
            known = len(self._words_of)
        elif words > self._words_of[known - 1]:
            self._words_of[known - 1] = words
        for word in words:
            self._latest[word] = known
        self._latest_initials[_initials(name)] = known
        return known

    def _known(self, words: frozenset[str]) -> int | None:
        """Find the latest person whose name holds these words, or whose words these hold.

        Each word is looked up once, however many people there are.
        """
        candidates = {self._latest[word] for word in words if word in self._latest}
        for known in sorted(candidates, reverse=True):
            those = self._words_of[known - 1]
            if words <= those or those <= words:
                return known
        return None


def _words(name: str) -> frozenset[str]:
    """Return the words of a name, without titles and initials."""
    words = (word.casefold() for word in _WORD.findall(name))
    return frozenset(word for word in words if len(word) > 1 and word not in _TITLES)


def _initials(name: str) -> str:
    """Return the first letters of a name, as somebody would write for it."""
    if name.isupper() and len(name) < _MOST_INITIALS and name.isalpha():
        return name
    words = (word for word in _WORD.findall(name) if word.casefold() not in _TITLES)
    return "".join(word[0].upper() for word in words if word != "s")[:_MOST_INITIALS]
