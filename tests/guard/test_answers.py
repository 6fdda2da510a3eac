"""The labelled answers are whole, nothing of them was learnt from, and the guard keeps floors.

The floors lie a little below what the shipped model does. They notice a guard that was broken;
how good it is, docs/guard-model-card.md says.
"""

from collections.abc import Sequence

import pytest
from tests.guard.answers_source import (
    ANSWERS,
    LABELS,
    RECORDS,
    SOURCE,
    Answer,
    answers_lines,
    read_source,
    records_lines,
)
from tests.guard.test_training_text import carriers, our_texts, runs

from phitrail.events.codes import IdentifierClass
from phitrail.guard.evaluate import Place, score
from phitrail.guard.labelled import LabelledSpan, LabelledText, read_labelled
from phitrail.guard.record_context import RecordContext
from phitrail.guard.scan import Guard

LEAST_RECALL = 0.90
MOST_LEAK = 0.17
MOST_FALSE_WORDS = 24.0
MOST_LEAK_OF_EXPLAINED = 0.06
LEAST_SCORE = 0.5


@pytest.fixture(scope="module")
def guard() -> Guard:
    """Load the shipped model once."""
    return Guard()


@pytest.fixture(scope="module")
def answers() -> list[Answer]:
    """Read the source."""
    return list(read_source(SOURCE.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def texts() -> list[LabelledText]:
    """Read the labelled texts as a customer's file is read."""
    return read_labelled(ANSWERS.read_bytes().splitlines(), ANSWERS.name)


def test_the_labelled_texts_are_those_of_the_source(answers: list[Answer]) -> None:
    """A correction to the source that is not in the other files measures nothing."""
    assert answers_lines(answers) == ANSWERS.read_text(encoding="utf-8")
    assert records_lines(answers) == RECORDS.read_text(encoding="utf-8")


def test_texts_with_every_kind_of_identifier_stand_beside_texts_without_any(
    texts: list[LabelledText],
) -> None:
    """A set without traps, or without a kind, praises a guard that it does not try."""
    kinds = {span.label for text in texts for span in text.spans if span.phi}
    clean = sum(not any(span.phi for span in text.spans) for text in texts)

    assert (len(texts), clean) == (90, 30)
    assert kinds == LABELS - {"TITLE"}
    assert len({text.genre for text in texts}) >= 25


def test_labels_lie_apart_and_end_at_words(texts: list[LabelledText]) -> None:
    """A label that was set beside its word counts a right redaction as a leak."""
    for text in texts:
        end = 0
        for span in text.spans:
            value = text.text[span.start : span.end]

            assert (text.id, span.start >= end) == (text.id, True)
            assert (text.id, value.strip() == value) == (text.id, True)
            end = span.end


def test_records_can_be_read_and_explain_identifiers(answers: list[Answer]) -> None:
    """A record that is refused, or explains what is neutral, makes the figure wrong."""
    with_records = [one for one in answers if one.records]

    assert len(with_records) == 25
    for one in with_records:
        RecordContext.from_records(one.records)
        assert all(one.text.spans[at].phi for at in one.explained)


@pytest.mark.parametrize(
    "source",
    [
        "stray\n=== a x\ntext\n",
        "=== a x\n[[Ann|NAME\n",
        "=== a x\n[[Ann|NAME|recc]]\n",
        "=== a x\n[[Ann|NOUN]]\n",
        "=== a x\n[[Ann|NAME|rec]]\n",
        '=== a x\n[[Ann|NAME]]\n--- record\n{"name": "Ann Roe"}\n',
    ],
)
def test_a_source_that_does_not_have_the_form_is_refused(source: str) -> None:
    """A label that was mistyped would become text that holds an identifier."""
    with pytest.raises(ValueError, match=r"document|label|record"):
        list(read_source(source))


def test_no_eight_words_in_a_row_are_in_the_training_text(
    texts: list[LabelledText],
) -> None:
    """A figure on text that was learnt says nothing about the next text."""
    measured = set(runs(text.text for text in texts))

    shared = {
        file: len(found)
        for file, written in {**our_texts(), "carriers": carriers()}.items()
        if (found := measured & set(runs(written)))
    }

    assert shared == {}


def marked(
    guard: Guard, text: str, context: RecordContext | None = None
) -> Sequence[Place]:
    """Return what the guard would redact."""
    return [
        (one.start, one.end)
        for one in guard.find(text, context)
        if one.identifier_class != IdentifierClass.CLINICAL_CODE
        and one.score >= LEAST_SCORE
    ]


def of_explained(one: Answer) -> LabelledText:
    """Keep of the identifiers those that the record explains."""
    spans = tuple(
        LabelledSpan(
            start=span.start,
            end=span.end,
            label=span.label,
            phi=span.phi and at in one.explained,
        )
        for at, span in enumerate(one.text.spans)
    )
    return LabelledText(
        id=one.text.id, text=one.text.text, spans=spans, genre=one.text.genre
    )


def test_the_guard_keeps_its_floors(guard: Guard, texts: list[LabelledText]) -> None:
    """A model or rule that got worse would ship unnoticed where no other set is at hand."""
    all_ = score(texts, [marked(guard, text.text) for text in texts]).overall
    recall, leak, false = (
        figure.value for figure in (all_.recall, all_.leak, all_.false_words)
    )

    assert recall is not None
    assert recall >= LEAST_RECALL
    assert leak is not None
    assert leak <= MOST_LEAK
    assert false is not None
    assert false <= MOST_FALSE_WORDS


def test_hardly_anything_that_a_record_explains_leaks(
    guard: Guard, answers: list[Answer]
) -> None:
    """With the record at hand there is no guessing, whatever the model does."""
    with_records = [one for one in answers if one.records]
    places = [
        marked(guard, one.text.text, RecordContext.from_records(one.records))
        for one in with_records
    ]
    leak = score([of_explained(one) for one in with_records], places).overall.leak

    assert leak.n > 100
    assert leak.value is not None
    assert leak.value <= MOST_LEAK_OF_EXPLAINED
