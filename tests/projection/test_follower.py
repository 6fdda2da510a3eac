"""Tables and log never disagree: after appends, kills at every step, joins, rebuilds."""

import contextlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.projection.leaves import START, ListedEntries, make_leaves
from tests.projection.stores import (
    make_folder,
    make_store,
    open_tables,
    rows_of_scan,
    rows_of_tables,
    touched_of_scan,
    touched_of_tables,
)

from phitrail.durable.files import DurableFiles
from phitrail.errors import IntegrityError, PhitrailError
from phitrail.events.codes import Log
from phitrail.projection import follower as follower_module
from phitrail.projection.follower import (
    Follower,
    build_segment,
    ranges,
    replace_all,
)
from phitrail.projection.segments import SegmentStore

LEAVES = make_leaves(Log.AUDIT, 400)
FOLDER = make_folder()


def check_equal(directory: Path, store: SegmentStore, entries: ListedEntries) -> None:
    """Compare every row of the tables with a plain scan of the log."""
    leaves = entries.leaves[: entries.visible]
    tables = open_tables(directory, store, entries)
    try:
        assert rows_of_scan(store.log, leaves) == rows_of_tables(tables, store.log)
        assert touched_of_scan(leaves) == touched_of_tables(tables)
    finally:
        tables.close()


class Killed(BaseException):
    """The process dies here."""


class DyingFiles(DurableFiles):
    """Files whose N-th step kills the process, before or after it took effect."""

    def __init__(self, root: Path, step: int, *, after: bool) -> None:
        super().__init__(root)
        self.left = step
        self.after = after

    def _step(self, take: Callable[[], None]) -> None:
        self.left -= 1
        if self.left == 0 and not self.after:
            raise Killed
        take()
        if self.left == 0:
            raise Killed

    def write(self, path: str, data: bytes) -> None:
        """Write, or die."""
        self._step(lambda: super(DyingFiles, self).write(path, data))

    def sync(self, places: list[Path]) -> None:
        """Sync, or die."""
        self._step(lambda: super(DyingFiles, self).sync(places))

    def rename(self, source: str, target: str) -> None:
        """Rename, or die."""
        self._step(lambda: super(DyingFiles, self).rename(source, target))

    def remove(self, path: str) -> None:
        """Remove, or die."""
        self._step(lambda: super(DyingFiles, self).remove(path))


def follow(
    directory: Path, entries: ListedEntries, files: DurableFiles | None = None
) -> Follower:
    """Make a follower that closes after 20 rows and joins up to 400."""
    store = make_store(directory, files=files)
    return Follower(entries, FOLDER, store, close_rows=20, joined_rows=400)


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Join four segments instead of eight, and cut a backlog at 20 rows."""
    monkeypatch.setattr(follower_module, "JOIN_COUNT", 4)
    monkeypatch.setattr(follower_module, "REBUILT_ROWS", 20)


@pytest.mark.long
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 60), st.integers(0, 9), st.booleans(), st.booleans()),
        min_size=1,
        max_size=6,
    )
)
def test_tables_equal_a_scan_after_appends_and_kills(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[int, int, bool, bool]],
) -> None:
    """Whatever was appended, whenever the follower died: the answers are the log's."""
    directory = tmp_path_factory.mktemp("trail")
    entries = ListedEntries(LEAVES, 0)
    for more, dies_at, after, close in steps:
        entries.visible = min(entries.visible + more, len(LEAVES))
        files = DyingFiles(directory, dies_at, after=after)
        with contextlib.suppress(Killed):
            follow(directory, entries, files).advance(START, close=close)
        check_equal(directory, make_store(directory), entries)
    follow(directory, entries).advance(START, close=True)
    check_equal(directory, make_store(directory), entries)


@pytest.mark.parametrize("after", [False, True])
def test_a_kill_at_each_step_of_closing_and_joining_is_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    """Every single step of a joining round, dying before it and after it."""
    monkeypatch.setattr(follower_module, "JOIN_COUNT", 2)
    entries = ListedEntries(LEAVES, 50)
    for step in range(1, 100):
        directory = tmp_path / f"{step}"
        directory.mkdir()
        files = DyingFiles(directory, step, after=after)
        try:
            follow(directory, entries, files).advance(START)
        except Killed:
            manifest = follow(directory, entries).advance(START)
            assert [(s.first, s.end) for s in manifest.segments] == [(0, 40)]
            names = {f.name for s in manifest.segments for f in s.files} | {"manifest"}
            follow(directory, entries).advance(START)
            place = make_store(directory).directory
            assert names == {path.name for path in place.iterdir()}
        else:
            break
    else:
        pytest.fail("the follower never got through")
    check_equal(directory, make_store(directory), entries)


@pytest.mark.parametrize("log", list(Log))
def test_every_log_can_be_followed(tmp_path: Path, log: Log) -> None:
    """Each log has other columns; all go through the same files."""
    leaves = make_leaves(log, 90)
    entries = ListedEntries(leaves, 85)
    store = make_store(tmp_path, log)
    Follower(entries, make_folder(log), store, close_rows=20).advance(START)
    entries.visible = 90

    tables = open_tables(tmp_path, store, entries)

    assert rows_of_scan(log, leaves) == rows_of_tables(tables, log)
    tables.close()


def test_the_tail_is_closed_after_an_hour(tmp_path: Path) -> None:
    """A quiet trail's tail must not be folded again at every question for ever."""
    entries = ListedEntries(LEAVES, 5)
    follower = follow(tmp_path, entries)

    assert follower.advance(START).size == 0
    assert follower.advance(START + timedelta(minutes=59)).size == 0
    assert follower.advance(START + timedelta(minutes=60)).size == 5


def test_rebuilding_makes_the_same_tables_from_the_log_alone(tmp_path: Path) -> None:
    """If tables hold anything that the log does not, deleting them would lose it."""
    entries = ListedEntries(LEAVES, 100)
    follow(tmp_path, entries).advance(START)
    store = make_store(tmp_path)

    replace_all(
        store,
        (build_segment(entries, FOLDER, store, *place) for place in ranges(100, 30)),
    )

    assert [s.first for s in store.load().segments] == [0, 30, 60, 90]
    assert len(list(store.directory.iterdir())) == 9
    check_equal(tmp_path, store, entries)


def test_a_changed_byte_is_noticed_and_never_joined(tmp_path: Path) -> None:
    """A changed file that is joined would turn into tables with a good SHA-256."""
    entries = ListedEntries(LEAVES, 60)
    manifest = follow(tmp_path, entries).advance(START)
    store = make_store(tmp_path)
    place = store.place(manifest.segments[0].records[0].name)
    data = bytearray(place.read_bytes())
    data[len(data) // 2] ^= 1
    place.write_bytes(bytes(data))

    with pytest.raises(IntegrityError, match="log rebuild"):
        store.check_segment(manifest.segments[0])
    entries.visible = 80
    with pytest.raises(IntegrityError, match="log rebuild"):
        follow(tmp_path, entries).advance(START)


def test_a_missing_file_stops_the_follower(tmp_path: Path) -> None:
    """Tables that lack a segment would answer with fewer rows and say nothing."""
    entries = ListedEntries(LEAVES, 20)
    manifest = follow(tmp_path, entries).advance(START)
    make_store(tmp_path).place(manifest.segments[0].events[0].name).unlink()

    with pytest.raises(IntegrityError):
        follow(tmp_path, entries).advance(START)


def test_a_manifest_that_was_touched_does_not_count(tmp_path: Path) -> None:
    """Who cannot seal with the log's key cannot make tables that count."""
    follow(tmp_path, ListedEntries(LEAVES, 20)).advance(START)
    place = make_store(tmp_path).directory / "manifest"
    data = bytearray(place.read_bytes())
    data[-1] ^= 1
    place.write_bytes(bytes(data))

    with pytest.raises(IntegrityError, match="log rebuild"):
        make_store(tmp_path).load()


def test_a_log_that_became_shorter_stops_the_follower(tmp_path: Path) -> None:
    """Tables ahead of their log mean that the log was cut."""
    follow(tmp_path, ListedEntries(LEAVES, 40)).advance(START)

    with pytest.raises(PhitrailError, match="cut or restored"):
        follow(tmp_path, ListedEntries(LEAVES, 30)).advance(START)
