"""Entries as old systems write them, and their chains, made by other code than ours."""

import hashlib
import json
from typing import Any

SEED: dict[str, Any] = {
    "event_id": "evt_8b2f4a1c9d",
    "timestamp": "2026-03-15T14:23:07.123456+00:00",
    "event_type": "phi_access",
    "user_id": "dr.smith@hospital.example",
    "user_role": "physician",
    "department": "cardiology",
    "action": "rag_query",
    "patient_id": "mrn-77",
    "record_ids": ["note-7", "note-8"],
    "query_hash": hashlib.sha256(b"a question").hexdigest(),
    "response_hash": hashlib.sha256(b"an answer").hexdigest(),
    "model_id": "extractive-demo",
    "session_id": "sess-12",
}
"""The first seed form: a home-grown AI audit logger."""

SEED_TRAIL: dict[str, Any] = {
    "eventType": "phi_access",
    "eventTime": "2026-03-15T14:23:07+00:00",
    "eventID": "evt_8b2f4a1c9d",
    "userIdentity": {
        "type": "human",
        "userName": "dr.smith@hospital.example",
        "role": "physician",
        "department": "cardiology",
    },
    "requestParameters": {
        "action": "rag_query",
        "recordIds": ["note-7", "note-8"],
        "patientId": "mrn-77",
    },
    "sourceIPAddress": "192.0.2.10",
    "userAgent": "clinical-assistant/2.1",
    "requestID": "req-5501",
    "aiContext": {"modelId": "extractive-demo", "queryHash": "ab" * 32},
}
"""The second seed form: the shape of a CloudTrail record; its hash is added."""


def seed(number: int, **more: Any) -> dict[str, Any]:
    """Give one of a run of entries of the first seed form."""
    time = f"2026-03-15T14:{number // 60 % 60:02}:{number % 60:02}+00:00"
    return {**SEED, "event_id": f"evt_{number:010x}", "timestamp": time, **more}


def sha256_of(value: Any) -> str:
    """Hash as commonly published loggers do."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def hashed(entry: dict[str, Any], name: str = "log_hash") -> dict[str, Any]:
    """Add the hash of an entry alone."""
    return {**entry, name: sha256_of(entry)}


def chained(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Chain entries: each hash covers the one before."""
    found: list[dict[str, Any]] = []
    previous = "0" * 64
    for entry in entries:
        found.append(hashed({**entry, "prev_hash": previous}))
        previous = found[-1]["log_hash"]
    return found


def lines(entries: list[dict[str, Any]]) -> bytes:
    """Write entries, one a line."""
    return "".join(json.dumps(entry) + "\n" for entry in entries).encode()
