"""The plan is repeatable, asks by the rules, and asks what can be answered."""

from collections import Counter
from pathlib import Path

import pytest

from phitrail.demo.assistant import RetrievalAssistant
from phitrail.demo.charts import write_guidelines, write_notes
from phitrail.demo.clinic import ROLES, USE_CASES, Clinic, make_clinic
from phitrail.demo.notes import Note, load_notes
from phitrail.demo.questions import Ask, Ending, plan_questions

QUESTIONS = 2000
PURPOSES = {
    "treatment",
    "payment",
    "operations",
    "research",
    "emergency",
    "no_patient",
}


@pytest.fixture(scope="module")
def clinic() -> Clinic:
    """Make the default clinic once."""
    return make_clinic()


@pytest.fixture(scope="module")
def notes(clinic: Clinic) -> tuple[Note, ...]:
    """Write its notes once."""
    return write_notes(clinic)


@pytest.fixture(scope="module")
def plan(clinic: Clinic, notes: tuple[Note, ...]) -> tuple[Ask, ...]:
    """Plan two thousand questions once."""
    return plan_questions(clinic, notes, QUESTIONS)


def test_a_plan_is_repeatable(
    clinic: Clinic, notes: tuple[Note, ...], plan: tuple[Ask, ...]
) -> None:
    """Counts of two runs are compared; another seed asks other things."""
    assert plan_questions(clinic, notes, QUESTIONS) == plan
    assert plan_questions(clinic, notes, QUESTIONS, seed=2) != plan
    assert [ask.number for ask in plan] == list(range(1, QUESTIONS + 1))


def test_every_role_use_purpose_and_ending_occurs(plan: tuple[Ask, ...]) -> None:
    """A demo that never fails or refuses would show half of the log."""
    assert {ask.staff.role for ask in plan} == set(ROLES)
    assert {ask.use_case for ask in plan} == set(USE_CASES)
    assert {ask.purpose_of_use for ask in plan} == PURPOSES
    assert {ask.ending for ask in plan} == set(Ending)
    released = Counter(ask.ending for ask in plan)[Ending.RELEASED]
    assert released > QUESTIONS * 0.7


def test_treatment_is_asked_by_the_care_team_alone(
    clinic: Clinic, plan: tuple[Ask, ...]
) -> None:
    """Whoever asks about somebody else's patient for treatment is denied."""
    cared_for = {
        (member.staff_id, encounter.mrn)
        for encounter in clinic.encounters
        for member in encounter.care_team
    }
    for ask in plan:
        if ask.purpose_of_use == "treatment":
            assert ask.patient is not None
            is_theirs = (ask.staff.staff_id, ask.patient.mrn) in cared_for
            assert is_theirs == (ask.ending is not Ending.DENIED)
        else:
            assert ask.ending is not Ending.DENIED


def test_only_guidelines_and_cohorts_are_about_nobody(plan: tuple[Ask, ...]) -> None:
    """`no_patient` must not hide a patient, and a patient must not be missing."""
    for ask in plan:
        about_nobody = ask.use_case in {"guideline_lookup", "cohort_research"}
        assert about_nobody == (ask.patient is None)
        is_guideline = ask.use_case == "guideline_lookup"
        assert is_guideline == (ask.purpose_of_use == "no_patient")


def test_some_questions_name_the_patient(plan: tuple[Ask, ...]) -> None:
    """Questions are PHI too: the search for leaks must have something to find."""
    named = [a for a in plan if a.patient and a.patient.family_name in a.text]

    assert len(named) > QUESTIONS // 5
    assert named[0].text not in repr(named[0])


def test_questions_can_be_answered(
    clinic: Clinic, notes: tuple[Note, ...], plan: tuple[Ask, ...]
) -> None:
    """An assistant that mostly finds nothing would record accesses to nothing."""
    charts = RetrievalAssistant(notes)
    guidelines = RetrievalAssistant(write_guidelines(clinic))
    answered = 0
    for ask in plan:
        searched = guidelines if ask.use_case == "guideline_lookup" else charts
        found = searched.retrieve(ask.text, ask.patient.mrn if ask.patient else None)
        answered += ask.topic in searched.answer(ask.text, found).lower()
    charts.close()
    guidelines.close()

    assert answered >= QUESTIONS * 0.95


def test_given_notes_are_asked_about_too(clinic: Clinic, tmp_path: Path) -> None:
    """With a few given notes, only their patients are asked about."""
    path = tmp_path / "notes.jsonl"
    path.write_text(
        "".join(
            f'{{"id": "n{n}", "text": "Reports migraine and palpitations {n}."}}\n'
            for n in range(3)
        )
    )
    notes = load_notes(path, clinic)
    plan = plan_questions(clinic, notes, 200)

    asked_about = {ask.patient.mrn for ask in plan if ask.patient}
    denied = [ask for ask in plan if ask.ending is Ending.DENIED]
    assert asked_about <= {note.mrn for note in notes}
    assert all(ask.patient for ask in denied)


def test_a_note_without_plain_words_still_makes_a_question(
    clinic: Clinic, tmp_path: Path
) -> None:
    """A chart of numbers is asked about in general terms, not with an error."""
    path = tmp_path / "notes.jsonl"
    path.write_text('{"id": "n", "text": "BP 120/80."}\n')

    assert len(plan_questions(clinic, load_notes(path, clinic), 50)) == 50
