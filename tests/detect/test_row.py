"""Rules see of a record what its table holds, field by field."""

import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phitrail.detect.enrich import Zones
from phitrail.detect.row import Row, instant_of
from phitrail.detect.schema import DERIVED, fields_of
from phitrail.events.alert import Alert
from phitrail.events.audit import AuditEvent, AuditLeaf
from phitrail.events.canonical import LeafRecord
from phitrail.events.codes import (
    Action,
    AlertState,
    EventType,
    GuardDecision,
    IdentifierClass,
    Log,
    Sensitivity,
    Severity,
)
from phitrail.events.genesis import Genesis
from phitrail.events.quality import QualityEntry
from phitrail.events.security import SecurityEvent
from phitrail.projection.rows import row_of

NO_ZONES = Zones({})
EVENT = "019b8f2a-7c00-7000-8000-000000000001"
ACCESS = "019b8f2a-7c00-7000-8000-000000000002"
AT = "2026-01-05T12:30:15.250Z"
AT_US = 1_767_616_215_250_000

terms = st.sampled_from(["one", "two", "three"])
surrogates = st.sampled_from([letter * 43 for letter in "abc"])
counts = st.none() | st.integers(0, 3)
events = {"event_id": st.just(EVENT), "timestamp_utc": st.just(AT)}

audit = st.builds(
    AuditEvent,
    event_type=st.sampled_from([EventType.PHI_READ, EventType.ACCESS_CLOSED]),
    access_id=st.none() | st.just(ACCESS),
    user_id=st.none() | terms,
    records=st.lists(
        st.tuples(st.just("") | surrogates, surrogates, st.just("Patient")), max_size=3
    ).map(tuple),
    phi_fields_accessed=st.lists(terms, max_size=2).map(tuple),
    sensitivity=st.lists(st.sampled_from(Sensitivity), max_size=2).map(tuple),
    action=st.none() | st.sampled_from(Action),
    input_tokens=counts,
    response_phi_detected=st.none() | st.booleans(),
    part=counts,
    **events,
)
security = st.builds(
    SecurityEvent,
    event_type=st.sampled_from([EventType.GUARD_DECIDED, EventType.GUARD_FAILED]),
    decision=st.none() | st.sampled_from(GuardDecision),
    severity=st.none() | st.sampled_from(Severity),
    identifier_classes=st.lists(st.sampled_from(IdentifierClass), max_size=2).map(
        tuple
    ),
    identifier_counts=st.lists(st.integers(0, 3), max_size=2).map(tuple),
    score_e6=counts,
    **events,
)
alerts = st.builds(
    Alert,
    alert_id=terms,
    rule_id=terms,
    state=st.sampled_from(AlertState),
    severity=st.sampled_from(Severity),
    patient=st.none() | surrogates,
    reason_codes=st.lists(terms, max_size=2).map(tuple),
    **events,
)
quality = st.builds(
    QualityEntry, request_id=terms, cache_hit=st.none() | st.booleans(), **events
)
records = st.one_of(
    audit.map(lambda one: (Log.AUDIT, one)),
    security.map(lambda one: (Log.SECURITY, one)),
    alerts.map(lambda one: (Log.SECURITY, one)),
    quality.map(lambda one: (Log.QUALITY, one)),
)


def _plain(value: object) -> object:
    if isinstance(value, uuid.UUID):
        return str(value)
    return None if value == () else value


@settings(max_examples=300)
@given(one=records)
def test_a_row_holds_what_the_table_holds(one: tuple[Log, LeafRecord]) -> None:
    """A rule that reads a field otherwise than history does means two things."""
    log, record = one
    row, table = Row(record, AT_US, NO_ZONES), row_of(log, 0, record)
    common = set(fields_of(log)) - set(DERIVED)

    assert {name: _plain(table[name]) for name in common} == {
        name: row.get(name) for name in common
    }


@settings(max_examples=100)
@given(record=audit)
def test_what_a_row_makes_of_records(record: AuditLeaf) -> None:
    """Patients, records and their number are what rules about breadth count."""
    row = Row(record, AT_US, NO_ZONES)
    known = {patient for patient, _, _ in record.records if patient}

    assert known == set(row.get("patient") or ())  # type: ignore[call-overload]  # a tuple of texts
    assert {r for _, r, _ in record.records} == set(row.get("record") or ())  # type: ignore[call-overload]  # the same
    assert (len({(p, r) for p, r, _ in record.records}) or None) == row.get(
        "record_count"
    )
    assert (len(record.phi_fields_accessed) or None) == row.get("field_count")
    assert (("Patient",) if record.records else None) == row.get("resource_types")


def test_an_unknown_patient_is_no_patient() -> None:
    """An empty surrogate that counted as one would join all unknown patients."""
    leaf: AuditLeaf = AuditEvent(
        event_type=EventType.PHI_READ, records=(("", "r" * 43, "Patient"),)
    )
    row = Row(leaf, AT_US, NO_ZONES)

    assert row.get("patient") is None
    assert row.get("record_count") == 1


@pytest.mark.parametrize(("access_id", "expected"), [(ACCESS, ACCESS), (None, EVENT)])
def test_an_event_without_an_access_is_its_own(
    access_id: str | None, expected: str
) -> None:
    """Events that name no access would not be counted at all."""
    leaf: AuditLeaf = AuditEvent(
        event_type=EventType.PHI_READ, event_id=EVENT, access_id=access_id
    )

    assert expected == Row(leaf, AT_US, NO_ZONES).get("access")


def test_the_patient_of_an_alert_is_a_list_of_one() -> None:
    """`patient` must hold the same kind of thing in every log."""
    fields: dict[str, Any] = {"alert_id": "a", "rule_id": "r", "state": AlertState.OPEN}
    alert = Alert(severity=Severity.LOW, patient="p" * 43, **fields)

    assert Row(alert, AT_US, NO_ZONES).get("patient") == ("p" * 43,)


def test_local_time_is_of_the_facility() -> None:
    """Without it no rule knows a night."""
    zones = Zones({"main": "America/New_York"})
    here: AuditLeaf = AuditEvent(event_type=EventType.PHI_READ, facility_id="main")
    elsewhere: AuditLeaf = AuditEvent(event_type=EventType.PHI_READ, facility_id="x")
    nowhere: AuditLeaf = AuditEvent(event_type=EventType.PHI_READ)

    assert [
        Row(one, AT_US, zones).get("local_hour") for one in (here, elsewhere, nowhere)
    ] == [
        7,
        None,
        None,
    ]
    assert Row(here, AT_US, zones).get("facility_tz") == "America/New_York"


def test_the_instant_is_that_of_the_event_in_microseconds() -> None:
    """Windows are judged by it, to the millisecond."""
    leaf: AuditLeaf = AuditEvent(event_type=EventType.PHI_READ, timestamp_utc=AT)

    assert instant_of(leaf) == AT_US


def test_a_genesis_has_no_instant_for_rules() -> None:
    """The log's own entries are no events."""
    vkey = "a+00000000+AAAA"
    genesis = Genesis(
        event_id=EVENT,
        created_at=AT,
        tenant="t",
        log=Log.AUDIT,
        origin="t/audit",
        trail_id=EVENT,
        log_vkey=vkey,
        promise_vkey=vkey,
        recovery_vkey=vkey,
        nonce="n" * 22,
    )

    assert instant_of(genesis) is None
    assert Row(genesis, 0, NO_ZONES).get("schema") == "phitrail/genesis/v1"
