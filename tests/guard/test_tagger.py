"""The tagger: what it says of a word depends on the words near it and on nothing else."""

import random

import numpy as np
import pytest

from phitrail.guard.tagged import find_tagged
from phitrail.guard.tagger import AT_ONCE, Tagger
from phitrail.guard.tokens import tokenize

WORDS = (
    "the patient Ayodele Quist of Harlan saw Dr. Brandvold on Tuesday for knee pain "
    "and took 40 mg of Lasix ; her sister Odile ( 555-0142 ) drove .\n"
).split(" ")


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    """The tagger that ships."""
    return Tagger()


def scores(tagger: Tagger, text: str) -> np.ndarray:
    """Score each word of a text."""
    tokens = tokenize(text)
    return tagger.tag(tokens.words, tokens.gaps).score


def long_text(words: int) -> str:
    """Write a text of many words."""
    draw = random.Random(7)
    return " ".join(draw.choice(WORDS) for _ in range(words))


def test_a_long_text_is_read_in_pieces_as_if_it_were_one(tagger: Tagger) -> None:
    """A name at the border of two pieces would be lost there."""
    text = long_text(2 * AT_ONCE + 500)
    whole = scores(tagger, text)
    tokens = tokenize(text)
    for border in (AT_ONCE, 2 * AT_ONCE):
        reach = tagger.reach
        low, high = border - 3 * reach, border + 3 * reach
        part = tagger.tag(tokens.words[low:high], tokens.gaps[low:high]).score[
            reach:-reach
        ]

        assert np.allclose(part, whole[low + reach : high - reach], atol=1e-5)


def test_a_text_is_scored_alike_each_time_and_after_others(tagger: Tagger) -> None:
    """A cache of words from other scans would show here, and must not exist."""
    text = long_text(200)
    first = scores(tagger, text)
    scores(tagger, "Zbyszko Quenneville lives in Ottumwa.")

    assert np.array_equal(first, scores(tagger, text))


@pytest.mark.parametrize(
    "text",
    ["", " ", "\n\n", "x", "\ud800 \udfff", "①⑦ ٣٤ १२", "a" * 5000, "\u202e" * 50],
    ids="empty blank lines letter surrogates digits long marks".split(),
)
def test_no_text_is_too_odd(tagger: Tagger, text: str) -> None:
    """An exception withholds the answer: it must be for a reason."""
    found = find_tagged(tagger, text)

    assert all(0 <= one.start < one.end <= len(text) for one in found)


def test_it_knows_a_name_and_a_town_it_never_saw(tagger: Tagger) -> None:
    """What ships is the trained model, not an empty one."""
    text = "I spoke with Mrs. Quenneberg-Tallis today; she drove in from Ottumwaville."
    said = {text[one.start : one.end] for one in find_tagged(tagger, text)}

    assert {"Quenneberg-Tallis", "Ottumwaville"} <= said
