"""Closed vocabularies, and the log that each event type goes to.

A value that is not listed here cannot be stored. Terms that differ from hospital to
hospital (roles, departments, use cases, ...) are not here: see
`phitrail.events.vocabulary`.
"""

from enum import StrEnum


class Log(StrEnum):
    """The three Merkle logs; each has its own tree, keys, readers and retention."""

    AUDIT = "audit"
    SECURITY = "security"
    QUALITY = "quality"


class EventType(StrEnum):
    """What happened. Openings of an access are the first five."""

    PHI_READ = "phi_read"
    PHI_WRITE = "phi_write"
    PHI_EXPORT = "phi_export"
    AI_INFERENCE = "ai_inference"
    AI_INFERENCE_WITH_PHI = "ai_inference_with_phi"
    ACCESS_CLOSED = "access_closed"
    PHI_ACCESS_DENIED = "phi_access_denied"
    AI_PHI_OUTPUT_DETECTED = "ai_phi_output_detected"
    AI_INJECTION_ATTEMPT = "ai_injection_attempt"
    AUDIT_LOG_READ = "audit_log_read"
    IDENTITY_LOOKED_UP = "identity_looked_up"
    IDENTITY_DISCLOSED = "identity_disclosed"
    BREAK_GLASS_STARTED = "break_glass_started"
    BREAK_GLASS_ENDED = "break_glass_ended"
    BREAK_GLASS_REVIEWED = "break_glass_reviewed"
    SESSION_STARTED = "session_started"
    SESSION_ENDED = "session_ended"
    SESSION_DENIED = "session_denied"
    USER_ADDED = "user_added"
    USER_GRANTED = "user_granted"
    USER_REVOKED = "user_revoked"
    USER_LEFT = "user_left"
    KEY_CREATED = "key_created"
    KEY_ACTIVATED = "key_activated"
    KEY_ROTATED = "key_rotated"
    KEY_SUSPENDED = "key_suspended"
    KEY_DEACTIVATED = "key_deactivated"
    KEY_COMPROMISED = "key_compromised"
    KEY_DESTROYED = "key_destroyed"
    KEY_ACCESSED = "key_accessed"
    KEY_DUE = "key_due"
    KEY_OVERDUE = "key_overdue"
    KEY_RECOVERED = "key_recovered"
    KEY_RECOVERY_REHEARSED = "key_recovery_rehearsed"
    CASE_OPENED = "case_opened"
    CASE_ASSESSED = "case_assessed"
    CASE_DECIDED = "case_decided"
    CASE_NOTIFIED = "case_notified"
    CASE_CLOSED = "case_closed"
    CASE_REOPENED = "case_reopened"
    RULE_ADDED = "rule_added"
    RULE_CHANGED = "rule_changed"
    RULE_REMOVED = "rule_removed"
    POLICY_CHANGED = "policy_changed"
    CONTAINMENT_STARTED = "containment_started"
    CONTAINMENT_CONFIRMED = "containment_confirmed"
    CONTAINMENT_ENDED = "containment_ended"
    CONTAINMENT_BREACHED = "containment_breached"
    RETENTION_PRUNED = "retention_pruned"
    RETENTION_HOLD_PLACED = "retention_hold_placed"
    RETENTION_HOLD_RELEASED = "retention_hold_released"
    ARCHIVE_PUSHED = "archive_pushed"
    ARCHIVE_AUDITED = "archive_audited"
    ANCHOR_ADDED = "anchor_added"
    ANCHOR_LATE = "anchor_late"
    EVIDENCE_BUNDLED = "evidence_bundled"
    HISTORY_IMPORTED = "history_imported"
    SOURCE_REGISTERED = "source_registered"
    SOURCE_EPOCH_OPENED = "source_epoch_opened"
    SOURCE_EPOCH_CLOSED = "source_epoch_closed"
    SOURCE_HEARTBEAT = "source_heartbeat"
    SOURCE_SILENT = "source_silent"
    SOURCE_GAP = "source_gap"
    SOURCE_GAP_HEALED = "source_gap_healed"
    SOURCE_RECONCILED = "source_reconciled"
    SPOOL_STARTED = "spool_started"
    SPOOL_REPLAYED = "spool_replayed"
    EVENT_ID_CONFLICT = "event_id_conflict"
    GUARD_DECIDED = "guard_decided"
    GUARD_FAILED = "guard_failed"
    GATEWAY_DECIDED = "gateway_decided"
    DETECTION_DEGRADED = "detection_degraded"
    CLOCK_SKEWED = "clock_skewed"
    ALERT_OVERDUE = "alert_overdue"
    ACCESS_UNCLOSED = "access_unclosed"
    REVIEW_OVERDUE = "review_overdue"
    DORMANT_USER_ACTIVE = "dormant_user_active"
    FACTS_LOADED = "facts_loaded"
    ROLLOUT_ACCEPTED = "rollout_accepted"
    INTEGRITY_FAILED = "integrity_failed"


_SECURITY_TYPES = frozenset(
    {
        EventType.AI_INJECTION_ATTEMPT,
        EventType.EVENT_ID_CONFLICT,
        EventType.GUARD_DECIDED,
        EventType.GUARD_FAILED,
        EventType.GATEWAY_DECIDED,
        EventType.DETECTION_DEGRADED,
        EventType.CLOCK_SKEWED,
        EventType.ALERT_OVERDUE,
        EventType.INTEGRITY_FAILED,
        EventType.SESSION_DENIED,
    }
)
LOG_OF_EVENT_TYPE = {
    kind: Log.SECURITY if kind in _SECURITY_TYPES else Log.AUDIT for kind in EventType
}
"""The one table that says which log an event type goes to."""

OPENING_TYPES = frozenset(
    {
        EventType.PHI_READ,
        EventType.PHI_WRITE,
        EventType.PHI_EXPORT,
        EventType.AI_INFERENCE,
        EventType.AI_INFERENCE_WITH_PHI,
    }
)


class Action(StrEnum):
    """What was done; a tenant maps its own names (`rag_query`) onto these."""

    READ = "read"
    WRITE = "write"
    QUERY = "query"
    RETRIEVE = "retrieve"
    VIEW = "view"
    EXPORT = "export"
    INFER = "infer"
    DENY = "deny"


class Outcome(StrEnum):
    """How it ended; the last five are the endings of an access."""

    SUCCESS = "success"
    DENIED = "denied"
    RELEASED = "released"
    PARTLY_RELEASED = "partly_released"
    NOT_RELEASED = "not_released"
    BLOCKED = "blocked"
    FAILED = "failed"


class ActorType(StrEnum):
    """Who acted: a person, or a program on its own or on somebody's behalf."""

    HUMAN = "human"
    SERVICE = "service"
    AGENT = "agent"
    JOB = "job"


class PurposeOfUse(StrEnum):
    """Why (after HL7 v3 PurposeOfUse); `no_patient` when no patient was involved."""

    TREATMENT = "treatment"
    PAYMENT = "payment"
    OPERATIONS = "operations"
    EMERGENCY = "emergency"
    RESEARCH = "research"
    PUBLIC_HEALTH = "public_health"
    PATIENT_REQUEST = "patient_request"
    QUALITY_IMPROVEMENT = "quality_improvement"
    LEGAL = "legal"
    EDUCATION = "education"
    SYSTEM_ADMINISTRATION = "system_administration"
    NO_PATIENT = "no_patient"


class AttributionBasis(StrEnum):
    """What the name of the actor rests on."""

    VERIFIED_TOKEN = "verified_token"  # noqa: S105 - a code, not a secret
    ASSERTED_BY_SERVICE = "asserted_by_service"
    STATIC = "static"


class Assurance(StrEnum):
    """How the record came: before release through us, beside it, or later from a file."""

    ENFORCED = "enforced"
    OBSERVED = "observed"
    IMPORTED = "imported"


class ReviewAction(StrEnum):
    """What a person did with the answer."""

    ACCEPTED = "accepted"
    EDITED = "edited"
    REJECTED = "rejected"
    OVERRIDDEN = "overridden"
    NOT_REVIEWED = "not_reviewed"
    AUTO = "auto"


class GuardDecision(StrEnum):
    """What the output guard decided."""

    RELEASE = "release"
    ALERT = "alert"
    REDACT = "redact"
    BLOCK = "block"
    WITHHELD = "withheld"


class OutputKind(StrEnum):
    """What the model gave (45 CFR 170.315(b)(11)(iv) source attributes)."""

    PREDICTION = "prediction"
    CLASSIFICATION = "classification"
    RECOMMENDATION = "recommendation"
    EVALUATION = "evaluation"
    ANALYSIS = "analysis"
    TEXT = "text"


class DeidStatus(StrEnum):
    """What the data was, in terms of 45 CFR 164.514."""

    PHI = "phi"
    LIMITED_DATA_SET = "limited_data_set"
    SAFE_HARBOR = "safe_harbor"
    EXPERT = "expert"
    SYNTHETIC = "synthetic"


class Sensitivity(StrEnum):
    """Labels that ask for more care than HIPAA alone (42 CFR Part 2, State law)."""

    PART2 = "part2"
    PSYCHOTHERAPY = "psychotherapy"
    HIV = "hiv"
    GENETIC = "genetic"
    REPRODUCTIVE = "reproductive"
    MINOR = "minor"
    VIP = "vip"


class Severity(StrEnum):
    """How bad (Sigma rule levels)."""

    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class IdentifierClass(StrEnum):
    """The 18 identifiers of 45 CFR 164.514(b)(2)(i), and clinical codes beside them."""

    NAME = "name"
    GEOGRAPHIC = "geographic"
    DATE = "date"
    PHONE = "phone"
    FAX = "fax"
    EMAIL = "email"
    SSN = "ssn"
    MRN = "mrn"
    HEALTH_PLAN = "health_plan"
    ACCOUNT = "account"
    LICENSE = "license"
    VEHICLE = "vehicle"
    DEVICE = "device"
    URL = "url"
    IP_ADDRESS = "ip_address"
    BIOMETRIC = "biometric"
    PHOTO = "photo"
    OTHER = "other"
    CLINICAL_CODE = "clinical_code"


class UserState(StrEnum):
    """What the house's own list of people said of a user at that time."""

    EMPLOYED = "employed"
    ON_LEAVE = "on_leave"
    LEFT = "left"


class CareRelationship(StrEnum):
    """For how many of the patients of an event a care relationship was known."""

    ALL = "all"
    SOME = "some"
    NONE = "none"


class Relation(StrEnum):
    """What a patient is to the user, or to the public, apart from care."""

    SELF = "self"
    HOUSEHOLD = "household"
    COWORKER = "coworker"
    SAME_SURNAME = "same_surname"
    NEIGHBOUR = "neighbour"
    VIP = "vip"
    DECEASED = "deceased"


class FinishReason(StrEnum):
    """Why the model stopped (after `gen_ai.response.finish_reasons`)."""

    STOP = "stop"
    LENGTH = "length"
    CONTENT_FILTER = "content_filter"
    TOOL_CALL = "tool_call"
    ERROR = "error"


class FeedbackValue(StrEnum):
    """What a rater said of an answer."""

    POSITIVE = "positive"
    NEGATIVE = "negative"


class FlagReason(StrEnum):
    """Why a rater flagged an answer; a code, never words."""

    INACCURATE = "inaccurate"
    INCOMPLETE = "incomplete"
    OUTDATED = "outdated"
    UNSAFE = "unsafe"
    IRRELEVANT = "irrelevant"
    WRONG_PATIENT = "wrong_patient"
    MISSING_CITATION = "missing_citation"
    TONE = "tone"
    OTHER = "other"


class QualityMetric(StrEnum):
    """What is measured of a model without its words; `quality.metrics` says how."""

    REQUESTS = "requests"
    LATENCY_MEAN = "latency_mean"
    LATENCY_P95 = "latency_p95"
    CACHE_HIT_RATE = "cache_hit_rate"
    CONTENT_FILTER_RATE = "content_filter_rate"
    DISCLAIMER_RATE = "disclaimer_rate"
    CITATIONS_MEAN = "citations_mean"
    TOP_SCORE_MEAN = "top_score_mean"
    POSITIVE_RATE = "positive_rate"
    FLAG_RATE = "flag_rate"
    TRUNCATION_RATE = "truncation_rate"
    ERROR_RATE = "error_rate"
    REFUSAL_RATE = "refusal_rate"
    GUARD_HIT_RATE = "guard_hit_rate"
    RESPONSE_RATE = "response_rate"
    FIRST_TOKEN_P95 = "first_token_p95"  # noqa: S105 - a name of a metric
    EMPTY_RETRIEVAL_RATE = "empty_retrieval_rate"
    PROMPT_CACHE_RATE = "prompt_cache_rate"


class AlertState(StrEnum):
    """Where an alert stands."""

    OPEN = "open"
    UPDATE = "update"
    CLOSE = "close"


class SuccessionReason(StrEnum):
    """Why the signing keys of a log gave way to new ones."""

    ROTATION = "rotation"
    COMPROMISE = "compromise"
    LOST = "lost"


class SigningRole(StrEnum):
    """What a key that a keyring lists may sign."""

    CHECKPOINT = "checkpoint"
    PROMISE = "promise"
    SUCCESSION = "succession"


class Disposition(StrEnum):
    """What a person found an alert to be."""

    TRUE_POSITIVE = "true_positive"
    EXPLAINED = "explained"
    FALSE_POSITIVE = "false_positive"
    TEST = "test"
    DUPLICATE = "duplicate"
