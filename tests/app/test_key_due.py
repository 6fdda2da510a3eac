"""What is due of the keys is recorded, once for each version and period."""

from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from tests.trails import NOW, found, read_leaves

from phitrail.app import clock
from phitrail.app.config import Policy, read_tenant, write_config
from phitrail.app.founding import found_trail
from phitrail.app.key_due import KeyDueWatcher, command_of, event_of, list_due
from phitrail.app.key_exceptions import record_exception
from phitrail.app.key_rotation import rotate_key
from phitrail.app.wiring import Trail, open_trail
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.codes import EventType, Log
from phitrail.events.ids import format_time
from phitrail.keys import names
from phitrail.keys.due import LOCAL_KEYRING
from phitrail.keys.policies import PolicyOverride
from phitrail.keys.settings import KeysSection

YEAR = timedelta(days=365)
DAY = timedelta(days=1)
BY = "officer-7"
KEYS_OF_A_TRAIL = len(names.kinds_of_keys()) + 1
Told = tuple[EventType, str | None, str | None]


def told(trail: Trail) -> list[Told]:
    """List what was recorded about keys that are due."""
    return [
        (leaf.event_type, leaf.object_id, leaf.source_event_id)
        for leaf in read_leaves(trail)
        if isinstance(leaf, AuditEvent)
        and leaf.event_type in {EventType.KEY_DUE, EventType.KEY_OVERDUE}
    ]


def watcher(trail: Trail) -> KeyDueWatcher:
    """Look as the process that publishes does."""
    return KeyDueWatcher(trail, is_publishing=lambda: True)


def look(directory: Path, now: datetime) -> int:
    """Open a trail, look once, and close it."""
    with closing(open_trail(directory)) as trail:
        return watcher(trail).look(now)


def only(directory: Path, name: str, days: int) -> None:
    """Let one key alone be due, so many days after it was made."""
    classes = (
        *("log-signing", "bundle", "identity", "text-hash", "rater", "idempotency"),
        "wrapping",
    )
    policies = {one: PolicyOverride(rotate_after_days="never") for one in classes}
    policies[name] = PolicyOverride(rotate_after_days=days)
    section = KeysSection(policies=policies)
    write_config(directory, read_tenant(directory), Policy(keys=section))


def test_a_key_is_told_due_once_and_overdue_once(trail_dir: Path) -> None:
    """Told every minute it is noise; told never it is a key that nobody replaces."""
    only(trail_dir, "rater", 100)
    overdue_at = NOW + 100 * DAY

    assert look(trail_dir, NOW + 85 * DAY) == 0
    assert look(trail_dir, NOW + 86 * DAY) == 1
    assert look(trail_dir, NOW + 99 * DAY) == 0
    assert look(trail_dir, overdue_at) == 1
    assert look(trail_dir, NOW + 999 * DAY) == 0
    with closing(open_trail(trail_dir)) as trail:
        due_at = format_time(overdue_at)
        assert told(trail) == [
            (EventType.KEY_DUE, "rater:v1", due_at),
            (EventType.KEY_OVERDUE, "rater:v1", due_at),
        ]


def test_each_version_has_a_period_of_its_own(trail_dir: Path) -> None:
    """After a rotation the next year is told as this one was."""
    only(trail_dir, "rater", 100)
    assert look(trail_dir, NOW + 100 * DAY) == 1
    with closing(open_trail(trail_dir)) as trail:
        rotate_key(trail, "rater", by=BY, reason="due", now=NOW + 101 * DAY)
    assert look(trail_dir, NOW + 102 * DAY) == 0
    assert look(trail_dir, NOW + 201 * DAY) == 1
    with closing(open_trail(trail_dir)) as trail:
        assert [subject for _, subject, _ in told(trail)] == ["rater:v1", "rater:v2"]


def test_another_notice_tells_nothing_twice(trail_dir: Path) -> None:
    """An officer who wants to know earlier is not told again what is known."""
    only(trail_dir, "rater", 100)
    assert look(trail_dir, NOW + 90 * DAY) == 1
    section = msgspec.structs.replace(
        KeysSection(), policies={"rater": PolicyOverride(rotate_after_days=100)}
    )
    longer = msgspec.structs.replace(section, notice_days=90)
    write_config(trail_dir, read_tenant(trail_dir), Policy(keys=longer))

    assert look(trail_dir, NOW + 91 * DAY) == 0


def test_two_that_look_at_once_record_one_event_each(trail_dir: Path) -> None:
    """A lease that moves while somebody looks must not double what is said."""
    now = NOW + YEAR
    with closing(open_trail(trail_dir)) as trail, closing(open_trail(trail_dir)) as two:
        events = [watcher(one).news(now) for one in (trail, two)]
        for part, given in zip((trail, two), events, strict=True):
            part.recorder.record_many(given, now)
        assert events[0] == events[1]
        assert len(told(trail)) == KEYS_OF_A_TRAIL


class LateWatcher(KeyDueWatcher):
    """One that another process overtakes, between its look and what it records."""

    def __init__(self, trail: Trail, other: CallerEvent, now: datetime) -> None:
        super().__init__(trail, is_publishing=lambda: True)
        self._other = other
        self._now = now

    def news(self, now: datetime) -> list[CallerEvent]:
        """Look, and let the other one record first."""
        found = super().news(now)
        self._trail.recorder.record(self._other, self._now)
        return found


def test_one_that_was_told_meanwhile_by_another_policy_is_passed_over(
    trail_dir: Path,
) -> None:
    """Two processes with two notices must both go on."""
    now = NOW + 360 * DAY
    with closing(open_trail(trail_dir)) as trail:
        (first, *_) = list_due(trail_dir, now)
        other = msgspec.structs.replace(event_of(first), timestamp_utc=first.due_at)
        late = LateWatcher(trail, other, now)
        late.look(now)
        assert len(told(trail)) == KEYS_OF_A_TRAIL


def test_an_event_is_of_the_time_from_which_it_was_so(trail_dir: Path) -> None:
    """Whoever reads years later asks since when, not when somebody looked."""
    now = NOW + YEAR - DAY
    (one, *_) = list_due(trail_dir, now)
    soon, late = event_of(one), event_of(replace(one, is_overdue=True))

    assert soon.timestamp_utc == format_time(NOW + YEAR - 14 * DAY)
    assert late.timestamp_utc == format_time(NOW + YEAR)
    assert soon.event_id != late.event_id


def test_an_exception_that_ends_is_told(trail_dir: Path) -> None:
    """A rule that was set aside comes back on its day, and nobody should be surprised."""
    only(trail_dir, "rater", 9_999)
    ends, words = NOW + 50 * DAY, "until the vault is here"
    with closing(open_trail(trail_dir)) as trail:
        record_exception(trail, LOCAL_KEYRING, until=ends, by=BY, reason=words, now=NOW)
        assert watcher(trail).look(NOW + 40 * DAY) == 1
        assert watcher(trail).look(NOW + 50 * DAY) == 1
        assert told(trail) == [
            (EventType.KEY_DUE, LOCAL_KEYRING, format_time(ends)),
            (EventType.KEY_OVERDUE, LOCAL_KEYRING, format_time(ends)),
        ]
    (one,) = list_due(trail_dir, NOW + 50 * DAY)
    assert "vault" in command_of(one)


def test_what_is_due_says_what_to_run(trail_dir: Path) -> None:
    """A list of duties without the way to do them is put off."""
    due = list_due(trail_dir, NOW + YEAR)
    commands = {one.subject: command_of(one) for one in due}

    assert all(one.is_overdue for one in due)
    assert len(due) == KEYS_OF_A_TRAIL
    assert commands["text-hash:v1"] == "phitrail key rotate text-hash"
    assert commands["wrapping:v1"] == "phitrail key rotate wrapping"
    for role in ("checkpoint", "promise"):
        assert commands[f"{Log.AUDIT}-{role}:v1"] == (
            "phitrail key rotate --log audit --recovery FILE"
        )


def test_the_thread_looks_where_this_process_publishes(memory_path: Path) -> None:
    """Two processes that watch would do the work twice."""
    directory = memory_path / "old"
    found_trail(directory, "clinic.example", clock.now() - 2 * YEAR)
    with closing(open_trail(directory)) as trail:
        idle = KeyDueWatcher(trail, is_publishing=lambda: False, look_every_s=0.01)
        busy = KeyDueWatcher(trail, is_publishing=lambda: True, look_every_s=0.01)
        idle.start()
        idle.close()
        assert not told(trail)
        busy.start()
        deadline_us = clock.monotonic_us() + 20_000_000
        while len(told(trail)) < KEYS_OF_A_TRAIL:
            assert clock.monotonic_us() < deadline_us
        busy.close()
        assert {kind for kind, *_ in told(trail)} == {EventType.KEY_OVERDUE}

    assert busy.failure is None


def test_what_stops_the_watch_is_kept(memory_path: Path) -> None:
    """A register that was changed must not end the watch without a word."""
    directory = found(memory_path / "trail")
    with closing(open_trail(directory)) as trail:
        (directory / "state/key-register.json").write_text("{}", encoding="utf-8")
        broken = KeyDueWatcher(trail, is_publishing=lambda: True, look_every_s=0.01)
        broken.start()
        deadline_us = clock.monotonic_us() + 20_000_000
        while broken.failure is None:
            assert clock.monotonic_us() < deadline_us
        broken.close()

    assert "register" in str(broken.failure)
