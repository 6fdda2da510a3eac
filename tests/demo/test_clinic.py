"""The clinic is the same for its seed, hangs together, and uses its vocabulary."""

import hashlib
import json
import re
from collections import Counter
from dataclasses import asdict
from datetime import UTC, date, datetime

import pytest

from phitrail.demo.clinic import (
    DEPARTMENTS,
    FACILITIES,
    ROLES,
    VOCABULARY,
    Clinic,
    Shift,
    make_clinic,
)
from phitrail.events.vocabulary import Vocabulary

GOLDEN_DIGEST = "3f938ef6832768f74f11fd7e147a2fdca71bb992c03d36b81ba4cbdf4b4a5e20"


def _digest(clinic: Clinic) -> str:
    text = json.dumps(asdict(clinic), default=str, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture(scope="module")
def clinic() -> Clinic:
    """Make the default clinic once."""
    return make_clinic()


def test_the_default_clinic_is_pinned(clinic: Clinic) -> None:
    """The digest holds under every Python we support; a change here is deliberate."""
    assert _digest(clinic) == GOLDEN_DIGEST


def test_the_same_seed_makes_the_same_clinic(clinic: Clinic) -> None:
    """Two runs of the demo must be comparable, and two seeds must differ."""
    assert make_clinic() == clinic
    assert _digest(make_clinic(2)) != _digest(clinic)


def test_every_term_has_the_shape_of_a_vocabulary_term() -> None:
    """A term of another shape would be refused at the door."""
    terms = [term for terms in VOCABULARY.values() for term in terms]

    assert [t for t in terms if not re.fullmatch(r"[a-z][a-z0-9_-]{0,63}", t)] == []


def test_the_vocabulary_uses_the_lists_of_a_tenant() -> None:
    """A list under another name would not be read from tenant.yaml."""
    lists = {name: frozenset(terms) for name, terms in VOCABULARY.items()}

    assert "dr" not in Vocabulary.from_lists(lists).terms["user_role"]
    assert "physician" in Vocabulary.from_lists(lists).terms["user_role"]


def test_staff_and_encounters_use_the_vocabulary_alone(clinic: Clinic) -> None:
    """A role or department outside the constants would stop the demo half way."""
    assert {member.role for member in clinic.staff} == set(ROLES)
    assert {member.department for member in clinic.staff} == set(DEPARTMENTS)
    assert {member.facility for member in clinic.staff} == set(FACILITIES)
    assert {e.department for e in clinic.encounters} <= set(DEPARTMENTS)


def test_ids_are_unique_and_opaque(clinic: Clinic) -> None:
    """Two people under one id could not be told apart in the log."""
    staff_ids = [member.staff_id for member in clinic.staff]

    assert len(set(staff_ids)) == len(staff_ids)
    assert all(re.fullmatch(r"[a-z]{2}-[0-9]{4}", staff_id) for staff_id in staff_ids)
    assert len({p.mrn for p in clinic.patients}) == len(clinic.patients)
    assert len({e.encounter_id for e in clinic.encounters}) == len(clinic.encounters)


def test_each_shift_is_staffed(clinic: Clinic) -> None:
    """The demo asks round the clock: an empty night would have nobody to ask."""
    for shift in Shift:
        roles = Counter(member.role for member in clinic.on_shift(shift))

        assert roles["physician"] >= 8
        assert roles["nurse"] >= 16


def test_a_care_team_covers_roles_and_shifts(clinic: Clinic) -> None:
    """Notes are signed by the team; a missing role would have no author."""
    for encounter in clinic.encounters:
        team = encounter.care_team

        assert len(set(team)) == len(team)
        assert {m.shift for m in team if m.role == "nurse"} == set(Shift)
        assert encounter.member("physician").department == encounter.department
        assert encounter.member("radiologist").role == "radiologist"


def test_every_patient_is_seen_and_a_few_are_seen_often(clinic: Clinic) -> None:
    """Activity is skewed as in life; detection rules are judged against that."""
    seen = Counter(encounter.mrn for encounter in clinic.encounters)

    assert set(seen) == {patient.mrn for patient in clinic.patients}
    assert max(seen.values()) >= 6
    assert sum(1 for n in seen.values() if n == 1) > len(clinic.patients) // 2


def test_people_stay_out_of_repr(clinic: Clinic) -> None:
    """A traceback or a failed assert must not print a person."""
    patient = clinic.patients[0]
    shown = repr(patient) + repr(clinic.encounters[0])

    assert patient.mrn not in shown
    assert patient.family_name not in shown
    assert clinic.encounters[0].mrn not in shown


def test_age_counts_whole_years(clinic: Clinic) -> None:
    """The day before the birthday is still the year before."""
    patient = clinic.patients[0]
    born = patient.birth_date
    birthday = date(2026, born.month, min(born.day, 28))
    before = date(2026, 1, 1) if birthday.month > 1 else date(2025, 12, 31)

    assert patient.age_on(date(2027, 1, 1)) - patient.age_on(date(2026, 1, 1)) == 1
    assert patient.age_on(before) == before.year - born.year - 1


@pytest.mark.parametrize(
    ("hour", "shift"),
    [
        (6, Shift.NIGHT),
        (7, Shift.DAY),
        (14, Shift.DAY),
        (15, Shift.EVENING),
        (22, Shift.EVENING),
        (23, Shift.NIGHT),
        (0, Shift.NIGHT),
    ],
)
def test_shifts_change_at_their_hours(hour: int, shift: Shift) -> None:
    """Off by one would put questions into the mouths of people at home."""
    assert Shift.at(datetime(2026, 3, 3, hour, tzinfo=UTC)) is shift


def test_a_clinic_without_patients_is_refused() -> None:
    """Nobody could be asked about; the mistake is named at once."""
    with pytest.raises(ValueError, match="patients"):
        make_clinic(patients=0)
