"""A re-key of the identity map fails or is killed anywhere: every patient is who he was.

The next run goes on with what is left, and the log tells one beginning and one end.
"""

import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest
from tests.faults.processes import ROOT
from tests.faults.rekey_worker import KNOWN
from tests.faults.steps import Fault, FaultyFiles, Kind, faulty_connect
from tests.trails import NOW, copy_trail, found, publish_once, read_leaves

from phitrail.app.documents import open_document
from phitrail.app.key_rekey import REKEY, rekey_identity, rows_to_rekey
from phitrail.app.key_rotation import rotate_key
from phitrail.app.verification import verify_trail
from phitrail.app.wiring import IDENTITY, Trail, open_trail
from phitrail.errors import StorageError
from phitrail.events.codes import EventType
from phitrail.identity import rekey as pages
from phitrail.keys.names import IDENTITY_INDEX, IDENTITY_SEAL

MANY = 200
PATIENTS = 4
LONG_PATIENTS = 200_000
KILLS = (30, 2_400, 40_017, 70_003)


def make_patients(directory: Path, patients: int) -> dict[int, str]:
    """Make so many patients in a trail, and rotate both keys; give their surrogates."""
    trail = open_trail(directory)
    known: dict[int, str] = {}
    try:
        for first in range(0, patients, 1000):
            numbers = range(first, min(first + 1000, patients))
            surrogates = trail.identity.resolve([("mrn", f"M-{n}") for n in numbers])
            known |= zip(numbers, surrogates, strict=True)
        for name in (IDENTITY_INDEX, IDENTITY_SEAL):
            rotate_key(trail, name, by="officer-1", reason="yearly", now=NOW)
    finally:
        trail.close()
    return known


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, str]]:
    """Give a trail with a few patients under keys that were rotated; copy it."""
    directory = found(tmp_path_factory.mktemp("whole") / "trail")
    return directory, make_patients(directory, PATIENTS)


def phases(trail: Trail) -> list[str]:
    """List the beginnings and ends of re-keys that the log tells."""
    found = []
    for leaf in read_leaves(trail):
        event = msgspec.to_builtins(leaf)
        if event.get("event_type") == EventType.KEY_ROTATED.value:
            text = open_document(trail, event["object_digest"])
            found.append(msgspec.json.decode(text or b"{}").get("phase", ""))
    return [phase for phase in found if phase]


def find_all(trail: Trail, known: Iterable[int]) -> dict[int, str | None]:
    """Ask for every patient, past the cache."""
    return {number: trail.identity.find(("mrn", f"M-{number}")) for number in known}


def check_done(trail: Trail, known: dict[int, str]) -> None:
    """Check a trail whose re-key came to its end."""
    assert rows_to_rekey(trail) == 0
    assert phases(trail) == ["started", "ended"]
    assert not (trail.directory / REKEY).exists()
    assert find_all(trail, known) == known


def check_verifies(directory: Path) -> None:
    """Publish, and verify every row."""
    publish_once(directory)
    assert verify_trail(directory, deep=True).findings == ()


def fail(trail: Trail, fault: Fault, what: str) -> bool:
    """Re-key over a fault; say whether that failed."""
    try:
        rekey_identity(
            trail,
            by="officer-1",
            now=NOW,
            files=FaultyFiles(trail.directory, fault) if what == "files" else None,
            connect=faulty_connect(fault) if what == "map" else sqlite3.connect,
        )
    except StorageError:
        return True
    return False


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("what", ["files", "map"])
def test_a_fault_at_any_step_leaves_before_or_after(
    whole: tuple[Path, dict[int, str]],
    memory_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: Kind,
    what: str,
) -> None:
    """A patient whose row was lost on the way can never be told what was read of him."""
    monkeypatch.setattr(pages, "PAGE_ROWS", 3)
    failed = set()
    for at in range(MANY):
        directory = copy_trail(whole[0], memory_path / str(at))
        fault = Fault(kind, at)
        with closing(open_trail(directory)) as trail:
            failed.add(fail(trail, fault, what))
            if not fault.was_reached:
                break
            assert find_all(trail, whole[1]) == whole[1]
            rekey_identity(trail, by="officer-1", now=NOW)
            check_done(trail, whole[1])
        if at % 8 == 0:  # a third of the time goes into it
            check_verifies(directory)
    else:
        raise AssertionError("more steps than were looked at")

    assert failed == {True, False}


def run_worker(directory: Path, at: int, page: int) -> tuple[int, str]:
    """Re-key in another process, which may die; give its exit status and what it said."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.faults.rekey_worker",
            "rekey",
            *(str(directory), str(at), str(page)),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.drill
def test_kill_9_within_a_transaction_loses_nobody(
    whole: tuple[Path, dict[int, str]], tmp_path: Path
) -> None:
    """The power goes while a page of patients is half written."""
    directory = copy_trail(whole[0], tmp_path / "trail")
    within = []
    for at in (16, 24):
        assert run_worker(directory, at, 2) == (-9, "")
        with closing(open_trail(directory)) as trail:
            within.append(rows_to_rekey(trail))
            assert find_all(trail, whole[1]) == whole[1]
    status, said = run_worker(directory, -1, 2)

    assert (status, said.split()[1]) == (0, "0")
    assert len(set(within)) > 1, "the kills must lie on both sides of a commit"
    with closing(open_trail(directory)) as trail:
        check_done(trail, whole[1])
    check_verifies(directory)


class Asking:
    """Somebody who asks for patients in a process of his own."""

    def __init__(self, directory: Path, first: int, said: Path) -> None:
        self._said = said
        with said.open("wb") as out:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.faults.rekey_worker",
                    "resolve",
                    *(str(directory), str(first)),
                ],
                stdin=subprocess.PIPE,
                stdout=out,
                cwd=ROOT,
            )

    def stop(self) -> list[tuple[int, str]]:
        """Let him finish, and read what he was told."""
        self._process.communicate()
        assert self._process.returncode == 0
        lines = self._said.read_text(encoding="ascii").splitlines()[1:]
        return [(int(line.split()[0]), line.split()[1]) for line in lines]


@contextmanager
def asking(directory: Path, firsts: tuple[int, ...]) -> Iterator[list[Asking]]:
    """Start several who ask; whatever happens, they do not outlive the block."""
    started: list[Asking] = []
    try:
        for first in firsts:
            said = directory.with_name(f"said-{first}")
            started.append(Asking(directory, first, said))
        yield started
    finally:
        for one in started:
            if one._process.poll() is None:
                one._process.kill()
                one._process.communicate()


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not os.environ.get("PHITRAIL_LONG"), reason="set PHITRAIL_LONG=1")
def test_200_000_patients_are_moved_over_kills_beside_writers(trail_dir: Path) -> None:
    """The whole of a hospital, while it goes on working: none wrong."""
    known = make_patients(trail_dir, LONG_PATIENTS)
    with asking(trail_dir, (1_000_000, 2_000_000)) as others:
        for at in KILLS:
            assert run_worker(trail_dir, at, 1000)[0] == -9
        status, said = run_worker(trail_dir, -1, 1000)
        answers = [answer for one in others for answer in one.stop()]

    assert (status, said.split()[1]) == (0, "0")
    told: dict[int, set[str]] = {}
    for number, surrogate in answers:
        told.setdefault(number, set()).add(surrogate)
    many = Counter(map(len, told.values()))
    assert many == {1: len(told)}, "a patient with two surrogates"
    assert all(known[n] in told[n] for n in range(KNOWN) if n in told)
    with closing(sqlite3.connect(trail_dir / IDENTITY)) as database:
        (count,) = database.execute("SELECT count(*) FROM subject").fetchone()
    fresh = {number for number in told if number >= LONG_PATIENTS}
    assert count == len(known) + len(fresh)
    with closing(open_trail(trail_dir)) as trail:
        check_done(trail, known | {n: min(told[n]) for n in fresh})
    check_verifies(trail_dir)
