"""What judging costs who records: the same events with the detector on and off, in turn.

A process records calls of `IN_A_CALL` events from `CALLERS` threads for some seconds; the
detector is a thread of the same process. Each run has a fresh trail; runs take turns.
"""

import resource
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import yaml

from bench.detect_latency import wait_for_rules
from bench.figures import percentile
from phitrail.app.founding import found_trail
from phitrail.events.audit import AuditEvent
from phitrail.events.canonical import CallerRecord
from phitrail.events.codes import EventType
from phitrail.sdk.connect import connect

CALLERS = 8
IN_A_CALL = 8
USERS = 5_000


def recorder_cost(is_on: bool, seconds: float) -> tuple[float, float, float, float]:
    """Record as fast as it goes; give events/s, ack p50 and p99 ms, CPU us an event."""
    with tempfile.TemporaryDirectory(prefix="phitrail-bench-") as place:
        directory = Path(place) / "trail"
        found_trail(directory, "bench.example", datetime.now(UTC))
        policy = directory / "policy.yaml"
        settled = yaml.safe_load(policy.read_text()) or {}
        settled["detect"] = {"is_on": is_on}
        policy.write_text(yaml.safe_dump(settled))
        return _record(directory, seconds, is_on=is_on)


def _record(
    directory: Path, seconds: float, *, is_on: bool
) -> tuple[float, float, float, float]:
    acks: list[float] = []
    with connect(directory) as trail:
        trail.record_many(_events(0))
        if is_on:
            wait_for_rules(directory)
        began, used = time.perf_counter(), _cpu()

        def call(caller: int) -> None:
            number = caller
            while time.perf_counter() - began < seconds:
                asked = time.perf_counter()
                trail.record_many(_events(number))
                acks.append(time.perf_counter() - asked)
                number += CALLERS

        callers = [threading.Thread(target=call, args=(n,)) for n in range(CALLERS)]
        for one in callers:
            one.start()
        for one in callers:
            one.join()
        wall, spent = time.perf_counter() - began, _cpu() - used
    acks.sort()
    count = len(acks) * IN_A_CALL
    return (
        count / wall,
        percentile(acks, 0.5) * 1e3,
        percentile(acks, 0.99) * 1e3,
        spent / count * 1e6,
    )


def _events(number: int) -> list[CallerRecord]:
    users = [(number * IN_A_CALL + n) % USERS for n in range(IN_A_CALL)]
    return [
        AuditEvent(
            event_type=EventType.PHI_READ,
            user_id=f"dr-{user}",
            source_ip=f"10.0.{user // 250}.{user % 250}",  # a desk each: no alerts
        )
        for user in users
    ]


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
