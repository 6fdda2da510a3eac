"""The bench event: 1 KB as a leaf, three records, one new subject in fifty.

Its id is the caller's, so that exactly-once is at work.
"""

from collections.abc import Iterator

from phitrail.app import clock
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.codes import (
    Action,
    ActorType,
    Assurance,
    AttributionBasis,
    EventType,
    PurposeOfUse,
)
from phitrail.events.ids import new_uuid7
from phitrail.events.protected import Protected

KNOWN_PATIENTS = 1000
KNOWN_NOTES = 2000
NEW_EVERY = 50


def bench_event(number: int, prefix: str = "") -> CallerEvent:
    """Make the bench event of a number; `prefix` keeps the subjects of runs apart."""
    records = tuple(
        (
            Protected(_patient(number, place, prefix)),
            Protected(f"note-{(number * 3 + place) % KNOWN_NOTES:08d}"),
            "DocumentReference",
        )
        for place in range(3)
    )
    return AuditEvent(
        event_type=EventType.PHI_READ,
        event_id=new_uuid7(clock.now()),
        user_id=f"dr-{number % 200:04d}",
        user_role="physician",
        department="cardiology",
        actor_type=ActorType.HUMAN,
        records=records,
        action=Action.RETRIEVE,
        purpose_of_use=PurposeOfUse.TREATMENT,
        use_case="chart_qa",
        source_ip="10.1.2.3",
        service_component="assistant",
        request_id=f"req-{number:010d}",
        session_id=f"s-{number % 1000:06d}",
        facility_id="main",
        query_chars=40,
        query_hash="hmac-sha256:1:" + "A" * 43,
        query_hash_norm="hmac-sha256:1:" + "B" * 43,
        attribution_basis=AttributionBasis.VERIFIED_TOKEN,
        assurance=Assurance.ENFORCED,
    )


def _patient(number: int, place: int, prefix: str) -> str:
    if place == 0 and number % NEW_EVERY == 0:
        return f"{prefix}new-{number:010d}"
    return f"MRN{(number * 7 + place) % KNOWN_PATIENTS:08d}"


def bench_events(count: int, prefix: str = "") -> Iterator[CallerEvent]:
    """Make events one by one, so that none is kept in memory."""
    return (bench_event(number, prefix) for number in range(count))
