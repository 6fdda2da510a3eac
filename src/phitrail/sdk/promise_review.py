"""One look at the logs: do they continue what they promised?

1. Every kept note is a signed head of its log, under the key that was in force: else the
   keys were replaced, or the receipts altered. One that was disowned says nothing.
2. The log continues it (`tlog.promised`): what is published by its tiles, what is not yet
   by the journal's entries.
3. Every kept entry stands at its index. The root of the promise decides: where the log
   continues the promise and yet holds another leaf, it acknowledged what it did not append.

Nothing is written here. What is found is given back with both notes: the first thing of
each log, since what follows from it says no more.
"""

from collections.abc import Iterable, Mapping, Sequence

from phitrail.errors import InputError, IntegrityError
from phitrail.events.ids import format_time
from phitrail.sdk import clock
from phitrail.sdk.backend import Backend
from phitrail.sdk.promise_store import KeptEntry, KeptLog
from phitrail.tlog.checkpoint import Checkpoint, parse_checkpoint
from phitrail.tlog.note import parse_note
from phitrail.tlog.promised import BrokenPromise, Shown, find_break, find_unkept
from phitrail.tlog.receipt import Position, Receipt
from phitrail.tlog.spelling import parse_hash, print_base64

KEPT_ENTRIES = 20_000
"""of one log; the newest ones, where nobody publishes: the promise covers the others"""


def review_log(
    log: str, held: KeptLog, fresh: KeptLog, backend: Backend, *, is_first: bool
) -> tuple[KeptLog, BrokenPromise | None]:
    """Hold one log to what it promised; say what to keep, and what was broken.

    Args:
        log: the log.
        held: what the store holds; all of it is checked.
        fresh: what was acknowledged since; its entries are checked as far as they are
            published, its promise at the next contact.
        backend: shows the log.
        is_first: whether entries that are not published yet are looked at too.

    Raises:
        IntegrityError: the log's files prove nothing.
    """
    sight = _Sight(log, backend)
    broken = sight.judge((held.promise, held.checkpoint), held.origin)
    entries = held.entries + fresh.entries
    if broken is not None:
        return KeptLog(
            held.origin, held.promise, held.checkpoint, entries[-KEPT_ENTRIES:]
        ), broken
    promise = _newer(held.promise, fresh.promise)
    published = sight.published
    size = published.head.size if published is not None else 0
    beyond = tuple(entry for entry in entries if entry.index >= size)
    if published is not None:
        covered = (entry for entry in entries if entry.index < size)
        broken = sight.find_unkept(covered, published, promise)
    if broken is None and is_first and beyond:
        broken = sight.find_unkept(beyond, sight.durable, promise)
    checkpoint = published.note.decode() if published is not None else ""
    kept = beyond if broken is None else entries
    return KeptLog(held.origin, promise, checkpoint, kept[-KEPT_ENTRIES:]), broken


def review_receipt(receipt: Receipt, backend: Backend) -> list[BrokenPromise]:
    """Hold the logs to one receipt whose entries are published.

    Raises:
        InputError: it speaks of a log that is not there, or promises nothing for one.
        IntegrityError: the log's files prove nothing.
    """
    broken: list[BrokenPromise] = []
    for log, fresh in sort_by_log([receipt]).items():
        origin = backend.origins.get(log)
        if origin is None:
            raise InputError.for_field("receipt", "speaks of a log that is not here")
        sight = _Sight(log, backend)
        shown = sight.published or sight.durable
        found = sight.judge((fresh.promise,), origin)
        found = found or sight.find_unkept(fresh.entries, shown, fresh.promise)
        broken += [found] if found is not None else []
    return broken


class _Sight:
    """One log as it is seen at one contact."""

    def __init__(self, log: str, backend: Backend) -> None:
        self._log = log
        self._backend = backend
        self.published = backend.show_published(log)
        self._durable: Shown | None = None

    @property
    def durable(self) -> Shown:
        """The log up to its head; read only where it is needed."""
        if self._durable is None:
            self._durable = self._backend.show_durable(self._log)
        return self._durable

    def judge(self, notes: Iterable[str], origin: str) -> BrokenPromise | None:
        """Hold the log to signed notes, one after the other; an absent one is empty."""
        found = (self._judge(note, origin) for note in notes if note)
        return next(filter(None, found), None)

    def _judge(self, note: str, origin: str) -> BrokenPromise | None:
        try:
            head = self._backend.open_note(self._log, note.encode())
        except IntegrityError as error:
            failed = (
                f"a note that {origin} gave does not verify under the keys that its "
                f"genesis pins now ({error}): the keys were replaced, or the receipts "
                "were altered"
            )
            return self._broken(note, self.published or self.durable, failed)
        if head is None:
            return None
        against = self._reaching(head)
        failure = find_break(head, against)
        return None if failure is None else self._broken(note, against, failure)

    def find_unkept(
        self, entries: Iterable[KeptEntry], shown: Shown, promise: str
    ) -> BrokenPromise | None:
        """Find the first entry that was acknowledged and does not stand there."""
        positions = [
            Position(
                self._log, entry.index, parse_hash(entry.leaf_hash, field="leaf_hash")
            )
            for entry in entries
        ]
        within = [one for one in positions if one.index < shown.head.size]
        beyond = [one for one in positions if one.index >= shown.head.size]
        unkept = sorted(
            (*beyond, *find_unkept(within, shown)), key=lambda one: one.index
        )
        if not unkept:
            return None
        return self._broken(
            promise,
            shown,
            f"{shown.head.origin} acknowledged entry {unkept[0].index} and does not hold "
            f"it there: another one stands in its place, or none ({len(unkept)} such "
            "entries)",
            unkept[0],
        )

    def _reaching(self, head: Checkpoint) -> Shown:
        published = self.published
        if published is not None and head.size <= published.head.size:
            return published
        return self.durable

    def _broken(
        self, note: str, shown: Shown, failed: str, position: Position | None = None
    ) -> BrokenPromise:
        return BrokenPromise(
            shown.head.origin,
            note.encode(),
            shown.note,
            failed,
            format_time(clock.now()),
            position,
        )


def sort_by_log(receipts: Sequence[Receipt]) -> Mapping[str, KeptLog]:
    """Sort what was acknowledged by log: its entries, and the promise of the last one."""
    entries: dict[str, list[KeptEntry]] = {}
    newest: dict[str, tuple[int, bytes]] = {}
    for receipt in receipts:
        for place in receipt.positions:
            entries.setdefault(place.log, []).append(
                KeptEntry(receipt.event_id, place.index, print_base64(place.leaf_hash))
            )
            if place.index > newest.get(place.log, (-1, b""))[0]:
                newest[place.log] = place.index, receipt.promises.get(place.log, b"")
    return {
        log: KeptLog("", newest[log][1].decode(), "", tuple(found))
        for log, found in entries.items()
    }


def _newer(held: str, fresh: str) -> str:
    """Choose the promise of the larger tree."""
    if not held or not fresh:
        return held or fresh
    return max((held, fresh), key=_size)


def _size(note: str) -> int:
    return parse_checkpoint(parse_note(note.encode()).text).size
