"""One alert, explained: what it rests on, what was made of it, who would have been told.

1. Showing is a read of the security log, recorded before anything is shown.
2. Evidence is read from the log and proven against the newest checkpoint, entry by entry.
3. Notifications: the first move is told; later ones for `x_suppress` after the last one that
   was told are held back. Records never are. Whoever sends them goes by the same (`told_of`).
"""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from phitrail.app.alert_board import StandingAlert, find_alert
from phitrail.app.alert_completeness import AlertCompleteness, read_completeness_of
from phitrail.app.alert_containment import StandingContainment, containments_of
from phitrail.app.documents import open_document
from phitrail.app.reading import record_read
from phitrail.app.wiring import Trail
from phitrail.errors import UnverifiableError
from phitrail.events.canonical import LeafRecord, decode_leaf
from phitrail.events.codes import Log
from phitrail.events.ids import parse_time
from phitrail.projection.rows import row_of


@dataclass(frozen=True, slots=True)
class Evidence:
    """One entry that an alert rests on, and the size of a checkpoint that holds it."""

    log: Log
    index: int
    record: LeafRecord
    proven_in: int | None

    @property
    def is_proven(self) -> bool:
        """Whether a published checkpoint holds it."""
        return self.proven_in is not None

    def fields(self) -> Mapping[str, object]:
        """Give what stands in it, absent fields left out."""
        row = row_of(self.log, self.index, self.record)
        return {name: value for name, value in row.items() if value is not None}


@dataclass(frozen=True, slots=True)
class ShownAlert:
    """An alert, explained.

    Attributes:
        alert: the alert.
        evidence: what it rests on.
        notes: the sealed notes of people, by the index of their move.
        proven_in: the size of a checkpoint that holds its first move.
        containments: of the alert, or of its subjects.
        completeness: what was known to be missing, where its statement is kept here.
    """

    alert: StandingAlert
    evidence: tuple[Evidence, ...]
    notes: Mapping[int, Mapping[str, str]]
    proven_in: int | None
    containments: tuple[StandingContainment, ...] = ()
    completeness: AlertCompleteness | None = None


@dataclass(frozen=True, slots=True)
class Notifications:
    """Which moves are told, by index, and until when further ones are held back."""

    told: tuple[int, ...]
    held_until: datetime | None


def show_alert(trail: Trail, wanted: str, *, by: str, now: datetime) -> ShownAlert:
    """Show one alert: its moves, evidence, notes and containments.

    Raises:
        InputError: no alert, or more than one, begins with these characters.
        StorageError: the read could not be recorded; nothing is shown.
        IntegrityError: an entry is missing or altered.
    """
    alert = find_alert(trail, wanted, now)
    newest = alert.newest
    record_read(
        trail,
        Log.SECURITY,
        by=by,
        reason_code="alert_show",
        result_count=len(alert.moves) + len(newest.evidence),
        object_id=newest.alert_id,
        now=now,
    )
    return ShownAlert(
        alert,
        tuple(_evidence(trail, one) for one in newest.evidence),
        {at: _note(trail, m.note_digest) for at, m in alert.moves if m.note_digest},
        _proven_size(trail, Log.SECURITY, alert.moves[0][0]),
        containments_of(trail, newest.alert_id, alert.subjects(), now),
        read_completeness_of(trail, newest.completeness_digest),
    )


def told_of(alert: StandingAlert, suppress_us: int) -> Notifications:
    """Say which moves of detection are told, and until when further ones are held back."""
    held, told = None, []
    for index, move in alert.moves:
        if move.note_digest is not None or move.timestamp_utc is None:
            continue
        at = parse_time(move.timestamp_utc)
        if held is None or at >= held:
            told.append(index)
            held = at + timedelta(microseconds=suppress_us)
    return Notifications(tuple(told), held if suppress_us else None)


def _evidence(trail: Trail, entry: str) -> Evidence:
    name, _, index = entry.partition(":")
    log = Log(name)
    with closing(trail.reader(log)) as reader:
        record = decode_leaf(reader.entry(int(index)))
    return Evidence(log, int(index), record, _proven_size(trail, log, int(index)))


def _proven_size(trail: Trail, log: Log, index: int) -> int | None:
    with closing(trail.reader(log)) as reader:
        try:
            return reader.prove(index).checkpoint.size
        except UnverifiableError:
            return None  # durable, and not published yet


def _note(trail: Trail, digest: str) -> Mapping[str, str]:
    document = open_document(trail, digest)
    if document is None:
        return {"note": f"the document {digest} is not kept here"}
    return msgspec.json.decode(document, type=dict[str, str])
