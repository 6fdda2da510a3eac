"""Accesses of a clinic, and what another system would write down of the same accesses."""

import json
import random
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.trails import NOW, publish_once

from phitrail.app.wiring import open_trail
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.codes import EventType
from phitrail.events.ids import format_time, new_uuid7
from phitrail.events.protected import Protected

START = datetime(2026, 11, 1, 6, 0, tzinfo=UTC)
CANARY = "Quimby"
"""Stands in every identifier of a patient; nothing that we write may hold it."""
CSV_MAP = b"""
source: ehr
fields:
  when: timestamp_utc
  who: user_id
  patient: patient_ids
  request: request_id
"""
GROUP = 200


@dataclass(frozen=True, slots=True)
class Access:
    """One access as both sides know it."""

    number: int
    at: datetime
    user: str
    patient: str
    request: str

    def event(self) -> CallerEvent:
        """Make our event of it."""
        return AuditEvent(
            event_type=EventType.PHI_READ,
            event_id=new_uuid7(self.at, self.number.to_bytes(10, "big")),
            timestamp_utc=format_time(self.at),
            user_id=self.user,
            request_id=self.request,
            records=(
                (
                    Protected(self.patient),
                    Protected(f"note-{self.number}"),
                    "DocumentReference",
                ),
            ),
        )


def accesses(count: int, seed: int = 5) -> list[Access]:
    """Draw accesses, a minute apart; nobody sees a patient again within twenty."""
    draw = random.Random(seed)
    recent: deque[tuple[str, str]] = deque(maxlen=20)
    made: list[Access] = []
    while len(made) < count:
        number = len(made)
        user = draw.choice((f"dr-{draw.randrange(30):04d}", "roe@clinic.example"))
        patient = f"mrn-{CANARY}-{draw.randrange(400)}"
        if (user, patient) in recent:
            continue
        recent.append((user, patient))
        at = START + timedelta(minutes=number, milliseconds=draw.randrange(1000))
        made.append(Access(number, at, user, patient, f"req-{draw.getrandbits(64):x}"))
    return made


def jittered(whole: Iterable[Access], skew_s: float = 50.0) -> list[Access]:
    """Write down the same by a clock that is wrong and unsteady."""
    draw = random.Random(9)
    return [
        replace(one, at=one.at + timedelta(seconds=skew_s + draw.uniform(-5, 5)))
        for one in whole
    ]


def record_accesses(directory: Path, whole: Sequence[Access]) -> None:
    """Record them as an application does."""
    trail = open_trail(directory)
    try:
        for at in range(0, len(whole), GROUP):
            events = [one.event() for one in whole[at : at + GROUP]]
            trail.recorder.record_many(events, NOW)
        publish_once(directory)
    finally:
        trail.close()


def csv_feed(whole: Iterable[Access]) -> bytes:
    """Write a CSV with a header; the first access is line 2."""
    lines = ["when,who,patient,request"]
    lines += [f"{_time(a)},{a.user},{a.patient},{a.request}" for a in whole]
    return "\n".join(lines).encode() + b"\n"


def jsonl_feed(whole: Iterable[Access]) -> bytes:
    """Write JSON lines of a home-grown logger; the first access is line 1."""
    return b"".join(
        json.dumps(
            {
                "timestamp": _time(a),
                "user_id": a.user,
                "action": "read",
                "patient_id": a.patient,
                "request_id": a.request,
                "zone": "west",
            }
        ).encode()
        + b"\n"
        for a in whole
    )


def fhir_feed(whole: Iterable[Access]) -> bytes:
    """Write FHIR AuditEvents (R4), one a line."""
    return b"".join(json.dumps(_audit_event(a)).encode() + b"\n" for a in whole)


def _audit_event(access: Access) -> dict[str, Any]:
    return {
        "resourceType": "AuditEvent",
        "type": {"code": "rest"},
        "action": "R",
        "recorded": _time(access),
        "outcome": "0",
        "agent": [
            {
                "requestor": True,
                "who": {"identifier": {"value": access.user}},
            }
        ],
        "source": {"observer": {"display": "ehr"}},
        "entity": [{"what": {"reference": f"Patient/{access.patient}"}}],
    }


def _time(access: Access) -> str:
    return access.at.isoformat()
