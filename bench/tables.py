"""Tables: questions over 10^5 to 10^7 audit entries, folding, rebuilding, memory.

    make bench PART=tables ARGS="--sizes 100000,1000000,10000000"

The tables are built by `log rebuild` from sealed bundles, joined as `log follow` joins them,
and asked as `log query` asks (without recording the read, which costs the same whatever is
asked). Each question is asked for several patients, users and days; medians, range and n are
printed. *Opened and asked* opens the tables for each question anew, as every command does.
*The command* is a process of its own, with Python's start and the record of the read; its
output is JSON lines. Files are in the page cache.

`--plain-runs` says how often the two yardsticks are asked; a scan of ten million lines takes
its time. With `--dir` the trails are kept there, and taken from there if they are there.
"""

import argparse
import multiprocessing
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import ParamSpec, Self, TypeVar

from bench import table_yardsticks as plain
from bench.big_trail import NOW, make_trail
from bench.clinic_leaves import START, leaves, patient, user
from bench.figures import Spread, print_machine, print_table
from phitrail.app.query_answer import Answer, answer_filter
from phitrail.app.query_filter import Filter
from phitrail.app.tables import advance_tables, open_tables, rebuild_tables
from phitrail.app.wiring import Trail, open_trail
from phitrail.durable.files import DurableFiles
from phitrail.events.codes import Log
from phitrail.events.ids import format_time
from phitrail.projection.fold import Folder, connect
from phitrail.projection.follower import REBUILT_ROWS, build_segment, read_range
from phitrail.projection.segments import ManifestSeal, SegmentStore
from phitrail.projection.tables import Tables

P = ParamSpec("P")
T = TypeVar("T")
PEOPLE = (50, 500, 1_500, 5_000, 20_000, 60_000, 120_000)
DAYS = (20, 90, 200, 300, 340)
AGGREGATE = (
    "SELECT use_case, date_trunc('month', timestamp_utc) AS month, count(*) AS events, "
    "count(DISTINCT user_id) AS users, sum(output_tokens) AS tokens, "
    "quantile_cont(latency_us, 0.95) AS p95 FROM audit GROUP BY ALL"
)
FOLDED = 524_288


class Memory:
    """The greatest resident memory of this process and its children while it runs."""

    def __init__(self) -> None:
        self.peak_mb = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            self.peak_mb = max(self.peak_mb, _resident_mb())


def _resident_mb() -> float:
    """Sum the resident memory of this process and of its children."""
    total = 0
    me = Path("/proc/self")
    children = (me / "task" / me.resolve().name / "children").read_text().split()
    for number in ("self", *children):
        try:
            status = (Path("/proc") / number / "status").read_text()
        except OSError:
            continue
        total += sum(
            int(line.split()[1]) for line in status.splitlines() if "VmRSS" in line
        )
    return total / 1024


def timed(call: Callable[[], object]) -> float:
    """Time one call, in milliseconds."""
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def alone(call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Call in a process of its own, so that the memory of one part is not another's."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(call, *arguments, **named).result()


def by_patient(number: int) -> Filter:
    """Everything that touched this patient, and what each access led to."""
    return Filter(patient=patient(number), with_accesses=True, limit=100_000)


def by_user_and_day(number: int, day: int) -> Filter:
    """Everything that a user did on a day."""
    since = START + timedelta(days=day)
    return Filter(
        user=user(number),
        since=format_time(since),
        until=format_time(since + timedelta(days=1)),
        limit=100_000,
    )


def measure_fold() -> tuple[float, float]:
    """Fold leaves into a tail, and into a durable segment: events a second."""
    with tempfile.TemporaryDirectory() as place:
        seal = ManifestSeal(lambda p, _: p, lambda e, _: e, b"")
        store = SegmentStore(Log.AUDIT, DurableFiles(Path(place)), seal)
        made = list(leaves(0, FOLDED, 10_000_000))

        class Made:
            def size(self) -> int:
                return len(made)

            def entries(self, start: int, end: int) -> "Sequence[bytes]":
                return made[start:end]

        spill = Path(place) / "spill"
        folder = Folder(Log.AUDIT, connect(threads=2, memory_mb=400, spill=spill))
        tail_s = timed(lambda: read_range(Made(), folder, 0, 65_536)) / 1000  # type: ignore[arg-type]
        whole_s = (
            timed(
                lambda: [
                    build_segment(Made(), folder, store, at, at + REBUILT_ROWS)  # type: ignore[arg-type]
                    for at in range(0, FOLDED, REBUILT_ROWS)
                ]
            )
            / 1000
        )
        return 65_536 / tail_s, FOLDED / whole_s


def ask_tables(trail: Trail, runs: int) -> tuple[dict[str, Spread], dict[str, int]]:
    """Ask the tables; return times in ms, and rows found."""
    opened = Spread.of([_open_ms(trail) for _ in range(max(runs, 3))])
    anew = [
        timed(lambda n=number: _open_and_ask(trail, by_patient(n)))  # type: ignore[misc]
        for number in PEOPLE
    ]
    with open_tables(trail, NOW) as tables:
        times, rows = _ask(tables, runs)
    return times | {"opening": opened, "opened and asked": Spread.of(anew)}, rows


def _open_ms(trail: Trail) -> float:
    began = time.perf_counter()
    with open_tables(trail, NOW):
        return (time.perf_counter() - began) * 1000


def _open_and_ask(trail: Trail, wanted: Filter) -> None:
    with open_tables(trail, NOW) as tables:
        answer_filter(tables, wanted)


def ask_by_command(directory: Path, root: Path) -> dict[str, Spread]:
    """Ask for patients by `phitrail log query`, without and with proofs, in ms."""
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    phitrail = [sys.executable, "-m", "phitrail"]
    query = ["log", "query", "--trail", str(directory), "--format", "jsonl"]
    query += ["-n", "100000", "--timeline", "--patient"]

    def run(*arguments: str) -> float:
        return timed(
            lambda: subprocess.run(  # noqa: S603 - our own command
                [*phitrail, *arguments],
                check=True,
                capture_output=True,
                env=environment,
            )
        )

    run(*query, patient(PEOPLE[0]))
    places = {number: str(root / f"{directory.name}-{number}") for number in PEOPLE}
    return {
        "`phitrail --version`": Spread.of([run("--version") for _ in PEOPLE]),
        "the command": Spread.of([run(*query, patient(n)) for n in PEOPLE]),
        "the command, with proofs": Spread.of(
            [run(*query, patient(n), "--prove", place) for n, place in places.items()]
        ),
    }


def _ask(tables: Tables, runs: int) -> tuple[dict[str, Spread], dict[str, int]]:
    times: dict[str, list[float]] = {"patient": [], "user, day": [], "aggregate": []}
    rows: dict[str, int] = {"patient": 0, "user, day": 0, "aggregate": 0}

    def ask(what: str, call: Callable[[], Answer | object]) -> None:
        began = time.perf_counter()
        found = call()
        times[what].append((time.perf_counter() - began) * 1000)
        if isinstance(found, Answer):
            rows[what] += found.rows.num_rows

    for _ in range(runs):
        for number in PEOPLE:
            ask("patient", lambda n=number: answer_filter(tables, by_patient(n)))  # type: ignore[misc]
        for day in DAYS:
            ask(
                "user, day",
                lambda d=day: answer_filter(tables, by_user_and_day(d, d)),  # type: ignore[misc]
            )
        ask("aggregate", lambda: tables.ask(AGGREGATE))
    return {what: Spread.of(taken) for what, taken in times.items()}, rows


def ask_plain(lines: Path, place: Path, runs: int) -> tuple[list[list[str]], float]:
    """Ask the JSON lines and SQLite; return rows of a table and SQLite's loading time."""
    day = format_time(START + timedelta(days=90))
    day_end = format_time(START + timedelta(days=91))
    load_s = plain.fill_sqlite(lines, place)
    with closing(sqlite3.connect(place)) as database:
        questions: list[tuple[str, Callable[[], object], Callable[[], object]]] = [
            (
                "patient",
                lambda: plain.scan_patient(lines, patient(1_500)),
                lambda: database.execute(
                    plain.PATIENT_SQL, (patient(1_500),)
                ).fetchall(),
            ),
            (
                "user, day",
                lambda: plain.scan_user_day(lines, user(90), day[:10]),
                lambda: database.execute(
                    plain.USER_DAY_SQL, (user(90), day, day_end)
                ).fetchall(),
            ),
            (
                "aggregate",
                lambda: plain.scan_aggregate(lines),
                lambda: database.execute(plain.AGGREGATE_SQL).fetchall(),
            ),
        ]
        rows = [
            [
                what,
                Spread.of([timed(scan) for _ in range(runs)]).show(),
                Spread.of([timed(select) for _ in range(max(runs, 3))]).show(",.1f"),
            ]
            for what, scan, select in questions
        ]
    return rows, load_s


def measure(
    size: int,
    runs: int,
    plain_runs: int,
    root: Path,
    scratch: Path,
) -> list[str]:
    """Measure one size; return its row of the growth table."""
    directory = root / f"trail-{size}"
    lines = directory.with_suffix(".jsonl")
    print(f"\n{size:,} entries", flush=True)
    if not lines.exists():
        made_ms = timed(lambda: make_trail(directory, size))
        print(f"made in {made_ms / 1000:,.0f} s", flush=True)
    with Memory() as memory:
        rebuild_ms = timed(lambda: rebuild_tables(directory, (Log.AUDIT,), processes=2))
    print(
        f"rebuilt in {rebuild_ms / 1000:,.1f} s, {memory.peak_mb:,.0f} MB", flush=True
    )
    trail = open_trail(directory)
    try:
        with Memory() as joining:
            joined_ms = timed(lambda: advance_tables(trail, NOW, close_rows=1))
        print(
            f"joined in {joined_ms / 1000:,.1f} s, {joining.peak_mb:,.0f} MB",
            flush=True,
        )
        with Memory() as asking:
            times, rows = ask_tables(trail, runs)
    finally:
        trail.close()
    times |= ask_by_command(directory, scratch)
    print_table(
        f"{size:,} entries: what the tables take, ms",
        ("what", "median (range)", "n"),
        [[what, spread.show(), str(spread.n)] for what, spread in times.items()],
    )
    on_disk = sum(
        f.stat().st_size for f in (directory / "state/tables").rglob("*.parquet")
    )
    print_table(
        f"{size:,} entries",
        (
            "question",
            "tables, ms",
            "JSON lines + Python, ms",
            "SQLite with indexes, ms",
        ),
        _side_by_side(times, lines, scratch / f"{size}.db", plain_runs),
    )
    print(
        f"rows found: {rows} over {runs} rounds; asking needs {asking.peak_mb:,.0f} MB"
    )
    print_machine()
    if root == scratch:
        shutil.rmtree(directory)
        lines.unlink()
    return [
        f"{size:,}",
        *(times[what].show() for what in ("patient", "user, day", "aggregate")),
        times["opening"].show(),
        times["opened and asked"].show(),
        times["the command"].show(),
        f"{rebuild_ms / 1000:,.1f}",
        f"{size / rebuild_ms * 1000:,.0f}",
        f"{joined_ms / 1000:,.1f}",
        f"{max(memory.peak_mb, joining.peak_mb, asking.peak_mb):,.0f}",
        f"{on_disk / size:,.0f}",
    ]


def _side_by_side(
    times: dict[str, Spread], lines: Path, place: Path, plain_runs: int
) -> list[list[str]]:
    rows, load_s = ask_plain(lines, place, plain_runs)
    print(f"SQLite: loaded in {load_s:,.0f} s, {place.stat().st_size / 1e6:,.0f} MB")
    place.unlink()
    return [[what, times[what].show(), scan, select] for what, scan, select in rows]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="100000,1000000,10000000")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--plain-runs", type=int, default=1)
    parser.add_argument("--dir", type=Path, default=None)
    given = parser.parse_args()
    if given.dir is not None:
        given.dir.mkdir(parents=True, exist_ok=True)
    print_machine()
    tail, whole = alone(measure_fold)
    print_table(
        "Folding, events/s",
        ("into the tail", "into a durable segment"),
        [[f"{tail:,.0f}", f"{whole:,.0f}"]],
    )
    with tempfile.TemporaryDirectory(dir=given.dir) as made:
        rows = [
            alone(
                measure,
                -(-int(size) // 256) * 256,
                given.runs,
                given.plain_runs,
                given.dir or Path(made),
                Path(made),
            )
            for size in given.sizes.split(",")
        ]
    print_table(
        "Growth (ms; median and range)",
        (
            "entries", "by patient", "user and day", "aggregate", "opening",
            "opened and asked", "the command", "rebuild, s", "rebuild, events/s",
            "joining, s", "peak MB", "bytes/entry",
        ),
        rows,
    )  # fmt: skip
    print_machine()


if __name__ == "__main__":
    main()
