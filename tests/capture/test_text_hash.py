"""Two keyed hashes stand for a text: the exact one and the one that survives copying."""

import pytest

from phitrail.capture.text_hash import TextHasher, normalise
from phitrail.errors import InputError
from phitrail.events.protected import Protected
from phitrail.keys.mac import Mac
from phitrail.keys.ring import KeyRing

KEYS = KeyRing.of({"text-hash": {1: Protected(bytes(32))}, "b": {1: Protected(b"b")}})
HASHER = TextHasher(Mac(KEYS, "text-hash").written)
COPIES = ["Chest  pain\n", " chest pain", "CHEST\u00a0PAIN", "chest \ufb01pain"]


def test_copies_meet_in_the_normalised_form_alone() -> None:
    """A pasted text must be found, and the very text still told apart."""
    first, second, third = (HASHER.hash(text, "query") for text in COPIES[:3])

    assert first.normalised == second.normalised == third.normalised
    assert len({first.exact, second.exact, third.exact}) == 3
    assert normalise(COPIES[3]) == "chest fipain"


def test_exact_and_normalised_never_meet() -> None:
    """A hash of one form must not pass for one of the other."""
    hashes = HASHER.hash("pain", "query")

    assert hashes.exact != hashes.normalised


def test_another_key_gives_other_hashes() -> None:
    """Without the key nobody can guess a short question."""
    other = TextHasher(Mac(KEYS, "b").written)

    assert HASHER.hash("pain", "query") != other.hash("pain", "query")


def test_the_length_is_that_of_the_text() -> None:
    """Characters, not bytes: what a reader would count."""
    assert HASHER.hash("été", "query").chars == 3
    assert HASHER.hash("", "query").chars == 0


def test_a_text_without_bytes_is_refused_without_showing_it() -> None:
    """`UnicodeEncodeError.object` holds the whole text; it must not come along."""
    with pytest.raises(InputError, match=r"^query: ") as caught:
        HASHER.hash("Canary\ud800", "query")

    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
