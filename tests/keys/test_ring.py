"""Keys at work: made once, whole, and each used as its state allows."""

import stat
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.keys.rings import MOMENT, Keys, TimedVault, make_keys

from phitrail.errors import (
    ConfigError,
    IntegrityError,
    RefusedError,
    StorageError,
    VaultError,
)
from phitrail.events.protected import MASK, Protected
from phitrail.events.unprotect import unprotect
from phitrail.keys.local_vault import LocalVault
from phitrail.keys.names import WRAPPING, KeyId, KeyKind, kinds_of_keys
from phitrail.keys.ring import KeyRing, wrapping_entry
from phitrail.keys.states import KeyState
from phitrail.keys.vault import Wrapped

V1, V2 = KeyId("rater", 1), KeyId("rater", 2)
SEAL = KeyId("audit-seal", 1)
SIGNER = KeyId("audit-checkpoint", 1)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """Every key of a trail, and its register."""
    return make_keys(tmp_path)


@pytest.fixture
def made(keys: Keys) -> Path:
    """The directory of the key files."""
    return keys.directory


# --- made, and read again ---


def test_every_key_is_made_for_its_owner_alone(made: Path) -> None:
    """A key file that others can read signs for them as well."""
    names = {f"{name}.v1.json" for name in (*kinds_of_keys(), WRAPPING)}

    assert names == {place.name for place in made.iterdir()}
    assert {0o600} == {stat.S_IMODE(p.stat().st_mode) for p in made.iterdir()}
    assert stat.S_IMODE(made.stat().st_mode) == 0o700


def test_no_two_keys_are_alike(made: Path) -> None:
    """One secret for two purposes lets one be used as the other."""
    ring = KeyRing.load(made)
    secrets = {
        ring.signing_key(name).public_key
        if kind is KeyKind.SIGN
        else unprotect(ring.newest(name)[1])
        for name, kind in kinds_of_keys().items()
    }

    assert len(secrets) == len(kinds_of_keys())
    assert len(set(ring.fingerprints().values())) == len(kinds_of_keys())


def test_keys_are_never_made_over_others(made: Path) -> None:
    """New keys over old ones would make the log unreadable for ever."""
    with pytest.raises(ConfigError, match="nothing was made"):
        KeyRing.create(made, created_at=MOMENT)


def test_keys_that_cannot_be_written_say_so(tmp_path: Path) -> None:
    """The operator must learn the place."""
    (tmp_path / "file").write_text("")

    with pytest.raises(StorageError, match="cannot write keys"):
        KeyRing.create(tmp_path / "file" / "keys", created_at=MOMENT)


def test_keys_are_made_in_the_vault_that_was_chosen(tmp_path: Path) -> None:
    """Secrets wrapped by a keyring beside them are not in the vault."""
    (tmp_path / "elsewhere").mkdir()
    vault = LocalVault.create(tmp_path / "elsewhere", created_at=MOMENT)
    KeyRing.create(tmp_path / "keys", lambda: vault, created_at=MOMENT)

    assert not list((tmp_path / "keys").glob(f"{WRAPPING}.*"))
    assert KeyRing.load(tmp_path / "keys", vault).vault is vault
    with pytest.raises(ConfigError, match=f"key {WRAPPING} is missing"):
        KeyRing.load(tmp_path / "keys")


@pytest.mark.drill
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_key_that_others_may_read_or_change_is_refused(made: Path, mode: int) -> None:
    """Whoever read it can sign; going on would hide that."""
    (made / "rater.v1.json").chmod(mode)

    with pytest.raises(ConfigError, match="chmod 600"):
        KeyRing.load(made)


@pytest.mark.parametrize("name", list(kinds_of_keys()))
def test_a_missing_key_is_named(made: Path, name: str) -> None:
    """The operator must know which one to restore."""
    (made / f"{name}.v1.json").unlink()

    with pytest.raises(ConfigError, match=f"key {name} is missing .* key backup"):
        KeyRing.load(made)
    assert (name, 1) not in KeyRing.load(made, may_lack=[name]).versions()


def test_a_missing_directory_is_a_missing_key(tmp_path: Path) -> None:
    """A trail without its keys must not open for writing."""
    with pytest.raises(ConfigError, match="is missing"):
        KeyRing.load(tmp_path / "absent")


def test_the_newest_version_is_in_use_and_older_ones_stay(keys: Keys) -> None:
    """After a rotation, what was sealed before must still open."""
    old = keys.ring().newest("rater")
    keys.rotate("rater")
    ring = keys.ring()

    assert ring.newest("rater")[0] == ring.newest_version("rater") == 2
    assert (1, ring.secret("rater", 1)) == old
    assert {("rater", 1), ("rater", 2)} <= set(ring.versions())
    with pytest.raises(ConfigError, match="version 3 is not here"):
        ring.secret("rater", 3)


def test_without_a_register_the_newest_file_is_in_use(keys: Keys) -> None:
    """A copy of a trail is read with the keys that came along."""
    keys.rotate("rater")

    ring = KeyRing.load(keys.directory)
    keys.rotate("rater")
    ring.refresh()

    assert ring.newest_version("rater") == 3
    with pytest.raises(ConfigError, match="version 4 is not here"):
        ring.secret("rater", 4)


def test_secrets_do_not_print(made: Path) -> None:
    """A key in a log line is a key that is lost."""
    assert repr(KeyRing.load(made).newest("rater")[1]) == MASK


# --- states ---


def test_a_version_that_waits_protects_nothing(keys: Keys) -> None:
    """A key made ahead of time is taken into use by a rotation, on record, not before."""
    keys.add("rater")
    keys.publish()

    assert keys.ring().newest_version("rater") == 1


def test_a_suspended_version_opens_and_protects_nothing(keys: Keys) -> None:
    """In doubt nothing new is put under a key, and nothing old is lost for that."""
    ring = keys.ring()
    keys.move(V1, KeyState.SUSPENDED, is_published=True)
    keys.wait_s(1)

    with pytest.raises(StorageError, match="lift the suspension"):
        ring.newest("rater")
    assert unprotect(ring.secret("rater", 1))
    assert ring.for_changes().newest_version("rater") == 1  # the lifting is recorded
    with pytest.raises(StorageError, match="no version of key fpe-metadata"):
        ring.for_changes().newest_version("fpe-metadata")


def test_a_suspended_signing_key_does_not_sign(keys: Keys) -> None:
    """Also where it was handed out before, in a process that runs."""
    ring = keys.ring()
    handed_out = ring.signing_key(SIGNER.name)
    changing = ring.for_changes().signing_key(SIGNER.name)
    assert handed_out.sign(b"data")

    keys.move(SIGNER, KeyState.SUSPENDED, is_published=True)
    keys.wait_s(1)

    with pytest.raises(StorageError, match="audit-checkpoint:v1 is suspended"):
        handed_out.sign(b"data")
    assert changing.sign(b"data")
    keys.move(SIGNER, KeyState.ACTIVE, is_published=True)
    keys.wait_s(1)
    assert handed_out.sign(b"data")


@pytest.mark.drill
def test_what_a_compromised_key_sealed_opens_behind_glass_only(keys: Keys) -> None:
    """Content that somebody else may have written or read is no evidence unasked."""
    ring = keys.ring()
    keys.rotate("audit-seal")
    keys.move(SEAL, KeyState.COMPROMISED, is_published=True)
    keys.wait_s(1)

    with pytest.raises(RefusedError, match="audit-seal:v1 is compromised"):
        ring.secret(SEAL.name, 1)
    with pytest.raises(RefusedError, match="quarantined"):
        ring.check_may_open(SEAL)
    assert (ring.quarantined(SEAL.name), ring.quarantined("rater")) == ((SEAL,), ())
    glass = ring.behind_glass()
    glass.check_may_open(SEAL)
    assert (glass.quarantined(SEAL.name), bool(glass.secret(SEAL.name, 1))) == (
        (),
        True,
    )
    assert keys.ring().newest_version(SEAL.name) == 2  # and nobody unwrapped the first


def test_a_compromised_hash_key_still_matches_and_is_named(keys: Keys) -> None:
    """What was recorded must be found; that others could make such hashes is said."""
    keys.rotate("rater")
    keys.rotate("rater")
    keys.move(V1, KeyState.COMPROMISED)
    keys.move(V2, KeyState.DESTROYED)
    keys.move(V2, KeyState.DESTROYED_COMPROMISED, is_published=True)
    ring = keys.ring()

    assert unprotect(ring.secret("rater", 1))
    assert ring.compromised("rater") == (1, 2)
    assert ring.compromised("text-hash") == ()


@pytest.mark.parametrize("is_removed", [False, True])
def test_a_destroyed_version_is_gone_in_running_processes_too(
    keys: Keys, *, is_removed: bool
) -> None:
    """The register goes in place before the file is removed: nobody may keep it then."""
    ring = keys.ring()
    keys.rotate("rater")
    keys.move(V1, KeyState.DESTROYED, is_published=True)
    if is_removed:
        (keys.directory / "rater.v1.json").unlink()
    keys.wait_s(1)

    with pytest.raises(ConfigError, match="version 1 is not here"):
        ring.secret("rater", 1)
    assert ("rater", 1) not in ring.versions()
    assert ring.fingerprints().get(V1, "") == ""


# --- keys at hand without a vault, and keys to be ---


def test_keys_at_hand_need_no_vault() -> None:
    """What somebody opens with keys out of a safe goes through the same parts."""
    seed, other = Protected(bytes(range(32))), Protected(bytes(32))
    ring = KeyRing.of({"audit-checkpoint": {1: seed}, "rater": {1: other, 2: seed}})

    assert ring.newest("rater") == (2, seed)
    assert ring.secret("rater", 1) is other
    assert len(ring.signing_key("audit-checkpoint").sign(b"data")) == 64
    assert ring.versions() == [("audit-checkpoint", 1), ("rater", 1), ("rater", 2)]
    with pytest.raises(ConfigError, match="version 3 is not here"):
        ring.secret("rater", 3)
    with pytest.raises(ConfigError, match="have no vault"):
        _ = ring.vault
    ring.refresh()
    ring.keep_warm()
    ring.close()
    assert ring.newest("rater") == (2, seed)


def test_keys_to_be_replace_those_of_their_name(keys: Keys) -> None:
    """A succession signs with the new pair before its files are in place."""
    ring = keys.ring()
    before = ring.signing_key(SIGNER.name)
    file = keys.add(SIGNER.name)

    after = ring.with_files([file])

    assert after.signing_key(SIGNER.name).public_key == file.public()
    assert after.newest("rater") == ring.newest("rater")
    assert before.public_key != file.public()
    assert (SIGNER.name, 1) not in after.versions()


def test_the_vault_s_own_key_is_listed_as_active(made: Path) -> None:
    """The register names every key that stands between a thief and the log."""
    entry = wrapping_entry(LocalVault.load(made), MOMENT)

    assert (entry.key_id, entry.state) == (KeyId(WRAPPING, 1), KeyState.ACTIVE)


# --- the time that a vault admits ---


def test_a_secret_is_asked_for_anew_when_its_time_is_over(keys: Keys) -> None:
    """A vault that took a right away must be asked again."""
    vault = TimedVault.load(keys.directory)
    assert isinstance(vault, TimedVault)
    ring = keys.ring(vault)
    asked, secret = vault.asked, ring.secret("rater", 1)
    keys.wait_s(9.9)
    assert ring.secret("rater", 1) is secret
    assert vault.asked == asked
    keys.wait_s(0.2)

    assert ring.secret("rater", 1) is secret  # the same: what was prepared of it stays
    assert vault.asked == asked + 1
    vault.error = VaultError("the vault does not answer")
    keys.wait_s(10)
    with pytest.raises(VaultError, match="does not answer"):
        ring.secret("rater", 1)
    vault.error = None
    assert ring.secret("rater", 1) is secret


def test_what_is_kept_warm_is_asked_for_before_its_time_is_over(keys: Keys) -> None:
    """Whoever records must not wait for the vault."""
    vault = TimedVault.load(keys.directory)
    assert isinstance(vault, TimedVault)
    ring = keys.ring(vault)
    asked = vault.asked
    keys.wait_s(4)
    ring.keep_warm()
    assert vault.asked == asked  # more than half of the time is left
    keys.wait_s(2)
    ring.keep_warm()
    keys.wait_s(9)

    assert unprotect(ring.secret("rater", 1))
    assert vault.asked == asked + 1


@pytest.mark.drill
def test_a_refusal_drops_every_secret(keys: Keys) -> None:
    """A token or role that was revoked must end the use of what it gave, at once."""
    vault = TimedVault.load(keys.directory)
    assert isinstance(vault, TimedVault)
    ring = keys.ring(vault)
    keys.wait_s(6)
    vault.error = VaultError("refused", is_refusal=True)
    with pytest.raises(VaultError, match="refused"):
        ring.keep_warm()

    with pytest.raises(VaultError, match="refused"):  # its time was not over
        ring.secret("rater", 1)


def test_a_closed_ring_forgets_its_secrets(keys: Keys) -> None:
    """A process that let go of a trail must not keep what opens it."""
    vault = TimedVault.load(keys.directory)
    assert isinstance(vault, TimedVault)
    ring = keys.ring(vault)
    asked = vault.asked
    ring.close()

    assert unprotect(ring.secret("rater", 1))
    assert vault.asked == asked + 1


class SigningElsewhere(LocalVault):
    """A vault that signs with a key of its own, or refuses to."""

    error: VaultError | None = None

    def sign(self, key: Wrapped, data: bytes) -> bytes:
        """Sign with no key of the trail."""
        del key
        if self.error is not None:
            raise self.error
        return Ed25519PrivateKey.generate().sign(data)


def test_a_signature_of_another_key_is_not_taken(keys: Keys) -> None:
    """A log signed by a key that nobody pins is a log that nobody can verify."""
    ring = keys.ring(SigningElsewhere.load(keys.directory))

    with pytest.raises(ConfigError, match="with another key than the log's"):
        ring.signing_key("audit-promise").sign(b"a tree head")


@pytest.mark.parametrize("is_refusal", [True, False])
def test_a_refusal_to_sign_drops_every_secret(keys: Keys, is_refusal: bool) -> None:
    """Who was refused once must not read on from memory; who was not answered may."""
    vault = SigningElsewhere.load(keys.directory)
    assert isinstance(vault, SigningElsewhere)
    ring = keys.ring(vault)
    vault.error = VaultError("not signed", is_refusal=is_refusal)
    with pytest.raises(VaultError):
        ring.signing_key("audit-promise").sign(b"a tree head")
    unwrapped = ring._shared.unwrapped

    assert unwrapped is not None
    assert (unwrapped.kept(KeyId("rater", 1)) is None) == is_refusal


# --- what a vault may answer ---


class LyingVault(TimedVault):
    """A vault that gives other bytes than were wrapped, or refuses what it gave before."""

    is_short: bool = False
    failures: int = 0

    def unwrap(self, wrapped: Sequence[Wrapped]) -> list[bytes]:
        """Give something else than what was asked for."""
        if self.failures:
            self.failures -= 1
            raise IntegrityError("a wrapped key does not unwrap")
        return [bytes(31 if self.is_short else 32) for _ in super().unwrap(wrapped)]


@pytest.mark.drill
@pytest.mark.parametrize("is_short", [False, True])
def test_a_secret_that_is_not_the_register_s_is_refused(
    keys: Keys, *, is_short: bool
) -> None:
    """A vault that answers with another one would seal what nobody can open."""
    vault = LyingVault.load(keys.directory)
    assert isinstance(vault, LyingVault)
    vault.is_short = is_short

    with pytest.raises(ConfigError, match="version 1 is not the one"):
        keys.ring(vault)


def test_a_vault_that_fails_once_without_a_reason_says_try_again(keys: Keys) -> None:
    """No key file may be blamed that unwraps by itself."""
    vault = LyingVault.load(keys.directory)
    assert isinstance(vault, LyingVault)
    vault.failures = 1

    with pytest.raises(ConfigError, match="each of them does; try again"):
        keys.ring(vault)


def test_versions_that_are_gone_are_listed(keys: Keys) -> None:
    """What was hashed under them cannot be told from other content."""
    keys.rotate("rater")
    keys.rotate("rater")
    keys.rotate("text-hash")
    keys.move(V1, KeyState.DESTROYED, is_published=True)
    (keys.directory / "rater.v2.json").unlink()
    ring = keys.ring()

    assert (ring.gone("rater"), ring.gone("text-hash")) == ((1, 2), ())
