"""Surnames and addresses as keyed hashes: equal ones meet, and nobody reads them.

HMAC-SHA256 under the join key of the trail's facts, of which 8 bytes are kept: enough that
two names of a house do not meet by chance (below 1 in 10 million for a million of them), and
within a table that is sealed anyway.

Written alike before it is hashed: NFKD without marks, no case, words of letters and digits
only; the surname's words joined, so that "O'Neill" is "Oneill". "St." and "Street" stay two:
the files must write addresses in one way.
"""

import hmac
import re
import unicodedata
from typing import Final

_WORDS = re.compile(r"[^\W_]+")
JOIN_KEY_BYTES: Final = 32


class Joins:
    """Hashes what is compared."""

    def __init__(self, key: bytes) -> None:
        self._begun = hmac.new(key, b"phitrail/fact-join/v1|", "sha256")

    def surname(self, text: str) -> int:
        """Return what a surname hashes to; 0 for none."""
        return self._hash("surname", "".join(_words(text)))

    def address(self, text: str) -> int:
        """Return what the address of a home hashes to; 0 for none."""
        return self._hash("address", " ".join(_words(text)))

    def street(self, text: str) -> int:
        """Return what a street hashes to; 0 for none."""
        return self._hash("street", " ".join(_words(text)))

    def _hash(self, what: str, words: str) -> int:
        if not words:
            return 0
        mac = self._begun.copy()
        mac.update(f"{what}|{words}".encode())
        return int.from_bytes(mac.digest()[:8], "big", signed=True) or 1


def _words(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", text.casefold())
    unmarked = "".join(one for one in plain if not unicodedata.combining(one))
    return _WORDS.findall(unmarked)
