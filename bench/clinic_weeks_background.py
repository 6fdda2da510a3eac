"""Innocent weeks: care, and what looks like something else and is not.

1. Who is on shift opens the records of those in the care of the department, mostly the same
   few; some accesses are for others: a ward that helps out, a telephone call, a wrong click.
2. It drifts: the use of the assistant grows, a use case and a model version are rolled out, a
   ward moves, people are new.
3. Care that looks odd is among it: notes written at home, shifts that no roster shows, two
   sites, work at the house while on leave.

What is no care (programs, refusals, emergencies, sign-ins, guards) is `clinic_weeks_noise`'s.
"""

import random
from collections.abc import Iterator, Sequence

from bench.clinic_weeks_house import (
    DAY_US,
    HOUR_US,
    MINUTE_US,
    SECOND_US,
    START_US,
    WARDS,
    Patient,
    User,
)
from bench.clinic_weeks_noise import make_noise, use_of_emergency, use_of_refusal
from bench.clinic_weeks_rows import Clinic, Ledger, Made, Told
from bench.clinic_weeks_shifts import Shift

HELPS_OUT = 0.05
"""How many shifts are worked on another ward than the facts say."""
FOR_OTHERS, AT_RANDOM = 0.045, 0.002
"""How many accesses are to somebody who is or was there, and to anybody at all."""
AT_HOME = 0.07
"""How many shifts of physicians end with notes written at home."""
AFTER_HOURS_WORK = 0.05
"""How many accesses come after the end of the shift."""
USE_CASES = ("chart_qa", "summarization", "triage")
NEW_USE_CASE = "patient_message"
ASSISTANT_SHARE = (0.06, 0.07, 0.10, 0.12)
"""How many accesses go through the assistant, week by week."""
ROLLOUT_DAY = 15
UNEXPECTED, WRONG_PATIENT = 0.002, 0.0002
"""How many answers held PHI that they must not, of what kind."""
VPN = "10.200.{}.{}"


def make_background(clinic: Clinic, seed: str) -> list[Made]:
    """Make the innocent rows of all weeks."""
    ledger = Ledger(clinic, random.Random(f"{seed}/care"))
    for shift in clinic.rota.shifts:
        _work(ledger, shift)
    begins_us = START_US + ROLLOUT_DAY * DAY_US + 14 * HOUR_US
    for use_case in (*USE_CASES, NEW_USE_CASE):
        ledger.rollout(begins_us, "2", use_case)
    noise = Ledger(clinic, random.Random(f"{seed}/noise"))
    make_noise(noise)
    return ledger.rows + noise.rows


def _work(ledger: Ledger, shift: Shift) -> None:
    """Write what one user does in one shift."""
    draw, user = ledger.draw, shift.user
    if user.role.accesses < 10 and draw.random() < 0.5:
        return
    session = f"s-{draw.getrandbits(40):010x}"
    begun_us = shift.begin_us + int(draw.uniform(-10, 10) * MINUTE_US)
    ledger.plain("session_started", begun_us, user, session_id=session)
    site = user.facility
    if user.has_two_sites and draw.random() < 0.5:
        site = "mesa" if site == "main" else "main"
    cared_for = _cared_for(ledger, shift)
    mean = user.role.accesses * (0.4 if shift.pattern == "on_call" else 1.0)
    mean *= 1.0 if cared_for else 0.1  # who has nobody to care for does little
    count = max(1, round(draw.gauss(mean, mean / 4)))
    address = user.addresses[0]
    for at_us in _times(draw, shift, count):
        if draw.random() < 0.06:
            address = draw.choice(user.addresses)
        patient = _whom(ledger, shift, cared_for)
        told = Told(address=address, session=session, facility=site)
        access(ledger, user, at_us, patient, told)
    if user.role.name == "physician" and draw.random() < AT_HOME:
        _write_at_home(ledger, shift, cared_for)


def _cared_for(ledger: Ledger, shift: Shift) -> Sequence[Patient]:
    """Pick whom a user sees in a shift: few of those who are there."""
    draw, user = ledger.draw, shift.user
    department = user.department
    if department in WARDS and draw.random() < HELPS_OUT:
        department = draw.choice(WARDS)
    day = shift.day
    there = ledger.clinic.encounters.of_day.get((department, user.facility, day), ())
    people = list({one.patient.number: one.patient for one in there}.values())
    most = 8 if user.role.name in {"nurse", "therapist"} else 16
    if user.role.name in {"registrar", "technician", "pharmacist"}:
        most = 30
    return draw.sample(people, min(len(people), most))


def _whom(ledger: Ledger, shift: Shift, cared_for: Sequence[Patient]) -> Patient:
    """Pick a patient; somebody else's is one who is there, or was."""
    draw = ledger.draw
    if draw.random() < AT_RANDOM:
        return draw.choice(ledger.clinic.house.patients)
    if not cared_for or draw.random() < FOR_OTHERS * shift.user.strays:
        return draw.choice(ledger.clinic.encounters.near_day[shift.day])
    return draw.choice(cared_for)


def _times(draw: random.Random, shift: Shift, count: int) -> Iterator[int]:
    """Spread accesses over a shift, some in bursts, some after its end."""
    length = shift.end_us - shift.begin_us
    at_us = shift.begin_us
    for _ in range(count):
        if draw.random() < 0.35:
            at_us += int(draw.uniform(15, 150) * SECOND_US)
        else:
            at_us = shift.begin_us + int(draw.random() * length)
        if draw.random() < AFTER_HOURS_WORK:
            yield shift.end_us + int(draw.expovariate(1 / 15) * MINUTE_US)
        else:
            yield at_us


def access(
    ledger: Ledger, user: User, at_us: int, patient: Patient, told: Told
) -> None:
    """Write one access of care, by one of the ways that there are."""
    draw = ledger.draw
    week = min((at_us - START_US) // (7 * DAY_US), len(ASSISTANT_SHARE) - 1)
    if at_us < START_US or at_us >= ledger.clinic.end_us:
        return
    use_of_refusal(ledger, user, at_us, patient, told)
    use_of_emergency(ledger, user, at_us, told)
    drawn = draw.random()
    if drawn < ASSISTANT_SHARE[week]:
        _ask(ledger, user, at_us, patient, told)
    elif drawn < 0.3 and user.role.purpose == "treatment":
        ledger.access(user, at_us, [patient], _as(told, "phi_write"))
    elif drawn > 0.997 or (user.role.name == "registrar" and drawn > 0.95):
        sent = _as(told, "phi_export", destination="external_provider")
        ledger.access(user, at_us, [patient], sent)
    else:
        ledger.access(user, at_us, [patient], told)


def _ask(ledger: Ledger, user: User, at_us: int, patient: Patient, told: Told) -> None:
    """Ask the assistant: an inference, its closing, at times a finding of the guard."""
    draw = ledger.draw
    is_rolled_out = at_us >= START_US + (ROLLOUT_DAY * 24 + 14) * HOUR_US
    cases = (*USE_CASES, NEW_USE_CASE) if is_rolled_out else USE_CASES
    asked = _as(told, "ai_inference_with_phi", use_case=draw.choice(cases))
    opening = ledger.access(user, at_us, [patient], asked)
    drawn, finding = draw.random(), None
    if drawn < WRONG_PATIENT:
        finding = "wrong_patient"
    elif drawn < WRONG_PATIENT + UNEXPECTED:
        finding = "unexpected_phi"
    version = "2" if is_rolled_out else "1"
    ledger.answer(opening, version=version, finding=finding)


def _write_at_home(ledger: Ledger, shift: Shift, cared_for: Sequence[Patient]) -> None:
    """Write notes in the evening, from home, when no roster has the user at work."""
    draw = ledger.draw
    address = VPN.format(shift.user.number % 250, shift.user.number // 250 + 1)
    at_us = shift.end_us + int(draw.uniform(3.5, 6.5) * HOUR_US)
    for _ in range(draw.randrange(2, 9)):
        at_us += int(draw.uniform(2, 12) * MINUTE_US)
        patient = _whom(ledger, shift, cared_for)
        access(ledger, shift.user, at_us, patient, Told(address=address))


def _as(
    told: Told,
    kind: str,
    *,
    use_case: str | None = None,
    destination: str | None = None,
) -> Told:
    return Told(
        event_type=kind,
        address=told.address,
        facility=told.facility,
        session=told.session,
        use_case=use_case,
        destination=destination,
    )
