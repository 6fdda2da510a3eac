"""The same number again: what was announced once is the same identifier everywhere.

"MRN 8812-204 ... so 8812-204 is the older record": the second place has no cue of its
own. A value that a rule was sure of is looked for in the rest of the text, where it is
long enough not to be met by chance.
"""

from typing import Final

from phitrail.events.codes import IdentifierClass as Class
from phitrail.guard.patterns.hits import Hit

_CLASSES: Final = frozenset(
    {
        Class.MRN,
        Class.SSN,
        Class.HEALTH_PLAN,
        Class.ACCOUNT,
        Class.LICENSE,
        Class.VEHICLE,
        Class.DEVICE,
        Class.BIOMETRIC,
        Class.OTHER,
    }
)
_LEAST_SIZE: Final = 6
_MOST_VALUES: Final = 64


def find_repeats(text: str, hits: list[Hit]) -> list[Hit]:
    """Find further places of values that were found with a cue."""
    seen: dict[str, Hit] = {}
    for hit in hits:
        if hit.identifier_class in _CLASSES and hit.end - hit.start >= _LEAST_SIZE:
            seen.setdefault(text[hit.start : hit.end], hit)
    repeats = []
    for value, hit in list(seen.items())[:_MOST_VALUES]:
        at = text.find(value)
        while at >= 0:
            end = at + len(value)
            is_whole = not (
                text[at - 1 : at].isalnum() or text[end : end + 1].isalnum()
            )
            if is_whole and at != hit.start:
                repeats.append(
                    hit._replace(start=at, end=end, score=min(hit.score, 0.9))
                )
            at = text.find(value, end)
    return repeats
