"""Random histories of sources with faults, and a plain recount of what is known of them.

Each source runs processes (epochs) that number their events, now and then beat, and end in
order or not. Faults: events lost, doubled, late, received in another order, stamped by a
skewed clock; processes killed and restarted; long silences; a stranger who numbers for a
source, in an epoch that was never opened or into one that was.
"""

import random
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

START = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
LOGS = ("audit", "security", "quality")


@dataclass(frozen=True, slots=True)
class Sent:
    """One numbered event as the log holds it."""

    source: str
    epoch: int
    seq: int
    log: str
    idx: int
    event_id: int
    kind: str
    stamped: datetime
    received: datetime


def make_history(draw: random.Random, prefix: str, first: int) -> list[Sent]:
    """Make what stands in the logs of a few sources over some hours.

    Args:
        draw: where chance comes from.
        prefix: begins the names of its sources.
        first: the first index in each log.
    """
    events: list[Sent] = []
    for number in range(draw.randint(1, 3)):
        at = START + timedelta(seconds=draw.randrange(3600))
        for epoch in range(1, draw.randint(2, 4)):
            sent, at = _run(draw, f"{prefix}source-{number}", epoch, at)
            events += _faulty(draw, sent)
            if draw.random() < 0.15:
                events += _spoofed(draw, sent)
            at += timedelta(seconds=draw.choice([1, 30, 4000]))
    events.sort(key=lambda event: event.received)
    places = Counter(dict.fromkeys(LOGS, first))
    placed = []
    for event in events:
        placed.append(replace(event, idx=places[event.log]))
        places[event.log] += 1
    return placed


def _run(
    draw: random.Random, source: str, epoch: int, at: datetime
) -> tuple[list[Sent], datetime]:
    """Run one process to its end, in order or killed."""
    skew = timedelta(seconds=draw.choice([0, 0, 0, -400, 90]))
    kinds = ["source_epoch_opened"]
    kinds += [
        draw.choice(["phi_read", "source_heartbeat"])
        for _ in range(draw.randint(0, 25))
    ]
    if draw.random() < 0.7:
        kinds.append("source_epoch_closed")
    sent = []
    for seq, kind in enumerate(kinds):
        log = "audit" if kind != "phi_read" else draw.choice(LOGS)
        name = kind if log != "quality" else ""
        sent.append(
            Sent(source, epoch, seq, log, 0, draw.getrandbits(60), name, at + skew, at)
        )
        at += timedelta(
            seconds=draw.choice([1, 5, 20, 60]), milliseconds=draw.randrange(1000)
        )
        if draw.random() < 0.05:
            at += timedelta(minutes=draw.randint(4, 150))
    return sent, at


def _faulty(draw: random.Random, sent: list[Sent]) -> list[Sent]:
    """Lose, double, delay some events."""
    received = []
    for event in sent:
        chance = draw.random()
        if chance < 0.06:
            continue
        if chance < 0.10:
            delay = timedelta(seconds=draw.choice([2, 200, 301, 5000]))
            received.append(replace(event, received=event.received + delay))
            continue
        received.append(event)
        if chance < 0.13:
            again = event.received + timedelta(seconds=draw.randint(0, 50))
            received.append(
                replace(event, received=again, event_id=draw.getrandbits(60))
            )
    return received


def _spoofed(draw: random.Random, sent: list[Sent]) -> list[Sent]:
    """Number for a source without its credential: anywhere, and never an opening."""
    like = draw.choice(sent)
    epoch = draw.choice([like.epoch, like.epoch + 1000])
    first = draw.randrange(30)
    return [
        replace(
            like,
            epoch=epoch,
            seq=first + number,
            log=draw.choice(LOGS[:2]),
            kind="phi_read",
            event_id=draw.getrandbits(60),
            stamped=like.received + timedelta(seconds=number),
            received=like.received + timedelta(seconds=number),
        )
        for number in range(draw.randint(1, 6))
    ]


@dataclass(slots=True)
class Recount:
    """What a plain recount finds."""

    missing: dict[tuple[str, int], set[int]]
    unopened: set[tuple[str, int]]
    silent_s: Counter[tuple[str, int]]
    crashed: set[tuple[str, int]]
    hours: dict[tuple[str, datetime], tuple[int, int, int, int, int]]


def recount(
    events: list[Sent], until: datetime, late: timedelta, silent: timedelta
) -> Recount:
    """Count number by number and second by second, with nothing but the events."""
    of_epoch: defaultdict[tuple[str, int], list[Sent]] = defaultdict(list)
    for event in events:
        if event.received < until:
            of_epoch[event.source, event.epoch].append(event)
    hours: defaultdict[tuple[str, datetime], list[int]] = defaultdict(lambda: [0] * 5)
    missing: dict[tuple[str, int], set[int]] = {}
    silences: Counter[tuple[str, int]] = Counter()
    crashed = set()
    for place, some in of_epoch.items():
        source = place[0]
        some.sort(key=lambda e: (e.received, e.log, e.idx))
        first_of: dict[int, Sent] = {}
        for event in some:
            if event.seq in first_of:
                hours[source, _hour(event.received)][3] += 1
                continue
            first_of[event.seq] = event
            hours[source, _hour(event.received)][0] += 1
            if event.received - event.stamped > late:
                hours[source, _hour(event.stamped)][2] += 1
        missing[place] = {n for n in range(max(first_of)) if n not in first_of}
        for number in missing[place]:
            next_one = first_of[min(n for n in first_of if n > number)]
            hours[source, _hour(next_one.received)][1] += 1
        times = [e.received for e in some]
        if not any(e.kind == "source_epoch_closed" for e in some):
            later = [
                min(e.received for e in others)
                for (name, _), others in of_epoch.items()
                if name == source and min(e.received for e in others) > times[-1]
            ]
            if later:
                crashed.add(place)
            times.append(min(later, default=until))
        for before, after in pairwise(times):
            if after - before > silent:
                at = before
                while at < after:
                    end = min(_hour(at) + timedelta(hours=1), after)
                    seconds = int((end - at).total_seconds())
                    silences[place] += seconds
                    hours[source, _hour(at)][4] += seconds
                    at = end
    unopened = {
        place
        for place, some in of_epoch.items()
        if all(e.kind != "source_epoch_opened" for e in some)
    }
    kept = {place: tuple(counts) for place, counts in hours.items()}
    return Recount(missing, unopened, silences, crashed, kept)  # type: ignore[arg-type]  # five numbers each


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
