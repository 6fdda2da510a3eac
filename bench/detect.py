"""What rules cost: over history, as rows come, with many rules and many keys.

Every figure is given as wall and as CPU seconds: on a shared machine the second one says more.

    make bench PART=detect ARGS="--events 10000000 --runs 3"
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from bench.clinic_leaves import leaves
from bench.figures import Spread, print_machine, print_table
from bench.made_tables import make_tables, open_made
from phitrail.app.backtest import MEMORY_MB
from phitrail.app.backtest_rules import Between, History
from phitrail.detect.enrich import Zones
from phitrail.detect.packaged import packaged_rules
from phitrail.detect.row import Row, instant_of
from phitrail.detect.rule import read_rules
from phitrail.detect.sweep import thresholds_between
from phitrail.detect.tail import Tail
from phitrail.detect.typed import Correlation, Rule
from phitrail.events.canonical import LeafRecord, decode_leaf
from phitrail.events.codes import Log
from phitrail.projection.segments import Segment

P = ParamSpec("P")
T = TypeVar("T")
ZONES = {"main": "America/New_York", "east": "America/New_York"}
CLASSIC = ("injection", "phi_accesses", "phi_output", "after_hours")
"""Files of the four classic rules, in all their forms."""
LATENESS_US = 120_000_000
ADVANCE_EVERY = 1_000


def cpu_s() -> float:
    """Say how much processor time this process took."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """Call; give wall and CPU seconds."""
    began, used = time.perf_counter(), cpu_s()
    call()
    return time.perf_counter() - began, cpu_s() - used


def shipped(files: Sequence[str] = ()) -> tuple[Rule, ...]:
    """Read the rules that come with phitrail, or those of some files."""
    read = read_rules(packaged_rules()).judged()
    if not files:
        return read
    return tuple(r for r in read if Path(r.head.place.file).stem in files)


def made_rules(count: int) -> tuple[Rule, ...]:
    """Make rules that differ in what they select, group by and count."""
    types = ("phi_read", "phi_export", "access_closed", "phi_access_denied")
    groups = ("user_id", "source_ip", "department", "use_case")
    parts = []
    for number in range(count):
        kind, group = types[number % 4], groups[number // 4 % 4]
        name = f"r{number}"
        parts.append(
            f"title: {name}\nid: {uuid.uuid5(uuid.NAMESPACE_DNS, name)}\nname: {name}\n"
            "logsource: {product: phitrail, service: audit}\ndetection:\n"
            f"  one: {{event_type: {kind}, use_case: [chart_qa, triage]}}\n"
            f"  two: {{session_id|endswith: '{number % 10}'}}\n  condition: one and not two\n"
        )
        parts.append(
            f"title: c{number}\nid: {uuid.uuid5(uuid.NAMESPACE_DNS, 'c' + name)}\n"
            f"correlation:\n  type: event_count\n  rules: [{name}]\n"
            f"  group-by: [{group}]\n  timespan: 1h\n"
            f"  condition: {{gt: {500 * (1 + number % 7)}}}\n"
        )
    return read_rules([("made.yml", "---\n".join(parts).encode())]).judged()


# --- history ---


def backtest_once(
    directory: Path,
    segments: tuple[Segment, ...],
    rules: tuple[Rule, ...],
    thresholds: tuple[int, ...] = (),
) -> tuple[float, float, float, float, float]:
    """Judge rules; give wall and CPU seconds of scan and of rules, and peak MB."""
    tables = open_made(directory, segments, memory_mb=MEMORY_MB)
    try:
        history = History(tables, Zones(ZONES), Between())
        scan = timed(lambda: history.scan(rules))
        history.read_recorded()
        judged = timed(
            lambda: [history.judge(rule, thresholds=thresholds) for rule in rules]
        )
    finally:
        tables.close()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (*scan, *judged, peak_mb)


def print_history(directory: Path, events: int, runs: int) -> None:
    """Print what backtests of shipped and of made rules take."""
    made = directory / "tables"
    segments = alone(make_tables, made, events)
    every = shipped()
    fifteen = (*shipped(CLASSIC), *(r for r in every if isinstance(r, Correlation)))
    fifteen = tuple(dict.fromkeys(fifteen))[:15]
    sets: list[tuple[str, tuple[Rule, ...], tuple[int, ...]]] = [
        ("the classic ones", shipped(CLASSIC), ()),
        ("15 of the shipped ones", fifteen, ()),
        ("the 15 with a sweep 50..500", fifteen, thresholds_between(50, 500)),
        ("all shipped", every, ()),
    ]
    rows = []
    for name, rules, thresholds in sets:
        taken = [
            alone(backtest_once, made, segments, rules, thresholds) for _ in range(runs)
        ]
        rows.append([name, str(len(rules)), *_shown(taken)])
    print_table(f"Backtest over {segments[-1].end:,} events", _HEAD, rows)
    small = tuple(s for s in segments if s.end <= max(segments[0].end, events // 10))
    rows = []
    for count in (1, 10, 100, 300):
        rules = made_rules(count)
        taken = [alone(backtest_once, made, small, rules) for _ in range(runs)]
        rows.append([f"{count} made rules", str(count), *_shown(taken)])
    print_table(f"Growth with rules, over {small[-1].end:,} events", _HEAD, rows)


_HEAD = ("rules", "n", "total s", "total CPU s", "scan s", "scan CPU s", "peak MB")


def _shown(taken: Sequence[tuple[float, float, float, float, float]]) -> list[str]:
    figures = [
        [scan + judged for scan, _, judged, _, _ in taken],
        [scan + judged for _, scan, _, judged, _ in taken],
        [one[0] for one in taken],
        [one[1] for one in taken],
    ]
    peak = max(one[4] for one in taken)
    return [*(Spread.of(each).show(",.1f") for each in figures), f"{peak:,.0f}"]


# --- the tail ---


def rows_of(count: int) -> list[tuple[int, str, LeafRecord]]:
    """Decode leaves of a clinic with ten events a second."""
    found = []
    for leaf in leaves(0, count, 300_000_000):
        record = decode_leaf(leaf)
        at_us = instant_of(record)
        assert at_us is not None
        found.append((at_us, str(getattr(record, "event_id", "")), record))
    return found


def tail_rate(files: Sequence[str], count: int) -> tuple[float, float]:
    """Judge rows with ids, watermark and all; give events a second, wall and CPU."""
    given, zones = rows_of(count), Zones(ZONES)
    tail = Tail(shipped(files))

    def judge() -> None:
        for number, (at_us, event_id, record) in enumerate(given):
            tail.take(Log.AUDIT, at_us, event_id, Row(record, at_us, zones))
            if number % ADVANCE_EVERY == 0:
                tail.advance(at_us - LATENESS_US)

    wall, used = timed(judge)
    return count / wall, count / used


def key_bytes(kind: str, keys: int, each: int) -> tuple[float, float]:
    """Give a rule so many live keys with so many events each; bytes a key, events a CPU s."""
    over = ", field: patient" if kind == "value_count" else ""
    text = (
        "title: a\nid: 6cf9b0b8-5c3a-4c0e-9d5c-0d8a35a9d001\nname: a\n"
        "logsource: {product: phitrail, service: audit}\n"
        "detection: {s: {event_type: phi_read}, condition: s}\n---\n"
        "title: b\nid: 6cf9b0b8-5c3a-4c0e-9d5c-0d8a35a9d002\n"
        f"correlation: {{type: {kind}, rules: [a], group-by: [user_id], timespan: 1h, "
        f"condition: {{gt: 200{over}}}}}\n"
    )
    tail = Tail(read_rules([("r", text.encode())]).judged(), most_groups=keys + 1)
    before = resident()

    def feed() -> None:
        for number in range(keys * each):
            row = {
                "event_type": "phi_read",
                "user_id": f"user-{number % keys:07d}",
                "patient": (f"patient-{number % 1000}",),
            }
            # Parts of an event, so that no id is kept: windows alone are weighed.
            tail.take(Log.AUDIT, number, f"{number}", row, is_part=True)

    _, used = timed(feed)
    return (resident() - before) / keys, keys * each / used


def resident() -> int:
    """Say how many bytes of memory this process holds now."""
    with Path("/proc/self/statm").open(encoding="ascii") as state:
        return int(state.read().split()[1]) * resource.getpagesize()


def print_tail(runs: int, count: int) -> None:
    """Print how fast the tail judges, and what keys weigh."""
    rows = []
    for name, files in (("the classic ones", CLASSIC), ("all shipped", ())):
        taken = [alone(tail_rate, files, count) for _ in range(runs)]
        rows.append(
            [
                name,
                str(len(shipped(files))),
                Spread.of([one[0] for one in taken]).show(),
                Spread.of([one[1] for one in taken]).show(),
            ]
        )
    print_table(
        "The tail, one core: decoded rows in, ids and watermark at work",
        ("rules", "n", "events/s", "events/CPU s"),
        rows,
    )
    rows = []
    for kind in ("event_count", "value_count"):
        for keys, each in ((10_000, 3), (100_000, 3), (1_000_000, 1), (1_000_000, 3)):
            weight, rate = alone(key_bytes, kind, keys, each)
            rows.append(
                [kind, f"{keys:,}", str(each), f"{weight:,.0f}", f"{weight * keys / 1e6:,.0f}",
                 f"{rate:,.0f}"]
            )  # fmt: skip
    print_table(
        "Live keys of one rule",
        ("measure", "keys", "events a key", "bytes a key", "MB", "events/CPU s"),
        rows,
    )


def alone(call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Call in a process of its own, so that the memory of one part is not another's."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(call, *arguments, **named).result()


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--tail-events", type=int, default=300_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--dir", type=Path, default=None)
    given = parser.parse_args()
    print_machine()
    print_tail(given.runs, given.tail_events)
    with tempfile.TemporaryDirectory(dir=given.dir, prefix="phitrail-bench-") as place:
        print_history(Path(place), given.events, given.runs)
    print_machine()


if __name__ == "__main__":
    main()
