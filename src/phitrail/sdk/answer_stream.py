"""An answer that goes out in pieces: the last one only after the closing is durable.

0. Every piece passes a gate first (`capture.gates`): with a guard, what comes out of it is the
   answer, piece by piece. What the gate blocks ends the stream: the access is closed, what
   stands before the blocked span goes out, and the reader gets the error. Of an answer that
   could not be scanned nothing more goes out.
1. A piece is held until the next one has come; the last one until the access is closed.
2. A reader who stops early leaves `partly_released`, an error of the source `failed`, each
   with what went out until then.
3. A stream that nobody began to read when its block is left, or that is closed unread,
   leaves `not_released`; it gives nothing afterwards. One that was begun goes on after its
   block was left without an error, and closes the access at its end.

How an access is closed is the access's business: it hands in a callable for that.
"""

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
)
from typing import Self

from phitrail.capture.gates import Gate, OpenGate
from phitrail.capture.verdict import Verdict
from phitrail.errors import InputError
from phitrail.events.codes import Outcome


class _Pieces:
    """What went out so far, and whether anything may go out still."""

    def __init__(
        self, gate: Gate | None, access_id: str, on_first: Callable[[], None] | None
    ) -> None:
        self._gate: Gate = gate or OpenGate()
        self._on_first = on_first
        self._access_id = access_id
        self._sent: list[str] = []
        self._is_stopped = False
        self.is_begun = False

    @property
    def verdict(self) -> Verdict | None:
        """What the guard has said, if it was asked."""
        return self._gate.verdict

    @property
    def sent(self) -> str:
        """What went out so far."""
        return "".join(self._sent)

    def stop(self) -> None:
        """Give nothing any more: the access was closed in another way."""
        self._is_stopped = True

    def _came(self, delta: str) -> str:
        """Take what the model gave; tell of the first piece that is not empty."""
        text = checked_text(delta, "deltas")
        if text and self._on_first is not None:
            self._on_first()
            self._on_first = None
        return text

    def _begin(self) -> None:
        if self._is_stopped:
            raise InputError.for_field(
                "access",
                "was closed before this stream was read to its end; read it within its "
                "block, and begin a new access",
            )
        self.is_begun = True

    @property
    def _is_refused(self) -> bool:
        verdict = self._gate.verdict
        return verdict is not None and verdict.is_refused

    def _up_to_the_span(self, held: str | None, piece: str | None) -> str | None:
        """Give what may go out still: of an answer that could not be scanned, nothing."""
        verdict = self._gate.verdict
        if verdict is not None and verdict.is_refused and verdict.has_failed:
            return None
        return piece if held is None else held + (piece or "")

    def _ending(self, sent: str) -> Outcome:
        """Say how the access ends, when this is what went out of it."""
        verdict = self._gate.verdict
        if verdict is None or not verdict.is_refused:
            return Outcome.RELEASED
        is_part = bool(sent) and not verdict.has_failed
        return Outcome.PARTLY_RELEASED if is_part else verdict.outcome

    def _raise_refused(self) -> None:
        verdict = self._gate.verdict
        if verdict is not None and verdict.is_refused:
            raise verdict.refusal(self._access_id)


class AnswerStream(_Pieces, Iterator[str]):
    """The pieces of one answer, for threads."""

    def __init__(
        self,
        deltas: Iterable[str],
        close: Callable[[Outcome, str | None], None],
        *,
        gate: Gate | None = None,
        access_id: str = "",
        on_first: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(gate, access_id, on_first)
        self._close = close
        self._pieces = self._pass_on(deltas)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        self._begin()
        return next(self._pieces)

    def close(self) -> None:
        """Stop reading; the access is closed with what went out until now.

        Raises:
            StorageError: that was not recorded.
        """
        if self.is_begun or self._is_stopped:
            self._pieces.close()
            return
        self._close(Outcome.NOT_RELEASED, None)
        self.stop()

    def cut(self) -> None:
        """End early, for whoever closes the access: what went out is scanned."""
        self._gate.cut()

    def _pass_on(self, deltas: Iterable[str]) -> Generator[str, None, None]:
        held: str | None = None
        try:
            for delta in deltas:
                piece = self._gate.feed(self._came(delta))
                if self._is_refused:
                    held = self._up_to_the_span(held, piece)
                    break
                if piece is None:
                    continue
                if held is not None:
                    self._sent.append(held)
                    yield held
                held = piece
            else:
                rest = self._gate.end()
                held = self._up_to_the_span(held, rest)
        except GeneratorExit:
            if not self._is_stopped:
                self._gate.cut()
                self._close(Outcome.PARTLY_RELEASED, self.sent)
            raise
        except BaseException:
            self._gate.cut()
            self._close(Outcome.FAILED, self.sent)
            raise
        sent = self.sent + (held or "")
        self._close(self._ending(sent), None if self._is_refused and not sent else sent)
        if held is not None:
            yield held
        self._raise_refused()


class AsyncAnswerStream(_Pieces, AsyncIterator[str]):
    """The pieces of one answer, for event loops."""

    def __init__(
        self,
        deltas: AsyncIterable[str],
        close: Callable[[Outcome, str | None], Awaitable[None]],
        *,
        gate: Gate | None = None,
        access_id: str = "",
        on_first: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(gate, access_id, on_first)
        self._close = close
        self._pieces = self._pass_on(deltas)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        self._begin()
        return await anext(self._pieces)

    async def aclose(self) -> None:
        """Stop reading; the access is closed with what went out until now.

        Raises:
            StorageError: that was not recorded.
        """
        if self.is_begun or self._is_stopped:
            await self._pieces.aclose()
            return
        await self._close(Outcome.NOT_RELEASED, None)
        self.stop()

    async def cut(self) -> None:
        """End early, for whoever closes the access: what went out is scanned."""
        await self._gate.cut_async()

    async def _pass_on(self, deltas: AsyncIterable[str]) -> AsyncGenerator[str, None]:
        held: str | None = None
        try:
            async for delta in deltas:
                piece = await self._gate.feed_async(self._came(delta))
                if self._is_refused:
                    held = self._up_to_the_span(held, piece)
                    break
                if piece is None:
                    continue
                if held is not None:
                    self._sent.append(held)
                    yield held
                held = piece
            else:
                rest = await self._gate.end_async()
                held = self._up_to_the_span(held, rest)
        except GeneratorExit:
            if not self._is_stopped:
                await self._gate.cut_async()
                await self._close(Outcome.PARTLY_RELEASED, self.sent)
            raise
        except BaseException:
            await self._gate.cut_async()
            await self._close(Outcome.FAILED, self.sent)
            raise
        sent = self.sent + (held or "")
        await self._close(
            self._ending(sent), None if self._is_refused and not sent else sent
        )
        if held is not None:
            yield held
        self._raise_refused()


def checked_text(text: object, field: str) -> str:
    """Refuse what is no text: nothing else can be hashed, so nothing else goes out.

    Raises:
        InputError: it is no text.
    """
    if not isinstance(text, str):
        raise InputError.for_field(field, "must be text")
    return text
