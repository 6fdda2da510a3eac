"""A writer in a process of its own: four tasks record, receipts go out once durable.

Arguments: the trail, and the first number to record. Each line out is a number and the
receipt of that event. It writes until it is killed, or until its standard input ends.
"""

import asyncio
import sys
from pathlib import Path

from tests.trails import phi_read

from phitrail.sdk.connect import aconnect
from phitrail.sdk.trail import AsyncTrail

TASKS = 4


async def write(trail: AsyncTrail, start: int, stop: asyncio.Event) -> None:
    """Record every fourth number from `start`, one at a time."""
    number = start
    while not stop.is_set():
        receipt = await trail.record(phi_read(number))
        sys.stdout.write(f"{number} {receipt.to_json().decode()}\n")
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
