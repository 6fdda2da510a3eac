"""Through the SDK every request to a model leaves one entry with what is known of it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.trails import read_leaves

from phitrail.errors import InputError
from phitrail.events.codes import FinishReason, Log
from phitrail.events.quality import QualityEntry
from phitrail.sdk import Trail, aconnect, connect

CANARY = "Canary the biopsy was malignant"
RECORDS = [("mrn-1", "note-1", "DocumentReference")]
MODEL = {"model_id": "extractive-demo", "model_version": "1"}


@pytest.fixture
def trail(trail_dir: Path) -> Iterator[Trail]:
    """Give an open trail."""
    with connect(trail_dir) as opened:
        yield opened


def entries(trail: Trail) -> list[QualityEntry]:
    """Read the quality entries of a trail."""
    leaves = read_leaves(trail._backend.parts, Log.QUALITY)  # type: ignore[attr-defined]  # a directory's parts
    return [leaf for leaf in leaves if isinstance(leaf, QualityEntry)]


def test_a_release_takes_measures_by_name(trail: Trail) -> None:
    """The plainest way must fill the entry."""
    with trail.access(user_id="dr-1", request_id="q-1") as access:
        access.retrieved(RECORDS)
        access.infer(**MODEL)
        access.measure(input_tokens=3)
        access.release(
            "answer", output_tokens=7, finish_reason="stop", disclaimer_present=True
        )

    (entry,) = entries(trail)
    assert (entry.request_id, entry.input_tokens, entry.output_tokens) == ("q-1", 3, 7)
    assert entry.finish_reason is FinishReason.STOP
    assert entry.disclaimer_present is True
    assert entry.retrieved_count == len(entry.retrieved_document_hashes) == 1
    assert entry.time_to_first_token_us is None
    assert entry.latency_us is not None


def test_a_stream_measures_its_first_token_and_takes_tokens_at_its_end(
    trail: Trail,
) -> None:
    """Tokens are known when the last piece has come, the first token before."""
    with trail.access(user_id="dr-1") as access:
        access.infer(**MODEL)

        def deltas() -> Iterator[str]:
            yield from ("", "some ", "answer")
            access.measure(output_tokens=2, finish_reason="length")

        assert "".join(access.stream(deltas(), input_tokens=5)) == "some answer"

    (entry,) = entries(trail)
    assert (entry.input_tokens, entry.output_tokens) == (5, 2)
    assert entry.finish_reason is FinishReason.LENGTH
    assert entry.time_to_first_token_us is not None
    assert entry.latency_us is not None
    assert 0 <= entry.time_to_first_token_us <= entry.latency_us


def test_an_event_loop_leaves_the_same_entry(trail_dir: Path) -> None:
    """Async code must lose no measure."""

    async def deltas() -> AsyncIterator[str]:
        yield "some "
        yield "answer"

    async def work() -> None:
        async with await aconnect(trail_dir) as trail:
            async with trail.access(user_id="dr-1") as access:
                await access.infer(**MODEL)
                stream = access.stream(deltas(), input_tokens=5)
                assert [piece async for piece in stream] == ["some ", "answer"]
            async with trail.access(user_id="dr-1") as access:
                await access.infer(**MODEL)
                await access.release("answer", output_tokens=7)

    asyncio.run(work())
    with connect(trail_dir) as trail:
        streamed, whole = entries(trail)
    assert streamed.input_tokens == 5
    assert streamed.time_to_first_token_us is not None
    assert whole.output_tokens == 7


def test_a_wrong_measure_stops_a_stream_before_its_first_piece(trail: Trail) -> None:
    """Found at the end, half the answer would be out and the access open for ever."""
    unknown: dict[str, Any] = {CANARY: 1}
    with trail.access(user_id="dr-1") as access:
        access.infer(**MODEL)
        with pytest.raises(InputError, match=r"^output_tokens: ") as caught:
            access.stream(iter(["never"]), output_tokens=CANARY)
        assert CANARY not in str(caught.value)
        with pytest.raises(InputError, match=r"^\(field 1\): not a measure"):
            access.release("never", call=None, **unknown)
        assert access.release("answer", output_tokens=1) == "answer"

    (entry,) = entries(trail)
    assert entry.output_tokens == 1


def test_a_failure_says_why_by_a_code(trail: Trail) -> None:
    """An exception must not lose what was known of the model."""

    def fail() -> None:
        with trail.access(user_id="dr-1") as access:
            access.infer(**MODEL)
            access.measure(error_code="late", input_tokens=9)
            raise TimeoutError

    with pytest.raises(TimeoutError):
        fail()
    (entry,) = entries(trail)
    assert entry.finish_reason is FinishReason.ERROR
    assert (entry.error_code, entry.input_tokens) == ("late", 9)
