"""`Alert`: what a rule or a quality test found, and what people made of it.

Opening, updates and closing are separate events with one `alert_id`. Evidence is a list of
entry references; subjects stand as surrogates.
"""

import msgspec

from phitrail.events.codes import AlertState, Disposition, QualityMetric, Severity
from phitrail.events.shapes import (
    Citation,
    Count,
    EntryRef,
    IpAddress,
    ModelName,
    Nonce,
    OpaqueId,
    Sha256Hex,
    Signed,
    Surrogate,
    Term,
    Timestamp,
    Uuid7,
)


class Alert(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="schema",
    tag="phitrail/alert/v1",
):
    """One move of one alert; its window is (`window_start`, `window_end`].

    An alert of a quality test holds the metric, the effect (candidate less baseline) with its
    interval in millionths of the metric's unit, the e-value in thousandths (capped), both
    sample sizes and how many tests were looked at together.
    """

    alert_id: OpaqueId
    rule_id: OpaqueId
    state: AlertState
    severity: Severity
    event_id: Uuid7 | None = None
    timestamp_utc: Timestamp | None = None
    rule_digest: Sha256Hex | None = None
    window_start: Timestamp | None = None
    window_end: Timestamp | None = None
    match_count: Count | None = None
    threshold: Count | None = None
    evidence: tuple[EntryRef, ...] = ()
    reason_codes: tuple[Term, ...] = ()
    controls: tuple[Citation, ...] = ()

    user_id: OpaqueId | None = None
    patient: Surrogate | None = None
    source_ip: IpAddress | None = None
    use_case: Term | None = None
    facility_id: Term | None = None
    ai_model_id: ModelName | None = None
    ai_model_version: ModelName | None = None

    metric: QualityMetric | None = None
    baseline_version: ModelName | None = None
    effect_e6: Signed | None = None
    effect_low_e6: Signed | None = None
    effect_high_e6: Signed | None = None
    e_value_e3: Count | None = None
    sample_count: Count | None = None
    baseline_count: Count | None = None
    family_size: Count | None = None

    assigned_to: OpaqueId | None = None
    disposition: Disposition | None = None
    note_digest: Sha256Hex | None = None
    completeness_digest: Sha256Hex | None = None

    received_at: Timestamp | None = None
    nonce: Nonce | None = None
