"""Writers in processes of their own, and what they said before they died."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from phitrail.tlog.receipt import Receipt

ROOT = Path(__file__).parents[2]


class Writer:
    """A running `tests.faults.writer`, or another module that speaks as it does."""

    def __init__(
        self, directory: Path, start: int, module: str = "tests.faults.writer"
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, str(directory), str(start)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.receipts: dict[int, Receipt] = {}
        assert self._out.readline() == "ready\n"

    @property
    def _out(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout

    def _take(self, line: str) -> None:
        if line.endswith("\n"):  # the last line of the dead may be cut
            number, written = line.split(" ", 1)
            self.receipts[int(number)] = Receipt.from_json(written.encode())

    def read(self, count: int) -> None:
        """Read so many more receipts."""
        for _ in range(count):
            self._take(self._out.readline())

    def kill(self) -> None:
        """Kill -9, then read what it had said before."""
        self.process.send_signal(signal.SIGKILL)
        self._drain()

    def stop(self) -> None:
        """Let it finish what it does, and read the rest."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self._drain()
        assert self.process.returncode == 0

    def _drain(self) -> None:
        for line in self._out:
            self._take(line)
        self._out.close()
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()


@contextmanager
def writing(
    directory: Path, start: int, module: str = "tests.faults.writer"
) -> Iterator[Writer]:
    """Start a writer; whatever happens, it does not outlive the block."""
    writer = Writer(directory, start, module)
    try:
        yield writer
    finally:
        if writer.process.poll() is None:
            writer.kill()
