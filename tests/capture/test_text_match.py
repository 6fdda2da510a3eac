"""A pasted text is hashed as the log may hold it: every form, every key version."""

from functools import partial

import pytest

from phitrail.capture.text_hash import TextHasher
from phitrail.capture.text_match import MatchedForm, text_candidates
from phitrail.errors import InputError
from phitrail.events.protected import Protected
from phitrail.keys.mac import Mac
from phitrail.keys.ring import KeyRing

MAC = Mac(
    KeyRing.of({"text-hash": {1: Protected(bytes(32)), 4: Protected(b"4" * 32)}}),
    "text-hash",
)
HASHERS = {v: TextHasher(partial(MAC.written_under, v)) for v in MAC.versions()}


def forms_of(pasted: str, recorded: str, version: int) -> list[MatchedForm]:
    """Say in which forms a pasted text meets what was recorded under a key version."""
    held = HASHERS[version].hash(recorded, "query")
    return [
        candidate.form
        for candidate in text_candidates(Protected(pasted), HASHERS, "query")
        if candidate.written == (held.exact if candidate.is_exact else held.normalised)
        and candidate.key_version == version
    ]


@pytest.mark.parametrize("version", [1, 4])
@pytest.mark.parametrize(
    ("pasted", "recorded", "forms"),
    [
        ("Chest pain?", "Chest pain?", ["exact", "normalised"]),
        ("Pain?\n", "Pain?", ["exact_without_final_line_break", "normalised"]),
        ("Pain?\r\n", "Pain?", ["exact_without_final_line_break", "normalised"]),
        ("Pain?", "Pain?\n", ["exact_with_final_line_break", "normalised"]),
        ("Pain?\n", "Pain?\n", ["exact", "normalised"]),
        ("Pain?\n\n", "Pain?", ["normalised"]),
        ("chest  PAIN?", "Chest pain?", ["normalised"]),
        ("Chest pain!", "Chest pain?", []),
    ],
)
def test_a_paste_meets_what_was_recorded_and_says_how(
    pasted: str, recorded: str, forms: list[str], version: int
) -> None:
    """Same words must not pass for the same bytes, nor be missed over a line break."""
    assert forms == forms_of(pasted, recorded, version)


def test_the_newest_key_is_tried_first() -> None:
    """The likeliest hash comes first, and no version is left out."""
    versions = [c.key_version for c in text_candidates(Protected("x"), HASHERS, "q")]

    assert versions == [4, 4, 4, 1, 1, 1]


def test_a_text_without_bytes_is_refused_without_showing_it() -> None:
    """What an investigator pasted must not come back in an error."""
    with pytest.raises(InputError, match=r"^--query: ") as caught:
        text_candidates(Protected("Canary\ud800"), HASHERS, "--query")

    assert "Canary" not in str(caught.value)
    assert caught.value.__context__ is None
