"""The lock keeps processes apart and goes with its holder."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from phitrail.durable.lock import FileLock
from phitrail.errors import StorageError

HOLDER = """
import sys
from pathlib import Path
from phitrail.durable.lock import FileLock
lock = FileLock(Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_the_lock_is_free_again_after_kill_9(tmp_path: Path) -> None:
    """A stale lock would stop every publisher until somebody deletes a file."""
    place = tmp_path / "lock"
    ours = FileLock(place)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(place)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        held = ours.try_acquire()
        holder.send_signal(signal.SIGKILL)
        holder.wait()

    assert not held
    assert ours.try_acquire()
    ours.close()


def test_two_locks_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    """Two trails open in one process are two writers."""
    one, other = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")

    with one:
        assert not other.try_acquire()

    assert other.try_acquire()
    one.close()
    other.close()
    other.close()


def test_a_lock_file_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    """The operator must learn which file, not see a traceback."""
    with pytest.raises(StorageError, match="is the directory writable"):
        FileLock(tmp_path / "absent" / "lock")


def test_a_child_without_exec_cannot_release_by_closing(tmp_path: Path) -> None:
    """A forked worker that exits must not hand our lock to another process."""
    ours, other = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    with ours:
        child = os.fork()
        if child == 0:
            ours.close()
            os._exit(0)
        os.waitpid(child, 0)

        assert not other.try_acquire()
    ours.close()
    other.close()


def test_a_forked_worker_does_not_keep_the_lock(tmp_path: Path) -> None:
    """Workers outlive the process that preloaded them; nobody would ever publish again."""
    ours, other = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    ours.acquire()
    wait, go = os.pipe()
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(go)
        os.write(tell, b"here")
        os.read(wait, 1)
        os._exit(0)
    os.read(ready, 4)
    ours.close()
    is_free = other.try_acquire()
    os.close(go)
    os.waitpid(child, 0)
    for handle in (wait, ready, tell):
        os.close(handle)
    other.close()

    assert is_free


def test_who_shares_keeps_out_only_who_wants_it_alone(tmp_path: Path) -> None:
    """Readers must not wait for each other, nor lose what they share to a cleaner."""
    one, other, third = (FileLock(tmp_path / "lock") for _ in range(3))

    one.share()
    other.share()
    assert not third.try_acquire()
    one.close()
    assert not third.try_acquire()
    other.close()
    assert third.try_acquire()
    third.close()
