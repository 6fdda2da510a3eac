"""The clinic's notes are repeatable, follow their stay, and are PHI."""

import hashlib
import json
from collections import Counter

import pytest

from phitrail.demo.charts import write_guidelines, write_notes
from phitrail.demo.clinic import Clinic, make_clinic
from phitrail.demo.notes import Note, NoteKind

GOLDEN_DIGEST = "04dd8b984dade7b986b820dd01d79197f3584395094bfe8fb1ba32e39aa3e988"


@pytest.fixture(scope="module")
def clinic() -> Clinic:
    """Make the default clinic once."""
    return make_clinic()


@pytest.fixture(scope="module")
def notes(clinic: Clinic) -> tuple[Note, ...]:
    """Write its notes once."""
    return write_notes(clinic)


def test_the_notes_of_the_default_clinic_are_pinned(notes: tuple[Note, ...]) -> None:
    """The digest holds under every Python we support; a change here is deliberate."""
    lines = [
        json.dumps([n.note_id, n.mrn, n.kind, n.written_at.isoformat(), n.text])
        for n in notes
    ]

    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == GOLDEN_DIGEST


def test_every_note_names_its_patient(clinic: Clinic, notes: tuple[Note, ...]) -> None:
    """A note without identifiers would make the search for leaks too easy to pass."""
    patients = {patient.mrn: patient for patient in clinic.patients}
    for note in notes:
        patient = patients[note.mrn]

        assert patient.mrn in note.text
        assert patient.family_name in note.text
        assert f"{patient.birth_date:%m/%d/%Y}" in note.text


def test_every_kind_is_written_and_ids_are_unique(notes: tuple[Note, ...]) -> None:
    """The questions ask for each kind by name."""
    kinds = Counter(note.kind for note in notes)

    assert set(kinds) == set(NoteKind) - {NoteKind.CHART, NoteKind.GUIDELINE}
    assert len({note.note_id for note in notes}) == len(notes)


def test_a_stay_is_written_in_order(notes: tuple[Note, ...]) -> None:
    """A discharge before the last progress note would make "last" mean nothing."""
    stays: dict[str, list[Note]] = {}
    for note in notes:
        stays.setdefault(note.note_id.rsplit("-", 1)[0], []).append(note)
    for stay in stays.values():
        assert stay[0].kind is NoteKind.ADMISSION
        assert stay[-1].kind is NoteKind.DISCHARGE
        assert stay[0].written_at == min(note.written_at for note in stay)
        assert stay[-1].written_at == max(note.written_at for note in stay)


def test_guidelines_are_about_nobody(clinic: Clinic) -> None:
    """They may be read without a patient because no person stands in them."""
    guidelines = write_guidelines(clinic)
    families = {patient.family_name for patient in clinic.patients}

    assert {guideline.mrn for guideline in guidelines} == {""}
    assert not [g for g in guidelines if families.intersection(g.text.split())]


def test_radiology_reports_are_diagnostic_reports(notes: tuple[Note, ...]) -> None:
    """The resource type in the record must be the FHIR type of the note."""
    types = {(note.kind is NoteKind.RADIOLOGY, note.resource_type) for note in notes}

    assert types == {(True, "DiagnosticReport"), (False, "DocumentReference")}


def test_notes_stay_out_of_repr(notes: tuple[Note, ...]) -> None:
    """A traceback or a failed assert must not print a note."""
    assert notes[0].mrn not in repr(notes[0])
    assert "Patient:" not in repr(notes[0])


def test_writing_tells_its_progress(clinic: Clinic) -> None:
    """Somebody who waits sees how far it is."""
    told: list[tuple[int, int]] = []
    write_notes(clinic, lambda done, total: told.append((done, total)))

    total = len(clinic.encounters)
    assert told == [(done, total) for done in range(1, total + 1)]
