"""A directory on other storage holds every checkpoint, and none of another history."""

import shutil
import stat
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.anchor.histories import NOW, ORIGIN, History

from phitrail.anchor import watched_directory
from phitrail.anchor.watched_directory import (
    WatchedDirectory,
    find_notes,
    list_notes,
    note_path,
)
from phitrail.durable.files import DurableFiles
from phitrail.errors import IntegrityError, OtherHistoryError, StorageError


@dataclass(frozen=True, slots=True)
class Storage:
    """A watched directory and its anchor."""

    directory: Path
    anchor: WatchedDirectory

    def place(self, size: int) -> Path:
        """Name the file of a checkpoint."""
        return self.directory / note_path(ORIGIN, size)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """Give a directory that may stand on the trail's device."""
    directory = tmp_path / "usb"
    directory.mkdir()
    (tmp_path / "trail").mkdir()
    anchor = WatchedDirectory(directory, tmp_path / "trail", may_share_device=True)
    return Storage(directory, anchor)


def test_a_checkpoint_stands_under_its_origin_and_size(storage: Storage) -> None:
    """An officer looks for a name, and a reader sorts names by size."""
    held = storage.anchor.hold(History().submission(300), NOW)

    assert (held.size, held.suffix) == (300, "note")
    assert held.evidence == History().note(300)
    place = storage.directory / "clinic.example-audit" / "00000000000000000300.note"
    assert place.read_bytes() == held.evidence
    assert list(place.parent.iterdir()) == [place]
    assert stat.S_IMODE(place.stat().st_mode) == 0o444


def test_every_checkpoint_stays_and_the_same_one_may_come_again(
    storage: Storage,
) -> None:
    """A retry after a lost answer must not look like tampering."""
    for size in (1, 255, 256, 600, 600):
        storage.anchor.hold(History().submission(size), NOW)

    notes = list_notes(storage.directory, ORIGIN)
    sizes = [int(place.name.removesuffix(".note")) for place in notes]
    assert sizes == [1, 255, 256, 600]


@pytest.mark.drill
def test_a_rewritten_history_is_refused_with_both_places(storage: Storage) -> None:
    """The point of the anchor: what was held before convicts what comes."""
    storage.anchor.hold(History().submission(300), NOW)
    rewritten = History(changed=40)

    with pytest.raises(OtherHistoryError) as caught:
        storage.anchor.hold(rewritten.submission(600), NOW)
    assert str(storage.place(300)) in str(caught.value)
    assert "audit log's checkpoint of size 600 on this host" in str(caught.value)
    assert caught.value.evidence == History().note(300)
    assert not storage.place(600).exists()


@pytest.mark.drill
def test_a_log_that_was_cut_is_refused(storage: Storage) -> None:
    """A restored backup is smaller than what the directory has seen."""
    storage.anchor.hold(History().submission(600), NOW)

    with pytest.raises(
        IntegrityError, match="has 600 entries, more than the audit log"
    ):
        storage.anchor.hold(History().submission(300), NOW)


@pytest.mark.drill
def test_other_bytes_of_the_same_size_are_never_replaced(storage: Storage) -> None:
    """Two roots for one size are the strongest evidence there is."""
    storage.anchor.hold(History().submission(300), NOW)
    before = storage.place(300).read_bytes()

    with pytest.raises(IntegrityError, match="not belong to one history"):
        storage.anchor.hold(History(changed=40).submission(300), NOW)
    assert before == storage.place(300).read_bytes()


def test_other_bytes_with_the_same_root_are_never_replaced(storage: Storage) -> None:
    """A note under another signature is another file; who wrote it must be found out."""
    submission = History().submission(300)
    storage.anchor.hold(submission, NOW)
    note = submission.note.replace(b" ", b" x", 1)  # another key name

    with pytest.raises(OtherHistoryError, match="with other bytes") as caught:
        storage.anchor.hold(replace(submission, note=note), NOW)
    assert caught.value.evidence == submission.note


def test_a_contradiction_that_the_log_did_not_sign_is_no_evidence(
    storage: Storage,
) -> None:
    """Whoever can write there must not stop the signer with a note of his own."""
    storage.anchor.hold(History().submission(256), NOW)
    note = History().note(600)
    storage.place(600).write_bytes(note[:-10] + b"AAAAAAAA=\n")

    with pytest.raises(OtherHistoryError, match="has 600 entries") as caught:
        storage.anchor.hold(History().submission(300), NOW)
    assert caught.value.evidence == b""


@pytest.mark.parametrize(
    "content", [b"", b"no note", History(origin="clinic.example-audit").note(300)]
)
def test_a_file_that_is_no_checkpoint_of_this_log_is_named(
    storage: Storage, content: bytes
) -> None:
    """A damaged or foreign newest note must not be passed over."""
    storage.anchor.hold(History().submission(256), NOW)
    storage.place(300).write_bytes(content)

    with pytest.raises(IntegrityError, match=r"00000300\.note is no"):
        storage.anchor.hold(History().submission(600), NOW)


def test_a_note_under_the_name_of_another_size_is_refused(storage: Storage) -> None:
    """A small note under a great name would hide a history that was cut."""
    storage.anchor.hold(History().submission(256), NOW)
    shutil.copy(storage.place(256), storage.place(599))

    with pytest.raises(IntegrityError, match="not the checkpoint that its name says"):
        storage.anchor.hold(History().submission(600), NOW)


def test_what_is_no_note_is_left_alone(storage: Storage) -> None:
    """Other systems leave files on a disk; they are none of our business."""
    storage.anchor.hold(History().submission(256), NOW)
    for name in ("._00000000000000000300.note", "desktop.ini", "300.note"):
        storage.place(256).with_name(name).write_bytes(b"")

    storage.anchor.hold(History().submission(300), NOW)
    assert len(find_notes(storage.directory)) == 2


def test_a_directory_that_is_gone_is_never_made(storage: Storage) -> None:
    """A mount that is gone must be late, not replaced by a directory of our own."""
    storage.directory.rmdir()

    with pytest.raises(StorageError, match="mount the storage"):
        storage.anchor.hold(History().submission(300), NOW)
    assert not storage.directory.exists()


def test_the_trails_own_device_is_refused_unless_admitted(
    storage: Storage, memory_path: Path
) -> None:
    """An unmounted share is a directory on the trail's own disk."""
    if memory_path.stat().st_dev == storage.directory.stat().st_dev:
        pytest.skip("there is no second file system here")
    submission = History().submission(300)

    with pytest.raises(StorageError, match="same device as the trail"):
        replace(storage.anchor, may_share_device=False).hold(submission, NOW)
    held = WatchedDirectory(memory_path, storage.anchor.trail).hold(submission, NOW)
    assert held.evidence == (memory_path / note_path(ORIGIN, 300)).read_bytes()


@pytest.mark.parametrize("step", ["write", "sync", "rename"])
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("is_done", [False, True])
def test_a_failed_step_holds_nothing_and_the_next_try_does(
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    number: int,
    is_done: bool,
) -> None:
    """Whatever the storage did with the step that it failed, nothing is claimed."""
    original = getattr(DurableFiles, step)
    calls = 0

    def fail(files: DurableFiles, *arguments: object) -> None:
        nonlocal calls
        calls += 1
        if calls != number or is_done:
            original(files, *arguments)
        if calls == number:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(DurableFiles, step, fail)
    submission = History().submission(300)
    try:
        storage.anchor.hold(submission, NOW)
    except StorageError:
        pass
    else:
        assert number > calls
    held = storage.anchor.hold(submission, NOW)

    assert held.evidence == storage.place(300).read_bytes() == History().note(300)


def test_a_storage_that_gives_back_other_bytes_is_found(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that takes everything and keeps nothing must not count as an anchor."""

    def lose(files: DurableFiles, path: str, data: bytes) -> None:
        place = files.root / path
        place.write_bytes(data[:-1])

    monkeypatch.setattr(DurableFiles, "write", lose)

    with pytest.raises(StorageError, match="does not read back"):
        storage.anchor.hold(History().submission(300), NOW)


@pytest.mark.parametrize("origin", ["..", ".", "a\0b"])
def test_an_origin_leads_nowhere_else(storage: Storage, origin: str) -> None:
    """A name out of a note must not become a way out of the directory."""
    with pytest.raises(StorageError, match="cannot be the name"):
        list_notes(storage.directory, origin)


def test_notes_are_found_from_above_and_from_within(storage: Storage) -> None:
    """A person may name the mount point or the log's directory in it."""
    for size in (1, 300):
        storage.anchor.hold(History().submission(size), NOW)
    notes = list_notes(storage.directory, ORIGIN)

    assert find_notes(storage.directory) == notes == find_notes(notes[0].parent)
    with pytest.raises(StorageError, match="cannot list"):
        find_notes(storage.directory / "none")


def test_a_directory_that_cannot_be_listed_is_named(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share that went away during a verification must not pass as an empty one."""
    storage.anchor.hold(History().submission(300), NOW)

    def fail(place: Path) -> None:
        raise OSError(116, f"Stale file handle {place.name}")

    monkeypatch.setattr(Path, "iterdir", fail)

    with pytest.raises(StorageError, match=r"cannot list .*Stale file handle"):
        list_notes(storage.directory, ORIGIN)


def test_a_failing_disk_is_named_with_what_to_do(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share that fails half way is a reason to try again, not a crash."""

    def fail(place: Path) -> bytes:
        raise OSError(116, f"Stale file handle {place.name}")

    storage.anchor.hold(History().submission(300), NOW)
    monkeypatch.setattr(watched_directory, "_read_back", fail)

    with pytest.raises(StorageError, match=r"cannot be used: Stale file handle"):
        storage.anchor.hold(History().submission(300), NOW)
