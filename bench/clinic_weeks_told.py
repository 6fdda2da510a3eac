"""What phitrail itself tells of made weeks: accounts that come back, reviews that are overdue.

The events are those of `app.overdue`, told when its watch would tell them: at its next look.
Alerts that nobody disposes of, clocks and rows that come too late are told by a trail too; they
are left out here, since they follow from how a house works with its alerts.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from bench.clinic_weeks_house import DAY_US, HOUR_US, SECOND_US, START_US, House
from bench.clinic_weeks_rows import Made, time_text
from phitrail.app.config import OverdueSection
from phitrail.app.overdue import OpenGlass, Return, dormant_active, review_overdue
from phitrail.app.overdue_watch import LOOK_EVERY_S
from phitrail.events.audit import CallerEvent
from phitrail.events.codes import OPENING_TYPES, Log


def tell(
    draw: random.Random, house: House, rows: Sequence[Made], end_us: int
) -> list[Made]:
    """Write what the trail tells of rows, labelled as what it is about."""
    ordered = sorted(rows, key=lambda one: one.arrives_us)
    times = OverdueSection()
    told = [
        *_returned(house, ordered, times.dormant_days * DAY_US),
        *_unreviewed(ordered, int(times.review_hours * HOUR_US)),
    ]
    made = [
        _made(event, at_us + int(draw.uniform(0, LOOK_EVERY_S) * SECOND_US), label)
        for event, at_us, label in told
    ]
    return [one for one in made if one.at_us < end_us]


def _returned(
    house: House, rows: Sequence[Made], away_us: int
) -> Iterator[tuple[CallerEvent, int, int]]:
    """Find who has access again after a long time."""
    seen: dict[str, int] = {
        user.user_id: START_US + user.last_seen_day * DAY_US
        for user in (*house.users, *house.former, *house.dormant)
        if user.last_seen_day is not None
    }
    for one in rows:
        leaf = one.leaf
        is_opening = leaf.get("event_type") in OPENING_TYPES
        if not is_opening or leaf.get("actor_type") != "human":
            continue
        user, at_us = str(leaf["user_id"]), min(one.at_us, one.arrives_us)
        last_us = seen.get(user)
        if last_us is not None and at_us - last_us >= away_us:
            away = timedelta(microseconds=at_us - last_us)
            back = Return(user, _moment(at_us), away, str(leaf["access_id"]))
            yield dormant_active(back), one.arrives_us, one.label
        seen[user] = max(at_us, last_us or at_us)


def _unreviewed(
    rows: Sequence[Made], wait_us: int
) -> Iterator[tuple[CallerEvent, int, int]]:
    """Find emergency access that nobody reviewed in time."""
    reviewed: Mapping[object, int] = {
        one.leaf["object_id"]: one.arrives_us
        for one in rows
        if one.leaf.get("event_type") == "break_glass_reviewed"
    }
    for one in rows:
        if one.leaf.get("event_type") != "break_glass_started":
            continue
        due_us = one.arrives_us + wait_us
        if reviewed.get(one.event_id, due_us) >= due_us:
            user = str(one.leaf["user_id"])
            glass = OpenGlass(one.event_id, _moment(one.arrives_us), user)
            yield review_overdue(glass), due_us, one.label


def _made(event: CallerEvent, at_us: int, label: int) -> Made:
    at_us -= at_us % 1_000
    leaf: dict[str, object] = {
        name: value
        for name, value in msgspec.structs.asdict(event).items()
        if value is not None and value != ()
    }
    leaf["timestamp_utc"] = time_text(at_us)
    return Made(at_us, at_us, Log.AUDIT, leaf, label)


def _moment(at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us / 1e6, UTC)
