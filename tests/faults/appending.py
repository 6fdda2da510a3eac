"""A process that forks a child for each trail named on standard input.

The child waits for SIGUSR1, so that strace can attach first; then it opens the trail,
records 30 events in calls of three, publishes and closes. It says each receipt once the
event is durable, and last how it ended. All imports are done before the fork, so that what
strace fails is the work and not the start of Python.
"""

import os
import signal
import sys
from pathlib import Path

from tests.trails import NOW, phi_read

from phitrail.app.wiring import open_trail

EVENTS = 30
IN_A_CALL = 3


def say(line: str) -> None:
    """Write one line at once."""
    os.write(1, line.encode() + b"\n")


def append(directory: Path) -> None:
    """Do the work, saying each receipt."""
    trail = open_trail(directory)
    lease = trail.lease()
    try:
        for first in range(0, EVENTS, IN_A_CALL):
            records = [phi_read(n) for n in range(first, first + IN_A_CALL)]
            for receipt in trail.recorder.record_many(records, NOW):
                say("receipt " + receipt.to_json().decode())
        if lease.try_acquire():
            publisher = trail.publisher()
            try:
                publisher.publish()
                publisher.fold()
            finally:
                publisher.close()
    finally:
        lease.close()
        trail.close()


def run_child(directory: Path) -> None:
    """Wait for the signal, work, and say how it ended."""
    signal.sigwait([signal.SIGUSR1])
    try:
        append(directory)
    except Exception as error:  # noqa: BLE001 - the test judges what it was
        say("failed " + ",".join(kind.__name__ for kind in type(error).mro()))
    else:
        say("well")


def main() -> None:
    """Fork a child for each line, and say when it is gone."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                run_child(Path(line.strip()))
            finally:
                os._exit(0)
        say(f"child {child}")
        os.waitpid(child, 0)
        say("gone")


if __name__ == "__main__":
    main()
