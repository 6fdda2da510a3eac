"""Checkpoints reach their anchors once, are kept, and what fails is told once."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.anchor.witnesses import Nearby, answering, witness_nearby
from tests.tlog.trees import WITNESS
from tests.trails import NOW, check_whole, copy_trail, plain_event, record_events

from phitrail.anchor.settings import DirectorySettings, WitnessSettings
from phitrail.app import clock
from phitrail.app.anchor_keeping import run_anchors
from phitrail.app.anchor_standing import Shelf, Standing
from phitrail.app.anchoring import AnchorDesk, Attempt, Came
from phitrail.app.config import write_anchors
from phitrail.app.pins import read_pins
from phitrail.app.status import LogStatus, read_status
from phitrail.app.wiring import OUTSIDE, Trail, open_trail
from phitrail.app.witnessed import witnessed_size, witnessed_sizes
from phitrail.errors import InputError, IntegrityError
from phitrail.events.audit import AuditEvent
from phitrail.events.canonical import LeafRecord, decode_leaf
from phitrail.events.codes import EventType, Log
from phitrail.events.security import SecurityEvent
from phitrail.tlog.note import parse_note

NOBODY = "http://127.0.0.1:9"
LATER = timedelta(hours=2)


@pytest.fixture
def witness(trail_dir: Path, tmp_path: Path) -> Iterator[Nearby]:
    """A witness that watches the three logs of the trail."""
    keys = [pinned.log_key for pinned in read_pins(trail_dir).values()]
    with witness_nearby(tmp_path / "witness.db", keys) as nearby:
        yield nearby


def county(url: str, vkey: object, *, every_s: float = 5.0) -> WitnessSettings:
    """Give the settings of a witness for the audit log."""
    return WitnessSettings(
        name="county", url=url, vkey=str(vkey), logs=(Log.AUDIT,), every_s=every_s
    )


def attempt(trail_dir: Path, settings: WitnessSettings, now: datetime) -> Attempt:
    """Hand the audit log over once, as a process of its own would."""
    with closing(open_trail(trail_dir)) as trail:
        return hand(trail, settings, now)


def hand(trail: Trail, settings: WitnessSettings, now: datetime) -> Attempt:
    """Hand the audit log of an open trail over once."""
    with closing(AnchorDesk(trail, settings)) as desk:
        return desk.attempt(Log.AUDIT, now, is_forced=True)


def standing(trail_dir: Path) -> Standing:
    """Read how the witness stands with the audit log."""
    return Shelf(trail_dir, "county", Log.AUDIT).read()


def audit_status(trail_dir: Path) -> LogStatus:
    """Read how the audit log stands."""
    return read_status(trail_dir).logs[0]


def told(trail_dir: Path) -> list[tuple[object, ...]]:
    """List what the audit log says of late anchors."""
    leaves = map(decode_leaf, check_whole(trail_dir).leaves[Log.AUDIT])
    return [
        (leaf.object_id, leaf.outcome, leaf.reason_code)
        for leaf in leaves
        if isinstance(leaf, AuditEvent) and leaf.event_type == EventType.ANCHOR_LATE
    ]


def test_evidence_is_kept_in_its_places_and_growth_replaces_it(
    trail_dir: Path, witness: Nearby
) -> None:
    """The evidence, the signer's copy and the public one say the same."""
    settings = county(witness.url, witness.vkey)
    first = attempt(trail_dir, settings, clock.now())
    again = attempt(trail_dir, settings, clock.now())
    record_events(trail_dir, range(5))
    grown = attempt(trail_dir, settings, clock.now())

    shelf = trail_dir / "state/anchors/county/audit"
    evidence = shelf / f"{6:020}.note"
    assert (first.came, first.held_size) == (Came.HELD, 1)
    assert (again.came, grown.came) == (Came.HELD_ALREADY, Came.HELD)
    assert [evidence] == list(shelf.glob("*.note")), "one an hour is enough"
    for copy in (
        trail_dir / OUTSIDE / "witness.county.audit.note",
        trail_dir / "public/audit/checkpoint.cosigned",
    ):
        assert evidence.read_bytes() == copy.read_bytes()
    assert standing(trail_dir).held_size == 6
    assert not list(trail_dir.rglob("*.tmp"))


def test_what_it_holds_is_told_by_status_and_counted(
    trail_dir: Path, witness: Nearby
) -> None:
    """UNANCHORED must end with the first evidence and with nothing less."""
    settings = county(witness.url, witness.vkey)
    write_anchors(trail_dir, [settings])
    before = audit_status(trail_dir)
    attempt(trail_dir, settings, clock.now())
    after = audit_status(trail_dir)

    assert (before.is_anchored, before.holders) == (False, ())
    assert (after.is_anchored, after.holders) == (True, ("county",))
    assert witnessed_size(trail_dir, Log.AUDIT) == 1
    assert witnessed_sizes(trail_dir, Log.QUALITY) == {}


def test_two_anchors_can_be_needed(trail_dir: Path, witness: Nearby) -> None:
    """A policy of two must not be satisfied by one that holds much."""
    settings = county(witness.url, witness.vkey)
    write_anchors(trail_dir, [settings])
    policy = trail_dir / "policy.yaml"
    policy.write_text(policy.read_text().replace("needed: 1", "needed: 2"))
    attempt(trail_dir, settings, clock.now())
    one = audit_status(trail_dir)
    note = (trail_dir / "public/audit/checkpoint").read_bytes()
    (trail_dir / OUTSIDE / "officer.note").write_bytes(note)
    two = audit_status(trail_dir)

    assert (one.is_anchored, two.is_anchored) == (False, True)
    assert two.holders == ("county", "officer.note")


def test_cosignatures_of_two_witnesses_are_shown_together(
    trail_dir: Path, witness: Nearby, tmp_path: Path
) -> None:
    """A reader of the public copy must find every witness of that checkpoint."""
    keys = [pinned.log_key for pinned in read_pins(trail_dir).values()]
    with (
        witness_nearby(tmp_path / "b.db", keys, signer=WITNESS) as second,
        closing(open_trail(trail_dir)) as t,
    ):
        write_anchors(
            trail_dir,
            [
                WitnessSettings(name=name, url=at.url, vkey=str(at.vkey))
                for name, at in (("one", witness), ("two", second))
            ],
        )
        attempts = run_anchors(t, [], lambda _: None)
    shown = parse_note((trail_dir / "public/security/checkpoint.cosigned").read_bytes())

    assert {one.came for one in attempts} == {Came.HELD}
    assert len(attempts) == 6
    assert len(shown.signatures) == 3
    with (
        closing(open_trail(trail_dir)) as trail,
        pytest.raises(InputError, match="known: one, two"),
    ):
        run_anchors(trail, ["three"], lambda _: None)


@pytest.mark.drill
def test_a_late_anchor_is_told_once_and_once_more_when_it_holds_again(
    trail_dir: Path, witness: Nearby
) -> None:
    """An event a minute would hide the one that matters; none would hide the gap."""
    now = clock.now()
    down = county(NOBODY, witness.vkey)
    cames = [attempt(trail_dir, down, now + LATER * number) for number in range(4)]
    late = told(trail_dir)
    write_anchors(trail_dir, [down])
    seen = audit_status(trail_dir).anchors[0]
    up = attempt(trail_dir, county(witness.url, witness.vkey), now)
    healed = told(trail_dir)[1:]

    assert {one.came for one in cames} == {Came.UNREACHABLE}
    assert "cannot be reached" in cames[0].trouble
    assert late == [("county:audit", "failed", "anchor_unreachable")]
    assert seen.is_late(now + LATER)
    assert not seen.is_late(now)
    assert up.came is Came.HELD
    assert healed == [("county:audit", "success", "anchor_held_again")]
    assert not audit_status(trail_dir).anchors[0].standing.trouble


def test_a_refusal_is_not_an_absence(trail_dir: Path, tmp_path: Path) -> None:
    """A witness that does not know the log needs its operator, not patience."""
    with witness_nearby(tmp_path / "w.db", []) as stranger:
        settings = county(stranger.url, stranger.vkey)
        refused = attempt(trail_dir, settings, clock.now())

    assert refused.came is Came.REFUSED
    assert "add-log" in refused.trouble


def test_a_missing_file_of_an_anchor_stops_nobody_from_recording(
    trail_dir: Path,
) -> None:
    """The share is not mounted today: that is told, and the clinic goes on."""
    settings = DirectorySettings(name="share", path="/nonexistent/share")
    write_anchors(trail_dir, [settings])
    with closing(open_trail(trail_dir)) as trail:
        attempts = run_anchors(trail, [], lambda _: None)
    record_events(trail_dir, range(2))

    assert Came.HELD not in {one.came for one in attempts}
    assert all(one.trouble for one in attempts)


def test_an_answer_that_was_lost_is_asked_for_again(
    trail_dir: Path, witness: Nearby
) -> None:
    """The disk failed after the witness cosigned: it must heal, without a second size."""
    settings = county(witness.url, witness.vkey)
    attempt(trail_dir, settings, clock.now())
    shutil.rmtree(trail_dir / "state/anchors")
    again = attempt(trail_dir, settings, clock.now())

    assert (again.came, again.held_size) == (Came.HELD, 1)


def test_a_damaged_memory_is_made_anew(trail_dir: Path, witness: Nearby) -> None:
    """It is no evidence: nothing may stop because of it."""
    settings = county(witness.url, witness.vkey)
    attempt(trail_dir, settings, clock.now())
    (trail_dir / "state/anchors/county/audit/standing.json").write_bytes(b"{")

    assert attempt(trail_dir, settings, clock.now()).came is Came.HELD


@pytest.mark.drill
def test_a_restored_backup_is_refused_before_it_forks(
    trail_dir: Path, witness: Nearby, tmp_path: Path
) -> None:
    """The witness remembers what the restored disk forgot; nothing more is signed."""
    backup = copy_trail(trail_dir, tmp_path / "backup")
    settings = county(witness.url, witness.vkey)
    record_events(trail_dir, range(5))
    attempt(trail_dir, settings, clock.now())
    write_anchors(backup, [settings])
    with closing(open_trail(backup)) as trail:
        found = hand(trail, settings, clock.now())
        again = hand(trail, settings, clock.now())
        trail.recorder.record(plain_event(9), NOW)
        with (
            closing(trail.publisher()) as publisher,
            pytest.raises(IntegrityError, match="cut or restored"),
        ):
            publisher.publish()
    status = audit_status(backup)

    assert (found.came, again.came) == (Came.OTHER_HISTORY, Came.OTHER_HISTORY)
    assert status.contradicted_by == ("county",)
    assert not status.is_anchored
    assert "cut, restored from a backup, or rewritten" in found.trouble
    evidence = (backup / "state/anchors/county/audit/other-history.note").read_bytes()
    held = (trail_dir / "state/anchors/county/audit" / f"{6:020}.note").read_bytes()
    assert evidence == held
    with pytest.raises(IntegrityError, match="cut or restored"):
        open_trail(backup)
    events = _leaves(backup)
    (event,) = (one for one in events if isinstance(one, SecurityEvent))
    assert event.reason_code == "anchor_other_history"
    assert event.object_digest == hashlib.sha256(evidence).hexdigest()


def _leaves(directory: Path) -> list[LeafRecord]:
    """Read the security log of a trail that refuses to be opened."""
    for planted in (directory / OUTSIDE).iterdir():
        planted.unlink()
    return list(map(decode_leaf, check_whole(directory).leaves[Log.SECURITY]))


@pytest.mark.drill
def test_a_witness_that_lies_without_evidence_alarms_and_stops_nothing(
    trail_dir: Path, witness: Nearby
) -> None:
    """A colluding or broken witness must not be able to stop the log."""
    with answering((409, b"99\n"), (404, b"")) as (url, _):
        found = attempt(trail_dir, county(url, witness.vkey), clock.now())
    record_events(trail_dir, range(2))

    assert found.came is Came.OTHER_HISTORY
    assert not list((trail_dir / OUTSIDE).iterdir())


def test_another_history_that_heals_is_forgotten(
    trail_dir: Path, witness: Nearby
) -> None:
    """The true copy was put back: the alarm ends, and the log says that it did."""
    with answering((409, b"99\n"), (404, b"")) as (url, _):
        attempt(trail_dir, county(url, witness.vkey), clock.now())
    healed = attempt(trail_dir, county(witness.url, witness.vkey), clock.now())

    assert healed.came is Came.HELD
    assert not standing(trail_dir).is_other_history
    assert told(trail_dir) == [("county:audit", "success", "anchor_held_again")]


def test_it_is_not_handed_more_often_than_it_asked_for(
    trail_dir: Path, witness: Nearby
) -> None:
    """A mailbox that gets a checkpoint a second is read by nobody."""
    settings = county(witness.url, witness.vkey, every_s=600.0)
    now = clock.now()
    attempt(trail_dir, settings, now)
    record_events(trail_dir, range(3))
    with (
        closing(open_trail(trail_dir)) as trail,
        closing(AnchorDesk(trail, settings)) as desk,
    ):
        soon = desk.attempt(Log.AUDIT, now + timedelta(seconds=9), is_forced=False)
        due = desk.attempt(Log.AUDIT, clock.now(), is_forced=True)

    assert (soon.came, due.came) == (Came.NOT_DUE, Came.HELD)


def test_after_a_failure_it_is_left_alone_for_a_while(
    trail_dir: Path, witness: Nearby
) -> None:
    """A witness that is down must not be knocked at by every process all the time."""
    now = clock.now()
    with (
        closing(open_trail(trail_dir)) as trail,
        closing(AnchorDesk(trail, county(NOBODY, witness.vkey))) as desk,
    ):
        cames = [
            desk.attempt(Log.AUDIT, now + timedelta(seconds=at), is_forced=False).came
            for at in (0, 1, 6)
        ]

    assert cames == [Came.UNREACHABLE, Came.NOT_DUE, Came.UNREACHABLE]
