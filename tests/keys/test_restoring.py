"""A secret out of escrow or a vault is the register's, or it is refused."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from phitrail.errors import IntegrityError, VaultError
from phitrail.keys.escrow import escrow_public_key
from phitrail.keys.key_file import KeyFile, make_key
from phitrail.keys.local_vault import LocalVault
from phitrail.keys.names import KeyId, KeyKind
from phitrail.keys.register import KeyEntry
from phitrail.keys.restoring import (
    Lost,
    open_from_escrow,
    still_signs,
    unwrap_held,
    wrap_anew,
)
from phitrail.keys.vault import Wrapped

MOMENT = "2026-11-22T12:00:00.000Z"
RECOVERY = Ed25519PrivateKey.generate()
ESCROW = escrow_public_key(RECOVERY)
RATER = KeyId("rater", 1)
SIGNER = KeyId("audit-checkpoint", 1)


class Refusing(LocalVault):
    """A vault that answers and refuses, or does not answer."""

    is_refusal = True

    def unwrap(self, wrapped: Sequence[Wrapped]) -> list[bytes]:
        """Refuse."""
        del wrapped
        raise VaultError("no", is_refusal=self.is_refusal)

    def sign(self, key: Wrapped, data: bytes) -> bytes:
        """Refuse."""
        del key, data
        raise VaultError("no", is_refusal=self.is_refusal)


@pytest.fixture
def vault(tmp_path: Path) -> LocalVault:
    """Give a vault."""
    return LocalVault.create(tmp_path, created_at=MOMENT)


@pytest.fixture
def other(tmp_path: Path) -> LocalVault:
    """Give another vault."""
    place = tmp_path / "other"
    place.mkdir()
    return LocalVault.create(place, created_at=MOMENT, version=2)


def made(vault: LocalVault, key_id: KeyId = RATER) -> tuple[KeyFile, KeyEntry]:
    """Make a key."""
    kind = KeyKind.SIGN if key_id == SIGNER else KeyKind.MAC
    return make_key(key_id, kind, MOMENT, vault, ESCROW)


def test_what_comes_out_of_escrow_is_what_the_vault_holds(
    vault: LocalVault, other: LocalVault
) -> None:
    """Wrapped under another vault it is still the same secret."""
    file, entry = made(vault)
    secret = open_from_escrow(file, entry, RECOVERY)
    (moved,) = wrap_anew(other, {RATER: file}, {RATER: secret}, ESCROW)

    assert secret == unwrap_held(vault, file, entry)
    assert secret == unwrap_held(other, moved, entry)
    assert unwrap_held(vault, moved, entry) is None
    assert secret == open_from_escrow(moved, entry, RECOVERY)
    assert moved.held.startswith("local:v2:")
    assert wrap_anew(other, {}, {}, ESCROW) == ()


def test_another_secret_than_the_register_s_is_refused(vault: LocalVault) -> None:
    """Under a wrong key new records would be sealed that nobody opens later."""
    file, entry = made(vault)
    wrong = msgspec.structs.replace(entry, fingerprint="0" * 32)
    with pytest.raises(IntegrityError, match="another secret"):
        open_from_escrow(file, wrong, RECOVERY)

    assert unwrap_held(vault, file, wrong) is None


def test_what_is_not_in_escrow_is_said(vault: LocalVault) -> None:
    """Keys of an older version may have none."""
    file, entry = made(vault)
    bare = msgspec.structs.replace(file, escrow=None)
    with pytest.raises(IntegrityError, match="nothing in escrow"):
        open_from_escrow(bare, entry, RECOVERY)


def test_another_recovery_key_opens_nothing(vault: LocalVault) -> None:
    """The officers of another house hold shares as well."""
    file, entry = made(vault)
    with pytest.raises(IntegrityError, match="does not open under this recovery key"):
        open_from_escrow(file, entry, Ed25519PrivateKey.generate())


def test_a_signing_key_signs_in_its_own_vault_alone(
    vault: LocalVault, other: LocalVault
) -> None:
    """A log whose key is taken for lost gets another one, which nobody takes back."""
    file, _ = made(vault, SIGNER)
    wrong = msgspec.structs.replace(file, public_key=made(other, SIGNER)[0].public_key)
    none = msgspec.structs.replace(file, held="")

    assert still_signs(vault, file)
    assert [still_signs(vault, one) for one in (wrong, none)] == [False, False]
    assert not still_signs(other, file)


def test_who_refuses_has_not_and_who_is_down_may_have(
    vault: LocalVault, tmp_path: Path
) -> None:
    """Keys are not replaced because a cable was pulled."""
    file, entry = made(vault)
    signing, _ = made(vault, SIGNER)
    refusing = Refusing.load(tmp_path)

    assert unwrap_held(refusing, file, entry) is None
    assert not still_signs(refusing, signing)
    Refusing.is_refusal = False
    try:
        with pytest.raises(VaultError):
            unwrap_held(refusing, file, entry)
        with pytest.raises(VaultError):
            still_signs(refusing, signing)
    finally:
        Refusing.is_refusal = True


def test_what_is_lost_reads_as_a_sentence() -> None:
    """It goes into an error as it is."""
    assert str(Lost(RATER, "its file is missing")) == "rater:v1: its file is missing"
