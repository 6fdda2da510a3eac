"""The main job: the clinic's staff ask, the assistant answers, the trail records.

This is written as a user of phitrail would write it, on `phitrail.sdk`, in the
order that the product promises:
1. `access` names who asks, in what role, and why.
2. `retrieved` makes durable which records were opened, before their text goes on.
3. `infer` makes durable which model is asked, before it is.
4. `measure` says what is known of the model's work, in numbers.
5. `release` or `stream` lets the answer go, its closing durable first. Where the trail has a
   guard, `retrieved` has said who the patients are, so that the answer may name them; a short
   answer then comes in one piece, and a reader who meant to leave early has all of it.
Whoever is not on the care team gets no access at all; that is recorded as denied.

Several threads ask at once, so that they share commits. The counts of a run depend on
its plan alone (`phitrail.demo.questions`). What was said comes back in memory only,
for a test that searches the trail for it; nothing here prints or writes it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import islice

from phitrail.demo.assistant import (
    MODEL_ID,
    MODEL_VERSION,
    NO_ANSWER,
    RetrievalAssistant,
    split_deltas,
)
from phitrail.demo.charts import write_guidelines
from phitrail.demo.clinic import COMPONENTS, REASON_CODES, Clinic, Patient
from phitrail.demo.notes import Note, Progress
from phitrail.demo.questions import Ask, Ending, plan_questions
from phitrail.events.codes import Action, FinishReason, Outcome, PurposeOfUse
from phitrail.sdk import Access, AuditEvent, EventType, Protected, Receipt, Trail

_KEPT_RECEIPTS = 5
_DELTAS_BEFORE_ABANDONING = 3


class ModelUnavailableError(Exception):
    """The model did not answer: the clinic's own failure, which a plan asks for."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run did.

    Attributes:
        questions: how many were asked.
        endings: how many ended in each way.
        without_patient: how many were about no one patient.
        records: how many records were opened, counted each time.
        receipts: those of the first few accesses, in the order of the plan.
        said: every question and answer, also those that were not released.
    """

    questions: int
    endings: Mapping[Ending, int]
    without_patient: int
    records: int
    receipts: tuple[Receipt, ...]
    said: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Served:
    """What came of one question."""

    ask: Ask
    ending: Ending
    answer: str = field(default="", repr=False)
    records: int = 0
    receipt: Receipt | None = None


def run_clinic(
    trail: Trail,
    clinic: Clinic,
    notes: Sequence[Note],
    *,
    questions: int,
    progress: Progress | None = None,
    workers: int = 4,
    seed: int = 1,
) -> Run:
    """Let the staff of `clinic` ask `questions` questions over `notes`.

    Args:
        trail: where every access is recorded; stays open.
        clinic: who asks, and about whom.
        notes: what the assistant reads: from `write_notes` or `load_notes`.
        questions: how many to ask.
        progress: called after each question, from this thread.
        workers: how many ask at once.
        seed: draws another plan over the same clinic.

    Raises:
        StorageError: the trail could not take a record; nothing more was released.
    """
    plan = plan_questions(clinic, notes, questions, seed=seed)
    served: list[_Served] = []
    with (
        closing(RetrievalAssistant(notes)) as charts,
        closing(RetrievalAssistant(write_guidelines(clinic))) as guidelines,
        ThreadPoolExecutor(workers, thread_name_prefix="clinic") as pool,
    ):
        desk = _Desk(trail, charts, guidelines, clinic.patients)
        # The first error ends the loop, and `map` then cancels what has not begun.
        for done, one in enumerate(pool.map(desk.serve, plan), start=1):
            served.append(one)
            if progress is not None:
                progress(done, len(plan))
    return _sum_up(served)


class _Desk:
    """Serves one question at a time; several threads may stand at it."""

    def __init__(
        self,
        trail: Trail,
        charts: RetrievalAssistant,
        guidelines: RetrievalAssistant,
        patients: Sequence[Patient],
    ) -> None:
        self._trail = trail
        self._charts = charts
        self._guidelines = guidelines
        self._patients = {patient.mrn: patient for patient in patients}

    def serve(self, ask: Ask) -> _Served:
        """Carry out one planned question to its planned ending."""
        return self._deny(ask) if ask.ending is Ending.DENIED else self._answer(ask)

    def _answer(self, ask: Ask) -> _Served:
        """Retrieve, infer and release under one access."""
        assistant, found = self._retrieve(ask)
        records = [(n.mrn, n.note_id, n.resource_type) for n in found if n.mrn]
        receipt: Receipt | None = None
        answer, ending = "", ask.ending
        with (
            suppress(ModelUnavailableError),  # the access has closed as failed by then
            self._trail.access(
                user_id=ask.staff.staff_id,
                user_role=ask.staff.role,
                department=ask.staff.department,
                use_case=ask.use_case,
                purpose_of_use=ask.purpose_of_use,
                facility_id=ask.staff.facility,
                service_component=COMPONENTS[0],
                session_id=ask.session_id,
                request_id=ask.request_id,
            ) as access,
        ):
            if records:
                access.retrieved(
                    records, query=ask.text, identifiers=self._identifiers(found)
                )
            receipt = access.infer(model_id=MODEL_ID, model_version=MODEL_VERSION)
            if ask.ending is Ending.FAILED:
                raise ModelUnavailableError
            answer = assistant.answer(ask.text, found)
            access.measure(
                input_tokens=_tokens(ask.text, *(note.text for note in found)),
                output_tokens=_tokens(answer),
                document_ids=[note.note_id for note in found if not note.mrn],
                retrieved_count=len(found),
                citation_count=len(found) if answer != NO_ANSWER else 0,
                finish_reason=FinishReason.STOP,
                cache_hit=False,
                refused=answer == NO_ANSWER,
            )
            ending = _let_go(access, answer, ask.ending)
        return _Served(ask, ending, answer, len(records), receipt)

    def _identifiers(self, found: Sequence[Note]) -> list[dict[str, object]]:
        """Say who the patients of notes are, as a chart's header would."""
        people = (
            self._patients.get(mrn) for mrn in dict.fromkeys(n.mrn for n in found)
        )
        return [
            {
                "mrn": one.mrn,
                "given": one.given_name,
                "family": one.family_name,
                "birth_date": one.birth_date,
                "phone": one.phone,
                "dates": [n.written_at for n in found if n.mrn == one.mrn],
            }
            for one in people
            if one is not None
        ]

    def _retrieve(self, ask: Ask) -> tuple[RetrievalAssistant, list[Note]]:
        """Search the patient's chart, all charts for a cohort, or the guidelines."""
        if ask.purpose_of_use == PurposeOfUse.NO_PATIENT:
            return self._guidelines, self._guidelines.retrieve(ask.text)
        mrn = ask.patient.mrn if ask.patient is not None else None
        return self._charts, self._charts.retrieve(ask.text, patient=mrn)

    def _deny(self, ask: Ask) -> _Served:
        """Record that somebody outside the care team asked, and say nothing."""
        if ask.patient is None:
            raise ValueError("denied: a question about nobody has nobody to protect")
        self._trail.record(
            AuditEvent(
                event_type=EventType.PHI_ACCESS_DENIED,
                user_id=ask.staff.staff_id,
                user_role=ask.staff.role,
                department=ask.staff.department,
                records=(
                    (Protected(ask.patient.mrn), Protected(ask.patient.mrn), "Patient"),
                ),
                action=Action.DENY,
                outcome=Outcome.DENIED,
                reason_code=REASON_CODES[0],
                purpose_of_use=PurposeOfUse(ask.purpose_of_use),
                use_case=ask.use_case,
                facility_id=ask.staff.facility,
                service_component=COMPONENTS[0],
                session_id=ask.session_id,
                request_id=ask.request_id,
            )
        )
        return _Served(ask, ask.ending)


def _tokens(*texts: str) -> int:
    """Count words: what this assistant reads and writes has no other tokens."""
    return sum(len(text.split()) for text in texts)


def _let_go(access: Access, answer: str, ending: Ending) -> Ending:
    """Hand the answer out whole, in a stream, in part, or not at all; say which it was."""
    if ending is Ending.RELEASED:
        access.release(answer)
    elif ending is Ending.STREAMED:
        for _ in access.stream(split_deltas(answer)):
            pass  # a user's screen would show each delta here
    elif ending is Ending.ABANDONED:
        with closing(access.stream(split_deltas(answer))) as stream:
            seen = sum(1 for _ in islice(stream, _DELTAS_BEFORE_ABANDONING))
        if seen < _DELTAS_BEFORE_ABANDONING:
            return Ending.STREAMED
    return ending


def _sum_up(served: Sequence[_Served]) -> Run:
    """Count what was served; keep what was said."""
    receipts = (one.receipt for one in served if one.receipt is not None)
    said = (text for one in served for text in (one.ask.text, one.answer) if text)
    return Run(
        questions=len(served),
        endings=Counter(one.ending for one in served),
        without_patient=sum(one.ask.patient is None for one in served),
        records=sum(one.records for one in served),
        receipts=tuple(islice(receipts, _KEPT_RECEIPTS)),
        said=tuple(said),
    )
