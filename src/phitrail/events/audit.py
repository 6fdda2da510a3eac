"""`AuditEvent`: one thing that was done, by whom, to which records, and why.

The same type stands at the door and in the log; what differs is what identifies a
patient. At the door that is a `Protected` identifier, in the log a surrogate. Fields that
are unknown are left out (`None` here, absent in the bytes; never null).

Source: 45 CFR 164.312(b), FHIR AuditEvent (agent, entity, purpose), OpenTelemetry GenAI
(model), 45 CFR 170.315(b)(11) (output kind).
"""

from typing import Generic, TypeAlias, TypeVar

import msgspec

from phitrail.events.codes import (
    Action,
    ActorType,
    Assurance,
    AttributionBasis,
    CareRelationship,
    DeidStatus,
    EventType,
    GuardDecision,
    Log,
    Outcome,
    OutputKind,
    PurposeOfUse,
    Relation,
    ReviewAction,
    Sensitivity,
    UserState,
)
from phitrail.events.protected import Protected
from phitrail.events.shapes import (
    CallerUserId,
    Count,
    FieldName,
    ForeignId,
    IpAddress,
    KeyedHash,
    ModelName,
    Nonce,
    NoteSignature,
    OpaqueId,
    Sha256Hex,
    Signed,
    Surrogate,
    SurrogateOrUnknown,
    Term,
    Timestamp,
    Uuid7,
    VerifierKeyText,
)

PatientT = TypeVar("PatientT")
ItemT = TypeVar("ItemT")
UserT = TypeVar("UserT")


class AuditEvent(
    msgspec.Struct,
    Generic[PatientT, ItemT, UserT],
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="schema",
    tag="phitrail/audit-event/v1",
):
    """One audit event; `PatientT`, `ItemT`, `UserT` are what names a patient, record, user.

    `records` are (patient, record, resource type) triples; an unknown patient is empty and
    `patient_unknown` is true. Hashes of text are keyed (HMAC-SHA256), exact and normalised.
    `response_phi_detected` is absent when no scan ran. What the house's own lists said of
    user and patients at that time is absent where no list said anything;
    `unexplained_relations` are to patients without a known care relationship.
    `local_offset_s` is how far the facility's clock was ahead of UTC.
    """

    event_type: EventType
    event_id: Uuid7 | None = None
    source_event_id: ForeignId | None = None
    access_id: Uuid7 | None = None
    part: Count | None = None
    parts: Count | None = None
    timestamp_utc: Timestamp | None = None

    user_id: UserT | None = None
    user_role: Term | None = None
    department: Term | None = None
    actor_type: ActorType | None = None
    on_behalf_of: UserT | None = None
    agent_id: OpaqueId | None = None
    run_id: OpaqueId | None = None
    tool_name: Term | None = None
    job_id: OpaqueId | None = None
    attribution_basis: AttributionBasis | None = None

    records: tuple[tuple[PatientT, ItemT, str], ...] = ()
    patient_unknown: bool | None = None
    resource_type: str | None = None
    resource_id: ItemT | None = None
    phi_fields_accessed: tuple[FieldName, ...] = ()
    sensitivity: tuple[Sensitivity, ...] = ()
    deid_status: DeidStatus | None = None

    user_state: UserState | None = None
    on_shift: bool | None = None
    care_relationship: CareRelationship | None = None
    relations: tuple[Relation, ...] = ()
    unexplained_relations: tuple[Relation, ...] = ()
    local_offset_s: Signed | None = None

    action: Action | None = None
    outcome: Outcome | None = None
    purpose_of_use: PurposeOfUse | None = None
    use_case: Term | None = None
    destination: Term | None = None
    facility_id: Term | None = None
    source_ip: IpAddress | None = None
    service_component: Term | None = None
    request_id: OpaqueId | None = None
    session_id: OpaqueId | None = None

    ai_model_id: ModelName | None = None
    ai_model_version: ModelName | None = None
    ai_model_digest: Sha256Hex | None = None
    deployment_id: OpaqueId | None = None
    vendor_ba_id: OpaqueId | None = None
    prompt_template_version: ModelName | None = None
    output_kind: OutputKind | None = None

    query_hash: KeyedHash | None = None
    query_hash_norm: KeyedHash | None = None
    query_chars: Count | None = None
    response_hash: KeyedHash | None = None
    response_hash_norm: KeyedHash | None = None
    released_chars: Count | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    latency_us: Count | None = None
    response_phi_detected: bool | None = None
    guard_decision: GuardDecision | None = None
    human_review_action: ReviewAction | None = None

    object_id: OpaqueId | None = None
    object_digest: Sha256Hex | None = None
    reason_code: Term | None = None
    read_log: Log | None = None
    result_count: Count | None = None

    assurance: Assurance | None = None
    source_id: OpaqueId | None = None
    source_epoch: Count | None = None
    source_seq: Count | None = None
    source_vkey: VerifierKeyText | None = None
    source_proof: NoteSignature | None = None

    received_at: Timestamp | None = None
    nonce: Nonce | None = None


CallerEvent: TypeAlias = AuditEvent[Protected[str], Protected[str], CallerUserId]
"""An audit event at the door: identifiers, protected."""

AuditLeaf: TypeAlias = AuditEvent[SurrogateOrUnknown, Surrogate, OpaqueId]
"""An audit event in the log: surrogates."""
