"""The tail alone: events a CPU second by rules and by keys, and what a live key weighs.

Rows are those of a clinic with ten events a second, decoded. One in twenty comes late, by up to
a minute, and one in a hundred comes twice; each names its entry, as the engine's do, and the
state is written every `CHECKPOINT_ROWS` rows. Decoding and recording are not in these figures.
"""

import random
import resource
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.clinic_leaves import leaves
from phitrail.detect.enrich import Zones
from phitrail.detect.packaged import packaged_rules
from phitrail.detect.row import Row, instant_of
from phitrail.detect.rule import read_rules
from phitrail.detect.snapshot import dump_tail, load_tail
from phitrail.detect.tail import Tail
from phitrail.detect.typed import Rule
from phitrail.events.canonical import LeafRecord, decode_leaf
from phitrail.events.codes import Log

ZONES = {"main": "America/New_York", "east": "America/New_York"}
CLASSIC = ("injection", "phi_accesses", "phi_output", "after_hours")
"""Files of the four classic rules, in all their forms."""
LATENESS_US = 120_000_000
LATE_US = 60_000_000
LATE_SHARE, TWICE_SHARE = 0.05, 0.01
ADVANCE_EVERY = 1_000
CHECKPOINT_ROWS = 50_000
KEYS_RULE = """
title: a
id: 6cf9b0b8-5c3a-4c0e-9d5c-0d8a35a9d001
name: a
logsource: {{product: phitrail, service: audit}}
detection: {{s: {{event_type: phi_read}}, condition: s}}
---
title: b
id: 6cf9b0b8-5c3a-4c0e-9d5c-0d8a35a9d002
correlation:
  type: {kind}
  rules: [a]
  group-by: [user_id]
  timespan: 1h
  condition: {{gt: 200{over}}}
"""
Arrival = tuple[int, str, LeafRecord]


def cpu_s() -> float:
    """Say how much processor time this process took."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """Call; give wall and CPU seconds."""
    began, used = time.perf_counter(), cpu_s()
    call()
    return time.perf_counter() - began, cpu_s() - used


def shipped(files: Sequence[str] = ()) -> tuple[Rule, ...]:
    """Read the rules that come with phitrail, or those of some files."""
    read = read_rules(packaged_rules()).judged()
    if not files:
        return read
    return tuple(r for r in read if Path(r.head.place.file).stem in files)


def made_rules(count: int) -> tuple[Rule, ...]:
    """Make rules that differ in what they select, group by and count."""
    types = ("phi_read", "phi_export", "access_closed", "phi_access_denied")
    groups = ("user_id", "source_ip", "department", "use_case")
    files = []
    for number in range(count):
        kind, group = types[number % 4], groups[number // 4 % 4]
        name = f"r{number}"
        detection = (
            f"title: {name}\nid: {uuid.uuid5(uuid.NAMESPACE_DNS, name)}\nname: {name}\n"
            "logsource: {product: phitrail, service: audit}\ndetection:\n"
            f"  one: {{event_type: {kind}, use_case: [chart_qa, triage]}}\n"
            f"  two: {{session_id|endswith: '{number % 10}'}}\n  condition: one and not two\n"
        )
        correlation = (
            f"title: c{number}\nid: {uuid.uuid5(uuid.NAMESPACE_DNS, 'c' + name)}\n"
            f"correlation:\n  type: event_count\n  rules: [{name}]\n"
            f"  group-by: [{group}]\n  timespan: 1h\n"
            f"  condition: {{gt: {500 * (1 + number % 7)}}}\n"
        )
        files.append((f"{name}.yml", f"{detection}---\n{correlation}".encode()))
    return read_rules(files).judged()


def arrivals(count: int) -> list[Arrival]:
    """Decode leaves, in the order in which they come."""
    draw, found = random.Random(8), []
    for leaf in leaves(0, count, 300_000_000):
        record = decode_leaf(leaf)
        at_us = instant_of(record)
        assert at_us is not None
        one = (at_us, str(getattr(record, "event_id", "")), record)
        delay = draw.randrange(LATE_US) if draw.random() < LATE_SHARE else 0
        found.append((at_us + delay, one))
        if draw.random() < TWICE_SHARE:
            found.append((at_us + delay + 1_000, one))
    found.sort(key=lambda each: each[0])
    return [one for _, one in found]


def tail_rate(rules: tuple[Rule, ...], count: int) -> tuple[float, float]:
    """Judge rows; give events a second, wall and CPU."""
    given, zones, tail = arrivals(count), Zones(ZONES), Tail(rules)

    def judge() -> None:
        newest = 0
        for number, (at_us, event_id, record) in enumerate(given, start=1):
            row = Row(record, at_us, zones)
            tail.take(Log.AUDIT, at_us, event_id, row, ref=number)
            newest = max(newest, at_us)
            if number % ADVANCE_EVERY == 0:
                tail.advance(newest - LATENESS_US)
            if number % CHECKPOINT_ROWS == 0:
                dump_tail(tail)

    wall, used = timed(judge)
    return len(given) / wall, len(given) / used


def rate_of_files(files: Sequence[str], count: int) -> tuple[float, float]:
    """Judge by the rules of some files; by all that are shipped without."""
    return tail_rate(shipped(files), count)


def rate_of_made(rules: int, count: int) -> tuple[float, float]:
    """Judge by so many made-up rules."""
    return tail_rate(made_rules(rules), count)


def key_weight(kind: str, keys: int, each: int) -> dict[str, float]:
    """Give a rule so many live keys with so many events each, keep it and load it."""
    over = ", field: patient" if kind == "value_count" else ""
    text = KEYS_RULE.format(kind=kind, over=over)
    rules = read_rules([("keys.yml", text.encode())]).judged()
    tail = Tail(rules, most_groups=keys + 1)
    before = resident()

    def feed() -> None:
        for number in range(keys * each):
            row = {
                "event_type": "phi_read",
                "user_id": f"user-{number % keys:07d}",
                "patient": (f"{number % 50_000:043d}",),  # as long as a surrogate
            }
            # Parts of an event, so that no id is kept: groups alone are weighed.
            tail.take(Log.AUDIT, number, f"{number}", row, is_part=True, ref=number)

    _, used = timed(feed)
    live = resident()
    state: list[bytes] = []
    _, dump_s = timed(lambda: state.append(dump_tail(tail)))
    tail = Tail(())
    _, load_s = timed(lambda: load_tail(Tail(rules, most_groups=keys + 1), state[0]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "bytes a key": (live - before) / keys,
        "MB live": live / 1e6,
        "MB peak": peak / 1e6,
        "rate": keys * each / used,
        "state MB": len(state[0]) / 1e6,
        "dump s": dump_s,
        "load s": load_s,
    }


def resident() -> int:
    """Say how many bytes of memory this process holds now."""
    with Path("/proc/self/statm").open(encoding="ascii") as state:
        return int(state.read().split()[1]) * resource.getpagesize()
