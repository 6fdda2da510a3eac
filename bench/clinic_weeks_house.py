"""A made-up house for the clinic weeks: facilities, people who work there, patients.

1. Two facilities in two zones: one changes its clock within the weeks, the other never does.
2. Who works there has a role, a department, a surname and a street, and some are patients too.
3. What a patient is to a user (`House.relations`) follows from these as `identity.facts` says
   it, so that it occurs among innocent accesses too.
4. Everything follows from the `random.Random` that is passed in; no clock, no disk.

Who is at work is for `clinic_weeks_shifts`, who is cared for by whom for
`clinic_weeks_encounters`.
"""

import base64
import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

START = datetime(2026, 2, 16, tzinfo=UTC)
"""A Monday and a public holiday; the third week ends with the change of the clock."""
START_US = int(START.timestamp()) * 1_000_000
DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
MINUTE_US = 60_000_000
SECOND_US = 1_000_000

FACILITY_ZONES: Mapping[str, str] = {
    "main": "America/New_York",
    "mesa": "America/Phoenix",
}
HOLIDAYS = frozenset({0})
"""Days from the start on which offices and clinics are closed."""

WARDS = ("internal_medicine", "cardiology", "oncology", "pediatrics", "surgery")
OFFICES = ("admissions", "it", "privacy_office")
ORDERED = ("radiology", "pharmacy")
"""Departments that see a patient because of an order."""

PATIENTS_PER_USER = 13
SURNAMES = 1_500
STREETS = 200
STAFF_PATIENT_SHARE = 0.1
"""How many of the staff are patients of the house."""
HOUSEHOLD_SHARE = 0.3
"""How many of the staff have somebody of their household among the patients."""
USERS_A_VIP = 120
"""For how many users there is one patient in the public eye."""
STRAYS_SIGMA = 0.8
UNUSED = 12
"""Accounts of people who left, and as many that are dormant."""
NEW_SHARE = 0.03
BACK_SHARE = 0.01
"""How many users begin within the weeks, or are back from a long leave."""


@dataclass(frozen=True, slots=True)
class Role:
    """What people of one role do, and how much of it in a shift."""

    name: str
    share: float
    departments: tuple[str, ...]
    accesses: int
    purpose: str
    is_rostered: bool = True


ROLES = (
    Role("nurse", 0.44, ("emergency", *WARDS), 26, "treatment"),
    Role("physician", 0.20, ("emergency", *WARDS, "radiology"), 24, "treatment"),
    Role("pharmacist", 0.05, ("pharmacy",), 40, "treatment"),
    Role("technician", 0.08, ("radiology", "emergency"), 34, "treatment"),
    Role("therapist", 0.06, WARDS, 18, "treatment"),
    Role("registrar", 0.12, ("admissions", "emergency"), 36, "operations"),
    Role("researcher", 0.025, ("oncology", "cardiology"), 12, "research", False),
    Role("administrator", 0.02, ("it",), 3, "operations", False),
    Role("privacy_officer", 0.005, ("privacy_office",), 8, "operations", False),
)


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who works there."""

    number: int
    user_id: str
    role: Role
    department: str
    facility: str
    surname: int
    street: int
    addresses: tuple[str, ...]
    """Workstations at hand, the usual one first."""
    starts_day: int = 0
    """Day of the weeks on which the user begins, or is back from a long leave."""
    last_seen_day: int | None = -1
    """Day before the weeks of the last access; None for somebody who is new."""
    has_two_sites: bool = False
    strays: float = 1.0
    """How much more often than others the user opens records of nobody in their care."""


@dataclass(frozen=True, slots=True)
class Patient:
    """Somebody who is cared for, as surrogates."""

    number: int
    surrogate: str
    records: tuple[tuple[str, str, str], ...]
    surname: int
    street: int
    facility: str
    employee: int | None = None
    household: tuple[int, ...] = ()
    is_vip: bool = False
    is_deceased: bool = False


@dataclass(frozen=True, slots=True)
class House:
    """People and patients of one seed."""

    users: tuple[User, ...]
    patients: tuple[Patient, ...]
    former: tuple[User, ...]
    """Accounts of people who leave, and of whom no work is made."""
    dormant: tuple[User, ...]
    """Accounts that nobody has used for months."""
    by_department: Mapping[str, tuple[User, ...]] = field(default_factory=dict)

    def relations(self, user: User, patient: Patient) -> tuple[str, ...]:
        """Say what a patient is to a user, in the codes of `Relation`."""
        found = []
        if patient.employee == user.number:
            found.append("self")
        else:
            if patient.employee is not None:
                found.append("coworker")
            if patient.surname == user.surname:
                found.append("same_surname")
            if user.number in patient.household:
                found.append("household")
            elif patient.street == user.street:
                found.append("neighbour")
        if patient.is_vip:
            found.append("vip")
        if patient.is_deceased:
            found.append("deceased")
        return tuple(found)


def make_house(draw: random.Random, users: int) -> House:
    """Make a house with so many users."""
    everybody = _staff(draw, users + 2 * UNUSED)
    staff, former = everybody[:users], everybody[users : users + UNUSED]
    dormant = tuple(
        replace(one, last_seen_day=-draw.randrange(50, 400))
        for one in everybody[users + UNUSED :]
    )
    patients = _patients(draw, staff)
    by_department: dict[str, tuple[User, ...]] = {}
    for user in staff:
        held = by_department.get(user.department, ())
        by_department[user.department] = (*held, user)
    return House(staff, patients, former, dormant, by_department)


def surrogate_of(kind: str, number: int) -> str:
    """Make a surrogate for a number: 43 characters."""
    digest = hashlib.sha256(f"{kind}/{number}".encode()).digest()
    return base64.urlsafe_b64encode(digest)[:43].decode()


# --- staff ---


def _staff(draw: random.Random, count: int) -> tuple[User, ...]:
    made: list[User] = []
    for number in range(count):
        place = (number * 0.6180339887) % 1  # every stretch of users has all roles
        role = next(one for one, until in _UNTIL if place < until)
        department = draw.choice(role.departments)
        facility = "mesa" if draw.random() < 0.25 else "main"
        starts, seen = _begins(draw)
        made.append(
            User(
                number,
                f"u-{number:04d}",
                role,
                department,
                facility,
                _skewed(draw, SURNAMES),
                draw.randrange(STREETS),
                _addresses(draw, department, facility),
                starts_day=starts,
                last_seen_day=seen,
                has_two_sites=role.name == "physician" and draw.random() < 0.03,
                strays=draw.lognormvariate(-(STRAYS_SIGMA**2) / 2, STRAYS_SIGMA),
            )
        )
    return tuple(made)


_UNTIL = tuple(
    (role, sum(one.share for one in ROLES[: number + 1]) + 1e-9)
    for number, role in enumerate(ROLES)
)


def _begins(draw: random.Random) -> tuple[int, int | None]:
    """Say on which day a user begins, and when there was an access before that."""
    drawn, day = draw.random(), draw.randrange(7, 28)
    if drawn < NEW_SHARE:
        return day, None
    if drawn < NEW_SHARE + BACK_SHARE:
        return day, -draw.randrange(40, 200)
    return 0, -1


def _addresses(draw: random.Random, department: str, facility: str) -> tuple[str, ...]:
    """Pick the workstations that a user has at hand, out of the department's."""
    net = 1 + sorted((*WARDS, *OFFICES, *ORDERED, "emergency")).index(department)
    block = 16 + 32 * (facility == "mesa") + net
    hosts = draw.sample(range(10, 34), 6)
    return tuple(f"10.{block}.1.{host}" for host in hosts)


def _skewed(draw: random.Random, count: int) -> int:
    """Draw a number that is more often a small one, as surnames are."""
    return int(count * draw.random() ** 1.6)


# --- patients ---


def _patients(draw: random.Random, staff: Sequence[User]) -> tuple[Patient, ...]:
    made = [_patient(draw, number) for number in range(len(staff) * PATIENTS_PER_USER)]
    free = list(range(len(made)))
    draw.shuffle(free)
    for user in staff:
        if draw.random() < STAFF_PATIENT_SHARE:
            place = free.pop()
            made[place] = replace(
                made[place],
                employee=user.number,
                surname=user.surname,
                street=user.street,
            )
        if draw.random() < HOUSEHOLD_SHARE:
            place = free.pop()
            made[place] = replace(
                made[place],
                household=(user.number,),
                surname=user.surname if draw.random() < 0.6 else made[place].surname,
                street=user.street,
            )
    for _ in range(max(1, len(staff) // USERS_A_VIP)):
        place = free.pop()
        made[place] = replace(made[place], is_vip=True)
    return tuple(made)


_KINDS = ("Observation", "Condition", "MedicationRequest", "DocumentReference")


def _patient(draw: random.Random, number: int) -> Patient:
    surrogate = surrogate_of("patient", number)
    records = tuple(
        (surrogate, surrogate_of("record", number * 8 + which), _KINDS[which])
        for which in range(4)
    )
    return Patient(
        number,
        surrogate,
        records,
        _skewed(draw, SURNAMES),
        draw.randrange(STREETS),
        "mesa" if draw.random() < 0.25 else "main",
        is_deceased=draw.random() < 0.01,
    )
