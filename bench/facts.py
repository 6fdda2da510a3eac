"""What facts of the house cost: loading lists, reading them, and at the door, event by event.

    make bench PART=facts ARGS="--users 5000 --patients 200000 --runs 3"

The door is measured in turn with and without facts, in one transaction of 256 events, so that
what the disk does is shared out; CPU beside wall, since other work runs on the same cores.
"""

import argparse
import gc
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import yaml

from bench.figures import Spread, print_machine, print_table
from phitrail.app import clock
from phitrail.app.fact_loading import FactLoad, load_facts
from phitrail.app.founding import found_trail
from phitrail.app.wiring import Trail, open_trail
from phitrail.events.audit import AuditEvent
from phitrail.events.codes import EventType
from phitrail.events.protected import Protected
from phitrail.identity.fact_table import FactKind

BATCH = 256
CARE_PER_PATIENT, SHIFTS_PER_USER = 5, 30
SURNAMES, STREETS = 20_000, 3_000


def cpu_s() -> float:
    """Say how much processor time this process took."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """Call; give wall and CPU seconds."""
    began, used = time.perf_counter(), cpu_s()
    call()
    return time.perf_counter() - began, cpu_s() - used


def lists(
    users: int, patients: int, draw: random.Random
) -> Iterator[tuple[FactKind, Iterator[str]]]:
    """Make up the lists of a house, line by line."""

    def likeness() -> str:
        street = draw.randrange(STREETS)
        name = f"name{draw.randrange(SURNAMES)}"
        return f"{name},{draw.randrange(200)} street {street},street {street}"

    yield FactKind.PEOPLE, (f"u{n},cardiology,p{n},{likeness()}" for n in range(users))
    yield FactKind.PATIENTS, (f"p{n},{likeness()}" for n in range(patients))
    yield (
        FactKind.ROSTER,
        (
            f"u{n},2026-11-{day + 1:02}T07:00:00Z,2026-11-{day + 1:02}T19:00:00Z"
            for n in range(users)
            for day in range(SHIFTS_PER_USER)
        ),
    )
    yield (
        FactKind.CARE,
        (
            f"p{n},u{draw.randrange(users)},2026-{1 + draw.randrange(9):02}-01,2027-01-01"
            for n in range(patients)
            for _ in range(CARE_PER_PATIENT)
        ),
    )


HEADS = {
    FactKind.PEOPLE: "user,department,patient,surname,address,street",
    FactKind.PATIENTS: "patient,surname,address,street",
    FactKind.ROSTER: "user,from,until",
    FactKind.CARE: "patient,user,from,until",
}


def found(directory: Path, *, has_zone: bool) -> Path:
    """Found a trail; one of them with a zone."""
    found_trail(directory, "bench.example", clock.now())
    if has_zone:
        place = directory / "tenant.yaml"
        settled = yaml.safe_load(place.read_text())
        settled["facility_zones"] = {"main": "America/New_York"}
        place.write_text(yaml.safe_dump(settled))
    return directory


def events(
    count: int, named: int, users: int, patients: int, draw: random.Random
) -> list[Any]:
    """Make events that name so many patients each."""
    return [
        AuditEvent(
            event_type=EventType.PHI_READ,
            user_id=f"u{draw.randrange(users)}",
            department="cardiology",
            facility_id="main",
            records=tuple(
                (
                    Protected(f"p{draw.randrange(patients)}"),
                    Protected(f"n{n}"),
                    "Patient",
                )
                for n in range(named)
            ),
        )
        for _ in range(count)
    ]


def load_all(
    trail: Trail, place: Path, users: int, patients: int
) -> list[tuple[str, ...]]:
    """Load every list; give a row of the table for each."""
    rows: list[tuple[str, ...]] = []
    for kind, lines in lists(users, patients, random.Random(8)):
        file = place / f"{kind}.csv"
        with file.open("w") as stream:
            stream.write(HEADS[kind] + "\n")
            stream.writelines(f"{line}\n" for line in lines)
        load = FactLoad(kind, file)
        began, used = time.perf_counter(), cpu_s()
        loaded = load_facts(trail, load, by="bench", now=clock.now())
        wall, cpu = time.perf_counter() - began, cpu_s() - used
        assert loaded.file is not None
        on_disk = (trail.directory / loaded.file.path).stat().st_size
        rows.append(
            (
                str(kind),
                f"{loaded.good:,}",
                f"{wall:.1f}",
                f"{cpu:.1f}",
                f"{loaded.good / cpu:,.0f}",
                f"{on_disk / 1e6:.1f}",
            )
        )
    return rows


def record_cost(trail: Trail, batches: list[list[Any]]) -> tuple[float, float]:
    """Record batches; give wall and CPU microseconds an event."""
    count = sum(map(len, batches))

    def run() -> None:
        for batch in batches:
            trail.recorder.record_many(batch, clock.now())

    wall, cpu = timed(run)
    return wall / count * 1e6, cpu / count * 1e6


def at_the_door(
    plain: Trail, trail: Trail, named: int, settings: argparse.Namespace
) -> tuple[str, ...]:
    """Record in turn with and without facts; time the look-ups alone, too."""
    draw = random.Random(named)
    costs: dict[str, list[float]] = {"plain": [], "facts": [], "look-ups": []}
    walls: dict[str, list[float]] = {"plain": [], "facts": []}
    for _ in range(settings.runs):
        made = events(settings.events, named, settings.users, settings.patients, draw)
        batches = [made[at : at + BATCH] for at in range(0, len(made), BATCH)]
        for trail_, name in ((plain, "plain"), (trail, "facts")):
            record_cost(trail_, batches)  # every subject is known from here on
            wall, cpu = record_cost(trail_, batches)
            walls[name].append(wall)
            costs[name].append(cpu)
        costs["look-ups"].append(_look_ups(trail, made))
    return (
        str(named),
        *(
            Spread.of(costs[name]).show(".1f")
            for name in ("plain", "facts", "look-ups")
        ),
        *(Spread.of(walls[name]).show(".1f") for name in ("plain", "facts")),
    )


def _look_ups(trail: Trail, made: list[Any]) -> float:
    """Time `fields` alone; CPU microseconds an event."""
    system = trail.tenant.identity.patient
    pairs = [
        (
            event,
            {
                "timestamp_utc": "2026-11-21T12:00:00.000Z",
                "records": tuple(
                    (trail.identity.find((system, f"p{n}")) or "", "", "Patient")
                    for n in range(len(event.records))
                ),
            },
        )
        for event in made[:2_000]
    ]
    gc.collect()

    def run() -> None:
        for _ in range(5):
            for event, added in pairs:
                trail.facts.fields(event, added)

    return timed(run)[1] / (5 * len(pairs)) * 1e6


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=5_000)
    parser.add_argument("--patients", type=int, default=200_000)
    parser.add_argument("--events", type=int, default=8_192)
    parser.add_argument("--runs", type=int, default=3)
    settings = parser.parse_args()
    print_machine()
    with ExitStack() as opened:
        name = tempfile.TemporaryDirectory(prefix="phitrail-bench-")
        place = Path(opened.enter_context(name))
        plain = open_trail(found(place / "plain", has_zone=False))
        opened.enter_context(closing(plain))
        first = open_trail(found(place / "facts", has_zone=True))
        with closing(first):
            rows = load_all(first, place, settings.users, settings.patients)
        print_table(
            "Loading lists",
            ("list", "lines", "wall s", "CPU s", "lines a CPU-second", "MB on disk"),
            rows,
        )
        opening = timed(lambda: open_trail(place / "facts").close())
        trail = open_trail(place / "facts")
        opened.enter_context(closing(trail))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        reading = timed(trail.facts.store.book)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print_table(
            "Reading lists",
            ("what", "wall s", "CPU s"),
            [
                (
                    "opening a trail that has facts",
                    f"{opening[0]:.2f}",
                    f"{opening[1]:.2f}",
                ),
                (
                    "the first event after a load",
                    f"{reading[0]:.2f}",
                    f"{reading[1]:.2f}",
                ),
            ],
        )
        print(
            f"\ngreatest memory: {before / 1e3:,.0f} MB before, {after / 1e3:,.0f} MB after"
        )
        print_table(
            "At the door: microseconds an event, median (range)",
            (
                "patients an event",
                "CPU without facts",
                "CPU with",
                "look-ups alone, CPU",
                "wall without",
                "wall with",
            ),
            (at_the_door(plain, trail, named, settings) for named in (1, 3, 10)),
        )
        print_machine()


if __name__ == "__main__":
    main()
