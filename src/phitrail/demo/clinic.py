"""A made-up clinic from a seed: staff on shifts, patients, encounters, care teams.

Rules:
1. The same seed gives the same clinic, byte for byte, on every Python we support
   (`phitrail.demo.draws`); nothing reads a clock.
2. Every term that reaches a record comes from the constants below, which a tenant's
   vocabulary must hold (`VOCABULARY`); ids of people are opaque (`dr-0012`).
3. Patients differ as in life: a few are seen often, most once (weights fall as 1/rank);
   departments and hours have their own weights.
4. Names, numbers and dates of birth are invented (555-01xx is reserved for fiction).
   They are handled as PHI, so they stay out of `repr`.

What was written about the patients is in `phitrail.demo.charts`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from itertools import count
from random import Random

from phitrail.demo.conditions import CONDITIONS, Condition
from phitrail.demo.draws import between, pick, pick_several, pick_weighted

OPENING_DAY = datetime(2026, 3, 2, tzinfo=UTC)
PERIOD_DAYS = 28

FACILITIES = ("main-campus", "riverside-pavilion")
COMPONENTS = ("chart-assistant",)
MODELS = ("extractive-demo", "clinic-assistant")
PROVIDERS = ("in-house",)
ROLLOUTS = ("spring-update",)
USE_CASES = (
    "chart_qa",
    "medication_reconciliation",
    "discharge_planning",
    "emergency_lookup",
    "clinical_coding",
    "quality_review",
    "cohort_research",
    "guideline_lookup",
)


@dataclass(frozen=True, slots=True)
class Department:
    """A department, and how many of a hundred encounters it sees."""

    name: str
    share: int
    facility: str


CLINICAL_DEPARTMENTS = (
    Department("emergency", 22, "main-campus"),
    Department("internal_medicine", 21, "main-campus"),
    Department("cardiology", 15, "main-campus"),
    Department("pulmonology", 11, "main-campus"),
    Department("surgery", 11, "main-campus"),
    Department("neurology", 8, "main-campus"),
    Department("orthopedics", 7, "riverside-pavilion"),
    Department("oncology", 5, "riverside-pavilion"),
)
_CENTRAL_POSTS = (
    # role, department, how many on each shift (day, evening, night)
    ("pharmacist", "pharmacy", (3, 2, 1)),
    ("radiologist", "radiology", (2, 1, 1)),
    ("case_manager", "care_coordination", (3, 1, 0)),
    ("coder", "health_information", (3, 1, 0)),
    ("quality_analyst", "quality_office", (2, 0, 0)),
    ("researcher", "research_office", (2, 0, 0)),
)
DEPARTMENTS = (
    *(department.name for department in CLINICAL_DEPARTMENTS),
    *(department for _, department, _ in _CENTRAL_POSTS),
)
_ID_PREFIX = {
    "physician": "dr",
    "resident": "rs",
    "nurse": "rn",
    "pharmacist": "rx",
    "radiologist": "rd",
    "case_manager": "cm",
    "coder": "cd",
    "quality_analyst": "qa",
    "researcher": "re",
}
ROLES = tuple(_ID_PREFIX)
REASON_CODES = ("not_on_care_team", "model_timeout")
VOCABULARY = {
    "roles": ROLES,
    "departments": DEPARTMENTS,
    "use_cases": USE_CASES,
    "components": COMPONENTS,
    "facilities": FACILITIES,
    "models": MODELS,
    "providers": PROVIDERS,
    "rollouts": ROLLOUTS,
    "reason_codes": REASON_CODES,
}
"""The constants above under the names of the tenant's lists."""


class Shift(StrEnum):
    """The three shifts of a day; night runs past midnight."""

    DAY = "day"
    EVENING = "evening"
    NIGHT = "night"

    @classmethod
    def at(cls, moment: datetime) -> "Shift":
        """Name the shift that works at `moment`: from 7, 15 and 23 o'clock."""
        if 7 <= moment.hour < 15:  # noqa: PLR2004 - hours of the clock
            return cls.DAY
        return cls.EVENING if 15 <= moment.hour < 23 else cls.NIGHT  # noqa: PLR2004


@dataclass(frozen=True, slots=True)
class Staff:
    """Somebody who works here."""

    staff_id: str
    role: str
    department: str
    facility: str
    shift: Shift


@dataclass(frozen=True, slots=True)
class Patient:
    """Somebody who is treated here; `activity` weighs how often that is."""

    mrn: str = field(repr=False)
    given_name: str = field(repr=False)
    family_name: str = field(repr=False)
    birth_date: date = field(repr=False)
    sex: str = field(repr=False)
    phone: str = field(repr=False)
    allergy: str = field(repr=False)
    activity: int

    def age_on(self, day: date) -> int:
        """Count whole years from birth to `day`."""
        birthday_is_ahead = (day.month, day.day) < (
            self.birth_date.month,
            self.birth_date.day,
        )
        return day.year - self.birth_date.year - birthday_is_ahead


@dataclass(frozen=True, slots=True)
class Encounter:
    """One stay or visit, with the care team that may open its chart."""

    encounter_id: str
    mrn: str = field(repr=False)
    department: str
    facility: str
    condition: Condition = field(repr=False)
    started_at: datetime
    nights: int
    care_team: tuple[Staff, ...]

    def member(self, role: str) -> Staff:
        """Return the first of the care team in `role`."""
        return next(staff for staff in self.care_team if staff.role == role)


@dataclass(frozen=True, slots=True)
class Clinic:
    """All of it, in a fixed order."""

    seed: int
    staff: tuple[Staff, ...]
    patients: tuple[Patient, ...]
    encounters: tuple[Encounter, ...]

    def on_shift(self, shift: Shift) -> tuple[Staff, ...]:
        """Return who works on `shift`."""
        return tuple(staff for staff in self.staff if staff.shift is shift)


def make_clinic(seed: int = 1, *, patients: int = 400) -> Clinic:
    """Make the clinic of `seed`: about 140 staff and three encounters to two patients.

    Raises:
        ValueError: fewer than one patient is asked for.
    """
    if patients < 1:
        raise ValueError("patients: at least one is needed")
    rng = Random(f"phitrail/clinic/{seed}")
    staff = _make_staff(rng)
    people = tuple(_make_patient(rng, rank) for rank in range(patients))
    encounters = _make_encounters(rng, staff, people)
    return Clinic(seed=seed, staff=staff, patients=people, encounters=encounters)


def _make_staff(rng: Random) -> tuple[Staff, ...]:
    """Fill every post of every shift; each clinical department is never without."""
    numbers = {role: count(between(rng, 3, 40)) for role in ROLES}

    def hire(role: str, department: str, facility: str, shift: Shift) -> Staff:
        staff_id = f"{_ID_PREFIX[role]}-{next(numbers[role]):04d}"
        return Staff(staff_id, role, department, facility, shift)

    staff: list[Staff] = []
    for department in CLINICAL_DEPARTMENTS:
        for shift in Shift:
            posts = ["physician", "resident", "nurse", "nurse"]
            if shift is Shift.DAY:
                posts += ["physician", "nurse"]
            if department.name == "emergency":
                posts += ["physician", "nurse", "nurse"]
            staff += [
                hire(p, department.name, department.facility, shift) for p in posts
            ]
    for role, central, heads in _CENTRAL_POSTS:
        for shift, head_count in zip(Shift, heads, strict=True):
            staff += [
                hire(role, central, FACILITIES[0], shift) for _ in range(head_count)
            ]
    return tuple(staff)


def _make_patient(rng: Random, rank: int) -> Patient:
    """Make one patient; `rank` 0 is the one seen most."""
    sex = pick(rng, ("woman", "man"))
    born = date(1936, 1, 1) + timedelta(days=between(rng, 0, 365 * 70))
    # Numbers step by a prime, so that they are unique and do not show the rank.
    mrn = (31_415_927 + rank * 7_368_787) % 90_000_000 + 10_000_000
    return Patient(
        mrn=f"MRN{mrn}",
        given_name=pick(rng, _WOMEN if sex == "woman" else _MEN),
        family_name=pick(rng, _FAMILIES),
        birth_date=born,
        sex=sex,
        phone=f"({between(rng, 201, 989)}) 555-01{between(rng, 0, 99):02d}",
        allergy=pick(rng, _ALLERGIES),
        activity=6000 // (rank + 6) + 1,
    )


def _make_encounters(
    rng: Random, staff: Sequence[Staff], patients: Sequence[Patient]
) -> tuple[Encounter, ...]:
    """Give each patient an encounter, and the often-seen more; order by start."""
    by_activity = [(patient, patient.activity) for patient in patients]
    seen = [
        *patients,
        *(pick_weighted(rng, by_activity) for _ in range(len(patients) // 2)),
    ]
    departments = [
        (department, department.share) for department in CLINICAL_DEPARTMENTS
    ]
    drafts = []
    for patient in seen:
        department = pick_weighted(rng, departments)
        treated = [c for c in CONDITIONS if c.department == department.name]
        started_at = OPENING_DAY + timedelta(
            days=between(rng, 0, PERIOD_DAYS - 1),
            hours=pick_weighted(rng, _ARRIVAL_HOURS),
            minutes=between(rng, 0, 59),
        )
        nights = pick_weighted(rng, _NIGHTS) if department.name != "emergency" else 0
        team = _make_care_team(rng, staff, department.name)
        drafts.append(
            (started_at, patient.mrn, department, pick(rng, treated), nights, team)
        )
    drafts.sort(key=lambda draft: draft[:2])
    return tuple(
        Encounter(
            f"enc-{n:05d}", mrn, dept.name, dept.facility, what, start, nights, team
        )
        for n, (start, mrn, dept, what, nights, team) in enumerate(drafts, start=1)
    )


def _make_care_team(
    rng: Random, staff: Sequence[Staff], department: str
) -> tuple[Staff, ...]:
    """Draw a team: of the department around the clock, and the central posts."""
    team: list[Staff] = []
    for shift in Shift:
        here = [s for s in staff if s.shift is shift and s.department == department]
        for role, head_count in (("physician", 1), ("resident", 1), ("nurse", 2)):
            posts = [member for member in here if member.role == role]
            team += pick_several(rng, posts, head_count)
    for role in ("pharmacist", "radiologist", "case_manager"):
        team += pick_several(rng, [s for s in staff if s.role == role], 2)
    return tuple(team)


_ARRIVAL_HOURS = tuple(
    enumerate(
        (2, 2, 1, 1, 1, 2, 3, 6, 9, 11, 11, 10, 8, 8, 9, 8, 8, 7, 7, 7, 6, 5, 4, 3)
    )
)
_NIGHTS = ((0, 30), (1, 16), (2, 16), (3, 14), (4, 10), (5, 6), (6, 4), (8, 3), (11, 1))
_ALLERGIES = (
    "no known drug allergies",
    "an allergy to penicillin with hives",
    "an allergy to sulfonamides with a rash",
    "an allergy to iodinated contrast with flushing",
    "an allergy to latex with contact dermatitis",
    "an intolerance of codeine with vomiting",
    "an allergy to peanuts with lip swelling",
)
_WOMEN = (
    "Adaeze", "Amira", "Beatriz", "Carmen", "Dagny", "Elodie", "Farida", "Greta",
    "Hanne", "Imani", "Jolanta", "Keiko", "Leocadia", "Marit", "Nadezhda", "Odile",
    "Priya", "Quintina", "Rosalind", "Saoirse", "Tamsin", "Ulrike", "Vesna",
    "Winifred", "Xiomara", "Yesenia", "Zofia",
)  # fmt: skip
_MEN = (
    "Anselm", "Baptiste", "Casimir", "Dmitri", "Eamon", "Florian", "Gustavo",
    "Hamish", "Ivo", "Jerzy", "Kwame", "Leander", "Mateo", "Nikhil", "Osman",
    "Piotr", "Quentin", "Rafael", "Stellan", "Tobias", "Umberto", "Vikram",
    "Wendell", "Xavier", "Yannick", "Zoltan",
)  # fmt: skip
_FAMILIES = (
    "Abernathy", "Achterberg", "Bellweather", "Boateng", "Castellane", "Cordova",
    "Dahlgren", "Dunmore", "Ekstrom", "Escarra", "Fairbourne", "Fonseca",
    "Galbraith", "Gunnarson", "Haverford", "Hollingsworth", "Ibarra", "Ingleside",
    "Jankowski", "Jessop", "Karimova", "Kettering", "Lindqvist", "Lockhart",
    "Marchetti", "Montfort", "Nakashima", "Northcott", "Okonkwo", "Oyelaran",
    "Pemberton", "Petrossian", "Quillfeather", "Rademaker", "Rosenthal", "Sandoval",
    "Silverthorne", "Takahara", "Thistlewood", "Underhill", "Vandermeer",
    "Villanova", "Wainwright", "Westerholm", "Yarborough", "Zielinska",
)  # fmt: skip
