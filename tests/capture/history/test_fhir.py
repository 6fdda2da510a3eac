"""AuditEvents of R4 and R5 say the same here, and what is unknown stays to be counted."""

import base64
import io
import json
from typing import Any

from phitrail.capture.history.entry import ForeignEntry, Unreadable
from phitrail.capture.history.fhir import read_fhir
from phitrail.capture.history.source import Source

R4: dict[str, Any] = {
    "resourceType": "AuditEvent",
    "id": "ae-1",
    "type": {"code": "rest"},
    "subtype": [{"code": "read"}],
    "action": "R",
    "recorded": "2026-03-15T09:23:07-05:00",
    "outcome": "0",
    "purposeOfEvent": [{"coding": [{"code": "TREAT"}]}],
    "agent": [
        {"requestor": False, "who": {"reference": "Device/d-1"}},
        {
            "requestor": True,
            "who": {
                "reference": "https://ehr.example/fhir/Practitioner/dr-1/_history/2"
            },
            "network": {"address": "192.0.2.10"},
        },
    ],
    "entity": [
        {"what": {"reference": "Patient/p-1"}, "role": {"code": "1"}},
        {"what": {"reference": "Observation/o-1"}},
        {"what": {"reference": "Condition/c-1"}, "name": "a name"},
    ],
}
R5: dict[str, Any] = {
    "resourceType": "AuditEvent",
    "id": "ae-1",
    "category": [{"coding": [{"code": "rest"}]}],
    "code": {"coding": [{"code": "read"}]},
    "action": "R",
    "recorded": "2026-03-15T09:23:07-05:00",
    "outcome": {"code": {"code": "0"}},
    "authorization": [{"coding": [{"code": "TREAT"}]}],
    "agent": [
        {"who": {"reference": "Device/d-1"}},
        {
            "requestor": True,
            "who": {"reference": "Practitioner/dr-1"},
            "networkString": "192.0.2.10",
        },
    ],
    "patient": {"reference": "Patient/p-1"},
    "entity": [
        {"what": {"reference": "Observation/o-1"}},
        {"what": {"reference": "Condition/c-1"}, "detail": [{"valueString": "x"}]},
    ],
}


def _read(resource: Any) -> Source:
    return read_fhir(io.BufferedReader(io.BytesIO(json.dumps(resource).encode())))


def _entry(resource: Any) -> ForeignEntry:
    (found,) = _read(resource).entries
    assert isinstance(found, ForeignEntry)
    return found


def test_both_releases_come_to_the_same_paths() -> None:
    """One map must do for both, or one of them loses its user."""
    r4, r5 = _entry(R4), _entry(R5)
    same = ("id", "type", "subtype", "action", "recorded", "outcome", "purpose")

    for path in (*same, "agent.user", "agent.address", "records"):
        assert r4.fields[path] == r5.fields[path], path
    assert r4.fields["agent.user"] == "dr-1"
    assert r4.fields["records"] == (
        ("p-1", "o-1", "Observation"),
        ("p-1", "c-1", "Condition"),
    )


def test_what_is_not_known_stays_under_its_path() -> None:
    """A part that is dropped in silence is missed by nobody, and missing."""
    r4, r5 = _entry(R4), _entry(R5)

    assert r4.fields["agent[].who.reference"] == ("Device/d-1", None)
    assert r4.fields["entity[].name"] == (None, None, "a name")
    assert "entity[].detail[].valueString" in r5.fields


def test_of_several_patients_none_owns_the_records() -> None:
    """A record that is given to the wrong patient is reported to the wrong one."""
    several = [*R4["entity"], {"what": {"reference": "Patient/p-2"}}]
    found = _entry({**R4, "entity": several})

    assert found.fields["records"] == (
        ("p-1", "p-1", "Patient"),
        ("p-2", "p-2", "Patient"),
        ("", "o-1", "Observation"),
        ("", "c-1", "Condition"),
    )


def test_a_patient_who_asks_is_no_user_id() -> None:
    """A user id stands in clear; a patient's may not."""
    agent = {"requestor": True, "who": {"reference": "Patient/p-1"}}
    found = _entry({**R4, "agent": [agent]})

    assert "agent.user" not in found.fields
    assert found.fields["agent.patient"] == "p-1"


def test_the_words_of_a_search_come_out_of_base64() -> None:
    """They are hashed as words, so that pasted words find them."""
    query = base64.b64encode(b"Patient?name=x").decode()
    found = _entry({**R4, "entity": [{"query": query}]})
    (bad,) = _read({**R4, "entity": [{"query": "no base64 at all"}]}).entries

    assert found.fields["entity.query"] == "Patient?name=x"
    assert isinstance(bad, Unreadable)
    assert bad.error.field == "entity.query"


def test_other_resources_of_a_bundle_are_counted() -> None:
    """A search gives patients beside events; they are no entries, and no mistake."""
    bundle = {
        "resourceType": "Bundle",
        "entry": [
            {"resource": {"resourceType": "Patient"}},
            {"resource": R4},
            {"a": 1},
        ],
    }
    source = _read(bundle)
    found = list(source.entries)

    assert [type(read) for read in found] == [ForeignEntry, Unreadable]
    assert [read.number for read in found] == [2, 3]
    assert source.passed_over == {"Patient": 1}
