"""Receipts that somebody kept, held against a trail or a copy of one.

For each log that a receipt names, in this order:
1. Its promise is signed by the promise key that was in force, and covers the entry. Else it
   is `refused`: another trail's, altered, or the keys here were replaced.
2. The log continues the promise: under its newest checkpoint where that reaches so far,
   else by the journal's entries, where they can be opened. Else the promise is `broken`, and
   the log's own two signatures say so.
3. The entry stands at its index under the newest checkpoint. Where the log continues the
   promise and holds another leaf, the receipt speaks of an entry that its own promise does
   not cover: `refused`.
4. What no checkpoint covers yet is `unpublished`; what damaged files cannot tell `unproven`.

Evidence that the SDK wrote holds a second note of the log. Either of the two may be the one
that the log does not continue now: it signed both.

The trail is only read. Whose keys these are, only the signature on the receipt says: a trail
whose keys were replaced refuses every receipt of the true one.
"""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from phitrail.app.handover import read_keyring
from phitrail.app.key_wiring import KEYS
from phitrail.app.pins import JOURNAL
from phitrail.app.verification_source import OpenPlace, Place, open_place
from phitrail.durable.files import DurableFiles
from phitrail.errors import IntegrityError, StorageError
from phitrail.events.codes import Log
from phitrail.tlog import layout
from phitrail.tlog.checkpoint import Checkpoint
from phitrail.tlog.genesis import read_genesis
from phitrail.tlog.key_line import KeyLine
from phitrail.tlog.keyring import read_line
from phitrail.tlog.promised import (
    BrokenPromise,
    Shown,
    find_break,
    find_unkept,
    parse_receipt_file,
)
from phitrail.tlog.reader import LogReader
from phitrail.tlog.receipt import Position
from phitrail.tlog.tile import node_reader


class ReceiptVerdict(StrEnum):
    """What came of one promise."""

    KEPT = "kept"
    BROKEN = "broken"
    REFUSED = "refused"
    UNPUBLISHED = "unpublished"
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True)
class ReceiptCheck:
    """One promise that was held against its log.

    Attributes:
        source: the file that holds it.
        log: which log it is of; empty where that is none of this trail.
        index: the entry; None where the promise stands for itself.
        verdict: what came of it.
        says: the same in words.
        promised: the promise, as it was signed.
        shown: the log's own note that it was held against; empty without one.
    """

    source: str
    log: str
    index: int | None
    verdict: ReceiptVerdict
    says: str
    promised: str
    shown: str = ""


@dataclass(frozen=True, slots=True)
class Brought:
    """One promise out of a file: of which log, for which entry, and what came with it."""

    source: str
    log: str
    promised: bytes
    position: Position | None = None
    also: bytes = field(default=b"", repr=False)


def read_receipt_files(files: Iterable[tuple[str, bytes]]) -> list[Brought]:
    """Take the promises out of receipts and of evidence.

    Raises:
        InputError: a file is neither.
    """
    brought: list[Brought] = []
    for source, data in files:
        read = parse_receipt_file(data)
        if isinstance(read, BrokenPromise):
            log = read.origin.rsplit("/", 1)[-1]
            brought.append(
                Brought(source, log, read.promised, read.position, read.shown)
            )
            continue
        brought += [
            Brought(source, one.log, read.promises[one.log], one)
            for one in read.positions
        ]
    return brought


def check_receipts(directory: Path, brought: Sequence[Brought]) -> list[ReceiptCheck]:
    """Hold promises against a trail or a copy of one.

    Raises:
        ConfigError: a key is missing or damaged.
        StorageError: a file cannot be read.
    """
    checks: list[ReceiptCheck] = []
    with ExitStack() as stack:
        opened: dict[str, _Log | str] = {}
        for one in brought:
            if one.log not in opened:
                opened[one.log] = _open(stack, directory, one.log)
            log = opened[one.log]
            if isinstance(log, str):
                verdict, says, shown = ReceiptVerdict.UNPROVEN, log, b""
            else:
                verdict, says, shown = log.judge(one)
            checks.append(
                ReceiptCheck(
                    one.source,
                    one.log,
                    one.position.index if one.position is not None else None,
                    verdict,
                    says,
                    one.promised.decode(),
                    shown.decode(),
                )
            )
    return checks


def kept_promises(checks: Iterable[ReceiptCheck]) -> list[tuple[str, bytes]]:
    """Give the promises that were kept: they were held outside, so they support a log."""
    return [
        (one.source, one.promised.encode())
        for one in checks
        if one.verdict is ReceiptVerdict.KEPT
    ]


def named_logs(checks: Iterable[ReceiptCheck]) -> list[Log]:
    """Name the logs of this trail that receipts are of."""
    names = {one.log for one in checks}
    return [log for log in Log if log in names]


_Judged = tuple[ReceiptVerdict, str, bytes]


class _Log:
    """One log of a trail, as far as this copy shows it."""

    def __init__(
        self, directory: Path, log: Log, line: KeyLine, opened: OpenPlace
    ) -> None:
        self._directory = directory
        self._log = log
        self._line = line
        self._opened = opened
        self._published = self._show_published()

    def _show_published(self) -> Shown | None:
        note = _read(self._directory / layout.public_checkpoint(self._log))
        if note is None:
            return None
        head = self._line.open_own(note)
        read_tile = self._opened.source.read_tile
        return Shown(note, head, node_reader(read_tile, head.size))

    def _show_durable(self) -> Shown | None:
        """Show the log up to the journal's head, where this copy can."""
        journal, keys = self._opened.journal, self._opened.keys
        if journal is None or keys is None:
            return None
        files = DurableFiles(self._directory)
        return LogReader(self._log.value, journal, files, keys).show_durable()

    def judge(self, one: Brought) -> _Judged:
        """Say what came of a promise."""
        try:
            head = self._line.open_note(one.promised)
        except IntegrityError as error:
            return (
                ReceiptVerdict.REFUSED,
                (
                    f"its promise does not verify under the keys of this log ({error}): it "
                    "is another trail's, it was altered, or the keys here were replaced"
                ),
                b"",
            )
        position = one.position
        if position is not None and position.index >= head.size:
            return (
                ReceiptVerdict.REFUSED,
                f"its promise of {head.size} entries ends before entry {position.index}",
                b"",
            )
        try:
            return self._judge(one, head)
        except IntegrityError as error:
            return (
                ReceiptVerdict.UNPROVEN,
                f"the files of this log prove nothing: {error}",
                b"",
            )

    def _judge(self, one: Brought, head: Checkpoint) -> _Judged:
        against = self._reaching(head)
        if against is not None:
            broken = find_break(head, against)
            if broken is not None:
                return ReceiptVerdict.BROKEN, broken, against.note
        also = self._judge_second(one)
        if also is not None:
            return also
        published = self._published
        size = published.head.size if published is not None else 0
        note = published.note if published is not None else b""
        reaches = head.size if one.position is None else one.position.index + 1
        if published is None or against is None or reaches > size:
            return (
                ReceiptVerdict.UNPUBLISHED,
                f"no checkpoint here covers it yet (the newest has {size} entries)",
                note,
            )
        if one.position is not None and find_unkept([one.position], published):
            return (
                ReceiptVerdict.REFUSED,
                (
                    "the log continues its promise and holds another entry at "
                    f"{one.position.index}: the receipt was altered, or the log "
                    "acknowledged what it did not append; nothing signed says which"
                ),
                note,
            )
        what = "the promise" if one.position is None else f"entry {one.position.index}"
        return (
            ReceiptVerdict.KEPT,
            f"{what} is proven under the checkpoint of size {size}",
            note,
        )

    def _judge_second(self, one: Brought) -> _Judged | None:
        """Hold the log to the second note of evidence: it signed that one too."""
        if not one.also:
            return None
        try:
            head = self._line.open_note(one.also)
        except IntegrityError:
            return None
        against = self._reaching(head)
        broken = find_break(head, against) if against is not None else None
        if broken is None:
            return None
        return (
            ReceiptVerdict.BROKEN,
            f"{broken}; it continues the promise now, and signed the other note as well",
            one.also,
        )

    def _reaching(self, head: Checkpoint) -> Shown | None:
        """Show the log as far as a head reaches, if this copy does."""
        published = self._published
        if published is not None and head.size <= published.head.size:
            return published
        return self._show_durable()


def _open(stack: ExitStack, directory: Path, name: str) -> "_Log | str":
    """Open a log; in words where it cannot be."""
    if name not in tuple(Log):
        return "this trail has no such log"
    log = Log(name)
    genesis = _read(directory / layout.public_genesis(log))
    if genesis is None:
        return "there is no genesis of this log here"
    try:
        pinned = read_genesis(genesis, log)
        line = read_line(read_keyring(directory, directory / JOURNAL), pinned)
        place = Place(
            directory,
            name,
            pinned.genesis.tenant,
            has_keys=(directory / KEYS).is_dir(),
            has_journal=(directory / JOURNAL).exists(),
            is_deep=False,
            line=line,
        )
        return _Log(directory, log, line, stack.enter_context(open_place(place)))
    except IntegrityError as error:
        return f"the files of this log prove nothing: {error}"


def _read(place: Path) -> bytes | None:
    try:
        return place.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"cannot read {place}: {error.strerror}") from error
