"""What a model did, measured without its words: entries, feedback, rollouts.

No patient, no user, no free text. Raters stand as keyed hashes under a key of their own.
Nothing is edited: feedback and rollouts are later events that name the request or version.

Source: OpenTelemetry GenAI semantic conventions (names of model, tokens, finish reason).
"""

import msgspec

from phitrail.events.codes import (
    FeedbackValue,
    FinishReason,
    FlagReason,
    GuardDecision,
)
from phitrail.events.shapes import (
    Count,
    KeyedHash,
    MillionthsUpToOne,
    ModelName,
    Nonce,
    OpaqueId,
    Signed,
    Term,
    Timestamp,
    Uuid7,
)


class QualityEntry(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="schema",
    tag="phitrail/quality-entry/v1",
):
    """One request to a model: version, tokens, times in microseconds, retrieval, flags."""

    request_id: OpaqueId
    event_id: Uuid7 | None = None
    timestamp_utc: Timestamp | None = None
    model_id: ModelName | None = None
    model_version: ModelName | None = None
    provider: Term | None = None
    rollout: Term | None = None
    use_case: Term | None = None
    facility_id: Term | None = None

    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_read_tokens: Count | None = None
    latency_us: Count | None = None
    time_to_first_token_us: Count | None = None
    retrieved_document_hashes: tuple[KeyedHash, ...] = ()
    retrieved_count: Count | None = None
    retrieval_scores_e6: tuple[Signed, ...] = ()
    top_retrieval_score_e6: Signed | None = None
    cache_hit: bool | None = None
    finish_reason: FinishReason | None = None
    content_filtered: bool | None = None
    disclaimer_present: bool | None = None
    refused: bool | None = None
    citation_count: Count | None = None
    guard_decision: GuardDecision | None = None
    error_code: Term | None = None

    source_id: OpaqueId | None = None
    source_epoch: Count | None = None
    source_seq: Count | None = None

    received_at: Timestamp | None = None
    nonce: Nonce | None = None


class Feedback(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="schema",
    tag="phitrail/feedback/v1",
):
    """One rating of one request; a later one may supersede it by its event id."""

    request_id: OpaqueId
    event_id: Uuid7 | None = None
    timestamp_utc: Timestamp | None = None
    rater: KeyedHash | None = None
    value: FeedbackValue | None = None
    flag_reason: FlagReason | None = None
    supersedes: Uuid7 | None = None

    source_id: OpaqueId | None = None
    source_epoch: Count | None = None
    source_seq: Count | None = None

    received_at: Timestamp | None = None
    nonce: Nonce | None = None


class Rollout(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="schema",
    tag="phitrail/rollout/v1",
):
    """From when a version serves which share of a use case (in millionths)."""

    model_id: ModelName
    model_version: ModelName
    event_id: Uuid7 | None = None
    timestamp_utc: Timestamp | None = None
    rollout: Term | None = None
    use_case: Term | None = None
    facility_id: Term | None = None
    starts_at: Timestamp | None = None
    share_e6: MillionthsUpToOne | None = None

    source_id: OpaqueId | None = None
    source_epoch: Count | None = None
    source_seq: Count | None = None

    received_at: Timestamp | None = None
    nonce: Nonce | None = None
