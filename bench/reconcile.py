"""Our record against a usage export: a CSV of requests and times, by `source reconcile`.

    make bench PART=reconcile ARGS="--sizes 100000,1000000"

The trail is that of `bench.big_trail`; of its entries some two thirds are openings, two a
request. The export has as many lines as the log has entries: each request three times or
so, as bills have, less ten, and ten that went past us. The whole path is measured in a
process of its own: reading and hashing the file, asking the tables, matching, the sealed
report and the event.

*Matching alone* takes as many distinct keys of each side as the size says. By time, it is
what `--by access` does; by key, `--by request`. The yardstick is a plain Python matcher:
`csv.reader` and a set, without times, report or checks.
"""

import argparse
import csv
import multiprocessing
import random
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import ParamSpec, Self, TypeVar

from bench.big_trail import NOW, make_trail
from bench.figures import Spread, print_machine, print_table
from phitrail.app.reconciliation import Wanted
from phitrail.app.reconciling import reconcile_source
from phitrail.app.tables import rebuild_tables
from phitrail.app.wiring import open_trail
from phitrail.capture.history.compared import Comparison
from phitrail.capture.history.form import HistoryForm
from phitrail.events.codes import Log
from phitrail.projection.fold import connect
from phitrail.projection.reconcile import reconcile

P = ParamSpec("P")
T = TypeVar("T")
MAP = "fields:\n  start: timestamp_utc\n  id: request_id\n"
PAST_US = 10
_REQUEST = re.compile(r'"request_id":"([^"]+)".*"timestamp_utc":"([^"]+)"')
_OPENING = '"event_type":"phi_read"'


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: seconds, and the greatest resident memory of its process."""

    seconds: float
    peak_mb: float


class Memory:
    """The greatest resident memory of this process while the block runs."""

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
        while True:
            status = Path("/proc/self/status").read_text()
            resident = re.search(r"VmRSS:\s+(\d+)", status)
            self.peak_mb = max(self.peak_mb, int(resident[1]) / 1024 if resident else 0)
            if self._stop.wait(0.05):
                return


def alone(call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Call in a process of its own, so that its memory is its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(call, *arguments, **named).result()


def write_export(lines: Path, export: Path, size: int) -> None:
    """Write an export of the requests of a log: three lines each, or so."""
    draw = random.Random(7)
    rows = 0
    with export.open("w") as file:
        file.write("start,id,model,tokens\n")
        while rows < size:
            for number, (request, moment) in enumerate(_requests(lines)):
                if rows >= size:
                    break
                if number >= PAST_US:
                    tokens = draw.randrange(1000)
                    file.write(f"{moment},{request},extractive-demo,{tokens}\n")
                    rows += 1
        for number in range(PAST_US):
            file.write(f"2026-06-01T00:00:00.000Z,past-us-{number},m,1\n")


def _requests(lines: Path) -> Iterator[tuple[str, str]]:
    with lines.open() as file:
        for line in file:
            if _OPENING in line and (found := _REQUEST.search(line)):
                yield found[1], found[2]


def run_whole(directory: Path, export: Path) -> Measured:
    """Compare as `source reconcile` does; check that the differences are those made."""
    field_map = export.with_suffix(".yaml")
    field_map.write_text(MAP)
    wanted = Wanted(export, HistoryForm.CSV, field_map, Comparison.REQUEST)
    with closing(open_trail(directory)) as trail, Memory() as memory:
        began = time.perf_counter()
        counts = reconcile_source(trail, wanted, by="bench", now=NOW).report.counts
        seconds = time.perf_counter() - began
    # The first requests may lie before the window, which begins with their first line.
    if counts.theirs_only != PAST_US or counts.ours_only > PAST_US or counts.refused:
        raise SystemExit(f"found other differences than were made: {counts}")
    return Measured(seconds, memory.peak_mb)


def run_matching(size: int, *, is_by_time: bool, spill: Path) -> Measured:
    """Match as many distinct keys of each side, all of which agree but ten."""
    with closing(connect(threads=2, memory_mb=700, spill=spill)) as connection:
        ours, theirs = (
            connection.sql(
                f"SELECT hash(n) AS key, n * 1000000 + {jitter} AS at_us, n AS place "
                f"FROM (SELECT range AS n FROM range({first}, {first + size})) "
            ).to_arrow_table()
            for first, jitter in ((0, 0), (PAST_US, 777))
        )
        tolerance = timedelta(seconds=120) if is_by_time else None
        with Memory() as memory:
            began = time.perf_counter()
            found = reconcile(connection, ours, theirs, tolerance)
            seconds = time.perf_counter() - began
    if (len(found.ours_only), len(found.theirs_only)) != (PAST_US, PAST_US):
        raise SystemExit("the matching found other differences than were made")
    return Measured(seconds, memory.peak_mb)


def run_plain(lines: Path, export: Path) -> Measured:
    """Do the same in plain Python, of whatever time."""
    with Memory() as memory:
        began = time.perf_counter()
        ours = {request for request, _ in _requests(lines)}
        with export.open(newline="") as file:
            rows = csv.reader(file)
            next(rows)
            theirs_only = [row[1] for row in rows if row[1] not in ours]
        seconds = time.perf_counter() - began
    if len(theirs_only) != PAST_US:
        raise SystemExit("the plain matcher found other differences than were made")
    return Measured(seconds, memory.peak_mb)


def measure(size: int, runs: int, root: Path, scratch: Path) -> list[str]:
    """Measure one size; return its row."""
    directory = root / f"trail-{size}"
    lines = directory.with_suffix(".jsonl")
    if not lines.exists():
        make_trail(directory, size)
        rebuild_tables(directory, (Log.AUDIT,), processes=2)
    export = scratch / f"usage-{size}.csv"
    write_export(lines, export, size)
    whole = [alone(run_whole, directory, export) for _ in range(runs)]
    spill = scratch / "spill"
    by_key = [
        alone(run_matching, size, is_by_time=False, spill=spill) for _ in range(runs)
    ]
    by_time = [
        alone(run_matching, size, is_by_time=True, spill=spill) for _ in range(runs)
    ]
    plain = alone(run_plain, lines, export)
    megabytes = export.stat().st_size / 1e6
    export.unlink()
    return [
        f"{size:,}",
        f"{megabytes:,.0f}",
        *(_shown(runs_) for runs_ in (whole, by_key, by_time)),
        f"{plain.seconds:,.1f}",
        *(
            f"{max(run.peak_mb for run in runs_):,.0f}"
            for runs_ in (whole, by_key, by_time, [plain])
        ),
        str(runs),
    ]


def _shown(runs: list[Measured]) -> str:
    return Spread.of([run.seconds for run in runs]).show(",.2f")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="100000,1000000,10000000")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--dir", type=Path, default=None, help="keep trails there")
    given = parser.parse_args()
    if given.dir is not None:
        given.dir.mkdir(parents=True, exist_ok=True)
    print_machine()
    with tempfile.TemporaryDirectory(dir=given.dir) as made:
        scratch = Path(made)
        rows = [
            measure(
                -(-int(size) // 256) * 256, given.runs, given.dir or scratch, scratch
            )
            for size in given.sizes.split(",")
        ]
    print_table(
        "Reconciling by request (seconds: median and range; MB: greatest resident)",
        (
            "entries, and lines of theirs", "their file, MB", "whole path, s",
            "matching alone by key, s", "by time, s", "plain Python, s",
            "whole path, MB", "by key, MB", "by time, MB", "plain Python, MB", "n",
        ),
        rows,
    )  # fmt: skip
    print_machine()


if __name__ == "__main__":
    main()
