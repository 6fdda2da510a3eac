"""Names that the lists alone give away: `Odile B.`, `Odile Brandvold`.

A given name before a single capital letter, or before a surname, both written with a capital
and neither of them a word of plain language, is a name whatever stands around it. The tagger
finds most of these by their surroundings; this holds where the surroundings are poor.
Terms of medicine and cited authors are let go elsewhere (`guard.allow_list`).
"""

import re

from phitrail.events.codes import IdentifierClass
from phitrail.guard.found import Found
from phitrail.guard.gazetteer import GIVEN, PLAIN, SURNAME, Gazetteer

SCORE = 0.6
_PAIR = re.compile(
    r"(?<![\w'\u2019-])([A-Z][a-z]{2,15}) "
    r"([A-Z](?:\.|(?=[,;:)\s]|\Z))|[A-Z][a-z]{2,20}\b)(?![-'\u2019\w])"
)


def find_listed(text: str, lists: Gazetteer) -> list[Found]:
    """Find names by the lists alone, in order."""
    pairs = list(_PAIR.finditer(text))
    if not pairs:
        return []
    flags = lists.flags([word for pair in pairs for word in pair.groups()])
    return [
        Found(pair.start(), pair.end(), IdentifierClass.NAME, SCORE, "name.listed")
        for pair, given, other in zip(pairs, flags[::2], flags[1::2], strict=True)
        if given & GIVEN
        and not given & PLAIN
        and (len(pair[2]) <= len("B.") or (other & SURNAME and not other & PLAIN))
    ]
