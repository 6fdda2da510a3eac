"""Where figures stand in a text: one pass, that every rule for numbers starts from.

Rules for telephones, social security numbers, streets, ages and dates all begin at a
figure. Looking for each on its own would read the text a dozen times; this reads it
once, and each rule looks at the runs that its first figure could be.

Letters of scripts that put no space between words (电话202…) end before a figure: only
Latin ones hold a figure that stands right behind them.
"""

import re
from typing import Final, TypeAlias

Run: TypeAlias = tuple[int, int, str]
"""A run of figures: where it starts, how long it is, and the sign behind it."""

_RUN: Final = re.compile(r"[0-9](?<![A-Za-z0-9_\u00c0-\u024f][0-9])[0-9]*")


def digit_runs(text: str) -> list[Run]:
    """List the runs of ASCII figures in a text that no Latin letter or figure stands before."""
    return [
        (match.start(), (end := match.end()) - match.start(), text[end : end + 1])
        for match in _RUN.finditer(text)
    ]
