"""The verbs that change the states of keys, against each real vault: the same everywhere."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

import pytest
from tests.app.key_verbs import (
    BY,
    WHY,
    changing,
    check_register_is_the_log_s,
    recording,
    state,
)
from tests.app.trust import Kept
from tests.kms import ministack
from tests.trails import NOW, TENANT, phi_read, record_events
from tests.vaults import openbao

from phitrail.app.break_glass import breaking_glass
from phitrail.app.founding import found_trail
from phitrail.app.key_compromise import compromise_key
from phitrail.app.key_destruction import destroy_key
from phitrail.app.key_endings import waiting_halves
from phitrail.app.key_exceptions import record_exception
from phitrail.app.key_rekey import rekey_identity
from phitrail.app.key_rotation import rotate_key
from phitrail.app.key_states import create_key, lift_suspension, suspend_key
from phitrail.app.key_wiring import KEYS, open_vault
from phitrail.app.reading import show_entries
from phitrail.errors import RefusedError, StorageError, VaultError
from phitrail.events.codes import Log
from phitrail.keys.due import RETAIN_PRIVATE
from phitrail.keys.key_file import read_key_file
from phitrail.keys.settings import LocalVaultSettings, VaultSettings
from phitrail.keys.states import KeyState

pytestmark = pytest.mark.long
AFTER = NOW + timedelta(days=6 * 366)
MakeSettings: TypeAlias = Callable[[str, Path], VaultSettings]


@pytest.fixture(scope="module", params=["local", "openbao", "aws-kms"])
def vault(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakeSettings]:
    """Start a real vault; give what makes the settings of a trail in it."""
    if request.param == "openbao":
        with openbao(tmp_path_factory.mktemp("openbao")) as server:
            yield lambda key, place: server.settings(key, place / "token")
    elif request.param == "aws-kms":
        with ministack(tmp_path_factory.mktemp("ministack")) as stack:
            made = stack.admin.create_key()["KeyMetadata"]["KeyId"]
            yield lambda _key, _place: stack.settings(str(made))
    else:
        yield lambda _key, _place: LocalVaultSettings()


@pytest.fixture
def kept(vault: MakeSettings, request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    """Give a trail in that vault, under keys that no other test has."""
    settings = vault(f"t{abs(hash(request.node.nodeid))}", tmp_path)
    founded = found_trail(tmp_path / "trail", TENANT, NOW, vault=settings)
    return Kept(tmp_path / "trail", founded.recovery[0])


def test_a_key_is_suspended_lifted_suspended_and_replaced(kept: Kept) -> None:
    """A doubt must stop the key in whatever vault it is."""
    at = kept.directory
    for name in ("audit-seal", "audit-promise"):
        with changing(at) as trail:
            suspend_key(trail, f"{name}:v1", by=BY, reason=WHY, now=NOW)
        with recording(at) as trail, pytest.raises(StorageError, match=name):
            trail.recorder.record(phi_read(1), NOW)
        with changing(at) as trail:
            lift_suspension(trail, f"{name}:v1", by=BY, reason=WHY, now=NOW)
    record_events(at, range(3))
    with changing(at) as trail:
        suspend_key(trail, "audit-seal", by=BY, reason=WHY, now=NOW)
        rotate_key(trail, "audit-seal", by=BY, reason=WHY, now=NOW)
    record_events(at, range(3, 6))

    assert state(at, "audit-seal:v1") is KeyState.DEACTIVATED
    check_register_is_the_log_s(at)


def test_a_stolen_key_is_replaced_and_its_content_in_quarantine(kept: Kept) -> None:
    """What the thief may have read opens for nobody by accident."""
    at = kept.directory
    record_events(at, range(5))
    with changing(at) as trail:
        for name in ("audit-seal", "identity-seal", "text-hash"):
            compromise_key(trail, f"{name}:v1", since=None, by=BY, reason=WHY, now=NOW)
        rekeyed = rekey_identity(trail, by=BY, now=NOW)
    record_events(at, range(5, 9))
    with recording(at) as trail:
        with pytest.raises(RefusedError):
            show_entries(trail, Log.AUDIT, "2", by="officer-7", now=NOW)
        with breaking_glass(
            trail, "case 17", by="officer-7", now=lambda: NOW
        ) as opened:
            (shown,) = show_entries(opened, Log.AUDIT, "2", by="officer-7", now=NOW)

    assert b"phi_read" in shown.leaf
    assert (rekeyed.rows, rekeyed.failed) == (10, 0)
    assert kept.verify(kept.checkpoint(), deep=True).findings == ()
    check_register_is_the_log_s(at)


def test_what_nothing_needs_is_destroyed(kept: Kept) -> None:
    """The file goes, and what was made after goes on."""
    at = kept.directory
    record_events(at, range(5))
    with changing(at) as trail:
        rotate_key(trail, "identity-seal", by=BY, reason="yearly", now=NOW)
        rekey_identity(trail, by=BY, now=NOW)
        create_key(trail, "rbac-user.dr-0012", by=BY, reason="joins", now=NOW)
        rotate_key(trail, "rbac-user.dr-0012", by=BY, reason="other role", now=NOW)
        for written in ("identity-seal:v1", "rbac-user.dr-0012:v1"):
            destroy_key(trail, written, by=BY, reason="it is over", now=AFTER)
    record_events(at, range(5, 9))

    assert not (at / KEYS / "identity-seal.v1.json").exists()
    assert state(at, "rbac-user.dr-0012:v1") is KeyState.DESTROYED
    assert kept.verify(kept.checkpoint(), deep=True).findings == ()
    check_register_is_the_log_s(at)


def test_a_half_that_was_kept_signs_until_it_is_destroyed(kept: Kept) -> None:
    """Destroyed means in the vault, too: the reference that we held signs nothing more."""
    at = kept.directory
    with changing(at) as trail:
        record_exception(
            trail,
            RETAIN_PRIVATE,
            until=NOW + timedelta(days=30),
            by=BY,
            reason=WHY,
            now=NOW,
        )
        settings = trail.policy.keys.vault
    file = read_key_file(at / KEYS / "audit-checkpoint.v1.json")
    kept.rotate()
    there = open_vault(at, settings)
    signature = there.sign(file.wrapped, b"still there")
    with changing(at) as trail:
        destroy_key(trail, "audit-checkpoint:v1", by=BY, reason="it ended", now=NOW)
    kept.grow(0, 3)

    assert len(signature) == 64
    assert waiting_halves(at) == ()
    assert not (at / KEYS / "audit-checkpoint.v1.json").exists()
    if not isinstance(settings, LocalVaultSettings):  # there the file was all of it
        with pytest.raises(VaultError):
            open_vault(at, settings).sign(file.wrapped, b"gone")
    assert kept.verify(kept.checkpoint(), deep=True).findings == ()
    there.close()
