"""Nothing is released before its record is durable, and every ending is recorded."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.trails import read_leaves

from phitrail.errors import (
    InputError,
    OutcomeUnknownError,
    PhitrailError,
    StorageError,
)
from phitrail.events.audit import AuditEvent
from phitrail.events.codes import EventType, Outcome
from phitrail.sdk import AsyncTrail, Trail, aconnect, connect
from phitrail.sdk.access import Access, AsyncAccess
from phitrail.sdk.backend import Backend

CANARY = "Canary: the biopsy was malignant"
RECORDS = [("mrn-1", "note-1", "DocumentReference")]


class BrokenModelError(Exception):
    """A failure of the application."""


@pytest.fixture
def trail(trail_dir: Path) -> Iterator[Trail]:
    """Give an open trail."""
    with connect(trail_dir) as opened:
        yield opened


def stop_the_log(trail: Trail | AsyncTrail) -> None:
    """Take the log down under an open trail."""
    trail._backend.parts.stop_writing()  # type: ignore[attr-defined]  # a directory's parts


def closings(trail: Trail | AsyncTrail) -> list[tuple[Outcome | None, int | None]]:
    """Read how accesses were closed: outcome and characters released."""
    leaves = read_leaves(trail._backend.parts)  # type: ignore[attr-defined]  # a directory's
    return [
        (leaf.outcome, leaf.released_chars)
        for leaf in leaves
        if isinstance(leaf, AuditEvent) and leaf.event_type is EventType.ACCESS_CLOSED
    ]


def open_access(trail: Trail) -> Access:
    """Begin an access that has used a record."""
    access = trail.access(user_id="dr-1")
    access.retrieved(RECORDS)
    return access


# --- release ---


def test_a_release_returns_the_text_after_its_closing(trail: Trail) -> None:
    """The main job: the answer comes with a durable record of it."""
    with trail.access(user_id="dr-1") as access:
        access.retrieved(RECORDS, query="why?")
        access.infer(model_id="extractive-demo", model_version="1")
        released = access.release("answer")

    assert released == "answer"
    assert closings(trail) == [(Outcome.RELEASED, 6)]
    assert len(access.receipts) == 4


def test_nothing_is_released_when_the_log_is_down(trail: Trail) -> None:
    """The one promise: no record, no answer."""
    access = open_access(trail)
    stop_the_log(trail)
    shown: list[str] = []
    with pytest.raises(StorageError) as caught:
        shown.append(access.release(CANARY))

    assert shown == []
    assert CANARY not in f"{caught.value!r}{caught.value.__cause__!r}"
    assert closings(trail) == []


def test_nothing_is_used_when_the_log_is_down(trail: Trail) -> None:
    """Records and prompts go on only after their opening is durable."""
    access = trail.access(user_id="dr-1")
    stop_the_log(trail)

    with pytest.raises(StorageError):
        access.retrieved(RECORDS, query=CANARY)
    with pytest.raises(StorageError):
        access.infer(model_id="extractive-demo", model_version="1")


def test_a_second_release_is_refused(trail: Trail) -> None:
    """One closing for one access, or the counts are wrong."""
    access = open_access(trail)
    access.release("one")

    with pytest.raises(InputError, match="is closed"):
        access.release("two")
    assert closings(trail) == [(Outcome.RELEASED, 3)]


def test_a_refused_release_shows_nothing_and_closes_as_not_released(
    trail: Trail,
) -> None:
    """A text that has no bytes cannot be hashed, so it must not go out."""
    with pytest.raises(InputError, match=r"^response: "), trail.access() as access:
        access.release(CANARY + "\ud800")

    assert closings(trail) == [(Outcome.FAILED, 0)]


@pytest.mark.parametrize("text", [None, 7, b"bytes", ["list"]])
def test_what_is_no_text_is_not_released(trail: Trail, text: Any) -> None:
    """A function that forgot its `return` must not count as an answer."""
    with pytest.raises(InputError, match="must be text"), trail.access() as access:
        access.release(text)

    assert closings(trail) == [(Outcome.FAILED, 0)]


def test_a_refused_inference_does_not_spoil_the_closing(trail: Trail) -> None:
    """A model that the tenant does not list must not leave an access open for ever."""
    with trail.access(user_id="dr-1") as access:
        with pytest.raises(InputError, match=r"^ai_model_id: "):
            access.infer(model_id="unlisted", model_version="1")
        access.infer(model_id="extractive-demo", model_version="1")
        with pytest.raises(InputError, match=r"^ai_model_id: "):
            access.infer(model_id="unlisted", model_version="1")
        access.release("answer")

    assert closings(trail) == [(Outcome.RELEASED, 6)]


def test_a_refused_retrieval_is_not_counted(trail: Trail) -> None:
    """Records that were never opened make no inference one with PHI."""
    with trail.access(user_id="dr-1") as access:
        with pytest.raises(InputError, match=r"^phi_fields_accessed: "):
            access.retrieved(RECORDS, phi_fields_accessed=("unlisted",))
        access.infer(model_id="extractive-demo", model_version="1")
        access.release("answer")

    leaves: list[Any] = read_leaves(trail._backend.parts)  # type: ignore[attr-defined]  # a directory's
    kinds = [leaf.event_type for leaf in leaves[1:]]
    assert kinds == [EventType.AI_INFERENCE, EventType.ACCESS_CLOSED]


class _Flaky:
    """A place for logs whose disk is full until it is told otherwise."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.error: StorageError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def record_many(self, *given: Any) -> Any:
        """Record, or fail."""
        if self.error is not None:
            raise self.error
        return self._backend.record_many(*given)


def test_a_release_that_failed_can_be_tried_again(trail: Trail) -> None:
    """A full disk that was freed: nothing was kept, so the answer may go out now."""
    trail._backend = flaky = _Flaky(trail._backend)
    with trail.access(user_id="dr-1") as access:
        access.retrieved(RECORDS)
        flaky.error = StorageError("full")
        with pytest.raises(StorageError):
            access.release("answer")
        flaky.error = None
        access.release("answer")

    assert closings(trail) == [(Outcome.RELEASED, 6)]


def test_a_release_of_unknown_outcome_is_not_tried_again(trail: Trail) -> None:
    """Two closings of one access would contradict each other."""
    trail._backend = flaky = _Flaky(trail._backend)
    with trail.access(user_id="dr-1") as access:
        access.retrieved(RECORDS)
        flaky.error = OutcomeUnknownError("half way")
        with pytest.raises(OutcomeUnknownError):
            access.release("answer")
        flaky.error = None
        with pytest.raises(InputError, match="is closed"):
            access.release("answer")

    assert closings(trail) == []


def test_a_piece_that_is_no_text_fails_the_stream(trail: Trail) -> None:
    """An error after the last piece would leave the access open."""
    pieces: Any = ["one", 5]
    with pytest.raises(InputError, match=r"^deltas: "):
        list(trail.access(user_id="dr-1").stream(pieces))

    assert [outcome for outcome, _ in closings(trail)] == [Outcome.FAILED]


# --- leaving ---


def test_leaving_without_a_release_is_recorded(trail: Trail) -> None:
    """An access that showed nothing is still an access."""
    with trail.access(user_id="dr-1") as access:
        access.retrieved(RECORDS)

    assert closings(trail) == [(Outcome.NOT_RELEASED, 0)]


def test_leaving_by_an_exception_is_a_failure_and_goes_on_up(trail: Trail) -> None:
    """The application's own error is its to see; the record says failed."""
    with pytest.raises(BrokenModelError), trail.access(user_id="dr-1"):
        raise BrokenModelError

    assert closings(trail) == [(Outcome.FAILED, 0)]


def test_leaving_when_the_log_is_down_raises(trail: Trail) -> None:
    """A closing that is lost must not pass unseen."""
    with pytest.raises(StorageError), trail.access(user_id="dr-1"):
        stop_the_log(trail)


def test_the_first_error_wins_when_the_log_is_down_too(trail: Trail) -> None:
    """The storage error must not hide what went wrong first."""
    with pytest.raises(BrokenModelError), trail.access(user_id="dr-1"):  # noqa: PT012 - both lines are the case
        stop_the_log(trail)
        raise BrokenModelError


# --- streams ---


def test_the_last_piece_waits_for_the_closing(trail: Trail) -> None:
    """A reader who has the whole answer must be in the record by then."""
    with trail.access(user_id="dr-1") as access:
        stream = access.stream(iter(["one ", "two ", "three"]))
        first = [next(stream), next(stream)]
    before = closings(trail)
    rest = list(stream)

    assert first == ["one ", "two "]
    assert before == []
    assert rest == ["three"]
    assert closings(trail) == [(Outcome.RELEASED, 13)]


def test_the_last_piece_is_held_back_when_the_log_is_down(trail: Trail) -> None:
    """No record, no end of the answer."""
    stream = open_access(trail).stream(iter(["one ", CANARY]))
    shown = [next(stream)]
    stop_the_log(trail)
    with pytest.raises(StorageError) as caught:
        shown.append(next(stream))

    assert shown == ["one "]
    assert CANARY not in repr(caught.value)


def test_an_empty_stream_is_a_release_of_nothing(trail: Trail) -> None:
    """It ended well and nothing went out."""
    assert list(open_access(trail).stream(iter([]))) == []
    assert closings(trail) == [(Outcome.RELEASED, 0)]


def test_a_reader_who_stops_leaves_what_it_saw(trail: Trail) -> None:
    """What went out before the tab was closed has been disclosed."""
    stream = open_access(trail).stream(iter(["one ", "two ", "three"]))
    next(stream)
    stream.close()

    assert closings(trail) == [(Outcome.PARTLY_RELEASED, 4)]


def test_an_error_of_the_source_is_a_failure(trail: Trail) -> None:
    """The model broke off: what went out is counted, the outcome is failed."""

    def broken() -> Iterator[str]:
        yield "one "
        yield "two "
        raise BrokenModelError

    stream = open_access(trail).stream(broken())
    next(stream)
    with pytest.raises(BrokenModelError):
        next(stream)

    assert closings(trail) == [(Outcome.FAILED, 4)]


def test_an_access_streams_once(trail: Trail) -> None:
    """Two streams of one access could not both be its closing."""
    access = open_access(trail)
    stream = access.stream(iter(["a"]))
    with pytest.raises(InputError, match="streams already"):
        access.stream(iter(["b"]))
    list(stream)
    with pytest.raises(InputError, match="is closed"):
        access.stream(iter(["c"]))


def test_a_block_that_fails_closes_its_stream_as_failed(trail: Trail) -> None:
    """Otherwise a stream that nobody reads would stay open for ever."""
    with pytest.raises(BrokenModelError), trail.access(user_id="dr-1") as access:  # noqa: PT012 - both lines are the case
        access.stream(iter(["a"]))
        raise BrokenModelError

    assert closings(trail) == [(Outcome.FAILED, 0)]


def test_a_stream_that_nobody_began_is_closed_with_its_block(trail: Trail) -> None:
    """Otherwise an access counts as "outcome unknown, treated as released" for ever."""
    with trail.access(user_id="dr-1") as access:
        stream = access.stream(iter([CANARY, "two"]))
    with pytest.raises(InputError, match="within its block") as caught:
        next(stream)
    stream.close()

    assert CANARY not in repr(caught.value)
    assert closings(trail) == [(Outcome.NOT_RELEASED, 0)]


def test_a_stream_that_is_closed_unread_releases_nothing(trail: Trail) -> None:
    """A server closes what it was given when the client has gone before the first byte."""
    stream = open_access(trail).stream(iter(["one ", "two"]))
    stream.close()
    stream.close()
    with pytest.raises(InputError, match="closed"):
        next(stream)

    assert closings(trail) == [(Outcome.NOT_RELEASED, 0)]


def test_a_block_that_fails_says_what_its_stream_had_passed_on(trail: Trail) -> None:
    """What went out before the failure was disclosed; nothing may go out after it."""
    with pytest.raises(BrokenModelError), trail.access(user_id="dr-1") as access:  # noqa: PT012 - all lines are the case
        stream = access.stream(iter(["one ", "two ", "three"]))
        next(stream)
        raise BrokenModelError
    with pytest.raises(InputError, match="closed"):
        next(stream)

    assert closings(trail) == [(Outcome.FAILED, 4)]


def test_a_generator_around_a_block_passes_its_reader_on(trail: Trail) -> None:
    """This is how a web handler streams: its reader going away is no failure."""

    def answer() -> Generator[str, None, None]:
        with trail.access(user_id="dr-1") as access:
            access.retrieved(RECORDS)
            yield from access.stream(iter(["one ", "two ", "three"]))

    assert list(answer()) == ["one ", "two ", "three"]
    reader = answer()
    next(reader)
    reader.close()

    assert closings(trail) == [(Outcome.RELEASED, 13), (Outcome.PARTLY_RELEASED, 4)]


# --- the same on an event loop ---


def run(trail_dir: Path, scenario: Any) -> Any:
    """Run a scenario over an open trail."""

    async def opened() -> Any:
        async with await aconnect(trail_dir) as trail:
            return await scenario(trail)

    return asyncio.run(opened())


async def pieces(*texts: str) -> AsyncIterator[str]:
    """Give pieces of an answer."""
    for text in texts:
        yield text


async def open_async(trail: AsyncTrail) -> AsyncAccess:
    """Begin an access that has used a record."""
    access = trail.access(user_id="dr-1")
    await access.retrieved(RECORDS)
    return access


def test_async_release_returns_the_text_after_its_closing(trail_dir: Path) -> None:
    """The main job on an event loop."""

    async def scenario(trail: AsyncTrail) -> Any:
        async with trail.access(user_id="dr-1") as access:
            await access.retrieved(RECORDS)
            await access.infer(model_id="extractive-demo", model_version="1")
            return await access.release("answer"), closings(trail)

    assert run(trail_dir, scenario) == ("answer", [(Outcome.RELEASED, 6)])


def test_async_release_shows_nothing_when_the_log_is_down(trail_dir: Path) -> None:
    """No record, no answer."""

    async def scenario(trail: AsyncTrail) -> None:
        access = await open_async(trail)
        stop_the_log(trail)
        with pytest.raises(StorageError) as caught:
            await access.release(CANARY)
        assert CANARY not in repr(caught.value)

    run(trail_dir, scenario)


def test_async_endings_are_recorded(trail_dir: Path) -> None:
    """Left, failed, cancelled: each has its outcome."""

    async def scenario(trail: AsyncTrail) -> Any:
        async with trail.access(user_id="dr-1"):
            pass
        with pytest.raises(BrokenModelError):
            async with trail.access(user_id="dr-1"):
                raise BrokenModelError
        started = asyncio.Event()

        async def waits() -> None:
            async with trail.access(user_id="dr-1"):
                started.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(waits())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return closings(trail)

    assert run(trail_dir, scenario) == [
        (Outcome.NOT_RELEASED, 0),
        (Outcome.FAILED, 0),
        (Outcome.FAILED, 0),
    ]


def test_async_leaving_when_the_log_is_down(trail_dir: Path) -> None:
    """The lost closing is raised, unless an earlier error is on its way."""

    async def scenario(trail: AsyncTrail) -> None:
        stop_the_log(trail)
        with pytest.raises(StorageError):
            async with trail.access(user_id="dr-1"):
                pass
        with pytest.raises(BrokenModelError):
            async with trail.access(user_id="dr-1"):
                raise BrokenModelError

    run(trail_dir, scenario)


def test_async_streams_hold_the_last_piece(trail_dir: Path) -> None:
    """The end of a stream comes after its closing is durable."""

    async def scenario(trail: AsyncTrail) -> Any:
        stream = (await open_async(trail)).stream(pieces("one ", "two"))
        first = await anext(stream)
        before = closings(trail)
        rest = [piece async for piece in stream]
        empty = (await open_async(trail)).stream(pieces())
        nothing = [piece async for piece in empty]
        return first, before, rest, nothing, closings(trail)

    assert run(trail_dir, scenario) == (
        "one ",
        [],
        ["two"],
        [],
        [(Outcome.RELEASED, 7), (Outcome.RELEASED, 0)],
    )


def test_async_streams_that_end_early(trail_dir: Path) -> None:
    """A reader who stops, and a source that breaks, are told apart."""

    async def broken() -> AsyncIterator[str]:
        yield "one "
        yield "two "
        raise BrokenModelError

    async def scenario(trail: AsyncTrail) -> Any:
        stopped = (await open_async(trail)).stream(pieces("one ", "two ", "three"))
        await anext(stopped)
        await stopped.aclose()
        failing = (await open_async(trail)).stream(broken())
        await anext(failing)
        with pytest.raises(BrokenModelError):
            await anext(failing)
        return closings(trail)

    assert run(trail_dir, scenario) == [
        (Outcome.PARTLY_RELEASED, 4),
        (Outcome.FAILED, 4),
    ]


def test_async_streams_that_nobody_reads(trail_dir: Path) -> None:
    """Left with its block, closed unread, or abandoned by a reader: each is recorded."""

    async def scenario(trail: AsyncTrail) -> Any:
        async with trail.access(user_id="dr-1") as access:
            left = access.stream(pieces("one ", "two"))
        with pytest.raises(InputError, match="within its block"):
            await anext(left)
        await left.aclose()
        unread = (await open_async(trail)).stream(pieces("one ", "two"))
        await unread.aclose()

        async def answer() -> AsyncGenerator[str, None]:
            async with trail.access(user_id="dr-1") as access:
                async for piece in access.stream(pieces("one ", "two ", "three")):
                    yield piece

        reader = answer()
        await anext(reader)
        await reader.aclose()
        return closings(trail)

    assert run(trail_dir, scenario) == [
        (Outcome.NOT_RELEASED, 0),
        (Outcome.NOT_RELEASED, 0),
        (Outcome.PARTLY_RELEASED, 4),
    ]


def test_errors_are_ours(trail: Trail) -> None:
    """An application catches one root for everything that phitrail raises."""
    with pytest.raises(PhitrailError, match="not a field of an access"):
        trail.access(nobody="x")
