"""Alerts as people see them: what they stand at, and what was made of them.

1. An alert is the sum of its moves in the security log. Detection opens, updates and ends
   its episode; people assign it and close it with a disposition. Only the latter is a
   verdict: an alert without one is undisposed, whether its episode goes on or not.
2. Listing and showing are reads of the security log, recorded before anything is shown.
3. A person's move names who made it, and why, in a sealed document; the move holds its
   digest. Nothing is edited: a later move stands beside the earlier ones.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

import msgspec
from msgspec.structs import replace

from phitrail.app.documents import keep_document, open_document
from phitrail.app.key_reason import check_reason
from phitrail.app.reading import record_read
from phitrail.app.rules import ALERT_SCHEMA
from phitrail.app.wiring import Trail
from phitrail.detect.alerts import JOINED, SUBJECTS
from phitrail.errors import InputError, RefusedError, UnverifiableError
from phitrail.events.alert import Alert
from phitrail.events.canonical import LeafRecord, decode_leaf, encode_canonical
from phitrail.events.codes import Action, AlertState, Disposition, Log
from phitrail.events.ids import format_time, new_uuid7
from phitrail.projection.rows import row_of

LEAST_PREFIX = 6
NOTE_SCHEMA = "phitrail/alert-note/v1"
_LISTED = "SELECT idx FROM security WHERE schema = ? ORDER BY idx"
_FIRST_OF = (
    "SELECT idx FROM security WHERE schema = ? AND starts_with(alert_id, ?) "
    "ORDER BY idx"
)


@dataclass(frozen=True, slots=True)
class StandingAlert:
    """An alert, and where it stands.

    Attributes:
        newest: the newest that detection said of it.
        opened: its first move.
        moves: every move, with its index in the security log.
        assigned_to: who looks at it.
        disposition: what it was found to be.
        note_digest: the newest sealed note.
    """

    newest: Alert
    opened: Alert
    moves: tuple[tuple[int, Alert], ...]
    assigned_to: str | None = None
    disposition: Disposition | None = None
    note_digest: str | None = None

    @property
    def is_disposed(self) -> bool:
        """Whether somebody said what it is, or it went into another one."""
        return self.disposition is not None

    @property
    def is_over(self) -> bool:
        """Whether its episode is over."""
        told = [one for _, one in self.moves if one.note_digest is None]
        return bool(told) and told[-1].state == AlertState.CLOSE

    def subjects(self) -> Mapping[str, str]:
        """Say who and what it is about."""
        names = ("patient", *SUBJECTS)
        found = {name: getattr(self.opened, name) for name in names}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Evidence:
    """One entry that an alert rests on; whether a published checkpoint holds it."""

    log: Log
    index: int
    record: LeafRecord
    is_proven: bool

    def fields(self) -> Mapping[str, object]:
        """Give what stands in it, absent fields left out."""
        row = row_of(self.log, self.index, self.record)
        return {name: value for name, value in row.items() if value is not None}


@dataclass(frozen=True, slots=True)
class ShownAlert:
    """An alert with its evidence and notes; `proven_in` is the size of a checkpoint."""

    alert: StandingAlert
    evidence: tuple[Evidence, ...]
    notes: tuple[Mapping[str, str], ...]
    proven_in: int | None


def list_alerts(
    trail: Trail, *, by: str, now: datetime, with_disposed: bool = False
) -> tuple[StandingAlert, ...]:
    """List alerts, the newest first; those that are disposed only if they are asked for.

    Raises:
        InputError: `by` is no user id.
        StorageError: the read could not be recorded; nothing is shown.
        IntegrityError: tables or log are damaged.
    """
    found = [one for one in _read(trail, now) if with_disposed or not one.is_disposed]
    record_read(
        trail,
        Log.SECURITY,
        by=by,
        reason_code="alert_list",
        result_count=len(found),
        action=Action.QUERY,
        now=now,
    )
    return tuple(reversed(found))


def show_alert(trail: Trail, wanted: str, *, by: str, now: datetime) -> ShownAlert:
    """Show one alert: its moves, evidence and notes.

    Raises:
        InputError: no alert, or more than one, begins with these characters.
        StorageError: the read could not be recorded; nothing is shown.
        IntegrityError: an entry is missing or altered.
    """
    alert = find_alert(trail, wanted, now)
    record_read(
        trail,
        Log.SECURITY,
        by=by,
        reason_code="alert_show",
        result_count=len(alert.moves) + len(alert.newest.evidence),
        object_id=alert.newest.alert_id,
        now=now,
    )
    notes = [_note(trail, one.note_digest) for _, one in alert.moves if one.note_digest]
    return ShownAlert(
        alert,
        tuple(_evidence(trail, one) for one in alert.newest.evidence),
        tuple(notes),
        _proven_size(trail, Log.SECURITY, alert.moves[0][0]),
    )


def assign_alert(
    trail: Trail, wanted: str, *, to: str, by: str, now: datetime
) -> StandingAlert:
    """Say who looks at an alert.

    Raises:
        InputError: there is no such alert, or a name is no user id.
        StorageError: not recorded.
    """
    alert = find_alert(trail, wanted, now)
    note = _keep_note(trail, alert, f"assigned to {to}", by, now)
    _record(
        trail, alert, now, state=AlertState.UPDATE, assigned_to=to, note_digest=note
    )
    return find_alert(trail, alert.newest.alert_id, now)


def close_alert(
    trail: Trail,
    wanted: str,
    *,
    disposition: Disposition,
    reason: str,
    by: str,
    now: datetime,
    reason_code: str | None = None,
) -> StandingAlert:
    """Say what an alert is, and why; the words stay sealed.

    Raises:
        InputError: there is no such alert, no reason was given, or the code is none of
            the vocabulary.
        RefusedError: it was disposed of already in this way.
        StorageError: not recorded.
    """
    check_reason(reason)
    alert = find_alert(trail, wanted, now)
    if alert.disposition == disposition:
        raise RefusedError(f"this alert is closed as {disposition} already")
    note = _keep_note(trail, alert, reason, by, now)
    codes = alert.newest.reason_codes if reason_code is None else (reason_code,)
    _record(
        trail,
        alert,
        now,
        state=AlertState.CLOSE,
        disposition=disposition,
        reason_codes=codes,
        note_digest=note,
    )
    return find_alert(trail, alert.newest.alert_id, now)


def find_alert(trail: Trail, wanted: str, now: datetime) -> StandingAlert:
    """Find the alert whose id begins with these characters.

    Raises:
        InputError: there is none, or more than one.
    """
    if len(wanted) < LEAST_PREFIX:
        raise InputError.for_field("ALERT", f"give {LEAST_PREFIX} characters of its id")
    found = _read(trail, now, wanted)
    if len(found) != 1:
        rule = "no alert has this id" if not found else "more than one begins with this"
        raise InputError.for_field("ALERT", rule)
    return found[0]


# --- reading ---


def _read(
    trail: Trail, now: datetime, prefix: str | None = None
) -> list[StandingAlert]:
    statement = _LISTED if prefix is None else _FIRST_OF
    values: list[object] = [ALERT_SCHEMA] if prefix is None else [ALERT_SCHEMA, prefix]
    from phitrail.app.tables import open_tables  # noqa: PLC0415 - loads DuckDB

    with open_tables(trail, now) as tables:
        indexes = [row["idx"] for row in tables.ask(statement, values).to_pylist()]
    moves: dict[str, list[tuple[int, Alert]]] = {}
    with closing(trail.reader(Log.SECURITY)) as reader:
        for index in indexes:
            record = decode_leaf(reader.entry(index))
            assert isinstance(record, Alert)  # noqa: S101 - asked by its schema
            moves.setdefault(record.alert_id, []).append((index, record))
    return [_stand(one) for one in moves.values()]


def _stand(moves: Sequence[tuple[int, Alert]]) -> StandingAlert:
    told = [one for _, one in moves if one.note_digest is None]
    said = [one for _, one in moves if one.note_digest is not None]
    assigned = [one.assigned_to for one in said if one.assigned_to is not None]
    verdicts = [one.disposition for one in said if one.disposition is not None]
    joined = [one.disposition for one in told if one.reason_codes == (JOINED,)]
    return StandingAlert(
        (told or said)[-1],
        moves[0][1],
        tuple(moves),
        assigned[-1] if assigned else None,
        (verdicts or joined or [None])[-1],
        said[-1].note_digest if said else None,
    )


def _evidence(trail: Trail, entry: str) -> Evidence:
    name, _, index = entry.partition(":")
    log = Log(name)
    with closing(trail.reader(log)) as reader:
        record = decode_leaf(reader.entry(int(index)))
    return Evidence(
        log, int(index), record, _proven_size(trail, log, int(index)) is not None
    )


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


# --- moves of people ---


def _keep_note(
    trail: Trail, alert: StandingAlert, reason: str, by: str, now: datetime
) -> str:
    document = {
        "schema": NOTE_SCHEMA,
        "alert": alert.newest.alert_id,
        "at": format_time(now),
        "by": by,
        "reason": reason,
    }
    return keep_document(trail, encode_canonical(document))


def _record(trail: Trail, alert: StandingAlert, now: datetime, **said: object) -> None:
    bare = replace(
        alert.newest,
        event_id=new_uuid7(now),
        timestamp_utc=format_time(now),
        received_at=None,
        nonce=None,
        evidence=(),
    )
    trail.recorder.record(replace(bare, **said), now)
