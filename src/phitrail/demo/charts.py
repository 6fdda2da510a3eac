"""The notes that the clinic writes about its encounters, and its house guidelines.

Rules:
1. `write_notes` depends on the clinic alone, and each encounter has its own stream of
   draws, so that one encounter's notes do not change another's.
2. Every note of an encounter carries its patient's made-up name, MRN and date of birth
   in the heading, as charts do: the notes are PHI to everything else in phitrail.
3. The notes of a stay follow its time, admission first and discharge last, and are
   signed by a member of the care team.
"""

from datetime import datetime, timedelta
from random import Random

from phitrail.demo.clinic import Clinic, Encounter, Patient, Shift, Staff
from phitrail.demo.conditions import CONDITIONS
from phitrail.demo.draws import between, chance, pick
from phitrail.demo.notes import Note, NoteKind, Progress


def write_notes(clinic: Clinic, progress: Progress | None = None) -> tuple[Note, ...]:
    """Write every note of every encounter, in the order of the encounters."""
    patients = {patient.mrn: patient for patient in clinic.patients}
    notes: list[Note] = []
    for done, encounter in enumerate(clinic.encounters, start=1):
        chart = _Chart(clinic.seed, encounter, patients[encounter.mrn])
        notes += chart.write()
        if progress is not None:
            progress(done, len(clinic.encounters))
    return tuple(notes)


def write_guidelines(clinic: Clinic) -> tuple[Note, ...]:
    """Write the house guidelines, one a condition; they name no patient."""
    opened_at = clinic.encounters[0].started_at
    return tuple(
        Note(
            note_id=f"guideline-{number:02d}",
            mrn="",
            kind=NoteKind.GUIDELINE,
            written_at=opened_at,
            heading=f"House guideline: {condition.name}\n",
            body=" ".join(f"{line}." for line in condition.guidance + condition.plans),
        )
        for number, condition in enumerate(CONDITIONS, start=1)
    )


class _Chart:
    """Writes the notes of one encounter, each with its own moment and author."""

    def __init__(self, seed: int, encounter: Encounter, patient: Patient) -> None:
        self._rng = Random(f"phitrail/notes/{seed}/{encounter.encounter_id}")
        self._encounter = encounter
        self._patient = patient
        self._what = encounter.condition
        title = "Ms." if patient.sex == "woman" else "Mr."
        self._called = f"{title} {patient.family_name}"
        self._orders = [
            (drug, f"{drug.name} {pick(self._rng, drug.doses_mg)} mg {drug.frequency}")
            for drug in self._what.drugs
        ]
        self._written: list[Note] = []

    def write(self) -> list[Note]:
        """Write the stay in the order in which it happened."""
        self._admission()
        self._radiology()
        self._medication()
        for day in range(1, self._encounter.nights + 1):
            self._nursing(day)
            self._progress(day)
            if day == 1 and chance(self._rng, 60):
                self._consult()
        self._discharge()
        return self._written

    def _admission(self) -> None:
        what, rng, patient = self._what, self._rng, self._patient
        started_at = self._encounter.started_at
        temperature = between(rng, 360, 392)
        self._add(
            NoteKind.ADMISSION,
            started_at + timedelta(minutes=between(rng, 20, 70)),
            self._encounter.member(pick(rng, ("physician", "resident"))),
            f"{patient.given_name} {patient.family_name} is a "
            f"{patient.age_on(started_at.date())}-year-old {patient.sex} who "
            f"{pick(rng, _CAME)} {what.complaint}",
            f"The past history is notable for {what.history}",
            f"Allergies: {patient.allergy}",
            f"Blood pressure {between(rng, 96, 172)}/{between(rng, 54, 98)} mmHg, "
            f"pulse {between(rng, 58, 124)} per minute, temperature "
            f"{temperature // 10}.{temperature % 10} degrees, oxygen saturation "
            f"{between(rng, 86, 99)} percent",
            *what.findings,
            self._labs("on arrival"),
            f"Assessment: {what.name}",
            f"Plan: {what.plans[0]}",
            f"{self._called} can be reached at {patient.phone}",
        )

    def _radiology(self) -> None:
        what, rng = self._what, self._rng
        self._add(
            NoteKind.RADIOLOGY,
            self._encounter.started_at + timedelta(minutes=between(rng, 80, 200)),
            self._encounter.member("radiologist"),
            f"Examination: {what.study}",
            f"Indication: {what.complaint}",
            f"{pick(rng, _PRIOR_STUDIES)} for comparison",
            what.reading,
            f"Impression: {what.impression}",
            f"Result called to {self._encounter.member('resident').staff_id} and read "
            "back",
        )

    def _medication(self) -> None:
        rng = self._rng
        changed, _ = pick(rng, self._orders)
        self._add(
            NoteKind.MEDICATION,
            self._encounter.started_at + timedelta(minutes=between(rng, 210, 400)),
            self._encounter.member("pharmacist"),
            f"List checked with {self._called} and the community pharmacy",
            *(f"Takes {order}" for _, order in self._orders),
            f"The order for {changed.name} was {pick(rng, _ORDER_CHANGES)}",
            f"Allergies confirmed: {self._patient.allergy}",
            f"{pick(rng, _ADHERENCE)} was arranged before the patient goes home",
        )

    def _nursing(self, day: int) -> None:
        rng = self._rng
        written_at = self._on_day(day, pick(rng, (2, 6)))
        nurses = [
            member
            for member in self._encounter.care_team
            if member.role == "nurse" and member.shift is Shift.at(written_at)
        ]
        self._add(
            NoteKind.NURSING,
            written_at,
            pick(rng, nurses),
            pick(rng, self._what.nursing),
            f"Pain rated {between(rng, 0, 7)} of ten at rest",
            f"Intake {between(rng, 9, 29) * 100} mL, output "
            f"{between(rng, 8, 31) * 100} mL over the shift",
            f"{self._called} {pick(rng, _NURSING_REMARKS)}",
            f"Fall risk {pick(rng, ('low', 'moderate', 'high'))}, call bell in reach",
        )

    def _progress(self, day: int) -> None:
        what, rng = self._what, self._rng
        _, order = pick(rng, self._orders)
        self._add(
            NoteKind.PROGRESS,
            self._on_day(day, pick(rng, (8, 9, 10))),
            self._encounter.member(pick(rng, ("physician", "resident"))),
            f"Hospital day {day + 1} for {what.name}",
            f"{self._called} {pick(rng, _COURSES)}",
            f"{pick(rng, what.findings)}, {pick(rng, _CHANGES)}",
            self._labs("this morning"),
            f"Receives {order}, tolerated {pick(rng, _TOLERATED)}",
            pick(rng, what.plans),
        )

    def _consult(self) -> None:
        what = self._what
        self._add(
            NoteKind.CONSULT,
            self._on_day(1, 13),
            self._encounter.member("resident"),
            f"Opinion of {what.consulted.replace('_', ' ')} was asked for",
            f"The question is {what.consult_question}",
            f"The chart of {self._called} was reviewed and the patient examined",
            f"Recommendation: {what.consult_advice}",
            f"Thank you for involving us in the care for {what.name}",
        )

    def _discharge(self) -> None:
        what, rng, patient = self._what, self._rng, self._patient
        nights = self._encounter.nights
        left_at = (
            self._on_day(nights, pick(rng, (14, 15, 16)))
            if nights
            else self._encounter.started_at + timedelta(minutes=between(rng, 420, 700))
        )
        stay = {0: "the same day", 1: "the next day"}.get(
            nights, f"after {nights} nights"
        )
        self._add(
            NoteKind.DISCHARGE,
            left_at,
            self._encounter.member("physician"),
            f"{patient.given_name} {patient.family_name} left {stay}, treated for "
            f"{what.name}",
            f"The stay began with {what.complaint}",
            f"Imaging showed the following: {what.impression}",
            f"Goes home {pick(rng, _GOING_HOME)}",
            *(f"Continue {order}" for _, order in self._orders),
            f"Follow-up: {what.follow_up}",
            f"The patient was taught {what.teaching}",
            f"Allergies: {patient.allergy}",
        )

    def _labs(self, when: str) -> str:
        """Write the laboratory values of the condition in one sentence."""
        values = (
            f"{lab.name} {between(self._rng, lab.low, lab.high)} {lab.unit}"
            for lab in self._what.labs
        )
        return f"Laboratory {when}: {', '.join(values)}"

    def _on_day(self, day: int, hour: int) -> datetime:
        """Name a moment within `hour` of the stay's day; the first night ends day 1."""
        midnight = self._encounter.started_at.replace(hour=0, minute=0)
        return midnight + timedelta(
            days=day, hours=hour, minutes=between(self._rng, 0, 59)
        )

    def _add(
        self, kind: NoteKind, written_at: datetime, author: Staff, *sentences: str
    ) -> None:
        """Put heading and sentences together and keep the note."""
        patient, encounter = self._patient, self._encounter
        heading = (
            f"{kind.value.capitalize()}\n"
            f"Patient: {patient.family_name}, {patient.given_name}  "
            f"MRN: {patient.mrn}  DOB: {patient.birth_date:%m/%d/%Y}\n"
            f"Written: {written_at:%m/%d/%Y %H:%M}  "
            f"Department: {encounter.department.replace('_', ' ')}  "
            f"Author: {author.staff_id}\n"
        )
        self._written.append(
            Note(
                note_id=f"{encounter.encounter_id}-n{len(self._written) + 1:02d}",
                mrn=patient.mrn,
                kind=kind,
                written_at=written_at,
                heading=heading,
                body=" ".join(f"{sentence}." for sentence in sentences),
            )
        )


_CAME = ("came in with", "presents with", "was brought in with")
_PRIOR_STUDIES = ("No earlier study was available", "An outside study was available")
_ORDER_CHANGES = (
    "continued without a change",
    "started during this visit",
    "held tonight and restarted in the morning",
    "reduced because of an interaction",
)
_ADHERENCE = ("A pill box", "A written schedule", "A refill by mail")
_NURSING_REMARKS = (
    "asked for a later visiting hour",
    "walked to the window twice",
    "slept through most of the shift",
    "was worried about going home alone",
    "took all doses with water",
)
_COURSES = (
    "feels better than yesterday",
    "had a restless night",
    "reports no new complaint",
    "is tired but comfortable",
)
_CHANGES = ("unchanged", "less than before", "as on admission")
_TOLERATED = ("well", "with mild nausea", "without side effects")
_GOING_HOME = (
    "with family",
    "with a visiting nurse",
    "by own transport",
    "to a short rehabilitation stay",
)
