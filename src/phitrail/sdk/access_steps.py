"""What the two forms of an access (`sdk.access`) share, whichever way they wait.

Two times are taken by the clock that never goes back. The latency of an access is from its
beginning to its closing: what whoever asked waited for. The time to the first token is from
the newest `infer` to the first piece that the model gave, before a guard holds it back.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from phitrail.capture.access import AccessLife, Triple
from phitrail.capture.guarding import AccessRecords
from phitrail.capture.model_call import ModelCall
from phitrail.capture.patient_identifiers import check_identifiers
from phitrail.capture.verdict import Verdict
from phitrail.errors import InputError, OutcomeUnknownError, StorageError
from phitrail.events.canonical import CallerRecord
from phitrail.events.codes import Outcome
from phitrail.identity.aliases import Alias
from phitrail.sdk import clock
from phitrail.sdk.answer_stream import AnswerStream, AsyncAnswerStream
from phitrail.sdk.guarded import Guarded
from phitrail.tlog.receipt import Receipt


class AccessSteps:
    """What both forms of an access share: its life, its clock, its receipts."""

    def __init__(self, life: AccessLife, guard: Guarded | None) -> None:
        self._life = life
        self._guard = guard
        self._verdict: Verdict | None = None
        self._began_us = self._asked_us = clock.monotonic_us()
        self._first_token_us: int | None = None
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

    def measure(self, call: ModelCall | None = None, **measures: Any) -> None:  # noqa: ANN401 - fields of ModelCall, checked
        """Say what is known of the model's work, at any time before the closing.

        What is said stands in the quality entry of this access, without a word of text. Of
        two values of one name the later one holds.

        Args:
            call: measures that were put together before.
            measures: fields of `ModelCall`, such as `output_tokens` or `error_code`.

        Raises:
            InputError: names the field and the rule; nothing was added.
        """
        self._life.measure(call, **measures)

    def _asked(self) -> None:
        """Note that a prompt may go now: the time to the first token begins."""
        self._asked_us = clock.monotonic_us()

    def _answered(self) -> None:
        """Note that the first piece of an answer came from the model."""
        self._first_token_us = clock.monotonic_us() - self._asked_us

    def _closing(
        self, outcome: Outcome, released: str | None
    ) -> tuple[CallerRecord, ...]:
        return self._life.close(
            outcome,
            clock.now(),
            released=released,
            latency_us=clock.monotonic_us() - self._began_us,
            first_token_us=self._first_token_us,
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
