r"""Regular expressions that both executors read alike, in a time that grows with the text.

A rule's `re` runs over every event, in Python and in DuckDB (RE2), so it is kept to what both
agree on: literal characters, `.`, classes, `^` and `$`, alternatives, groups without capture of
meaning, and `*`, `+`, `?`, `{m,n}` on a single character or class. Refused: a repeated group,
look-around, back-references, flags, escapes other than of punctuation and `\d \w \s`.

Python goes back where a way does not fit, so the number of ways is bounded: every repeat, and
every alternative in brackets, is worth the bits of its choices (`*` has as many as a field has
characters), and an expression has `MOST_BITS` of them.

It is searched for, as Sigma says; ASCII, with regard to case.
"""

import re

from phitrail.detect.source import Place

MOST_CHARS = 256
MOST_BITS = 14
_FIELD_BITS = 7
"""A field has at most 128 characters (`events.shapes`)."""
_CLASS = r"\[\^?(?:\\[dws\\\]\[^.-]|[A-Za-z0-9_.:/@ -])+\]"
_ATOM = rf"(?:{_CLASS}|\\[dws]|\\[^A-Za-z0-9\s]|[^\\^$.|?*+()\[\]{{}}]|\.)"
_TOKEN = re.compile(
    rf"(?P<atom>{_ATOM})(?P<repeat>[*+?]|\{{\d{{1,3}}(?:,\d{{0,3}})?\}})?"
    r"|(?P<open>\((?:\?:)?)|(?P<close>\)(?P<again>[*+?{]?))|(?P<other>[|^$])"
)


def check_regex(pattern: str, place: Place) -> None:
    """Check that an expression is of the common, linear kind.

    Raises:
        InputError: it is not; the message says which character.
    """
    is_plain = pattern.isascii() and pattern.isprintable()
    if not is_plain or not 1 <= len(pattern) <= MOST_CHARS:
        raise place.refuse(f"re must be 1 to {MOST_CHARS} printable ASCII characters")
    at = bits = depth = 0
    while at < len(pattern):
        match = _TOKEN.match(pattern, at)
        if match is None or match["again"] or depth < 0:
            raise place.refuse(
                f"re, character {at + 1}: is not of the kind that runs in linear time"
            )
        bits += _bits(match["repeat"] or "") + (depth > 0 and match["other"] == "|")
        depth += bool(match["open"]) - bool(match["close"])
        at = match.end()
    if depth:
        raise place.refuse("re must close its groups")
    if bits > MOST_BITS:
        raise place.refuse(
            "re has too many repeats, or alternatives in brackets, to run in linear time; "
            "two of * and + are the most"
        )
    try:
        re.compile(pattern, re.ASCII)
    except re.error:
        pattern = ""
    if not pattern:
        raise place.refuse("re does not compile")


def _bits(repeat: str) -> int:
    """Say how many bits the choices of a repeat are worth."""
    if not repeat or repeat == "?":
        return len(repeat)
    least, comma, most = repeat.strip("{}").partition(",")
    if repeat in {"*", "+"} or (comma and not most):
        return _FIELD_BITS
    spread = int(most) - int(least) if comma else 0
    return min(max(spread, 0).bit_length(), _FIELD_BITS)
