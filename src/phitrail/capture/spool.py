"""The spool: what a log that is down could not take, sealed, in order, for a while.

1. A row is one call's records, sealed under the spool's own key (`keys.spool_key`). What
   authenticates it are the spool's id, its number and the hash of the row before; a sealed
   head says how many rows there were, which went into the log, and the last hash. So a row
   that is removed, moved, exchanged or cut off shows when the spool is opened or read, and
   nothing of such a spool is given out.
2. A row is durable (SQLite, `synchronous=FULL`, one commit for all who wait) before its
   caller learns of it, and goes only after the log has its records for good. A crash in
   between gives it out again: the log knows the event ids and takes each once.
3. The first event that waits begins an episode with a row of our own, `spool_started`; when
   the last is in the log, `spool_replayed` goes behind it with their count. Both are rows
   like any other, so they too stand in the log once.
4. It is bounded by age and by count. Past either it refuses, and the access with it.
5. One process has it open. Within a process it is safe among threads and event loops.

What it does not show: a whole spool that was taken away or put back to an older copy while
no process had it open. ADR 0009 says why.
"""

import hashlib
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from phitrail.capture.spool_files import SpoolFiles
from phitrail.capture.spool_rows import (
    Episode,
    Head,
    Row,
    Waiting,
    altered,
    read_head,
    read_rows,
    seal_head,
    seal_row,
)
from phitrail.capture.spooled import decode_spooled, ended, started
from phitrail.durable.database import transaction
from phitrail.durable.queue import GroupCommit
from phitrail.errors import ConflictError, StorageError
from phitrail.events.canonical import CallerRecord, encode_opened
from phitrail.events.ids import format_time, new_uuid7
from phitrail.events.unprotect import unprotect


@dataclass(frozen=True, slots=True)
class Limits:
    """How long the oldest event may wait, and how many may."""

    age_s: float
    events: int


@dataclass(frozen=True, slots=True)
class SpoolRow:
    """One row as it was given: its number, its time, and the records of one call."""

    number: int
    at: str
    records: tuple[CallerRecord, ...]


@dataclass(slots=True)
class _Draft:
    """What one commit makes of the spool; believed once it is durable."""

    head: Head
    added: list[Waiting] = field(default_factory=list)
    ids: dict[str, bytes] = field(default_factory=dict)


class Spool:
    """One open spool."""

    def __init__(self, files: SpoolFiles, limits: Limits) -> None:
        self.spool_id = files.spool_id
        self._files = files
        self._limits = limits
        self._waiting: deque[Waiting] = deque()
        self._known: dict[str, bytes] = {}
        self._head = read_head(files)
        for row, _ in read_rows(files, self._head, self._head.last - self._head.done):
            self._remember(row)
        self._queue: GroupCommit[Callable[[_Draft], Any], Any] = GroupCommit(
            self._commit, name="the spool"
        )

    @classmethod
    def open(
        cls,
        directory: Path,
        limits: Limits,
        now: datetime,
        *,
        connect: Callable[..., sqlite3.Connection] = sqlite3.connect,
    ) -> "Spool":
        """Open a spool, or make it where none stands.

        Raises:
            ConfigError: another process has it; its key is missing or wrong.
            IntegrityError: rows were removed, moved or altered.
            StorageError: it cannot be read or written.
        """
        files = SpoolFiles.open(directory, now, Head(), connect=connect)
        try:
            return cls(files, limits)
        except BaseException:
            files.close()
            raise

    @property
    def rows(self) -> int:
        """How many rows wait, those of ours included."""
        return len(self._waiting)

    @property
    def events(self) -> int:
        """How many events of callers wait."""
        return len(self._known)

    def append(self, records: Sequence[CallerRecord], now: datetime) -> None:
        """Take the records of one call, as one; durable on return.

        Args:
            records: what the door would take, each with its event id.
            now: the present time.

        Raises:
            ConflictError: an event id waits here with other content.
            StorageError: a bound is reached, or nothing could be kept.
        """
        self._queue.submit(self._appending(records, now))

    async def append_async(
        self, records: Sequence[CallerRecord], now: datetime
    ) -> None:
        """Do as `append`, on the running event loop.

        Raises:
            ConflictError: an event id waits here with other content.
            StorageError: a bound is reached, or nothing could be kept.
        """
        await self._queue.submit_async(self._appending(records, now))

    def next_rows(self, at_most: int) -> list[SpoolRow]:
        """Read the oldest rows that wait.

        Raises:
            IntegrityError: rows were removed, moved or altered under us.
            StorageError: they cannot be read.
        """
        found: list[Row] = self._queue.submit(lambda draft: self._read(draft, at_most))
        return [
            SpoolRow(
                number,
                row.at,
                tuple(decode_spooled(bytes(raw)) for raw in row.records),
            )
            for number, row in enumerate(found, start=self._head.done + 1)
        ]

    def mark_replayed(self, number: int, *, refused: int = 0) -> None:
        """Forget the rows up to a number: the log has them, or refused them for good.

        Raises:
            StorageError: they stand there still.
        """
        self._queue.submit(lambda draft: self._mark(draft, number, refused))

    def close(self) -> None:
        """Commit what waits for its commit, then close; a second call is harmless."""
        self._queue.close()
        self._files.close()

    # --- writing; on the writer thread alone ---

    def _commit(
        self, steps: Sequence[Callable[[_Draft], Any]]
    ) -> Sequence[Any | Exception]:
        draft = _Draft(self._head)
        results: list[Any] = []
        with transaction(self._files.database):
            for step in steps:
                try:
                    results.append(step(draft))
                except (ConflictError, StorageError) as refusal:
                    results.append(refusal)  # raised before anything was written
            if draft.head != self._head:
                sealed = seal_head(self._files, draft.head)
                self._files.database.execute("UPDATE head SET sealed = ?", (sealed,))
        self._head = draft.head
        for row in draft.added:
            self._remember(row)
        while self._waiting and self._waiting[0].number <= self._head.done:
            for event_id, _ in self._waiting.popleft().ids:
                self._known.pop(event_id, None)
        return results

    def _remember(self, row: Waiting) -> None:
        self._known.update(row.ids)
        self._waiting.append(row)

    def _appending(
        self, records: Sequence[CallerRecord], now: datetime
    ) -> Callable[[_Draft], None]:
        lines = [
            (record.event_id or "", encode_opened(record, unprotect))
            for record in records
        ]
        return lambda draft: self._append(draft, lines, now)

    def _append(
        self, draft: _Draft, lines: Sequence[tuple[str, bytes]], now: datetime
    ) -> None:
        fresh: list[tuple[str, bytes]] = []
        for event_id, line in lines:
            digest = draft.ids.get(event_id) or self._known.get(event_id)
            if digest is None:
                fresh.append((event_id, line))
            elif digest != hashlib.sha256(line).digest():
                raise ConflictError(
                    f"event {event_id} waits in the spool with other content; use a new "
                    "event_id",
                    event_id=event_id,
                )
        if not fresh:
            return
        self._check_bounds(draft, len(fresh), now)
        at = format_time(now)
        episode = draft.head.episode
        if episode is None:
            episode = Episode(new_uuid7(now), new_uuid7(now))
            self._insert(draft, at, [("", _encode(started(episode.episode_id, at)))])
        self._insert(draft, at, fresh, is_ours=False)
        draft.head = msgspec.structs.replace(
            draft.head,
            episode=msgspec.structs.replace(
                episode, events=episode.events + len(fresh), last_at=at
            ),
        )

    def _check_bounds(self, draft: _Draft, more: int, now: datetime) -> None:
        count = len(self._known) + len(draft.ids)
        if count + more > self._limits.events:
            raise StorageError(
                f"the log is down, and the spool holds {count} events of at most "
                f"{self._limits.events}: nothing was recorded; bring the log back"
            )
        oldest = next((row.at for row in self._waiting if row.ids), now)
        if now - oldest > timedelta(seconds=self._limits.age_s):
            raise StorageError(
                f"the log is down for longer than the {self._limits.age_s:g} s that the "
                "spool may bridge: nothing was recorded; bring the log back"
            )

    def _insert(
        self,
        draft: _Draft,
        at: str,
        lines: Sequence[tuple[str, bytes]],
        *,
        is_ours: bool = True,
    ) -> None:
        head = draft.head
        number = head.last + 1
        row = Row(at, is_ours, tuple(msgspec.Raw(line) for _, line in lines))
        sealed, waiting = seal_row(self._files, number, head.last_hash, row)
        self._files.database.execute("INSERT INTO row VALUES (?, ?)", (number, sealed))
        draft.added.append(waiting)
        draft.ids.update(waiting.ids)
        draft.head = msgspec.structs.replace(head, last=number, last_hash=waiting.hash)

    def _read(self, draft: _Draft, at_most: int) -> list[Row]:
        """Read rows, and hold them to what this process remembers of them."""
        found = read_rows(self._files, draft.head, at_most)
        for (row, _), known in zip(
            found, chain(self._waiting, draft.added), strict=False
        ):
            if row.hash != known.hash:
                raise altered(f"row {known.number} is another one")
        return [row for _, row in found]

    def _mark(self, draft: _Draft, number: int, refused: int) -> None:
        place = number - draft.head.done - 1
        if not 0 <= place < len(self._waiting):
            return
        self._files.database.execute("DELETE FROM row WHERE number <= ?", (number,))
        draft.head = msgspec.structs.replace(
            draft.head, done=number, done_hash=self._waiting[place].hash
        )
        episode = draft.head.episode
        if episode is None:
            return
        episode = msgspec.structs.replace(episode, refused=episode.refused + refused)
        if draft.head.last == number:
            line = _encode(ended(episode))
            self._insert(draft, episode.last_at, [("", line)])
            draft.head = msgspec.structs.replace(draft.head, episode=None)
        else:
            draft.head = msgspec.structs.replace(draft.head, episode=episode)


def _encode(record: CallerRecord) -> bytes:
    return encode_opened(record, unprotect)
