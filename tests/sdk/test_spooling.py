"""A log that is down: what the program records waits in the spool, and goes in once."""

import asyncio
import shutil
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import pytest
from tests.app.test_sources import credential_of, read
from tests.faults.test_situations import mounted, use_every_byte
from tests.trails import check_whole, copy_trail, event_id, phi_read, read_leaves

from phitrail.app import clock
from phitrail.app.config import Policy, read_tenant, write_config
from phitrail.app.pins import JOURNAL
from phitrail.app.wiring import OUTSIDE, open_trail
from phitrail.capture.spool import Limits, Spool, SpoolRow
from phitrail.capture.spool_files import DATABASE
from phitrail.errors import (
    ConfigError,
    ConflictError,
    InputError,
    IntegrityError,
    OutcomeUnknownError,
    StorageError,
    UnverifiableError,
)
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.canonical import CallerRecord, decode_leaf
from phitrail.events.codes import Action, EventType, Log, Outcome
from phitrail.events.ids import parse_time
from phitrail.events.security import SecurityEvent
from phitrail.sdk import AsyncTrail, Trail, aconnect, connect
from phitrail.sdk.backend import Backend
from phitrail.sdk.connect import SPOOL_VARIABLE
from phitrail.sdk.directory import Directory
from phitrail.sdk.offline import Offline
from phitrail.sdk.spooling import Spooling
from phitrail.tlog.receipt import Receipt, check_receipt

DEADLINE_S = 60.0
OURS = {EventType.SPOOL_STARTED: "started", EventType.SPOOL_REPLAYED: "replayed"}
STOP = (
    "CREATE TRIGGER stop BEFORE INSERT ON event "
    "BEGIN SELECT RAISE(ABORT, 'the log is down'); END"
)


@pytest.fixture
def spool_dir(tmp_path: Path) -> Path:
    """Where the spool of a test stands."""
    return tmp_path / "spool"


def take_down(directory: Path) -> None:
    """Let the journal refuse every entry, in whatever process."""
    with closing(sqlite3.connect(directory / JOURNAL)) as database:
        database.execute(STOP)


def bring_back(directory: Path) -> None:
    """Let the journal take entries again."""
    with closing(sqlite3.connect(directory / JOURNAL)) as database:
        database.execute("DROP TRIGGER stop")


@contextmanager
def down(directory: Path) -> Iterator[None]:
    """Run the block while the log takes nothing."""
    take_down(directory)
    yield
    bring_back(directory)


def spooling(trail: Trail | AsyncTrail) -> Spooling:
    """Look behind a trail."""
    backend = trail._backend
    assert isinstance(backend, Spooling)
    return backend


def until(is_done: Callable[[], bool]) -> None:
    """Wait for something, not for ever."""
    pause = threading.Event()
    for _ in range(int(DEADLINE_S / 0.01)):
        if is_done():
            return
        pause.wait(0.01)
    raise AssertionError("it did not happen in time")


def until_replayed(trail: Trail | AsyncTrail) -> None:
    """Wait until nothing waits."""
    until(lambda: not spooling(trail).is_down)


def story(directory: Path) -> list[str]:
    """Tell the audit log: numbers of events, and the events of ours by name."""
    numbers = {event_id(n): str(n) for n in range(2000)}
    told = []
    for leaf in check_whole(directory).leaves["audit"][1:]:
        event = decode_leaf(leaf)
        assert isinstance(event, AuditEvent)
        told.append(
            numbers.get(event.event_id or "")
            or OURS.get(event.event_type, event.event_type.value)
        )
    return told


def events(directory: Path, log: Log = Log.AUDIT) -> list[Any]:
    """Read the entries behind the genesis."""
    trail = open_trail(directory)
    try:
        return read_leaves(trail, log)[1:]
    finally:
        trail.close()


# --- the way there and back ---


def test_what_a_log_that_is_down_cannot_take_waits_and_goes_in_once(
    trail_dir: Path, spool_dir: Path
) -> None:
    """Order kept, a beginning and an end with a count, times as they were."""
    with connect(trail_dir, spool=spool_dir) as trail:
        assert not trail.record(phi_read(0)).is_spooled
        with down(trail_dir):
            given = [trail.record(phi_read(n)) for n in range(1, 4)]
            given += trail.record_many([phi_read(4), phi_read(5)])
            spooled_by = clock.now()
        until_replayed(trail)
        after = trail.record(phi_read(6))
    started, *waited, ended = events(trail_dir)[1:8]

    assert story(trail_dir) == ["0", "started", *"12345", "replayed", "6"]
    assert [one.is_spooled for one in [*given, after]] == [True] * 5 + [False]
    assert [one.event_id for one in given] == [event_id(n) for n in range(1, 6)]
    assert (started.object_id, ended.result_count) == (ended.object_id, 5)
    assert ended.outcome is Outcome.SUCCESS
    for event in waited:
        assert parse_time(event.timestamp_utc) <= spooled_by
        assert event.timestamp_utc <= event.received_at


def test_an_answer_goes_out_over_a_durable_row_only(
    trail_dir: Path, spool_dir: Path
) -> None:
    """A clinic must not stand still for a disk, and must not go unrecorded for one."""
    with connect(trail_dir, spool=spool_dir) as trail:
        take_down(trail_dir)
        with trail.access(user_id="dr-1", use_case="chart_qa") as access:
            access.retrieved([("mrn-1", "note-1", "DocumentReference")], query="why")
            answer = access.release("because")
        copy = shutil.copytree(spool_dir, spool_dir.with_name("copy"))
        bring_back(trail_dir)
    with closing(Spool.open(copy, Limits(60.0, 10), clock.now())) as spool:
        assert spool.events == 2
    kinds = [event.event_type.value for event in events(trail_dir)]

    assert answer == "because"
    assert [one.is_spooled for one in access.receipts] == [True, True]
    assert kinds == ["spool_started", "phi_read", "access_closed", "spool_replayed"]


def test_a_program_that_died_leaves_its_spool_to_the_next(
    trail_dir: Path, spool_dir: Path
) -> None:
    """A week later the same events go in, dated as they were, and counted as late."""
    then = clock.now() - timedelta(days=7)
    with closing(Spool.open(spool_dir, Limits(3600.0, 100), then)) as spool:
        for number in range(3):
            spool.append([phi_read(number)], then)
    with connect(trail_dir, spool=spool_dir) as trail:
        until_replayed(trail)
    started, first, *_ = events(trail_dir)

    assert story(trail_dir) == ["started", *"012", "replayed"]
    for event in (started, first):
        assert parse_time(event.timestamp_utc) - then < timedelta(seconds=1)
        assert parse_time(event.received_at) - then > timedelta(days=6)


@pytest.mark.drill
def test_a_week_long_spool_shows_as_late_and_not_as_missing(
    trail_dir: Path, spool_dir: Path
) -> None:
    """Numbers are given at the replay, so that waiting opens no gap in them."""
    credential = credential_of(trail_dir, "assistant")
    then = clock.now() - timedelta(days=7)
    with closing(Spool.open(spool_dir, Limits(3600.0, 100), then)) as spool:
        for number in range(3):
            spool.append([phi_read(number)], then)
    with connect(trail_dir, source=credential, spool=spool_dir) as trail:
        until_replayed(trail)
    found = read(trail_dir).found
    (epoch,) = found.epochs

    assert found.is_complete
    assert epoch.received == epoch.given == 7  # opening, started, 3, replayed, closing
    trail_ = open_trail(trail_dir)
    try:
        from phitrail.app.source_checks import read_sources_state  # noqa: PLC0415

        now = clock.now()
        week = read_sources_state(trail_, now - timedelta(days=8), now, now).found
    finally:
        trail_.close()
    assert sum(hour.late for hour in week.hours.values()) == 5


def test_a_source_goes_on_in_its_epoch_over_an_outage(
    trail_dir: Path, spool_dir: Path
) -> None:
    """An outage that the writer survives is no crash of the source."""
    credential = credential_of(trail_dir, "assistant")
    with connect(trail_dir, source=credential, spool=spool_dir) as trail:
        trail.record(phi_read(0))
        with down(trail_dir):
            trail.record(phi_read(1))
        until_replayed(trail)
    found = read(trail_dir)

    assert found.is_complete
    assert len(found.found.epochs) == 1


def test_a_log_that_is_down_at_the_start_is_waited_for(
    trail_dir: Path, spool_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that restarts in an outage goes on; its first contact comes later."""
    monkeypatch.setenv(SPOOL_VARIABLE, str(spool_dir))
    credential = credential_of(trail_dir, "assistant")
    take_down(trail_dir)
    trail = connect(trail_dir, source=credential)  # its epoch cannot be opened
    assert trail.record(phi_read(0)).is_spooled
    with pytest.raises(StorageError, match="the log is down"):
        trail.publish()
    bring_back(trail_dir)
    until_replayed(trail)
    trail.record(phi_read(1))
    trail.close()

    assert story(trail_dir)[-6:] == [
        "source_epoch_opened",
        "started",
        "0",
        "replayed",
        "1",
        "source_epoch_closed",
    ]


def test_a_trail_that_is_not_there_at_the_start_is_said_so(
    tmp_path: Path, spool_dir: Path
) -> None:
    """Texts are hashed under keys that stand in the trail: without them nothing can wait."""
    with pytest.raises(ConfigError, match="there is no"):
        connect(tmp_path / "not-mounted", spool=spool_dir)
    assert not spool_dir.exists()


def test_a_program_may_end_while_the_log_is_down(
    trail_dir: Path, spool_dir: Path
) -> None:
    """What waits is on disk; ending must neither hang nor lose it."""
    with connect(trail_dir, spool=spool_dir) as trail:
        take_down(trail_dir)
        trail.record(phi_read(0))
    bring_back(trail_dir)
    with connect(trail_dir, spool=spool_dir) as trail:
        trail.record(phi_read(1))
        until_replayed(trail)

    assert sorted(story(trail_dir)) == sorted(["started", "0", "1", "replayed"])
    assert story(trail_dir).index("0") < story(trail_dir).index("1")


# --- what is not spooled ---


def test_what_the_log_would_refuse_is_refused_at_once(
    trail_dir: Path, spool_dir: Path
) -> None:
    """An acknowledged event that the log will not take would be lost hours later."""
    bad: list[CallerRecord] = [
        msgspec.structs.replace(phi_read(2), user_role="wizard"),
        msgspec.structs.replace(phi_read(2), user_id="Jane Doe"),
        msgspec.structs.replace(phi_read(2), received_at="2026-11-21T12:00:00.000Z"),
        msgspec.structs.replace(phi_read(2), event_id="2"),
    ]
    with connect(trail_dir, spool=spool_dir) as trail:
        take_down(trail_dir)
        trail.record(phi_read(1))
        for record in bad:
            with pytest.raises(InputError):
                trail.record(record)
        with pytest.raises(InputError):
            trail.record("phi_read")  # type: ignore[arg-type]  # what a caller may write
        assert spooling(trail)._spool.events == 1
        bring_back(trail_dir)


def test_an_action_of_the_house_s_own_waits_as_it_was_said(
    trail_dir: Path, spool_dir: Path
) -> None:
    """It is exchanged at the door, at the replay as ever."""
    (trail_dir / "tenant.yaml").write_text(
        (trail_dir / "tenant.yaml").read_text().replace("actions: {}", "")
        + "\nactions:\n  rag_query: query\n"
    )
    event = msgspec.structs.replace(phi_read(1), action="rag_query")
    with connect(trail_dir, spool=spool_dir) as trail:
        with down(trail_dir):
            trail.record(event)
        until_replayed(trail)
        assert not trail.record(event).is_spooled
    _, replayed, _ = events(trail_dir)

    assert replayed.action is Action.QUERY


def test_past_its_bounds_the_access_is_refused(
    trail_dir: Path, spool_dir: Path
) -> None:
    """There is no third place: what neither takes must not be released."""
    write_config(trail_dir, read_tenant(trail_dir), Policy(spool_events=2))
    with connect(trail_dir, spool=spool_dir) as trail:
        take_down(trail_dir)
        trail.record_many([phi_read(0), phi_read(1)])
        with (
            pytest.raises(StorageError, match="of at most 2"),
            trail.access(user_id="dr-1") as access,
        ):
            access.infer(model_id="extractive-demo", model_version="1")
        bring_back(trail_dir)
        until_replayed(trail)
        trail.record(phi_read(2))

    assert story(trail_dir) == ["started", "0", "1", "replayed", "2"]


def test_without_a_spool_nothing_changes(trail_dir: Path) -> None:
    """It is off unless somebody asked for it."""
    with connect(trail_dir) as trail:
        take_down(trail_dir)
        with pytest.raises(StorageError):
            trail.record(phi_read(0))
        bring_back(trail_dir)


def test_a_conflict_found_at_the_replay_is_recorded_and_counted(
    trail_dir: Path, spool_dir: Path
) -> None:
    """It must neither stop what waits behind it nor vanish."""
    with connect(trail_dir) as trail:
        trail.record(phi_read(1))
    with connect(trail_dir, spool=spool_dir) as trail:
        with down(trail_dir):
            trail.record(phi_read(0))
            trail.record(msgspec.structs.replace(phi_read(1), user_id="other"))
            trail.record(phi_read(2))
        until_replayed(trail)
        with pytest.raises(ConflictError):
            trail.record(msgspec.structs.replace(phi_read(2), user_id="other"))
    ended = events(trail_dir)[-1]
    (conflict, *_) = events(trail_dir, Log.SECURITY)

    assert story(trail_dir) == ["1", "started", "0", "2", "replayed"]
    assert (ended.result_count, ended.outcome) == (2, Outcome.FAILED)
    assert conflict.event_type is EventType.EVENT_ID_CONFLICT


def test_a_term_that_was_taken_off_its_list_keeps_the_replay_waiting(
    trail_dir: Path, spool_dir: Path
) -> None:
    """What was acknowledged is never dropped for a list that somebody edited."""
    terms = (trail_dir / "tenant.yaml").read_text()
    then = clock.now()
    event = msgspec.structs.replace(phi_read(0), user_role="nurse")
    with closing(Spool.open(spool_dir, Limits(3600.0, 100), then)) as spool:
        spool.append([event], then)
    (trail_dir / "tenant.yaml").write_text(terms.replace("  - nurse\n", ""))
    with connect(trail_dir, spool=spool_dir) as trail:
        until(lambda: isinstance(spooling(trail).last_error, InputError))
        assert trail.record(phi_read(1)).is_spooled
        (trail_dir / "tenant.yaml").write_text(terms)
        until_replayed(trail)

    assert story(trail_dir) == ["started", "0", "1", "replayed"]


def test_a_log_that_does_not_verify_is_never_bridged(
    trail_dir: Path, spool_dir: Path
) -> None:
    """A log that was cut must stop the program, not send its records elsewhere."""
    with connect(trail_dir) as trail:
        trail.record(phi_read(0))
        trail.publish()
    backup = (trail_dir / "public/audit/checkpoint").read_bytes()
    trail = connect(trail_dir, spool=spool_dir)
    with closing(sqlite3.connect(trail_dir / JOURNAL)) as database:
        database.execute("UPDATE log SET root = zeroblob(32) WHERE name = 'audit'")
        database.commit()
    with pytest.raises(IntegrityError):
        trail.record(phi_read(1))
    with pytest.raises(IntegrityError):
        trail.record(phi_read(2))

    assert spooling(trail)._spool.rows == 0
    (trail_dir / OUTSIDE / "kept").write_bytes(backup)
    with pytest.raises(IntegrityError):
        trail.close()
    with pytest.raises(StorageError, match="closed"):
        trail.record(phi_read(3))


# --- nobody knows ---


class Doubtful:
    """A directory that answers "nobody knows" once, having kept the records or not."""

    def __init__(self, directory: Path, *, is_kept: bool) -> None:
        self._directory = Directory(directory)
        self._is_kept = is_kept
        self.is_armed = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._directory, name)

    def record_many(
        self,
        records: Sequence[CallerRecord],
        now: datetime,
        times: Mapping[str, str] = MappingProxyType({}),
    ) -> tuple[Receipt, ...]:
        """Record them, or not, and say neither."""
        if not self.is_armed:
            return self._directory.record_many(records, now, times)
        self.is_armed = False
        if self._is_kept:
            self._directory.record_many(records, now, times)
        raise OutcomeUnknownError("nobody knows")


@pytest.mark.parametrize("is_kept", [False, True])
def test_what_may_have_been_kept_is_recorded_once(
    trail_dir: Path, spool_dir: Path, *, is_kept: bool
) -> None:
    """A commit of unknown outcome, replayed by its id, is one event in either case."""
    opened: list[Backend] = []

    def open_log() -> Backend:
        log: Any = (
            Directory(trail_dir) if opened else Doubtful(trail_dir, is_kept=is_kept)
        )
        opened.append(log)
        return log  # type: ignore[no-any-return]  # it does as a backend does

    now = clock.now()
    offline = Offline(trail_dir, None, now)
    spool = Spool.open(spool_dir, offline.limits, now)
    backend = Spooling(offline, spool, open_log)
    backend.open()
    backend.start()
    with Trail(backend) as trail:
        unnamed: CallerEvent = AuditEvent(
            event_type=EventType.AI_INFERENCE, user_id="dr-1"
        )
        assert trail.record(unnamed).is_spooled
        until_replayed(trail)
        trail.record(phi_read(1))

    assert len(opened) == 2, "the writer was not opened again"
    assert sorted(story(trail_dir)) == ["1", "ai_inference", "replayed", "started"]


def test_another_journal_in_the_same_place_is_opened_anew(
    trail_dir: Path, spool_dir: Path
) -> None:
    """A disk that was mounted again has the same names and other files."""
    with connect(trail_dir, spool=spool_dir) as trail:
        trail.record(phi_read(0))
        trail.publish()
        take_down(trail_dir)
        trail.record(phi_read(1))
        with closing(sqlite3.connect(trail_dir / JOURNAL)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        before = trail._backend._log  # type: ignore[attr-defined]
        new = trail_dir / "new.db"
        shutil.copy(trail_dir / JOURNAL, new)
        with closing(sqlite3.connect(new)) as database:
            database.execute("DROP TRIGGER stop")
        for rest in (trail_dir / "state").glob("journal.db-*"):
            rest.unlink()
        new.rename(trail_dir / JOURNAL)
        until_replayed(trail)
        assert trail._backend._log is not before  # type: ignore[attr-defined]

    assert story(trail_dir) == ["0", "started", "1", "replayed"]


# --- what a receipt says ---


def test_a_spooled_receipt_is_no_promise(trail_dir: Path, spool_dir: Path) -> None:
    """Nobody may take it for evidence that a log holds the event."""
    with connect(trail_dir, spool=spool_dir) as trail:
        take_down(trail_dir)
        receipt = trail.record(phi_read(0))
        with pytest.raises(UnverifiableError, match="waits in the spool"):
            trail.wait(receipt)
        with pytest.raises(IntegrityError, match="names no entry"):
            check_receipt(receipt, {})
        with pytest.raises(InputError, match="was spooled"):
            Receipt.from_json(receipt.to_json())
        bring_back(trail_dir)
        until_replayed(trail)
        again = trail.record(phi_read(0))
        trail.wait(again)

    assert (receipt.positions, receipt.promises) == ((), {})
    assert again.positions[0].index == 2


# --- what somebody does to it ---


@pytest.mark.drill
def test_a_changed_spool_stops_the_start_and_is_recorded(
    trail_dir: Path, spool_dir: Path
) -> None:
    """The log says that something waited which nobody can vouch for any more."""
    now = clock.now()
    with closing(Spool.open(spool_dir, Limits(3600.0, 100), now)) as spool:
        for number in range(3):
            spool.append([phi_read(number)], now)
    with closing(sqlite3.connect(spool_dir / DATABASE)) as database:
        database.execute("DELETE FROM row WHERE number = 3")
        database.commit()
    with pytest.raises(IntegrityError, match="row 3 is missing"):
        connect(trail_dir, spool=spool_dir)
    failure, *_alerts = events(trail_dir, Log.SECURITY)

    assert story(trail_dir) == []
    assert isinstance(failure, SecurityEvent)
    assert failure.event_type is EventType.INTEGRITY_FAILED
    assert failure.object_id is not None
    assert failure.object_id.startswith("spool:")


@pytest.mark.drill
def test_a_spool_changed_under_a_program_stops_it_and_is_recorded(
    trail_dir: Path, spool_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the outage and its end, too."""
    is_changed = threading.Event()
    next_rows = Spool.next_rows

    def rows_once_changed(spool: Spool, at_most: int) -> list[SpoolRow]:
        """Read nothing before the change: rows that were read in time may be replayed."""
        assert is_changed.wait(DEADLINE_S)
        return next_rows(spool, at_most)

    monkeypatch.setattr(Spool, "next_rows", rows_once_changed)
    trail = connect(trail_dir, spool=spool_dir)
    take_down(trail_dir)
    for number in range(3):
        trail.record(phi_read(number))
    with closing(sqlite3.connect(spool_dir / DATABASE)) as database:
        database.execute("UPDATE row SET sealed = zeroblob(99) WHERE number = 3")
        database.commit()
    bring_back(trail_dir)
    is_changed.set()
    until(lambda: spooling(trail).failure is not None)
    with pytest.raises(IntegrityError):
        trail.record(phi_read(9))
    trail.close()
    failure, *_alerts = events(trail_dir, Log.SECURITY)

    assert story(trail_dir) == []
    assert failure.event_type is EventType.INTEGRITY_FAILED


# --- event loops and threads ---


def run(directory: Path, spool: Path, scenario: Callable[[AsyncTrail], Any]) -> Any:
    """Run a scenario over an open trail."""

    async def opened() -> Any:
        async with await aconnect(directory, spool=spool) as trail:
            return await scenario(trail)

    return asyncio.run(opened())


def test_event_loops_spool_and_cancelled_callers_harm_nobody(
    trail_dir: Path, spool_dir: Path
) -> None:
    """Who gives up waiting must not take others' records along, nor leave one twice."""

    async def scenario(trail: AsyncTrail) -> list[Receipt]:
        take_down(trail_dir)
        first: Awaitable[Receipt] = trail.record(phi_read(0))
        given = [await first]
        tasks = [asyncio.create_task(trail.record(phi_read(n))) for n in range(1, 200)]
        await asyncio.sleep(0)
        for task in tasks[::3]:
            task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        given += [one for one in done if isinstance(one, Receipt)]
        bring_back(trail_dir)
        await asyncio.to_thread(until_replayed, trail)
        return given

    given = run(trail_dir, spool_dir, scenario)
    told = story(trail_dir)
    numbers = [one for one in told if one.isdigit()]
    by_id = {event_id(n): str(n) for n in range(200)}

    assert all(one.is_spooled for one in given)
    assert len(given) > 100
    assert {by_id[one.event_id] for one in given} <= set(numbers)
    assert len(numbers) == len(set(numbers))
    assert (told[0], told[-1]) == ("started", "replayed")


def test_threads_through_outages_lose_and_double_nothing(
    trail_dir: Path, spool_dir: Path
) -> None:
    """Records keep coming while the log goes and comes back, three times."""
    given: list[Receipt] = []
    with connect(trail_dir, spool=spool_dir) as trail:

        def work(start: int) -> None:
            for number in range(start, start + 100):
                given.append(trail.record(phi_read(number)))  # noqa: PERF401

        workers = [threading.Thread(target=work, args=(n * 100,)) for n in range(4)]
        for worker in workers:
            worker.start()
        for _ in range(3):
            with down(trail_dir):
                until(lambda: spooling(trail).is_down or not any_alive(workers))
            until(lambda: not spooling(trail).is_down)
        for worker in workers:
            worker.join()
        until_replayed(trail)
    numbers = [int(one) for one in story(trail_dir) if one.isdigit()]

    assert len(given) == 400
    assert sorted(numbers) == list(range(400))
    for start in range(0, 400, 100):
        mine = [n for n in numbers if start <= n < start + 100]
        assert mine == sorted(mine), "one thread's records changed places"


def any_alive(workers: Sequence[threading.Thread]) -> bool:
    """Say whether a thread still works."""
    return any(worker.is_alive() for worker in workers)


# --- a disk that is full indeed ---


def test_a_full_disk_is_bridged_and_a_second_one_is_not(
    founded: Path, tmp_path: Path
) -> None:
    """The real thing: no room for the journal, then none for the spool either."""
    with (
        mounted(tmp_path / "log", "-t", "tmpfs", "-o", "size=3m", "none") as disk,
        mounted(tmp_path / "own", "-t", "tmpfs", "-o", "size=1m", "none") as own,
    ):
        directory = copy_trail(founded, disk / "trail")
        trail = connect(directory, receipts=None, spool=own / "spool")
        trail.record(phi_read(0))
        use_every_byte(disk)
        given: list[Receipt] = []
        record_until(trail, given, lambda receipt: receipt.is_spooled)
        use_every_byte(own)
        with pytest.raises(StorageError):
            record_until(trail, given, lambda _: False)
        (own / "ballast").unlink()
        (disk / "ballast").unlink()
        trail.close()
        with connect(directory, receipts=None, spool=own / "spool") as trail:
            until_replayed(trail)
        told = story(directory)

    assert {str(n) for n in range(len(given) + 1)} <= set(told)
    assert len(told) == len(set(told)), "something stands there twice"


def record_until(
    trail: Trail, given: list[Receipt], is_enough: Callable[[Receipt], bool]
) -> None:
    """Record events until a receipt is what was waited for; keep each."""
    for number in range(len(given) + 1, 2000):
        given.append(trail.record(phi_read(number)))
        if is_enough(given[-1]):
            return
