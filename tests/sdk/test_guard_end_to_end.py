"""The guard that ships, in an open trail: whose number is shown to whom, and who keeps it."""

import logging
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.sdk.guarded import closings, decided, everything

from phitrail.errors import RefusedError
from phitrail.events.codes import GuardDecision
from phitrail.sdk import connect

OTTOLINE: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "pat-31",
    "identifier": [
        {"type": {"coding": [{"code": "MR"}]}, "value": "70023001"},
        {"system": "http://hl7.org/fhir/sid/us-ssn", "value": "901-44-8123"},
    ],
    "name": [{"given": ["Ottoline"], "family": "Brackwater"}],
    "birthDate": "1961-04-02",
    "telecom": [{"system": "phone", "value": "(907) 555-0142"}],
}
COVERAGE: dict[str, Any] = {
    "resourceType": "Coverage",
    "beneficiary": {"reference": "Patient/pat-31"},
    "subscriberId": "XQZ448122901",
}
CANARIES = ("901-44-8123", "901448123", "Brackwater", "Ottoline", "XQZ448122901")


@pytest.fixture
def guarded_dir(trail_dir: Path) -> Path:
    """Switch the shipped guard on."""
    with (trail_dir / "policy.yaml").open("a", encoding="utf-8") as file:
        file.write("guard: {mode: enforce}\n")
    return trail_dir


def test_a_patients_numbers_are_shown_in_her_own_access_and_block_anothers(
    guarded_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One slip of a retrieval must not show one patient's number in another's chart."""
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    answer = "SSN on file: 901-44-8123. Potassium 4.1."
    with connect(guarded_dir) as trail:
        with trail.access(user_id="dr-1", use_case="chart_qa") as access:
            access.retrieved(
                [("70023001", "note-1", "Observation")],
                identifiers=[OTTOLINE, COVERAGE],
            )
            own = access.release(f"Ottoline Brackwater, born April 2nd, 1961. {answer}")
        for other in (
            answer,
            "Please call (907) 555-0142 about the result.",
            "MRN: 70023001 was reviewed.",
            "Member ID XQZ448122901 is active.",
        ):
            with (  # noqa: PT012 - both lines are the case
                pytest.raises(RefusedError, match="wrong_patient") as caught,
                trail.access(user_id="dr-1", use_case="chart_qa") as access,
            ):
                access.retrieved([("70023002", "note-2", "Observation")])
                access.release(other)
            said += traceback.format_exception(caught.value)
        with suppress(RefusedError), trail.access(user_id="dr-1") as access:
            access.retrieved([("70023002", "note-2", "Observation")])
            said += access.stream(["Her result is here. ", answer])
        decisions = [closing.guard_decision for closing in closings(trail)]
        said += [everything(trail), caplog.text]
        assert len(decided(trail)) == 6
    held = b"".join(p.read_bytes() for p in guarded_dir.rglob("*") if p.is_file())

    assert own.startswith("Ottoline Brackwater, born April 2nd, 1961.")
    assert decisions == [GuardDecision.RELEASE, *[GuardDecision.BLOCK] * 5]
    for canary in CANARIES:
        assert canary.encode() not in held
        assert not [one for one in said if canary in one]
