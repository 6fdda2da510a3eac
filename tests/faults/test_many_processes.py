"""Many processes on one trail: writers, clinic, commands, and a publisher that dies.

Four writers append while the process that holds the lease is killed again and again. The
kernel gives its lock to the next one; what was acknowledged to the dead must stand in the
log, once.
"""

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.faults.processes import ROOT, Writer, writing
from tests.faults.writer import TASKS
from tests.trails import TENANT, check_whole, publish_once

from phitrail.app import clock
from phitrail.app.config import Policy, read_tenant, write_config
from phitrail.app.founding import found_trail
from phitrail.app.verification import Verdict, verify_trail
from phitrail.app.wiring import PUBLISH_LOCK
from phitrail.cli.exit_codes import ExitCode
from phitrail.demo.clinic import VOCABULARY
from phitrail.tlog.receipt import Receipt

WRITERS = 4
APART = 1_000_000
TAKEOVERS = 3
TAKEOVERS_LONG = 10 if os.environ.get("PHITRAIL_CI") else 40
PATIENCE_S = 60.0


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A trail with the clinic's words that publishes often."""
    directory = tmp_path / "trail"
    found_trail(directory, TENANT, clock.now(), vocabulary=VOCABULARY)
    write_config(directory, read_tenant(directory), Policy(publish_interval_s=0.05))
    return directory


def lease_holder(directory: Path) -> int | None:
    """Ask the kernel which process publishes (proc(5), /proc/locks)."""
    inode = (directory / PUBLISH_LOCK).stat().st_ino
    for line in Path("/proc/locks").read_text().splitlines():
        words = line.split()
        if words[1] == "FLOCK" and words[5].endswith(f":{inode}"):
            return int(words[4])
    return None


def await_holder(directory: Path, among: set[int]) -> int:
    """Wait until one of these processes publishes."""
    deadline = time.monotonic() + PATIENCE_S
    while (holder := lease_holder(directory)) not in among:
        assert time.monotonic() < deadline, "nobody took the lease over"
        time.sleep(0.005)
    return holder


def published_size(directory: Path) -> int:
    """Read the size of the newest public checkpoint of the audit log."""
    note = (directory / "public/audit/checkpoint").read_bytes()
    return int(note.split(b"\n")[1])


def await_published(directory: Path, size: int) -> None:
    """Wait until a checkpoint covers so many entries."""
    deadline = time.monotonic() + PATIENCE_S
    while published_size(directory) < size:
        assert time.monotonic() < deadline, "nobody publishes any more"
        time.sleep(0.005)


def phitrail(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a user would, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "phitrail", *words, "--trail", str(directory)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def kill_lease_holders(
    directory: Path, times: int
) -> tuple[list[Receipt], list[bytes]]:
    """Kill whoever publishes, again and again; return the receipts and checkpoints kept."""
    receipts: list[Receipt] = []
    kept: list[bytes] = []
    start = 0
    with ExitStack() as stack:

        def begin() -> Writer:
            nonlocal start
            start += APART
            return stack.enter_context(writing(directory, start))

        writers = [begin() for _ in range(WRITERS)]
        for _ in range(times):
            by_process = {writer.process.pid: writer for writer in writers}
            holder = by_process[await_holder(directory, set(by_process))]
            holder.kill()
            heir = await_holder(directory, set(by_process) - {holder.process.pid})
            assert heir != holder.process.pid
            receipts += holder.receipts.values()
            acknowledged = [
                p.index for r in holder.receipts.values() for p in r.positions
            ]
            await_published(directory, max(acknowledged, default=0) + 1)
            kept.append((directory / "public/audit/checkpoint").read_bytes())
            writers = [w for w in writers if w is not holder] + [begin()]
        for writer in writers:
            writer.stop()
            receipts += writer.receipts.values()
    return receipts, kept


def check_takeovers(directory: Path, times: int) -> None:
    """Kill publishers, then check the whole trail and every receipt."""
    receipts, kept = kill_lease_holders(directory, times)
    publish_once(directory)
    whole = check_whole(directory)
    whole.check_holds(receipts, directory)
    ids = whole.event_ids()
    outside = [(str(place), note) for place, note in enumerate(kept)]

    assert len(receipts) > WRITERS * TASKS
    assert len(set(ids)) == len(ids)
    assert {r.event_id for r in receipts} <= set(ids)
    assert verify_trail(directory, outside=outside, deep=True).findings == ()


@pytest.mark.long
def test_the_lease_passes_on_when_its_holder_is_killed(shared: Path) -> None:
    """A dead publisher must not stop the log, nor take with it what it acknowledged."""
    check_takeovers(shared, TAKEOVERS)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.skipif(
    not os.environ.get("PHITRAIL_LONG"), reason="set PHITRAIL_LONG=1 for 40 takeovers"
)
def test_the_lease_passes_on_many_times(shared: Path) -> None:
    """The same, often enough to meet the rare moments."""
    check_takeovers(shared, TAKEOVERS_LONG)


@pytest.mark.long
def test_writers_clinic_and_commands_share_one_trail(shared: Path) -> None:
    """Workers, the demo's clinic and an officer's commands must not get in each other's way."""
    with ExitStack() as stack:
        writers = [
            stack.enter_context(writing(shared, (n + 1) * APART))
            for n in range(WRITERS)
        ]
        clinic = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "tests.faults.clinic_worker", str(shared), "60"],
                stdout=subprocess.PIPE,
                text=True,
                cwd=ROOT,
            )
        )
        commands = [
            phitrail(shared, *words)
            for words in (
                ("status", "--json"),
                ("log", "query", "-n", "5", "--as", "officer", "--json"),
                ("log", "tail", "-n", "3", "--as", "officer"),
                ("log", "prove", "0", "--as", "officer"),
            )
        ]
        verified = phitrail(shared, "verify", "--json")
        asked, _ = clinic.communicate(timeout=PATIENCE_S)
        for writer in writers:
            writer.stop()
    publish_once(shared)
    whole = check_whole(shared)
    receipts = [receipt for writer in writers for receipt in writer.receipts.values()]
    whole.check_holds(receipts, shared)

    assert (clinic.returncode, asked) == (0, "60\n")
    assert [c.returncode for c in commands] == [0] * len(commands), commands
    assert verified.returncode == ExitCode.UNVERIFIABLE, verified.stderr
    assert json.loads(verified.stdout)["verdict"] == Verdict.UNANCHORED.value
    assert len(set(whole.event_ids())) == len(whole.event_ids())
