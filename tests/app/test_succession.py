"""A log goes on under new keys, and what the old ones signed stays what it was."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest
from tests.app.trust import AUDIT, Kept, found_kept, told
from tests.trails import NOW, TENANT, phi_read, publish_once, read_leaves, record_events

from phitrail.app.key_listing import list_trail_keys
from phitrail.app.pins import read_lines
from phitrail.app.status import read_status
from phitrail.app.succession import Asked, succeed
from phitrail.app.verification import Verdict, verify_trail
from phitrail.app.wiring import open_trail
from phitrail.errors import ConfigError, InputError, IntegrityError, StorageError
from phitrail.events.audit import AuditEvent
from phitrail.events.codes import EventType, Log, SigningRole, SuccessionReason
from phitrail.events.succession import Succession
from phitrail.evidence.findings import Check
from phitrail.keys.recovery import make_recovery_key


@pytest.fixture
def kept(memory_path: Path) -> Kept:
    """Give a trail with some events, and its recovery key."""
    trail = found_kept(memory_path / "trail")
    trail.grow(0, 300)
    return trail


def test_old_and_new_checkpoints_and_promises_verify_after_a_rotation(
    kept: Kept,
) -> None:
    """A rotation that cost the receipts of years would never be done."""
    before = kept.checkpoint()
    (early, *_) = record_events(kept.directory, range(300, 302))
    kept.rotate()
    (late, *_) = record_events(kept.directory, range(302, 600))
    outside = (before, early.promises["audit"], late.promises["audit"])
    found = kept.verify(*outside, kept.checkpoint(), deep=True)

    assert found.findings == ()
    assert found.verdict is Verdict.OK
    assert len(found.logs[0].held_by) == 4
    assert found.logs[0].size == found.logs[0].held_to


def test_a_second_rotation_follows_the_first(kept: Kept) -> None:
    """Keys are rotated every year."""
    notes = [kept.checkpoint()]
    for year in (1, 2):
        assert kept.rotate().key_version == year + 1
        kept.grow(1000 * year, 1000 * year + 5)
        notes.append(kept.checkpoint())

    assert kept.verify(*notes).verdict is Verdict.OK
    assert len(read_lines(kept.directory)[AUDIT].tenures) == 3
    assert read_status(kept.directory).logs[0].lag == 0


def test_every_log_has_its_own_succession(kept: Kept) -> None:
    """The keyring is one file for three logs."""
    for log in Log:
        kept.rotate(log)
    lines = read_lines(kept.directory)

    assert {len(line.tenures) for line in lines.values()} == {2}
    assert verify_trail(kept.directory).findings == ()


def test_a_copy_without_keys_is_verified_across_a_rotation(
    kept: Kept, tmp_path: Path
) -> None:
    """An auditor has public/ alone: the keyring must be all that he needs."""
    before = kept.checkpoint()
    kept.rotate()
    kept.grow(300, 310)
    copy = Kept(tmp_path / "copy", kept.recovery)
    shutil.copytree(kept.directory / "public", copy.directory / "public")

    assert copy.verify(before, kept.checkpoint()).verdict is Verdict.OK
    (copy.directory / "public/keyring.json").unlink()
    assert "no known key" in told(copy.verify(before), Check.CHECKPOINT)


def test_the_audit_log_and_the_log_itself_tell_of_it(kept: Kept) -> None:
    """Who replaced a key, and when, is what an auditor asks first."""
    done = kept.rotate(Log.QUALITY)
    with closing(open_trail(kept.directory)) as trail:
        event = read_leaves(trail)[-1]
        succession = read_leaves(trail, Log.QUALITY)[-1]

    assert succession == done
    assert isinstance(event, AuditEvent)
    assert event.event_type is EventType.KEY_ROTATED
    assert event.user_id == "officer-1"
    assert event.object_id == f"quality:{done.head_size}"


def test_the_old_secret_is_gone_and_only_public_halves_are_listed(kept: Kept) -> None:
    """A retired secret could still forge the past."""
    kept.rotate()
    listing = list_trail_keys(kept.directory)
    names = {place.name for place in (kept.directory / "keys").iterdir()}

    assert "audit-checkpoint.v1.json" not in names
    assert "audit-checkpoint.v2.json" in names
    assert "handover" not in names
    assert listing.unfinished is None
    assert [
        (one.key_version, one.to_size)
        for one in listing.keys
        if (one.log, one.role) == (AUDIT, SigningRole.CHECKPOINT)
    ] == [(1, 301), (2, None)]


def test_another_process_that_had_the_trail_open_signs_nothing_more(
    kept: Kept,
) -> None:
    """Its promises would be under a key that is no longer in force."""
    with closing(open_trail(kept.directory)) as other:
        other.recorder.record(phi_read(400), NOW)
        kept.rotate()
        with pytest.raises(StorageError, match="open the trail again"):
            other.recorder.record(phi_read(401), NOW)
        with (
            closing(other.publisher()) as publisher,
            pytest.raises(StorageError, match="open the trail again"),
        ):
            publisher.publish()
    kept.grow(401, 402)

    assert kept.verify().findings == ()


def test_nothing_is_replaced_while_somebody_publishes(kept: Kept) -> None:
    """A publisher would sign its next checkpoint with the key of before."""
    with (
        closing(open_trail(kept.directory)) as trail,
        closing(trail.lease()) as lease,
        lease,
        pytest.raises(StorageError, match="stop it"),
    ):
        kept.rotate()

    assert kept.rotate().key_version == 2


def test_another_recovery_key_is_refused_before_anything_is_made(kept: Kept) -> None:
    """The wrong envelope out of the safe must cost nothing."""
    _, other = make_recovery_key(TENANT)
    asked = Asked(AUDIT, SuccessionReason.ROTATION, "officer-1")
    with pytest.raises(InputError, match="genesis of this trail pins"):
        succeed(kept.directory, asked, other, NOW)

    assert not (kept.directory / "keys/handover").exists()
    assert not (kept.directory / "public/keyring.json").exists()


def test_a_user_whom_the_audit_log_would_refuse_is_refused_first(kept: Kept) -> None:
    """A succession that cannot be recorded would keep the trail from opening."""
    asked = Asked(AUDIT, SuccessionReason.ROTATION, "no user id")
    with pytest.raises(InputError, match="user_id"):
        succeed(kept.directory, asked, kept.recovery, NOW)


def test_a_rotation_needs_the_old_key_file(kept: Kept) -> None:
    """Without it this is a loss, and must be declared as one."""
    (kept.directory / "keys/audit-checkpoint.v1.json").unlink()
    with pytest.raises(ConfigError, match="audit-checkpoint is missing"):
        kept.rotate()


@pytest.mark.parametrize("name", ["checkpoint", "promise"])
def test_a_lost_key_is_replaced_with_the_recovery_key_alone(
    kept: Kept, name: str
) -> None:
    """A dead disk must not end a log that has to be kept for six years."""
    before = kept.checkpoint()
    (kept.directory / f"keys/audit-{name}.v1.json").unlink()
    with pytest.raises(ConfigError, match="is missing"):
        open_trail(kept.directory)
    done = kept.succeed(SuccessionReason.LOST)
    kept.grow(300, 305)

    assert done.trusted_size == done.head_size
    assert kept.verify(before, kept.checkpoint(), deep=True).verdict is Verdict.OK


def test_another_missing_key_is_not_passed_over_for_a_lost_one(kept: Kept) -> None:
    """Only what is replaced may be missing; a lost sealing key is another disaster."""
    (kept.directory / "keys/audit-checkpoint.v1.json").unlink()
    (kept.directory / "keys/audit-seal.v1.json").unlink()
    with pytest.raises(ConfigError, match="audit-seal is missing"):
        kept.succeed(SuccessionReason.LOST)


def test_a_last_good_checkpoint_must_be_of_this_history(
    kept: Kept, tmp_path: Path
) -> None:
    """A new key over a rewritten history would bless it."""
    copy = Kept(tmp_path / "copy", kept.recovery)
    shutil.copytree(kept.directory, copy.directory)
    copy.grow(400, 410)
    kept.grow(500, 520)
    with pytest.raises(IntegrityError, match="another root at size"):
        kept.succeed(SuccessionReason.COMPROMISE, last_good=copy.checkpoint())
    copy.grow(410, 440)
    with pytest.raises(IntegrityError, match="cut or restored"):
        kept.succeed(SuccessionReason.COMPROMISE, last_good=copy.checkpoint())


def test_only_a_compromise_takes_trust_away(kept: Kept) -> None:
    """A rotation with a last good checkpoint is a mistake about what is asked."""
    with pytest.raises(InputError, match="only a compromise"):
        kept.succeed(SuccessionReason.ROTATION, last_good=kept.checkpoint())


def test_what_lies_in_state_outside_of_a_disowned_size_binds_nobody(
    kept: Kept,
) -> None:
    """A thief's checkpoint there must not keep the log from going on."""
    good = kept.checkpoint()
    kept.grow(300, 310)
    outside = kept.directory / "state/outside"
    (outside / "good").write_bytes(good)
    (outside / "stolen").write_bytes(kept.checkpoint())
    kept.succeed(SuccessionReason.COMPROMISE, last_good=good)
    kept.grow(310, 315)
    publish_once(kept.directory)

    assert read_status(kept.directory).logs[0].outside_size == 301


def test_a_log_that_is_behind_its_keyring_is_not_opened(kept: Kept) -> None:
    """A journal restored without the keys would have two histories signed."""
    for name in ("journal.db", "journal.db-wal"):
        place = kept.directory / "state" / name
        if place.exists():
            shutil.copy(place, kept.directory.parent / name)
    kept.rotate()
    for name in ("journal.db-wal", "journal.db-shm"):
        (kept.directory / "state" / name).unlink(missing_ok=True)
    for name in ("journal.db", "journal.db-wal"):
        if (kept.directory.parent / name).exists():
            shutil.copy(kept.directory.parent / name, kept.directory / "state")
    (kept.directory / "public/audit/checkpoint").unlink()

    with pytest.raises(IntegrityError, match="the keyring knows a succession"):
        open_trail(kept.directory)
    assert "cut, or restored" in told(kept.verify(), Check.KEYRING)


def test_a_succession_is_an_entry_like_any_other(kept: Kept) -> None:
    """It is counted, listed and verified deep with the rest."""
    done = kept.rotate()
    with closing(open_trail(kept.directory)) as trail:
        leaves = read_leaves(trail)

    assert isinstance(leaves[done.head_size], Succession)
    assert kept.verify(deep=True).findings == ()
