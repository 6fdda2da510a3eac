"""A program whose refused sign-ins are judged, in a process of its own.

Arguments: the trail, and the first number to record. A number is three refusals of one user,
and each line out is a number whose events are durable. It goes on until it is killed, or until
its standard input ends.

Without a number it is a nursery: for each number on its standard input it forks such a program,
which has all its code and rules loaded, says `pid` and its id, and `gone` once it is dead. The
state of detection is kept often, so that kills meet that too.
"""

import os
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from phitrail.app import detecting
from phitrail.app.rules import rules_of
from phitrail.events.codes import EventType
from phitrail.events.ids import new_uuid7
from phitrail.events.security import SecurityEvent
from phitrail.sdk.connect import connect

REFUSALS = 3
SNAPSHOT_EVERY_US = 50_000
FIRST = 1_000_000_000
EACH = "0d6d4a4e-7df3-4f0b-8d5b-5a3d6e7f0a01"
MANY = "0d6d4a4e-7df3-4f0b-8d5b-5a3d6e7f0a02"
RULES = f"""
title: A refusal
id: {EACH}
name: refusal
logsource: {{product: phitrail, service: security}}
detection:
  refused: {{event_type: session_denied}}
  condition: refused
level: low
---
title: Two refusals of one user
id: {MANY}
correlation:
  type: event_count
  rules: [refusal]
  group-by: [user_id]
  timespan: 10m
  condition: {{gte: {REFUSALS - 1}}}
  generate: true
level: medium
"""


SPANS = ("1h", "2h")


def rules_with(span: str) -> str:
    """Write the rules with another span."""
    return RULES.replace("timespan: 10m", f"timespan: {span}")


def refusals(number: int) -> Sequence[SecurityEvent]:
    """Give the events of a number: the same whenever it is asked for."""
    begun = datetime(2026, 11, 21, tzinfo=UTC)
    return [
        SecurityEvent(
            event_type=EventType.SESSION_DENIED,
            event_id=new_uuid7(begun, (number * REFUSALS + one).to_bytes(10, "big")),
            user_id=f"user-{number}",
        )
        for one in range(REFUSALS)
    ]


def main(directory: Path, number: int) -> None:
    """Record until told to stop."""
    stop = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    sys.stdout.write("ready\n")
    record(directory, number, stop.is_set)


def record(directory: Path, number: int, is_over: Callable[[], bool]) -> None:
    """Record numbers until it is over."""
    with connect(directory) as trail:
        while not is_over():
            trail.record_many(refusals(number))
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()
            number += 1


def nurse(directory: Path) -> None:
    """Fork a program for each number that is asked for."""
    detecting.SNAPSHOT_EVERY_US = SNAPSHOT_EVERY_US
    for span in ("10m", *SPANS):  # what is loaded here, no child loads
        rules_of((("rules/refusals.yml", rules_with(span).encode()),))
    with connect(directory) as trail:
        trail.record_many(refusals(FIRST))
    parent = os.getpid()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            record(directory, int(line), lambda: os.getppid() != parent)
            os._exit(0)
        sys.stdout.write(f"pid {child}\n")
        sys.stdout.flush()
        os.waitpid(child, 0)
        sys.stdout.write("gone\n")
        sys.stdout.flush()


if __name__ == "__main__":
    if len(sys.argv) > 2:
        main(Path(sys.argv[1]), int(sys.argv[2]))
    else:
        nurse(Path(sys.argv[1]))
