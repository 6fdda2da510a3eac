"""From the tagger's words to findings.

A finding begins with a word that is likely an identifier, and takes in the words beside it
that are less likely but belong to it: a surname after a given name, the rest of a street.
Between two words of one finding stands white space at most, or a sign that the tagger
itself took in. Its score is that of its likeliest word.
"""

import numpy as np

from phitrail.events.codes import IdentifierClass
from phitrail.guard.found import Found
from phitrail.guard.tagger import CLASSES, Seen, Tagger
from phitrail.guard.tokens import tokenize

LIKELY = {IdentifierClass.NAME: 0.42, IdentifierClass.GEOGRAPHIC: 0.42}
LIKELY_ELSE = 0.6
"""How likely a word must be for a score of one half. Numbers have rules of their own
(`guard.patterns`), so of them the tagger must be surer."""

LOWEST_SCORE = 0.3
"""What is less sure is no finding, whatever the policy's threshold."""

GO_ON = 0.2
LEFT_OUT = frozenset(",;:!?\"'/|-\u2013\u2014(\u2019")
"""Signs that end no identifier."""

RULES = {kind: f"tagger.{kind}" for kind in CLASSES if kind is not None}


def find_tagged(tagger: Tagger, text: str, seen: Seen | None = None) -> list[Found]:
    """Find what the words around it give away; `seen` as in `Tagger.tag`."""
    tokens = tokenize(text)
    words, starts, ends = tokens.words, tokens.starts, tokens.ends
    if not words:
        return []
    tags = tagger.tag(words, tokens.gaps, seen)
    likely = np.flatnonzero(tags.score >= GO_ON)
    kinds = tags.best(likely)
    scores = tags.score[likely].tolist()
    places = likely.tolist()
    found: list[Found] = []
    first = 0
    for at in range(1, len(places) + 1):
        if (
            at < len(places)
            and kinds[at] == kinds[first]
            and places[at] == places[at - 1] + 1
            and "\n" not in text[ends[places[at - 1]] : starts[places[at]]]
        ):
            continue
        kind = CLASSES[kinds[first]]
        last = _last(words, places, first, at - 1, kind)
        score = 0.0 if kind is None else _score(kind, max(scores[first:at]))
        if kind is not None and score >= LOWEST_SCORE:
            begin, end = starts[places[first]], ends[places[last]]
            found.append(Found(begin, end, kind, score, RULES[kind]))
        first = at
    return found


def _score(kind: IdentifierClass, likelihood: float) -> float:
    """Return the score of a finding: one half where its class is likely enough."""
    enough = LIKELY.get(kind, LIKELY_ELSE)
    if likelihood < enough:
        return 0.5 * likelihood / enough
    return 0.5 + 0.5 * (likelihood - enough) / (1 - enough)


def _last(
    words: list[str],
    places: list[int],
    first: int,
    last: int,
    kind: IdentifierClass | None,
) -> int:
    """Leave out signs that end no identifier; a full stop ends names alone (`Jane D.`)."""
    while last > first:
        word = words[places[last]]
        if word == ".":
            is_left_out = kind != IdentifierClass.NAME
        elif word == ")":
            is_left_out = "(" not in {words[place] for place in places[first:last]}
        else:
            is_left_out = word in LEFT_OUT
        if not is_left_out:
            break
        last -= 1
    return last
