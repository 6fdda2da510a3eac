"""What an operator meets: full disks, lost files, restored backups, several processes.

Each is a clear error that says what to do, or it simply works; nothing is lost.
"""

import contextlib
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.faults.processes import ROOT, writing
from tests.trails import (
    NOW,
    check_whole,
    copy_trail,
    phi_read,
    plain_event,
    publish_once,
    record_events,
)

from phitrail.app.config import Policy, read_tenant, write_config
from phitrail.app.founding import found_trail
from phitrail.app.key_wiring import KEYS
from phitrail.app.pins import JOURNAL
from phitrail.app.verification import verify_trail
from phitrail.app.wiring import IDENTITY, OUTSIDE, Trail, open_trail
from phitrail.errors import ConfigError, IntegrityError, PhitrailError, StorageError
from phitrail.events.codes import Log
from phitrail.keys.ring import KeyRing
from phitrail.tlog.receipt import Receipt

MOUNT = shutil.which("mount") or ""
UMOUNT = shutil.which("umount") or ""


@contextlib.contextmanager
def mounted(place: Path, *options: str) -> Iterator[Path]:
    """Mount something at a place; skip the test where that is not allowed."""
    place.mkdir(exist_ok=True)
    if not MOUNT or os.geteuid() != 0:
        pytest.skip("needs root and mount")
    done = subprocess.run(
        [MOUNT, *options, str(place)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("this system does not let root mount: " + done.stderr.decode())
    try:
        yield place
    finally:
        subprocess.run([UMOUNT, str(place)], check=True)


def use_every_byte(place: Path) -> None:
    """Fill a file system to its last block."""
    handle = os.open(place / "ballast", os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while os.write(handle, bytes(4096)):
            pass
    os.close(handle)


# --- disks ---


def record_until_refused(trail: Trail, receipts: list[Receipt]) -> None:
    """Record events, keeping each receipt, until one is refused."""
    for number in range(5_000):
        receipts.append(trail.recorder.record(phi_read(number), NOW))  # noqa: PERF401 - kept when it raises


def test_a_full_disk_refuses_and_later_goes_on(founded: Path, tmp_path: Path) -> None:
    """What could not be kept must not be acknowledged, and space must be enough to go on."""
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=3m", "none") as small:
        directory = copy_trail(founded, small / "trail")
        trail = open_trail(directory)
        use_every_byte(small)
        receipts: list[Receipt] = []
        with pytest.raises(StorageError, match=r"free space|open .* again"):
            record_until_refused(trail, receipts)
        trail.close()
        (small / "ballast").unlink()
        count = len(receipts) + 5
        again = record_events(directory, range(count))
        whole = check_whole(directory)

        assert [r.positions for r in receipts] == [
            r.positions for r in again[: len(receipts)]
        ]
        assert len(whole.leaves["audit"]) == 1 + count
        whole.check_holds([*receipts, *again], directory)


def test_a_full_disk_stops_publishing_and_later_goes_on(
    founded: Path, tmp_path: Path
) -> None:
    """Half a tile must never be taken for a tile."""
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=3m", "none") as small:
        directory = copy_trail(founded, small / "trail")
        trail = open_trail(directory)
        trail.recorder.record_many([plain_event(n) for n in range(700)], NOW)
        publisher = trail.publisher()
        use_every_byte(small)
        with pytest.raises(StorageError, match=r"No space left.*check its disk"):
            publisher.publish()
        (small / "ballast").unlink()
        publisher.publish()
        publisher.close()
        trail.close()

        assert check_whole(directory).checkpoints["audit"] == [1, 701]
        assert list(directory.rglob("*.tmp")) == []


LIMITED = """
import resource, signal, sys
from pathlib import Path
from phitrail.app.wiring import open_trail
from phitrail.errors import StorageError
from tests.trails import NOW, phi_read
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
trail = open_trail(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    for number in range(5_000):
        receipt = trail.recorder.record(phi_read(number), NOW)
        print(receipt.to_json().decode(), flush=True)
except StorageError:
    print("refused")
"""


def test_a_file_that_may_not_grow_refuses_and_later_goes_on(trail_dir: Path) -> None:
    """The same where no disk can be mounted: the limit of one process on file sizes."""
    assert resource.RLIMIT_FSIZE
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(trail_dir), "600000"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    *lines, end = done.stdout.splitlines()
    receipts = [Receipt.from_json(line.encode()) for line in lines]
    again = record_events(trail_dir, range(len(receipts) + 2))
    whole = check_whole(trail_dir)

    assert end == "refused"
    assert len(receipts) > 1
    assert len(whole.leaves["audit"]) == 1 + len(receipts) + 2
    whole.check_holds([*receipts, *again], trail_dir)


def test_a_read_only_directory_says_so(founded: Path, tmp_path: Path) -> None:
    """The operator must learn that the directory cannot be written, before any event."""
    copy_trail(founded, tmp_path / "real")
    with mounted(
        tmp_path / "seen", "--bind", "-o", "ro", str(tmp_path / "real")
    ) as seen:
        if os.access(seen, os.W_OK):
            subprocess.run([MOUNT, "-o", "remount,ro,bind", str(seen)], check=True)
        with pytest.raises(StorageError, match="writable"):
            open_trail(seen)

    assert check_whole(tmp_path / "real").checkpoints["audit"] == [1]


# --- time ---


@pytest.mark.drill
def test_a_clock_that_goes_back_changes_no_order(trail_dir: Path) -> None:
    """The order is that of arrival; a clock set back must not stop or reorder the log."""
    trail = open_trail(trail_dir)
    moments = [NOW, NOW - timedelta(days=400), NOW + timedelta(days=1), NOW]
    receipts = []
    for moment in moments:
        event = phi_read(0)
        event = type(event)(
            event_type=event.event_type, user_id="dr-0012", records=event.records
        )
        receipts.append(trail.recorder.record(event, moment))
    trail.close()
    publish_once(trail_dir)
    whole = check_whole(trail_dir)

    assert [r.positions[0].index for r in receipts] == [1, 2, 3, 4]
    assert whole.event_ids()[1:] == [r.event_id for r in receipts]
    assert verify_trail(trail_dir, deep=True).findings == ()


# --- several processes ---


def test_two_writers_share_one_history(trail_dir: Path) -> None:
    """Two workers of one application append at once: both succeed, nothing forks."""
    with writing(trail_dir, 0) as one, writing(trail_dir, 1_000_000) as other:
        one.read(60)
        other.read(60)
        one.stop()
        other.stop()
    receipts = one.receipts | other.receipts
    publish_once(trail_dir)
    whole = check_whole(trail_dir)

    assert len(whole.leaves["audit"]) == 1 + len(receipts)
    whole.check_holds(receipts.values(), trail_dir)
    assert verify_trail(trail_dir, deep=True).findings == ()


def published_size(directory: Path) -> int:
    """Read the size of the public checkpoint of the audit log."""
    note = (directory / "public/audit/checkpoint").read_bytes()
    return int(note.split(b"\n")[1])


def test_a_second_publisher_waits_and_takes_over(trail_dir: Path) -> None:
    """When the one who publishes is killed, another must publish, without anyone's help."""
    write_config(trail_dir, read_tenant(trail_dir), Policy(publish_interval_s=0.02))
    ours = open_trail(trail_dir)
    lease = ours.lease()
    with writing(trail_dir, 0) as first:
        first.read(20)
        with writing(trail_dir, 1_000_000) as second:
            second.read(20)
            is_held = not lease.try_acquire()
            os.kill(first.process.pid, signal.SIGKILL)
            first.kill()
            last = max(r.positions[0].index for r in first.receipts.values())
            for _ in range(5_000):
                second.read(1)
                newest = max(r.positions[0].index for r in second.receipts.values())
                if last < published_size(trail_dir) and newest > last + 50:
                    break
            second.stop()
    lease.close()
    ours.close()
    whole = check_whole(trail_dir)

    assert is_held
    assert published_size(trail_dir) == len(whole.leaves["audit"])
    whole.check_holds([*first.receipts.values(), *second.receipts.values()], trail_dir)


# --- damaged files ---


def flip(place: Path, at: int) -> None:
    """Change one byte of a file."""
    data = bytearray(place.read_bytes())
    data[at] ^= 0x20
    place.write_bytes(bytes(data))


def only_tile(directory: Path) -> Path:
    """Give the one tile of the founded audit log, widened by some events."""
    record_events(directory, range(5))
    return directory / "public/audit/tile/0/000.p/6"


@pytest.mark.drill
def test_a_corrupt_tile_stops_signing_and_not_recording(trail_dir: Path) -> None:
    """Signing over a damaged edge would fork; refusing events would lose them."""
    flip(only_tile(trail_dir), 40)
    trail = open_trail(trail_dir)
    receipt = trail.recorder.record(phi_read(6), NOW)
    trail.close()

    with pytest.raises(IntegrityError, match=r"do not publish: run `phitrail verify`"):
        publish_once(trail_dir)

    assert receipt.positions[0].index == 6
    assert published_size(trail_dir) == 6


def test_a_missing_tile_is_named(trail_dir: Path) -> None:
    """The operator must know which file to restore."""
    only_tile(trail_dir).unlink()

    with pytest.raises(
        IntegrityError, match=r"public/audit/tile/0/000.p/6 is missing.*archive"
    ):
        publish_once(trail_dir)


def test_a_corrupt_journal_is_refused_or_seen(founded: Path, memory_path: Path) -> None:
    """Whatever byte is damaged: a clear error, a finding, or nothing that matters."""
    source = copy_trail(founded, memory_path / "source")
    record_events(source, range(30))
    whole = check_whole(source)
    size = (source / JOURNAL).stat().st_size
    chance = random.Random(7)
    refused = 0
    for case in range(60):
        directory = copy_trail(source, memory_path / f"{case}")
        flip(directory / JOURNAL, 0 if case == 0 else chance.randrange(size))
        try:
            trail = open_trail(directory)
            trail.close()
            publish_once(directory)
            findings = verify_trail(directory, deep=True).findings
        except PhitrailError:
            refused += 1
            continue
        if not findings:
            assert check_whole(directory).leaves == whole.leaves
    assert refused > 0


@pytest.mark.parametrize("at", [0, 20, 100])
def test_a_journal_without_its_head_is_no_database(trail_dir: Path, at: int) -> None:
    """The message must send the operator to the archive."""
    place = trail_dir / JOURNAL
    data = bytearray(place.read_bytes())
    data[at : at + 100] = bytes(100)
    place.write_bytes(bytes(data))

    with pytest.raises(StorageError, match=r"restore it from the archive"):
        open_trail(trail_dir)


def test_an_altered_head_is_refused_before_anything_is_appended(
    trail_dir: Path,
) -> None:
    """An edge that does not give its root would make every later root wrong."""
    for change in (
        "root = zeroblob(32)",
        "edge = zeroblob(32)",
        "promise = (SELECT promise FROM log WHERE name = 'quality')",
        "size = 2",
    ):
        database = sqlite3.connect(trail_dir / JOURNAL)
        database.execute("SAVEPOINT before")
        database.execute(f"UPDATE log SET {change} WHERE name = 'audit'")
        database.execute("COMMIT")
        database.close()
        with pytest.raises(IntegrityError):
            open_trail(trail_dir)


@pytest.mark.drill
@pytest.mark.parametrize("name", [JOURNAL, IDENTITY])
def test_a_lost_database_is_not_made_anew(trail_dir: Path, name: str) -> None:
    """An empty one in its place would begin a second history."""
    (trail_dir / name).unlink()

    with pytest.raises(ConfigError, match=f"there is no .*{Path(name).name}"):
        open_trail(trail_dir)

    assert not (trail_dir / name).exists()


@pytest.mark.parametrize(
    "name", ["tenant.yaml", "policy.yaml", "public/audit/genesis.json"]
)
def test_a_lost_file_is_named(trail_dir: Path, name: str) -> None:
    """The operator must know what to restore."""
    (trail_dir / name).unlink()

    with pytest.raises(ConfigError, match=Path(name).name):
        open_trail(trail_dir)


# --- keys ---


def test_a_missing_key_is_named_and_nothing_is_lost(trail_dir: Path) -> None:
    """The log stays readable to whoever puts the key back."""
    place = trail_dir / KEYS / "audit-seal.v1.json"
    kept = place.rename(trail_dir / "aside.json")

    with pytest.raises(ConfigError, match="key audit-seal is missing"):
        open_trail(trail_dir)
    kept.rename(place)

    assert len(record_events(trail_dir, range(2))) == 2


@pytest.mark.drill
@pytest.mark.parametrize(
    "name", ["audit-checkpoint", "audit-promise", "audit-seal", "idempotency"]
)
def test_a_wrong_key_is_named_and_nothing_is_written(
    trail_dir: Path, tmp_path: Path, name: str
) -> None:
    """Under another trail's key new entries would be unreadable or signed by a stranger."""
    KeyRing.create(tmp_path / "other", created_at="2026-11-21T12:00:00.000Z")
    shutil.copy(tmp_path / "other" / f"{name}.v1.json", trail_dir / KEYS)

    with pytest.raises(ConfigError, match="put the right key file"):
        open_trail(trail_dir)


@pytest.mark.drill
def test_all_keys_of_another_trail_are_refused(trail_dir: Path, tmp_path: Path) -> None:
    """A whole wrong key directory is the likeliest mistake of a restore."""
    found_trail(tmp_path / "other", "clinic.example", NOW)
    shutil.rmtree(trail_dir / KEYS)
    shutil.copytree(tmp_path / "other" / KEYS, trail_dir / KEYS)

    with pytest.raises(ConfigError, match="not the one that this trail was made with"):
        open_trail(trail_dir)


# --- checkpoints from outside, and restored backups ---


def newest_note(directory: Path, log: Log = Log.AUDIT) -> bytes:
    """Read the public checkpoint."""
    return (directory / f"public/{log}/checkpoint").read_bytes()


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda note: note[:-30],
    "cut to its text": lambda note: note.split(b"\n\n")[0] + b"\n",
    "unsigned": lambda note: note.split(b"\n\n")[0] + b"\n\n",
    "altered": lambda note: note.replace(b"\n6\n", b"\n5\n"),
    "of a wrong key": lambda note: note.replace("— ".encode(), "— other-".encode()),
    "empty": lambda _: b"",
    "no text": lambda _: b"\xff\xfe",
}


@pytest.mark.parametrize("damage", list(DAMAGE))
def test_a_damaged_checkpoint_from_outside_is_named(
    trail_dir: Path, damage: str
) -> None:
    """Passing over it would let whoever damages it undo the protection."""
    record_events(trail_dir, range(5))
    place = trail_dir / OUTSIDE / "officer.txt"
    place.write_bytes(DAMAGE[damage](newest_note(trail_dir)))

    with pytest.raises(
        IntegrityError, match=r"officer\.txt is no checkpoint.*again, or"
    ):
        open_trail(trail_dir)
    place.unlink()

    assert len(check_whole(trail_dir).leaves["audit"]) == 6


def test_a_checkpoint_from_outside_that_fits_is_respected_quietly(
    trail_dir: Path,
) -> None:
    """Checkpoints, promises and those of other trails must not stop an honest log."""
    receipts = record_events(trail_dir, range(5))
    place = trail_dir / OUTSIDE
    (place / "checkpoint").write_bytes(newest_note(trail_dir))
    (place / "promise").write_bytes(receipts[2].promises["audit"])
    other = found_trail(trail_dir.parent / "other", "other.example", NOW).directory
    (place / "other").write_bytes(newest_note(other))

    record_events(trail_dir, range(5, 9))

    assert published_size(trail_dir) == 10


def test_a_file_from_outside_that_cannot_be_read_says_so(trail_dir: Path) -> None:
    """A directory in its place must not look like a defect of ours."""
    (trail_dir / OUTSIDE / "sub").mkdir()

    with pytest.raises(StorageError, match=r"cannot read .*sub"):
        open_trail(trail_dir)


@pytest.mark.drill
def test_a_restored_backup_neither_signs_nor_appends(
    trail_dir: Path, tmp_path: Path
) -> None:
    """Going on from an old copy would fork the history, which nothing can repair."""
    record_events(trail_dir, range(3))
    backup = copy_trail(trail_dir, tmp_path / "backup")
    record_events(trail_dir, range(3, 6))
    (backup / OUTSIDE / "officer.txt").write_bytes(newest_note(trail_dir))

    with pytest.raises(
        IntegrityError, match=r"officer.*restored from a backup.*missing"
    ):
        open_trail(backup)


@pytest.mark.drill
def test_a_checkpoint_that_arrives_while_it_runs_stops_signing(
    trail_dir: Path, tmp_path: Path
) -> None:
    """The restored copy may already be open when the officer's checkpoint comes back."""
    record_events(trail_dir, range(3))
    backup = copy_trail(trail_dir, tmp_path / "backup")
    record_events(trail_dir, range(3, 6))
    trail = open_trail(backup)
    trail.recorder.record(phi_read(100), NOW)
    publisher = trail.publisher()
    (backup / OUTSIDE / "officer.txt").write_bytes(newest_note(trail_dir))
    with pytest.raises(IntegrityError, match="Nothing is signed"):
        publisher.publish()
    publisher.close()
    trail.close()

    assert published_size(backup) == 4


@pytest.mark.drill
def test_another_history_of_the_same_size_stops_signing(
    trail_dir: Path, tmp_path: Path
) -> None:
    """A rewritten log must not be signed once its true root is known."""
    record_events(trail_dir, range(3))
    fork = copy_trail(trail_dir, tmp_path / "fork")
    record_events(trail_dir, range(3, 6))
    record_events(fork, range(13, 16))
    (fork / OUTSIDE / "officer.txt").write_bytes(newest_note(trail_dir))
    trail = open_trail(fork)
    trail.recorder.record(phi_read(100), NOW)
    trail.close()

    with pytest.raises(IntegrityError, match=r"another root at size 7.*rewritten"):
        publish_once(fork)


@pytest.mark.drill
def test_a_journal_restored_alone_is_refused(trail_dir: Path, tmp_path: Path) -> None:
    """The public checkpoint beside it shows that it is old, also without any from outside."""
    record_events(trail_dir, range(3))
    shutil.copy(trail_dir / JOURNAL, tmp_path / "journal.db")
    record_events(trail_dir, range(3, 6))
    shutil.copy(tmp_path / "journal.db", trail_dir / JOURNAL)

    with pytest.raises(IntegrityError, match=r"public/audit/checkpoint.*restored"):
        open_trail(trail_dir)

    assert published_size(trail_dir) == 7


def test_a_damaged_public_checkpoint_is_written_anew(trail_dir: Path) -> None:
    """It is a copy of what the journal holds: readers must get the good one back."""
    record_events(trail_dir, range(3))
    note = newest_note(trail_dir)
    for damage in (note[:20], None):
        place = trail_dir / "public/audit/checkpoint"
        if damage is None:
            place.unlink()
        else:
            place.write_bytes(damage)
        publish_once(trail_dir)

        assert note == newest_note(trail_dir)
