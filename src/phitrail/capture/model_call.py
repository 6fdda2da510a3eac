"""What an application says of a model's work, and the quality entry that comes of it.

1. A measure is a number, a truth, a code or a term of the tenant's lists: nothing takes a
   sentence. Each is checked when it is given, so that a wrong one does not come to light
   after half an answer went out. Terms are held against the tenant's lists at the door.
2. Missing is not false: what nobody said stays absent. Derived is only what follows: whether
   the content was filtered from why the model stopped, the highest score from the scores,
   how many documents from the documents.
3. An id of a document may itself name a patient, so it stands as a keyed hash, the first
   `MOST_DOCUMENTS` different ones of a request. The count and the highest score are over all.
4. What was retrieved counts only where retrieval was said to have happened: a request without
   it has no count, and one that found nothing has zero.

Source: OpenTelemetry GenAI semantic conventions (what is worth measuring).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import chain
from typing import Any, Final

from phitrail.capture.text_hash import TextHasher
from phitrail.errors import InputError
from phitrail.events.canonical import check_identifier, encode_leaf
from phitrail.events.codes import FinishReason
from phitrail.events.protected import Protected
from phitrail.events.quality import QualityEntry

MOST_DOCUMENTS: Final = 100
_LISTS: Final = frozenset({"document_ids", "retrieval_scores_e6"})
_RULE: Final = "not a measure of a model's work; see ModelCall for those that are"


@dataclass(frozen=True, slots=True)
class ModelCall:
    """What is known of a model's work; times in microseconds, scores in millionths.

    Attributes:
        provider: who serves the model, a term of the list `providers`.
        rollout: the rollout it belongs to, a term of the list `rollouts`.
        input_tokens: what was sent to the model.
        output_tokens: what came from it.
        cache_read_tokens: of `input_tokens`, those that the provider had in its own cache.
        time_to_first_token_us: a stream measures it by itself.
        document_ids: documents that were used beside the records that `retrieved` named.
        retrieved_count: how many were found, where that is not the number of those named.
        retrieval_scores_e6: one for each, the order of no meaning; zero is a score.
        cache_hit: whether the application answered out of a cache of its own.
        finish_reason: why the model stopped.
        content_filtered: whether a filter of the provider took something away.
        disclaimer_present: whether the answer says what it is not.
        refused: whether the model declined to answer.
        citation_count: how many sources the answer names.
        error_code: what went wrong, a term of the list `reason_codes`.
    """

    provider: str | None = None
    rollout: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    time_to_first_token_us: int | None = None
    document_ids: tuple[str, ...] = field(default=(), repr=False)
    retrieved_count: int | None = None
    retrieval_scores_e6: tuple[int, ...] = ()
    cache_hit: bool | None = None
    finish_reason: FinishReason | None = None
    content_filtered: bool | None = None
    disclaimer_present: bool | None = None
    refused: bool | None = None
    citation_count: int | None = None
    error_code: str | None = None


_MEASURES: Final = frozenset(one.name for one in fields(ModelCall))
_SAME: Final = _MEASURES - _LISTS - {"retrieved_count", "content_filtered"}
"""Measures that stand in an entry as they were given."""


def measured(
    known: ModelCall, more: ModelCall | None, given: Mapping[str, Any]
) -> ModelCall:
    """Add measures to those that are known; the newest of a name holds.

    Args:
        known: what was said before.
        more: further measures; what it leaves at its default adds nothing.
        given: further ones by name; `None` adds nothing.

    Raises:
        InputError: names the field and the rule; an unknown field by its place only, since
            its name may be content.
    """
    if more is not None and type(more) is not ModelCall:
        raise InputError.for_field("call", "must be a ModelCall")
    for place, name in enumerate(given, start=1):
        if name not in _MEASURES:
            is_ours = name in QualityEntry.__struct_fields__
            raise InputError.for_field(name if is_ours else f"(field {place})", _RULE)
    said = {} if more is None else {name: getattr(more, name) for name in _MEASURES}
    added: dict[str, Any] = {
        name: _as_tuple(name, value) if name in _LISTS else value
        for name, value in (*said.items(), *given.items())
        if value is not None and value != ()
    }
    if not added:
        return known
    call = replace(known, **added)
    _check(call)
    return call


def entry_fields(
    call: ModelCall, opened: Sequence[Protected[str]] | None, hasher: TextHasher
) -> dict[str, Any]:
    """Return the fields of a quality entry that say what was measured.

    Args:
        call: what the application said.
        opened: the ids of records that were opened; None where nothing was retrieved.
        hasher: hashes ids of documents.
    """
    scores = call.retrieval_scores_e6
    named = chain(opened or (), map(Protected, call.document_ids))
    retrieved = call.retrieved_count
    if retrieved is None and (opened is not None or call.document_ids):
        retrieved = len(opened or ()) + len(call.document_ids)
    filtered = call.content_filtered
    if filtered is None and call.finish_reason is not None:
        filtered = call.finish_reason == FinishReason.CONTENT_FILTER
    return {
        **{name: getattr(call, name) for name in _SAME},
        "content_filtered": filtered,
        "retrieved_count": retrieved,
        "retrieved_document_hashes": _first_distinct(map(hasher.hash_document, named)),
        "retrieval_scores_e6": scores[:MOST_DOCUMENTS],
        "top_retrieval_score_e6": max(scores, default=None),
    }


def _as_tuple(name: str, value: object) -> tuple[Any, ...]:
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise InputError.for_field(name, "must be a list")
    return tuple(value)


def _check(call: ModelCall) -> None:
    """Hold measures against the field policy, as an entry that says nothing else."""
    for identifier in call.document_ids:
        check_identifier(identifier, "document_ids")
    plain = {name: getattr(call, name) for name in _SAME}
    encode_leaf(
        QualityEntry(
            request_id="none",
            content_filtered=call.content_filtered,
            retrieved_count=call.retrieved_count,
            retrieval_scores_e6=call.retrieval_scores_e6[:MOST_DOCUMENTS],
            **plain,
        )
    )
    for score in call.retrieval_scores_e6[MOST_DOCUMENTS:]:
        encode_leaf(QualityEntry(request_id="none", top_retrieval_score_e6=score))


def _first_distinct(hashes: Iterable[str]) -> tuple[str, ...]:
    seen: dict[str, None] = {}
    for one in hashes:
        seen[one] = None
        if len(seen) == MOST_DOCUMENTS:
            break
    return tuple(seen)
