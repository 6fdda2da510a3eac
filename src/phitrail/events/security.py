"""`SecurityEvent`: what the guard, the gateway and the door itself decided.

It holds decisions, classes, counts, scores and keyed hashes; never what was found.
"""

import msgspec

from phitrail.events.codes import (
    EventType,
    GuardDecision,
    IdentifierClass,
    Outcome,
    Severity,
)
from phitrail.events.shapes import (
    Count,
    IpAddress,
    KeyedHash,
    MillionthsUpToOne,
    ModelName,
    Nonce,
    OpaqueId,
    Sha256Hex,
    Signed,
    Term,
    Timestamp,
    Uuid7,
)


class SecurityEvent(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="schema",
    tag="phitrail/security-event/v1",
):
    """One security decision; `identifier_counts` runs beside `identifier_classes`."""

    event_type: EventType
    event_id: Uuid7 | None = None
    access_id: Uuid7 | None = None
    timestamp_utc: Timestamp | None = None

    user_id: OpaqueId | None = None
    source_ip: IpAddress | None = None
    use_case: Term | None = None
    facility_id: Term | None = None
    local_offset_s: Signed | None = None
    service_component: Term | None = None
    request_id: OpaqueId | None = None
    session_id: OpaqueId | None = None
    ai_model_id: ModelName | None = None
    ai_model_version: ModelName | None = None

    decision: GuardDecision | None = None
    outcome: Outcome | None = None
    severity: Severity | None = None
    detector: Term | None = None
    reason_code: Term | None = None
    identifier_classes: tuple[IdentifierClass, ...] = ()
    identifier_counts: tuple[Count, ...] = ()
    value_hashes: tuple[KeyedHash, ...] = ()
    score_e6: MillionthsUpToOne | None = None
    policy_digest: Sha256Hex | None = None
    latency_us: Count | None = None
    object_id: OpaqueId | None = None
    object_digest: Sha256Hex | None = None

    source_id: OpaqueId | None = None
    source_epoch: Count | None = None
    source_seq: Count | None = None

    received_at: Timestamp | None = None
    nonce: Nonce | None = None
