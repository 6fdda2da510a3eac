"""The door without a log behind it: says what it would refuse, and keeps nothing.

What goes into a spool is acknowledged hours before the log sees it, so it must be what the
log will take. It therefore passes the same `Recorder` first, over a log and an identity map
that are not there. Two refusals only the log itself can give: an event id that stands there
with other content, and a term that was taken off its list meanwhile.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from phitrail.capture.exchange import Systems
from phitrail.capture.recorder import Recorder
from phitrail.capture.source import Source
from phitrail.events.canonical import CallerRecord, check_identifier
from phitrail.events.codes import Action
from phitrail.events.vocabulary import Vocabulary
from phitrail.identity.map import SubjectKey
from phitrail.tlog.entry import Item, Sequenced
from phitrail.tlog.receipt import Position

_ANY_SURROGATE: Final = "A" * 43


class Rehearsal:
    """Checks records as the door of a trail would; safe among threads."""

    def __init__(
        self,
        *,
        vocabulary: Vocabulary,
        systems: Systems,
        actions: Mapping[str, Action],
        source: Source | None,
        registered: Collection[str],
    ) -> None:
        self._recorder = Recorder(
            appender=_NoLog(),
            identity=_NoMap(),
            vocabulary=vocabulary,
            systems=systems,
            actions=actions,
            idempotency=_NoKey(),
            source=source,
            registered=registered,
        )

    def check(self, records: Sequence[CallerRecord], now: datetime) -> None:
        """Refuse what the door would refuse.

        Raises:
            InputError: names the field and the rule.
        """
        self._recorder.record_many(records, now)


class _NoKey:
    """Hashes nothing: nothing is compared."""

    def digest(self, data: bytes) -> tuple[int, bytes]:
        """Return a version that no key has, and no hash."""
        del data
        return 0, b""

    def digest_under(self, version: int, data: bytes) -> bytes:
        """Return no hash."""
        del version, data
        return b""


class _NoLog:
    """Takes entries and keeps none."""

    def append(self, item: Item) -> Sequenced:
        """Say that entries stand first in their logs."""
        return Sequenced(
            tuple(Position(entry.log, 0, entry.leaf_hash) for entry in item), {}
        )

    async def append_async(self, item: Item) -> Sequenced:
        """Do as `append`."""
        return self.append(item)


class _NoMap:
    """Knows every subject that may be one."""

    def cached(self, subject: SubjectKey) -> str:
        """Return a surrogate; the same for everybody.

        Raises:
            InputError: it is no identifier.
        """
        check_identifier(subject[1], "records")
        return _ANY_SURROGATE

    def resolve(self, subjects: Sequence[SubjectKey]) -> tuple[str, ...]:
        """Return surrogates; nothing is ever left to resolve."""
        return tuple(map(self.cached, subjects))

    async def resolve_async(self, subjects: Sequence[SubjectKey]) -> tuple[str, ...]:
        """Do as `resolve`."""
        return self.resolve(subjects)
