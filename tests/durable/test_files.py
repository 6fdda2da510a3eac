"""Files arrive whole, durable and in order, and say what failed when they do not."""

import ctypes
import os
from pathlib import Path

import pytest

from phitrail.durable import files as module
from phitrail.durable.files import DurableFiles, sync_file_system
from phitrail.errors import IntegrityError, OutcomeUnknownError, StorageError


class Recorded(DurableFiles):
    """Says which step touched the disk, and fails the one that it is told to."""

    def __init__(self, root: Path, fail_at: int = -1) -> None:
        super().__init__(root)
        self.steps: list[tuple[str, tuple[str, ...]]] = []
        self._fail_at = fail_at

    def _step(self, name: str, *paths: str) -> None:
        self.steps.append((name, paths))
        if len(self.steps) - 1 == self._fail_at:
            raise OSError(5, "Input/output error")

    def write(self, path: str, data: bytes) -> None:
        """Note or fail the step."""
        self._step("write", path)
        super().write(path, data)

    def sync(self, places: list[Path]) -> None:
        """Note or fail the step."""
        self._step("sync", *(str(p.relative_to(self.root)) for p in places))
        super().sync(places)

    def rename(self, source: str, target: str) -> None:
        """Note or fail the step."""
        self._step("rename", source, target)
        super().rename(source, target)


def test_bytes_are_synced_before_they_get_their_name(tmp_path: Path) -> None:
    """A name that is durable before its bytes is an empty tile after a power cut."""
    files = Recorded(tmp_path)

    files.put_many({"a": b"1", "d/b": b"2"})

    assert files.steps == [
        ("write", ("a.tmp",)),
        ("write", ("d/b.tmp",)),
        ("sync", ("a.tmp", "d/b.tmp")),
        ("rename", ("a.tmp", "a")),
        ("rename", ("d/b.tmp", "d/b")),
        ("sync", ("a", "d/b")),
    ]
    assert (files.read("a"), files.read("d/b")) == (b"1", b"2")


def test_nothing_to_write_touches_nothing(tmp_path: Path) -> None:
    """A round without news must not wake the disk."""
    files = Recorded(tmp_path)
    (tmp_path / "kept").write_bytes(b"same")

    files.put_many({}, immutable={"kept": b"same"})

    assert files.steps == []


def test_an_immutable_file_with_other_bytes_is_refused(tmp_path: Path) -> None:
    """Overwriting a published tile would change history; it must stop the round."""
    files = DurableFiles(tmp_path)
    files.put_many({}, immutable={"tile": b"published"})

    with pytest.raises(IntegrityError, match="other bytes"):
        files.put_many({"more": b"x"}, immutable={"tile": b"different"})

    assert files.read("tile") == b"published"
    assert not (tmp_path / "more").exists()


def test_an_immutable_place_that_cannot_be_read_is_a_storage_error(
    tmp_path: Path,
) -> None:
    """An OSError would pass as a defect of ours and stop the publisher for good."""
    (tmp_path / "tile").mkdir()

    with pytest.raises(StorageError, match="cannot read tile"):
        DurableFiles(tmp_path).put_many({}, immutable={"tile": b"x"})


def test_a_failed_write_leaves_the_old_files_and_no_rest(tmp_path: Path) -> None:
    """A full disk must cost nothing that stood there, nor fill with leftovers."""
    DurableFiles(tmp_path).put_many({"a": b"old"})
    files = Recorded(tmp_path, fail_at=1)

    with pytest.raises(StorageError, match="check its disk") as caught:
        files.put_many({"a": b"new", "b": b"new"})

    assert not isinstance(caught.value, OutcomeUnknownError)
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert files.read("a") == b"old"


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_failed_sync_or_rename_is_of_unknown_outcome(
    tmp_path: Path, step: int
) -> None:
    """After it, nothing that is read back can be trusted: the owner must stop."""
    with pytest.raises(OutcomeUnknownError, match="open again"):
        Recorded(tmp_path, fail_at=step).put_many({"a": b"new"})


def test_replace_keeps_the_old_file_when_it_fails(tmp_path: Path) -> None:
    """Readers of the checkpoint must find the old one or the new one."""
    DurableFiles(tmp_path).replace("a", b"old")
    for step in (0, 1):
        with pytest.raises(StorageError, match="cannot write a"):
            Recorded(tmp_path, fail_at=step).replace("a", b"new")

    assert DurableFiles(tmp_path).read("a") == b"old"


def test_reading_tells_absent_from_unreadable(tmp_path: Path) -> None:
    """Callers look elsewhere for an absent tile, never for an unreadable one."""
    files = DurableFiles(tmp_path)
    (tmp_path / "d").mkdir()

    with pytest.raises(FileNotFoundError):
        files.read("absent")
    with pytest.raises(StorageError, match="cannot read d"):
        files.read("d")


def test_removing_takes_files_and_directories_and_absent_ones(tmp_path: Path) -> None:
    """Superseded tiles go with their directory; a repeated removal is no error."""
    files = DurableFiles(tmp_path)
    files.put_many({"a": b"1", "d/b": b"2", "kept": b"3"})

    for path in ("a", "d", "absent"):
        files.remove(path)

    assert [p.name for p in tmp_path.iterdir()] == ["kept"]


def test_removing_what_the_disk_holds_on_to_is_a_storage_error(tmp_path: Path) -> None:
    """A bare OSError would pass as a defect of ours."""
    files = DurableFiles(tmp_path)
    files.put_many({"a": b"1"})

    with pytest.raises(StorageError, match="cannot remove a/b"):
        files.remove("a/b")


def test_leftovers_of_a_crash_are_removed_and_nothing_else(tmp_path: Path) -> None:
    """Temporary files must not pile up, and no finished file may go with them."""
    files = DurableFiles(tmp_path)
    files.put_many({"d/a": b"1"})
    files.write("d/b.tmp", b"half")

    files.remove_leftovers("d")
    files.remove_leftovers("absent")

    assert [p.name for p in (tmp_path / "d").iterdir()] == ["a"]


def test_syncing_a_missing_directory_says_so(tmp_path: Path) -> None:
    """An error of the sync must never be swallowed."""
    with pytest.raises(FileNotFoundError):
        sync_file_system(tmp_path / "absent", [])


def test_an_error_of_syncfs_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel reports a lost write here and nowhere else."""

    def failing(handle: int) -> int:
        os.fstat(handle)
        ctypes.set_errno(5)
        return -1

    monkeypatch.setattr(module, "_syncfs", lambda: failing)

    with pytest.raises(OutcomeUnknownError, match="Input/output error"):
        DurableFiles(tmp_path).put_many({"a": b"1"})


def test_without_syncfs_files_and_all_new_directories_are_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tile in a new directory is lost when the directory above it was not synced."""
    synced: list[str] = []
    real = os.fsync

    def noted(handle: int) -> None:
        place = Path(f"/proc/self/fd/{handle}").readlink()
        synced.append(str(place.relative_to(tmp_path)))
        real(handle)

    monkeypatch.setattr(module, "_syncfs", lambda: None)
    monkeypatch.setattr(os, "fsync", noted)

    DurableFiles(tmp_path).put_many({"x/y/a": b"1"})

    half = len(synced) // 2
    assert sorted(synced[:half]) == [".", "x", "x/y", "x/y/a.tmp"]
    assert sorted(synced[half:]) == [".", "x", "x/y", "x/y/a"]
