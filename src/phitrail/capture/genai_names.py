"""OpenTelemetry's names for a request to a model, and ours: a list of what is taken.

1. Only attributes that are listed here are read, each into one field of one shape. Whatever
   else a span holds is dropped and counted, and its name is kept nowhere: whether content is
   captured is a switch in somebody else's program, so it is not relied upon.
2. Names of today and of before are read (`gen_ai.system`, `prompt_tokens`); the new one holds
   where both are there.
3. A term (provider, use case, error) counts if the tenant lists it, in lower case, with `_`
   for what a term cannot hold: `aws.bedrock` is `aws_bedrock`. Others are dropped.
4. The id of the event follows from the ids of the span, so that an exporter may send twice.
5. `cache_read` is the provider's cache of prompts, and no hit of the application's own.

Pure: bytes, protobuf and JSON are the receiver's, and so is joining the spans of a trace. What
has no OpenTelemetry name has one of ours, under `phitrail.`.

Source: OpenTelemetry semantic conventions for generative AI, attribute registry (in
development), and its deprecated names.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, TypeAlias, get_args

from phitrail.capture.model_call import MOST_DOCUMENTS
from phitrail.capture.text_hash import TextHasher
from phitrail.errors import InputError
from phitrail.events.canonical import check_identifier
from phitrail.events.codes import FinishReason
from phitrail.events.ids import RANDOM_BYTES, format_time, new_uuid7
from phitrail.events.protected import Protected
from phitrail.events.quality import QualityEntry
from phitrail.events.shapes import MAX_INTEGER, ModelName, OpaqueId, Term

Admits: TypeAlias = Callable[[str, str], bool]
"""Says of a field and a term whether the tenant lists it."""

OPERATION: Final = "gen_ai.operation.name"
DOCUMENTS: Final = "gen_ai.retrieval.documents"
ERROR: Final = "error.type"
FINISH: Final = "gen_ai.response.finish_reasons"
_ANSWERS: Final = frozenset({"chat", "generate_content", "text_completion"})
"""Operations that are a request to a model for an answer."""

_MILLION: Final = 1_000_000
_TRACE: Final = re.compile(r"[0-9a-f]{32}")
_SPAN: Final = re.compile(r"[0-9a-f]{16}")
_TERM: Final = re.compile(get_args(Term)[1].pattern)
_MODEL: Final = re.compile(get_args(ModelName)[1].pattern)
_ID: Final = re.compile(get_args(OpaqueId)[1].pattern)
_NOT_IN_A_TERM: Final = re.compile(r"[^a-z0-9_-]+")

_FINISHED: Final = {
    "stop": FinishReason.STOP,
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "complete": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
    "content_filtered": FinishReason.CONTENT_FILTER,
    "safety": FinishReason.CONTENT_FILTER,
    "guardrail_intervened": FinishReason.CONTENT_FILTER,
    "tool_call": FinishReason.TOOL_CALL,
    "tool_calls": FinishReason.TOOL_CALL,
    "tool_use": FinishReason.TOOL_CALL,
    "function_call": FinishReason.TOOL_CALL,
    "error": FinishReason.ERROR,
}
_GRAVEST_FIRST: Final = (
    FinishReason.CONTENT_FILTER,
    FinishReason.ERROR,
    FinishReason.LENGTH,
    FinishReason.TOOL_CALL,
    FinishReason.STOP,
)


@dataclass(frozen=True, slots=True)
class Span:
    """One span as a receiver decodes it; ids in lower-case hex, times aware."""

    trace_id: str
    span_id: str
    started_at: datetime
    ended_at: datetime
    attributes: Mapping[str, object] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Dropped:
    """How many attributes were not taken, and why.

    Attributes:
        unknown: of no name that is listed here, content among them.
        misfit: listed, and of another shape than the field has.
        unlisted: a term that the tenant does not list.
    """

    unknown: int = 0
    misfit: int = 0
    unlisted: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """What one span gave; without an entry it was no request to a model."""

    entry: QualityEntry | None
    dropped: Dropped


def _count(value: object) -> int | None:
    if type(value) is int and 0 <= value <= MAX_INTEGER:
        return value
    return None


def _microseconds(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return _count(round(value * _MILLION)) if math.isfinite(value) else None


def _truth(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _matching(pattern: re.Pattern[str]) -> Callable[[object], str | None]:
    def read(value: object) -> str | None:
        return value if isinstance(value, str) and pattern.fullmatch(value) else None

    return read


def _term(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    term = _NOT_IN_A_TERM.sub("_", value.strip().lower()).strip("_")
    return term if _TERM.fullmatch(term) else None


def _finish(value: object) -> FinishReason | None:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, Sequence):
        return None
    known = {_FINISHED.get(one.lower()) for one in given if isinstance(one, str)}
    return next((one for one in _GRAVEST_FIRST if one in known), None)


_READ: Final[Mapping[str, tuple[tuple[str, ...], Callable[[object], Any]]]] = {
    "request_id": (("phitrail.request_id",), _matching(_ID)),
    "model_id": (("gen_ai.request.model",), _matching(_MODEL)),
    "model_version": (
        ("phitrail.model_version", "gen_ai.response.model"),
        _matching(_MODEL),
    ),
    "provider": (("gen_ai.provider.name", "gen_ai.system"), _term),
    "rollout": (("phitrail.rollout",), _term),
    "use_case": (
        (
            "phitrail.use_case",
            "gen_ai.workflow.name",
            "gen_ai.agent.name",
            "gen_ai.prompt.name",
        ),
        _term,
    ),
    "facility_id": (("phitrail.facility_id",), _term),
    "input_tokens": (
        ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
        _count,
    ),
    "output_tokens": (
        ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
        _count,
    ),
    "cache_read_tokens": (("gen_ai.usage.cache_read.input_tokens",), _count),
    "time_to_first_token_us": (
        ("gen_ai.response.time_to_first_chunk",),
        _microseconds,
    ),
    "cache_hit": (("phitrail.cache_hit",), _truth),
    "disclaimer_present": (("phitrail.disclaimer_present",), _truth),
    "refused": (("phitrail.refused",), _truth),
    "citation_count": (("phitrail.citation_count",), _count),
    "finish_reason": ((FINISH,), _finish),
    "error_code": ((ERROR,), _term),
}
"""Field -> the attributes that it is read from, the newest name first, and how."""
_FIELD_OF: Final = {name: our for our, (names, _) in _READ.items() for name in names}
_TERMS: Final = frozenset(
    {"model_id", "provider", "rollout", "use_case", "facility_id", "error_code"}
)
_BESIDE: Final = frozenset({OPERATION, DOCUMENTS})
"""Listed attributes that no one field is read from."""


def read_span(span: Span, admits: Admits, hasher: TextHasher) -> Reading:
    """Make the entry of a span, if it is a request to a model.

    Args:
        span: what came.
        admits: whether the tenant lists a term.
        hasher: hashes ids of documents.

    Raises:
        InputError: the span has no ids as OpenTelemetry gives them.
    """
    _check_ids(span)
    attributes = span.attributes
    if not _is_answer(attributes):
        return Reading(None, Dropped(unknown=len(attributes)))
    fields, drops = _read_fields(attributes, admits)
    if DOCUMENTS in attributes:
        found = read_documents(attributes[DOCUMENTS], hasher)
        drops["misfit"] += found is None
        fields |= found or {}
    if ERROR in attributes:
        is_filter = _finish(attributes[ERROR]) is FinishReason.CONTENT_FILTER
        finished = FinishReason.CONTENT_FILTER if is_filter else FinishReason.ERROR
        fields["finish_reason"] = finished
    if "finish_reason" in fields:
        is_filtered = fields["finish_reason"] is FinishReason.CONTENT_FILTER
        fields["content_filtered"] = is_filtered
    latency_us = _microseconds((span.ended_at - span.started_at).total_seconds())
    said = {"request_id": f"{span.trace_id}:{span.span_id}", "latency_us": latency_us}
    entry = QualityEntry(
        event_id=_event_id(span),
        timestamp_utc=format_time(span.started_at),
        **{**said, **fields},
    )
    return Reading(entry, Dropped(**drops))


def read_documents(value: object, hasher: TextHasher) -> dict[str, Any] | None:
    """Read what a retrieval found: keyed hashes of ids, and scores; none of the text.

    It stands in a span of its own (operation `retrieval`) or in that of the request.

    Returns:
        Fields of a quality entry; None where it is no list of documents.
    """
    documents = _from_json(value)
    if not isinstance(documents, Sequence) or isinstance(documents, str | bytes):
        return None
    known = [one for one in documents if isinstance(one, Mapping)]
    ids = [_identifier(one.get("id")) for one in known]
    hashes = [hasher.hash_document(one) for one in ids if one is not None]
    scores = [_millionths(one.get("score")) for one in known]
    told = [score for score in scores if score is not None]
    return {
        "retrieved_count": len(documents),
        "retrieved_document_hashes": tuple(dict.fromkeys(hashes))[:MOST_DOCUMENTS],
        "retrieval_scores_e6": tuple(told[:MOST_DOCUMENTS]),
        "top_retrieval_score_e6": max(told, default=None),
    }


def _read_fields(
    attributes: Mapping[str, object], admits: Admits
) -> tuple[dict[str, Any], Counter[str]]:
    fields: dict[str, Any] = {}
    drops: Counter[str] = Counter(
        unknown=sum(
            name not in _FIELD_OF and name not in _BESIDE for name in attributes
        )
    )
    for our, (names, read) in _READ.items():
        for name in names:
            if name not in attributes:
                continue
            value = read(attributes[name])
            if value is None:
                drops["misfit"] += 1
            elif our in _TERMS and not admits(our, value):
                drops["unlisted"] += 1
            else:
                fields.setdefault(our, value)
    return fields, drops


def _is_answer(attributes: Mapping[str, object]) -> bool:
    operation = attributes.get(OPERATION)
    if operation is None:
        return "gen_ai.request.model" in attributes
    return isinstance(operation, str) and operation in _ANSWERS


def _millionths(value: object) -> int | None:
    """Read a score, in millionths; it may be below zero."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not math.isfinite(value) or abs(value) * _MILLION > MAX_INTEGER:
        return None
    return round(value * _MILLION)


def _identifier(value: object) -> Protected[str] | None:
    if not isinstance(value, str):
        return None
    try:
        check_identifier(value, "document_ids")
    except InputError:
        return None
    return Protected(value)


def _from_json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _check_ids(span: Span) -> None:
    if not _TRACE.fullmatch(span.trace_id):
        raise InputError.for_field("trace_id", "32 digits of lower-case hex")
    if not _SPAN.fullmatch(span.span_id):
        raise InputError.for_field("span_id", "16 digits of lower-case hex")


def _event_id(span: Span) -> str:
    seed = sha256(f"{span.trace_id}:{span.span_id}".encode()).digest()
    return new_uuid7(span.started_at, seed[:RANDOM_BYTES])
