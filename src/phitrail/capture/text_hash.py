"""Keyed hashes of texts: what stands in the log instead of a question or an answer.

Two forms of one text. The exact form proves that a pasted text is the very one; the
normalised form still matches after copying through mail or a word processor: NFKC, case
folded, runs of white space made one space, ends stripped (ADR 0001).
"""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from phitrail.errors import InputError
from phitrail.events.protected import Protected
from phitrail.events.unprotect import unprotect


@dataclass(frozen=True, slots=True)
class TextHashes:
    """Both keyed hashes of one text, and its length in characters."""

    exact: str
    normalised: str
    chars: int


def normalise(text: str) -> str:
    """Return the form of a text that survives copying."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


@dataclass(frozen=True, slots=True)
class TextHasher:
    """Hashes texts under the newest text key; `written` gives one written hash."""

    written: Callable[[bytes], str]

    def hash(self, text: str, field: str) -> TextHashes:
        """Hash a text in both forms.

        Raises:
            InputError: it is no text, or holds a lone surrogate and has no bytes.
        """
        if not isinstance(text, str):
            raise InputError.for_field(field, "must be text")
        try:
            exact = text.encode()
        except UnicodeEncodeError:
            exact = None  # not raised in here: this error would go along, with its text
        if exact is None:
            raise InputError.for_field(field, "must be text that UTF-8 can write")
        return TextHashes(
            exact=self.written(b"exact|" + exact),
            normalised=self.written(b"normalised|" + normalise(text).encode()),
            chars=len(text),
        )

    def hash_document(self, identifier: Protected[str]) -> str:
        """Hash the id of a document; it equals no hash of a text with the same words."""
        opened = unprotect(identifier).encode(errors="surrogatepass")
        return self.written(b"document|" + opened)
