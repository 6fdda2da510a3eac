"""Every write, sync, rename and removal of a publisher fails once: the history stays one.

The publisher is driven as the pipeline does it: after a `StorageError` it tries again,
after an `OutcomeUnknownError` it starts from the disk. A refusal to sign fails the test.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.faults.steps import Fault, FaultyFiles, Kind, faulty_connect
from tests.trails import NOW, check_whole, copy_trail, plain_event

from phitrail.app.pins import JOURNAL
from phitrail.app.verification import verify_trail
from phitrail.app.wiring import OUTSIDE, Trail, open_trail
from phitrail.durable.files import DurableFiles
from phitrail.errors import OutcomeUnknownError, StorageError
from phitrail.tlog.journal import Journal
from phitrail.tlog.publisher import Publisher

BATCHES = (300, 10, 250, 4, 1)
CHECKPOINT = "public/audit/checkpoint"


class Driven:
    """A publisher driven over faults; keeps every checkpoint that a reader could see."""

    def __init__(self, trail: Trail, fault: Fault, *, is_journal_faulty: bool) -> None:
        self._trail = trail
        self._fault = fault
        self._is_journal_faulty = is_journal_faulty
        self._publisher: Publisher | None = None
        self.seen: dict[int, set[bytes]] = {}

    def _open(self) -> Publisher:
        place = self._trail.directory / JOURNAL
        if self._is_journal_faulty:
            journal = Journal.open(place, connect=faulty_connect(self._fault))
            files = DurableFiles(self._trail.directory)
        else:
            journal = Journal.open(place)
            files = FaultyFiles(self._trail.directory, self._fault)
        keys = self._trail.log_keys
        return Publisher(journal, files, keys, self._trail.directory / OUTSIDE)

    def publish(self) -> None:
        """Run rounds until one ends well."""
        for _ in range(3):
            try:
                self._publisher = self._publisher or self._open()
                self._publisher.publish()
            except OutcomeUnknownError:
                self.close()
            except StorageError:
                pass
            else:
                break
            finally:
                self._look()
        else:
            raise AssertionError("one fault must not stop a publisher for good")

    def _look(self) -> None:
        note = (self._trail.directory / CHECKPOINT).read_bytes()
        self.seen.setdefault(int(note.split(b"\n")[1]), set()).add(note)

    def close(self) -> None:
        """Close the publisher, as at a stop."""
        if self._publisher is not None:
            self._publisher.close()
        self._publisher = None


@contextmanager
def opened(directory: Path) -> Iterator[Trail]:
    """Open a trail and close it."""
    trail = open_trail(directory)
    try:
        yield trail
    finally:
        trail.close()


def run_once(directory: Path, fault: Fault, *, is_journal_faulty: bool) -> Driven:
    """Append and publish in turns, with one fault."""
    with opened(directory) as trail:
        driven = Driven(trail, fault, is_journal_faulty=is_journal_faulty)
        at = 0
        for count in BATCHES:
            trail.recorder.record_many(
                [plain_event(n) for n in range(at, at + count)], NOW
            )
            at += count
            driven.publish()
        driven.close()
    return driven


@pytest.mark.long
@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize(
    "is_journal_faulty",
    [
        pytest.param(False, id="files"),
        pytest.param(True, id="journal"),
    ],
)
def test_every_step_of_publishing_may_fail(
    founded: Path, memory_path: Path, kind: Kind, is_journal_faulty: bool
) -> None:
    """A fork, a lost entry or a publisher that stops for good cannot be repaired."""
    total = 1 + sum(BATCHES)
    directory = founded
    for at in range(10_000):
        directory = copy_trail(founded, memory_path / f"{kind}-{at}")
        fault = Fault(kind, at)
        driven = run_once(directory, fault, is_journal_faulty=is_journal_faulty)
        if not fault.was_reached:
            break
        whole = check_whole(directory)

        assert len(whole.leaves["audit"]) == total
        assert whole.checkpoints["audit"][-1] == total
        assert {1} == {len(notes) for notes in driven.seen.values()}
        assert set(driven.seen) <= set(whole.checkpoints["audit"])
        assert max(driven.seen) == total, "readers were left with an old checkpoint"
        assert list(directory.rglob("*.tmp")) == []
    assert at > 20
    assert verify_trail(directory, deep=True).findings == ()
