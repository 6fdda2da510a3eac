"""`Access`: one use of patient records by a model, as application code sees it.

```python
with trail.access(user_id="dr-0012", user_role="physician", use_case="chart_qa") as a:
    a.retrieved([(patient, record, "DocumentReference")], query=question)
    a.infer(model_id="m", model_version="1")
    return a.release(answer)
```

Each call returns once its record is durable; if the log cannot take it, it raises and
nothing goes on. Leaving the block without a release closes the access as
`not_released`, by an exception as `failed`. A stream (`sdk.answer_stream`) that was begun
may go on after its block; one that was not is closed with it.

With a guard (`docs/guard-sdk.md`), what is released is the safe text; what the guard blocks or
cannot scan is closed durably and raises. Its events stand in the transaction of the closing.
"""

from collections.abc import (
    AsyncIterable,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Protocol, Self

from phitrail.capture.access import AccessLife, ModelCall, Triple
from phitrail.capture.guarding import AccessRecords
from phitrail.capture.patient_identifiers import check_identifiers
from phitrail.capture.verdict import Verdict
from phitrail.errors import (
    InputError,
    OutcomeUnknownError,
    PhitrailError,
    StorageError,
)
from phitrail.events.audit import CallerEvent
from phitrail.events.canonical import CallerRecord
from phitrail.events.codes import Outcome
from phitrail.identity.aliases import Alias
from phitrail.sdk import clock
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


class _Life:
    """What both forms of an access share: its life, its clock, its receipts."""

    def __init__(self, life: AccessLife, guard: Guarded | None) -> None:
        self._life = life
        self._guard = guard
        self._verdict: Verdict | None = None
        self._began_us = clock.monotonic_us()
        self._stream: AnswerStream | AsyncAnswerStream | None = None
        self._receipts: list[Receipt] = []

    @property
    def access_id(self) -> str:
        """The id that joins the openings and the closing of this access."""
        return self._life.access_id

    @property
    def receipts(self) -> tuple[Receipt, ...]:
        """The receipts of this access so far, in order."""
        return tuple(self._receipts)

    def _closing(
        self, outcome: Outcome, released: str | None, call: ModelCall | None
    ) -> tuple[CallerRecord, ...]:
        return self._life.close(
            outcome,
            clock.now(),
            released=released,
            latency_us=clock.monotonic_us() - self._began_us,
            call=call,
            verdict=self._verdict if self._stream is None else self._stream.verdict,
        )

    def _known(
        self, records: Sequence[Triple], identifiers: object
    ) -> tuple[AccessRecords, list[Alias]]:
        """Say what the guard knows with these records, once they are recorded."""
        if self._guard is None:
            check_identifiers(identifiers)
            return AccessRecords(), []
        return self._guard.prepare(records, identifiers)

    def _released(self, verdict: Verdict | None, text: str) -> str:
        """Return what may be shown, now that the closing is durable."""
        if verdict is None:
            return text
        if verdict.is_refused:
            raise verdict.refusal(self.access_id)
        return verdict.safe_text

    def _leaving(
        self, error: BaseException | None
    ) -> tuple[Outcome, str | None] | None:
        """Say how leaving the block closes the access, if it does; stop its stream."""
        if self._life.is_closed:
            return None
        stream = self._stream
        if stream is None or not stream.is_begun:
            outcome = Outcome.NOT_RELEASED if error is None else Outcome.FAILED
            sent = None
        elif error is None:
            return None
        else:
            is_reader_gone = isinstance(error, GeneratorExit)
            outcome = Outcome.PARTLY_RELEASED if is_reader_gone else Outcome.FAILED
            sent = stream.sent
        if stream is not None:
            stream.stop()
        return outcome, sent

    @contextmanager
    def _taken_back(self, take_back: Callable[[], None]) -> Iterator[None]:
        """Undo a step of the access that was surely not recorded."""
        try:
            yield
        except OutcomeUnknownError:
            raise
        except (InputError, StorageError):
            take_back()
            raise

    def _check_streams_once(self) -> None:
        if self._stream is not None or self._life.is_closed:
            raise InputError.for_field(
                "access", "is closed or streams already; begin a new one"
            )


class Access(_Life):
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
        return self._record(
            self._life.infer(
                clock.now(),
                model_id=model_id,
                model_version=model_version,
                query=query,
                **more,
            )
        )

    def release(self, text: str, *, call: ModelCall | None = None) -> str:
        """Close the access durably, then return the text to be shown.

        Raises:
            InputError: the access is closed, or the text has no bytes.
            RefusedError: the guard blocked the answer, or could not scan it.
            StorageError: not recorded; the text must not be shown.
        """
        text = checked_text(text, "text")
        self._life.refuse_if_closed()
        verdict = None if self._guard is None else self._guard.scan(text)
        self._verdict = verdict
        if verdict is None:
            self._close(Outcome.RELEASED, text, call)
        else:
            shown = None if verdict.is_refused else verdict.safe_text
            self._close(verdict.outcome, shown, call)
        return self._released(verdict, text)

    def stream(
        self, deltas: Iterable[str], *, call: ModelCall | None = None
    ) -> AnswerStream:
        """Pass on pieces of an answer; the last one only after the closing is durable.

        Begin to read within the block: a stream that was begun may then go on after it
        and closes the access at its end. A reader who stops early leaves
        `partly_released`, an error of the source `failed`, a stream that nobody began to
        read `not_released`.

        Raises:
            InputError: the access is closed or streams already.
            StorageError: the closing was not recorded; the last piece was held back.
            RefusedError: the guard blocked the answer, or could not scan it; what was not
                given yet is not given.
        """
        self._check_streams_once()
        self._stream = stream = AnswerStream(
            deltas,
            lambda outcome, sent: self._close(outcome, sent, call),
            gate=None if self._guard is None else self._guard.gate(),
            access_id=self.access_id,
        )
        return stream

    def _close(
        self, outcome: Outcome, released: str | None, call: ModelCall | None = None
    ) -> None:
        closing = self._closing(outcome, released, call)
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


class AsyncAccess(_Life):
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
        return await self._record(
            self._life.infer(
                clock.now(),
                model_id=model_id,
                model_version=model_version,
                query=query,
                **more,
            )
        )

    async def release(self, text: str, *, call: ModelCall | None = None) -> str:
        """Close the access durably, then return the text to be shown.

        Raises:
            InputError: the access is closed, or the text has no bytes.
            RefusedError: the guard blocked the answer, or could not scan it.
            StorageError: not recorded; the text must not be shown.
        """
        text = checked_text(text, "text")
        self._life.refuse_if_closed()
        verdict = None if self._guard is None else await self._guard.scan_async(text)
        self._verdict = verdict
        if verdict is None:
            await self._close(Outcome.RELEASED, text, call)
        else:
            shown = None if verdict.is_refused else verdict.safe_text
            await self._close(verdict.outcome, shown, call)
        return self._released(verdict, text)

    def stream(
        self, deltas: AsyncIterable[str], *, call: ModelCall | None = None
    ) -> AsyncAnswerStream:
        """Pass on pieces of an answer; see `Access.stream`.

        Raises:
            InputError: the access is closed or streams already.
            StorageError: the closing was not recorded; the last piece was held back.
            RefusedError: the guard blocked the answer, or could not scan it; what was not
                given yet is not given.
        """
        self._check_streams_once()

        async def close(outcome: Outcome, sent: str | None) -> None:
            await self._close(outcome, sent, call)

        self._stream = stream = AsyncAnswerStream(
            deltas,
            close,
            gate=None if self._guard is None else self._guard.gate(),
            access_id=self.access_id,
        )
        return stream

    async def _close(
        self, outcome: Outcome, released: str | None, call: ModelCall | None = None
    ) -> None:
        closing = self._closing(outcome, released, call)
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
