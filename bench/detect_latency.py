"""How long after an event is durable its alert is durable (`make bench PART=detect`).

A program records at a fixed rate while it judges; every fiftieth event or so ends three refused
sign-ins of one user, which a rule of the house makes an alert of. The time is from the moment
that the third is acknowledged, so durable, until the alert is found in the journal by somebody
who looks every `LOOK_EVERY_S`. CPU is that of the whole process, the recording included.
"""

import resource
import statistics
import tempfile
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from bench.figures import percentile
from phitrail.app.detect_state import read_report
from phitrail.app.founding import found_trail
from phitrail.app.wiring import open_trail
from phitrail.events.alert import Alert
from phitrail.events.audit import AuditEvent
from phitrail.events.canonical import CallerRecord, decode_leaf
from phitrail.events.codes import AlertState, EventType, Log
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
LOOK_EVERY_S = 0.005


def record(
    directory: Path, rate: int, seconds: float
) -> tuple[int, float, float, list[float]]:
    """Record at a rate; give how many events, wall and CPU time, ms to each alert."""
    acked: dict[str, float] = {}
    seen: dict[str, float] = {}
    is_over = threading.Event()
    watch = threading.Thread(target=_watch, args=(directory, seen, is_over))
    with connect(directory) as trail:
        trail.record(SecurityEvent(event_type=EventType.SESSION_DENIED, user_id="warm"))
        wait_for_rules(directory)
        watch.start()
        begun, used = time.monotonic(), _cpu()
        count = call = 0
        while (elapsed := time.monotonic() - begun) < seconds:
            if count > elapsed * rate:
                time.sleep(0.001)
                continue
            call += 1
            trail.record_many(_events(call))
            acked[f"user-{call}"] = time.monotonic()
            count += IN_A_CALL
        wall, spent = time.monotonic() - begun, _cpu() - used
        time.sleep(1)
        is_over.set()
        watch.join()
    return count, wall, spent, sorted((at - acked[u]) * 1e3 for u, at in seen.items())


def wait_for_rules(directory: Path) -> None:
    """Wait until rules are read and judge: that is when there is something to judge."""
    while read_report(directory) is None:
        time.sleep(0.1)


def _watch(directory: Path, seen: dict[str, float], is_over: threading.Event) -> None:
    """Note when the alert of each user stands in the log, looking every few milliseconds."""
    with (
        closing(open_trail(directory)) as trail,
        closing(trail.reader(Log.SECURITY)) as reader,
        closing(trail.journal()) as journal,
    ):
        known = journal.head(Log.SECURITY.value).size
        while not is_over.wait(LOOK_EVERY_S):
            size, now = journal.head(Log.SECURITY.value).size, time.monotonic()
            for leaf in reader.entries(known, size) if size > known else ():
                one = decode_leaf(leaf)
                if isinstance(one, Alert) and _is_opening(one) and one.user_id:
                    seen.setdefault(one.user_id, now)
            known = size


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


def _is_opening(alert: Alert) -> bool:
    return alert.rule_id == RULE and alert.state == AlertState.OPEN


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def latency_of(rate: int, seconds: float) -> list[str]:
    """Record at a rate; give what is asked and recorded, alerts, their times, CPU."""
    with tempfile.TemporaryDirectory(prefix="phitrail-bench-") as place:
        directory = Path(place) / "trail"
        found_trail(directory, "bench.example", datetime.now(UTC))
        (directory / "rules").mkdir()
        (directory / "rules" / "bench.yml").write_text(RULES)
        count, wall_s, cpu_s, times = record(directory, rate, seconds)
    return [
        f"{rate:,}",
        f"{count / wall_s:,.0f}",
        str(len(times)),
        str(count // IN_A_CALL // 5),
        f"{statistics.median(times):.0f}",
        f"{percentile(times, 0.99):.0f}",
        f"{times[-1]:.0f}",
        f"{1e6 * cpu_s / count:.0f}",
    ]
