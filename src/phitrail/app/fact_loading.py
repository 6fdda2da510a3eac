"""Loading facts: a CSV file of the house becomes a sealed table that is in force at once.

1. Good lines are loaded. A bad one goes to `FILE.rejected.jsonl` as `{"line", "field",
   "rule"}`, as an import does it; with `is_whole` one bad line, and anyhow no good line at all,
   leaves everything as it was. Mend those lines, and add them.
2. A table that is there is replaced, or added to, as the caller says; a line that is there
   already is one. What events were given before stays as it is.
3. Patients, and users who stand as e-mail addresses, get the surrogates of the identity map,
   new ones where they are not known yet.
4. The table and the index that names it are durable before the `facts_loaded` event is
   recorded: its object is the kind, its digest that of the file, its count that of the rows in
   force. Who opens the trail next records what a crash left out (`app.wiring`).
5. A rehearsal reads every line, and changes and records nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Self, TypeAlias
from zoneinfo import ZoneInfo

import msgspec

from phitrail.app.facts import load_event
from phitrail.app.importing import open_file, rejected_path
from phitrail.app.wiring import Trail
from phitrail.capture.history.csv_rows import read_csv_table
from phitrail.capture.history.entry import Read, Unreadable
from phitrail.capture.history.source import DigestedFile, open_stream, until_damage
from phitrail.capture.importer import RejectedLine
from phitrail.errors import InputError, StorageError
from phitrail.events.ids import format_time, new_uuid7
from phitrail.events.policy import rule_of
from phitrail.events.shapes import CallerUserId
from phitrail.identity.fact_build import TableBuilder
from phitrail.identity.fact_join import Joins
from phitrail.identity.fact_rows import FactRow, RowReader
from phitrail.identity.fact_store import FACTS, FactFile, FactIndex
from phitrail.identity.fact_table import (
    ALWAYS_FROM,
    ALWAYS_UNTIL,
    FactKind,
    FactTable,
)
from phitrail.identity.map import SubjectKey

LINES_AT_ONCE: Final = 2_000
MOST_SOURCES: Final = 100
"""Of so many files a table remembers the digests; the log remembers all."""
MOST_SHOWN: Final = 20

Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class FactLoad:
    """What to load, and how.

    Attributes:
        kind: what the file holds.
        path: the file.
        is_adding: keep the rows that are in force; None where there must be none yet.
        is_whole: load nothing where one line is bad.
        is_rehearsal: change nothing.
        zone: whose wall times stand there without an offset.
    """

    kind: FactKind
    path: Path
    is_adding: bool | None = None
    is_whole: bool = False
    is_rehearsal: bool = False
    zone: ZoneInfo | None = None


@dataclass(frozen=True, slots=True)
class LoadedFacts:
    """What a load did.

    Attributes:
        good: so many lines could be read.
        rejected: so many were refused.
        first_rejected: the first `MOST_SHOWN` of those.
        file: the table in force after it; None after a rehearsal.
    """

    good: int
    rejected: int
    first_rejected: tuple[RejectedLine, ...]
    file: FactFile | None


def zone_named(name: str) -> ZoneInfo:
    """Return a zone.

    Raises:
        InputError: it is none of the tz database of this host.
    """
    with suppress(ValueError, OSError, KeyError):
        return ZoneInfo(name)
    raise InputError.for_field("--zone", "must be a zone, as America/New_York")


def load_facts(
    trail: Trail,
    load: FactLoad,
    *,
    by: str,
    now: datetime,
    progress: Progress = lambda _done, _total: None,
) -> LoadedFacts:
    """Load a file of facts.

    Args:
        trail: open for writing.
        load: what, and how.
        by: who loads, as the audit log will name them.
        now: the time.
        progress: told how many bytes are read, and how many there are.

    Raises:
        InputError: the file is none, no line is good, or one is bad and all must be good.
        IntegrityError: the facts in force cannot be read.
        StorageError: the facts of before are in force; or nothing is recorded yet, and
            whoever opens the trail next records it.
    """
    _check_user(by)
    store = trail.facts.store
    is_anew = load.is_adding is False
    with store.loading(is_anew=is_anew) as index, open_file(load.path) as opened:
        before = _before(index, load)
        file = DigestedFile(opened)
        lines = _Lines(trail, load, Joins(index.join_key))
        builder = TableBuilder(load.kind)
        total = load.path.stat().st_size
        header, entries = read_csv_table(open_stream(file), ",")
        lines.check_header(header)
        with _Refusals(load.path, is_kept=not load.is_rehearsal) as refusals:
            for batch in _batches(until_damage(entries)):
                lines.take(batch, builder, refusals)
                progress(file.read_bytes, total)
            if not load.is_rehearsal:
                _check_counts(load, lines.good, refusals.count)
        if load.is_rehearsal:
            return LoadedFacts(lines.good, refusals.count, refusals.first, None)
        sources: tuple[str, ...] = (file.sha256(),)
        if before is not None and load.is_adding:
            for key, cells in store.table(before).cells():
                builder.add(key, cells)
            sources = (*before.sources, *sources)[-MOST_SOURCES:]
        made = _put(trail, index, load, builder.table(), sources, by=by, now=now)
    return LoadedFacts(lines.good, refusals.count, refusals.first, made)


def _check_user(by: str) -> None:
    try:
        msgspec.convert(by, CallerUserId)
    except msgspec.ValidationError:
        raise InputError.for_field("--as", rule_of(CallerUserId)) from None


def _before(index: FactIndex, load: FactLoad) -> FactFile | None:
    before = next((one for one in index.files if one.kind is load.kind), None)
    if before is not None and load.is_adding is None and not load.is_rehearsal:
        raise InputError.for_field(
            "KIND",
            f"{load.kind} are loaded already; say --replace where the file is the whole "
            "list, or --add",
        )
    return before


def _check_counts(load: FactLoad, good: int, rejected: int) -> None:
    if rejected and load.is_whole:
        raise InputError.for_field(
            "FILE",
            f"{rejected} lines are refused, so nothing was loaded; see "
            f"{rejected_path(load.path).name}",
        )
    if not good:
        raise InputError.for_field(
            "FILE", "holds no good line, so nothing was loaded or replaced"
        )


def _put(
    trail: Trail,
    index: FactIndex,
    load: FactLoad,
    table: FactTable,
    sources: Sequence[str],
    *,
    by: str,
    now: datetime,
) -> FactFile:
    """Put a table in force, then record it."""
    event_id = new_uuid7(now)
    first, last = _range(table)
    file = FactFile(
        kind=load.kind,
        path=f"{FACTS}/{load.kind}.{event_id}",
        rows=table.rows,
        subjects=len(table.subjects),
        sources=tuple(sources),
        first_us=first,
        last_us=last,
        loaded_at=format_time(now),
        loaded_by=by,
        event_id=event_id,
    )
    others = tuple(one for one in index.files if one.kind is not load.kind)
    files = tuple(sorted((*others, file), key=lambda one: one.kind))
    index = msgspec.structs.replace(index, files=files, pending=load.kind)
    trail.facts.store.put(index, file, table)
    trail.recorder.record(load_event(file), now)
    trail.facts.store.settle(index)
    return file


def _range(table: FactTable) -> tuple[int | None, int | None]:
    """Say when the first of its rows begins and the last one ends, but those that are open."""
    begins = [one for one in table.column("from") if one != ALWAYS_FROM]
    ends = [one for one in table.column("until") if one != ALWAYS_UNTIL]
    return min(begins, default=None), max(ends, default=None)


class _Lines:
    """Reads lines and gives them the names that stand in leaves."""

    def __init__(self, trail: Trail, load: FactLoad, joins: Joins) -> None:
        self._identity = trail.identity
        self._systems = trail.tenant.identity
        self._is_rehearsal = load.is_rehearsal
        self._reader = RowReader(
            load.kind,
            joins,
            departments=trail.tenant.vocabulary.get("departments", ()),
            zone=load.zone,
        )
        self._known: dict[SubjectKey, str] = {}
        self.good = 0
        self.check_header = self._reader.check_header

    def take(
        self, batch: Sequence[Read], builder: TableBuilder, refusals: "_Refusals"
    ) -> None:
        """Read a batch, and add its good lines to the table."""
        rows: list[FactRow] = []
        for read in batch:
            if isinstance(read, Unreadable):
                refusals.add(read.number, read.error)
                continue
            try:
                rows.append(self._reader.read(read.fields))
            except InputError as error:
                refusals.add(read.number, error)
        self.good += len(rows)
        if self._is_rehearsal:
            return
        self._resolve(rows)
        for row in rows:
            builder.add(*row.keyed(self._user(row.user), self._patient(row.patient)))

    def _resolve(self, rows: Sequence[FactRow]) -> None:
        """Give the subjects of a batch their surrogates: those not met yet in one commit."""
        subjects = {(self._systems.patient, row.patient) for row in rows if row.patient}
        subjects |= {(self._systems.user, row.user) for row in rows if "@" in row.user}
        wanted: list[SubjectKey] = []
        for subject in subjects - self._known.keys():
            cached = self._identity.cached(subject)
            if cached is None:
                wanted.append(subject)
            else:
                self._known[subject] = cached
        if wanted:
            found = self._identity.resolve(wanted)
            self._known.update(zip(wanted, found, strict=True))

    def _user(self, user: str) -> str:
        return "usr-" + self._known[self._systems.user, user] if "@" in user else user

    def _patient(self, patient: str) -> str:
        return self._known[self._systems.patient, patient] if patient else ""


class _Refusals:
    """The file of refusals; absent when nothing was refused."""

    def __init__(self, path: Path, *, is_kept: bool) -> None:
        self._target = rejected_path(path)
        self._is_kept = is_kept
        self._lines: list[RejectedLine] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Write what was refused, also where the load ends with an error."""
        if not self._is_kept:
            return
        try:
            if self._lines:
                told = [msgspec.json.encode(one) + b"\n" for one in self._lines]
                self._target.write_bytes(b"".join(told))
            else:
                self._target.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(
                f"cannot write {self._target.name}: {error.strerror}"
            ) from error

    def add(self, line: int, error: InputError) -> None:
        """Note a line."""
        self._lines.append(RejectedLine(line=line, field=error.field, rule=error.rule))

    @property
    def count(self) -> int:
        """How many lines were refused."""
        return len(self._lines)

    @property
    def first(self) -> tuple[RejectedLine, ...]:
        """The first of them."""
        return tuple(self._lines[:MOST_SHOWN])


def _batches(entries: Iterator[Read]) -> Iterator[list[Read]]:
    batch: list[Read] = []
    for entry in entries:
        batch.append(entry)
        if len(batch) == LINES_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
