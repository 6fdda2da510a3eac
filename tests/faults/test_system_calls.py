"""Real system calls fail one by one under strace: nothing acknowledged is lost.

strace counts the calls of each thread by itself, so the N-th of every thread fails. The
journal, the tiles and the identity map are then read back by another process.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
from tests.faults.appending import EVENTS, IN_A_CALL
from tests.faults.processes import ROOT
from tests.trails import NOW, check_whole, copy_trail, phi_read, publish_once

from phitrail.app.verification import verify_trail
from phitrail.app.wiring import open_trail
from phitrail.tlog.receipt import Receipt

CALLS = ("openat", "write", "pwrite64", "fdatasync", "fsync", "syncfs", "rename")
ERRORS = ("EIO", "ENOSPC")
STRACE = shutil.which("strace") or ""
STEP = 5 if os.environ.get("PHITRAIL_CI") else 1

pytestmark = pytest.mark.skipif(
    not STRACE, reason="strace is not installed: apt install strace"
)


class Children:
    """Runs children under strace, one after the other."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.appending"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    @property
    def _in(self) -> IO[str]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _out(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout

    def run(self, directory: Path, inject: str) -> tuple[list[Receipt], str, bool]:
        """Run one child; return its receipts, its end, and whether a call was failed."""
        self._in.write(f"{directory}\n")
        self._in.flush()
        child = self._out.readline().split()[1]
        call = inject.split(":", maxsplit=1)[0]
        with subprocess.Popen(
            [
                STRACE,
                "-f",
                "-p",
                child,
                "-e",
                f"trace={call}",
                "-e",
                f"inject={inject}",
            ],
            stderr=subprocess.PIPE,
            text=True,
        ) as strace:
            assert strace.stderr is not None
            attached = strace.stderr.readline()
            assert "attached" in attached, attached
            os.kill(int(child), signal.SIGUSR1)
            injected = "(INJECTED)" in strace.stderr.read()
        lines = list(iter(self._out.readline, "gone\n"))
        said = [
            line for line in lines if line.startswith("receipt ") and line[-1] == "\n"
        ]
        receipts = [Receipt.from_json(line[8:].encode()) for line in said]
        return receipts, lines[-1].strip() if lines else "", injected

    def close(self) -> None:
        """End the process that forks."""
        self._in.close()
        self._out.close()
        self._process.wait()


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    """Give a process that forks children."""
    started = Children()
    yield started
    started.close()


def check_case(children: Children, directory: Path, inject: str) -> bool:
    """Run one case and check what it left; say whether the call came at all."""
    receipts, end, injected = children.run(directory, inject)
    trail = open_trail(directory)
    try:
        again = [
            receipt
            for first in range(0, EVENTS, IN_A_CALL)
            for receipt in trail.recorder.record_many(
                [phi_read(n) for n in range(first, first + IN_A_CALL)], NOW
            )
        ]
    finally:
        trail.close()
    publish_once(directory)
    whole = check_whole(directory)
    places = {receipt.event_id: receipt.positions for receipt in again}

    assert all(r.positions == places[r.event_id] for r in receipts), inject
    assert len(whole.leaves["audit"]) == 1 + EVENTS
    whole.check_holds([*receipts, *again], directory)
    assert verify_trail(directory, deep=True).findings == ()
    if not injected:
        assert end == "well", inject
        assert len(receipts) == EVENTS
    elif inject.startswith(("pwrite64", "fdatasync", "fsync", "syncfs", "rename")):
        assert end == "well" or "PhitrailError" in end, (inject, end)
    return injected


@pytest.mark.parametrize(
    "inject",
    [
        "fdatasync:error=EIO:when=3",
        "pwrite64:error=ENOSPC:when=9",
        "syncfs:error=EIO:when=1",
        "rename:error=ENOSPC:when=2",
    ],
)
def test_a_failed_call_loses_nothing(
    children: Children, founded: Path, memory_path: Path, inject: str
) -> None:
    """The kernel says once that a write was lost; whoever misses it acknowledges air."""
    assert check_case(children, copy_trail(founded, memory_path / "trail"), inject)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.skipif(
    not os.environ.get("PHITRAIL_LONG"), reason="set PHITRAIL_LONG=1 to fail every call"
)
@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("call", CALLS)
def test_every_call_may_fail(
    children: Children, founded: Path, memory_path: Path, call: str, error: str
) -> None:
    """The same for the N-th call of every thread, until no thread makes so many."""
    for number in range(1, 10_000, STEP):
        directory = copy_trail(founded, memory_path / str(number))
        inject = f"{call}:error={error}:when={number}"
        if not check_case(children, directory, inject):
            return
        shutil.rmtree(directory)
