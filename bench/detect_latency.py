"""How long after an event is durable its alert is durable: python -m bench.detect_latency.

A program records at a fixed rate while it judges; every fiftieth number is three refused
sign-ins of one user, which a rule of the house makes an alert of. The time is from the receipt
of the third to the receipt of the alert, as the log itself says (`received_at`, milliseconds).
CPU is that of the whole process, the recording included.
"""

import argparse
import resource
import statistics
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from phitrail.app.founding import found_trail
from phitrail.app.wiring import open_trail
from phitrail.events.alert import Alert
from phitrail.events.audit import AuditEvent
from phitrail.events.canonical import CallerRecord, decode_leaf
from phitrail.events.codes import AlertState, EventType, Log
from phitrail.events.ids import parse_time
from phitrail.events.security import SecurityEvent
from phitrail.sdk.connect import connect

RULE = "5a6f2a52-9d52-4d0c-9a19-1f5a3f0e7c01"
RULES = f"""
title: A refusal
id: 5a6f2a52-9d52-4d0c-9a19-1f5a3f0e7c00
name: refusal
logsource: {{product: phitrail, service: security}}
detection:
  refused: {{event_type: session_denied}}
  condition: refused
level: low
---
title: Three refusals of one user
id: {RULE}
correlation:
  type: event_count
  rules: [refusal]
  group-by: [user_id]
  timespan: 5m
  condition: {{gte: 3}}
level: medium
"""
IN_A_CALL = 10


def record(directory: Path, rate: int, seconds: float) -> tuple[int, float, float]:
    """Record at a rate; give how many events, the wall time and the CPU time."""
    begun, used = time.monotonic(), _cpu()
    with connect(directory) as trail:
        trail.record(SecurityEvent(event_type=EventType.SESSION_DENIED, user_id="warm"))
        time.sleep(3)  # rules are read when there is something to judge
        begun, used = time.monotonic(), _cpu()
        count = call = 0
        while (elapsed := time.monotonic() - begun) < seconds:
            if count > elapsed * rate:
                time.sleep(0.001)
                continue
            call += 1
            trail.record_many(_events(call))
            count += IN_A_CALL
        time.sleep(1)
        return count, time.monotonic() - begun, _cpu() - used


def _events(call: int) -> list[CallerRecord]:
    if call % 5 == 0:
        refused = [
            SecurityEvent(event_type=EventType.SESSION_DENIED, user_id=f"user-{call}")
            for _ in range(3)
        ]
        return [*_reads(call, IN_A_CALL - 3), *refused]
    return [*_reads(call, IN_A_CALL)]


def _reads(call: int, count: int) -> list[CallerRecord]:
    return [
        AuditEvent(event_type=EventType.PHI_READ, user_id=f"dr-{(call + n) % 400}")
        for n in range(count)
    ]


def latencies_ms(directory: Path) -> list[float]:
    """Read how long each alert took, in milliseconds."""
    third: dict[str, datetime] = {}
    found = []
    with (
        closing(open_trail(directory)) as trail,
        closing(trail.reader(Log.SECURITY)) as reader,
    ):
        for leaf in reader.entries(1, reader.size()):
            one = decode_leaf(leaf)
            if isinstance(one, SecurityEvent) and one.user_id and one.received_at:
                third[one.user_id] = parse_time(one.received_at)
            elif isinstance(one, Alert) and _is_opening(one):
                took = parse_time(one.received_at or "") - third[one.user_id or ""]
                found.append(took.total_seconds() * 1_000)
    return found


def _is_opening(alert: Alert) -> bool:
    return alert.rule_id == RULE and alert.state == AlertState.OPEN


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Run it and print one line a rate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", type=int, nargs="+", default=[100, 1_000])
    parser.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args()
    for rate in given.rates:
        with tempfile.TemporaryDirectory(prefix="phitrail-bench-") as place:
            directory = Path(place) / "trail"
            found_trail(directory, "bench.example", datetime.now(UTC))
            (directory / "rules").mkdir()
            (directory / "rules" / "bench.yml").write_text(RULES)
            count, wall_s, cpu_s = record(directory, rate, given.seconds)
            times = sorted(latencies_ms(directory))
            expected = count // IN_A_CALL // 5
            p99 = times[min(len(times) - 1, int(len(times) * 0.99))]
            sys.stdout.write(
                f"{rate} events/s asked, {count / wall_s:.0f} recorded: {len(times)} of "
                f"{expected} alerts; ms p50 {statistics.median(times):.0f}, p99 {p99:.0f}, "
                f"max {times[-1]:.0f}; {1e6 * cpu_s / count:.0f} us CPU an event\n"
            )


if __name__ == "__main__":
    main()
