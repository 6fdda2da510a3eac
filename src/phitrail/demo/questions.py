"""What the staff ask, planned ahead: who asks what of whom, and how it ends.

Rules:
1. A plan depends on clinic, notes, count and seed alone. The run that carries it out
   may use threads, and still counts the same.
2. Who asks is on shift at the hour of the question; clinical staff ask about patients
   of their care teams, others by their trade. `Ending.DENIED` is for one of them who
   asks about a patient who is not theirs; `emergency_lookup` may.
3. A question is made from a note, about a word in it (`topic`), so that an answer
   exists; some spell the patient's name and MRN out, as people do.
4. A question about no one patient asks for a house guideline, or for a researcher's
   cohort over all charts.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from random import Random

from phitrail.demo.assistant import telling_words
from phitrail.demo.charts import write_guidelines
from phitrail.demo.clinic import OPENING_DAY, PERIOD_DAYS, Clinic, Patient, Shift, Staff
from phitrail.demo.draws import between, chance, pick, pick_weighted
from phitrail.demo.notes import Note, NoteKind


class Ending(StrEnum):
    """How a question is to end."""

    RELEASED = "released"
    STREAMED = "streamed"
    ABANDONED = "abandoned"
    NOT_RELEASED = "not_released"
    FAILED = "failed"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Ask:
    """One planned question; `patient` is None when it is about nobody."""

    number: int
    staff: Staff
    use_case: str
    purpose_of_use: str
    patient: Patient | None = field(repr=False)
    text: str = field(repr=False)
    topic: str = field(repr=False)
    session_id: str
    ending: Ending

    @property
    def request_id(self) -> str:
        """Name the request."""
        return f"req-{self.number:06d}"


def plan_questions(
    clinic: Clinic, notes: Sequence[Note], count: int, *, seed: int = 1
) -> tuple[Ask, ...]:
    """Plan `count` questions over the clinic's period, in the order of their hours."""
    return _Planner(clinic, notes, seed).plan(count)


class _Planner:
    """Holds who cares for whom and which words tell, while a plan is made."""

    def __init__(self, clinic: Clinic, notes: Sequence[Note], seed: int) -> None:
        self._rng = Random(f"phitrail/questions/{clinic.seed}/{seed}")
        self._on_shift = {shift: clinic.on_shift(shift) for shift in Shift}
        self._guidelines = write_guidelines(clinic)
        self._notes_of: dict[str, list[Note]] = {}
        for note in notes:
            self._notes_of.setdefault(note.mrn, []).append(note)
        # Only a patient with a note can be asked about.
        with_notes = {p.mrn: p for p in clinic.patients if p.mrn in self._notes_of}
        self._everybody = tuple(with_notes.values())
        self._cared_for: dict[str, dict[str, Patient]] = {}
        for encounter in clinic.encounters:
            if encounter.mrn in with_notes:
                for member in encounter.care_team:
                    theirs = self._cared_for.setdefault(member.staff_id, {})
                    theirs[encounter.mrn] = with_notes[encounter.mrn]
        self._notes_with = Counter(
            word for note in (*notes, *self._guidelines) for word in _plain_words(note)
        )

    def plan(self, count: int) -> tuple[Ask, ...]:
        """Draw the hours, then a question for each in turn."""
        minutes = sorted(
            between(self._rng, 0, PERIOD_DAYS - 1) * 24 * 60
            + pick_weighted(self._rng, _ASKING_HOURS) * 60
            + between(self._rng, 0, 59)
            for _ in range(count)
        )
        return tuple(
            self._ask(number, minute) for number, minute in enumerate(minutes, start=1)
        )

    def _ask(self, number: int, minute: int) -> Ask:
        """Plan one question."""
        rng = self._rng
        asked_at = OPENING_DAY + timedelta(minutes=minute)
        shift = Shift.at(asked_at)
        staff = pick(rng, self._on_shift[shift])
        use_case = self._use_case_for(staff)
        ending = pick_weighted(rng, _ENDINGS)
        candidates = self._patients_for(staff, use_case, ending)
        if ending is Ending.DENIED and not candidates:
            ending = Ending.RELEASED  # nobody here may be refused: see rule 2
            candidates = self._patients_for(staff, use_case, ending)
        patient = _pick_by_activity(rng, candidates) if candidates else None
        source = self._source_for(patient, use_case)
        topic = self._topic_of(source)
        return Ask(
            number=number,
            staff=staff,
            use_case=use_case,
            purpose_of_use=_PURPOSE_OF[use_case],
            patient=patient,
            text=self._word(use_case, patient, source, topic),
            topic=topic,
            session_id=f"{staff.staff_id}-{asked_at:%Y%m%d}-{shift}",
            ending=ending,
        )

    def _use_case_for(self, staff: Staff) -> str:
        """Draw a use; who has no patients of their own asks for the guideline."""
        use_case = pick_weighted(self._rng, _USE_CASES_OF[staff.role])
        if use_case in _OF_CARE_TEAM and staff.staff_id not in self._cared_for:
            return "guideline_lookup"
        in_emergency = staff.department == "emergency" and use_case == "chart_qa"
        if in_emergency and chance(self._rng, 15):
            return "emergency_lookup"
        return use_case

    def _patients_for(
        self, staff: Staff, use_case: str, ending: Ending
    ) -> Sequence[Patient]:
        """List whom a question may be about; nobody when it is about no one patient."""
        if use_case in _OF_CARE_TEAM:
            theirs = self._cared_for[staff.staff_id]
            if ending is Ending.DENIED:
                return [p for p in self._everybody if p.mrn not in theirs]
            return tuple(theirs.values())
        if use_case in _OF_NO_ONE_PATIENT or ending is Ending.DENIED:
            return ()
        return self._everybody

    def _source_for(self, patient: Patient | None, use_case: str) -> Note:
        """Draw the note that a question is made from, of a kind that suits its use."""
        if use_case == "guideline_lookup":
            return pick(self._rng, self._guidelines)
        if patient is None:
            patient = _pick_by_activity(self._rng, self._everybody)
        theirs = self._notes_of[patient.mrn]
        suited = [note for note in theirs if note.kind in _KINDS_FOR.get(use_case, ())]
        return pick(self._rng, suited or theirs)

    def _topic_of(self, source: Note) -> str:
        """Draw one of the rarest plain words of a note; a name is never plain."""
        words = sorted(
            _plain_words(source), key=lambda word: (self._notes_with[word], word)
        )
        return pick(self._rng, words[:_RAREST]) if words else "findings"

    def _word(
        self, use_case: str, patient: Patient | None, source: Note, topic: str
    ) -> str:
        """Put a question into words; a third of them name the patient."""
        question = pick(self._rng, _WORDINGS[use_case]).format(
            kind=source.kind.value, topic=topic
        )
        if patient is None or not chance(self._rng, 33):
            return question
        named = f"{patient.given_name} {patient.family_name}"
        return pick(self._rng, _NAMINGS).format(
            name=named, mrn=patient.mrn, question=question
        )


def _plain_words(note: Note) -> set[str]:
    """Return the words of a note that a question may be about."""
    return set(_PLAIN_WORD.findall(note.body)).intersection(telling_words(note.body))


def _pick_by_activity(rng: Random, patients: Sequence[Patient]) -> Patient:
    """Draw a patient, the often-seen more often."""
    return pick_weighted(rng, [(patient, patient.activity) for patient in patients])


_RAREST = 6
_PLAIN_WORD = re.compile(r"(?<![\w'-])[a-z]{6,}(?![\w'-])")
_ASKING_HOURS = tuple(
    enumerate(
        (3, 2, 2, 2, 2, 3, 5, 9, 12, 12, 11, 10, 8, 9, 9, 8, 8, 7, 6, 6, 5, 5, 4, 4)
    )
)
_ENDINGS = (
    (Ending.RELEASED, 76),
    (Ending.STREAMED, 15),
    (Ending.ABANDONED, 1),
    (Ending.NOT_RELEASED, 2),
    (Ending.FAILED, 2),
    (Ending.DENIED, 4),
)
_BEDSIDE = (("chart_qa", 70), ("discharge_planning", 14), ("guideline_lookup", 6))
_RECONCILIATION = ("medication_reconciliation", 20)
_USE_CASES_OF = {
    "physician": (*_BEDSIDE, _RECONCILIATION),
    "resident": (*_BEDSIDE, _RECONCILIATION),
    "nurse": (*_BEDSIDE, _RECONCILIATION),
    "pharmacist": (("medication_reconciliation", 85), ("guideline_lookup", 15)),
    "radiologist": (("chart_qa", 95), ("guideline_lookup", 5)),
    "case_manager": (("discharge_planning", 100),),
    "coder": (("clinical_coding", 100),),
    "quality_analyst": (("quality_review", 90), ("guideline_lookup", 10)),
    "researcher": (("cohort_research", 100),),
}
_OF_CARE_TEAM = frozenset(
    {"chart_qa", "medication_reconciliation", "discharge_planning"}
)
_OF_NO_ONE_PATIENT = frozenset({"cohort_research", "guideline_lookup"})
_PURPOSE_OF = {
    "chart_qa": "treatment",
    "medication_reconciliation": "treatment",
    "discharge_planning": "treatment",
    "emergency_lookup": "emergency",
    "clinical_coding": "payment",
    "quality_review": "operations",
    "cohort_research": "research",
    "guideline_lookup": "no_patient",
}
_KINDS_FOR = {
    "medication_reconciliation": (NoteKind.MEDICATION, NoteKind.DISCHARGE),
    "discharge_planning": (NoteKind.DISCHARGE, NoteKind.CONSULT),
    "emergency_lookup": (NoteKind.ADMISSION, NoteKind.MEDICATION),
    "clinical_coding": (NoteKind.DISCHARGE, NoteKind.RADIOLOGY),
}
_WORDINGS = {
    "chart_qa": (
        "What did the last {kind} say about {topic}?",
        "What does the {kind} say about {topic}?",
        "Is there anything on {topic} in the chart?",
        "What was found concerning {topic}, and what was decided?",
    ),
    "medication_reconciliation": (
        "Which medication orders mention {topic}?",
        "What does the {kind} say about {topic}, and at what dose?",
        "Are there allergies on file, or remarks on {topic}?",
    ),
    "discharge_planning": (
        "What follow-up was arranged, in particular {topic}?",
        "What does the {kind} say about {topic} at home?",
    ),
    "emergency_lookup": (
        "Known allergies, and anything about {topic}?",
        "What was the last {kind}, in particular {topic}?",
    ),
    "clinical_coding": (
        "Which documentation supports coding {topic}?",
        "Where does the {kind} document {topic}?",
    ),
    "quality_review": (
        "Was {topic} documented in the {kind}?",
        "Does the {kind} record {topic} in time?",
    ),
    "cohort_research": (
        "Which charts mention {topic}?",
        "Find {kind} entries on {topic}.",
    ),
    "guideline_lookup": (
        "What does the house guideline say on {topic}?",
        "Is there a house guideline concerning {topic}?",
    ),
}
_NAMINGS = (
    "{question} The patient is {name}, {mrn}.",
    "This is about {name}: {question}",
    "{name} ({mrn}): {question}",
)
