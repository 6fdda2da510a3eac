"""What a foreign field may become: our own fields, and words that stand for several.

`records` is built from columns (`patient_ids`, `record_ids`, `record_types`, or whole
triples); `query_text` and `response_text` become keyed hashes and lengths. What the log
sets, and what an import decides itself (`event_id`, `assurance`), is no target.
"""

from collections.abc import Mapping
from enum import Enum, auto

from phitrail.events.audit import AuditEvent
from phitrail.events.codes import Action, EventType
from phitrail.events.vocabulary import LIST_OF_FIELD


class Kind(Enum):
    """How a value is read."""

    TEXT = auto()
    TERM = auto()
    COUNT = auto()
    FLAG = auto()
    LIST = auto()
    TIME = auto()
    ADDRESS = auto()
    KEYED_TEXT = auto()
    TYPES = auto()
    COLUMN = auto()


TEXTS: Mapping[str, tuple[str, str, str]] = {
    "query_text": ("query_hash", "query_hash_norm", "query_chars"),
    "response_text": ("response_hash", "response_hash_norm", "released_chars"),
}
"""Stand for a text -> its exact hash, its normalised hash, its length."""

HASHES = ("query_hash", "query_hash_norm", "response_hash", "response_hash_norm")
RECORD_COLUMNS = ("records", "patient_ids", "record_ids", "record_types")
KEYED_FIELDS = frozenset(
    {
        *("user_id", "on_behalf_of", "agent_id", "run_id", "job_id"),
        *("request_id", "session_id", "deployment_id", "vendor_ba_id", "object_id"),
    }
)
"""Fields that a map may fill with the keyed hash of what stands there (`keyed: true`)."""

_NOT_GIVEN = frozenset(
    {
        *("event_id", "assurance", "part", "parts", "received_at", "nonce"),
        *("source_id", "source_epoch", "source_seq"),
    }
)
_COUNTS = frozenset(
    {
        *("query_chars", "released_chars", "input_tokens", "output_tokens"),
        *("latency_us", "result_count"),
    }
)
_FLAGS = frozenset({"patient_unknown", "response_phi_detected"})
_LISTS = frozenset({"phi_fields_accessed", "sensitivity"})
_NAMES = frozenset({"ai_model_id", "phi_fields_accessed"})  # listed, and not lower-case


def _kind(name: str) -> Kind:
    if name in HASHES:
        return Kind.KEYED_TEXT
    if name in _COUNTS:
        return Kind.COUNT
    if name in _FLAGS:
        return Kind.FLAG
    if name in _LISTS:
        return Kind.LIST
    return Kind.TERM if name in LIST_OF_FIELD and name not in _NAMES else Kind.TEXT


TARGETS: Mapping[str, Kind] = {
    **{name: _kind(name) for name in AuditEvent.__struct_fields__},
    **dict.fromkeys(TEXTS, Kind.KEYED_TEXT),
    **dict.fromkeys(RECORD_COLUMNS, Kind.COLUMN),
    "record_types": Kind.TYPES,
    "timestamp_utc": Kind.TIME,
    "source_ip": Kind.ADDRESS,
}
TARGETS = {name: kind for name, kind in TARGETS.items() if name not in _NOT_GIVEN}

EVENT_TYPE_OF_ACTION: Mapping[Action, EventType] = {
    Action.READ: EventType.PHI_READ,
    Action.VIEW: EventType.PHI_READ,
    Action.QUERY: EventType.PHI_READ,
    Action.RETRIEVE: EventType.PHI_READ,
    Action.WRITE: EventType.PHI_WRITE,
    Action.EXPORT: EventType.PHI_EXPORT,
    Action.INFER: EventType.AI_INFERENCE,
    Action.DENY: EventType.PHI_ACCESS_DENIED,
}
"""What an entry is, where it says only what was done."""
