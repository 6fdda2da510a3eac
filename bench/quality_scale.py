"""Metrics over millions of requests: seconds, memory, cells, and folding.

    make bench PART=quality ARGS="--part scale --requests 10000000"

The tables are made up (`bench.made_quality`) and written by the writer of segments; they
are asked as `quality summary` asks them, with the ratings joined as they stand in the log.
Each question is asked in a process of its own, whose greatest resident memory is told. The
plain way (`bench.plain_quality`) is timed beside it at `--plain` requests, from lines of
JSON on disk and from objects that are there already; both give the same numbers, or the
run stops. Files are in the page cache. With `--dir` the tables are kept there.
"""

import argparse
import json
import math
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import ParamSpec, TypeVar

import msgspec

from bench import plain_quality as plain
from bench.figures import Spread, print_machine, print_table, yardstick_us
from bench.made_quality import DAYS, START, make_tables, open_made, rows_of
from phitrail.durable.files import DurableFiles
from phitrail.events.codes import FinishReason, GuardDecision, Log
from phitrail.events.ids import format_time, new_uuid7
from phitrail.events.quality import QualityEntry
from phitrail.projection.fold import Folder, connect
from phitrail.projection.follower import REBUILT_ROWS, build_segment, read_range
from phitrail.projection.segments import ManifestSeal, Segment, SegmentStore
from phitrail.quality.as_of import AsOf
from phitrail.quality.metric import CLASSIC, METRICS, Kind
from phitrail.quality.sql import Scope
from phitrail.quality.summary import Summary, summarize
from phitrail.quality.windows import parse_grouping

P = ParamSpec("P")
T = TypeVar("T")
TABLES = "state/tables/quality"
SEGMENTS = msgspec.json.Decoder(tuple[Segment, ...])
MEMORY_MB = 256
FOLDED = 262_144
END = START + timedelta(days=DAYS + 4)
NINE = Scope(view=AsOf(END), metrics=CLASSIC)
QUESTIONS = {
    "nine metrics": NINE,
    "nine metrics, ratings of three days": Scope(
        view=AsOf(END, timedelta(days=3)), metrics=CLASSIC
    ),
    "nine metrics, 1,620 cells": Scope(
        view=AsOf(END),
        metrics=CLASSIC,
        grouping=parse_grouping(["day", "model-version", "use-case"]),
    ),
    "all eighteen": Scope(view=AsOf(END)),
}


def alone(call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Call in a process of its own, so that the memory of one part is not another's."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(call, *arguments, **named).result()


def taken(call: Callable[[], T]) -> tuple[T, float, float]:
    """Time one call: what it gives, seconds of the wall and of the processors."""
    began, used = time.perf_counter(), time.process_time()
    given = call()
    return given, time.perf_counter() - began, time.process_time() - used


def kept_tables(root: Path, requests: int) -> tuple[Path, tuple[Segment, ...]]:
    """Give the tables of a size, made where they are not there yet."""
    place = root / f"quality-{requests}"
    known = place / "segments.json"
    if not known.exists():
        made, wall_s, _ = taken(lambda: alone(make_tables, place, requests))
        known.write_bytes(msgspec.json.encode(made))
        print(f"made tables of {requests:,} requests in {wall_s:.0f} s", flush=True)
    return place / TABLES, SEGMENTS.decode(known.read_bytes())


# --- asking ---


def ask(place: Path, segments: tuple[Segment, ...], name: str, runs: int) -> list[str]:
    """Ask one question some times; give the row of the table."""
    tables = open_made(place, segments, memory_mb=MEMORY_MB)
    walls, processors, cells = [], [], 0
    for _ in range(runs):
        found, wall_s, cpu_s = taken(lambda: summarize(tables, QUESTIONS[name]))
        walls.append(wall_s)
        processors.append(cpu_s)
        cells = len(found.cells)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        name,
        f"{cells:,}",
        Spread.of(walls).show(",.2f"),
        Spread.of(processors).show(",.2f"),
        f"{peak:,.0f}",
        f"{yardstick_us():.2f}",
    ]


# --- the plain way ---


def write_lines(place: Path, segments: tuple[Segment, ...], lines: Path) -> None:
    """Write what the plain way needs as lines of JSON, as small as they can be."""
    columns = (
        "request_id, latency_us, cache_hit, content_filtered, disclaimer_present, "
        "citation_count, top_retrieval_score_e6, rater, value"
    )
    with lines.open("w", encoding="utf-8") as file:
        for batch in rows_of(place, segments, columns):
            for row in batch.to_pylist():
                known = {name: one for name, one in row.items() if one is not None}
                file.write(json.dumps(known) + "\n")


def compare(place: Path, segments: tuple[Segment, ...], lines: Path) -> list[list[str]]:
    """Measure in both ways; stop where they differ."""
    tables = open_made(place, segments, memory_mb=MEMORY_MB)
    found, ours_s, _ = taken(lambda: summarize(tables, NINE))
    rows, read_s, _ = taken(lambda: plain.read_lines(lines))
    known, counted_s, _ = taken(lambda: plain.nine(rows))
    _check_same(found, known)

    def times(seconds: float) -> str:
        return f"{seconds / ours_s:.1f}"

    return [
        ["phitrail, from Parquet", f"{ours_s:.2f}", "1"],
        ["plain, objects that are there", f"{counted_s:.2f}", times(counted_s)],
        [
            "plain, from lines of JSON",
            f"{read_s + counted_s:.2f}",
            times(read_s + counted_s),
        ],
    ]


def _check_same(found: Summary, known: dict[str, float | int | None]) -> None:
    (cell,) = found.cells
    for name, one in cell.measured.items():
        ours = one.n if METRICS[name].kind is Kind.COUNT else one.value
        theirs = known[name.value]
        if ours is None or theirs is None or not math.isclose(ours, theirs):
            raise SystemExit(f"{name}: {ours} here, {theirs} in plain Python")


# --- folding ---


def leaves(count: int) -> list[bytes]:
    """Make leaves of requests with every field that a metric reads."""
    made = []
    for n in range(count):
        at = START + timedelta(milliseconds=311 * n)
        entry = QualityEntry(
            request_id=new_uuid7(at),
            event_id=new_uuid7(at),
            timestamp_utc=format_time(at),
            received_at=format_time(at),
            model_id="model-a",
            model_version=f"2026-0{n % 3 + 1}",
            provider="azure",
            use_case=("chart_qa", "triage", "coding")[n % 3],
            facility_id="main",
            input_tokens=200 + n % 3000,
            output_tokens=20 + n % 600,
            cache_read_tokens=n % 500,
            latency_us=300_000 + n * 7919 % 4_000_000,
            time_to_first_token_us=100_000 + n * 31 % 500_000,
            retrieved_document_hashes=tuple(
                f"hmac-sha256:1:{'x' * 37}{n % 1_000_000:06}" for _ in range(3)
            ),
            retrieved_count=3,
            retrieval_scores_e6=(910_000, 800_000, 700_000),
            top_retrieval_score_e6=910_000,
            cache_hit=n % 5 == 0,
            finish_reason=FinishReason.STOP,
            content_filtered=False,
            disclaimer_present=True,
            refused=False,
            citation_count=n % 5,
            guard_decision=GuardDecision.RELEASE,
            nonce="A" * 22,
        )
        made.append(msgspec.json.encode(entry))
    return made


def fold() -> list[list[str]]:
    """Fold leaves into rows, and into a durable segment."""
    made = leaves(FOLDED)

    class Made:
        def size(self) -> int:
            return len(made)

        def entries(self, start: int, end: int) -> Sequence[bytes]:
            return made[start:end]

    with tempfile.TemporaryDirectory() as directory:
        seal = ManifestSeal(lambda p, _: p, lambda e, _: e, b"")
        store = SegmentStore(Log.QUALITY, DurableFiles(Path(directory)), seal)
        spill = Path(directory) / "spill"
        folder = Folder(Log.QUALITY, connect(threads=2, memory_mb=400, spill=spill))
        _, tail_s, tail_cpu_s = taken(lambda: read_range(Made(), folder, 0, FOLDED))  # type: ignore[arg-type]
        segments, whole_s, whole_cpu_s = taken(
            lambda: [
                build_segment(
                    Made(),  # type: ignore[arg-type]
                    folder,
                    store,
                    at,
                    min(at + REBUILT_ROWS, FOLDED),
                )
                for at in range(0, FOLDED, REBUILT_ROWS)
            ]
        )
        size = sum(file.size_bytes for s in segments for file in s.events)
    bytes_a_leaf = sum(map(len, made)) / FOLDED
    return [
        [
            what,
            f"{FOLDED / wall_s:,.0f}",
            f"{1e6 * cpu_s / FOLDED:.2f}",
            f"{bytes_a_leaf:,.0f}",
            f"{size / FOLDED:,.0f}",
        ]
        for what, wall_s, cpu_s in (
            ("into rows", tail_s, tail_cpu_s),
            ("into a durable segment", whole_s, whole_cpu_s),
        )
    ]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000_000)
    parser.add_argument("--plain", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--dir", type=Path, default=None)
    given = parser.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory() as directory:
        root = given.dir or Path(directory)
        place, segments = kept_tables(root, given.requests)
        size = sum(file.size_bytes for s in segments for file in s.events)
        print(f"{segments[-1].end:,} entries in {size / 1e6:,.0f} MB of Parquet")
        print_table(
            f"Metrics over {given.requests:,} requests",
            ["question", "cells", "s", "CPU s", "peak MB", "yardstick us"],
            (alone(ask, place, segments, name, given.runs) for name in QUESTIONS),
        )
        place, segments = kept_tables(root, given.plain)
        lines = Path(directory) / "lines.jsonl"
        write_lines(place, segments, lines)
        print_table(
            f"The nine over {given.plain:,} requests, beside plain Python",
            ["way", "s", "times"],
            alone(compare, place, segments, lines),
        )
        print_table(
            f"Folding {FOLDED:,} entries",
            ["", "entries/s", "CPU us/entry", "bytes/leaf", "bytes/row"],
            alone(fold),
        )
    print(
        f"\nyardstick {yardstick_us():.2f} us at the end, {os.cpu_count()} processors"
    )


if __name__ == "__main__":
    main()
