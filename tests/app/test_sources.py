"""Sources: credentials, epochs, and what their numbers say after things went wrong."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.trails import read_leaves

from phitrail.app import clock
from phitrail.app.config import Policy, read_sources, read_tenant, write_config
from phitrail.app.pins import JOURNAL, read_pins
from phitrail.app.source_checks import read_sources_state
from phitrail.app.sources import add_source, begin_epoch, open_epoch, read_credential
from phitrail.app.wiring import PUBLISH_LOCK, Trail, open_trail
from phitrail.capture.source import Source, source_name
from phitrail.durable.lock import FileLock
from phitrail.errors import ConfigError, InputError, IntegrityError
from phitrail.events.audit import AuditEvent
from phitrail.events.codes import EventType, Log
from phitrail.events.unprotect import unprotect
from phitrail.projection.completeness import SourcesRead
from phitrail.sdk.connect import connect
from phitrail.tlog.note import Signer

WORKER = """
import sys
from phitrail.sdk import AuditEvent, EventType, connect
trail = connect(sys.argv[1], source=sys.argv[2], receipts=None)
for _ in range(5):
    trail.record(AuditEvent(event_type=EventType.PHI_READ, user_id="dr-1"))
print("ready", flush=True)
sys.stdin.read()  # until it is killed
"""


def credential_of(directory: Path, name: str, *, replace: bool = False) -> Path:
    """Register a source; its credential goes into a file beside the trail."""
    with opened(directory) as trail:
        line = add_source(
            trail, name, by="officer", now=clock.now(), is_replacing=replace
        )
    place = directory.with_name(f"{name}.credential")
    place.touch(mode=0o600)
    place.write_text(unprotect(line))
    return place


@contextmanager
def opened(directory: Path, source: Source | None = None) -> Iterator[Trail]:
    """Open a trail for a moment."""
    trail = open_trail(directory, source=source)
    try:
        yield trail
    finally:
        trail.close()


def record(directory: Path, credential: Path | None, count: int) -> None:
    """Record as a program does."""
    with connect(directory, source=credential, receipts=None) as trail:
        for _ in range(count):
            trail.record(AuditEvent(event_type=EventType.PHI_READ, user_id="dr-1"))


def read(directory: Path) -> SourcesRead:
    """Read the state of all sources over the last day."""
    now = clock.now()
    with opened(directory) as trail:
        return read_sources_state(trail, now - timedelta(days=1), now, now)


def test_a_program_that_ends_in_order_misses_nothing(trail_dir: Path) -> None:
    """Opening, events and closing are one unbroken row of numbers."""
    credential = credential_of(trail_dir, "assistant")
    record(trail_dir, credential, 7)
    found = read(trail_dir)
    (epoch,) = found.found.epochs

    assert found.is_complete
    assert (epoch.source_id, epoch.given, epoch.received) == ("assistant", 9, 9)
    assert epoch.is_closed


def test_a_program_without_a_source_is_not_numbered(trail_dir: Path) -> None:
    """What has no number cannot be missed, and is not said to be complete either."""
    record(trail_dir, None, 3)

    assert not read(trail_dir).found.epochs


def test_a_killed_worker_shows_as_crashed_once_it_is_back(trail_dir: Path) -> None:
    """What it may have done after its last number, nobody knows: that must be said."""
    credential = credential_of(trail_dir, "assistant")
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(trail_dir), str(credential)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        os.kill(worker.pid, signal.SIGKILL)
    record(trail_dir, credential, 1)
    found = read(trail_dir)
    killed, restarted = found.found.epochs

    assert (killed.is_closed, killed.is_crashed, killed.received) == (False, True, 6)
    assert (restarted.is_closed, restarted.is_crashed) == (True, False)
    assert not found.is_complete


def test_two_processes_that_begin_at_once_get_two_epochs(trail_dir: Path) -> None:
    """Two rows of numbers in one epoch would look like doubled events."""
    credential = credential_of(trail_dir, "assistant")
    now = clock.now()
    sources = [
        begin_epoch(trail_dir, read_credential(credential), now) for _ in range(2)
    ]
    for source in sources:
        with opened(trail_dir, source) as trail:
            open_epoch(trail, source)
            trail.recorder.record(source.closing(now), now)
    found = read(trail_dir)

    assert sources[1].epoch == sources[0].epoch + 1
    assert found.is_complete
    assert [epoch.received for epoch in found.found.epochs] == [2, 2]


def test_an_epoch_of_a_stranger_is_unproven(trail_dir: Path) -> None:
    """Somebody with the log's keys numbers for a source whose credential he lacks."""
    credential_of(trail_dir, "assistant")
    private = Ed25519PrivateKey.generate()
    name = source_name(read_tenant(trail_dir).tenant, "assistant")
    signer = Signer(name, private.public_key().public_bytes_raw(), private.sign)
    trail_id = read_pins(trail_dir)[Log.AUDIT].genesis.trail_id
    stranger = Source(
        "assistant", signer, trail_id, int(clock.now().timestamp() * 1000)
    )
    with opened(trail_dir, stranger) as trail:
        open_epoch(trail, stranger)
        trail.recorder.record(stranger.closing(clock.now()), clock.now())
    found = read(trail_dir)

    assert not found.is_complete
    assert found.unproven == {
        ("assistant", stranger.epoch): "step 2: note: no known key has signed it"
    }


def test_a_replaced_credential_opens_nothing_more(trail_dir: Path) -> None:
    """A stolen credential must end with its replacement; what it did before stands."""
    old = credential_of(trail_dir, "assistant")
    record(trail_dir, old, 1)
    stolen = old.rename(old.with_name("stolen"))
    new = credential_of(trail_dir, "assistant", replace=True)

    with pytest.raises(ConfigError, match="names no source with this credential"):
        record(trail_dir, stolen, 1)
    record(trail_dir, new, 1)

    assert read(trail_dir).is_complete


def test_a_source_is_registered_once_and_by_name(trail_dir: Path) -> None:
    """A second registration by mistake would lock the first program out."""
    credential_of(trail_dir, "assistant")
    with opened(trail_dir) as trail:
        with pytest.raises(InputError, match=r"^SOURCE: is registered already"):
            add_source(trail, "assistant", by="officer", now=clock.now())
        with pytest.raises(InputError, match=r"^SOURCE: a lower-case term"):
            add_source(trail, "Dr Jane Roe", by="officer", now=clock.now())

    assert [one.source for one in read_sources(trail_dir)] == ["assistant"]


def test_a_credential_that_others_can_read_is_refused(trail_dir: Path) -> None:
    """A secret in the open binds nothing to anybody."""
    credential = credential_of(trail_dir, "assistant")
    credential.chmod(0o644)

    with pytest.raises(ConfigError, match="readable by others; run: chmod 600"):
        read_credential(credential)


def test_heartbeats_say_that_a_quiet_program_lives(trail_dir: Path) -> None:
    """A quiet night and a dead program look the same without them."""
    policy = Policy(source_heartbeat_s=0.05)
    write_config(trail_dir, read_tenant(trail_dir), policy)
    credential = credential_of(trail_dir, "assistant")
    with connect(trail_dir, source=credential, receipts=None) as trail:
        deadline_us = clock.monotonic_us() + 20_000_000
        while _beats(trail_dir) < 3:
            assert clock.monotonic_us() < deadline_us
            trail.publish()

    assert read(trail_dir).is_complete


def _beats(directory: Path) -> int:
    with opened(directory) as trail:
        leaves = [msgspec.to_builtins(leaf) for leaf in read_leaves(trail)]
    return sum(leaf.get("event_type") == "source_heartbeat" for leaf in leaves)


def test_a_source_of_a_damaged_log_still_closes_everything(trail_dir: Path) -> None:
    """A lock or thread that is left behind keeps the next process from the trail."""
    credential = credential_of(trail_dir, "assistant")
    before = set(threading.enumerate())
    trail = connect(trail_dir, source=credential, receipts=None)
    with closing(sqlite3.connect(trail_dir / JOURNAL)) as database:
        database.execute("UPDATE log SET root = zeroblob(32)")
        database.commit()
    try:
        trail.record(AuditEvent(event_type=EventType.PHI_READ, user_id="dr-1"))
    except IntegrityError:
        with suppress(IntegrityError):  # it is told again; what counts is what is left
            trail.close()
    left = set(threading.enumerate()) - before

    assert not [thread for thread in left if thread.name.startswith("phitrail")]
    with closing(FileLock(trail_dir / PUBLISH_LOCK)) as lease:
        assert lease.try_acquire()
