"""Who is at work when: day, evening, night, weekend rota, on call, holidays, leave.

1. A shift begins at a local time of the user's facility and lasts its hours of elapsed time, so
   the night on which a clock changes is as long as it is worked.
2. `Rota.is_on_shift` says what the house's roster says: swaps that nobody entered and work
   after the end of a shift are not in it. Who is in no roster is neither on nor off shift.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from bench.clinic_weeks_house import (
    DAY_US,
    FACILITY_ZONES,
    HOLIDAYS,
    HOUR_US,
    START,
    START_US,
    User,
)

PATTERNS: Mapping[str, tuple[int, int]] = {
    "day": (7, 8),
    "evening": (15, 8),
    "night": (23, 8),
    "weekend": (7, 12),
    "office": (8, 9),
    "on_call": (17, 14),
}
"""The local hour at which a shift begins, and how many hours it lasts."""
OFFICE_HOURS = ("registrar", "researcher", "administrator", "privacy_officer")
WARD_PATTERNS = ("day",) * 9 + ("evening",) * 5 + ("night",) * 4 + ("weekend",) * 2
SWAPPED = 0.02
"""How many shifts are worked that no roster shows."""
ON_LEAVE = 0.04
"""How many users are away in a week."""


@dataclass(frozen=True, slots=True)
class Shift:
    """One shift of one user, in microseconds since 1970."""

    user: User
    day: int
    pattern: str
    begin_us: int
    end_us: int
    is_in_roster: bool = True


@dataclass(frozen=True, slots=True)
class Rota:
    """The shifts of all users."""

    shifts: tuple[Shift, ...]
    of_user: Mapping[int, tuple[Shift, ...]]
    leave: frozenset[tuple[int, int]]
    """(user, week) of those who are away."""

    def is_on_shift(self, user: User, at_us: int) -> bool | None:
        """Say whether the roster has a user at work; None for who is in no roster."""
        held = self.of_user.get(user.number)
        if not user.role.is_rostered or not held:
            return None
        return any(
            one.begin_us <= at_us < one.end_us for one in held if one.is_in_roster
        )

    def is_on_leave(self, user: User, at_us: int) -> bool:
        """Say whether a user is away in that week."""
        # From Monday noon, when the last night shift is over, to before the first early one.
        week, within_us = divmod(at_us - START_US, 7 * DAY_US)
        is_begun = within_us >= 17 * HOUR_US
        ended = (user.number, week - 1) in self.leave and within_us < 9 * HOUR_US
        return ended or (is_begun and (user.number, week) in self.leave)


def make_rota(draw: random.Random, users: Sequence[User], weeks: int) -> Rota:
    """Draw the shifts of so many weeks."""
    of_user: dict[int, tuple[Shift, ...]] = {}
    leave = set()
    for user in users:
        pattern = _pattern(draw, user)
        away = {week for week in range(weeks) if draw.random() < ON_LEAVE}
        leave |= {(user.number, week) for week in away}
        of_user[user.number] = tuple(
            shift
            for day in range(weeks * 7)
            if day // 7 not in away and day >= user.starts_day
            for shift in _of_day(draw, user, pattern, day)
        )
    shifts = sorted(
        (one for held in of_user.values() for one in held),
        key=lambda one: (one.begin_us, one.user.number),
    )
    return Rota(tuple(shifts), of_user, frozenset(leave))


def local_us(facility: str, day: int, hour: float) -> int:
    """Say which instant a local hour of a day of the weeks is."""
    offset = _midnight(facility, day)
    return offset + int(hour * HOUR_US)


@cache
def _midnight(facility: str, day: int) -> int:
    on = START.date() + timedelta(days=day)
    zone = ZoneInfo(FACILITY_ZONES[facility])
    # By noon's clock: shifts begin after the hour in which clocks change.
    noon = datetime(on.year, on.month, on.day, 12, tzinfo=zone)
    return int(noon.timestamp() - 12 * 3_600) * 1_000_000


def _pattern(draw: random.Random, user: User) -> str:
    if user.role.name in OFFICE_HOURS and user.department != "emergency":
        return "office"
    if user.role.name == "physician" and user.department != "emergency":
        return "office"
    return draw.choice(WARD_PATTERNS)


def _of_day(
    draw: random.Random, user: User, pattern: str, day: int
) -> tuple[Shift, ...]:
    found = []
    if _works(draw, user, pattern, day):
        is_known = draw.random() >= SWAPPED
        found.append(_shift(user, day, pattern, is_in_roster=is_known))
    is_physician = user.role.name == "physician"
    if is_physician and pattern == "office" and (day + user.number) % 12 == 0:
        found.append(_shift(user, day, "on_call", is_in_roster=True))
    return tuple(found)


def _works(draw: random.Random, user: User, pattern: str, day: int) -> bool:
    weekend, holiday = day % 7 >= 5, day in HOLIDAYS
    if pattern == "office":
        return not weekend and not holiday
    if pattern == "weekend":
        return weekend or draw.random() < 0.12
    if holiday and draw.random() < 0.4:
        return False
    return (day + user.number) % 7 < (4 if weekend else 5)


def _shift(user: User, day: int, pattern: str, *, is_in_roster: bool) -> Shift:
    hour, hours = PATTERNS[pattern]
    begin = local_us(user.facility, day, hour)
    return Shift(user, day, pattern, begin, begin + hours * HOUR_US, is_in_roster)
