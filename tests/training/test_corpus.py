"""Training text: the same for one seed, and its labels stand where they say."""

import random
import re

import pytest
from training.guard.corpus import Corpus
from training.guard.fill import LABELS, Filler, documents


def test_one_seed_draws_the_same_documents() -> None:
    """A model that cannot be made again cannot be examined."""
    one, other = Corpus(3), Corpus(3)

    assert [one.next() for _ in range(60)] == [other.next() for _ in range(60)]


def test_labels_stand_inside_the_text_and_apart() -> None:
    """A label that slipped teaches the tagger nonsense."""
    corpus = Corpus(5)
    for _ in range(400):
        one = corpus.next()
        last = 0
        for start, end, label in sorted(one.spans):
            assert last <= start < end <= len(one.text)
            assert label in LABELS or label == "?"
            last = end


@pytest.mark.parametrize("genre", sorted(documents()))
def test_every_document_of_a_genre_can_be_filled(genre: str) -> None:
    """A slot that nobody fills would train on its name."""
    draw = random.Random(1)
    for document in documents()[genre]:
        one = Filler(draw).fill(document)

        assert "<<" not in one.text
        assert ">>" not in re.sub(r">>> ?|>>$", "", one.text, flags=re.MULTILINE)
        assert all(one.text[start:end].strip() for start, end, _ in one.spans)


def test_a_person_keeps_their_name_within_a_document() -> None:
    """The tagger is to learn that one name comes again."""
    one = Filler(random.Random(2)).fill("<<p1.family>> and <<p1.family>>; <<p2.given>>")
    first, second = one.text.split(";")[0].split(" and ")

    assert first == second
