"""Key files are read as they were written, or refused with what to do."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.keys.rings import MOMENT

from phitrail.errors import ConfigError, IntegrityError
from phitrail.events.protected import Protected
from phitrail.keys.escrow import escrow_public_key, open_escrow
from phitrail.keys.key_file import (
    KeyFile,
    fingerprint_of_public,
    fingerprint_of_secret,
    key_context,
    make_key,
    name_of_file,
    read_key_file,
)
from phitrail.keys.local_vault import LocalVault
from phitrail.keys.names import KeyId, KeyKind, kinds_of_keys
from phitrail.keys.ring import KeyRing
from phitrail.keys.states import KeyState

RATER = KeyId("rater", 1)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Give a directory of keys."""
    KeyRing.create(tmp_path / "keys", created_at=MOMENT)
    return tmp_path / "keys"


def edit(place: Path, **changes: object) -> None:
    """Change fields of a key file."""
    kept = json.loads(place.read_text()) | changes
    place.write_text(json.dumps({k: v for k, v in kept.items() if v is not None}))


def test_a_file_is_read_as_it_was_written(made: Path) -> None:
    """Name, version and kind say what a secret is for."""
    for name, kind in kinds_of_keys().items():
        place = made / name_of_file(KeyId(name, 1))
        file = read_key_file(place)
        assert (file.key_id, file.kind, file.vault) == (KeyId(name, 1), kind, "local")
        assert place.name == file.file_name
        assert place.read_bytes() == file.encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"version": "1"},
        {"name": "text-hash"},
        {"name": "nobody's"},
        {"kind": "sign"},
        {"kind": "seal"},
        {"public_key": "AAAA"},
        {"held": 7},
        {"more": 1},
    ],
    ids=str,
)
def test_an_altered_key_file_is_refused(made: Path, changes: dict[str, object]) -> None:
    """A key under the wrong name or version would seal what nobody can open."""
    edit(made / "rater.v1.json", **changes)

    with pytest.raises(ConfigError, match=r"rater\.v1\.json is damaged; restore it"):
        read_key_file(made / "rater.v1.json")


def test_a_signing_key_without_its_public_half_is_refused(made: Path) -> None:
    """Nobody could check what it signs."""
    edit(made / "audit-promise.v1.json", public_key=None)

    with pytest.raises(ConfigError, match="is damaged"):
        read_key_file(made / "audit-promise.v1.json")


@pytest.mark.parametrize("written", ["AAAA", "not base64url!"])
def test_a_public_half_that_is_none_is_named(made: Path, written: str) -> None:
    """A verifier must not be handed something else for a key."""
    edit(made / "audit-promise.v1.json", public_key=written)
    file = read_key_file(made / "audit-promise.v1.json")

    with pytest.raises(ConfigError, match=r"audit-promise\.v1\.json has no public key"):
        file.public()


@pytest.mark.drill
def test_no_file_stands_in_for_another(made: Path) -> None:
    """What is held is bound to name, version and kind; a copy under another name is no key."""
    held = read_key_file(made / "text-hash.v1.json").held
    edit(made / "rater.v1.json", held=held)

    with pytest.raises(ConfigError, match="key rater version 1 is not the one"):
        KeyRing.load(made)
    with pytest.raises(IntegrityError, match="does not unwrap"):
        LocalVault.load(made).unwrap([read_key_file(made / "rater.v1.json").wrapped])


def test_a_cut_key_file_is_refused_without_showing_it(made: Path) -> None:
    """The decoder's own error would quote what it read."""
    place = made / "rater.v1.json"
    held = json.loads(place.read_text())["held"]
    place.write_text(place.read_text()[:-20])

    with pytest.raises(ConfigError, match="is damaged") as caught:
        read_key_file(place)

    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert held[:20] not in str(caught.value)


def test_a_key_that_cannot_be_read_is_named(made: Path) -> None:
    """A dangling link must not look like a defect of ours."""
    (made / "rater.v1.json").unlink()
    (made / "rater.v1.json").symlink_to(made / "absent")

    with pytest.raises(ConfigError, match="cannot read key file"):
        KeyRing.load(made)


def test_a_secret_is_made_with_its_escrow_and_a_signing_key_without(made: Path) -> None:
    """A lost signing key is succeeded; a lost secret must come back."""
    vault, recovery = LocalVault.load(made), Ed25519PrivateKey.generate()
    escrow_key = escrow_public_key(recovery)
    secret, entry = make_key(RATER, KeyKind.MAC, MOMENT, vault, escrow_key)
    signer, of_signer = make_key(
        KeyId("audit-promise", 2), KeyKind.SIGN, MOMENT, vault, escrow_key
    )

    (plain,) = vault.unwrap([secret.wrapped])
    assert entry.state is of_signer.state is KeyState.PRE_ACTIVATION
    assert entry.fingerprint == fingerprint_of_secret(RATER, Protected(plain))
    assert secret.escrow is not None
    assert plain == open_escrow(
        recovery, secret.escrow, key_context("rater", 1, KeyKind.MAC)
    )
    assert signer.escrow is None
    assert of_signer.fingerprint == fingerprint_of_public(
        signer.key_id, signer.public()
    )


def test_a_fingerprint_is_of_one_version_alone() -> None:
    """The same secret under two names must not look like one key."""
    secret, public = Protected(bytes(32)), bytes(32)
    ids = [RATER, KeyId("rater", 2), KeyId("rater1", 1), KeyId("text-hash", 1)]

    told = {fingerprint_of_secret(one, secret) for one in ids}
    told |= {fingerprint_of_public(one, public) for one in ids}
    assert len(told) == 2 * len(ids)


def test_a_key_file_prints_no_secret(made: Path) -> None:
    """Whoever prints a key file in a log has printed what the vault wrapped, no more."""
    file = read_key_file(made / "rater.v1.json")
    (plain,) = LocalVault.load(made).unwrap([file.wrapped])

    assert isinstance(file, KeyFile)
    assert plain.hex() not in repr(file)
