"""One regular expression for many phrases, written as a tree of their letters.

An alternation is tried phrase by phrase at each place of a text; a tree is left at
the first letter that no phrase has. For several hundred phrases that is the difference
between a millisecond and a tenth of one.
"""

import re
from collections.abc import Iterable


def tree_pattern(phrases: Iterable[str], gap: str = " ") -> str:
    """Write a pattern that matches any of the phrases, the longest that fits.

    Args:
        phrases: what to match, letter by letter.
        gap: the pattern that stands for a space inside a phrase.
    """
    branches: dict[str, list[str]] = {}
    is_whole = False
    for phrase in phrases:
        if phrase:
            branches.setdefault(phrase[0], []).append(phrase[1:])
        else:
            is_whole = True
    parts = [
        (gap if letter == " " else re.escape(letter)) + tree_pattern(rests, gap)
        for letter, rests in sorted(branches.items())
    ]
    if not parts:
        return ""
    body = parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"
    return f"(?:{body})?" if is_whole else body
