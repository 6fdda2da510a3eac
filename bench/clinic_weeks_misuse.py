"""Twelve kinds of misuse, put into innocent weeks with a label each.

Most are after enforcement cases or what hospitals' privacy offices report (`docs/rules.md`).
They are drawn with spread: small and large, quick and slow, known and not known to the house's
lists, so that some can be found by a rule of today and some cannot. What is expected of rules
plays no part in how they are drawn.
"""

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from bench.clinic_weeks_house import (
    DAY_US,
    HOUR_US,
    MINUTE_US,
    SECOND_US,
    START_US,
    Patient,
    User,
)
from bench.clinic_weeks_rows import Clinic, Ledger, Made, Told
from bench.clinic_weeks_shifts import Shift, local_us

OUTSIDE = "203.0.113.{}"
VPN = "10.200.{}.{}"


@dataclass(frozen=True, slots=True)
class Misuse:
    """One instance: what, by whom, when it begins, and how many rows it left."""

    label: int
    scenario: str
    users: tuple[str, ...]
    begins_us: int
    ends_us: int
    rows: int


@dataclass(slots=True)
class Cast:
    """Who misuses: everybody once, so that a row has one label."""

    clinic: Clinic
    draw: random.Random
    taken: set[int] = field(default_factory=set)

    def shift(
        self,
        *,
        from_day: int = 1,
        until_day: int | None = None,
        among: Collection[int] | None = None,
    ) -> Shift:
        """Pick a shift of somebody who is not taken, within some days, of some users."""
        last = until_day or self.clinic.weeks * 7 - 2
        held = [
            one
            for one in self.clinic.rota.shifts
            if from_day <= one.day <= last
            and one.user.number not in self.taken
            and (among is None or one.user.number in among)
            and one.user.role.accesses >= 10
            and one.is_in_roster
            and one.pattern != "on_call"
        ]
        found = self.draw.choice(held)
        self.taken.add(found.user.number)
        return found

    def account(self, accounts: Sequence[User]) -> User:
        """Pick an account that nobody works with."""
        held = [one for one in accounts if one.number not in self.taken]
        found = self.draw.choice(held)
        self.taken.add(found.number)
        return found

    def strangers(self, user: User, at_us: int, count: int) -> list[Patient]:
        """Pick patients whom the user does not care for, of those who are or were there."""
        clinic, known = self.clinic, self.clinic.encounters.is_known
        day = min((at_us - START_US) // DAY_US, clinic.weeks * 7 - 1)
        there = clinic.encounters.near_day[max(0, day)]
        if len(there) < count + 40:
            there = clinic.house.patients
        drawn = self.draw.sample(there, count + 40)
        return [one for one in drawn if not known(user, one, at_us)][:count]


Writes = Callable[[Ledger, Cast], Sequence[User]]


def make_misuse(
    clinic: Clinic, seed: str, each: int
) -> tuple[list[Made], list[Misuse]]:
    """Draw so many instances of each kind; give their rows, and what they are."""
    rows: list[Made] = []
    found: list[Misuse] = []
    cast = Cast(clinic, random.Random(f"{seed}/cast"))
    names_of = sorted(SCENARIOS, key=lambda one: one not in _FEW_CAN)
    for scenario in names_of:
        for number in range(each):
            label = len(found)
            write = SCENARIOS[scenario]
            cast.draw = random.Random(f"{seed}/{scenario}/{number}")
            ledger = Ledger(clinic, cast.draw, label)
            users = write(ledger, cast)
            kept = [one for one in ledger.rows if one.at_us < clinic.end_us]
            times = [one.at_us for one in kept if one.label == label]
            names = tuple(one.user_id for one in users)
            found.append(
                Misuse(label, scenario, names, min(times), max(times), len(times))
            )
            rows += kept
    return rows, found


# --- reading too much ---


def _bulk_harvest(ledger: Ledger, cast: Cast) -> Sequence[User]:
    """Open very many records within an hour, at work."""
    draw, shift = ledger.draw, cast.shift()
    user, at_us = shift.user, shift.begin_us + int(draw.uniform(1, 5) * HOUR_US)
    count = round(60 * (400 / 60) ** draw.random())
    gap_s = draw.uniform(20, 58) * 60 / count
    for patient in cast.strangers(user, at_us, count):
        at_us += int(draw.uniform(0.5, 1.5) * gap_s * SECOND_US)
        ledger.access(user, at_us, [patient], Told(address=user.addresses[1]))
    return (user,)


def _slow_harvest(ledger: Ledger, cast: Cast) -> Sequence[User]:
    """Open some records of strangers on every shift, for weeks."""
    draw = ledger.draw
    first = cast.shift(until_day=min(8, cast.clinic.weeks * 7 - 2))
    user, a_day = first.user, draw.randrange(5, 15)
    for shift in cast.clinic.rota.of_user[user.number]:
        if shift.day < first.day:
            continue
        for patient in cast.strangers(user, shift.begin_us, a_day):
            at_us = shift.begin_us + int(draw.uniform(0.2, 7.5) * HOUR_US)
            ledger.access(user, at_us, [patient])
    return (user,)


def _night_snooping(ledger: Ledger, cast: Cast) -> Sequence[User]:
    """Read at night from home, off shift, on some nights."""
    draw, shift = ledger.draw, cast.shift()
    user = shift.user
    address = VPN.format(user.number % 250, user.number // 250 + 1)
    for night in range(draw.randrange(2, 5)):
        day = shift.day + night * draw.randrange(1, 4)
        at_us = local_us(user.facility, day, draw.uniform(22.5, 28))
        if cast.clinic.rota.is_on_shift(user, at_us):
            at_us += 12 * HOUR_US
        for patient in cast.strangers(user, at_us, draw.randrange(3, 15)):
            at_us += int(draw.uniform(0.5, 5) * MINUTE_US)
            ledger.access(user, at_us, [patient], Told(address=address))
    return (user,)


# --- reading whom one knows, or everybody knows ---


def _vip_snooping(ledger: Ledger, cast: Cast) -> Sequence[User]:
    """Look, many of them, at somebody in the news; at times before the label is set."""
    draw, first = ledger.draw, cast.shift()
    people = cast.clinic.house.patients
    vips = [one for one in people if one.is_vip]
    patient = draw.choice(vips) if draw.random() < 0.75 else draw.choice(people)
    shifts = [first]
    for _ in range(draw.randrange(3, 9)):
        until = min(first.day + 3, cast.clinic.weeks * 7 - 2)
        shifts.append(cast.shift(from_day=first.day, until_day=until))
    for shift in shifts:
        at_us = shift.begin_us + int(draw.uniform(0.5, 7) * HOUR_US)
        for _ in range(draw.choice((1, 1, 2))):
            ledger.access(shift.user, at_us, [patient])
            at_us += 2 * MINUTE_US
    return tuple(one.user for one in shifts)


def _relation_snooping(ledger: Ledger, cast: Cast) -> Sequence[User]:
    """Look at a co-worker, somebody of the household, a neighbour, an old acquaintance."""
    draw, house = ledger.draw, cast.clinic.house
    wanted = draw.choice(
        ("household", "household", "coworker", "coworker", "neighbour")
    )
    shift = cast.shift()
    patient = draw.choice(house.patients)  # whom no list connects with the user
    if draw.random() < 0.8:
        users = {one for each in house.patients for one in each.household}
        if wanted == "household":
            cast.taken.discard(shift.user.number)
            shift = cast.shift(among=users)
        held = [
            one for one in house.patients if wanted in house.relations(shift.user, one)
        ]
        patient = draw.choice(held or house.patients)
    user = shift.user
    for number in range(draw.randrange(1, 6)):
        at_us = shift.begin_us + int((draw.uniform(1, 7) + 24 * number) * HOUR_US)
        ledger.access(user, at_us, [patient])
    return (user,)


def _self_access(ledger: Ledger, cast: Cast) -> Sequence[User]:
    """Read one's own record with the rights of work."""
    draw, house = ledger.draw, cast.clinic.house
    own = {one.employee: one for one in house.patients if one.employee is not None}
    shift = cast.shift(among=own)
    at_us = shift.begin_us + int(draw.uniform(1, 7) * HOUR_US)
    for _ in range(draw.randrange(1, 5)):
        ledger.access(shift.user, at_us, [own[shift.user.number]])
        at_us += int(draw.uniform(1, 90) * MINUTE_US)
    return (shift.user,)


# --- credentials ---


def _departed_credential(ledger: Ledger, cast: Cast) -> Sequence[User]:
    """Go on with an account after leaving; the house's lists know it, mostly, a day later."""
    draw, user = ledger.draw, cast.account(cast.clinic.house.former)
    days = cast.clinic.weeks * 7
    left_us = local_us(user.facility, draw.randrange(1, days - 3), 17)
    is_listed, is_told = draw.random() < 0.85, draw.random() < 0.6
    if is_told:
        # The leaving itself is no misuse.
        innocent = Ledger(cast.clinic, draw)
        innocent.plain("user_left", left_us, None, object_id=user.user_id)
        ledger.rows += innocent.rows
    at_us = left_us + int(draw.expovariate(1 / 5) * DAY_US + 3 * HOUR_US)
    at_us = min(at_us, cast.clinic.end_us - DAY_US)
    for patient in cast.strangers(user, at_us, draw.randrange(3, 30)):
        known = is_listed and at_us > left_us + DAY_US
        told = Told(
            address=VPN.format(9, user.number % 250),
            user_state="left" if known else "employed",
        )
        ledger.access(user, at_us, [patient], told)
        at_us += int(draw.uniform(1, 60) * MINUTE_US)
    return (user,)


def _dormant_revived(ledger: Ledger, cast: Cast) -> Sequence[User]:
    """Use an account again that nobody used for months, by day, at a slow pace."""
    draw, user = ledger.draw, cast.account(cast.clinic.house.dormant)
    day = draw.randrange(1, cast.clinic.weeks * 7 - 2)
    at_us = local_us(user.facility, day, draw.uniform(9, 14))
    address = VPN.format(8, user.number % 250)
    ledger.plain("session_started", at_us - MINUTE_US, user)
    for patient in cast.strangers(user, at_us, draw.randrange(5, 40)):
        ledger.access(user, at_us, [patient], Told(address=address))
        at_us += int(draw.uniform(1, 20) * MINUTE_US)
    return (user,)


def _credential_stuffing(ledger: Ledger, cast: Cast) -> Sequence[User]:
    """Try names and passwords, come in with one, and read."""
    draw, shift = ledger.draw, cast.shift()
    user = shift.user
    at_us = local_us(user.facility, shift.day, draw.uniform(0, 5))
    gap_s = draw.choice((draw.uniform(1, 20), draw.uniform(1, 20), 150.0))
    addresses = draw.choice((1, 1, 4, 25))
    users = cast.clinic.house.users
    names = draw.sample(users, min(draw.randrange(25, 80), len(users)))
    for number, other in enumerate(names):
        at_us += int(draw.uniform(0.5, 1.5) * gap_s * SECOND_US)
        address = OUTSIDE.format(1 + user.number % 200 + number % addresses)
        ledger.security(
            "session_denied", at_us, user_id=other.user_id, source_ip=address
        )
    address = OUTSIDE.format(1 + user.number % 200)
    ledger.plain("session_started", at_us + MINUTE_US, user, source_ip=address)
    for patient in cast.strangers(user, at_us, draw.randrange(4, 30)):
        at_us += int(draw.uniform(0.5, 4) * MINUTE_US)
        ledger.access(user, at_us, [patient], Told(address=address))
    return (user,)


def _shared_credential(ledger: Ledger, cast: Cast) -> Sequence[User]:
    """Let somebody else work under one's name, elsewhere at the same time."""
    draw, shift = ledger.draw, cast.shift()
    user, house = shift.user, cast.clinic.house
    other = draw.choice([one for one in house.users if one.number != user.number])
    site = user.facility
    if draw.random() < 0.6:
        site = "mesa" if site == "main" else "main"
    at_us = shift.begin_us + int(draw.uniform(1, 4) * HOUR_US)
    end_us = at_us + int(draw.uniform(1, 4) * HOUR_US)
    while at_us < end_us:
        (patient,) = cast.strangers(user, at_us, 1)
        address = draw.choice(other.addresses[:3])
        ledger.access(user, at_us, [patient], Told(address=address, facility=site))
        at_us += int(draw.uniform(2, 14) * MINUTE_US)
    return (user,)


# --- models, emergencies ---


def _injection_campaign(ledger: Ledger, cast: Cast) -> Sequence[User]:
    """Try to steer the assistant, from changing addresses and names."""
    draw, shift = ledger.draw, cast.shift()
    users = [shift.user, *(cast.shift().user for _ in range(draw.randrange(0, 5)))]
    at_us = shift.begin_us + int(draw.uniform(0, 7) * HOUR_US)
    gap_s = 3 * (120 / 3) ** draw.random()
    for number in range(draw.randrange(15, 60)):
        user = users[number % len(users)]
        at_us += int(draw.uniform(0.5, 1.5) * gap_s * SECOND_US)
        ledger.security(
            "ai_injection_attempt",
            at_us,
            user_id=user.user_id,
            source_ip=draw.choice(user.addresses),
            facility_id=user.facility,
            use_case="chart_qa",
        )
    return users


def _break_glass_misuse(ledger: Ledger, cast: Cast) -> Sequence[User]:
    """Take emergency access for records that no emergency asks for."""
    draw, shift = ledger.draw, cast.shift(until_day=cast.clinic.weeks * 7 - 5)
    user = shift.user
    at_us = shift.begin_us + int(draw.uniform(0, 7) * HOUR_US)
    for _ in range(draw.randrange(3, 8)):
        ledger.plain("break_glass_started", at_us, user)
        for patient in cast.strangers(user, at_us, draw.randrange(1, 4)):
            at_us += int(draw.uniform(0.5, 5) * MINUTE_US)
            ledger.access(user, at_us, [patient], Told(purpose="emergency"))
        at_us += int(draw.uniform(3, 30) * HOUR_US)
    return (user,)


SCENARIOS: Mapping[str, Writes] = {
    "bulk harvest": _bulk_harvest,
    "slow harvest": _slow_harvest,
    "night snooping": _night_snooping,
    "VIP snooping": _vip_snooping,
    "relation snooping": _relation_snooping,
    "self access": _self_access,
    "departed credential": _departed_credential,
    "dormant revived": _dormant_revived,
    "credential stuffing": _credential_stuffing,
    "shared credential": _shared_credential,
    "injection campaign": _injection_campaign,
    "break-glass misuse": _break_glass_misuse,
}
_FEW_CAN = frozenset({"self access", "relation snooping"})
"""What is cast first, since it needs somebody with such a patient."""
