"""The main job leaves the planned records, in order, and none of what was said."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from phitrail.app import clock
from phitrail.app.founding import found_trail
from phitrail.app.wiring import open_trail
from phitrail.demo.charts import write_notes
from phitrail.demo.clinic import VOCABULARY, Clinic, make_clinic
from phitrail.demo.notes import Note
from phitrail.demo.questions import Ask, Ending, plan_questions
from phitrail.demo.run import Run, run_clinic
from phitrail.errors import StorageError
from phitrail.events.codes import Log
from phitrail.sdk import Trail, connect

QUESTIONS = 400
OUTCOME_OF = {
    Ending.RELEASED: "released",
    Ending.STREAMED: "released",
    Ending.ABANDONED: "partly_released",
    Ending.NOT_RELEASED: "not_released",
    Ending.FAILED: "failed",
}


@dataclass(frozen=True, slots=True)
class Job:
    """A finished run and what it left."""

    directory: Path
    clinic: Clinic
    notes: tuple[Note, ...]
    plan: tuple[Ask, ...]
    run: Run
    progress: list[tuple[int, int]]
    leaves: list[bytes]

    def events(self) -> list[dict[str, object]]:
        """Decode what stands in the audit log after its genesis."""
        return [msgspec.json.decode(leaf) for leaf in self.leaves[1:]]


def _found(directory: Path) -> Trail:
    found_trail(directory, "riverside", clock.now(), vocabulary=VOCABULARY)
    return connect(directory)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """Run the job once, over a small clinic."""
    directory = tmp_path_factory.mktemp("run") / "trail"
    clinic = make_clinic(patients=60)
    notes = write_notes(clinic)
    progress: list[tuple[int, int]] = []
    with _found(directory) as trail:
        run = run_clinic(
            trail,
            clinic,
            notes,
            questions=QUESTIONS,
            progress=lambda done, total: progress.append((done, total)),
        )
    with (
        closing(open_trail(directory)) as parts,
        closing(parts.reader(Log.AUDIT)) as reader,
    ):
        leaves = list(reader.entries(0, reader.size()))
    plan = plan_questions(clinic, notes, QUESTIONS)
    return Job(directory, clinic, notes, plan, run, progress, leaves)


def test_the_counts_are_those_of_the_plan(job: Job) -> None:
    """Threads may finish in any order; what a run reports may not depend on it."""
    assert job.run.questions == QUESTIONS
    assert job.run.endings == Counter(ask.ending for ask in job.plan)
    assert job.run.without_patient == sum(a.patient is None for a in job.plan)
    assert job.progress == [(n, QUESTIONS) for n in range(1, QUESTIONS + 1)]


def test_every_request_closes_once_as_planned(job: Job) -> None:
    """One question, one access, one closing; a denial is recorded and opens nothing."""
    types = defaultdict(list)
    outcomes = {}
    for event in job.events():
        types[event["request_id"]].append(event["event_type"])
        outcomes[event["request_id"]] = event.get("outcome")
    for ask in job.plan:
        left = types[ask.request_id]
        if ask.ending is Ending.DENIED:
            assert left == ["phi_access_denied"]
            continue
        assert left[-1] == "access_closed"
        assert left[:-1] in (
            ["phi_read", "ai_inference_with_phi"],
            ["ai_inference"],
        )
        assert outcomes[ask.request_id] == OUTCOME_OF[ask.ending]


def test_every_answer_leaves_what_was_measured_of_it(job: Job) -> None:
    """The demo shows how an application fills an entry; an empty one teaches nothing."""
    with (
        closing(open_trail(job.directory)) as parts,
        closing(parts.reader(Log.QUALITY)) as reader,
    ):
        leaves = [*reader.entries(1, reader.size())]
    entries = [msgspec.json.decode(leaf) for leaf in leaves]
    answered = [one for one in entries if one["finish_reason"] == "stop"]
    asked = [ask for ask in job.plan if ask.ending is not Ending.DENIED]
    streamed = [ask for ask in asked if ask.ending is Ending.STREAMED]

    assert len(entries) == len(asked)
    for one in answered:
        assert {"input_tokens", "output_tokens", "retrieved_count"} <= one.keys()
        assert one["retrieved_count"] >= len(one.get("retrieved_document_hashes", ()))
    timed = [one for one in entries if "time_to_first_token_us" in one]
    assert len(timed) >= len(streamed) > 0


def test_records_are_counted_as_they_stand_in_the_log(job: Job) -> None:
    """The count that the demo prints must be the count an auditor finds."""
    named = [
        len(event["records"])  # type: ignore[arg-type] # decoded JSON
        for event in job.events()
        if event["event_type"] == "phi_read"
    ]

    assert sum(named) == job.run.records
    assert max(named) <= 3


def test_a_question_about_nobody_names_no_record(job: Job) -> None:
    """`no_patient` beside a record would be a contradiction in the log."""
    asked = [e for e in job.events() if e.get("purpose_of_use") == "no_patient"]

    assert asked
    assert not [event for event in asked if "records" in event]


def test_receipts_point_to_their_entries(job: Job) -> None:
    """The demo shows an event by its receipt; it must be that event."""
    assert len(job.run.receipts) == 5
    for receipt in job.run.receipts:
        leaf = job.leaves[receipt.positions[0].index]

        assert receipt.event_id.encode() in leaf
        assert b"ai_inference" in leaf


def _sentences(texts: Iterator[str]) -> set[str]:
    """Cut texts where sentences and lines end; keep what is 20 characters or more."""
    pieces = (piece.strip() for t in texts for piece in re.split(r"(?<=[.!?])\s|\n", t))
    return {piece for piece in pieces if len(piece) >= 20}


def test_nothing_that_was_said_is_in_the_trail(job: Job) -> None:
    """No note, question or answer, whole or by the sentence, reaches entry or file."""
    said = _sentences(iter([*job.run.said, *(note.text for note in job.notes)]))
    names = {p.family_name for p in job.clinic.patients}
    mrns = {p.mrn for p in job.clinic.patients}
    files = [path.read_bytes() for path in job.directory.rglob("*") if path.is_file()]
    trail = b"\n".join([*job.leaves, *files])
    planted = job.plan[0].session_id

    assert len(said) > QUESTIONS
    assert planted.encode() in trail
    assert [s for s in said | names | mrns if s.encode() in trail] == []


def test_what_was_said_stays_out_of_repr(job: Job) -> None:
    """A run is logged and printed; what was said in it is not."""
    assert job.run.said[0] not in repr(job.run)


def test_a_trail_that_takes_nothing_stops_the_run(tmp_path: Path) -> None:
    """If the log cannot take the record, nothing is answered any more."""
    clinic = make_clinic(patients=5)
    trail = _found(tmp_path / "trail")
    trail.close()
    asked: list[int] = []
    with pytest.raises(StorageError):
        run_clinic(
            trail,
            clinic,
            write_notes(clinic),
            questions=50,
            progress=lambda done, _: asked.append(done),
        )

    assert asked == []
