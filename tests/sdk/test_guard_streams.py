"""Of a stream nothing goes out that the guard has not let through, whatever ends it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.sdk.guarded import (
    StandIn,
    breaks,
    closings,
    decided,
    detected,
    failed,
    guard_on,
)

from phitrail.errors import RefusedError, StorageError
from phitrail.events.codes import GuardDecision, Outcome
from phitrail.sdk import Trail, aconnect, connect

SSN, OTHER_SSN = "901-44-8123", "902-55-9234"
PIECES = ["Her SSN ", "is 901-", "44-8123", ", potassium ", "4.1."]
NOTE = [("M-1001", "note-1", "Observation")]
SAFE = "Her SSN is [SSN-1], potassium 4.1."


class BrokenModelError(Exception):
    """A failure of the application."""


@pytest.fixture
def guard(trail_dir: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Switch the guard on; streams are buffered."""
    return guard_on(trail_dir, monkeypatch, "mode: enforce, stream: buffered")


@pytest.fixture
def trail(trail_dir: Path, guard: StandIn) -> Iterator[Trail]:
    """Give an open trail with a guard."""
    assert guard.scans == 0
    with connect(trail_dir) as opened:
        yield opened


@pytest.fixture
def watched(trail_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trail]:
    """Give an open trail whose guard only watches."""
    guard_on(trail_dir, monkeypatch, "mode: observe")
    with connect(trail_dir) as opened:
        yield opened


async def pieces(*texts: str) -> AsyncIterator[str]:
    """Give pieces on an event loop."""
    for text in texts:
        yield text


def broken() -> Iterator[str]:
    """Give an answer that breaks off."""
    yield from PIECES[:3]
    raise BrokenModelError


def test_a_buffered_stream_gives_nothing_before_the_whole_was_scanned(
    trail: Trail,
) -> None:
    """What has been shown cannot be taken back."""
    taken: list[str] = []

    def model() -> Iterator[str]:
        for piece in PIECES:
            taken.append(piece)
            yield piece

    with trail.access(user_id="dr-1") as access:
        stream = access.stream(model())
        first = next(stream)
        seen_by_then = list(taken)
        rest = list(stream)
    (closing,) = closings(trail)

    assert first + "".join(rest) == SAFE
    assert seen_by_then == PIECES
    assert (closing.outcome, closing.released_chars) == (Outcome.RELEASED, len(SAFE))
    assert closing.guard_decision is GuardDecision.REDACT
    assert len(decided(trail)) == len(detected(trail)) == 1


def test_a_buffered_answer_that_is_blocked_gives_nothing(trail: Trail) -> None:
    """The wrong patient's number must not be read half way through a sentence."""
    with trail.access(user_id="dr-1") as access:
        access.retrieved(
            [("M-2002", "n", "Observation")],
            identifiers=[{"mrn": "M-2002", "ssn": SSN}],
        )
    shown: list[str] = []
    with trail.access(user_id="dr-1") as access:
        access.retrieved(NOTE)
        with pytest.raises(RefusedError, match="wrong_patient"):
            shown.extend(access.stream(PIECES))
    closing = closings(trail)[-1]

    assert shown == []
    assert (closing.outcome, closing.released_chars) == (Outcome.BLOCKED, 0)
    assert closing.guard_decision is GuardDecision.BLOCK


def test_a_stream_that_cannot_be_scanned_gives_nothing(
    trail: Trail, guard: StandIn
) -> None:
    """A guard that is down must not be the way around it."""
    guard.fault = breaks
    shown: list[str] = []
    with trail.access(user_id="dr-1") as access, pytest.raises(RefusedError) as caught:
        shown.extend(access.stream(PIECES))
    (closing,), (event,) = closings(trail), failed(trail)

    assert shown == []
    assert SSN not in repr(caught.value)
    assert (closing.outcome, closing.released_chars) == (Outcome.FAILED, 0)
    assert closing.guard_decision is GuardDecision.WITHHELD
    assert closing.response_phi_detected is None
    assert event.access_id == access.access_id


def test_nothing_of_a_stream_goes_out_when_its_closing_is_not_recorded(
    trail: Trail,
) -> None:
    """The last piece of a buffered answer is all of it."""
    stream = trail.access(user_id="dr-1").stream(PIECES)
    trail._backend.parts.stop_writing()  # type: ignore[attr-defined]
    with pytest.raises(StorageError):
        next(stream)


def test_an_answer_that_breaks_off_was_never_shown(trail: Trail) -> None:
    """What was gathered until then stays here."""
    shown: list[str] = []
    with pytest.raises(BrokenModelError), trail.access(user_id="dr-1") as access:
        shown.extend(access.stream(broken()))
    (closing,) = closings(trail)

    assert shown == []
    assert (closing.outcome, closing.released_chars) == (Outcome.FAILED, 0)
    assert closing.guard_decision is None


def test_an_empty_stream_is_a_release_of_nothing(trail: Trail) -> None:
    """It ended well, and somebody looked."""
    assert list(trail.access(user_id="dr-1").stream([])) == []
    assert [one.outcome for one in closings(trail)] == [Outcome.RELEASED]
    assert [one.decision for one in decided(trail)] == [GuardDecision.RELEASE]


def test_a_watched_stream_goes_on_and_is_scanned_at_its_end(watched: Trail) -> None:
    """A guard that only watches must not hold a word back."""
    with watched.access(user_id="dr-1") as access:
        shown = list(access.stream(PIECES))
    (closing,), (event,) = closings(watched), decided(watched)

    assert shown == PIECES
    assert (closing.outcome, closing.guard_decision) == (
        Outcome.RELEASED,
        GuardDecision.ALERT,
    )
    assert closing.released_chars == len("".join(PIECES))
    assert event.decision is GuardDecision.REDACT


def test_a_watched_stream_that_ends_early_is_scanned_as_far_as_it_came(
    watched: Trail,
) -> None:
    """What went out before the tab was closed has been disclosed."""
    with watched.access(user_id="dr-1") as access:
        stream = access.stream([*PIECES, "more", "and more"])
        for _ in range(4):
            next(stream)
        stream.close()
    with pytest.raises(BrokenModelError), watched.access(user_id="dr-1") as access:
        list(access.stream(broken()))
    with pytest.raises(BrokenModelError), watched.access(user_id="dr-1") as access:  # noqa: PT012 - all lines are the case
        stream = access.stream(PIECES)
        for _ in range(3):
            next(stream)
        raise BrokenModelError

    assert [one.outcome for one in closings(watched)] == [
        Outcome.PARTLY_RELEASED,
        Outcome.FAILED,
        Outcome.FAILED,
    ]
    assert [one.guard_decision for one in closings(watched)] == [
        GuardDecision.ALERT
    ] * 3


def test_async_streams_are_guarded_the_same(trail_dir: Path, guard: StandIn) -> None:
    """A server that moves to an event loop must not lose its guard."""

    async def scenario() -> None:
        async with await aconnect(trail_dir) as trail:
            async with trail.access(user_id="dr-1") as access:
                shown = [one async for one in access.stream(pieces(*PIECES))]
            assert "".join(shown) == SAFE
            guard.fault = breaks
            with pytest.raises(RefusedError):
                async with trail.access(user_id="dr-1") as access:
                    [one async for one in access.stream(pieces(*PIECES))]
            released, withheld = closings(trail)
            assert released.guard_decision is GuardDecision.REDACT
            assert (withheld.outcome, withheld.released_chars) == (Outcome.FAILED, 0)

    asyncio.run(scenario())


def test_async_watched_streams_that_end_early(
    trail_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same as for threads: what went out is scanned."""
    guard_on(trail_dir, monkeypatch, "mode: observe")

    async def scenario() -> Any:
        async with await aconnect(trail_dir) as trail:
            async with trail.access(user_id="dr-1") as access:
                shown = [one async for one in access.stream(pieces(*PIECES))]
            async with trail.access(user_id="dr-1") as access:
                stream = access.stream(pieces(*PIECES, "more"))
                for _ in range(4):
                    await anext(stream)
                await stream.aclose()
            with pytest.raises(BrokenModelError):  # noqa: PT012 - the case
                async with trail.access(user_id="dr-1") as access:
                    stream = access.stream(pieces(*PIECES))
                    for _ in range(3):
                        await anext(stream)
                    raise BrokenModelError
            assert shown == PIECES
            return [one.guard_decision for one in closings(trail)]

    assert asyncio.run(scenario()) == [GuardDecision.ALERT] * 3


# --- scanned as it goes ---

FILLER = "The potassium was normal and stable in the morning. " * 12


@pytest.fixture
def holding(trail_dir: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Switch the guard on; streams are scanned as they go."""
    return guard_on(trail_dir, monkeypatch, "mode: enforce, stream: hold")


@pytest.fixture
def held(trail_dir: Path, holding: StandIn) -> Iterator[Trail]:
    """Give an open trail with a guard that holds back."""
    assert holding.scans == 0
    with connect(trail_dir) as opened:
        yield opened


def in_pieces(text: str, size: int) -> list[str]:
    """Cut a text."""
    return [text[at : at + size] for at in range(0, len(text), size)]


@pytest.mark.parametrize("size", [1, 7, 300, 5000])
def test_a_held_stream_is_safe_however_it_is_cut(held: Trail, size: int) -> None:
    """A model's tokens end wherever they end."""
    text = f"{FILLER}Her SSN is {SSN}. {FILLER}Again {SSN}."
    with held.access(user_id="dr-1") as access:
        shown = "".join(access.stream(in_pieces(text, size)))
    (closing,), (event,) = closings(held), decided(held)

    assert shown == text.replace(SSN, "[SSN-1]")
    assert (closing.outcome, closing.released_chars) == (Outcome.RELEASED, len(shown))
    assert closing.guard_decision is GuardDecision.REDACT
    assert event.identifier_counts == (2,)
    assert len(event.value_hashes) == 1
    assert len(detected(held)) == 1


def test_a_held_stream_goes_on_before_its_end(held: Trail) -> None:
    """A guard that waits for the whole answer is no stream."""
    taken: list[str] = []

    def model() -> Iterator[str]:
        for piece in in_pieces(FILLER * 5, 50):
            taken.append(piece)
            yield piece

    with held.access(user_id="dr-1") as access:
        stream = access.stream(model())
        first = next(stream)
        seen_by_then = len("".join(taken))
        list(stream)

    assert first
    assert seen_by_then < 1000


def test_a_held_stream_stops_before_what_is_blocked(held: Trail) -> None:
    """What stands before the span went out, and the log says how much."""
    with held.access(user_id="dr-1") as access:
        access.retrieved(
            [("M-2002", "n", "Observation")],
            identifiers=[{"mrn": "M-2002", "ssn": SSN}],
        )
    shown: list[str] = []
    with held.access(user_id="dr-1") as access:
        access.retrieved(NOTE)
        with pytest.raises(RefusedError, match="wrong_patient") as caught:
            shown.extend(access.stream(in_pieces(f"{FILLER}SSN {SSN}. {FILLER}", 20)))
    closing = closings(held)[-1]

    assert "".join(shown) == f"{FILLER}SSN "
    assert SSN not in repr(caught.value)
    assert closing.outcome is Outcome.PARTLY_RELEASED
    assert closing.released_chars == len("".join(shown))
    assert closing.guard_decision is GuardDecision.BLOCK
    assert decided(held)[-1].reason_code == "wrong_patient"


def test_a_held_stream_that_begins_with_what_is_blocked_gives_nothing(
    held: Trail,
) -> None:
    """Nothing went out, so it is blocked as a whole."""
    with held.access(user_id="dr-1") as access:
        access.retrieved(
            [("M-2002", "n", "Observation")],
            identifiers=[{"mrn": "M-2002", "ssn": SSN}],
        )
    with held.access(user_id="dr-1") as access:
        access.retrieved(NOTE)
        with pytest.raises(RefusedError):
            list(access.stream([SSN, " is hers"]))
    closing = closings(held)[-1]

    assert (closing.outcome, closing.released_chars) == (Outcome.BLOCKED, 0)


@pytest.mark.parametrize("number", range(4))
def test_a_step_that_fails_ends_a_held_stream(
    held: Trail, holding: StandIn, number: int
) -> None:
    """Whatever went out was scanned before; nothing goes out after."""
    holding.fails_in_find = number
    shown: list[str] = []
    text = f"{FILLER}{FILLER}{FILLER}{SSN}"
    with held.access(user_id="dr-1") as access, pytest.raises(RefusedError) as caught:
        shown.extend(access.stream(in_pieces(text, 40)))
    (closing,), (event,) = closings(held), failed(held)

    assert text.startswith("".join(shown))
    assert SSN not in repr(caught.value)
    assert closing.outcome is Outcome.FAILED
    assert closing.released_chars == len("".join(shown))
    assert closing.guard_decision is GuardDecision.WITHHELD
    assert event.object_id == "stand-in-1:ValueError"


def test_a_reader_who_stops_leaves_what_it_saw_and_what_was_found(held: Trail) -> None:
    """What went out before the tab was closed has been disclosed, safely."""
    text = f"SSN {SSN}. {FILLER}{FILLER}"
    with held.access(user_id="dr-1") as access:
        stream = access.stream(in_pieces(text, 30))
        first = next(stream)
        stream.close()
    (closing,) = closings(held)

    assert first.startswith("SSN [SSN-1].")
    assert (closing.outcome, closing.released_chars) == (
        Outcome.PARTLY_RELEASED,
        len(first),
    )
    assert closing.guard_decision is GuardDecision.REDACT


def test_async_held_streams_are_the_same(trail_dir: Path, holding: StandIn) -> None:
    """A server streams on an event loop."""
    text = f"SSN {SSN}. {FILLER}{FILLER}"

    async def scenario() -> None:
        async with await aconnect(trail_dir) as trail:
            async with trail.access(user_id="dr-1") as access:
                shown = [one async for one in access.stream(pieces(text, "end"))]
            async with trail.access(user_id="dr-1") as access:
                stream = access.stream(pieces(*in_pieces(text, 30)))
                await anext(stream)
                await stream.aclose()
            async with trail.access(user_id="dr-1") as access:
                await access.retrieved(
                    [("M-2002", "n", "Observation")],
                    identifiers=[{"mrn": "M-2002", "ssn": SSN}],
                )
            with pytest.raises(RefusedError):  # noqa: PT012 - the case
                async with trail.access(user_id="dr-1") as access:
                    await access.retrieved(NOTE)
                    [one async for one in access.stream(pieces(text))]
            holding.fails_in_find = holding.finds
            with pytest.raises(RefusedError):
                async with trail.access(user_id="dr-1") as access:
                    [one async for one in access.stream(pieces(text))]
            assert "".join(shown) == text.replace(SSN, "[SSN-1]") + "end"
            assert [one.guard_decision for one in closings(trail)] == [
                GuardDecision.REDACT,
                GuardDecision.REDACT,
                None,
                GuardDecision.BLOCK,
                GuardDecision.WITHHELD,
            ]

    asyncio.run(scenario())
