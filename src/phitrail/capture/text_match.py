"""Under which keyed hashes a pasted text may stand in the log.

1. Every version of the text key that is here is tried, the newest first: a rotation ends
   no search.
2. The exact form is the very text. A terminal adds a line break at the end of a paste, or
   loses one, so the text is also tried with one final line break less or more, and the
   match says so.
3. The normalised form (`capture.text_hash`) is the last one tried: same words, not the same
   bytes.

The text comes in `Protected` and is opened here for hashing only.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from phitrail.capture.text_hash import TextHasher
from phitrail.events.protected import Protected
from phitrail.events.unprotect import unprotect


class MatchedForm(StrEnum):
    """In which form a text was found, the strongest first."""

    EXACT = "exact"
    EXACT_WITHOUT_LINE_BREAK = "exact_without_final_line_break"
    EXACT_WITH_LINE_BREAK = "exact_with_final_line_break"
    NORMALISED = "normalised"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One hash that the text may stand under: as written, in which form, by which key."""

    written: str
    form: MatchedForm
    key_version: int

    @property
    def is_exact(self) -> bool:
        """Whether it is a hash of the bytes, not of the normalised text."""
        return self.form is not MatchedForm.NORMALISED


def text_candidates(
    text: Protected[str], hashers: Mapping[int, TextHasher], field: str
) -> tuple[Candidate, ...]:
    """Hash a pasted text in every form under every key version.

    Args:
        text: what was pasted.
        hashers: key version -> what hashes under it.
        field: the name of the input in an error.

    Raises:
        InputError: the text has no bytes.
    """
    opened = unprotect(text)
    return tuple(
        candidate
        for version in sorted(hashers, reverse=True)
        for candidate in _under(opened, version, hashers[version], field)
    )


def _under(
    text: str, version: int, hasher: TextHasher, field: str
) -> Iterator[Candidate]:
    hashes = hasher.hash(text, field)
    yield Candidate(hashes.exact, MatchedForm.EXACT, version)
    if text.endswith("\n"):
        form, other = MatchedForm.EXACT_WITHOUT_LINE_BREAK, _without_line_break(text)
    else:
        form, other = MatchedForm.EXACT_WITH_LINE_BREAK, text + "\n"
    yield Candidate(hasher.hash(other, field).exact, form, version)
    yield Candidate(hashes.normalised, MatchedForm.NORMALISED, version)


def _without_line_break(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")
