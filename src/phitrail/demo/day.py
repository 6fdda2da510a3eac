"""One day of the clinic, from an empty directory to a closed trail.

Where asked, the days before it are recorded first: a rollout of a new version of the model
(`demo.rollout_history`). The trail is then as old as they are.

Half way through, the newest checkpoints are carried out of the house, as an officer would
do: a whole rewrite of the history can then be told from the true one. At its end somebody
tries to steer the model, so that the rules have something to find.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from phitrail.app.config import GuardSection
from phitrail.app.founding import found_trail
from phitrail.demo.charts import write_notes
from phitrail.demo.clinic import VOCABULARY, make_clinic
from phitrail.demo.notes import Progress, load_notes
from phitrail.demo.rollout_history import RolloutHistory, begin_of, record_history
from phitrail.demo.rollout_plan import Plan
from phitrail.demo.run import Run, run_clinic
from phitrail.errors import StorageError
from phitrail.events.codes import EventType, Log, Outcome
from phitrail.sdk import SecurityEvent, Trail, connect
from phitrail.tlog.layout import public_checkpoint

TENANT = "clinic.example"
ATTEMPTS = 12
INTRUDER, INTRUDER_ADDRESS = "temp-0099", "198.51.100.7"
"""Nobody of the staff, from an address that no house has (RFC 5737)."""

Stage: TypeAlias = Callable[[str], AbstractContextManager[Progress]]
"""Begins a stage of the work under a name; gives what to tell its progress to."""


@dataclass(frozen=True, slots=True)
class Day:
    """What a day left; `outside` are the checkpoints that were carried out, by log."""

    run: Run
    notes: int
    outside: Mapping[str, bytes]
    rollout: RolloutHistory | None


def run_day(
    directory: Path,
    *,
    now: datetime,
    questions: int,
    notes_file: Path | None,
    seed: int,
    stage: Stage,
    rollout: Plan | None = None,
) -> Day:
    """Found a trail, let the clinic work over its notes, and close the trail.

    Args:
        directory: where; must be new or empty.
        now: the time of the day.
        questions: how many the staff ask.
        notes_file: what the assistant reads; made up when absent.
        seed: draws another clinic.
        stage: begins a stage of the work.
        rollout: the days of requests before it, if any.

    Raises:
        ConfigError: the directory holds something already.
        InputError: the file of notes does not fit its rule.
        StorageError: the trail could not take a record.
    """
    clinic = make_clinic(seed)
    with stage("notes") as progress:
        notes = (
            write_notes(clinic, progress)
            if notes_file is None
            else load_notes(notes_file, clinic, progress)
        )
    began = now if rollout is None else begin_of(now, rollout)
    found_trail(directory, TENANT, began, vocabulary=VOCABULARY, guard=GuardSection())
    history = None
    if rollout is not None:
        with stage("requests of the days before") as progress:
            history = record_history(
                directory, now=now, plan=rollout, seed=seed, progress=progress
            )
    outside: dict[str, bytes] = {}
    # A made-up day leaves no memory behind in its user's own directories.
    opened = closing(connect(directory, receipts=None))
    with opened as trail, stage("questions") as progress:

        def tell(done: int, total: int) -> None:
            progress(done, total)
            if done == (total + 1) // 2:
                outside.update(carry_out(trail, directory))

        run = run_clinic(
            trail, clinic, notes, questions=questions, seed=seed, progress=tell
        )
        attack(trail)
    return Day(run, len(notes), outside, history)


def attack(trail: Trail) -> None:
    """Let somebody try again and again to steer the model, as its gateway would record it.

    Raises:
        StorageError: the trail could not take a record.
    """
    for _ in range(ATTEMPTS):
        trail.record(
            SecurityEvent(
                event_type=EventType.AI_INJECTION_ATTEMPT,
                user_id=INTRUDER,
                source_ip=INTRUDER_ADDRESS,
                outcome=Outcome.DENIED,
            )
        )


def carry_out(trail: Trail, directory: Path) -> dict[str, bytes]:
    """Publish, and copy the newest checkpoint of each log.

    Raises:
        StorageError: a checkpoint cannot be read.
    """
    trail.publish()
    try:
        return {
            log.value: (directory / public_checkpoint(log)).read_bytes() for log in Log
        }
    except OSError as error:
        raise StorageError(f"cannot read a checkpoint: {error.strerror}") from error
