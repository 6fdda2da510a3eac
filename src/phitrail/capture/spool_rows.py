"""Rows and head of a spool, as they are sealed, chained and read back.

A row's hash covers its number, its sealed bytes and the hash of the row before, which also
stands in what authenticates it; the head holds the last hash and how many rows there are.
Reading checks all of it, and gives nothing out of a spool that does not hold together.
"""

import hashlib
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

import msgspec

from phitrail.capture.spool_files import SpoolFiles, context_of_head, context_of_row
from phitrail.durable.database import storage_error
from phitrail.errors import IntegrityError
from phitrail.events.ids import parse_time

NO_HASH: Final = bytes(32)
T = TypeVar("T")


class Episode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A time in which a log was down: the ids of its two events, and what was spooled."""

    episode_id: str
    ended_id: str
    events: int = 0
    refused: int = 0
    last_at: str = ""


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far the spool has come; rows up to `done` are in the log."""

    last: int = 0
    last_hash: bytes = NO_HASH
    done: int = 0
    done_hash: bytes = NO_HASH
    episode: Episode | None = None


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is sealed: the records of one call, as their caller wrote them."""

    at: str
    is_ours: bool
    records: tuple[msgspec.Raw, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is remembered of a row that waits.

    Attributes:
        number: which row.
        hash: its hash, which the next row follows.
        at: when it was spooled.
        ids: event ids of callers, each with the hash of its record; none for rows of ours.
    """

    number: int
    hash: bytes
    at: datetime
    ids: tuple[tuple[str, bytes], ...]


def seal_row(
    files: SpoolFiles, number: int, before: bytes, row: Row
) -> tuple[bytes, Waiting]:
    """Seal a row that follows the one with the hash `before`."""
    sealed = files.sealer.seal(
        msgspec.json.encode(row), context_of_row(files.spool_id, number, before)
    )
    return sealed, _waiting(number, before, sealed, row)


def seal_head(files: SpoolFiles, head: Head) -> bytes:
    """Seal the head."""
    return files.sealer.seal(msgspec.json.encode(head), context_of_head(files.spool_id))


def read_head(files: SpoolFiles) -> Head:
    """Read the head.

    Raises:
        IntegrityError: it is missing, altered, or another spool's.
        StorageError: it cannot be read.
    """
    try:
        found = files.database.execute(
            "SELECT CAST(sealed AS BLOB) FROM head"
        ).fetchall()
    except sqlite3.Error as error:
        raise storage_error("the spool", error) from error
    if len(found) != 1 or type(found[0][0]) is not bytes:
        raise altered("its head is missing")
    return _open(files, found[0][0], context_of_head(files.spool_id), Head)


def read_rows(files: SpoolFiles, head: Head, at_most: int) -> list[tuple[Waiting, Row]]:
    """Read the oldest rows behind the head's `done`, each following the one before.

    Raises:
        IntegrityError: a row is missing, moved, altered or too many.
        StorageError: they cannot be read.
    """
    number, before = head.done, head.done_hash
    try:
        rows = files.database.execute(
            "SELECT number, CAST(sealed AS BLOB) FROM row ORDER BY number LIMIT ?",
            (at_most + 1,),
        ).fetchall()
    except sqlite3.Error as error:
        raise storage_error("the spool", error) from error
    if len(rows) > head.last - head.done:
        raise altered(f"there are more rows than its head knows of, {head.last}")
    found: list[tuple[Waiting, Row]] = []
    for place, sealed in rows[:at_most]:
        number += 1
        if place != number or type(sealed) is not bytes:
            raise altered(f"row {number} is missing")
        context = context_of_row(files.spool_id, number, before)
        row = _open(files, sealed, context, Row)
        found.append((_waiting(number, before, sealed, row), row))
        before = found[-1][0].hash
    if len(found) < min(at_most, head.last - head.done):
        raise altered(f"row {number + 1} is missing")
    if number == head.last and before != head.last_hash:
        raise altered(f"row {number} is another one")
    return found


def altered(what: str) -> IntegrityError:
    """Say that a spool does not hold together."""
    return IntegrityError(
        f"the spool is not what was written: {what}. Nothing of it was replayed; keep it "
        "as evidence, find out who had access, and give connect() another place"
    )


def _waiting(number: int, before: bytes, sealed: bytes, row: Row) -> Waiting:
    digest = hashlib.sha256(before + number.to_bytes(8, "big") + sealed).digest()
    return Waiting(number, digest, parse_time(row.at), _ids(row))


def _open(files: SpoolFiles, sealed: bytes, context: bytes, kind: type[T]) -> T:
    try:
        plain = files.sealer.open(sealed, context)
    except IntegrityError as error:
        raise altered(str(error)) from error
    try:
        return msgspec.json.decode(plain, type=kind)
    except msgspec.MsgspecError:
        pass  # its error would quote what was sealed
    raise altered("what is sealed was not written by this version")


def _ids(row: Row) -> tuple[tuple[str, bytes], ...]:
    if row.is_ours:
        return ()
    return tuple(
        (msgspec.json.decode(raw)["event_id"], hashlib.sha256(bytes(raw)).digest())
        for raw in row.records
    )
