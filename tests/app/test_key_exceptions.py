"""Rules of the keys are set aside until a day, and count again from then on."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from tests.app.key_verbs import BY, WHY, changing, check_register_is_the_log_s, state
from tests.app.trust import Kept, found_kept
from tests.trails import NOW, check_whole, record_events

from phitrail.app import clock
from phitrail.app.documents import open_document
from phitrail.app.key_destruction import destroy_key
from phitrail.app.key_endings import ENDED, destroy_ended, waiting_halves
from phitrail.app.key_exceptions import record_exception
from phitrail.app.key_listing import PrivateHalf, list_versions
from phitrail.app.key_wiring import KEYS, current_register
from phitrail.app.succession import Asked, succeed
from phitrail.app.wiring import open_trail
from phitrail.errors import ConfigError, InputError, VaultError
from phitrail.events.codes import Log, SuccessionReason
from phitrail.keys.due import LOCAL_KEYRING, RETAIN_PRIVATE
from phitrail.keys.names import KeyId
from phitrail.keys.states import KeyState
from phitrail.keys.vault import Wrapped
from phitrail.sdk.connect import connect


@pytest.fixture
def kept(memory_path: Path) -> Kept:
    """Give a trail with some events, and its recovery key."""
    trail = found_kept(memory_path / "trail")
    trail.grow(0, 5)
    return trail


def set_aside(directory: Path, rule: str, *, days: int, now_too: bool = False) -> str:
    """Set a rule aside, from the time of the tests or of this machine on."""
    now = clock.now() if now_too else NOW
    with changing(directory) as trail:
        _, done = record_exception(
            trail, rule, until=now + timedelta(days=days), by=BY, reason=WHY, now=now
        )
    return done.digest


def make_production(directory: Path) -> None:
    """Write the profile into policy.yaml."""
    place = directory / "policy.yaml"
    policy = yaml.safe_load(place.read_text(encoding="utf-8"))
    place.write_text(
        yaml.safe_dump({**policy, "profile": "production"}), encoding="utf-8"
    )


def private_files(directory: Path) -> set[str]:
    """Name the files of the audit log's checkpoint keys."""
    return {one.name for one in (directory / KEYS).glob("audit-checkpoint.*")}


def test_a_private_half_goes_with_its_succession(kept: Kept) -> None:
    """A key that nobody needs can be stolen all the same (SP 800-57, transition 5)."""
    kept.rotate()
    entry = current_register(kept.directory).entry(KeyId("audit-checkpoint", 1))

    assert private_files(kept.directory) == {"audit-checkpoint.v2.json"}
    assert entry.state is KeyState.DEACTIVATED
    assert entry.private_destroyed_at is not None
    assert waiting_halves(kept.directory) == ()


def test_a_private_half_is_kept_under_an_exception_and_destroyed_after(
    kept: Kept,
) -> None:
    """An exception is shown as long as the half that signs is there, and ends for good."""
    set_aside(kept.directory, RETAIN_PRIVATE, days=30)
    kept.rotate()
    kept.grow(5, 9)
    entry = current_register(kept.directory).entry(KeyId("audit-checkpoint", 1))
    was_there = private_files(kept.directory)
    listed = {
        str(one.entry.key_id): one.private_half
        for one in list_versions(kept.directory, NOW).versions
    }
    with changing(kept.directory) as trail:
        destroy_key(trail, "audit-checkpoint:v1", by=BY, reason="it ended", now=NOW)
        with pytest.raises(InputError, match="half that signs was destroyed"):
            destroy_key(trail, "audit-checkpoint:v1", by=BY, reason=WHY, now=NOW)
    kept.grow(9, 12)

    assert entry.private_destroyed_at is None
    assert listed["audit-checkpoint:v1"] is PrivateHalf.RETAINED
    assert was_there == {"audit-checkpoint.v1.json", "audit-checkpoint.v2.json"}
    assert private_files(kept.directory) == {"audit-checkpoint.v2.json"}
    assert state(kept.directory, "audit-checkpoint:v1") is KeyState.DESTROYED
    assert kept.verify(kept.checkpoint(), deep=True).findings == ()
    check_register_is_the_log_s(kept.directory)


def test_an_exception_that_has_ended_keeps_nothing(kept: Kept) -> None:
    """What was kept under it goes with the next succession, too."""
    set_aside(kept.directory, RETAIN_PRIVATE, days=30)
    kept.rotate()
    with changing(kept.directory) as trail:
        register = current_register(trail.directory)
    late = NOW + timedelta(days=31)
    asked = Asked(Log.AUDIT, SuccessionReason.ROTATION, BY)
    succeed(kept.directory, asked, kept.recovery, late)

    assert len(register.exceptions) == 1
    assert private_files(kept.directory) == {"audit-checkpoint.v3.json"}
    assert all(
        one.private_destroyed_at is not None
        for one in current_register(kept.directory).versions("audit-checkpoint")[:2]
    )
    kept.grow(20, 22)


def test_a_stolen_key_is_not_kept_whatever_exception_there_is(kept: Kept) -> None:
    """An exception for a rotation must not keep what a thief signs with."""
    set_aside(kept.directory, RETAIN_PRIVATE, days=30)
    kept.succeed(SuccessionReason.COMPROMISE)

    assert private_files(kept.directory) == {"audit-checkpoint.v2.json"}


class _Refusing:
    """A vault that lets nobody destroy a key."""

    def destroy_signing_key(self, key: Wrapped) -> None:
        """Refuse."""
        raise VaultError(f"{key.context.decode()}: refused", is_refusal=True)


def test_a_vault_that_destroys_nothing_holds_up_no_new_keys(kept: Kept) -> None:
    """The half that signs waits out of sight, is told, and goes when the vault agrees."""
    place = kept.directory / KEYS / "audit-checkpoint.v1.json"
    data = place.read_bytes()
    kept.rotate()
    ended = kept.directory / ENDED
    ended.mkdir(exist_ok=True)
    (ended / place.name).write_bytes(data)
    (ended / place.name).chmod(0o600)
    destroy_ended(kept.directory, _Refusing())  # type: ignore[arg-type]
    waits = waiting_halves(kept.directory)
    listed = {
        str(one.entry.key_id): one.private_half
        for one in list_versions(kept.directory, NOW).versions
    }
    kept.grow(5, 8)  # whoever opens the trail tries again

    assert waits == (KeyId("audit-checkpoint", 1),)
    assert listed["audit-checkpoint:v1"] is PrivateHalf.WAITING
    assert listed["audit-promise:v1"] is PrivateHalf.DESTROYED
    assert waiting_halves(kept.directory) == ()


def test_why_a_rule_was_set_aside_is_kept_sealed(kept: Kept) -> None:
    """The register says that there is an exception; why, the document says."""
    digest = set_aside(kept.directory, RETAIN_PRIVATE, days=30)
    (one,) = current_register(kept.directory).exceptions
    with changing(kept.directory) as trail:
        change = json.loads(open_document(trail, digest) or b"")
        why = json.loads(open_document(trail, one.reason_digest) or b"")

    assert change["facts"]["exception"] == {"rule": RETAIN_PRIVATE, "until": one.until}
    assert (one.by, why["reason"]) == (BY, WHY)
    check_whole(kept.directory)


@pytest.mark.drill
def test_production_on_a_local_keyring_takes_an_exception_that_has_not_ended(
    trail_dir: Path,
) -> None:
    """Whoever copies the disk has every key; somebody must sign for that, with a date."""
    make_production(trail_dir)
    with pytest.raises(ConfigError, match="refuses the local keyring"):
        open_trail(trail_dir)
    with pytest.raises(ConfigError, match="refuses the local keyring"):
        connect(str(trail_dir))
    set_aside(trail_dir, LOCAL_KEYRING, days=30, now_too=True)
    (receipt,) = record_events(trail_dir, [1])

    check_whole(trail_dir).check_holds([receipt], trail_dir)


def test_an_exception_in_the_past_opens_nothing(trail_dir: Path) -> None:
    """A date that nobody looks at must still be one."""
    make_production(trail_dir)
    then = clock.now() - timedelta(days=40)
    with changing(trail_dir) as trail:
        record_exception(
            trail,
            LOCAL_KEYRING,
            until=then + timedelta(days=30),
            by=BY,
            reason=WHY,
            now=then,
        )
    with pytest.raises(ConfigError, match="phitrail key except"):
        open_trail(trail_dir)
