"""Whose identifiers came along with an access is told, or they are left out."""

from typing import Any

import pytest

from phitrail.capture.patient_identifiers import check_identifiers, find_aliases
from phitrail.errors import InputError
from phitrail.events.codes import IdentifierClass

MRN, SSN, MAIL, PHONE, PLAN = (
    IdentifierClass.MRN,
    IdentifierClass.SSN,
    IdentifierClass.EMAIL,
    IdentifierClass.PHONE,
    IdentifierClass.HEALTH_PLAN,
)
PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "pat-77",
    "identifier": [
        {"type": {"coding": [{"code": "MR"}]}, "value": "0044100"},
        {"system": "http://hl7.org/fhir/sid/us-ssn", "value": "901-44-8123"},
        {"system": "urn:oid:2.16.840.1.113883.4.1", "value": "901448123"},
        {"type": {"text": "group number"}, "value": "G-900"},
        {"system": "urn:house:chart", "value": "C-5551"},
    ],
    "telecom": [
        {"system": "phone", "value": "907-555-0142"},
        {"system": "email", "value": "quill@post.example"},
        {"system": "url", "value": "https://quill.example"},
    ],
    "contact": [{"telecom": [{"system": "phone", "value": "907-555-0199"}]}],
}
COVERAGE: dict[str, Any] = {
    "resourceType": "Coverage",
    "beneficiary": {"reference": "Patient/pat-77"},
    "subscriberId": "XQ-4481",
    "identifier": {"type": {"coding": [{"code": "MB"}]}, "value": "XQ-4482"},
}


def found(
    identifiers: list[Any], patients: list[str], **more: Any
) -> dict[str, set[tuple[IdentifierClass, str]]]:
    """List what is kept under each patient."""
    by_patient: dict[str, set[tuple[IdentifierClass, str]]] = {}
    aliases = find_aliases(identifiers, patients, "mrn", **{"is_by_mrn": False, **more})
    for alias in aliases:
        by_patient.setdefault(alias.patient[1], set()).add((alias.kind, alias.value))
    return by_patient


OF_PATIENT = {
    (MRN, "0044100"),
    (SSN, "901-44-8123"),
    (SSN, "901448123"),
    (PHONE, "907-555-0142"),
    (MAIL, "quill@post.example"),
}
OF_COVERAGE = {(PLAN, "XQ-4481"), (PLAN, "XQ-4482")}


@pytest.mark.parametrize("patient", ["44100", "MRN 0044100", "pat-77", "C-5551"])
def test_a_patient_is_known_by_any_of_its_ids(patient: str) -> None:
    """Applications name patients as their store does, not as we would."""
    everybody = found([PATIENT, COVERAGE], [patient, "M-2002"])

    assert everybody == {patient: OF_PATIENT | OF_COVERAGE}


def test_a_bundle_is_read_and_everybody_else_in_it_is_not() -> None:
    """A doctor's phone is no patient's, and neither is a contact's."""
    doctor = {
        "resourceType": "Practitioner",
        "telecom": [{"system": "phone", "value": "907-555-0150"}],
    }
    bundle = {
        "resourceType": "Bundle",
        "entry": [{"resource": PATIENT}, {"resource": doctor}, {"fullUrl": "x"}],
    }

    assert found([bundle], ["44100"]) == {"44100": OF_PATIENT}


def test_plain_dicts_are_read_by_their_keys() -> None:
    """Most applications have no FHIR at hand."""
    plain = {
        "MRN": "M-1001",
        "ssn": 901448123,
        "memberId": ["A-1234", "B-5678"],
        "phones": ["907-555-0142", ["deep"], True],
        "email": None,
        "identifiers": [{"type": "medical record", "value": "M-1001-2"}],
        "telecom": {"system": "email", "value": "quill@post.example"},
        "contacts": [{"phone": "907-555-0199"}],
        "name": "Perpetua Vantongeren",
        "group": "G-900",
    }
    expected = {
        (MRN, "M-1001"),
        (MRN, "M-1001-2"),
        (SSN, "901448123"),
        (PLAN, "A-1234"),
        (PLAN, "B-5678"),
        (PHONE, "907-555-0142"),
        (MAIL, "quill@post.example"),
    }

    assert found([plain], ["M-1001", "M-2"]) == {"M-1001": expected}
    assert found([{"patient": plain, "encounters": []}], ["M-1001"]) == {
        "M-1001": expected
    }


def test_one_patient_and_one_person_are_the_same() -> None:
    """A caller who reads one chart need not repeat its number."""
    assert found([{"ssn": "901-44-8123"}], ["chart-5"]) == {
        "chart-5": {(SSN, "901-44-8123")}
    }
    assert found([PATIENT, COVERAGE], ["chart-5"]) == {
        "chart-5": OF_PATIENT | OF_COVERAGE
    }


def test_what_cannot_be_told_is_left_out() -> None:
    """A mother's SSN under her child would block her own answers."""
    mother = {"mrn": "M-9", "ssn": "902-11-2233"}
    child = {"mrn": "M-1", "ssn": "903-11-2233"}
    nobodys = {**COVERAGE, "beneficiary": {"display": "somebody"}}

    assert found([mother, child], ["M-1"]) == {
        "M-1": {(MRN, "M-1"), (SSN, "903-11-2233")}
    }
    assert found([{"ssn": "901-44-8123"}], ["M-1", "M-2"]) == {}
    assert found([mother, child], ["M-7"]) == {}
    assert found([{"ssn": "901-44-8123"}], []) == {}
    assert found([nobodys, {**COVERAGE, "beneficiary": 5}], ["M-1"]) == {}


def test_patients_that_are_named_by_mrn_are_kept_by_it() -> None:
    """Then another's MRN is known however it is written."""
    assert found([], ["M-1001"], is_by_mrn=True) == {"M-1001": {(MRN, "M-1001")}}


def test_records_inside_records_end_somewhere() -> None:
    """A bundle that holds itself must not take the program down."""
    bundle: dict[str, Any] = {"resourceType": "Bundle", "entry": []}
    bundle["entry"].append({"resource": bundle})
    plain: dict[str, Any] = {"ssn": "901-44-8123"}
    plain["patient"] = plain

    assert found([bundle], ["M-1"]) == {}
    assert isinstance(found([plain], ["M-1"]), dict)


@pytest.mark.parametrize("given", ["text", {"mrn": "M-1"}, 5, [5], iter(())])
def test_what_is_no_list_of_dicts_is_refused_by_its_place(given: Any) -> None:
    """The error must not show what was given."""
    with pytest.raises(InputError, match=r"^identifiers: must be a list"):
        check_identifiers(given)
    assert check_identifiers(({"mrn": "M-1"},)) == ({"mrn": "M-1"},)
