"""What is no care, and no misuse either: programs, refusals, emergencies, sign-ins, guards.

Each is something that a rule may take for misuse: a job that reads many records at night,
refusals of who is new, emergency access that was needed, forgotten passwords, an identity
provider that fails, a test of the guard, an export for an auditor.
"""

import random
from dataclasses import replace

from bench.clinic_weeks_house import (
    DAY_US,
    HOUR_US,
    MINUTE_US,
    ROLES,
    SECOND_US,
    START_US,
    Patient,
    User,
)
from bench.clinic_weeks_rows import Ledger, Told
from bench.clinic_weeks_shifts import local_us

REFUSED = 0.002
REFUSED_NEW = 0.06
"""How many accesses are refused first; of those who are new, in their first days."""
EMERGENCIES = 0.00025
"""How many accesses of treatment begin with emergency access."""
INJECTIONS_A_USER_DAY = 0.012
JOB_PATIENTS = 140
"""How many records the job of quality improvement reads in a night."""


def make_noise(ledger: Ledger) -> None:
    """Write what programs, guards and sign-ins leave in all weeks."""
    for day in range(ledger.clinic.weeks * 7):
        _programs(ledger, day)
        _sign_ins(ledger, day)
        _guards(ledger, day)
        _offices(ledger, day)
    _once(ledger)


def use_of_refusal(
    ledger: Ledger, user: User, at_us: int, patient: Patient, told: Told
) -> None:
    """Refuse an access now and then before it is had; more often to who is new."""
    draw = ledger.draw
    is_new = user.last_seen_day is None
    is_new = is_new and at_us < START_US + (user.starts_day + 3) * DAY_US
    if draw.random() >= (REFUSED_NEW if is_new else REFUSED):
        return
    resource = draw.choice(patient.records)[1] if draw.random() < 0.5 else None
    before_us = at_us - int(draw.uniform(5, 120) * SECOND_US)
    refused = replace(told, event_type="phi_access_denied", resource=resource)
    ledger.access(user, before_us, [patient], refused)
    if resource is not None and draw.random() < 0.4:
        after_us = at_us + int(draw.uniform(1, 20) * MINUTE_US)
        ledger.access(user, after_us, [patient], replace(told, resource=resource))


def use_of_emergency(ledger: Ledger, user: User, at_us: int, told: Told) -> None:
    """Take emergency access now and then, where it is needed."""
    draw = ledger.draw
    if user.role.purpose != "treatment" or draw.random() >= EMERGENCIES:
        return
    patient = draw.choice(ledger.clinic.house.patients)
    began = ledger.plain("break_glass_started", at_us - 30 * SECOND_US, user)
    needed = replace(told, purpose="emergency")
    for number in range(draw.randrange(2, 6)):
        later_us = at_us + number * 40 * SECOND_US
        ledger.access(user, later_us, [patient], needed)
    ended = began.at_us + int(draw.uniform(10, 120) * MINUTE_US)
    ledger.plain("break_glass_ended", ended, user, object_id=began.event_id)
    reviewed = ended + int(draw.uniform(4, 76) * HOUR_US)
    ledger.plain("break_glass_reviewed", reviewed, None, object_id=began.event_id)


# --- day by day ---


def _programs(ledger: Ledger, day: int) -> None:
    """Let an interface read all day, and a job at night."""
    draw, patients = ledger.draw, ledger.clinic.house.patients
    for hour in range(24):
        for _ in range(4):
            at_us = START_US + day * DAY_US + int((hour + draw.random()) * HOUR_US)
            _program(ledger, "svc-interface", "service", at_us, draw.choice(patients))
    at_us = local_us("main", day, 2)
    for patient in draw.sample(patients, min(len(patients), JOB_PATIENTS)):
        at_us += int(draw.uniform(5, 20) * SECOND_US)
        _program(ledger, "job-registry", "job", at_us, patient)


def _program(
    ledger: Ledger, name: str, actor: str, at_us: int, patient: Patient
) -> None:
    user = User(-1, name, _SERVICE, "it", "main", -1, -1, ("10.1.0.9",))
    row = ledger.access(user, at_us, [patient], Told(purpose="operations"))
    leaf = row.leaf
    leaf |= {"actor_type": actor, "service_component": "batch", "user_role": "service"}
    for name_of_list in ("on_shift", "user_state"):
        leaf.pop(name_of_list, None)


_SERVICE = replace(ROLES[-1], name="service")


def _sign_ins(ledger: Ledger, day: int) -> None:
    """Mistype passwords, forget one now and then."""
    draw, users = ledger.draw, ledger.clinic.house.users
    for _ in range(round(len(users) * 0.04)):
        user = draw.choice(users)
        at_us = local_us(user.facility, day, draw.choice((7, 8, 15, 23)))
        for number in range(draw.choice((1, 1, 1, 2, 2, 3))):
            _refuse_sign_in(ledger, user, at_us + number * 20 * SECOND_US)
    if draw.random() < len(users) / 2_500:
        user = draw.choice(users)
        at_us = local_us(user.facility, day, draw.uniform(7, 20))
        for _ in range(draw.randrange(8, 14)):
            at_us += int(draw.uniform(8, 40) * SECOND_US)
            _refuse_sign_in(ledger, user, at_us)
        ledger.plain("session_started", at_us + MINUTE_US, user)


def _refuse_sign_in(ledger: Ledger, user: User, at_us: int) -> None:
    jitter = int(ledger.draw.uniform(0, 600) * SECOND_US)
    ledger.security(
        "session_denied",
        at_us + (jitter if ledger.draw.random() < 0.3 else 0),
        user_id=user.user_id,
        source_ip=user.addresses[0],
        facility_id=user.facility,
    )


def _guards(ledger: Ledger, day: int) -> None:
    """Take some prompts for attempts to steer the model; fail at times."""
    draw, users = ledger.draw, ledger.clinic.house.users
    for _ in range(_poisson(draw, len(users) * INJECTIONS_A_USER_DAY)):
        user = draw.choice(users)
        at_us = local_us(user.facility, day, draw.triangular(0, 24, 13))
        ledger.security(
            "ai_injection_attempt",
            at_us,
            user_id=user.user_id,
            source_ip=user.addresses[0],
            facility_id=user.facility,
            use_case="chart_qa",
        )
    for _ in range(_poisson(draw, 0.3)):
        at_us = local_us("main", day, draw.uniform(6, 22))
        ledger.security("guard_failed", at_us, reason_code="guard_timeout")


def _offices(ledger: Ledger, day: int) -> None:
    """Look up identifiers for requests, and send a copy of a log to an auditor."""
    draw = ledger.draw
    officers = ledger.clinic.house.by_department.get("privacy_office", ())
    if day % 7 >= 5 or not officers:
        return
    officer = draw.choice(officers)
    at_us = local_us(officer.facility, day, draw.uniform(9, 15))
    for _ in range(draw.choice((0, 2, 5, 12, 40 if draw.random() < 0.3 else 20))):
        at_us += int(draw.uniform(20, 90) * SECOND_US)
        ledger.plain("identity_looked_up", at_us, officer)
        if draw.random() < 0.3:
            ledger.plain("identity_disclosed", at_us + SECOND_US, officer)
    if day % 7 == 1:
        ledger.plain("audit_log_read", at_us, officer, reason_code="export_c2sp")


# --- once ---


def _once(ledger: Ledger) -> None:
    """Let happen what happens once in some weeks."""
    clinic, draw = ledger.clinic, ledger.draw
    days = clinic.weeks * 7
    _test_the_guard(ledger, local_us("main", draw.randrange(days), 11))
    _lose_the_identity_provider(ledger, local_us("main", draw.randrange(days), 8))
    at_us = local_us("main", draw.randrange(days), 14)
    for _ in range(9):  # a guard without memory
        at_us += 40 * SECOND_US
        ledger.security("guard_failed", at_us, reason_code="guard_error")
    silent_us = local_us("mesa", draw.randrange(days), draw.uniform(0, 24))
    ledger.plain("source_silent", silent_us, None, object_id="lab-gateway")
    ledger.plain("spool_started", silent_us + HOUR_US, None, object_id="ehr")
    late = draw.choice(clinic.house.users)
    left_us = local_us(late.facility, draw.randrange(days), 9)
    # Recorded too early: the user works on.
    ledger.plain("user_left", left_us, None, object_id=late.user_id)


def _test_the_guard(ledger: Ledger, at_us: int) -> None:
    for _ in range(25):
        at_us += int(ledger.draw.uniform(2, 12) * SECOND_US)
        ledger.security(
            "ai_injection_attempt", at_us, user_id="red-team", source_ip="10.9.9.9"
        )


def _lose_the_identity_provider(ledger: Ledger, at_us: int) -> None:
    """Refuse many users behind one address, and let them in later."""
    draw, users = ledger.draw, ledger.clinic.house.users
    for user in draw.sample(users, min(len(users), 30)):
        at = at_us + int(draw.uniform(0, 9) * MINUTE_US)
        ledger.security(
            "session_denied", at, user_id=user.user_id, source_ip="10.1.0.1"
        )


def _poisson(draw: random.Random, mean: float) -> int:
    """Draw a count: how many exponential gaps fit into one."""
    count, at = 0, draw.expovariate(mean)
    while at < 1:
        count += 1
        at += draw.expovariate(mean)
    return count
