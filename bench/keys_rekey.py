"""`make bench PART=keys_rekey`: how fast the identity map is re-keyed, and who waits for it.

One process records all the time, as an application does (some in flight, one new patient in
fifty events); another one re-keys a map after both of its keys were rotated. Acks are timed
before and meanwhile, in one run.
"""

import argparse
import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from multiprocessing.pool import AsyncResult
from pathlib import Path

from bench.figures import Spread, percentile, print_machine, print_table, yardstick_us
from bench.load import bench_event
from phitrail.app import clock
from phitrail.app.founding import found_trail
from phitrail.app.key_rekey import rekey_identity
from phitrail.app.key_rotation import rotate_key
from phitrail.app.wiring import open_trail
from phitrail.identity import rekey as pages
from phitrail.keys.names import IDENTITY_INDEX, IDENTITY_SEAL
from phitrail.sdk import aconnect

BEFORE_S = 10.0
AT_ONCE = 1000


def make_patients(directory: Path, patients: int) -> None:
    """Make a trail with so many patients."""
    found_trail(directory, "bench.example", clock.now())
    trail = open_trail(directory)
    for first in range(0, patients, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, patients))
        trail.identity.resolve([("mrn", f"M-{number}") for number in numbers])
    trail.close()


def rekey(directory: Path, page: int) -> tuple[int, float]:
    """Rotate both keys and re-key; give the rows and the seconds."""
    pages.PAGE_ROWS = page
    trail = open_trail(directory)
    for name in (IDENTITY_INDEX, IDENTITY_SEAL):
        rotate_key(trail, name, by="bench", reason="bench", now=clock.now())
    began = time.perf_counter()
    done = rekey_identity(trail, by="bench", now=clock.now())
    took = time.perf_counter() - began
    trail.close()
    if done.failed:
        raise AssertionError(f"{done.failed} rows failed")
    return done.rows, took


async def _record(
    directory: Path, in_flight: int, is_over: Callable[[], bool], prefix: str
) -> tuple[float, ...]:
    """Record until it is over; give events a second and how long acks took, in ms."""
    trail = await aconnect(directory, receipts=directory.with_name("receipts"))
    for number in range(1000):
        await trail.record(bench_event(number, prefix))
    latencies: list[float] = []
    number = 1000
    started = time.perf_counter()

    async def caller() -> None:
        nonlocal number
        while not is_over():
            number += 1
            began = time.perf_counter()
            await trail.record(bench_event(number, prefix))
            latencies.append(time.perf_counter() - began)

    await asyncio.gather(*(caller() for _ in range(in_flight)))
    took = time.perf_counter() - started
    await trail.close()
    latencies.sort()
    return (
        len(latencies) / took,
        percentile(latencies, 0.5) * 1e3,
        percentile(latencies, 0.99) * 1e3,
        latencies[-1] * 1e3,
    )


def for_a_while() -> Callable[[], bool]:
    """Give what says whether the while is over; it begins when it is asked first."""
    until: list[float] = []

    def is_over() -> bool:
        if not until:
            until.append(time.monotonic() + BEFORE_S)
        return time.monotonic() > until[0]

    return is_over


def acks_beside(patients: int, page: int, in_flight: int) -> tuple[float, ...]:
    """Time acks before a re-key and beside it, and the re-key."""
    with tempfile.TemporaryDirectory(prefix="phitrail-bench-") as name:
        directory = Path(name) / "trail"
        make_patients(directory, patients)
        before = asyncio.run(_record(directory, in_flight, for_a_while(), "a"))
        context = multiprocessing.get_context("spawn")
        with context.Pool(1) as pool:
            pool.apply(yardstick_us)  # the process is there, and has imported all
            running: list[AsyncResult[tuple[int, float]]] = []

            def is_over() -> bool:
                if not running:
                    running.append(pool.apply_async(rekey, (directory, page)))
                return running[0].ready()

            beside = asyncio.run(_record(directory, in_flight, is_over, "b"))
            rows, took = running[0].get()
    return (rows / took, *before, *beside)


def alone(patients: int, page: int) -> float:
    """Re-key while nobody records; give rows a second."""
    with tempfile.TemporaryDirectory(prefix="phitrail-bench-") as name:
        directory = Path(name) / "trail"
        make_patients(directory, patients)
        rows, took = rekey(directory, page)
    return rows / took


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=200_000)
    parser.add_argument("--pages", type=int, nargs="+", default=[pages.PAGE_ROWS])
    parser.add_argument("--in-flight", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    print_machine()
    rows: list[tuple[str, ...]] = []
    for page in asked.pages:
        rates = Spread.of([alone(asked.patients, page) for _ in range(asked.runs)])
        rows.append((f"{asked.patients:,}", f"{page:,}", rates.show()))
    print_table(
        f"Re-key of the identity map, nobody else at work, n = {asked.runs}",
        ("patients", "rows a page", "rows/s"),
        rows,
    )
    rows = []
    for page in asked.pages:
        for in_flight in asked.in_flight:
            yard = yardstick_us()
            figures = [
                acks_beside(asked.patients, page, in_flight) for _ in range(asked.runs)
            ]
            spreads = [Spread.of(column) for column in zip(*figures, strict=True)]
            shown = [one.show() for one in spreads[:2]]
            shown += [one.show(".2f") for one in spreads[2:5]]
            shown += [spreads[5].show(), *(one.show(".2f") for one in spreads[6:])]
            rows.append((f"{page:,}", str(in_flight), *shown, f"{yard:.2f}"))
    print_table(
        f"Recording beside a re-key of {asked.patients:,} patients, n = {asked.runs}",
        (
            "rows a page",
            "in flight",
            "re-key rows/s",
            "before: events/s",
            "p50 ms",
            "p99 ms",
            "max ms",
            "beside: events/s",
            "p50 ms",
            "p99 ms",
            "max ms",
            "yardstick us",
        ),
        rows,
    )


if __name__ == "__main__":
    main()
