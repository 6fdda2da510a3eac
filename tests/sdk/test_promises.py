"""An application remembers what it was promised and finds out when that is not kept."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.trails import NOW, check_whole, copy_trail, found, phi_read, read_leaves

from phitrail.app.founding import found_trail
from phitrail.app.pins import read_pins
from phitrail.app.receipt_checks import (
    ReceiptVerdict,
    check_receipts,
    read_receipt_files,
)
from phitrail.app.succession import Asked, succeed
from phitrail.app.wiring import open_trail
from phitrail.demo.forger import Forger
from phitrail.errors import ConfigError, InputError, IntegrityError, StorageError
from phitrail.events.codes import EventType, Log, SuccessionReason
from phitrail.events.security import SecurityEvent
from phitrail.sdk import aconnect, connect
from phitrail.sdk.promise_store import (
    RECEIPTS_VARIABLE,
    KeptTrail,
    receipts_directory,
)
from phitrail.sdk.promises import demand
from phitrail.tlog.checkpoint import open_checkpoint
from phitrail.tlog.hashing import Hash
from phitrail.tlog.promised import BrokenPromise
from phitrail.tlog.receipt import Position, Receipt

CANARY = "Canary Wilhelmina"


def kept(receipts: Path) -> KeptTrail:
    """Read the store of the only trail."""
    (path,) = [one for one in receipts.glob("*.json") if "broken" not in one.name]
    return msgspec.json.decode(path.read_bytes(), type=KeptTrail)


def evidence(receipts: Path) -> list[BrokenPromise]:
    """Read what was found broken."""
    return [
        BrokenPromise.from_json(path.read_bytes())
        for path in sorted(receipts.glob("broken-promise-*.json"))
    ]


def record(directory: Path, numbers: range) -> list[Receipt]:
    """Record events as an application does."""
    with connect(directory) as trail:
        return [trail.record(phi_read(number)) for number in numbers]


def failures(directory: Path) -> list[SecurityEvent]:
    """Read what the log itself was told."""
    trail = open_trail(directory)
    try:
        return [
            leaf
            for leaf in read_leaves(trail, Log.SECURITY)
            if isinstance(leaf, SecurityEvent)
            and leaf.event_type is EventType.INTEGRITY_FAILED
        ]
    finally:
        trail.close()


# --- what is kept ---


def test_a_closed_trail_leaves_one_checked_checkpoint(
    trail_dir: Path, receipts_dir: Path
) -> None:
    """What a checkpoint covers needs no list: its root commits to all of it."""
    record(trail_dir, range(5))
    audit = kept(receipts_dir).logs["audit"]
    promise = open_checkpoint(
        audit.promise.encode(),
        [read_pins(trail_dir)[Log.AUDIT].promise_key],
        origin="clinic.example/audit",
    )

    assert audit.entries == ()
    assert (
        audit.checkpoint.encode()
        == (trail_dir / "public/audit/checkpoint").read_bytes()
    )
    assert promise.size == 6
    record(trail_dir, range(5, 7))
    assert kept(receipts_dir).logs["audit"].checkpoint != audit.checkpoint


def test_nothing_of_an_event_is_kept(trail_dir: Path, receipts_dir: Path) -> None:
    """The store stands outside of everything that guards the trail."""
    with connect(trail_dir) as trail:
        trail.log_phi_access(
            user_id="u-1",
            user_role="nurse",
            department="cardiology",
            query_text=CANARY,
            record_ids=[(CANARY, CANARY, "Observation")],
            model_response=CANARY,
            session_id="s-1",
        )
        assert trail._promises is not None
        trail._promises.contact()
    for path in receipts_dir.iterdir():
        data = path.read_bytes()
        assert CANARY.encode() not in data
        assert b"u-1" not in data


CRASH = """
import os, sys
from tests.trails import phi_read
from phitrail.sdk import connect
trail = connect(sys.argv[1])
for number in range(3):
    trail.record(phi_read(number))
trail._promises.contact()
os._exit(0)
"""


def test_a_crash_leaves_what_was_not_published(
    trail_dir: Path, receipts_dir: Path
) -> None:
    """Acknowledged entries that nobody could see are the easiest to drop."""
    policy = trail_dir / "policy.yaml"
    policy.write_text("publish_interval_s: 3600.0\n")
    backup = copy_trail(trail_dir, trail_dir.with_name("backup"))
    subprocess.run(
        [sys.executable, "-c", CRASH, str(trail_dir)],
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    audit = kept(receipts_dir).logs["audit"]
    assert [entry.index for entry in audit.entries] == [1, 2, 3]

    whole = copy_trail(trail_dir, trail_dir.with_name("whole"))
    connect(whole).close()  # the journal kept them: nothing is broken
    shutil.rmtree(trail_dir)
    backup.rename(trail_dir)
    with pytest.raises(IntegrityError, match="promised 4 entries and has 1"):
        connect(trail_dir)


def test_trails_of_many_threads_and_connections_share_a_store(
    trail_dir: Path, receipts_dir: Path
) -> None:
    """Four workers of one application write one memory."""

    def work(first: int) -> None:
        with connect(trail_dir) as trail:
            assert trail._promises is not None
            for number in range(first, first + 20):
                trail.record(phi_read(number))
                if number % 5 == 0:
                    trail._promises.contact()

    threads = [threading.Thread(target=work, args=(at * 100,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    connect(trail_dir).close()

    assert len(check_whole(trail_dir).leaves["audit"]) == 81
    assert kept(receipts_dir).logs["audit"].entries == ()
    assert evidence(receipts_dir) == []


def test_what_a_thread_of_its_own_keeps_needs_no_close(
    trail_dir: Path, receipts_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that is killed must not take all of its memory along."""
    monkeypatch.setattr("phitrail.sdk.promises.CONTACT_EVERY_S", 0.01)
    written = threading.Event()
    with connect(trail_dir) as trail:
        assert trail._promises is not None
        trail.record(phi_read(1))
        for _ in range(1000):
            if kept(receipts_dir).logs["audit"].promise:
                break
            written.wait(0.01)

        assert kept(receipts_dir).logs["audit"].promise


# --- what is broken ---


def cut(directory: Path) -> None:
    """Cut the tail, as the host's owner can: everything fits, and is signed."""
    forger = Forger(directory, Log.AUDIT)
    forger.rewrite(forger.leaves()[:3])


def rewrite(directory: Path) -> None:
    """Alter one entry and make every hash and signature anew."""
    forger = Forger(directory, Log.AUDIT)
    leaves = forger.leaves()
    leaves[2] = leaves[2].replace(b"dr-0012", b"dr-0013")
    forger.rewrite(leaves)


def restore(directory: Path) -> None:
    """Put the whole directory back as it was when it was founded."""
    shutil.rmtree(directory)
    copy_trail(directory.with_name("backup"), directory)


def restore_and_go_on(directory: Path) -> None:
    """The same, with as many other entries afterwards."""
    restore(directory)
    with connect(directory, receipts=None) as trail:
        for number in range(100, 110):
            trail.record(phi_read(number))


@pytest.mark.drill
@pytest.mark.parametrize(
    ("attack", "found_words"),
    [
        (cut, "promised 6 entries and has 3"),
        (rewrite, "another root at size 6"),
        (restore, "promised 6 entries and has 1"),
        (restore_and_go_on, "another root at size 6"),
    ],
)
def test_a_broken_promise_is_found_at_the_next_contact(
    trail_dir: Path,
    receipts_dir: Path,
    attack: Callable[[Path], None],
    found_words: str,
) -> None:
    """Each leaves a trail that is consistent with itself and signed throughout."""
    copy_trail(trail_dir, trail_dir.with_name("backup"))
    record(trail_dir, range(5))
    attack(trail_dir)
    with pytest.raises(IntegrityError, match=found_words) as caught:
        connect(trail_dir)
    both = evidence(receipts_dir)[0]
    pinned = read_pins(trail_dir)[Log.AUDIT]
    known = [pinned.log_key, pinned.promise_key]
    promised, shown = (
        open_checkpoint(note, known, origin="clinic.example/audit")
        for note in (both.promised, both.shown)
    )

    assert (promised.size, both.origin) == (6, "clinic.example/audit")
    assert (shown.size, shown.root) != (promised.size, promised.root)
    assert str(receipts_dir / "broken-promise-clinic.example_audit-") in str(
        caught.value
    )


def test_it_is_found_again_until_somebody_decides(
    trail_dir: Path, receipts_dir: Path
) -> None:
    """A service that is started again must not come up as if nothing had been."""
    copy_trail(trail_dir, trail_dir.with_name("backup"))
    record(trail_dir, range(5))
    restore(trail_dir)
    for _ in range(3):
        with pytest.raises(IntegrityError, match="backup was restored"):
            connect(trail_dir)
    places = list(receipts_dir.glob("broken-promise-*"))

    assert len(places) == len({one.promised for one in evidence(receipts_dir)})
    told = failures(trail_dir)
    assert [one.object_id for one in told].count("promise:audit") == 1
    assert {one.service_component for one in told} == {"phitrail-sdk"}
    (store,) = (one for one in receipts_dir.glob("*.json") if one not in places)
    store.unlink()
    record(trail_dir, range(2))


@pytest.mark.drill
def test_another_trail_in_the_same_place_is_a_broken_promise(
    trail_dir: Path, receipts_dir: Path
) -> None:
    """A new genesis has new keys, so nothing in it would contradict itself."""
    record(trail_dir, range(2))
    shutil.rmtree(trail_dir)
    found(trail_dir)
    with pytest.raises(IntegrityError, match="another trail stands where"):
        connect(trail_dir)

    assert {one.origin for one in evidence(receipts_dir)} == {
        f"clinic.example/{log}" for log in Log
    }
    found_trail(trail_dir.with_name("elsewhere"), "other.example", NOW)
    connect(trail_dir.with_name("elsewhere")).close()


def test_a_trail_that_was_moved_keeps_its_promises(
    trail_dir: Path, receipts_dir: Path
) -> None:
    """A new mount point is no attack."""
    record(trail_dir, range(2))
    moved = trail_dir.rename(trail_dir.with_name("moved"))
    record(moved, range(2, 4))

    assert kept(receipts_dir).place == str(moved)


@pytest.mark.drill
def test_a_log_that_is_changed_under_a_running_program_is_found(
    trail_dir: Path, receipts_dir: Path
) -> None:
    """A service runs for months; it must not take a restart to find out."""
    trail = connect(trail_dir)
    receipts = [trail.record(phi_read(number)) for number in range(5)]
    trail.wait(receipts[-1])
    promises = trail._promises
    assert promises is not None
    promises.contact()
    trail._backend.close()
    rewrite(trail_dir)
    with pytest.raises(IntegrityError, match="another root at size 6"):
        promises.contact()
    with pytest.raises(IntegrityError, match="another root at size 6"):
        trail.close()

    assert evidence(receipts_dir)


@pytest.mark.parametrize(
    "reason", [SuccessionReason.ROTATION, SuccessionReason.COMPROMISE]
)
def test_promises_outlive_the_keys_that_signed_them(
    tmp_path: Path, receipts_dir: Path, reason: SuccessionReason
) -> None:
    """Keys give way every year; what a stolen key may have signed convicts nobody."""
    directory = tmp_path / "trail"
    recovery = found_trail(directory, "clinic.example", NOW).recovery[0]
    receipt = record(directory, range(2))[1]
    is_stolen = reason is SuccessionReason.COMPROMISE
    good = (directory / "public/audit/checkpoint").read_bytes() if is_stolen else None
    record(directory, range(2, 5))
    succeed(directory, Asked(Log.AUDIT, reason, "officer-1", good), recovery, NOW)
    record(directory, range(5, 7))
    brought = read_receipt_files([("r", receipt.to_json())])

    assert {one.verdict for one in check_receipts(directory, brought)} == {
        ReceiptVerdict.KEPT
    }
    assert evidence(receipts_dir) == []
    backup = copy_trail(directory, tmp_path / "backup")
    record(directory, range(7, 9))
    shutil.rmtree(directory)
    backup.rename(directory)
    with pytest.raises(IntegrityError, match="backup was restored"):
        connect(directory)


def test_waiting_demands_the_proof(trail_dir: Path, receipts_dir: Path) -> None:
    """`published` must mean that this entry is there, not that some checkpoint is."""
    with connect(trail_dir) as trail:
        first, second = (trail.record(phi_read(number)) for number in (1, 2))
        trail.wait(second)
        exchanged = Position("audit", 1, Hash(second.positions[0].leaf_hash))
        with pytest.raises(IntegrityError, match=r"acknowledged entry 1 .*Both of its"):
            trail.wait(replace(first, positions=(exchanged,)))
        elsewhere = Position("nowhere", 0, exchanged.leaf_hash)
        with pytest.raises(InputError, match="not here"):
            demand(
                replace(first, positions=(elsewhere,)), trail._backend, trail._promises
            )
    (both,) = evidence(receipts_dir)

    assert both.position == exchanged
    assert both.promised == first.promises["audit"]
    with (
        connect(trail_dir, receipts=None) as trail,
        pytest.raises(IntegrityError, match="No receipts are kept"),
    ):
        trail.wait(replace(first, positions=(exchanged,)))


# --- the store itself ---


@pytest.mark.drill
def test_a_damaged_store_is_not_passed_over(
    trail_dir: Path, receipts_dir: Path
) -> None:
    """Whoever cuts the log would damage the memory first."""
    record(trail_dir, range(2))
    (path,) = receipts_dir.glob("*.json")
    for data in (b"", b"{}", path.read_bytes().replace(b"/v1", b"/v9")):
        path.write_bytes(data)
        with pytest.raises(IntegrityError, match="is damaged"):
            connect(trail_dir)


def test_an_altered_note_in_the_store_is_told(
    trail_dir: Path, receipts_dir: Path
) -> None:
    """A note that does not verify is either a forged memory or a replaced key."""
    record(trail_dir, range(2))
    (path,) = receipts_dir.glob("*.json")
    written = json.loads(path.read_bytes())
    note = written["logs"]["audit"]["promise"]
    written["logs"]["audit"]["promise"] = note.replace("\n3\n", "\n2\n")
    path.write_bytes(json.dumps(written).encode())

    with pytest.raises(IntegrityError, match="keys were replaced, or the receipts"):
        connect(trail_dir)


def test_a_store_that_cannot_be_written_is_told_at_once(
    trail_dir: Path, tmp_path: Path
) -> None:
    """A memory that silently is none would be believed in for years."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=RECEIPTS_VARIABLE):
        connect(trail_dir, receipts=tmp_path / "file" / "receipts")


def test_what_could_not_be_kept_is_told_at_the_end(
    trail_dir: Path, tmp_path: Path
) -> None:
    """Records go on while the memory's disk is full; the caller learns of it."""
    place = tmp_path / "receipts"
    trail = connect(trail_dir, receipts=place)
    trail.record(phi_read(1))
    shutil.rmtree(place)
    with pytest.raises(StorageError, match="receipts were not kept"):
        trail.close()
    trail.close()

    assert len(check_whole(trail_dir).leaves["audit"]) == 2


@pytest.mark.parametrize(
    ("given", "environment", "place"),
    [
        (None, {RECEIPTS_VARIABLE: "/r"}, None),
        ("", {RECEIPTS_VARIABLE: "none"}, None),
        ("/given", {RECEIPTS_VARIABLE: "/r"}, "/given"),
        ("", {RECEIPTS_VARIABLE: "/r", "HOME": "/h"}, "/r"),
        ("", {"XDG_STATE_HOME": "/s", "HOME": "/h"}, "/s/phitrail/receipts"),
        (
            "",
            {"XDG_STATE_HOME": "s", "HOME": "/h"},
            "/h/.local/state/phitrail/receipts",
        ),
    ],
)
def test_the_place_of_the_store(
    given: str | None, environment: dict[str, str], place: str | None
) -> None:
    """It must be able to stand on another disk than the trail."""
    expected = None if place is None else Path(place)

    assert receipts_directory(given, environment) == expected


def test_without_a_home_the_caller_must_say_where() -> None:
    """A guess would lie in a directory that the next container does not have."""
    with pytest.raises(ConfigError, match=RECEIPTS_VARIABLE):
        receipts_directory("", {})


def test_nothing_is_kept_where_nothing_is_asked_for(
    trail_dir: Path, receipts_dir: Path
) -> None:
    """A drill, or a look at a copy, must leave no memory behind."""
    with connect(trail_dir, receipts=None) as trail:
        trail.wait(trail.record(phi_read(1)))

    assert list(receipts_dir.iterdir()) == []


def test_the_async_form_keeps_its_promises_too(
    trail_dir: Path, receipts_dir: Path
) -> None:
    """One product, two faces."""

    async def scenario() -> Any:
        async with await aconnect(trail_dir) as trail:
            receipt = await trail.record(phi_read(1))
            return await trail.wait(receipt)

    asyncio.run(scenario())
    assert kept(receipts_dir).logs["audit"].promise
    with closing(connect(trail_dir)) as trail:
        trail.record(phi_read(2))
