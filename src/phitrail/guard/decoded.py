"""Text that stands in another text as base64 or hexadecimal.

Rules: a run is read only if all of it decodes to UTF-8 that people write (letters,
digits, plain punctuation); an encoded picture or hash is left alone. The whole run is
one place: what is found in what it says is found where the run stands. One level only.

Source: RFC 4648 sections 4 and 8.
"""

import re
from base64 import b64decode

from phitrail.guard.view import Rewrite

# A character class comes first, so that the engine runs over plain words fast.
_BASE64 = re.compile(
    # Two octets of ASCII, and no octet that only continues one: the first sextets show.
    r"[I-Za-f][C-HS-Xi-nyz0-3](?<![A-Za-z0-9+/=]..)"
    r"[ABDEFHIJLMNPQRTUVXYZbcdfghjklnoprstvwxz01345789/][A-Za-z0-9+/]{3,}+={0,2}"
)
_HEX = re.compile(
    r"[2-7][0-9A-Fa-f](?<![0-9A-Za-z]..)"
    r"(?:[2-7][0-9A-Fa-f]|[C-Ec-e][0-9A-Fa-f][89ABab][0-9A-Fa-f]){4,}+"
    r"(?![0-9A-Za-z])"
)
_LEAST_BASE64 = 8
_QUANTUM = 4
_ODD = re.compile(r"[^\w\s@.,:;/()'\"#+&=?!_-]")
_LIKELY = re.compile(
    r"[0-9]{3}|[0-9][-/.][0-9]|\w@\w|\w=\w|\w\w[ ,]{1,2}\w|\A[A-Z][^\W\d_]{3,}\Z"
)
"""A number, a date, an address, a field, two words or a name: what is worth a look."""

_MOST_ODD = 10
"""One character in so many may be other than letters, digits and plain punctuation."""


def decoded_rewrites(text: str) -> list[Rewrite]:
    """Give what the encoded runs of a text say."""
    found = [_base64(match) for match in _BASE64.finditer(text)]
    found += [_hexadecimal(match) for match in _HEX.finditer(text)]
    return [one for one in found if one is not None]


def _base64(match: "re.Match[str]") -> Rewrite | None:
    run = match[0].rstrip("=")
    over = len(run) % _QUANTUM
    if len(match[0]) < _LEAST_BASE64 or over == 1:
        return None
    return _said(match, b64decode(run + "=" * (-len(run) % _QUANTUM)))


def _hexadecimal(match: "re.Match[str]") -> Rewrite | None:
    return _said(match, bytes.fromhex(match[0]))


def _said(match: "re.Match[str]", octets: bytes) -> Rewrite | None:
    try:
        said = octets.decode("utf-8").strip("\n")
    except UnicodeDecodeError:
        return None
    if not said or not said.replace("\n", " ").replace("\t", " ").isprintable():
        return None
    if len(_ODD.findall(said)) * _MOST_ODD > len(said) or not _LIKELY.search(said):
        return None
    return Rewrite(match.start(), match.end(), ((said, match.start(), match.end()),))
