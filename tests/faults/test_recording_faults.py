"""Every statement of the journal and of the identity map fails once, in two kinds.

After each fault the caller does what the error says: retry, or open again and retry with
the same event id. Nothing acknowledged may be lost and nothing may stand there twice.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.faults.steps import Fault, Kind, faulty_connect
from tests.trails import NOW, check_whole, copy_trail, event_id, phi_read, publish_once

from phitrail.app import wiring
from phitrail.app.config import read_policy, read_tenant
from phitrail.app.key_wiring import KEYS
from phitrail.app.pins import JOURNAL
from phitrail.app.verification import verify_trail
from phitrail.app.wiring import Trail, open_trail, wire_log_keys, wire_map_keys
from phitrail.capture.exchange import Systems
from phitrail.capture.recorder import Recorder
from phitrail.capture.text_hash import TextHasher
from phitrail.errors import StorageError
from phitrail.events.canonical import CallerRecord
from phitrail.events.codes import EventType
from phitrail.events.quality import QualityEntry
from phitrail.events.security import SecurityEvent
from phitrail.identity.map import IdentityMap
from phitrail.keys import names
from phitrail.keys.mac import Mac
from phitrail.keys.ring import KeyRing
from phitrail.tlog.appender import Appender
from phitrail.tlog.journal import Journal
from phitrail.tlog.receipt import Receipt

Connect = Callable[..., sqlite3.Connection]

CALLS: list[tuple[CallerRecord, ...]] = [
    (phi_read(0),),
    (phi_read(1), phi_read(2)),
    (
        phi_read(3),
        SecurityEvent(event_type=EventType.SESSION_DENIED, event_id=event_id(4)),
        QualityEntry(
            event_id=event_id(5),
            request_id="r-1",
            model_id="extractive-demo",
            model_version="1",
        ),
    ),
    (phi_read(6, patients=100),),
]
COUNTS = {"audit": 1 + 5, "security": 1 + 1, "quality": 1 + 1}


def open_faulty(directory: Path, *, journal: Connect, identity: Connect) -> Trail:
    """Open a trail over connections of our choice."""
    tenant = read_tenant(directory)
    keys = KeyRing.load(directory / KEYS)
    log_keys = wire_log_keys(tenant.tenant, keys)
    subjects = IdentityMap(
        directory / wiring.IDENTITY,
        tenant=tenant.tenant,
        keys=wire_map_keys(keys),
        connect=identity,
    )
    try:
        opened = Journal.open(directory / JOURNAL, connect=journal)
    except StorageError:
        subjects.close()
        raise
    appender = Appender(opened, directory / wiring.APPEND_LOCK, log_keys)
    recorder = Recorder(
        appender=appender,
        identity=subjects,
        vocabulary=tenant.terms(),
        systems=Systems(),
        actions=tenant.actions,
        idempotency=Mac(keys, names.IDEMPOTENCY),
    )
    return Trail(
        directory,
        tenant,
        read_policy(directory),
        keys,
        log_keys,
        log_keys,
        recorder,
        TextHasher(Mac(keys, names.TEXT_HASH).written),
        appender,
        subjects,
        wiring.wire_facts(directory, tenant, log_keys),
    )


class Client:
    """Records calls as a careful caller does; keeps every receipt."""

    def __init__(self, directory: Path, connects: dict[str, Connect]) -> None:
        self._directory = directory
        self._connects = connects
        self._trail: Trail | None = None
        self.acknowledged: list[Receipt] = []

    def record(self, records: tuple[CallerRecord, ...]) -> None:
        """Record until acknowledged: once more as it is, then on a trail opened anew."""
        for is_tired in (False, True, True):
            try:
                self._trail = self._trail or open_faulty(
                    self._directory, **self._connects
                )
                self.acknowledged += self._trail.recorder.record_many(records, NOW)
            except StorageError:
                if is_tired or not self._trail:
                    self.close()
            else:
                return
        raise AssertionError("one fault must not stop a careful caller")

    def close(self) -> None:
        """Close the trail."""
        if self._trail is not None:
            self._trail.close()
        self._trail = None


@pytest.mark.long
@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("which", ["journal", "identity"])
def test_every_statement_may_fail(
    founded: Path, memory_path: Path, kind: Kind, which: str
) -> None:
    """An acknowledged event that is lost, or one recorded twice, is the end of trust."""
    directory = founded
    for at in range(10_000):
        directory = copy_trail(founded, memory_path / f"{at}")
        fault = Fault(kind, at)
        connects: dict[str, Connect] = {
            "journal": sqlite3.connect,
            "identity": sqlite3.connect,
        }
        connects[which] = faulty_connect(fault)
        client = Client(directory, connects)
        for call in CALLS:
            client.record(call)
        client.close()
        if not fault.was_reached:
            break
        check_after(directory, client.acknowledged)
    assert at > 30
    publish_once(directory)
    assert verify_trail(directory, deep=True).findings == ()


def check_after(directory: Path, acknowledged: list[Receipt]) -> None:
    """Retry everything on a trail opened anew; the tree must be whole and unchanged."""
    trail = open_trail(directory)
    try:
        again = [
            receipt
            for call in CALLS
            for receipt in trail.recorder.record_many(call, NOW)
        ]
    finally:
        trail.close()
    whole = check_whole(directory)

    assert [r.positions for r in acknowledged] == [r.positions for r in again]
    assert {log: len(leaves) for log, leaves in whole.leaves.items()} == COUNTS
    whole.check_holds([*acknowledged, *again], directory)
