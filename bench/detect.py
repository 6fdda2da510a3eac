"""What rules cost: as rows come, over history, with many rules and many keys, beside others.

Every figure is given as wall and as CPU seconds: on a shared machine the second one says more.

    make sigma && make bench PART=detect
    make bench PART=detect ARGS="--only tail --only keys --runs 5"
"""

import argparse
import multiprocessing
import resource
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from bench.detect_latency import latency_of
from bench.detect_peer import (
    CORRELATED,
    SINGLE,
    ask_peer,
    ask_tail,
    has_peer,
    write_lines,
)
from bench.detect_recorder import recorder_cost
from bench.detect_tail import (
    CLASSIC,
    ZONES,
    key_weight,
    made_rules,
    rate_of_files,
    rate_of_made,
    shipped,
    timed,
)
from bench.figures import Spread, print_machine, print_table
from bench.made_tables import make_tables, open_made
from phitrail.app.backtest import MEMORY_MB
from phitrail.app.backtest_rules import Between, History
from phitrail.detect.enrich import Zones
from phitrail.detect.sweep import thresholds_between
from phitrail.detect.typed import Correlation, Rule
from phitrail.projection.segments import Segment

P = ParamSpec("P")
T = TypeVar("T")
RULES = (1, 3, 10, 30, 100, 300)
KEYS = (1_000, 10_000, 100_000, 1_000_000)
PEER_LIMIT_S = 30.0
FIFTEEN = 15


def print_tail(given: argparse.Namespace) -> None:
    """Print how fast the tail judges, by rules."""
    rows = []
    for name, files in (("the classic ones", CLASSIC), ("all shipped", ())):
        taken = [
            alone(rate_of_files, files, given.tail_events) for _ in range(given.runs)
        ]
        rows.append([name, str(len(shipped(files))), *_rates(taken)])
    head = ("rules", "n", "events/s", "events/CPU s")
    print_table(
        "The tail, one core: decoded rows in, one in twenty late, checkpoints",
        head,
        rows,
    )
    rows = []
    for count in RULES:
        taken = [
            alone(rate_of_made, count, given.tail_events // 4)
            for _ in range(given.runs)
        ]
        rows.append(["made rules", str(count), *_rates(taken)])
    print_table("The tail by number of rules", head, rows)


def print_keys(_given: argparse.Namespace) -> None:
    """Print what live keys weigh."""
    rows = []
    for kind in ("event_count", "value_count"):
        for keys in KEYS:
            one = alone(key_weight, kind, keys, 3)
            rows.append([kind, f"{keys:,}", "3", *(f"{v:,.1f}" for v in one.values())])
    print_table(
        "Live keys of one rule",
        ("measure", "keys", "events a key", "bytes a key", "MB live",
         "MB peak, kept and loaded", "events/CPU s", "snapshot MB", "its CPU s",
         "load CPU s"),
        rows,
    )  # fmt: skip


def print_latency(given: argparse.Namespace) -> None:
    """Print how long after an event its alert is durable."""
    rows = [alone(latency_of, rate, given.seconds) for rate in (100, 1_000)]
    print_table(
        "From the receipt of an event to that of its alert",
        ("asked, events/s", "recorded", "alerts", "of", "p50 ms", "p99 ms", "max ms",
         "CPU us an event"),
        rows,
    )  # fmt: skip


def print_recorder(given: argparse.Namespace) -> None:
    """Print what the detector costs who records; runs take turns."""
    taken: dict[bool, list[tuple[float, float, float, float]]] = {True: [], False: []}
    for _ in range(given.runs):
        for is_on in (False, True):
            taken[is_on].append(alone(recorder_cost, is_on, given.seconds / 2))
    print_table(
        "Recording as fast as it goes, 8 callers with 8 events a call",
        ("detector", "events/s", "ack p50 ms", "ack p99 ms", "CPU us an event"),
        [
            [
                "on" if is_on else "off",
                *(
                    Spread.of([one[place] for one in runs]).show(",.1f")
                    for place in range(4)
                ),
            ]
            for is_on, runs in taken.items()
        ],
    )


def print_peer(given: argparse.Namespace) -> None:
    """Print the same rules over the same lines, by pySigma's SQLite backend."""
    if not has_peer():
        print("pySigma on SQLite: left out, its environment is not made (make sigma)")
        return
    rows = []
    with tempfile.TemporaryDirectory(prefix="phitrail-bench-") as place:
        lines = Path(place) / "events.jsonl"
        for name, rule, count in (
            ("one event", SINGLE, given.peer_events),
            ("more than 10 in an hour", CORRELATED, given.peer_events // 10),
            ("more than 10 in an hour", CORRELATED, given.peer_events),
        ):
            write_lines(lines, count)
            ours, episodes = alone(ask_tail, rule, lines)
            rows.append(
                [name, f"{count:,}", "phitrail", f"{count / ours:,.0f}", f"{episodes}"]
            )
            peer = ask_peer(rule, lines, PEER_LIMIT_S)
            rate = f"{count / peer.cpu_s:,.0f}"
            if peer.failed:
                rate = f"did not finish in {PEER_LIMIT_S:.0f} CPU s"
            rows.append([name, f"{count:,}", "pySigma, SQLite", rate, f"{peer.found}"])
    print_table(
        "From JSON lines to what is found",
        ("rule", "events", "by", "events/CPU s", "found: episodes; theirs: rows"),
        rows,
    )


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


def print_history(given: argparse.Namespace) -> None:
    """Print what backtests of shipped and of made rules take."""
    with tempfile.TemporaryDirectory(dir=given.dir, prefix="phitrail-bench-") as place:
        made = Path(place) / "tables"
        segments = alone(make_tables, made, given.events)
        every = shipped()
        fifteen = (*shipped(CLASSIC), *(r for r in every if isinstance(r, Correlation)))
        fifteen = tuple(dict.fromkeys(fifteen))[:FIFTEEN]
        sets: list[tuple[str, tuple[Rule, ...], tuple[int, ...], int]] = [
            ("15 of the shipped ones", fifteen, (), given.runs),
            ("the 15 with a sweep 50..500", fifteen, thresholds_between(50, 500), 1),
            ("all shipped", every, (), 1),
        ]
        rows = []
        for name, rules, thresholds, runs in sets:
            taken = [
                alone(backtest_once, made, segments, rules, thresholds)
                for _ in range(runs)
            ]
            rows.append([name, str(len(rules)), *_shown(taken)])
        print_table(f"Backtest over {segments[-1].end:,} events", _HEAD, rows)
        small = segments[:1]
        rows = []
        for count in RULES:
            taken = [alone(backtest_once, made, small, made_rules(count))]
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


def _rates(taken: Sequence[tuple[float, float]]) -> list[str]:
    return [Spread.of([one[place] for one in taken]).show() for place in range(2)]


def alone(call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Call in a process of its own, so that the memory of one part is not another's."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(call, *arguments, **named).result()


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "tail": print_tail,
    "keys": print_keys,
    "latency": print_latency,
    "recorder": print_recorder,
    "peer": print_peer,
    "history": print_history,
}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=list(PARTS), default=[])
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--tail-events", type=int, default=200_000)
    parser.add_argument("--peer-events", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--dir", type=Path, default=None)
    given = parser.parse_args()
    print_machine()
    for name in given.only or PARTS:
        PARTS[name](given)
    print_machine()


if __name__ == "__main__":
    main()
