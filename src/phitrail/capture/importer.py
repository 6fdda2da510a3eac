"""Files of events: one native record a line, recorded through the one door.

1. A line is one record as `events.canonical.decode_caller_record` reads it, at most 1 MiB.
   Blank lines are passed over.
2. `assurance` becomes `imported`: a file shows nothing about what came before a release.
   The tenant's own names of actions become ours.
3. A record without `event_id` gets one from its line: keyed, in the form of a UUIDv7 that
   leads with the line's time. So the same file gives the same events each time, also after
   a rotation (`capture.known_lines`), and two equal lines are one event.
4. Good lines are recorded in groups. Where a group fails, it is divided until the bad
   line stands alone; the others are recorded.
5. A bad line is reported by number, field and rule; no value of it goes anywhere.

Nothing here knows about formats of others (`capture.history` turns those into native
lines); their ids (not UUIDv7) are refused by rule.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import BinaryIO, TypeAlias

import msgspec

from phitrail.capture.idempotency import NotComparableError
from phitrail.capture.known_lines import (
    ImportKeys,
    Keyed,
    KeyedLine,
    KnownLine,
    find_known,
)
from phitrail.capture.recorder import Recorder
from phitrail.errors import ConflictError, InputError
from phitrail.events.audit import AuditEvent
from phitrail.events.canonical import CallerRecord, decode_caller_record
from phitrail.events.codes import Action, Assurance
from phitrail.events.ids import RANDOM_BYTES, new_uuid7, parse_time
from phitrail.tlog.receipt import Receipt

MAX_LINE_BYTES = 1 << 20
GROUP_LINES = 200
GROUP_BYTES = 4 << 20
LINE_DOMAIN = b"phitrail/import-line/v1|"
CONFLICT_RULE = "stands in the log with other content; use a new event_id"
GONE_RULE = (
    "stands in the log under a version of the key idempotency that is gone: look at the "
    "entry; leave this line out if it says the same, else give it a new event_id"
)
_SKIP_BYTES = 1 << 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Line: TypeAlias = bytes | KeyedLine | InputError | None
Read: TypeAlias = CallerRecord | InputError
_Numbered: TypeAlias = tuple[int, CallerRecord]
_Known: TypeAlias = KnownLine | CallerRecord | InputError


class RejectedLine(msgspec.Struct, frozen=True, kw_only=True):
    """Why one line was not recorded."""

    line: int
    field: str
    rule: str


@dataclass(frozen=True, slots=True)
class Imported:
    """How many lines were read, and what became of them."""

    lines: int = 0
    recorded: int = 0
    already_there: int = 0
    rejected: int = 0

    def plus(self, lines: int, recorded: int, already_there: int) -> "Imported":
        """Add what came of one group; the rest of its lines were rejected."""
        return Imported(
            self.lines + lines,
            self.recorded + recorded,
            self.already_there + already_there,
            self.rejected + lines - recorded - already_there,
        )


@dataclass(frozen=True, slots=True)
class Importer:
    """Records lines.

    Attributes:
        recorder: the one door.
        sizes: gives how many entries each log holds now.
        keys: under which versions of keys lines are read, and were.
        stored: gives the keyed hash of what the log holds under an id, of those it holds.
        actions: the tenant's own names of actions.
        now: the clock.
    """

    recorder: Recorder
    sizes: Callable[[], Mapping[str, int]]
    keys: ImportKeys
    stored: Callable[[Sequence[str]], Mapping[str, bytes]]
    actions: Mapping[str, Action]
    now: Callable[[], datetime]

    def run(
        self,
        lines: Iterable[tuple[int, Line]],
        reject: Callable[[RejectedLine], None],
    ) -> Iterator[Imported]:
        """Record lines group by group; yield the counts so far after each.

        Args:
            lines: number and bytes of each line; None where it was too long to read,
                an error where whoever made the lines refuses one.
            reject: told of each bad line, in order.

        Raises:
            StorageError: the log could not take a group; earlier ones are recorded.
        """
        counts = Imported()
        yield counts
        for read in self._groups(lines):
            group = self._settle(read)
            rejected = {
                n: _why(n, read) for n, read in group if isinstance(read, InputError)
            }
            good = [(n, r) for n, r in group if not isinstance(r, InputError)]
            recorded, already_there = self._record(good, rejected)
            for number in sorted(rejected):
                reject(rejected[number])
            counts = counts.plus(len(group), recorded, already_there)
            yield counts

    # --- rules 1 to 3 ---

    def _groups(
        self, lines: Iterable[tuple[int, Line]]
    ) -> Iterator[list[tuple[int, _Known]]]:
        """Read lines into groups in which no event id stands twice."""
        group: list[tuple[int, _Known]] = []
        ids: set[str | None] = set()
        size_bytes = 0
        for number, line in lines:
            read = self._read(line)
            record = read.record if isinstance(read, KnownLine) else read
            event_id = None if isinstance(record, InputError) else record.event_id
            if event_id in ids or size_bytes > GROUP_BYTES or len(group) >= GROUP_LINES:
                yield group
                group, ids, size_bytes = [], set(), 0
            group.append((number, read))
            plain = line.line if isinstance(line, KeyedLine) else line
            size_bytes += len(plain) if isinstance(plain, bytes) else 0
            if event_id is not None:
                ids.add(event_id)
        if group:
            yield group

    def read(self, line: Line) -> Read:
        """Read one line into a record that may come to the door, or say why not."""
        read = self._read(line)
        return read.record if isinstance(read, KnownLine) else read

    def _read(self, line: Line) -> _Known:
        if isinstance(line, InputError):
            return line
        if line is None:
            return InputError.for_field(
                "(line)", f"a line holds at most {MAX_LINE_BYTES} bytes"
            )
        plain = line.line if isinstance(line, KeyedLine) else line
        try:
            record = self._decoded(plain)
            if isinstance(line, bytes) and record.event_id is not None:
                return record
            self.keys.check_none_is_gone()
        except InputError as error:
            return error
        return KnownLine(
            self._with_id(plain, record, self.keys.in_use[0]),
            partial(self._under, line),
        )

    def _decoded(self, line: bytes) -> CallerRecord:
        record = decode_caller_record(self._with_our_action(line))
        if isinstance(record, AuditEvent):
            record = msgspec.structs.replace(record, assurance=Assurance.IMPORTED)
        return record

    def _with_id(self, line: bytes, record: CallerRecord, version: int) -> CallerRecord:
        if record.event_id is not None:
            return record
        event_id = _id_of(line, record, self.keys.ids[version])
        return msgspec.structs.replace(record, event_id=event_id)

    def _under(self, line: bytes | KeyedLine, version: int, text: int) -> Read:
        """Read a line again as it was under other versions."""
        plain = line.under(version, text) if isinstance(line, KeyedLine) else line
        if isinstance(plain, InputError):
            return plain
        try:
            return self._with_id(plain, self._decoded(plain), version)
        except InputError as error:
            return error

    def _settle(self, group: Sequence[tuple[int, _Known]]) -> list[tuple[int, Read]]:
        """Take each line as it stands in the log already, if it does."""
        lines = [read for _, read in group if isinstance(read, KnownLine)]
        if self.keys.is_single or not lines:
            records = [line.record for line in lines]
        else:
            records = find_known(lines, self.keys, self.stored, self.recorder.is_same)
        settled = iter(records)
        return [
            (number, next(settled) if isinstance(read, KnownLine) else read)
            for number, read in group
        ]

    def _with_our_action(self, line: bytes) -> bytes:
        """Exchange the tenant's own name of an action for ours."""
        if not self.actions or b'"action"' not in line:
            return line
        with suppress(msgspec.MsgspecError, ValueError, RecursionError):
            plain = msgspec.json.decode(line)
            action = plain.get("action") if isinstance(plain, dict) else None
            if isinstance(action, str) and action in self.actions:
                return msgspec.json.encode({**plain, "action": self.actions[action]})
        return line

    # --- rule 4 ---

    def _record(
        self, group: Sequence[_Numbered], rejected: dict[int, RejectedLine]
    ) -> tuple[int, int]:
        """Record the good lines of a group; return how many are new and how many not."""
        recorded = already_there = 0
        waiting = [list(group)] if group else []
        while waiting:
            part = waiting.pop()
            sizes = self.sizes()
            try:
                receipts = self.recorder.record_many([r for _, r in part], self.now())
            except ConflictError as error:
                bad = next(n for n, r in part if r.event_id == error.event_id)
                rejected[bad] = RejectedLine(
                    line=bad,
                    field="event_id",
                    rule=GONE_RULE
                    if isinstance(error, NotComparableError)
                    else CONFLICT_RULE,
                )
                rest = [(n, r) for n, r in part if n != bad]
                waiting += [rest] if rest else []
            except InputError as error:
                if len(part) == 1:
                    rejected[part[0][0]] = _why(part[0][0], error)
                    continue
                middle = len(part) // 2
                waiting += [part[middle:], part[:middle]]
            else:
                new = sum(_is_new(receipt, sizes) for receipt in receipts)
                recorded += new
                already_there += len(part) - new
        return recorded, already_there


def read_lines(stream: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Yield number and bytes of each line that is not blank; None for one too long."""
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 2):
        number += 1
        text = line.rstrip(b"\r\n")
        if len(text) > MAX_LINE_BYTES:
            while line and not line.endswith(b"\n"):
                line = stream.readline(_SKIP_BYTES)
            yield number, None
        elif text.strip():
            yield number, text


def _id_of(line: bytes, record: CallerRecord, keyed: Keyed) -> str:
    """Derive an event id from a line: its time, then its keyed hash."""
    moment = _EPOCH
    if record.timestamp_utc is not None:
        with suppress(ValueError):  # the 30th of February: the shape admits it
            moment = max(_EPOCH, parse_time(record.timestamp_utc))
    return new_uuid7(moment, keyed(LINE_DOMAIN + line)[:RANDOM_BYTES])


def _why(number: int, error: InputError) -> RejectedLine:
    return RejectedLine(
        line=number,
        field=error.field or "(line)",
        rule=error.rule or "does not fit its schema",
    )


def _is_new(receipt: Receipt, sizes: Mapping[str, int]) -> bool:
    """Say whether an event was appended after these sizes were read."""
    return any(place.index >= sizes[place.log] for place in receipt.positions)
