"""A writer that uses every key which seals or hashes, in a process of its own.

Arguments: the trail, and the first number. It speaks as `tests.faults.writer` does: four
tasks record reads, answers and ratings until its standard input ends. Each line out is a
number and a receipt; the second receipt of an answer stands under `SECOND` more.
"""

import asyncio
import sys
from pathlib import Path

from tests.faults.writer import TASKS
from tests.trails import phi_read

from phitrail.sdk.connect import aconnect
from phitrail.sdk.trail import AsyncTrail
from phitrail.tlog.receipt import Receipt

SECOND = 1_000_000_000


def answer_of(number: int) -> str:
    """Give the same answer for the same number."""
    return f"Answer number {number}."


async def record(trail: AsyncTrail, number: int) -> tuple[Receipt, ...]:
    """Record a read, an answer, or a rating."""
    kind = number // TASKS % 3
    if kind == 0:
        return (await trail.record(phi_read(number, patients=10**9)),)
    if kind == 1:
        return await trail.log_phi_access(
            "dr-3", "physician", "cardiology", None, ["n-1"], answer_of(number), None
        )
    return (await trail.feedback(f"req-{number}", rater="dr-3", value="positive"),)


async def write(trail: AsyncTrail, start: int, stop: asyncio.Event) -> None:
    """Record every fourth number from `start`, one at a time."""
    number = start
    while not stop.is_set():
        for place, receipt in enumerate(await record(trail, number)):
            written = receipt.to_json().decode()
            sys.stdout.write(f"{number + place * SECOND} {written}\n")
        sys.stdout.flush()
        number += TASKS


async def main(directory: Path, start: int) -> None:
    """Write until told to stop."""
    trail = await aconnect(directory)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    stop = asyncio.Event()
    tasks = [asyncio.create_task(write(trail, start + n, stop)) for n in range(TASKS)]
    await asyncio.to_thread(sys.stdin.read)
    stop.set()
    await asyncio.gather(*tasks)
    await trail.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
