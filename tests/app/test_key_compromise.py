"""A compromised key is out of use at once, and what it sealed is in quarantine."""

import json
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from tests.app.key_verbs import (
    BY,
    WHY,
    changing,
    check_register_is_the_log_s,
    key_id,
    recording,
    state,
)
from tests.faults.steps import Fault, FaultyFiles, Kind
from tests.trails import NOW, check_whole, copy_trail, record_events

from phitrail.app.documents import open_document
from phitrail.app.key_compromise import compromise_key
from phitrail.app.key_handover import CHANGE
from phitrail.app.key_rotation import rotate_key
from phitrail.app.key_states import create_key, suspend_key
from phitrail.app.key_wiring import current_register
from phitrail.app.reading import show_entries
from phitrail.app.verification import verify_trail
from phitrail.errors import InputError, RefusedError, StorageError
from phitrail.events.codes import Log
from phitrail.events.ids import format_time
from phitrail.keys.states import KeyState

LATER = NOW + timedelta(days=3)
READER = "officer-7"


def test_a_compromised_key_is_replaced_in_one_change(trail_dir: Path) -> None:
    """Between two changes a thief's key would still protect what comes in."""
    receipts = record_events(trail_dir, range(5))
    with changing(trail_dir) as trail:
        done = compromise_key(
            trail, "audit-seal:v1", since=None, by=BY, reason=WHY, now=LATER
        )
        sealed_under = trail.keys.newest_version("audit-seal")
    (after,) = record_events(trail_dir, [9])

    assert state(trail_dir, "audit-seal:v1") is KeyState.COMPROMISED
    assert done.successor == key_id("audit-seal:v2")
    assert sealed_under == 2
    assert len(done.done.event_ids) == 3
    check_whole(trail_dir).check_holds([*receipts, after], trail_dir)
    check_register_is_the_log_s(trail_dir)


def test_the_report_says_window_and_what_stands_and_what_is_not_undone(
    trail_dir: Path,
) -> None:
    """A new key undoes no copy; who reads "rotated" and thinks so decides wrongly."""
    record_events(trail_dir, range(5))
    since = NOW + timedelta(days=1)
    with changing(trail_dir) as trail:
        done = compromise_key(
            trail, "idempotency:v1", since=since, by=BY, reason=WHY, now=LATER
        )
    with recording(trail_dir) as trail:
        text = open_document(trail.behind_glass(), done.done.digest) or b""
    exposure = json.loads(text)["facts"]["exposure"]

    assert exposure["since"] == format_time(since)
    assert exposure["until"] == format_time(LATER)
    assert sum(one["count"] for one in exposure["stood_under_it"]) >= 5
    assert any("backups" in one for one in exposure["not_undone"])
    assert exposure["not_undone"] == list(done.exposure.not_undone)


def test_the_window_begins_with_the_first_use(trail_dir: Path) -> None:
    """Where nobody knows since when, all of its life is exposed."""
    with changing(trail_dir) as trail:
        entry = current_register(trail_dir).entry(key_id("text-hash:v1"))
        done = compromise_key(
            trail, "text-hash:v1", since=None, by=BY, reason=WHY, now=LATER
        )

    assert done.exposure.since == entry.activated_at
    assert done.entry.compromised_since == entry.activated_at


@pytest.mark.parametrize("days", [-1, 30])
def test_a_time_before_its_making_or_ahead_is_refused(
    trail_dir: Path, days: int
) -> None:
    """A slip of the year would shrink the window to nothing."""
    with changing(trail_dir) as trail, pytest.raises(InputError, match="--since"):
        compromise_key(
            trail,
            "text-hash:v1",
            since=NOW + timedelta(days=days),
            by=BY,
            reason=WHY,
            now=LATER,
        )


@pytest.mark.drill
def test_what_a_compromised_key_sealed_is_shown_to_nobody_without_glass(
    trail_dir: Path,
) -> None:
    """A thief who comes back with a person's rights must find the content closed."""
    record_events(trail_dir, range(300))
    with changing(trail_dir) as trail:
        compromise_key(trail, "audit-seal:v1", since=None, by=BY, reason=WHY, now=LATER)
    record_events(trail_dir, [400])
    with recording(trail_dir) as trail:
        size = len(check_whole(trail_dir).leaves["audit"])
        for wanted in ("3", "260"):  # one in a bundle, one in the journal
            with pytest.raises(RefusedError, match=r"audit-seal:v1.*--break-glass"):
                show_entries(trail, Log.AUDIT, wanted, by=READER, now=LATER)
        (newer,) = show_entries(trail, Log.AUDIT, str(size - 1), by=READER, now=LATER)
        (opened,) = show_entries(
            trail.behind_glass(), Log.AUDIT, "3", by=READER, now=LATER
        )

    assert b"phi_read" in newer.leaf
    assert b"phi_read" in opened.leaf


@pytest.mark.drill
def test_the_log_goes_on_and_verifies_while_content_is_in_quarantine(
    trail_dir: Path,
) -> None:
    """A quarantine that stopped the log would be what the thief wants."""
    record_events(trail_dir, range(300))
    with changing(trail_dir) as trail:
        compromise_key(trail, "audit-seal:v1", since=None, by=BY, reason=WHY, now=LATER)
    receipts = record_events(trail_dir, range(400, 620))
    whole = check_whole(trail_dir)
    found = verify_trail(trail_dir, deep=True)

    assert whole.checkpoints["audit"][-1] > 512
    whole.check_holds(receipts, trail_dir)
    assert not found.findings


def test_why_stands_under_the_new_key(trail_dir: Path) -> None:
    """Whoever has the old key must not read what we know of him."""
    with changing(trail_dir) as trail:
        done = compromise_key(
            trail, "audit-seal:v1", since=None, by=BY, reason=WHY, now=LATER
        )
    with recording(trail_dir) as trail:
        text = open_document(trail, done.done.digest) or b""

    assert WHY.encode() in text


def test_a_version_that_only_opens_is_compromised_alone(trail_dir: Path) -> None:
    """The key in use is another one; replacing it would say that it was in danger."""
    with changing(trail_dir) as trail:
        rotate_key(trail, "text-hash", by=BY, reason="yearly", now=NOW)
        done = compromise_key(
            trail, "text-hash:v1", since=None, by=BY, reason=WHY, now=LATER
        )

    assert done.successor is None
    assert state(trail_dir, "text-hash:v2") is KeyState.ACTIVE


def test_a_suspended_key_that_proves_stolen_is_replaced(trail_dir: Path) -> None:
    """First doubted, then known: the second step must not need the first undone."""
    with changing(trail_dir) as trail:
        suspend_key(trail, "audit-seal", by=BY, reason=WHY, now=NOW)
    with changing(trail_dir) as trail:
        done = compromise_key(
            trail, "audit-seal:v1", since=None, by=BY, reason=WHY, now=LATER
        )

    assert done.successor == key_id("audit-seal:v2")
    record_events(trail_dir, [1])
    check_register_is_the_log_s(trail_dir)


def test_the_key_of_a_department_is_revoked_and_not_replaced(trail_dir: Path) -> None:
    """Whoever may have the next one is for the house to say (`keys.policies`)."""
    name = "rbac-department.cardiology"
    with changing(trail_dir) as trail:
        create_key(trail, name, by=BY, reason="opened", now=NOW)
        done = compromise_key(
            trail, f"{name}:v1", since=None, by=BY, reason=WHY, now=LATER
        )
        made = create_key(trail, name, by=BY, reason="named anew", now=LATER)

    assert done.successor is None
    assert made.after.state is KeyState.ACTIVE


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ("audit-checkpoint:v1", "--log audit --recovery"),
        ("wrapping:v1", "key rotate wrapping"),
        ("text-hash:v9", "no key of this trail"),
    ],
)
def test_what_is_compromised_in_another_way_is_refused_with_the_way(
    trail_dir: Path, written: str, rule: str
) -> None:
    """On a Friday evening nobody looks the other verb up."""
    with changing(trail_dir) as trail, pytest.raises(InputError, match=rule):
        compromise_key(trail, written, since=None, by=BY, reason=WHY, now=LATER)


def test_a_version_is_compromised_once(trail_dir: Path) -> None:
    """A second declaration would make a third key, and move the window."""
    with changing(trail_dir) as trail:
        compromise_key(trail, "rater:v1", since=None, by=BY, reason=WHY, now=LATER)
        with pytest.raises(InputError, match="is compromised and cannot"):
            compromise_key(trail, "rater:v1", since=None, by=BY, reason=WHY, now=LATER)


@pytest.mark.parametrize("kind", Kind)
def test_a_fault_leaves_the_key_in_use_or_replaced(
    founded: Path, tmp_path: Path, kind: Kind
) -> None:
    """Half a compromise would be a key that protects and is in quarantine."""
    for at in range(40):
        directory = copy_trail(founded, tmp_path / f"trail-{at}")
        fault = Fault(kind, at)
        with changing(directory) as trail:
            files = FaultyFiles(directory, fault)
            with suppress(StorageError):
                compromise_key(
                    trail,
                    "quality-seal:v1",
                    since=None,
                    by=BY,
                    reason=WHY,
                    now=LATER,
                    files=files,
                )
        _check_before_or_after(directory)
        if not fault.was_reached:
            break
    else:
        pytest.fail("the change never ends")


def _check_before_or_after(directory: Path) -> None:
    """Open again, as the next process does, and look."""
    (receipt,) = record_events(directory, [1])
    states = {
        str(one.key_id): one.state
        for one in current_register(directory).versions("quality-seal")
    }

    assert states in (
        {"quality-seal:v1": KeyState.ACTIVE},
        {"quality-seal:v1": KeyState.COMPROMISED, "quality-seal:v2": KeyState.ACTIVE},
    )
    assert not (directory / CHANGE).exists()
    check_whole(directory).check_holds([receipt], directory)
    check_register_is_the_log_s(directory)
