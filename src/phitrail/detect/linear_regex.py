r"""Regular expressions that both executors read alike, in a time that grows with the text.

A rule's `re` runs over every event, in Python and in DuckDB (RE2), so it is kept to what both
agree on and neither can be slowed down by: literal characters, `.`, classes, `^` and `$`,
alternatives, groups without capture of meaning, and `*`, `+`, `?`, `{m,n}` on a single
character or class. Refused: a repeated group, more than `MOST_REPEATS` unbounded repeats,
look-around, back-references, flags, escapes other than of punctuation and `\d \w \s`.

It is searched for, as Sigma says; ASCII, with regard to case.
"""

import re

from phitrail.detect.source import Place

MOST_CHARS = 256
MOST_REPEATS = 3
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
    if not pattern.isascii() or not 1 <= len(pattern) <= MOST_CHARS:
        raise place.refuse(f"re must be 1 to {MOST_CHARS} ASCII characters")
    at = unbounded = depth = 0
    while at < len(pattern):
        match = _TOKEN.match(pattern, at)
        if match is None or match["again"] or depth < 0:
            raise place.refuse(
                f"re, character {at + 1}: is not of the kind that runs in linear time"
            )
        repeat = match["repeat"] or ""
        unbounded += repeat in {"*", "+"} or repeat.endswith(",}")
        depth += bool(match["open"]) - bool(match["close"])
        at = match.end()
    if depth or unbounded > MOST_REPEATS:
        raise place.refuse(
            f"re must close its groups and repeat without end at most {MOST_REPEATS} times"
        )
    try:
        re.compile(pattern, re.ASCII)
    except re.error:
        pattern = ""
    if not pattern:
        raise place.refuse("re does not compile")
