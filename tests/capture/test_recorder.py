"""The one door: once, in order, anonymous, all or nothing, and no text in an error."""

import asyncio
import traceback
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.trails import NOW, check_whole, event_id, phi_read, read_leaves

from phitrail.app.wiring import Trail, open_trail
from phitrail.capture import recorder as module
from phitrail.errors import ConflictError, InputError, StorageError
from phitrail.events.audit import AuditEvent
from phitrail.events.canonical import CallerRecord
from phitrail.events.codes import EventType, Log
from phitrail.events.protected import Protected
from phitrail.events.quality import QualityEntry
from phitrail.events.security import SecurityEvent
from phitrail.tlog.receipt import Receipt

CANARY = "Canary Wilhelmina Quux 1899"


@pytest.fixture
def trail(trail_dir: Path) -> Iterator[Trail]:
    """Give an open trail."""
    opened = open_trail(trail_dir)
    yield opened
    opened.close()


def leaf_of(trail: Trail, receipt: Receipt, part: int = 0) -> AuditEvent[str, str, str]:
    """Read back one leaf of a receipt."""
    place = receipt.positions[part]
    leaf = read_leaves(trail, Log(place.log))[place.index]
    assert isinstance(leaf, AuditEvent)
    return leaf


def with_records(number: int, *records: Any, **fields: Any) -> Any:
    """Give an event about records."""
    return AuditEvent(
        event_type=EventType.PHI_READ,
        event_id=event_id(number),
        records=records,
        **fields,
    )


def triple(patient: str, record: str) -> tuple[Protected[str], Protected[str], str]:
    """Give one record."""
    return Protected(patient), Protected(record), "DocumentReference"


def sizes(trail: Trail) -> dict[str, int]:
    """Count the entries of each log."""
    return {log.value: len(read_leaves(trail, log)) for log in Log}


# --- once ---


def test_a_retry_gets_the_first_receipt(trail: Trail) -> None:
    """A caller that lost its answer must not record twice, hours later either."""
    first = trail.recorder.record(phi_read(1), NOW)
    again = trail.recorder.record(phi_read(1), NOW + timedelta(hours=1))

    assert first.positions == again.positions
    assert sizes(trail)["audit"] == 2


def test_a_retry_through_another_opening_gets_the_first_receipt(
    trail_dir: Path,
) -> None:
    """A restart between the two must not matter."""
    receipts = []
    for _ in range(2):
        opened = open_trail(trail_dir)
        receipts.append(opened.recorder.record(phi_read(1), NOW))
        opened.close()

    assert receipts[0].positions == receipts[1].positions


@pytest.mark.drill
def test_the_same_id_with_other_content_is_refused_and_recorded(trail: Trail) -> None:
    """Whoever tries to overwrite an event must leave a trace."""
    trail.recorder.record(phi_read(1), NOW)
    with pytest.raises(ConflictError, match="use a new event_id") as caught:
        trail.recorder.record(with_records(1, triple("other", "other")), NOW)
    (_, event) = read_leaves(trail, Log.SECURITY)

    assert caught.value.event_id == event_id(1)
    assert isinstance(event, SecurityEvent)
    assert event.event_type is EventType.EVENT_ID_CONFLICT
    assert event.object_id == event_id(1)
    assert sizes(trail) == {"audit": 2, "security": 2, "quality": 1}


def test_a_conflict_in_a_batch_names_its_own_id_alone(trail: Trail) -> None:
    """The innocent events of a batch must not stand there as attempts."""
    trail.recorder.record(phi_read(1), NOW)
    bad = with_records(1, triple("other", "other"))
    with pytest.raises(ConflictError):
        asyncio.run(
            trail.recorder.record_many_async((phi_read(2), bad, phi_read(3)), NOW)
        )

    assert sizes(trail) == {"audit": 2, "security": 2, "quality": 1}
    event = read_leaves(trail, Log.SECURITY)[1]
    assert isinstance(event, SecurityEvent)
    assert event.object_id == event_id(1)


def test_an_id_twice_in_one_call_is_refused(trail: Trail) -> None:
    """Which of the two would stand there could not be said."""
    with pytest.raises(InputError, match=r"^event_id: must differ"):
        trail.recorder.record_many((phi_read(1), phi_read(1)), NOW)

    assert sizes(trail)["audit"] == 1


def test_events_without_an_id_are_events_of_their_own(trail: Trail) -> None:
    """Two equal accesses without an id happened twice."""
    event: Any = AuditEvent(event_type=EventType.AI_INFERENCE)
    one, other = (trail.recorder.record(event, NOW) for _ in range(2))

    assert one.event_id != other.event_id
    assert one.positions != other.positions


# --- all or nothing ---


def test_a_call_over_three_logs_is_one_transaction(trail: Trail) -> None:
    """An access and what came of it must not be torn apart."""
    batch: tuple[CallerRecord, ...] = (
        phi_read(1),
        SecurityEvent(event_type=EventType.SESSION_DENIED, event_id=event_id(2)),
        QualityEntry(
            event_id=event_id(3),
            request_id="r-1",
            model_id="extractive-demo",
            model_version="1",
        ),
    )
    receipts = trail.recorder.record_many(batch, NOW)

    assert [r.positions[0].log for r in receipts] == ["audit", "security", "quality"]
    assert all(set(r.promises) == set(sizes(trail)) for r in receipts)
    assert sizes(trail) == {"audit": 2, "security": 2, "quality": 2}


def test_one_bad_event_keeps_the_whole_call_out(trail: Trail) -> None:
    """Half a batch would leave the caller guessing."""
    bad: Any = AuditEvent(event_type=EventType.AI_INFERENCE, user_role="not_a_role")
    with pytest.raises(InputError, match=r"^user_role: "):
        trail.recorder.record_many((phi_read(1), bad), NOW)

    assert sizes(trail)["audit"] == 1


def test_nothing_is_no_call(trail: Trail) -> None:
    """An empty call is a mistake of the caller, not a success."""
    with pytest.raises(InputError, match="at least one"):
        trail.recorder.record_many((), NOW)


def test_many_records_go_in_parts_of_one_transaction(trail: Trail) -> None:
    """A leaf has 32 KiB; an export of a ward has more records than fit."""
    records = [triple(f"m-{n}", f"n-{n}") for n in range(450)]
    receipt = trail.recorder.record(with_records(1, *records), NOW)
    again = trail.recorder.record(with_records(1, *records), NOW)
    parts = [leaf_of(trail, receipt, part) for part in range(3)]

    assert again.positions == receipt.positions
    assert [place.index for place in receipt.positions] == [1, 2, 3]
    assert [(p.part, p.parts, len(p.records)) for p in parts] == [
        (0, 3, 200),
        (1, 3, 200),
        (2, 3, 50),
    ]
    assert len({p.nonce for p in parts}) == 3
    assert {p.event_id for p in parts} == {event_id(1)}
    assert len({p for part in parts for p in part.records}) == 450


def test_as_many_records_as_fit_stay_one_leaf(trail: Trail) -> None:
    """A part number where there is one part would say that others are missing."""
    records = [triple("m", f"n-{n}") for n in range(module.RECORDS_IN_A_PART)]
    receipt = trail.recorder.record(with_records(1, *records), NOW)

    assert leaf_of(trail, receipt).part is None
    assert len(receipt.positions) == 1


# --- anonymous ---


def test_identifiers_become_surrogates(trail: Trail, trail_dir: Path) -> None:
    """A leaf that names a patient cannot be taken back."""
    receipt = trail.recorder.record(
        with_records(
            1,
            triple(CANARY, "n-1"),
            triple(CANARY, "n-2"),
            user_id="who@clinic.example",
            on_behalf_of="other@clinic.example",
            resource_id=Protected("n-1"),
            resource_type="DocumentReference",
        ),
        NOW,
    )
    leaf = leaf_of(trail, receipt)
    (first, second) = leaf.records
    trail.close()

    assert len(first[0]) == 43
    assert first[0] == second[0]
    assert first[1] != second[1]
    assert leaf.resource_id == first[1]
    assert str(leaf.user_id).startswith("usr-")
    assert leaf.user_id != leaf.on_behalf_of
    for place in trail_dir.rglob("*"):
        if place.is_file():
            data = place.read_bytes()
            assert CANARY.encode() not in data
            assert b"who@clinic.example" not in data


def test_an_opaque_user_stays(trail: Trail) -> None:
    """Staff numbers are what an officer searches for."""
    assert leaf_of(trail, trail.recorder.record(phi_read(1), NOW)).user_id == "dr-0012"


def test_an_unknown_patient_is_said_to_be_unknown(trail: Trail) -> None:
    """An empty patient without the flag would look like a defect."""
    leaf = leaf_of(
        trail, trail.recorder.record(with_records(1, triple("", "n-1")), NOW)
    )

    assert leaf.records[0][0] == ""
    assert leaf.patient_unknown is True


def test_no_two_leaves_are_alike(trail: Trail) -> None:
    """Without a nonce an entry could be guessed from its leaf hash."""
    event: Any = AuditEvent(event_type=EventType.AI_INFERENCE)
    hashes = {
        trail.recorder.record(event, NOW).positions[0].leaf_hash for _ in range(5)
    }

    assert len(hashes) == 5


# --- what is refused ---


@pytest.mark.parametrize(
    "fields",
    [
        {"received_at": "2026-11-21T12:00:00.000Z"},
        {"nonce": "A" * 22},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_what_the_log_adds_may_not_come_from_a_caller(
    trail: Trail, fields: dict[str, str]
) -> None:
    """A caller that sets the time of receipt can back-date."""
    with pytest.raises(InputError, match="is set by the log"):
        trail.recorder.record(with_records(1, **fields), NOW)


def said(error: BaseException) -> str:
    """Give all that an error shows: texts, causes and contexts, traceback included."""
    seen: list[BaseException] = []
    rest: list[BaseException | None] = [error]
    while rest:
        one = rest.pop()
        if one is not None and one not in seen:
            seen.append(one)
            rest += [one.__cause__, one.__context__]
    shown = [text for one in seen for text in (str(one), repr(one), repr(one.args))]
    return "\n".join([*shown, *traceback.format_exception(error)])


REFUSED: dict[str, dict[str, Any]] = {
    "plain identifier": {"records": ((CANARY, CANARY, "Patient"),)},
    "pair": {"records": ((Protected(CANARY), Protected(CANARY)),)},
    "no list": {"records": 7},
    "long identifier": {"records": (triple(CANARY * 9, "n"),)},
    "identifier with a line": {"records": (triple(CANARY + "\n", "n"),)},
    "lone surrogate": {"records": (triple(CANARY + "\ud800", "n"),)},
    "number": {"records": ((Protected(7), Protected(8), "Patient"),)},
    "resource type": {"records": ((Protected("m"), Protected("n"), CANARY),)},
    "resource id": {"resource_id": CANARY},
    "user": {"user_id": CANARY},
    "role": {"user_role": CANARY},
    "use case": {"use_case": "canary wilhelmina"},
    "hash": {"query_hash": CANARY},
    "event id": {"event_id": CANARY},
    "time": {"timestamp_utc": CANARY},
    "count": {"latency_us": CANARY},
    "action": {"action": CANARY},
    "type": {"event_type": CANARY},
    "address": {"source_ip": CANARY},
    "bytes": {"session_id": CANARY.encode()},
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_a_refusal_names_the_field_and_never_the_value(trail: Trail, case: str) -> None:
    """Errors land in logs, tickets and mails: a value there is PHI out of hand."""
    fields = {"event_type": EventType.PHI_READ, **REFUSED[case]}
    event: Any = AuditEvent(**fields)
    with pytest.raises(InputError) as caught:
        trail.recorder.record(event, NOW)
    with pytest.raises(InputError) as caught_async:
        asyncio.run(trail.recorder.record_async(event, NOW))

    for error in (caught.value, caught_async.value):
        assert error.field
        assert error.rule
        assert "anary" not in said(error)
    assert sizes(trail) == {"audit": 1, "security": 1, "quality": 1}


def test_a_log_that_is_down_says_so_without_values(trail: Trail) -> None:
    """The error of a storage failure is the one that is surely logged."""
    trail.recorder.record(phi_read(1), NOW)
    trail.stop_writing()
    with pytest.raises(StorageError) as caught:
        trail.recorder.record(with_records(2, triple(CANARY, CANARY)), NOW)

    assert "anary" not in said(caught.value)


def test_a_conflict_says_so_without_values(trail: Trail) -> None:
    """Neither the first content nor the second belongs into an error."""
    trail.recorder.record(with_records(1, triple(CANARY, "a")), NOW)
    with pytest.raises(ConflictError) as caught:
        trail.recorder.record(with_records(1, triple(CANARY, "b")), NOW)

    assert "anary" not in said(caught.value)


# --- many callers ---


def test_threads_tasks_and_batches_make_one_whole_log(
    trail: Trail, trail_dir: Path
) -> None:
    """Whatever mixture of callers there is, everyone's receipt is true."""

    async def run() -> list[Receipt]:
        waiting = [
            asyncio.to_thread(trail.recorder.record, phi_read(n), NOW)
            for n in range(30)
        ]
        tasks = [trail.recorder.record_async(phi_read(n), NOW) for n in range(30, 90)]
        return list(await asyncio.gather(*waiting, *tasks))

    receipts = asyncio.run(run())
    trail.close()
    whole = check_whole(trail_dir)

    assert len(whole.leaves["audit"]) == 91
    whole.check_holds(receipts, trail_dir)


def test_an_emptied_cache_of_subjects_changes_nothing(
    trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A surrogate that was pushed out is read again, never invented."""
    first = leaf_of(trail, trail.recorder.record(phi_read(1), NOW)).records
    monkeypatch.setattr("phitrail.identity.map.CACHE_SUBJECTS", 0)
    trail.identity.resolve([("mrn", "another")])
    event: Any = AuditEvent(event_type=EventType.PHI_READ, records=phi_read(1).records)

    assert first == leaf_of(trail, trail.recorder.record(event, NOW)).records
