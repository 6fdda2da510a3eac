"""Time stamps that the verifying person brings: which checkpoint is each of?

A time stamp holds a hash, so the checkpoint that it is of is looked for among those that
are brought, beside the time stamp, and in the trail itself. Wherever it lay, the authority
signed that it existed, and so it supports the log as if it had been kept outside: up to its
size, and from its time on. A time stamp that does not verify, or is of no checkpoint that
can be found, is a finding.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import chain
from pathlib import Path

from phitrail.anchor.watched_directory import SUFFIX
from phitrail.app.brought import Named, read_file
from phitrail.app.pins import JOURNAL
from phitrail.errors import InputError, IntegrityError, StorageError
from phitrail.events.codes import Log
from phitrail.events.ids import format_time
from phitrail.evidence.findings import Check, Finding
from phitrail.tlog import layout
from phitrail.tlog.journal import Journal
from phitrail.tlog.time_stamp import TimeStamp, Trusted, open_time_stamp, read_trusted


@dataclass(frozen=True, slots=True)
class Stamped:
    """A checkpoint that a time stamp is of.

    Attributes:
        source: the time stamp's file.
        note: the checkpoint.
        before: it existed before this time.
    """

    source: str
    note: bytes
    before: datetime

    @property
    def named(self) -> Named:
        """The note, called by what supports it."""
        return f"{self.source} (before {format_time(self.before)})", self.note


def read_certificates(places: Sequence[Path]) -> Trusted:
    """Read the certificates that time stamps must lead to, from one file or several.

    Raises:
        InputError: they cannot be used.
    """
    option = "--tsa-certificate"
    pem = b"\n".join(read_file(option, place) for place in places)
    try:
        return read_trusted(pem)
    except InputError as error:
        raise InputError.for_field(option, error.rule) from None


def match_time_stamps(
    trail: Path,
    stamps: Sequence[Path],
    trusted: Trusted,
    brought: Iterable[Named],
) -> tuple[list[Stamped], list[Finding]]:
    """Find the checkpoints that time stamps are of.

    Args:
        trail: the trail that is verified.
        stamps: the files of the time stamps.
        trusted: the certificates that they must lead to.
        brought: checkpoints from outside.

    Returns:
        What was found, and what is wrong with the others.

    Raises:
        InputError: a file cannot be read.
    """
    opened: list[tuple[str, TimeStamp]] = []
    wrong: list[Finding] = []
    for place in stamps:
        data = read_file("--timestamp", place)
        try:
            opened.append((str(place), open_time_stamp(data, trusted)))
        except IntegrityError as error:
            wrong.append(Finding("", Check.OUTSIDE, str(place), str(error)))
    wanted = {stamp.digest for _, stamp in opened}
    given = (note for _, note in brought)
    notes = {
        digest: note
        for note in chain(given, _beside(stamps), _kept_in(trail))
        if (digest := sha256(note).digest()) in wanted
    }
    found = []
    for source, stamp in opened:
        if stamp.digest in notes:
            found.append(Stamped(source, notes[stamp.digest], stamp.before))
        else:
            wrong.append(_of_no_checkpoint(source, stamp))
    return found, wrong


def _of_no_checkpoint(source: str, stamp: TimeStamp) -> Finding:
    return Finding(
        "",
        Check.OUTSIDE,
        source,
        f"is of something that existed before {format_time(stamp.before)}, and of no "
        "checkpoint that was given or is kept here: give the note that it is of with "
        "--checkpoint; else it is another trail's, or the checkpoints here were signed "
        "anew",
    )


def _kept_in(trail: Path) -> Iterator[bytes]:
    """Read the checkpoints that a trail keeps; what is damaged is for others to find."""
    for log in Log:
        with suppress(OSError):
            yield (trail / layout.public_checkpoint(log)).read_bytes()
    if not (trail / JOURNAL).exists():
        return
    with (
        suppress(StorageError, IntegrityError, sqlite3.Error),
        closing(Journal.open(trail / JOURNAL, read_only=True)) as journal,
    ):
        for log in Log:
            for _, note in journal.checkpoints(log.value):
                yield note


def _beside(stamps: Iterable[Path]) -> Iterator[bytes]:
    for place in stamps:
        with suppress(OSError):
            yield place.with_suffix(SUFFIX).read_bytes()
