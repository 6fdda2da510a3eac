"""`Access`: one use of patient records by a model, as application code sees it.

```python
with trail.access(user_id="dr-0012", user_role="physician", use_case="chart_qa") as a:
    a.retrieved([(patient, record, "DocumentReference")], query=question)
    a.infer(model_id="m", model_version="1")
    return a.release(answer, input_tokens=812, output_tokens=96)
```

Each call returns once its record is durable; if the log cannot take it, it raises and
nothing goes on. Leaving the block without a release closes the access as
`not_released`, by an exception as `failed`. A stream (`sdk.answer_stream`) that was begun
may go on after its block; one that was not is closed with it.

What is measured of the model (`measure`, or by name at `release` and `stream`) makes the
quality entry, in the transaction of the closing (`docs/quality-entries.md`).

With a guard (`docs/guard-sdk.md`), what is released is the safe text; what the guard blocks or
cannot scan is closed durably and raises. Its events stand in the transaction of the closing.
"""

from collections.abc import (
    AsyncIterable,
    Awaitable,
    Iterable,
    Mapping,
    Sequence,
)
from types import TracebackType
from typing import Any, Protocol, Self

from phitrail.capture.access import AccessLife, Triple
from phitrail.capture.model_call import ModelCall
from phitrail.errors import PhitrailError
from phitrail.events.audit import CallerEvent
from phitrail.events.canonical import CallerRecord
from phitrail.events.codes import Outcome
from phitrail.sdk import clock
from phitrail.sdk.access_steps import AccessSteps
from phitrail.sdk.answer_stream import (
    AnswerStream,
    AsyncAnswerStream,
    checked_text,
)
from phitrail.sdk.guarded import Guarded
from phitrail.tlog.receipt import Receipt


class RecordsSync(Protocol):
    """What an access needs of a trail: to record, and to begin."""

    def record_many(self, records: Sequence[CallerRecord]) -> tuple[Receipt, ...]:
        """Record events as one; return once they are durable."""


class RecordsAsync(Protocol):
    """The same on an event loop."""

    def record_many(
        self, records: Sequence[CallerRecord]
    ) -> Awaitable[tuple[Receipt, ...]]:
        """Record events as one; return once they are durable."""


class Access(AccessSteps):
    """One access, for threads."""

    def __init__(
        self,
        trail: RecordsSync,
        life: AccessLife,
        guard: Guarded | None = None,
    ) -> None:
        super().__init__(life, guard)
        self._trail = trail

    def retrieved(
        self,
        records: Sequence[Triple],
        *,
        query: str | None = None,
        identifiers: Sequence[Mapping[str, Any]] = (),
        **more: Any,  # noqa: ANN401 - fields of AuditEvent, checked by it
    ) -> Receipt:
        """Record that these records are used; durable on return.

        Args:
            records: (patient, record, FHIR resource type); an unknown patient is empty.
            query: the question; its keyed hash is kept, never its text.
            identifiers: what the records say of who their people are, plain dicts or FHIR
                resources, for the guard alone: what stands there may stand in the answer.
            more: further fields of `AuditEvent`, such as `phi_fields_accessed`.

        Raises:
            InputError: names the field and the rule.
            StorageError: not recorded; the records must not be used.
        """
        opening = self._life.retrieve(records, clock.now(), query=query, **more)
        with self._taken_back(lambda: self._life.withdraw(opening)):
            known, aliases = self._known(records, identifiers)
            if self._guard is not None:
                self._guard.remember(aliases)
        receipt = self._record(opening)
        if self._guard is not None:
            self._guard.keep(known)
        return receipt

    def infer(
        self,
        *,
        model_id: str,
        model_version: str,
        query: str | None = None,
        **more: Any,  # noqa: ANN401 - fields of AuditEvent, checked by it
    ) -> Receipt:
        """Record that a prompt is about to go to a model; durable on return.

        Raises:
            InputError: names the field and the rule.
            StorageError: not recorded; the prompt must not go.
        """
        receipt = self._record(
            self._life.infer(
                clock.now(),
                model_id=model_id,
                model_version=model_version,
                query=query,
                **more,
            )
        )
        self._asked()
        return receipt

    def release(
        self,
        text: str,
        *,
        call: ModelCall | None = None,
        **measures: Any,  # noqa: ANN401 - fields of ModelCall, checked
    ) -> str:
        """Close the access durably, then return the text to be shown.

        Args:
            text: the answer; its keyed hash is kept, never its text.
            call: what is known of the model's work.
            measures: the same by name, as `measure` takes them.

        Raises:
            InputError: the access is closed, the text has no bytes, or a measure breaks its
                rule.
            RefusedError: the guard blocked the answer, or could not scan it.
            StorageError: not recorded; the text must not be shown.
        """
        text = checked_text(text, "text")
        self._life.measure(call, **measures)
        verdict = None if self._guard is None else self._guard.scan(text)
        self._verdict = verdict
        if verdict is None:
            self._close(Outcome.RELEASED, text)
        else:
            shown = None if verdict.is_refused else verdict.safe_text
            self._close(verdict.outcome, shown)
        return self._released(verdict, text)

    def stream(
        self,
        deltas: Iterable[str],
        *,
        call: ModelCall | None = None,
        **measures: Any,  # noqa: ANN401 - fields of ModelCall, checked
    ) -> AnswerStream:
        """Pass on pieces of an answer; the last one only after the closing is durable.

        Begin to read within the block: a stream that was begun may then go on after it
        and closes the access at its end. A reader who stops early leaves
        `partly_released`, an error of the source `failed`, a stream that nobody began to
        read `not_released`. What is known only at the end, such as tokens, is said by
        `measure` before the last piece is given.

        Raises:
            InputError: the access is closed or streams already, or a measure breaks its rule.
            StorageError: the closing was not recorded; the last piece was held back.
            RefusedError: the guard blocked the answer, or could not scan it; what was not
                given yet is not given.
        """
        self._check_streams_once()
        self._life.measure(call, **measures)
        self._stream = stream = AnswerStream(
            deltas,
            self._close,
            on_first=self._answered,
            gate=None if self._guard is None else self._guard.gate(),
            access_id=self.access_id,
        )
        return stream

    def _close(self, outcome: Outcome, released: str | None) -> None:
        closing = self._closing(outcome, released)
        with self._taken_back(self._life.reopen):
            self._receipts.extend(self._trail.record_many(closing))

    def _record(self, event: CallerEvent) -> Receipt:
        with self._taken_back(lambda: self._life.withdraw(event)):
            receipt = self._trail.record_many((event,))[0]
        self._receipts.append(receipt)
        return receipt

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        closing = self._leaving(error)
        if closing is None:
            return
        if isinstance(self._stream, AnswerStream):
            self._stream.cut()
        try:
            self._close(*closing)
        except PhitrailError:
            if error is None:
                raise
            # The first error is the caller's to see; the access stays open in the log
            # and is counted as "outcome unknown, treated as released".


class AsyncAccess(AccessSteps):
    """One access, for event loops."""

    def __init__(
        self,
        trail: RecordsAsync,
        life: AccessLife,
        guard: Guarded | None = None,
    ) -> None:
        super().__init__(life, guard)
        self._trail = trail

    async def retrieved(
        self,
        records: Sequence[Triple],
        *,
        query: str | None = None,
        identifiers: Sequence[Mapping[str, Any]] = (),
        **more: Any,  # noqa: ANN401 - fields of AuditEvent, checked by it
    ) -> Receipt:
        """Record that these records are used; durable on return.

        Raises:
            InputError: names the field and the rule.
            StorageError: not recorded; the records must not be used.
        """
        opening = self._life.retrieve(records, clock.now(), query=query, **more)
        with self._taken_back(lambda: self._life.withdraw(opening)):
            known, aliases = self._known(records, identifiers)
            if self._guard is not None:
                await self._guard.remember_async(aliases)
        receipt = await self._record(opening)
        if self._guard is not None:
            self._guard.keep(known)
        return receipt

    async def infer(
        self,
        *,
        model_id: str,
        model_version: str,
        query: str | None = None,
        **more: Any,  # noqa: ANN401 - fields of AuditEvent, checked by it
    ) -> Receipt:
        """Record that a prompt is about to go to a model; durable on return.

        Raises:
            InputError: names the field and the rule.
            StorageError: not recorded; the prompt must not go.
        """
        receipt = await self._record(
            self._life.infer(
                clock.now(),
                model_id=model_id,
                model_version=model_version,
                query=query,
                **more,
            )
        )
        self._asked()
        return receipt

    async def release(
        self,
        text: str,
        *,
        call: ModelCall | None = None,
        **measures: Any,  # noqa: ANN401 - fields of ModelCall, checked
    ) -> str:
        """Close the access durably, then return the text; see `Access.release`.

        Raises:
            InputError: the access is closed, the text has no bytes, or a measure breaks its
                rule.
            RefusedError: the guard blocked the answer, or could not scan it.
            StorageError: not recorded; the text must not be shown.
        """
        text = checked_text(text, "text")
        self._life.measure(call, **measures)
        verdict = None if self._guard is None else await self._guard.scan_async(text)
        self._verdict = verdict
        if verdict is None:
            await self._close(Outcome.RELEASED, text)
        else:
            shown = None if verdict.is_refused else verdict.safe_text
            await self._close(verdict.outcome, shown)
        return self._released(verdict, text)

    def stream(
        self,
        deltas: AsyncIterable[str],
        *,
        call: ModelCall | None = None,
        **measures: Any,  # noqa: ANN401 - fields of ModelCall, checked
    ) -> AsyncAnswerStream:
        """Pass on pieces of an answer; see `Access.stream`.

        Raises:
            InputError: the access is closed or streams already, or a measure breaks its rule.
            StorageError: the closing was not recorded; the last piece was held back.
            RefusedError: the guard blocked the answer, or could not scan it; what was not
                given yet is not given.
        """
        self._check_streams_once()
        self._life.measure(call, **measures)
        self._stream = stream = AsyncAnswerStream(
            deltas,
            self._close,
            on_first=self._answered,
            gate=None if self._guard is None else self._guard.gate(),
            access_id=self.access_id,
        )
        return stream

    async def _close(self, outcome: Outcome, released: str | None) -> None:
        closing = self._closing(outcome, released)
        with self._taken_back(self._life.reopen):
            self._receipts.extend(await self._trail.record_many(closing))

    async def _record(self, event: CallerEvent) -> Receipt:
        with self._taken_back(lambda: self._life.withdraw(event)):
            receipt = (await self._trail.record_many((event,)))[0]
        self._receipts.append(receipt)
        return receipt

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        closing = self._leaving(error)
        if closing is None:
            return
        if isinstance(self._stream, AsyncAnswerStream):
            await self._stream.cut()
        try:
            await self._close(*closing)
        except PhitrailError:
            if error is None:
                raise
