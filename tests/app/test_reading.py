"""Reads record themselves first, and show nothing if that fails."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.trails import NOW, event_id, phi_read, record_events

from phitrail.app.reading import (
    newer_entries,
    prove_entry,
    record_read,
    show_entries,
    system_user,
    tail_entries,
)
from phitrail.app.running import RunningTrail, run_trail
from phitrail.app.wiring import Trail, open_trail
from phitrail.errors import InputError, StorageError
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.codes import EventType, Log
from phitrail.events.protected import Protected
from phitrail.tlog.checkpoint import open_checkpoint
from phitrail.tlog.hashing import hash_leaf
from phitrail.tlog.note import parse_vkey
from phitrail.tlog.proof import verify_inclusion
from phitrail.tlog.proof_file import parse_proof

READER = "officer-7"


def _leaves(trail: Trail, log: Log = Log.AUDIT) -> list[dict[str, Any]]:
    with closing(trail.reader(log)) as reader:
        return [json.loads(leaf) for leaf in reader.entries(0, reader.size())]


def _reads(trail: Trail) -> list[dict[str, Any]]:
    return [e for e in _leaves(trail) if e.get("event_type") == "audit_log_read"]


def _fill(trail: Trail, count: int) -> None:
    trail.recorder.record_many([phi_read(n) for n in range(count)], NOW)


@pytest.mark.drill
def test_showing_an_entry_leaves_one_record_of_who_read_what(trail_dir: Path) -> None:
    """A log that can be read unseen protects nobody (45 CFR 164.312(b))."""
    with run_trail(trail_dir) as running:
        _fill(running.parts, 5)
        shown = show_entries(running.parts, Log.AUDIT, "3", by=READER, now=NOW)
        (read,) = _reads(running.parts)

    assert [entry.index for entry in shown] == [3]
    assert hash_leaf(shown[0].leaf) == shown[0].leaf_hash
    expected = {
        "user_id": READER,
        "attribution_basis": "static",
        "read_log": "audit",
        "reason_code": "log_show",
        "result_count": 1,
        "object_id": "audit:3",
    }
    assert expected == {name: read[name] for name in expected}


def test_an_event_id_shows_every_part_of_its_event(trail_dir: Path) -> None:
    """An access to 450 records stands in three parts; two of them are not the event."""
    records = tuple(
        (Protected(f"mrn-{n}"), Protected(f"note-{n}"), "Observation")
        for n in range(450)
    )
    event: CallerEvent = AuditEvent(
        event_type=EventType.PHI_READ, event_id=event_id(1), records=records
    )
    with run_trail(trail_dir) as running:
        running.parts.recorder.record(event, NOW)
        shown = show_entries(running.parts, Log.AUDIT, event_id(1), by=READER, now=NOW)
        (read,) = _reads(running.parts)
        with pytest.raises(InputError, match="3 parts"):
            prove_entry(running, Log.AUDIT, event_id(1), by=READER, now=NOW)

    assert [entry.index for entry in shown] == [1, 2, 3]
    assert read["result_count"] == 3


def test_nothing_is_shown_when_the_read_cannot_be_recorded(trail_dir: Path) -> None:
    """Shown first and recorded later means: shown without a record, some day."""
    trail = open_trail(trail_dir)
    try:
        trail.stop_writing()
        with pytest.raises(StorageError):
            show_entries(trail, Log.AUDIT, "0", by=READER, now=NOW)
        with pytest.raises(StorageError):
            tail_entries(trail, Log.AUDIT, 1, by=READER, now=NOW)
    finally:
        trail.close()


@pytest.mark.parametrize(
    ("wanted", "rule"),
    [
        ("1", "holds entries 0 to 0"),
        ("99999999999999999999", "holds entries"),
        ("-1", "an index or an event id"),
        ("\u0663", "an index or an event id"),
        ("mrn-0012", "an index or an event id"),
        (event_id(7), "no log holds"),
    ],
)
def test_an_entry_that_is_not_there_is_refused_unrecorded(
    trail_dir: Path, wanted: str, rule: str
) -> None:
    """A read of nothing is no read; and the message must not repeat what was typed."""
    with run_trail(trail_dir) as running:
        with pytest.raises(InputError, match=rule) as refused:
            show_entries(running.parts, Log.AUDIT, wanted, by=READER, now=NOW)
        reads = _reads(running.parts)

    assert reads == []
    assert wanted == "1" or wanted not in str(refused.value)


def test_an_event_of_another_log_is_named_with_its_log(trail_dir: Path) -> None:
    """Whoever holds an id must not have to try three logs."""
    with run_trail(trail_dir) as running:
        _fill(running.parts, 1)
        with pytest.raises(InputError, match="--log audit"):
            show_entries(running.parts, Log.SECURITY, event_id(0), by=READER, now=NOW)


def test_a_tail_shows_what_stood_before_it_and_then_what_comes(
    trail_dir: Path,
) -> None:
    """Following must lose nothing between the tail and what comes after it."""
    with run_trail(trail_dir) as running:
        _fill(running.parts, 5)
        end, entries = tail_entries(running.parts, Log.AUDIT, 2, by=READER, now=NOW)
        shown = [entry.index for entry in entries]
        newer = [entry.index for entry in newer_entries(running.parts, Log.AUDIT, end)]
        (read,) = _reads(running.parts)

    assert (end, shown, newer) == (6, [4, 5], [6])
    assert (read["reason_code"], read["result_count"]) == ("log_tail", 2)


def test_a_read_of_another_log_is_recorded_in_the_audit_log(trail_dir: Path) -> None:
    """Who reads the security log is as much a question of the audit."""
    with run_trail(trail_dir) as running:
        end, entries = tail_entries(running.parts, Log.QUALITY, 9, by=READER, now=NOW)
        assert len(list(entries)) == 1
        (read,) = _reads(running.parts)

    assert end == 1
    assert read["read_log"] == "quality"


def _verify(running: RunningTrail, log: Log, index: int) -> None:
    proof = prove_entry(running, log, str(index), by=READER, now=NOW)
    parsed = parse_proof(proof.proof_file)
    checkpoint = open_checkpoint(parsed.checkpoint_note, [parse_vkey(proof.vkey)])
    verify_inclusion(
        leaf=hash_leaf(proof.entry.leaf),
        index=parsed.index,
        size=checkpoint.size,
        proof=parsed.proof,
        root=checkpoint.root,
    )
    assert parsed.index == index


@pytest.mark.parametrize("index", [0, 1, 255, 256, 300])
def test_a_proof_verifies_with_the_entry_and_the_key_alone(
    trail_dir: Path, index: int
) -> None:
    """A proof that needs our program proves nothing to an outsider."""
    record_events(trail_dir, range(300))
    with run_trail(trail_dir) as running:
        _verify(running, Log.AUDIT, index)


def test_an_entry_that_was_just_recorded_is_published_to_be_proven(
    trail_dir: Path,
) -> None:
    """A receipt of this second must be provable without waiting for a tick."""
    with run_trail(trail_dir) as running:
        _fill(running.parts, 3)
        _verify(running, Log.AUDIT, 3)


def test_a_proof_is_found_while_another_process_publishes(trail_dir: Path) -> None:
    """The command line runs beside a server that holds the lease."""
    with run_trail(trail_dir) as server, run_trail(trail_dir) as running:
        _fill(running.parts, 3)
        server.pipeline.publish_now(5)
        _verify(running, Log.AUDIT, 2)


def test_nobody_publishing_is_said_so(trail_dir: Path) -> None:
    """A proof that never comes must end in words, not in waiting."""
    lease = open_trail(trail_dir)
    held = lease.lease()
    held.acquire()
    try:
        with run_trail(trail_dir) as running:
            _fill(running.parts, 3)
            with (
                closing(running.parts.reader(Log.AUDIT)) as reader,
                pytest.raises(StorageError, match="not published"),
            ):
                running.publish_up_to(reader, 4, within_s=0.01)
    finally:
        held.close()
        lease.close()


def test_a_name_that_is_no_user_id_is_refused(trail_dir: Path) -> None:
    """A sentence in place of a name must not enter the audit log."""
    with run_trail(trail_dir) as running:
        with pytest.raises(InputError, match="user_id"):
            record_read(
                running.parts,
                Log.AUDIT,
                by="Dr. Zebulon Quimby",
                reason_code="log_show",
                result_count=1,
                now=NOW,
            )
        assert _reads(running.parts) == []


def test_the_system_user_can_stand_in_a_record(trail_dir: Path) -> None:
    """Where nobody says who reads, the read must still be recorded."""
    with run_trail(trail_dir) as running:
        show_entries(running.parts, Log.AUDIT, "0", by=system_user(), now=NOW)
        assert [system_user()] == [read["user_id"] for read in _reads(running.parts)]


def test_a_long_read_goes_on_while_the_log_is_published(trail_dir: Path) -> None:
    """Publishing moves entries out of the journal under the hands of an export."""
    record_events(trail_dir, range(300))
    with run_trail(trail_dir) as running:
        trail = running.parts
        with closing(trail.reader(Log.AUDIT)) as reader:
            entries = reader.entries(0, 301)
            read = [next(entries)]
            trail.recorder.record_many([phi_read(n) for n in range(300, 900)], NOW)
            running.publish_up_to(reader, 901)
            read += entries

    assert len(read) == 301
    assert json.loads(read[-1])["event_id"] == event_id(299)
