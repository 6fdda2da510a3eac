"""Of an OpenTelemetry span nothing is taken but what is listed, whatever else it holds."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phitrail.capture.genai_names import Dropped, Span, read_documents, read_span
from phitrail.capture.text_hash import TextHasher
from phitrail.errors import InputError
from phitrail.events.canonical import encode_leaf
from phitrail.events.codes import FinishReason
from phitrail.events.protected import Protected
from phitrail.keys.mac import Mac
from phitrail.keys.ring import KeyRing

CANARY = "Canary Wilhelmina fell on the stairs"
START = datetime(2026, 11, 22, 8, tzinfo=UTC)
HASHER = TextHasher(
    Mac(KeyRing.of({"text-hash": {1: Protected(bytes(32))}}), "text-hash").written
)
TRACE, SPAN = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
LISTED = {
    ("model_id", "gpt-4"),
    ("provider", "aws_bedrock"),
    ("provider", "openai"),
    ("use_case", "chart_qa"),
    ("facility_id", "main-campus"),
    ("rollout", "spring"),
    ("error_code", "timeout"),
}
NEW: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "aws.bedrock",
    "gen_ai.request.model": "gpt-4",
    "gen_ai.response.model": "gpt-4-0613",
    "gen_ai.response.finish_reasons": ["stop", "length"],
    "gen_ai.response.time_to_first_chunk": 0.25,
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 180,
    "gen_ai.usage.cache_read.input_tokens": 50,
    "gen_ai.workflow.name": "Chart QA",
    "phitrail.facility_id": "main-campus",
    "phitrail.rollout": "spring",
    "phitrail.cache_hit": False,
    "phitrail.disclaimer_present": True,
    "phitrail.refused": False,
    "phitrail.citation_count": 0,
}
OLD: dict[str, Any] = {
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4",
    "gen_ai.response.model": "gpt-4-0613",
    "gen_ai.usage.prompt_tokens": 100,
    "gen_ai.usage.completion_tokens": 180,
    "gen_ai.response.finish_reasons": ["tool_calls"],
}
CONTENT = (
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.definitions",
    "gen_ai.tool.description",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "gen_ai.retrieval.query.text",
    "gen_ai.memory.query.text",
    "gen_ai.memory.records",
    "gen_ai.evaluation.explanation",
    "gen_ai.evaluation.score.label",
    "gen_ai.agent.description",
    "gen_ai.request.stop_sequences",
    "gen_ai.prompt",
    "gen_ai.completion",
    "gen_ai.prompt.0.content",
    "gen_ai.completion.0.content",
    "llm.prompts",
    "input.value",
    "output.value",
    "exception.message",
    "traceloop.entity.input",
    "user.id",
)


def span_of(attributes: dict[str, Any]) -> Span:
    """Make a span of a second and a half."""
    return Span(TRACE, SPAN, START, START + timedelta(seconds=1.5), attributes)


def admits(field: str, term: str) -> bool:
    """Say what the tenant lists."""
    return (field, term) in LISTED


def read(attributes: dict[str, Any]) -> Any:
    """Read a span with these attributes."""
    return read_span(span_of(attributes), admits, HASHER)


def test_names_of_today_fill_the_entry() -> None:
    """Instrumentation that exists must do, without a word about us in it."""
    reading = read(NEW)
    entry = reading.entry

    assert reading.dropped == Dropped()
    assert (entry.model_id, entry.model_version) == ("gpt-4", "gpt-4-0613")
    assert (entry.provider, entry.use_case) == ("aws_bedrock", "chart_qa")
    assert (entry.input_tokens, entry.output_tokens) == (100, 180)
    assert (entry.cache_read_tokens, entry.cache_hit) == (50, False)
    assert (entry.latency_us, entry.time_to_first_token_us) == (1_500_000, 250_000)
    assert entry.finish_reason is FinishReason.LENGTH
    assert (entry.disclaimer_present, entry.citation_count) == (True, 0)
    assert (entry.refused, entry.content_filtered) == (False, False)
    assert (entry.rollout, entry.facility_id) == ("spring", "main-campus")
    assert entry.request_id == f"{TRACE}:{SPAN}"
    assert entry.timestamp_utc == "2026-11-22T08:00:00.000Z"
    assert encode_leaf(entry)


def test_names_of_before_fill_it_too_and_give_way_to_new_ones() -> None:
    """Most instrumentation that runs today still writes the old names."""
    entry = read(OLD).entry
    both = read({**OLD, **NEW}).entry

    assert entry.provider == "openai"
    assert (entry.input_tokens, entry.output_tokens) == (100, 180)
    assert entry.finish_reason is FinishReason.TOOL_CALL
    assert both.provider == "aws_bedrock"


def test_a_span_sent_twice_is_one_event() -> None:
    """Exporters send again what they think was lost."""
    assert read(NEW).entry == read(NEW).entry
    other = Span(TRACE, "f" * 16, START, START, NEW)

    again = read_span(other, admits, HASHER).entry
    assert again is not None
    assert again.event_id != read(NEW).entry.event_id


@pytest.mark.parametrize("key", CONTENT)
def test_no_attribute_with_content_leaves_a_trace(key: str) -> None:
    """The switch for capturing content is in another program, and is on somewhere."""
    for value in (CANARY, [{"role": "user", "content": CANARY}], {CANARY: CANARY}):
        reading = read({**NEW, key: value})

        assert reading.dropped == Dropped(unknown=1)
        assert CANARY not in repr(reading)
        assert reading.entry == read(NEW).entry


@given(
    key=st.sampled_from(sorted({*NEW, *OLD, "error.type", "phitrail.use_case"})),
    shape=st.sampled_from(["text", "list", "map"]),
    more=st.text(max_size=9),
)
def test_content_in_an_attribute_that_is_read_does_not_pass(
    key: str, shape: str, more: str
) -> None:
    """Whoever puts a sentence where a number belongs must not find it in the log."""
    text = f"{CANARY} {more}"
    planted: Any = {"text": text, "list": [text], "map": {text: text}}[shape]
    reading = read({**NEW, key: planted})

    assert CANARY not in repr(reading)
    assert CANARY.lower().replace(" ", "_") not in repr(reading)
    if reading.entry is not None:
        encode_leaf(reading.entry)


def test_what_is_dropped_is_counted_by_reason() -> None:
    """A mapping that takes nothing must not look like one that works."""
    reading = read(
        {
            **NEW,
            "server.address": "x",
            "gen_ai.usage.input_tokens": "many",
            "phitrail.refused": 1,
            "gen_ai.provider.name": "somebody.else",
            "gen_ai.request.model": "not-listed",
        }
    )

    assert reading.dropped == Dropped(unknown=1, misfit=2, unlisted=2)
    assert (reading.entry.provider, reading.entry.model_id) == (None, None)
    assert (reading.entry.input_tokens, reading.entry.refused) == (None, None)


@pytest.mark.parametrize(
    ("error", "finish", "code", "filtered"),
    [
        ("timeout", FinishReason.ERROR, "timeout", False),
        ("content_filter", FinishReason.CONTENT_FILTER, None, True),
        ("java.net.UnknownHostException", FinishReason.ERROR, None, False),
        (500, FinishReason.ERROR, None, False),
    ],
)
def test_an_error_is_an_error_whatever_it_is_called(
    error: object, finish: FinishReason, code: str | None, filtered: bool
) -> None:
    """A rate of errors without those that have odd names would comfort wrongly."""
    entry = read({**NEW, "error.type": error}).entry

    assert (entry.finish_reason, entry.error_code) == (finish, code)
    assert entry.content_filtered is filtered


@pytest.mark.parametrize("operation", ["embeddings", "execute_tool", "retrieval", 7])
def test_what_is_no_request_for_an_answer_makes_no_entry(operation: object) -> None:
    """Embeddings among answers would halve every latency."""
    reading = read({**NEW, "gen_ai.operation.name": operation})

    assert reading.entry is None
    assert reading.dropped == Dropped(unknown=len(NEW))
    assert read({"http.method": "GET"}).entry is None


@pytest.mark.parametrize("as_text", [False, True])
def test_of_documents_only_hashed_ids_and_scores_are_taken(as_text: bool) -> None:
    """The id of a chart names a patient, and instrumentation adds the text beside it."""
    documents: Any = [
        {"id": CANARY, "score": 0.95, "content": CANARY},
        {"id": "doc_456", "score": 0, CANARY: 1},
        {"id": 7, "score": "high"},
        CANARY,
    ]
    given = json.dumps(documents) if as_text else documents
    entry = read({**NEW, "gen_ai.retrieval.documents": given}).entry

    assert entry.retrieved_count == 4
    assert entry.retrieval_scores_e6 == (950_000, 0)
    assert entry.top_retrieval_score_e6 == 950_000
    assert entry.retrieved_document_hashes == tuple(
        HASHER.hash_document(Protected(one)) for one in (CANARY, "doc_456")
    )
    assert CANARY.encode() not in encode_leaf(entry)


@pytest.mark.parametrize("value", [CANARY, 7, {"id": 1}, None, "[" * 9_999])
def test_what_is_no_list_of_documents_is_counted(value: object) -> None:
    """It must not pass for a retrieval that found nothing."""
    reading = read({**NEW, "gen_ai.retrieval.documents": value})

    assert reading.dropped == Dropped(misfit=1)
    assert reading.entry.retrieved_count is None
    assert read_documents("[]", HASHER) is not None


@pytest.mark.parametrize(
    ("trace", "span", "field"),
    [(CANARY, SPAN, "trace_id"), (TRACE, CANARY, "span_id"), (TRACE, "", "span_id")],
)
def test_a_span_without_its_ids_is_refused(trace: str, span: str, field: str) -> None:
    """Without them a span that is sent twice would be two requests."""
    with pytest.raises(InputError, match=f"^{field}: ") as caught:
        read_span(Span(trace, span, START, START, NEW), admits, HASHER)

    assert CANARY not in str(caught.value)
