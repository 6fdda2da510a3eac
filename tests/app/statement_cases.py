"""Weeks in which one thing went wrong, and what the statement says of each.

python -m tests.app.statement_cases

writes the goldens anew. Left out of them is what no two trails share: roots, ids.
"""

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
from tests.app.foreign_counts import CSV_MAP, accesses, csv_feed
from tests.app.sourced import MINUTE, Program, opened, program, read_event, register
from tests.trails import NOW, found

from phitrail.app.completeness_statement import Asked, MadeStatement, make_statement
from phitrail.app.config import Policy, read_tenant, write_config
from phitrail.app.reconciliation import Wanted
from phitrail.app.reconciling import reconcile_source
from phitrail.app.sources import begin_epoch, open_epoch
from phitrail.capture.history.compared import Comparison
from phitrail.capture.history.form import HistoryForm
from phitrail.capture.spool_rows import Episode
from phitrail.capture.spooled import ended, started
from phitrail.events.ids import format_time, new_uuid7
from phitrail.evidence.completeness_statement import Statement

GOLDENS = Path(__file__).with_name("statements")
HOUR: Final = timedelta(hours=1)
WEEK: Final = timedelta(days=7)
LATER: Final = NOW + WEEK + HOUR
"""When the statement of the week is made."""


def week_of(one: Program, first: datetime, last: datetime) -> None:
    """Let a program live from one time to another: a beat an hour, an access a day."""
    at = first
    while at < last:
        one.beat(at)
        if at.hour == NOW.hour:
            one.access(at)
        at += HOUR


def healthy(directory: Path) -> None:
    """Nothing happens but work."""
    credential = register(directory, "assistant", NOW - MINUTE)
    with program(directory, credential, NOW) as one:
        week_of(one, NOW, NOW + WEEK)
        one.close(NOW + WEEK)


def bypassing(directory: Path) -> None:
    """An application without a source works beside the one that numbers."""
    healthy(directory)
    with opened(directory) as trail:
        for day in range(3):
            at = NOW + timedelta(days=day)
            trail.recorder.record(read_event(at), at)


def compared(directory: Path) -> None:
    """The chart system counts twenty-two accesses; two of them went past us."""
    credential = register(directory, "assistant", NOW - MINUTE)
    theirs = [
        replace(one, at=NOW + number * HOUR)
        for number, one in enumerate(accesses(22), start=1)
    ]
    with program(directory, credential, NOW) as one:
        at = NOW
        while at < NOW + WEEK:
            one.beat(at)
            at += HOUR
        for access in theirs[:20]:
            one.trail.recorder.record(access.event(), access.at)
        one.close(NOW + WEEK)
    file, fields = directory.with_name("feed.csv"), directory.with_name("map.yaml")
    file.write_bytes(csv_feed(theirs))
    fields.write_bytes(CSV_MAP)
    wanted = Wanted(
        path=file,
        form=HistoryForm("csv"),
        map_path=fields,
        by=Comparison("access"),
        since=NOW,
        until=NOW + WEEK,
    )
    with opened(directory) as trail:
        reconcile_source(trail, wanted, by="officer", now=NOW + WEEK)


def crashed(directory: Path) -> None:
    """A worker dies on the third day, with an access open, and is started anew."""
    credential = register(directory, "assistant", NOW - MINUTE)
    died = NOW + timedelta(days=2, minutes=30)
    with program(directory, credential, NOW) as one:
        week_of(one, NOW, died)
        one.access(died - MINUTE, is_closed=False)
    with program(directory, credential, died + 10 * MINUTE) as other:
        week_of(other, died + 10 * MINUTE, NOW + WEEK)
        other.close(NOW + WEEK)


def dropped(directory: Path) -> None:
    """Five events get their numbers and never reach the log."""
    credential = register(directory, "assistant", NOW - MINUTE)
    with program(directory, credential, NOW) as one:
        week_of(one, NOW, NOW + 2 * HOUR)
        one.drop(5)
        week_of(one, NOW + 2 * HOUR, NOW + WEEK)
        one.close(NOW + WEEK)


def stolen(directory: Path) -> None:
    """A stolen credential is replaced; the thief goes on with the old one."""
    old = register(directory, "assistant", NOW - MINUTE)
    thief = begin_epoch(directory, old, NOW + HOUR)
    new = register(directory, "assistant", NOW, is_replacing=True)
    with program(directory, new, NOW) as one:
        week_of(one, NOW, NOW + WEEK)
        one.close(NOW + WEEK)
    with opened(directory, thief) as trail:
        open_epoch(trail, thief)
        Program(trail, thief).record(NOW + HOUR)
        Program(trail, thief).close(NOW + HOUR)


def spooled(directory: Path) -> None:
    """The log is out of reach for most of a week; a spool takes what comes."""
    credential = register(directory, "assistant", NOW - MINUTE)
    with program(directory, credential, NOW) as one:
        week_of(one, NOW, NOW + 2 * HOUR)
        begun, over = NOW + 2 * HOUR, NOW + timedelta(days=6)
        replayed = over + HOUR
        episode = new_uuid7(begun)
        record = one.trail.recorder.record
        record(started(episode, format_time(begun)), replayed)
        for day in range(1, 6):
            record(read_event(begun + timedelta(days=day)), replayed)
        end = ended(
            Episode(episode, new_uuid7(over), events=5, last_at=format_time(over))
        )
        record(end, replayed)
        week_of(one, replayed, NOW + WEEK)
        one.close(NOW + WEEK)


CASES: Mapping[str, Callable[[Path], None]] = {
    one.__name__: one
    for one in (healthy, bypassing, compared, crashed, dropped, stolen, spooled)
}


def prepare(directory: Path) -> Path:
    """Let a beat an hour be enough, so that a week is short to make."""
    policy = Policy(source_heartbeat_s=3_600, source_silent_after_s=7_200)
    write_config(directory, read_tenant(directory), policy)
    return directory


def state(
    directory: Path,
    *,
    now: datetime = LATER,
    again: Statement | None = None,
    since: datetime = NOW,
    until: datetime = NOW + WEEK,
    is_verifying: bool = False,
    **asked: Any,
) -> MadeStatement:
    """Make a statement of the week."""
    with opened(directory) as trail:
        return make_statement(
            trail,
            Asked(since, until, **asked),
            by="officer",
            now=now,
            again=again,
            is_verifying=is_verifying,
        )


def golden_of(name: str) -> Path:
    """Name the golden of one case."""
    return GOLDENS / f"{name}.json"


def golden_text(made: MadeStatement) -> str:
    """Write a statement without what no two trails share."""
    plain = msgspec.to_builtins(made.statement)
    known = plain["known"]
    del known["trail_id"]
    for log in known["as_of"]:
        del log["root"]
    for one in known["open"]["oldest"]:
        del one["access_id"]
    return json.dumps(plain, indent=2) + "\n"


if __name__ == "__main__":
    GOLDENS.mkdir(exist_ok=True)
    for each, make in CASES.items():
        with tempfile.TemporaryDirectory() as place:
            trail = prepare(found(Path(place) / "trail"))
            make(trail)
            golden_of(each).write_text(golden_text(state(trail)), encoding="utf-8")
