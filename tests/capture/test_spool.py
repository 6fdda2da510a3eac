"""The spool: in order, once, within bounds, and nothing of it unseen or unnoticed."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from tests.faults.steps import Fault, Kind, faulty_connect
from tests.trails import NOW, event_id, phi_read

from phitrail.capture.spool import Limits, Spool
from phitrail.capture.spool_files import DATABASE, KEY, NEW_KEY
from phitrail.capture.spooled import decode_spooled
from phitrail.errors import (
    ConfigError,
    ConflictError,
    IntegrityError,
    OutcomeUnknownError,
    StorageError,
)
from phitrail.events.audit import AuditEvent
from phitrail.events.canonical import CallerRecord, encode_opened
from phitrail.events.codes import Action, EventType, FeedbackValue, Outcome
from phitrail.events.protected import Protected
from phitrail.events.quality import Feedback, QualityEntry
from phitrail.events.security import SecurityEvent
from phitrail.events.unprotect import unprotect

LIMITS = Limits(age_s=3600.0, events=100)
CANARY = "Canary-Wilhelmina"
KINDS = (EventType.SPOOL_STARTED, EventType.SPOOL_REPLAYED)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the spool of a test stands."""
    return tmp_path / "spool"


def opened(place: Path, limits: Limits = LIMITS) -> "closing[Spool]":
    """Open a spool for a moment."""
    return closing(Spool.open(place, limits, NOW))


def fill(place: Path, count: int = 5) -> None:
    """Leave so many events in a spool, one a row."""
    with opened(place) as spool:
        for number in range(count):
            spool.append([phi_read(number)], NOW)


def drain(spool: Spool, at_once: int = 3) -> Iterator[CallerRecord]:
    """Give what waits, as a log would take it."""
    while rows := spool.next_rows(at_once):
        for row in rows:
            yield from row.records
        spool.mark_replayed(rows[-1].number)


def kinds_and_ids(place: Path) -> list[str | None]:
    """Drain a spool; name events of ours by what they are."""
    with opened(place) as spool:
        return [
            one.event_type.value
            if isinstance(one, AuditEvent) and one.event_type in KINDS
            else one.event_id
            for one in drain(spool)
        ]


def whole(count: int) -> list[str | None]:
    """Say what such a list must be."""
    return [
        "spool_started",
        *(event_id(number) for number in range(count)),
        "spool_replayed",
    ]


@pytest.mark.parametrize(
    "record",
    [
        phi_read(1),
        msgspec.structs.replace(
            phi_read(1),
            action=Action.READ,
            resource_id=Protected(CANARY),
            outcome=Outcome.SUCCESS,
            phi_fields_accessed=("name", "ssn"),
        ),
        msgspec.structs.replace(phi_read(1), action="rag_query"),  # a tenant's own name
        SecurityEvent(event_type=EventType.SESSION_DENIED, event_id=event_id(2)),
        QualityEntry(
            event_id=event_id(3), request_id="r", model_id="m", model_version="1"
        ),
        Feedback(
            event_id=event_id(4),
            request_id="r",
            rater="hmac-sha256:1:" + "A" * 43,
            value=FeedbackValue.POSITIVE,
        ),
    ],
)
def test_a_record_comes_back_as_the_same_bytes(record: CallerRecord) -> None:
    """Other bytes under the same id would be a conflict with what the log has already."""
    line = encode_opened(record, unprotect)

    assert encode_opened(decode_spooled(line), unprotect) == line
    assert decode_spooled(line) == record


def test_what_waits_comes_back_in_order_between_start_and_end(place: Path) -> None:
    """Order, a beginning and an end with a count: else nobody could tell what waited."""
    with opened(place) as spool:
        spool.append([phi_read(0), phi_read(1)], NOW)
        spool.append([phi_read(2)], NOW + timedelta(seconds=7))
        records = list(drain(spool))
        again = list(drain(spool))
    begun, *middle, ended = records

    assert again == []
    assert middle == [phi_read(0), phi_read(1), phi_read(2)]
    assert isinstance(begun, AuditEvent)
    assert isinstance(ended, AuditEvent)
    assert begun.event_type is EventType.SPOOL_STARTED
    assert begun.timestamp_utc == "2026-11-21T12:00:00.000Z"
    assert (ended.event_type, ended.result_count) == (EventType.SPOOL_REPLAYED, 3)
    assert ended.timestamp_utc == "2026-11-21T12:00:07.000Z"
    assert ended.object_id == begun.object_id


def test_another_process_goes_on_where_one_died(place: Path) -> None:
    """A spool outlives the program that filled it."""
    with opened(place) as spool:
        spool.append([phi_read(0)], NOW)
        spool.append([phi_read(1)], NOW)
        rows = spool.next_rows(2)
        spool.mark_replayed(rows[1].number)
    with opened(place) as spool:
        assert (spool.rows, spool.events) == (1, 1)
        spool.append([phi_read(2)], NOW)

    assert kinds_and_ids(place) == [event_id(1), event_id(2), "spool_replayed"]


def test_a_row_that_was_not_forgotten_is_given_again(place: Path) -> None:
    """A crash between the log's commit and ours must lose nothing: the log takes it once."""
    fill(place, 2)
    with opened(place) as spool:
        first = spool.next_rows(10)
    with opened(place) as spool:
        assert spool.next_rows(10) == first


def test_a_retry_waits_once_and_other_content_is_refused(place: Path) -> None:
    """Two records under one id could not both go into the log."""
    with opened(place) as spool:
        spool.append([phi_read(1)], NOW)
        spool.append([phi_read(1), phi_read(2)], NOW)
        with pytest.raises(ConflictError, match="waits in the spool"):
            spool.append([msgspec.structs.replace(phi_read(1), user_id="x")], NOW)
        assert spool.events == 2


# --- bounds ---


def test_a_full_spool_refuses(place: Path) -> None:
    """Past the count nothing is acknowledged; what a call brings stands or falls together."""
    with opened(place, Limits(3600.0, 3)) as spool:
        spool.append([phi_read(0), phi_read(1)], NOW)
        with pytest.raises(StorageError, match="holds 2 events of at most 3"):
            spool.append([phi_read(2), phi_read(3)], NOW)
        spool.append([phi_read(2)], NOW)
        with pytest.raises(StorageError, match="holds 3 events"):
            spool.append([phi_read(3)], NOW)
        rows = spool.next_rows(2)
        spool.mark_replayed(rows[-1].number)
        spool.append([phi_read(3)], NOW)


def test_an_old_spool_refuses_until_the_oldest_is_in_the_log(place: Path) -> None:
    """A log that is down for hours must stop accesses, not fill a disk beside it."""
    with opened(place) as spool:
        spool.append([phi_read(0)], NOW)
        spool.append([phi_read(1)], NOW + timedelta(seconds=3600))
        late = NOW + timedelta(seconds=3601)
        with pytest.raises(StorageError, match="longer than the 3600 s"):
            spool.append([phi_read(2)], late)
        spool.mark_replayed(spool.next_rows(2)[-1].number)
        spool.append([phi_read(2)], late)


# --- what somebody does to the files ---


def swap(database: sqlite3.Connection) -> None:
    """Exchange two rows."""
    database.execute("UPDATE row SET number = 99 WHERE number = 2")
    database.execute("UPDATE row SET number = 2 WHERE number = 3")
    database.execute("UPDATE row SET number = 3 WHERE number = 99")


def close_ranks(database: sqlite3.Connection) -> None:
    """Remove a row and number the rest anew."""
    database.execute("DELETE FROM row WHERE number = 3")
    for number in (4, 5, 6):
        database.execute(
            "UPDATE row SET number = ? WHERE number = ?", (number - 1, number)
        )


ATTACKS: dict[str, Callable[[sqlite3.Connection], object]] = {
    "first": lambda d: d.execute("DELETE FROM row WHERE number = 1"),
    "middle": lambda d: d.execute("DELETE FROM row WHERE number = 3"),
    "tail": lambda d: d.execute("DELETE FROM row WHERE number >= 5"),
    "all": lambda d: d.execute("DELETE FROM row"),
    "head": lambda d: d.execute("DELETE FROM head"),
    "ranks": close_ranks,
    "swapped": swap,
    "doubled": lambda d: d.execute("INSERT INTO row SELECT 7, sealed FROM row LIMIT 1"),
    "cut": lambda d: d.execute(
        "UPDATE row SET sealed = substr(sealed, 1, length(sealed) - 1) WHERE number = 4"
    ),
    "bit": lambda d: d.execute(
        "UPDATE row SET sealed = sealed || x'00' WHERE number=4"
    ),
    "text": lambda d: d.execute("UPDATE row SET sealed = 'x' WHERE number = 4"),
    "head_bit": lambda d: d.execute("UPDATE head SET sealed = sealed || x'00'"),
}


@pytest.mark.drill
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_changed_spool_is_refused(
    place: Path, attack: Callable[[sqlite3.Connection], object]
) -> None:
    """A row that is removed, moved, cut off or added shows, and nothing is given out."""
    fill(place)
    with closing(sqlite3.connect(place / DATABASE)) as database:
        attack(database)
        database.commit()

    with pytest.raises(IntegrityError, match="spool is not what was written"):
        Spool.open(place, LIMITS, NOW)


@pytest.mark.drill
def test_rows_of_another_spool_are_refused(place: Path, tmp_path: Path) -> None:
    """What waited elsewhere, or for another log, is not this one's."""
    other = tmp_path / "other"
    fill(place)
    fill(other)
    with closing(sqlite3.connect(place / DATABASE)) as database:
        database.execute("ATTACH ? AS other", (str(other / DATABASE),))
        database.execute(
            "UPDATE row SET sealed = (SELECT sealed FROM other.row o "
            "WHERE o.number = row.number) WHERE number = 3"
        )
        database.commit()
    with pytest.raises(IntegrityError):
        Spool.open(place, LIMITS, NOW)
    shutil.copy(other / KEY, place / KEY)
    with pytest.raises(IntegrityError):
        Spool.open(place, LIMITS, NOW)


@pytest.mark.drill
def test_a_row_changed_under_an_open_spool_is_refused(place: Path) -> None:
    """Who waits for the log to come back must not read what somebody put there since."""
    with opened(place) as spool:
        for number in range(5):
            spool.append([phi_read(number)], NOW)
        with closing(sqlite3.connect(place / DATABASE)) as database:
            swap(database)
            database.commit()
        with pytest.raises(IntegrityError):
            spool.next_rows(10)
        with pytest.raises(IntegrityError):
            spool.append([phi_read(9)], NOW)


@pytest.mark.drill
def test_a_database_that_is_gone_is_not_made_anew(place: Path) -> None:
    """The key that stands there says that something waited, or may have."""
    fill(place)
    (place / DATABASE).unlink()

    with pytest.raises(IntegrityError, match="is gone, and its key stands there"):
        Spool.open(place, LIMITS, NOW)


def test_a_missing_or_open_key_is_named(place: Path) -> None:
    """A key made anew would make what waits unreadable in silence."""
    fill(place)
    key = (place / KEY).read_bytes()
    (place / KEY).chmod(0o640)
    with pytest.raises(ConfigError, match="readable by others"):
        Spool.open(place, LIMITS, NOW)
    (place / KEY).unlink()
    with pytest.raises(ConfigError, match="put it back"):
        Spool.open(place, LIMITS, NOW)
    (place / KEY).touch(mode=0o600)
    with pytest.raises(ConfigError, match="damaged"):
        Spool.open(place, LIMITS, NOW)
    (place / KEY).write_bytes(key)

    assert kinds_and_ids(place) == whole(5)


def test_two_processes_do_not_share_a_spool(place: Path) -> None:
    """Two would give the same numbers, and each replay what is the other's."""
    with opened(place), pytest.raises(ConfigError, match="a spool of its own"):
        Spool.open(place, LIMITS, NOW)


def test_nothing_stands_there_in_clear(place: Path) -> None:
    """The spool holds identifiers: whoever copies it without its key must see none."""
    record = AuditEvent(
        event_type=EventType.PHI_READ,
        event_id=event_id(1),
        user_id=CANARY,
        records=((Protected(CANARY), Protected(CANARY), "DocumentReference"),),
    )
    with opened(place) as spool:
        spool.append([record], NOW)
        for file in place.iterdir():
            assert CANARY.encode() not in file.read_bytes(), file.name
            assert event_id(1).encode() not in file.read_bytes(), file.name
            assert file.stat().st_mode & 0o077 == 0, file.name
    assert place.stat().st_mode & 0o077 == 0


# --- faults ---


@pytest.mark.parametrize("kind", list(Kind))
def test_every_statement_may_fail(memory_path: Path, kind: Kind) -> None:
    """What was acknowledged waits still, in order, and nothing waits twice."""
    at = 0
    for at in range(1000):
        place = memory_path / str(at)
        fault = Fault(kind, at)
        acknowledged = work(place, fault)
        fault.is_armed = False
        found = [one for one in kinds_and_ids(place) if one and "spool" not in one]

        assert [one for one in found if one in acknowledged] == acknowledged
        assert len(found) == len(set(found))
        if not fault.was_reached:
            break
    assert at > 20


@pytest.mark.parametrize("kind", list(Kind))
def test_every_statement_of_a_replay_may_fail(memory_path: Path, kind: Kind) -> None:
    """What waits is given until it is forgotten, in order, its end once."""
    at = 0
    for at in range(1000):
        place = memory_path / str(at)
        fill(place, 5)
        fault = Fault(kind, at)
        taken = take_all(place, fault)

        assert [one for one in taken if one in whole(5)] == whole(5)[1:-1]
        assert len(taken) == 7
        if not fault.was_reached:
            break
    assert at > 20


def take_all(place: Path, fault: Fault) -> list[str | None]:
    """Replay as a careful program does, into a log that takes each id once."""
    log: dict[str | None, None] = {}
    for _ in range(5):
        try:
            spool = Spool.open(place, LIMITS, NOW, connect=faulty_connect(fault))
        except StorageError:
            continue
        with closing(spool):
            try:
                while rows := spool.next_rows(2):
                    log |= {one.event_id: None for row in rows for one in row.records}
                    spool.mark_replayed(rows[-1].number)
            except StorageError:
                continue
        return list(log)
    raise AssertionError("one fault must not stop a careful program")


def work(place: Path, fault: Fault) -> list[str]:
    """Make a spool and fill it, as a careful program does; say what was acknowledged."""
    acknowledged: list[str] = []
    spool = None
    for number in range(4):
        for _ in range(3):
            try:
                if spool is None:
                    spool = Spool.open(
                        place, LIMITS, NOW, connect=faulty_connect(fault)
                    )
                spool.append([phi_read(number)], NOW)
            except StorageError as error:
                if spool is not None and isinstance(error, OutcomeUnknownError):
                    spool.close()
                    spool = None
            else:
                acknowledged.append(event_id(number))
                break
    if spool is not None:
        spool.close()
    return acknowledged


def test_the_making_of_a_spool_may_be_cut_short(place: Path) -> None:
    """A crash before anything was acknowledged must not need a person."""
    for leftovers in ([NEW_KEY], [NEW_KEY, DATABASE], [NEW_KEY, DATABASE + "-wal"]):
        place.mkdir(exist_ok=True)
        for name in leftovers:
            (place / name).write_bytes(b"cut")
        fill(place, 1)
        assert kinds_and_ids(place) == whole(1)
        shutil.rmtree(place)
