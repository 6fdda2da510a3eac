"""What it costs to look for things that did not happen (`app.overdue_ledger`).

Tables of a made-up week (`bench.made_tables`): the first look of a process reads the columns of
all openings, a later one the rows of a minute. Each is measured in a fresh ledger, over tables
that were opened before.

    make bench PART=overdue ARGS="--events 10000000"
"""

import argparse
import tempfile
import time
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

from bench.guard_fresh import memory_mb
from bench.made_tables import DAYS, START_US, make_tables, open_made
from phitrail.app.config import Policy
from phitrail.app.overdue_ledger import Ledger
from phitrail.events.codes import Log
from phitrail.projection.segments import Segment

MEMORY_MB = 512
NEW_ROWS = 60_000
ROUNDS = 5


def main() -> None:
    """Print wall time, CPU and memory."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=1_000_000)
    events = parser.parse_args().events
    with tempfile.TemporaryDirectory(prefix="phitrail-bench-") as folder:
        directory = Path(folder) / "audit"
        segments = make_tables(directory, events)
        context = get_context("spawn")  # what made the tables is not in its memory
        worker = context.Process(target=_measure, args=(directory, segments))
        worker.start()
        worker.join()


def _measure(directory: Path, segments: tuple[Segment, ...]) -> None:
    end = datetime.fromtimestamp(START_US / 1e6, UTC) + timedelta(days=DAYS)
    size = segments[-1].end
    for number in range(ROUNDS):
        tables = open_made(directory, segments, memory_mb=MEMORY_MB)
        ledger = Ledger(Policy())
        begun, cpu = time.perf_counter(), time.process_time()
        ledger.read(tables, end + timedelta(hours=2))
        _tell(f"first look, {size:,} rows, round {number + 1}", begun, cpu)
        tables.close()
    for number in range(ROUNDS):
        tables = open_made(directory, segments, memory_mb=MEMORY_MB)
        ledger = Ledger(Policy())
        ledger.ends = {Log.AUDIT: max(0, size - NEW_ROWS), Log.SECURITY: 0}
        ledger.judged_from = max(0, size - NEW_ROWS)
        begun, cpu = time.perf_counter(), time.process_time()
        ledger.read(tables, end + timedelta(hours=2))
        _tell(f"next look, {NEW_ROWS:,} new rows, round {number + 1}", begun, cpu)
        tables.close()
    print(f"peak memory: {memory_mb('VmHWM'):.0f} MB")


def _tell(what: str, begun: float, cpu: float) -> None:
    wall, spent = time.perf_counter() - begun, time.process_time() - cpu
    print(f"{what}: {wall:.2f} s, {spent:.2f} CPU-s")


if __name__ == "__main__":
    main()
