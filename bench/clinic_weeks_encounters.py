"""Who is cared for where, and what the house's fact tables say of it.

1. An admission, a visit to the emergency department and an appointment each give a care team: a
   department, and those that an order or a referral brings in.
2. `Encounters.is_known` is what the facts say, not what is true: some encounters are entered
   late, a ward that moves is entered under its old code for two days, and new staff stand in no
   team for their first days. So good accesses are without a known care relationship as well.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.clinic_weeks_house import (
    DAY_US,
    HOLIDAYS,
    HOUR_US,
    START_US,
    WARDS,
    House,
    Patient,
    User,
)
from bench.clinic_weeks_shifts import local_us

ADMISSIONS_A_USER = 0.05
EMERGENCIES_A_USER = 0.12
APPOINTMENTS_A_USER = 0.35
"""How many begin on a day, for each user of the house."""
STAFF_GO_ELSEWHERE = 0.9
ENTERED_LATE = 0.05
MOVES_ON_DAY = 16
MOVING_WARD = "cardiology"
MOVE_TAKES_DAYS = 2
NEW_WITHOUT_TEAM_DAYS = 3
VIP_ADMITTED_DAY = 9


@dataclass(frozen=True, slots=True)
class Encounter:
    """One patient in the care of one department."""

    patient: Patient
    department: str
    begin_us: int
    end_us: int
    known_us: int
    """When the fact tables had it."""


@dataclass(frozen=True, slots=True)
class Encounters:
    """What happened, by day and by patient."""

    of_day: Mapping[tuple[str, str, int], tuple[Encounter, ...]]
    """By department, facility and day of the weeks."""
    of_patient: Mapping[int, tuple[Encounter, ...]]
    near_day: Mapping[int, tuple[Patient, ...]]
    """Who is there on a day, or was within the week before it."""

    def is_known(self, user: User, patient: Patient, at_us: int) -> bool:
        """Say whether the facts had a care relationship at an instant."""
        new_until = START_US + (user.starts_day + NEW_WITHOUT_TEAM_DAYS) * DAY_US
        if user.last_seen_day is None and at_us < new_until:
            return False
        return any(
            one.department == user.department
            and max(one.begin_us, one.known_us) <= at_us < one.end_us
            for one in self.of_patient.get(patient.number, ())
        )


def make_encounters(draw: random.Random, house: House, weeks: int) -> Encounters:
    """Draw the encounters of so many weeks, and of a week before them."""
    of_day: dict[tuple[str, str, int], list[Encounter]] = {}
    of_patient: dict[int, list[Encounter]] = {}
    for day in range(-7, weeks * 7):
        for patient, department, days in _begun_on(draw, house, day):
            one = _encounter(draw, patient, department, day, days)
            of_patient.setdefault(patient.number, []).append(one)
            for each in range(days):
                key = (department, patient.facility, day + each)
                of_day.setdefault(key, []).append(one)
    return Encounters(
        {key: tuple(held) for key, held in of_day.items()},
        {key: tuple(held) for key, held in of_patient.items()},
        {day: _near(house, of_patient, day) for day in range(weeks * 7)},
    )


def _near(
    house: House, of_patient: Mapping[int, Sequence[Encounter]], day: int
) -> tuple[Patient, ...]:
    begin_us, end_us = START_US + (day - 7) * DAY_US, START_US + (day + 1) * DAY_US
    return tuple(
        one
        for one in house.patients
        if any(
            each.begin_us < end_us and each.end_us >= begin_us
            for each in of_patient.get(one.number, ())
        )
    )


def _begun_on(
    draw: random.Random, house: House, day: int
) -> Iterator[tuple[Patient, str, int]]:
    """Give patient, department and days of what begins on a day."""
    staff = len(house.users)
    if day == VIP_ADMITTED_DAY:
        vip = next(one for one in house.patients if one.is_vip)
        yield from _admission(draw, vip)
    for _ in range(round(staff * ADMISSIONS_A_USER)):
        yield from _admission(draw, _somebody(draw, house))
    for _ in range(round(staff * EMERGENCIES_A_USER)):
        yield from _seen(draw, _somebody(draw, house), "emergency", days=1)
    if day % 7 < 5 and day not in HOLIDAYS:
        for _ in range(round(staff * APPOINTMENTS_A_USER)):
            ward = draw.choice(WARDS)
            yield from _seen(draw, _somebody(draw, house), ward, days=2)


def _somebody(draw: random.Random, house: House) -> Patient:
    """Draw who falls ill; staff mostly go elsewhere."""
    patient = draw.choice(house.patients)
    while patient.is_deceased or (
        patient.employee is not None and draw.random() < STAFF_GO_ELSEWHERE
    ):
        patient = draw.choice(house.patients)
    return patient


def _admission(
    draw: random.Random, patient: Patient
) -> Iterator[tuple[Patient, str, int]]:
    days = min(14, 1 + int(draw.expovariate(1 / 3.5)))
    ward = draw.choice(WARDS)
    yield from _seen(draw, patient, ward, days=days)
    if draw.random() < 0.3:  # a referral to another department
        yield patient, draw.choice([one for one in WARDS if one != ward]), 5


def _seen(
    draw: random.Random, patient: Patient, department: str, *, days: int
) -> Iterator[tuple[Patient, str, int]]:
    yield patient, department, days
    yield patient, "admissions", min(days, 2)
    if draw.random() < 0.6:
        yield patient, "pharmacy", days
    if draw.random() < 0.35:
        yield patient, "radiology", 2


def _encounter(
    draw: random.Random, patient: Patient, department: str, day: int, days: int
) -> Encounter:
    begin = local_us(patient.facility, day, 0)
    known = begin
    if draw.random() < ENTERED_LATE:
        known = begin + int(draw.uniform(10, 30) * HOUR_US)
    moving = MOVES_ON_DAY <= day < MOVES_ON_DAY + MOVE_TAKES_DAYS
    if department == MOVING_WARD and patient.facility == "main" and moving:
        known = local_us(patient.facility, MOVES_ON_DAY + MOVE_TAKES_DAYS, 9)
    # Notes are written until noon of the day after.
    return Encounter(
        patient,
        department,
        begin,
        local_us(patient.facility, day + days, 12),
        known,
    )
