"""The assistant finds what was asked for, keeps patients apart, and never stumbles."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phitrail.demo.assistant import NO_ANSWER, RetrievalAssistant, split_deltas
from phitrail.demo.charts import write_notes
from phitrail.demo.clinic import make_clinic
from phitrail.demo.notes import Note, NoteKind

MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)


def _note(number: int, mrn: str, kind: NoteKind, body: str) -> Note:
    return Note(
        note_id=f"n-{number}",
        mrn=mrn,
        kind=kind,
        written_at=MONDAY + timedelta(days=number),
        heading=f"{kind.value.capitalize()}\nPatient: Doe, Jo  MRN: {mrn}\n",
        body=body,
    )


NOTES = (
    _note(0, "12-3", NoteKind.PROGRESS, "Takes furosemide twice. Slept well."),
    _note(1, "12-3", NoteKind.PROGRESS, "Furosemide was stopped. Walked today."),
    _note(2, "12-3", NoteKind.DISCHARGE, "Continue furosemide at home."),
    _note(3, "12-3-4", NoteKind.PROGRESS, "Furosemide by vein. Seen by Dr. Roe."),
)


@pytest.fixture(scope="module")
def assistant() -> Iterator[RetrievalAssistant]:
    """Index the four notes above."""
    assistant = RetrievalAssistant(NOTES)
    yield assistant
    assistant.close()


def test_a_patient_never_gets_anothers_note(assistant: RetrievalAssistant) -> None:
    """An MRN that begins like another must not open the other's chart."""
    found = assistant.retrieve("furosemide?", patient="12-3", k=9)

    assert {note.note_id for note in found} == {"n-0", "n-1", "n-2"}
    assert assistant.retrieve("furosemide?", patient="12", k=9) == []


def test_the_last_of_a_kind_is_the_newest_of_it(assistant: RetrievalAssistant) -> None:
    """The last progress note is neither the discharge nor an older note."""
    question = "What did the last progress note say about furosemide?"
    found = assistant.retrieve(question, patient="12-3", k=1)

    assert [note.note_id for note in found] == ["n-1"]
    assert assistant.answer(question, found) == (
        "From the progress note of 03/03/2026: Furosemide was stopped."
    )


def test_a_kind_that_says_nothing_gives_way(assistant: RetrievalAssistant) -> None:
    """Somebody who misremembers the kind of note still gets the note."""
    found = assistant.retrieve("What does the consult note say on slept?", "12-3")

    assert [note.note_id for note in found] == ["n-0"]


def test_words_are_found_by_their_stem(assistant: RetrievalAssistant) -> None:
    """People ask for "walking" where the chart says "walked"."""
    assert [n.note_id for n in assistant.retrieve("walking?", "12-3")] == ["n-1"]


def test_a_title_does_not_end_a_sentence(assistant: RetrievalAssistant) -> None:
    """A quotation cut after "Dr." would be no sentence."""
    answer = assistant.answer("Who has seen the patient?", NOTES[3:])

    assert answer == "From the progress note of 03/05/2026: Seen by Dr. Roe."


def test_k_bounds_what_is_retrieved(assistant: RetrievalAssistant) -> None:
    """Each note retrieved is a record in the log: no more than were asked for."""
    assert len(assistant.retrieve("furosemide", k=2)) == 2
    assert assistant.retrieve("furosemide", k=0) == []


def test_nothing_found_is_said(assistant: RetrievalAssistant) -> None:
    """Silence or an unrelated sentence would be worse than saying so."""
    assert assistant.retrieve("") == []
    assert assistant.retrieve("what is the?") == []
    assert assistant.answer("appendix", NOTES) == NO_ANSWER
    assert assistant.answer("appendix", []) == NO_ANSWER


@given(question=st.text(max_size=200))
def test_no_question_is_an_expression(
    assistant: RetrievalAssistant, question: str
) -> None:
    """Any text at all is only words: no error, and no way out of the patient."""
    found = assistant.retrieve(question, patient="12-3", k=9)

    assert {note.mrn for note in found} <= {"12-3"}
    assert assistant.answer(question, found)


@pytest.mark.parametrize(
    "question",
    [
        '" OR patient : patient1 OR furosemide "',
        'furosemide") OR ("furosemide',
        "furosemide* NEAR(a b, 5) AND NOT body:x",
        "{body patient} : furosemide ^ + -",
        "'; DROP TABLE note; -- furosemide",
        "furosemide\x00²½ ﬁ 中文",
        "AND OR NOT NEAR furosemide",
        "patient1 PROGRESS furosemide",
    ],
)
def test_fts_syntax_is_only_words(assistant: RetrievalAssistant, question: str) -> None:
    """Each of these would raise or widen the search if it reached FTS5 bare."""
    found = assistant.retrieve(question, patient="12-3", k=9)

    assert {note.note_id for note in found} == {"n-0", "n-1", "n-2"}


def test_threads_get_the_answers_that_one_gets(assistant: RetrievalAssistant) -> None:
    """The demo asks from several threads at once; none may see another's rows."""
    questions = ["furosemide", "slept", "walked", "vein"] * 50
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(assistant.retrieve, questions))

    assert together == [assistant.retrieve(question) for question in questions]


@given(answer=st.text())
def test_deltas_join_to_the_answer(answer: str) -> None:
    """A stream that loses a space would release another text than was recorded."""
    assert "".join(split_deltas(answer)) == answer


def test_a_note_is_found_by_its_own_sentence() -> None:
    """Over the whole clinic a note's sentence leads back to a note that holds it."""
    notes = write_notes(make_clinic(patients=40))
    assistant = RetrievalAssistant(notes)
    for note in notes[::7]:
        sentence = note.body.split(". ")[0]
        found = assistant.retrieve(sentence, patient=note.mrn)

        assert any(sentence in other.body for other in found)
    assistant.close()
