"""A known subject keeps its one surrogate, under whichever versions rows stand."""

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import MEMORY
from tests.identity.rotations import (
    Process,
    Rotations,
    after_a_look,
    listed,
    move_all,
    rekey,
    rows,
)

from phitrail.errors import StorageError
from phitrail.identity import rekey as module
from phitrail.identity.map import create_identity_map
from phitrail.identity.rekey import Mover
from phitrail.identity.standing import hold_snapshot, only_listed
from phitrail.keys.names import IDENTITY_INDEX, IDENTITY_SEAL

ANNE, BERT = ("mrn", "M-1001"), ("mrn", "M-2002")
PROCESSES, SUBJECTS = 3, 5
STEPS = st.one_of(
    st.tuples(
        st.sampled_from(["resolve", "find", "remember"]),
        st.integers(0, PROCESSES - 1),
        st.integers(0, SUBJECTS - 1),
    ),
    st.tuples(
        st.sampled_from(["rotate-index", "rotate-seal", "page", "rekey", "read anew"]),
        st.integers(0, PROCESSES - 1),
        st.just(0),
    ),
)


@pytest.fixture
def path(memory_path: Path) -> Path:
    """Give the file of an empty map."""
    create_identity_map(memory_path / "identity.db")
    return memory_path / "identity.db"


@pytest.fixture
def rotations() -> Rotations:
    """Give the first version of both keys."""
    return Rotations()


@pytest.fixture
def early(path: Path, rotations: Rotations) -> Iterator[Process]:
    """Give a process that has the map open since before any rotation."""
    process = Process(path, rotations)
    yield process
    process.close()


class World:
    """What happened so far, and what must be so whatever happens next."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self.path = path
        self.rotations = Rotations()
        # The last one is the one that re-keys.
        self.processes = [Process(path, self.rotations) for _ in range(PROCESSES + 1)]
        for process in self.processes:
            stack.callback(process.close)
        self.mover = Mover(path, self.processes[-1].keys)
        stack.callback(self.mover.close)
        self.pages: Iterator[module.Page] = iter(())
        self.page: module.Page | None = None
        self.known: dict[int, str] = {}
        self.bears: set[int] = set()

    def step(self, what: str, who: int, whom: int) -> None:
        """Do one thing, and check what it answers."""
        process, subject = self.processes[who], ("mrn", f"M-{whom}")
        match what:
            case "resolve":
                surrogate = process.resolve(subject)
                assert self.known.setdefault(whom, surrogate) == surrogate
            case "find":
                assert process.identity.find(subject) == self.known.get(whom)
            case "remember":
                process.remember(subject, f"901-44-000{whom}")
                self.known.setdefault(whom, process.resolve(subject))
                self.bears.add(whom)
            case "rotate-index":
                self.rotations.rotate(IDENTITY_INDEX)
            case "rotate-seal":
                self.rotations.rotate(IDENTITY_SEAL)
            case "read anew":
                process.refresh()
            case "page":
                self.move_a_page()
            case _:
                self.pages, self.page = iter(()), None
                self.processes[-1].refresh()
                move_all(self.mover)

    def move_a_page(self) -> None:
        """Write the page that was read at the last such step, and read one more."""
        if self.page is not None:
            self.mover.write(self.page)
        self.page = next(self.pages, None)
        if self.page is None:
            self.processes[-1].refresh()
            self.pages = self.mover.sweep(self.mover.admit())

    def check(self) -> None:
        """Check that everybody finds everybody, once, and that nothing is damaged."""
        for process in self.processes:
            for whom, surrogate in self.known.items():
                assert process.identity.find(("mrn", f"M-{whom}")) == surrogate
                bears = process.bears(("mrn", f"M-{whom}"), f"901-44-000{whom}")
                assert bears == (whom in self.bears)
        assert len(rows(self.path)) == len(self.known)
        assert len(rows(self.path, "alias")) == len(self.bears)
        assert self.rotations.count_damaged(self.path) == 0


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(STEPS, max_size=25))
def test_one_surrogate_for_a_subject_whatever_is_rotated_and_moved(
    steps: list[tuple[str, int, int]],
) -> None:
    """A patient with two surrogates has accesses that no report on him shows."""
    with (
        tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name,
        pytest.MonkeyPatch.context() as patch,
        ExitStack() as stack,
    ):
        patch.setattr(module, "PAGE_ROWS", 2)
        path = Path(name) / "identity.db"
        create_identity_map(path)
        world = World(path, stack)
        for step in steps:
            world.step(*step)
        world.check()
        world.step("rekey", 0, 0)
        world.check()
        newest = {
            (key, len(world.rotations.secrets[f"identity-{key}"]))
            for key in ("index", "seal")
        }
        assert set(listed(path)) == newest


def test_a_process_with_old_keys_finds_who_was_moved(
    path: Path, rotations: Rotations, early: Process
) -> None:
    """It would make a second row under the version that it knows."""
    surrogate = early.resolve(ANNE)
    early.identity._cache.clear()
    rotations.rotate(IDENTITY_INDEX)
    rekey(path, rotations)

    assert early.identity.find(ANNE) == surrogate
    assert early.resolve(ANNE) == surrogate
    assert early.refreshed == 1
    assert [row[1] for row in rows(path)] == [2]


def test_a_process_with_old_keys_makes_no_row_under_them(
    path: Path, rotations: Rotations, early: Process
) -> None:
    """A row behind a re-key would keep the old key from being destroyed."""
    early.resolve(ANNE)
    rotations.rotate(IDENTITY_INDEX)
    rotations.rotate(IDENTITY_SEAL)
    rekey(path, rotations)
    early.resolve(BERT)
    early.remember(BERT, "901-44-0002")

    beginning = early.keys.seal.beginning(2)
    every = [*rows(path), *rows(path, "alias")]
    assert [row[1] for row in every] == [2, 2, 2]
    assert all(row[3].startswith(beginning) for row in every)


def test_two_processes_with_unlike_keys_meet_at_one_patient(
    path: Path, rotations: Rotations, early: Process
) -> None:
    """Their blind indexes differ, so no index of the file keeps the second row away."""
    rotations.rotate(IDENTITY_INDEX)
    made: list[str] = []
    steps: list[Callable[[], object]] = []
    late = Process(path, rotations, after_a_look(steps))
    steps.append(lambda: made.append(early.resolve(ANNE)))
    surrogate = late.resolve(ANNE)
    steps.append(lambda: early.remember(ANNE, "901-44-0001"))
    late.remember(ANNE, "901-44-0001")

    assert made == [surrogate]
    assert [row[1] for row in rows(path)] == [1]
    assert len(rows(path, "alias")) == 1
    late.close()


def test_a_row_of_a_version_that_is_not_here_refuses_and_goes_on_later(
    path: Path, rotations: Rotations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process whose keys were not put back yet would take known patients for new."""
    late, lost = Process(path, Rotations()), Process(path, rotations)
    lost.resolve(ANNE)
    rotations.rotate(IDENTITY_INDEX)
    lost.refresh()
    bert = lost.resolve(BERT)
    lost.close()
    for _ in range(2):
        with pytest.raises(StorageError, match="identity-index version 2 is not here"):
            late.identity.find(BERT)
        with pytest.raises(StorageError, match="identity-index version 2 is not here"):
            late.identity.resolve([("mrn", "M-3003")])
    monkeypatch.setattr(late, "_rotations", rotations)

    assert late.identity.find(BERT) == bert
    assert late.resolve(("mrn", "M-3003")) not in {bert, None}
    late.close()


def test_a_register_that_is_behind_the_map_makes_no_row(
    path: Path, rotations: Rotations
) -> None:
    """Keys that came back from an older copy must not index new patients."""
    rotations.rotate(IDENTITY_SEAL)
    process = Process(path, rotations)
    process.resolve(ANNE)
    process.close()
    older = Process(path, Rotations())

    with pytest.raises(StorageError, match="older than the rows that stand there"):
        older.resolve(BERT)
    older.close()


def test_a_map_from_before_the_list_is_given_one(
    path: Path, rotations: Rotations
) -> None:
    """Trails that exist would take all of their patients for new ones."""
    process = Process(path, rotations)
    anne = process.resolve(ANNE)
    process.remember(BERT, "901-44-0002")
    process.close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("DROP TABLE standing")
    assert rotations.count_damaged(path) == 0
    rotations.rotate(IDENTITY_INDEX)
    again = Process(path, rotations)

    assert listed(path) == [("index", 1)]
    assert again.identity.find(ANNE) == anne
    assert again.bears(BERT, "901-44-0002")
    again.close()


def test_a_version_that_was_destroyed_is_not_asked_for(
    path: Path, rotations: Rotations, early: Process
) -> None:
    """Whoever had the map open would find nobody until somebody starts him anew."""
    surrogate = early.resolve(ANNE)
    early.remember(ANNE, "901-44-0001")
    rotations.rotate(IDENTITY_INDEX)
    rekey(path, rotations)
    rotations.destroy(IDENTITY_INDEX, 1)
    rotations.rotate(IDENTITY_INDEX)
    early.refresh()
    early.identity._cache.clear()

    assert early.identity.find(ANNE) == surrogate
    assert early.resolve(ANNE) == surrogate
    assert early.bears(ANNE, "901-44-0001")


def test_a_row_of_a_version_that_is_not_listed_is_damage(
    path: Path, rotations: Rotations, early: Process
) -> None:
    """Nobody finds it: the patient would get a second surrogate, and no one would see."""
    early.resolve(ANNE)
    early.remember(ANNE, "901-44-0001")
    with closing(sqlite3.connect(path)) as database:
        database.execute("DELETE FROM standing")
        database.commit()

    assert rotations.count_damaged(path) == 2


def test_six_years_of_versions_are_looked_through(
    path: Path, rotations: Rotations, early: Process
) -> None:
    """A patient of six years ago is no new patient."""
    surrogates = {}
    for year in range(6):
        subject = ("mrn", f"M-{year}")
        surrogates[subject] = early.resolve(subject)
        early.remember(subject, f"901-44-000{year}")
        rotations.rotate(IDENTITY_INDEX)
        early.refresh()
    late = Process(path, rotations)

    assert [row[1] for row in sorted(rows(path), key=lambda row: row[1])] == [
        *range(1, 7)
    ]
    assert {one: late.identity.find(one) for one in surrogates} == surrogates
    for year in range(6):
        assert late.bears(("mrn", f"M-{year}"), f"901-44-000{year}")
    late.close()


def test_a_snapshot_does_not_see_what_comes_later(
    path: Path, rotations: Rotations, early: Process
) -> None:
    """A verification would meet rows under a key that it did not read."""
    early.resolve(ANNE)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        hold_snapshot(database)
        rotations.rotate(IDENTITY_INDEX)
        rekey(path, rotations)

        versions = database.execute("SELECT index_version FROM subject").fetchall()
    assert versions == [(1,)]


@pytest.mark.parametrize("question", [hold_snapshot, only_listed])
def test_what_is_no_map_is_a_storage_error(question: object, tmp_path: Path) -> None:
    """The operator is told what to do; the library's own error would say nothing."""
    (tmp_path / "identity.db").write_bytes(b"no database" * 1000)
    with closing(sqlite3.connect(tmp_path / "identity.db")) as database:
        arguments = [database] if question is hold_snapshot else [database, None]
        with pytest.raises(StorageError, match="SQLITE_NOTADB"):
            question(*arguments)  # type: ignore[operator]
