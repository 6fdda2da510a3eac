"""`make bench PART=keys_rotation`: what whoever records feels of rotations.

One process records all the time, as an application does. Another one, with the same trail
open, rotates every key that seals or hashes: once in a while (`--pause`), or without any
pause, which nobody does. Acks are timed before, during and after, in one run; the ratios
are those of each run.

The machine has few cores: a process that does nothing but append a few events of its own at
the same pace (`beside`) shows how much of that is the second process itself.
"""

import argparse
import asyncio
import multiprocessing
import sys
import tempfile
import time
from contextlib import closing
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Final

from bench.figures import Spread, percentile, print_machine, print_table, yardstick_us
from bench.load import bench_event
from phitrail.app import clock
from phitrail.app.founding import found_trail
from phitrail.app.key_rotation import rotate_key
from phitrail.app.wiring import open_trail
from phitrail.keys.names import KeyKind, kinds_of_keys
from phitrail.sdk import AsyncTrail, aconnect

ROTATED: Final = [n for n, kind in kinds_of_keys().items() if kind is not KeyKind.SIGN]
ROTATIONS: Final = "rotations"
APPENDS: Final = "appends"
EVENTS_OF_A_ROTATION: Final = 4
WARM: Final = 500


def beside(
    directory: Path, what: str, pause_s: float, began: Event, stop: Event, done: Path
) -> None:
    """Rotate key after key, or append as many events, until told to stop."""
    count = 0
    with closing(open_trail(directory)) as trail:
        began.set()
        while not stop.is_set():
            if what == ROTATIONS:
                name = ROTATED[count % len(ROTATED)]
                rotate_key(trail, name, by="bench", reason="bench", now=clock.now())
            else:
                events = [
                    bench_event(count * EVENTS_OF_A_ROTATION + n, f"{what}-")
                    for n in range(EVENTS_OF_A_ROTATION)
                ]
                trail.recorder.record_many(events, clock.now())
            count += 1
            stop.wait(pause_s)
    done.write_text(str(count))


async def record(
    trail: AsyncTrail, in_flight: int, seconds: float, prefix: str
) -> list[float]:
    """Record for a while; give how long each ack took in milliseconds, sorted."""
    took: list[float] = []
    until, number = time.monotonic() + seconds, 0

    async def caller() -> None:
        nonlocal number
        while time.monotonic() < until:
            number += 1
            event = bench_event(number, prefix)
            began = time.perf_counter()
            await trail.record(event)
            took.append((time.perf_counter() - began) * 1e3)

    await asyncio.gather(*(caller() for _ in range(in_flight)))
    return sorted(took)


async def phases(
    directory: Path, what: str, in_flight: int, pause_s: float, seconds: float
) -> tuple[dict[str, list[float]], int]:
    """Time acks before, during and after; say how often the other one did its work."""
    context = multiprocessing.get_context("spawn")
    began, stop = context.Event(), context.Event()
    done = directory.with_name("done")
    trail = await aconnect(directory, receipts=directory.with_name("receipts"))
    for number in range(WARM):
        await trail.record(bench_event(number, "warm-"))
    found = {"before": await record(trail, in_flight, seconds, "before-")}
    other = context.Process(
        target=beside, args=(directory, what, pause_s, began, stop, done)
    )
    other.start()
    try:
        await asyncio.to_thread(began.wait, 60)
        found["during"] = await record(trail, in_flight, seconds, "during-")
    finally:
        stop.set()
        await asyncio.to_thread(other.join, 60)
    if other.exitcode != 0:
        raise AssertionError("the other process failed")
    found["after"] = await record(trail, in_flight, seconds, "after-")
    await trail.close()
    return found, int(done.read_text())


def run_once(
    what: str, in_flight: int, pause_s: float, seconds: float
) -> tuple[dict[str, list[float]], int]:
    """Measure once, on a trail of its own."""
    with tempfile.TemporaryDirectory(prefix="phitrail-bench-") as name:
        directory = Path(name) / "trail"
        found_trail(directory, "bench.example", clock.now())
        return asyncio.run(phases(directory, what, in_flight, pause_s, seconds))


def measure(
    what: str, in_flight: int, pause_s: float, seconds: float, runs: int
) -> tuple[str, ...]:
    """Measure some runs; give one row."""
    measured = [run_once(what, in_flight, pause_s, seconds) for _ in range(runs)]

    phased = [found for found, _ in measured]
    acks = sum(len(found["during"]) for found in phased)
    times = Spread.of([count / seconds for _, count in measured])
    cells = [
        Spread.of([percentile(found[phase], share) for found in phased]).show(".2f")
        for phase in ("before", "during", "after")
        for share in (0.5, 0.99)
    ]
    ratio = Spread.of(
        [
            percentile(found["during"], 0.99) / percentile(found["before"], 0.99)
            for found in phased
        ]
    )
    pace = "none" if pause_s == 0 else f"{pause_s:g} s"
    return (
        what,
        pace,
        times.show(".1f"),
        str(in_flight),
        *cells,
        ratio.show(".2f"),
        f"{acks:,}",
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--in-flight", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--pause", type=float, nargs="+", default=[1.0, 0.0])
    asked = parser.parse_args()
    print_machine()
    before = yardstick_us()
    print_table(
        f"Acks while another process works beside, ms, n = {asked.runs} runs",
        (
            "the other one",
            "pause",
            "a second",
            "in flight",
            "before p50",
            "p99",
            "during p50",
            "p99",
            "after p50",
            "p99",
            "p99 during/before",
            "acks during",
        ),
        (
            measure(what, in_flight, pause_s, asked.seconds, asked.runs)
            for pause_s in asked.pause
            for in_flight in asked.in_flight
            for what in (APPENDS, ROTATIONS)
        ),
    )
    sys.stdout.write(
        f"\nyardstick before {before:.2f}, after {yardstick_us():.2f} us\n"
    )


if __name__ == "__main__":
    main()
