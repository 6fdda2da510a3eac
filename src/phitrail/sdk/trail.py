"""`Trail` and `AsyncTrail`: the logs of one tenant, as application code sees them.

A trail is safe to share among threads; each forked worker connects for itself. Values
given here never appear in an exception.
"""

import asyncio
import functools
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Concatenate, Final, ParamSpec, Self

from phitrail.capture.access import AccessLife, Triple
from phitrail.capture.guarding import Guarding
from phitrail.capture.patient_identifiers import check_identifiers
from phitrail.capture.verdict import Verdict, guard_events
from phitrail.errors import ConfigError, InputError, IntegrityError, RefusedError
from phitrail.events.canonical import CallerRecord
from phitrail.events.codes import Assurance, Outcome
from phitrail.guard.result import GuardResult
from phitrail.sdk import clock
from phitrail.sdk.access import Access, AsyncAccess
from phitrail.sdk.answer_stream import checked_text
from phitrail.sdk.backend import Backend
from phitrail.sdk.guarded import Guarded
from phitrail.sdk.promises import Promises
from phitrail.sdk.quality_records import make_feedback, make_rollout
from phitrail.sdk.waiting import Stage, Waiting
from phitrail.sdk.wrapping import resolved, without_first_parameter
from phitrail.tlog.receipt import Receipt

P = ParamSpec("P")
_MOST_HOURS: Final = 20 * 365 * 24


def _known_fields(**fields: str | None) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


class _Opened:
    """What both forms of a trail share: the backend, and events built from arguments."""

    def __init__(
        self,
        backend: Backend,
        promises: Promises | None = None,
        guarding: Guarding | None = None,
    ) -> None:
        self._backend = backend
        self._promises = promises
        self._guarding = guarding

    def _noted(self, receipts: tuple[Receipt, ...]) -> tuple[Receipt, ...]:
        """Remember what was promised just now."""
        if self._promises is not None:
            self._promises.note(receipts)
        return receipts

    def _quality_metrics(self, hours: float) -> dict[str, float | int | None]:
        if isinstance(hours, bool) or not 0 < hours <= _MOST_HOURS:
            raise InputError.for_field(
                "time_window_hours", "more than 0, at most 20 years"
            )
        return self._backend.quality_metrics(timedelta(hours=hours), clock.now())

    def _publish(self, timeout_s: float) -> None:
        if self._promises is not None and self._promises.failure is not None:
            raise self._promises.failure
        self._backend.publish(timeout_s)

    def _close(self) -> None:
        """Close the logs, then see once more that they kept their promises."""
        try:
            self._backend.close()
        finally:
            if self._guarding is not None:
                self._guarding.limit.close()
            if self._promises is not None:
                self._promises.close()

    def _life(self, who: dict[str, Any]) -> AccessLife:
        return AccessLife.begin(who, self._backend.hasher, clock.now())

    def _guard(self, who: Mapping[str, Any]) -> Guarded | None:
        """Make what the guard knows of one access; nothing where there is no guard."""
        if self._guarding is None:
            return None
        return Guarded(self._guarding, self._backend, who)

    def _scanner(self, who: Mapping[str, Any]) -> Guarded:
        guard = self._guard(who)
        if guard is None:
            raise ConfigError(
                "this trail has no guard; set `guard: {mode: enforce}` in policy.yaml and "
                "open it again"
            )
        return guard

    def _observed(
        self,
        *,
        query_text: str | None,
        record_ids: Sequence[str | Triple],
        model_response: str | None,
        who: dict[str, Any],
        verdict: Verdict | None,
    ) -> tuple[CallerRecord, ...]:
        """Build opening and closing of an access that is reported after the fact."""
        moment = clock.now()
        life = AccessLife.begin(
            who,
            self._backend.hasher,
            moment,
            assurance=Assurance.OBSERVED,
        )
        opening = life.retrieve(_triples(record_ids), moment, query=query_text)
        outcome = Outcome.SUCCESS if model_response is None else Outcome.RELEASED
        closing = life.close(outcome, moment, released=model_response, verdict=verdict)
        return opening, *closing

    def _waiting(self, receipt: Receipt, stage: Stage, timeout_s: float) -> Waiting:
        return Waiting(receipt, stage, timeout_s, self._backend, self._promises)


def _triples(record_ids: Sequence[str | Triple]) -> list[Triple]:
    if isinstance(record_ids, str):
        raise InputError.for_field("record_ids", "must be a list of ids or triples")
    return [
        ("", item, "DocumentReference") if isinstance(item, str) else item
        for item in record_ids
    ]


def _scanned(verdict: Verdict) -> GuardResult:
    """Return what a scan gave, now that its event is durable."""
    if verdict.result is None:
        raise RefusedError(
            f"the output guard could not scan the text ({verdict.reason}); see guard_failed "
            "in the security log, and ask again"
        )
    return verdict.result


class Trail(_Opened):
    """An open trail, for threads."""

    def access(self, **who: Any) -> Access:  # noqa: ANN401 - fields of AuditEvent
        """Begin an access; use it as a context manager.

        Args:
            who: fields of `AuditEvent` that say who, where and why: `user_id`,
                `user_role`, `department`, `use_case`, `purpose_of_use`, `session_id`, …

        Raises:
            InputError: a name is not such a field.
        """
        return Access(self, self._life(who), self._guard(who))

    def wrap(
        self,
        **who: Any,  # noqa: ANN401 - fields of AuditEvent, or callables of arguments
    ) -> Callable[[Callable[Concatenate[Access, P], str]], Callable[P, str]]:
        """Decorate a function that answers: it gets the access first, returns a text.

        A value in `who` may be a callable; it is given the call's arguments.
        """

        def decorate(
            function: Callable[Concatenate[Access, P], str],
        ) -> Callable[P, str]:
            @functools.wraps(function)
            def call(*args: P.args, **kwargs: P.kwargs) -> str:
                with self.access(**resolved(who, args, kwargs)) as access:
                    return access.release(function(access, *args, **kwargs))

            return without_first_parameter(call, function)

        return decorate

    def record(self, record: CallerRecord) -> Receipt:
        """Record one event; durable on return.

        Raises:
            InputError: names the field and the rule.
            ConflictError: the event id stands in the log with other content.
            StorageError: nothing was recorded.
        """
        return self.record_many((record,))[0]

    def record_many(self, records: Sequence[CallerRecord]) -> tuple[Receipt, ...]:
        """Record events of any logs as one: all of them or none; durable on return.

        Raises:
            InputError: names the field and the rule.
            ConflictError: an event id stands in the log with other content.
            StorageError: nothing was recorded.
        """
        return self._noted(self._backend.record_many(records, clock.now()))

    def log_phi_access(
        self,
        user_id: str,
        user_role: str,
        department: str,
        query_text: str | None,
        record_ids: Sequence[str | Triple],
        model_response: str | None,
        session_id: str | None,
        *,
        identifiers: Sequence[Mapping[str, Any]] = (),
        **more: Any,  # noqa: ANN401 - fields of AuditEvent
    ) -> tuple[Receipt, ...]:
        """Record an access that has happened, opening and closing together.

        For code that cannot use `access`: its records say `observed`, since nothing was
        durable before the answer went out. Texts are hashed under a key, never kept. A
        guard scans the answer after the fact: what it would have stopped is an `alert`.

        Args:
            user_id: who asked.
            user_role: a role of the vocabulary.
            department: a department of the vocabulary.
            query_text: the question.
            record_ids: record ids, or (patient, record, resource type) triples.
            model_response: the answer that was shown.
            session_id: the session.
            identifiers: what the records say of who their people are, for the guard alone.
            more: further fields of `AuditEvent`.

        Raises:
            InputError: names the field and the rule.
            StorageError: nothing was recorded.
        """
        who = {
            "user_id": user_id,
            "user_role": user_role,
            "department": department,
            "session_id": session_id,
            **more,
        }
        verdict = None
        guard = self._guard(who)
        if guard is None:
            check_identifiers(identifiers)
        else:
            known, aliases = guard.prepare(_triples(record_ids), identifiers)
            guard.remember(aliases)
            guard.keep(known)
            if isinstance(model_response, str):
                verdict = (guard.scan(model_response)).watched(model_response)
        return self.record_many(
            self._observed(
                query_text=query_text,
                record_ids=record_ids,
                model_response=model_response,
                who=who,
                verdict=verdict,
            )
        )

    def scan(
        self,
        text: str,
        *,
        records: Sequence[Triple] = (),
        identifiers: Sequence[Mapping[str, Any]] = (),
        use_case: str | None = None,
        user_role: str | None = None,
    ) -> GuardResult:
        """Scan a text that belongs to no access; its event is durable on return.

        Nothing is enforced here: look at `decision`, and show nothing but `safe_text`.

        Args:
            text: what to look at.
            records: (patient, record, FHIR resource type) triples that it is about.
            identifiers: what the records say of who their people are.
            use_case: decides with `user_role` what may be expected in it.
            user_role: who is to see it.

        Raises:
            ConfigError: the trail has no guard.
            RefusedError: the text could not be scanned.
            InputError: names the field and the rule.
            StorageError: the scan was not recorded.
        """
        who = _known_fields(use_case=use_case, user_role=user_role)
        guard = self._scanner(who)
        known, aliases = guard.prepare(records, identifiers)
        guard.remember(aliases)
        guard.keep(known)
        verdict = guard.scan(checked_text(text, "text"))
        self.record_many(guard_events(verdict, clock.now(), who=who))
        return _scanned(verdict)

    def feedback(
        self,
        request_id: str,
        *,
        rater: str,
        value: str | None,
        flag_reason: str | None = None,
        supersedes: str | None = None,
        given_at: datetime | None = None,
    ) -> Receipt:
        """Record a rating; the rater stands in the log as a keyed hash.

        A request may be rated before or long after it is recorded, and again: the receipt's
        `event_id` is what a later rating supersedes.

        Args:
            request_id: of the access that was rated.
            rater: who rated; kept as a hash under a key of its own.
            value: `positive` or `negative`; None for a flag alone.
            flag_reason: why the answer is flagged, a code of `FlagReason`.
            supersedes: the event id of an earlier rating that this one corrects.
            given_at: when the rating was given, where that was not now.

        Raises:
            InputError: names the field and the rule.
            StorageError: nothing was recorded.
        """
        return self.record(
            make_feedback(
                request_id,
                rater=self._backend.rater_hash(rater),
                value=value,
                flag_reason=flag_reason,
                supersedes=supersedes,
                given_at=given_at,
            )
        )

    def rollout(
        self,
        model_id: str,
        model_version: str,
        *,
        use_case: str | None = None,
        facility_id: str | None = None,
        rollout: str | None = None,
        share: float | None = None,
        starts_at: datetime | None = None,
    ) -> Receipt:
        """Record that a version of a model serves, or is to serve, a share of requests.

        Args:
            model_id: which model, a term of the list `models`.
            model_version: which version of it.
            use_case: for which use case; absent means all.
            facility_id: at which facility; absent means all.
            rollout: a name of the rollout, a term of the list `rollouts`.
            share: the share of requests, from 0 to 1.
            starts_at: from when on; absent means from the time of this record.

        Raises:
            InputError: names the field and the rule.
            StorageError: nothing was recorded.
        """
        return self.record(
            make_rollout(
                model_id,
                model_version,
                use_case=use_case,
                facility_id=facility_id,
                rollout=rollout,
                share=share,
                starts_at=starts_at,
            )
        )

    def wait(
        self, receipt: Receipt, stage: Stage = "published", *, timeout_s: float = 30.0
    ) -> Receipt:
        """Wait until a checkpoint is proven to hold a receipt's entries (`sdk.waiting`).

        Args:
            receipt: what was acknowledged.
            stage: `published`, or `witnessed`: a configured witness cosigned it too.
            timeout_s: how long to wait.

        Raises:
            UnverifiableError: not within `timeout_s`, or no witness is configured.
            IntegrityError: the publisher refuses to sign, or the log does not hold what it
                promised.
        """
        waiting = self._waiting(receipt, stage, timeout_s)
        pause = threading.Event()
        while not waiting.is_over():
            pause.wait(waiting.pause_s)
        return receipt

    def compute_ai_quality_metrics(
        self, time_window_hours: float = 24
    ) -> dict[str, float | int | None]:
        """Measure what models did in the hours up to now; empty without a request.

        Requests of any age count, with the ratings that came so far. Times are in
        milliseconds, rates and scores between 0 and 1; None is what was not measured.

        Returns:
            `requests`, `latency_mean`, `latency_p95`, `cache_hit_rate`,
            `content_filter_rate`, `disclaimer_rate`, `citations_mean`, `top_score_mean`
            and `positive_rate`.

        Raises:
            InputError: no length of time, or more than 20 years.
            RefusedError: entries of the quality log are in quarantine.
            StorageError: the log is down, or cannot be read.
        """
        return self._quality_metrics(time_window_hours)

    def publish(self, *, timeout_s: float = 30.0) -> None:
        """Publish what is durable now, without waiting for the interval.

        Raises:
            IntegrityError: the publisher refuses to sign; the message says why.
            StorageError: it cannot write, or no round ended in time.
        """
        self._publish(timeout_s)

    def close(self) -> None:
        """Commit and publish what waits, then close; calling it again is harmless.

        Raises:
            IntegrityError: the publisher refused to sign, or a promise was broken;
                everything is closed.
            StorageError: the newest receipts could not be kept; everything is closed.
        """
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except IntegrityError as refusal:
            if error is None:
                raise
            error.add_note(f"and at closing the trail: {refusal}")


class AsyncTrail(_Opened):
    """An open trail, for event loops."""

    def access(self, **who: Any) -> AsyncAccess:  # noqa: ANN401 - fields of AuditEvent
        """Begin an access; use it with `async with`.

        Raises:
            InputError: a name is not such a field.
        """
        return AsyncAccess(self, self._life(who), self._guard(who))

    def wrap(
        self,
        **who: Any,  # noqa: ANN401 - fields of AuditEvent, or callables of arguments
    ) -> Callable[
        [Callable[Concatenate[AsyncAccess, P], Awaitable[str]]],
        Callable[P, Awaitable[str]],
    ]:
        """Decorate a coroutine that answers: it gets the access first, returns a text."""

        def decorate(
            function: Callable[Concatenate[AsyncAccess, P], Awaitable[str]],
        ) -> Callable[P, Awaitable[str]]:
            @functools.wraps(function)
            async def call(*args: P.args, **kwargs: P.kwargs) -> str:
                async with self.access(**resolved(who, args, kwargs)) as access:
                    return await access.release(await function(access, *args, **kwargs))

            return without_first_parameter(call, function)

        return decorate

    async def record(self, record: CallerRecord) -> Receipt:
        """Record one event; durable on return.

        Raises:
            InputError: names the field and the rule.
            ConflictError: the event id stands in the log with other content.
            StorageError: nothing was recorded.
        """
        return (await self.record_many((record,)))[0]

    async def record_many(self, records: Sequence[CallerRecord]) -> tuple[Receipt, ...]:
        """Record events of any logs as one: all of them or none; durable on return.

        Raises:
            InputError: names the field and the rule.
            ConflictError: an event id stands in the log with other content.
            StorageError: nothing was recorded.
        """
        recorded = self._backend.record_many_async(records, clock.now())
        return self._noted(await recorded)

    async def log_phi_access(
        self,
        user_id: str,
        user_role: str,
        department: str,
        query_text: str | None,
        record_ids: Sequence[str | Triple],
        model_response: str | None,
        session_id: str | None,
        *,
        identifiers: Sequence[Mapping[str, Any]] = (),
        **more: Any,  # noqa: ANN401 - fields of AuditEvent
    ) -> tuple[Receipt, ...]:
        """Record an access that has happened; see `Trail.log_phi_access`.

        Raises:
            InputError: names the field and the rule.
            StorageError: nothing was recorded.
        """
        who = {
            "user_id": user_id,
            "user_role": user_role,
            "department": department,
            "session_id": session_id,
            **more,
        }
        verdict = None
        guard = self._guard(who)
        if guard is None:
            check_identifiers(identifiers)
        else:
            known, aliases = guard.prepare(_triples(record_ids), identifiers)
            await guard.remember_async(aliases)
            guard.keep(known)
            if isinstance(model_response, str):
                verdict = (await guard.scan_async(model_response)).watched(
                    model_response
                )
        return await self.record_many(
            self._observed(
                query_text=query_text,
                record_ids=record_ids,
                model_response=model_response,
                who=who,
                verdict=verdict,
            )
        )

    async def scan(
        self,
        text: str,
        *,
        records: Sequence[Triple] = (),
        identifiers: Sequence[Mapping[str, Any]] = (),
        use_case: str | None = None,
        user_role: str | None = None,
    ) -> GuardResult:
        """Scan a text that belongs to no access; see `Trail.scan`.

        Raises:
            ConfigError: the trail has no guard.
            RefusedError: the text could not be scanned.
            InputError: names the field and the rule.
            StorageError: the scan was not recorded.
        """
        who = _known_fields(use_case=use_case, user_role=user_role)
        guard = self._scanner(who)
        known, aliases = guard.prepare(records, identifiers)
        await guard.remember_async(aliases)
        guard.keep(known)
        verdict = await guard.scan_async(checked_text(text, "text"))
        await self.record_many(guard_events(verdict, clock.now(), who=who))
        return _scanned(verdict)

    async def feedback(
        self,
        request_id: str,
        *,
        rater: str,
        value: str | None,
        flag_reason: str | None = None,
        supersedes: str | None = None,
        given_at: datetime | None = None,
    ) -> Receipt:
        """Record a rating; see `Trail.feedback`.

        Raises:
            InputError: names the field and the rule.
            StorageError: nothing was recorded.
        """
        return await self.record(
            make_feedback(
                request_id,
                rater=self._backend.rater_hash(rater),
                value=value,
                flag_reason=flag_reason,
                supersedes=supersedes,
                given_at=given_at,
            )
        )

    async def rollout(
        self,
        model_id: str,
        model_version: str,
        *,
        use_case: str | None = None,
        facility_id: str | None = None,
        rollout: str | None = None,
        share: float | None = None,
        starts_at: datetime | None = None,
    ) -> Receipt:
        """Record that a version of a model serves a share; see `Trail.rollout`.

        Raises:
            InputError: names the field and the rule.
            StorageError: nothing was recorded.
        """
        return await self.record(
            make_rollout(
                model_id,
                model_version,
                use_case=use_case,
                facility_id=facility_id,
                rollout=rollout,
                share=share,
                starts_at=starts_at,
            )
        )

    async def wait(
        self, receipt: Receipt, stage: Stage = "published", *, timeout_s: float = 30.0
    ) -> Receipt:
        """Wait until a checkpoint is proven to hold a receipt's entries (`sdk.waiting`).

        Args:
            receipt: what was acknowledged.
            stage: `published`, or `witnessed`: a configured witness cosigned it too.
            timeout_s: how long to wait.

        Raises:
            UnverifiableError: not within `timeout_s`, or no witness is configured.
            IntegrityError: the publisher refuses to sign, or the log does not hold what it
                promised.
        """
        waiting = self._waiting(receipt, stage, timeout_s)
        while not await asyncio.to_thread(waiting.is_over):
            await asyncio.sleep(waiting.pause_s)
        return receipt

    async def compute_ai_quality_metrics(
        self, time_window_hours: float = 24
    ) -> dict[str, float | int | None]:
        """Measure what models did; see `Trail.compute_ai_quality_metrics`.

        Raises:
            InputError: no length of time, or more than 20 years.
            RefusedError: entries of the quality log are in quarantine.
            StorageError: the log is down, or cannot be read.
        """
        return await asyncio.to_thread(self._quality_metrics, time_window_hours)

    async def publish(self, *, timeout_s: float = 30.0) -> None:
        """Publish what is durable now, without waiting for the interval.

        Raises:
            IntegrityError: the publisher refuses to sign; the message says why.
            StorageError: it cannot write, or no round ended in time.
        """
        await asyncio.to_thread(self._publish, timeout_s)

    async def close(self) -> None:
        """Commit and publish what waits, then close; see `Trail.close`.

        Raises:
            IntegrityError: the publisher refused to sign, or a promise was broken.
            StorageError: the newest receipts could not be kept.
        """
        await asyncio.to_thread(self._close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self.close()
        except IntegrityError as refusal:
            if error is None:
                raise
            error.add_note(f"and at closing the trail: {refusal}")
