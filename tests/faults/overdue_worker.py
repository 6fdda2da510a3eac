"""A program whose accesses are never closed, and who says so, in a process of its own.

Arguments: the trail, and the first number to open. A number is a minute in which a few accesses
are opened; after each the program looks as it does every minute, and writes the number. It goes
on until it is killed.
"""

import sys
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from tests.trails import NOW

from phitrail.app.overdue_watch import OverdueWatcher
from phitrail.app.wiring import open_trail
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.codes import EventType
from phitrail.events.ids import new_uuid7

IN_A_MINUTE = 5
UNTIL_OVERDUE = 60


def minute(number: int) -> datetime:
    """Say when a number was."""
    return NOW + timedelta(minutes=number)


def accesses(number: int) -> list[CallerEvent]:
    """Give the accesses of a number: the same whenever it is asked for."""
    places = [
        (number * IN_A_MINUTE + n).to_bytes(10, "big") for n in range(IN_A_MINUTE)
    ]
    return [
        AuditEvent(
            event_type=EventType.PHI_READ,
            event_id=new_uuid7(minute(number), place),
            access_id=new_uuid7(NOW, place),
            user_id="u1",
        )
        for place in places
    ]


def main(directory: Path, number: int) -> None:
    """Open and look until killed."""
    with closing(open_trail(directory)) as trail:
        watcher = OverdueWatcher(trail, is_publishing=lambda: True)
        while True:
            trail.recorder.record_many(accesses(number), minute(number))
            watcher.look(minute(number + UNTIL_OVERDUE))
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()
            number += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
