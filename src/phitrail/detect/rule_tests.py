"""Tests in rule files: `x_tests`, made-up events and the alerts that must come of them.

    x_tests:
      - name: the eleventh attempt within five minutes is an alert
        start: 2026-03-08T06:30:00Z       # when +0s is; a Monday noon by default
        zones: {main: America/New_York}   # local time is worked out from it
        events:
          - {at: +0s, repeat: 11, every: 10s, set: {user_id: u1, access_id: "a{n}"}}
        expect: {alerts: 1, first: +100s, last: +100s, peak: 11, group: {user_id: u1}}

1. `{n}` in a text is the number of the repetition, from 1 on. `id` names an event, so that it
   can come twice; others have an id each. `log` says where an event stands, if not in the
   log of the first rule that a correlation is over.
2. Every test is judged in four ways: as it is written, backwards, with each event twice, and
   from the earliest to the latest with the watermark close behind. Each must give the same
   alerts: the order in which rows come, and copies of them, mean nothing.
3. `first`, `last`, `peak`, `group` are of the earliest alert; `group` may name some of its
   fields.
4. A failure says what was expected of which test, and which number came instead. Texts of rows
   are not told.

`RuleTest.check` judges what any executor found, so that history is held to the same tests.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TypeAlias

from phitrail.detect.enrich import LOCAL_FIELDS, Zones
from phitrail.detect.parts import read_code
from phitrail.detect.rule import RuleSet
from phitrail.detect.schema import FieldType, fields_of
from phitrail.detect.source import Node, Place
from phitrail.detect.tail import Tail
from phitrail.detect.typed import Correlation, Detection, Rule
from phitrail.errors import InputError
from phitrail.events.codes import Log

MOST_TESTS = 64
MOST_EVENTS = 5_000
_TIME = re.compile(r"\+([0-9]{1,7})(?:\.([0-9]{1,6}))?([smhd])", re.ASCII)
_EVERY = re.compile(r"([0-9]{1,7})(?:\.([0-9]{1,6}))?([smhd])", re.ASCII)
_UNIT_US = {"s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_START = "2026-01-05T12:00:00Z"
_NAME_CHARS = 128


@dataclass(frozen=True, slots=True)
class TestEvent:
    """An event that a test makes up."""

    __test__ = False  # no test of pytest

    log: Log
    at_us: int
    event_id: str
    row: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Found:
    """An episode that an executor found."""

    group: tuple[str, ...]
    first_us: int
    last_us: int
    peak: int


@dataclass(frozen=True, slots=True)
class Expected:
    """What must come of a test; what is None is not asked."""

    alerts: int
    first_us: int | None = None
    last_us: int | None = None
    peak: int | None = None
    group: tuple[tuple[str, str], ...] = ()


Judge: TypeAlias = Callable[[Rule, Sequence[TestEvent]], Sequence[Found]]


@dataclass(frozen=True, slots=True)
class RuleTest:
    """One test of one rule."""

    rule: Rule
    name: str
    place: Place
    start_us: int
    events: tuple[TestEvent, ...]
    expected: Expected

    def check(self, found: Sequence[Found]) -> tuple[str, ...]:
        """Say what is not as it must be; nothing where all is well."""
        expected, failures = self.expected, []
        if len(found) != expected.alerts:
            failures.append(f"alerts: {expected.alerts} expected, {len(found)} came")
        if not found:
            return tuple(failures)
        earliest = min(found, key=lambda one: (one.first_us, one.group))
        asked = (
            ("first", expected.first_us, earliest.first_us),
            ("last", expected.last_us, earliest.last_us),
        )
        failures += [
            f"{what}: {self._told(wanted)} expected, {self._told(came)} came"
            for what, wanted, came in asked
            if wanted is not None and wanted != came
        ]
        if expected.peak not in {None, earliest.peak}:
            failures.append(f"peak: {expected.peak} expected, {earliest.peak} came")
        names = self.rule.group_by if isinstance(self.rule, Correlation) else ()
        held = dict(zip(names, earliest.group, strict=False))
        failures += [
            f"group: {name} is not what was expected"
            for name, value in expected.group
            if held.get(name) != value
        ]
        return tuple(failures)

    def _told(self, at_us: int) -> str:
        seconds, rest = divmod(at_us - self.start_us, 1_000_000)
        return f"{seconds:+d}.{rest:06d}s" if rest else f"{seconds:+d}s"


@dataclass(frozen=True, slots=True)
class TestResult:
    """What came of one test; no failures means that it passed."""

    __test__ = False  # no test of pytest

    test: RuleTest
    failures: tuple[str, ...]


def read_tests(rules: RuleSet) -> tuple[RuleTest, ...]:
    """Read the tests of every rule of a set.

    Raises:
        InputError: names the place and the rule that is broken.
    """
    by_id = {rule.head.rule_id: rule for rule in rules.rules}
    tests = []
    for rule_id, node in rules.tests.items():
        listed = node.items("x_tests")
        if len(listed) > MOST_TESTS:
            raise node.place.refuse(f"more than {MOST_TESTS} tests")
        tests += [_read_test(by_id[rule_id], one) for one in listed]
    return tuple(tests)


def run_tests(
    tests: Iterable[RuleTest], judge: Judge | None = None
) -> list[TestResult]:
    """Run tests, by the tail or by another executor."""
    ways = (judge,) if judge is not None else _WAYS
    results = []
    for test in tests:
        failures: dict[str, None] = {}
        for way in ways:
            failures |= dict.fromkeys(test.check(way(test.rule, test.events)))
        results.append(TestResult(test, tuple(failures)))
    return results


# --- by the tail, in four ways ---


def _by_tail(rule: Rule, events: Sequence[TestEvent]) -> Sequence[Found]:
    """Judge events in this order; nothing is too late."""
    tail = Tail((rule,))
    kept = [
        episode
        for event in events
        for episode in tail.take(event.log, event.at_us, event.event_id, event.row)
    ]
    kept += tail.advance(_end(events))
    return [
        Found(e.group, e.first_us, e.last_us, e.peak)
        for e in dict.fromkeys(kept)
        if not e.is_joined
    ]


def _behind_the_watermark(rule: Rule, events: Sequence[TestEvent]) -> Sequence[Found]:
    """Judge events in the order of time, and forget at once what is over."""
    tail = Tail((rule,))
    kept = tail.advance(min((one.at_us for one in events), default=1) - 1)
    for event in sorted(events, key=lambda one: one.at_us):
        kept += tail.advance(event.at_us - 1)
        kept += tail.take(event.log, event.at_us, event.event_id, event.row)
    kept += tail.advance(_end(events))
    return [
        Found(e.group, e.first_us, e.last_us, e.peak)
        for e in dict.fromkeys(kept)
        if not e.is_joined
    ]


_WAYS: tuple[Judge, ...] = (
    _by_tail,
    lambda rule, events: _by_tail(rule, events[::-1]),
    lambda rule, events: _by_tail(rule, [one for one in events for _ in range(2)]),
    _behind_the_watermark,
)


def _end(events: Sequence[TestEvent]) -> int:
    return max((one.at_us for one in events), default=0) + 365 * _UNIT_US["d"]


# --- reading ---


@dataclass(frozen=True, slots=True)
class _Setting:
    """What the events of one test are made in."""

    log: Log
    start_us: int
    zones: Zones | None


def _read_test(rule: Rule, node: Node) -> RuleTest:
    keys = _keys(node, "a test", "name start zones events expect", "name events expect")
    name = keys["name"].text("name")
    if len(name) > _NAME_CHARS:
        raise keys["name"].place.refuse(f"must have at most {_NAME_CHARS} characters")
    start_us = _instant(keys.get("start"))
    setting = _Setting(_first_log(rule), start_us, _zones(keys.get("zones")))
    events: list[TestEvent] = []
    for one in keys["events"].items("events"):
        events += _read_events(one, setting, len(events))
        if len(events) > MOST_EVENTS:
            raise one.place.refuse(f"makes more than {MOST_EVENTS} events")
    expected = _read_expected(rule, keys["expect"], start_us)
    return RuleTest(rule, name, node.place, start_us, tuple(events), expected)


def _read_events(node: Node, setting: _Setting, before: int) -> list[TestEvent]:
    keys = _keys(node, "an event", "at repeat every set id log", "at set")
    log = setting.log
    if "log" in keys:
        log = read_code(keys["log"], Log)
    at_us = setting.start_us + _offset(keys["at"])
    repeat = _number(keys["repeat"], 1) if "repeat" in keys else 1
    if repeat > MOST_EVENTS:
        raise keys["repeat"].place.refuse(f"must be at most {MOST_EVENTS}")
    every_us = _span(keys["every"]) if "every" in keys else 0
    event_id = keys["id"].text("id") if "id" in keys else None
    fields = keys["set"].mapping("set")
    made = []
    for number in range(repeat):
        instant = at_us + number * every_us
        row = {name: _value(log, name, one, number + 1) for name, one in fields.items()}
        _add_local(row, instant, setting.zones)
        own = f"event-{before + number + 1}" if event_id is None else event_id
        made.append(TestEvent(log, instant, own, _with_access(row, own)))
    return made


def _value(log: Log, name: str, node: Node, number: int) -> object:
    kind = fields_of(log).get(name)
    if kind is None:
        raise node.place.refuse("sets a field that events of this log do not have")
    value = node.value
    if kind is FieldType.TEXTS:
        return tuple(_numbered(one.text(name), number) for one in node.items(name))
    if kind is FieldType.TEXT:
        return _numbered(node.text(name), number)
    if kind is FieldType.TRUTH:
        if not isinstance(value, bool):
            raise node.place.refuse("must be true or false")
        return value
    return _number(node, None)


def _numbered(text: str, number: int) -> str:
    return text.replace("{n}", str(number))


@cache
def _no_zones() -> Zones:
    return Zones({})


def _add_local(row: dict[str, object], at_us: int, zones: Zones | None) -> None:
    facility, said = row.get("facility_id"), row.get("local_offset_s")
    local = (zones or _no_zones()).local(
        facility if isinstance(facility, str) else None,
        at_us,
        said if isinstance(said, int) else None,
    )
    if local is not None:
        row.update({name: getattr(local, name) for name in LOCAL_FIELDS})


def _with_access(row: dict[str, object], event_id: str) -> dict[str, object]:
    return {"access": row.get("access_id", event_id)} | row


def _read_expected(rule: Rule, node: Node, start_us: int) -> Expected:
    keys = _keys(node, "expect", "alerts first last peak group", "alerts")
    times = {
        name: start_us + _offset(keys[name])
        for name in ("first", "last")
        if name in keys
    }
    group = keys["group"].mapping("group") if "group" in keys else {}
    known = () if isinstance(rule, Detection) else rule.group_by
    for name, one in group.items():
        if name not in known:
            raise one.place.refuse("is no field that the rule groups by")
    return Expected(
        alerts=_number(keys["alerts"], 0),
        first_us=times.get("first"),
        last_us=times.get("last"),
        peak=_number(keys["peak"], 0) if "peak" in keys else None,
        group=tuple((name, _as_text(one)) for name, one in group.items()),
    )


def _first_log(rule: Rule) -> Log:
    while isinstance(rule, Correlation):
        rule = rule.sources[0].rule
    return rule.selection.log


def _keys(node: Node, what: str, known: str, needed: str) -> Mapping[str, Node]:
    keys = node.mapping(what)
    for number, (name, one) in enumerate(keys.items(), start=1):
        if name not in known.split():
            raise one.place.refuse(
                f"key number {number} is unknown here; known: {known}"
            )
    for name in needed.split():
        if name not in keys:
            raise node.place.refuse(f"lacks {name}")
    return keys


def _instant(node: Node | None) -> int:
    written = _START if node is None else node.text("start")
    moment = None
    with suppress(ValueError):
        moment = datetime.fromisoformat(written)
    if moment is None or moment.tzinfo is None:
        assert node is not None  # noqa: S101 - ours has a zone
        raise node.place.refuse("must be a time with its offset, 2026-01-05T12:00:00Z")
    return int(moment.timestamp() * 1_000) * 1_000


def _zones(node: Node | None) -> Zones | None:
    if node is None:
        return None
    named = {name: one.text("a zone") for name, one in node.mapping("zones").items()}
    zones = None
    with suppress(InputError):
        zones = Zones(named)
    if zones is None:
        raise node.place.refuse("names a zone that the tz database of this host lacks")
    return zones


def _offset(node: Node) -> int:
    return _time(node, _TIME, "must be a time after the start, as +90s or +1.5s")


def _span(node: Node) -> int:
    return _time(node, _EVERY, "must be a number and s, m, h or d")


def _time(node: Node, shape: re.Pattern[str], rule: str) -> int:
    match = shape.fullmatch(node.value) if isinstance(node.value, str) else None
    if match is None:
        raise node.place.refuse(rule)
    unit_us = _UNIT_US[match[3]]
    part_us = unit_us * int((match[2] or "0").ljust(6, "0")) // 1_000_000
    return int(match[1]) * unit_us + part_us


def _number(node: Node, least: int | None) -> int:
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int):
        raise node.place.refuse("must be a whole number")
    if least is not None and value < least:
        raise node.place.refuse(f"must be {least} or more")
    return value


def _as_text(node: Node) -> str:
    value = node.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return node.text("a value of the group")
