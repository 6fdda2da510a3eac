"""What every vault of a trail does (`keys.vault`): the same tests for each of them.

A test file of a vault inherits from the parts that it can show, and gives the fixture
`vault`. `WrappingContract` and `SigningContract` are of every vault; `RotatingContract` is
of a vault whose wrapping key has versions, `RetiringContract` of one that ends them.
"""

import base64
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from phitrail.errors import ConfigError, IntegrityError, StorageError
from phitrail.keys.vault import ToWrap, Vault, Wrapped

MOMENT = "2026-11-22T12:00:00.000Z"
CONTEXT = b"phitrail/key-file/v1|text-hash|1|mac"
OTHER = b"phitrail/key-file/v1|text-hash|2|mac"
SECRET = b"a secret of thirty-two bytes, so"
MORE_THAN_A_BATCH = 901


def wrap_one(vault: Vault, secret: bytes = SECRET, context: bytes = CONTEXT) -> Wrapped:
    """Wrap one secret."""
    (text,) = vault.wrap([ToWrap(secret, context)])
    return Wrapped(text, context)


def altered(text: str) -> str:
    """Change one character in the middle of what a vault wrapped."""
    middle = len(text) - 8
    return text[:middle] + ("A" if text[middle] != "A" else "B") + text[middle + 1 :]


def is_signed(public_key: bytes, signature: bytes, data: bytes) -> bool:
    """Ask `cryptography`, which knows no vault, whether a signature holds."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, data)
    except InvalidSignature:
        return False
    return True


class WrappingContract:
    """It wraps and unwraps, each secret for its context."""

    def test_what_is_wrapped_comes_back_in_order(self, vault: Vault) -> None:
        """A vault that loses or mixes up a secret loses every record under it."""
        secrets = [ToWrap(bytes([n]) * 32, CONTEXT + bytes([n])) for n in range(20)]
        texts = vault.wrap(secrets)
        wrapped = [
            Wrapped(text, one.context) for text, one in zip(texts, secrets, strict=True)
        ]

        assert [one.secret for one in secrets] == vault.unwrap(wrapped)
        assert len(set(texts)) == len(texts)
        assert all(text.isascii() and text.isprintable() for text in texts)

    def test_nothing_to_do_is_done(self, vault: Vault) -> None:
        """A trail without such a key must not trip over it."""
        assert (vault.wrap([]), vault.unwrap([]), vault.rewrap([])) == ([], [], [])

    def test_the_secret_does_not_stand_in_what_is_wrapped(self, vault: Vault) -> None:
        """A wrapped key is copied to backups, where anybody may read it."""
        wrapped = wrap_one(vault)

        assert SECRET.decode() not in wrapped.text
        assert base64.b64encode(SECRET).decode()[:16] not in wrapped.text

    def test_another_context_does_not_unwrap(self, vault: Vault) -> None:
        """One key file could stand in for another otherwise."""
        taken = Wrapped(wrap_one(vault).text, OTHER)

        with pytest.raises(IntegrityError):
            vault.unwrap([taken])
        with pytest.raises(IntegrityError):
            vault.rewrap([taken])

    def test_altered_text_does_not_unwrap(self, vault: Vault) -> None:
        """A changed character must not become another key, and is not quoted."""
        wrapped = Wrapped(altered(wrap_one(vault).text), CONTEXT)

        with pytest.raises(IntegrityError) as caught:
            vault.unwrap([wrapped])

        assert wrapped.text[-40:] not in str(caught.value)
        assert caught.value.__cause__ is None

    def test_one_altered_among_many_fails_them_all(self, vault: Vault) -> None:
        """Half a batch taken for the whole leaves a ring with holes."""
        good = [wrap_one(vault), wrap_one(vault)]

        with pytest.raises(IntegrityError):
            vault.unwrap([good[0], Wrapped(altered(good[1].text), CONTEXT)])
        with pytest.raises(IntegrityError):
            vault.rewrap([good[0], Wrapped(altered(good[1].text), CONTEXT)])

    @pytest.mark.parametrize(
        "text", ["", "v1", "nobody:v1:AAAA", "local:v1:", "openbao:vault:v0:AAAA"]
    )
    def test_the_text_of_another_vault_is_refused(
        self, vault: Vault, text: str
    ) -> None:
        """A key file of another trail must be told apart from a damaged one of ours."""
        with pytest.raises(IntegrityError):
            vault.unwrap([Wrapped(text, CONTEXT)])
        with pytest.raises(IntegrityError):
            vault.wrapping_version(text)

    def test_the_version_is_told_from_the_text(self, vault: Vault) -> None:
        """What still stands under an old version is counted without asking the vault."""
        version = vault.newest_wrapping_version()

        assert version == vault.wrapping_version(wrap_one(vault).text)

    def test_threads_get_each_their_own(self, vault: Vault) -> None:
        """A recorder asks from many threads; one must not get another's secret."""
        secrets = [ToWrap(bytes([n]) * 32, CONTEXT + bytes([n])) for n in range(24)]

        def round_trip(one: ToWrap) -> bytes:
            wrapped = Wrapped(vault.wrap([one])[0], one.context)
            return vault.unwrap([wrapped])[0]

        with ThreadPoolExecutor(8) as pool:
            assert [one.secret for one in secrets] == list(
                pool.map(round_trip, secrets)
            )

    def test_a_vault_that_was_closed_answers_again(self, vault: Vault) -> None:
        """Closing forgets; who asks later begins anew and gets the same."""
        wrapped = wrap_one(vault)
        vault.close()

        assert vault.unwrap([wrapped]) == [SECRET]


class RotatingContract:
    """Its wrapping key gets versions, and what was wrapped before still opens."""

    def test_a_rotation_leaves_the_old_open(self, vault: Vault) -> None:
        """A rotation that closes what is sealed is a loss."""
        old, before = wrap_one(vault), vault.newest_wrapping_version()
        made = vault.rotate_wrapping_key(MOMENT)
        new = wrap_one(vault)

        assert made == vault.newest_wrapping_version() == before + 1
        assert (before, made) == (
            vault.wrapping_version(old.text),
            vault.wrapping_version(new.text),
        )
        assert vault.unwrap([old, new]) == [SECRET, SECRET]

    def test_a_rewrap_takes_many_to_the_newest_version(self, vault: Vault) -> None:
        """What stays under an old version keeps it from being retired."""
        secrets = [
            ToWrap(n.to_bytes(2, "big") * 16, CONTEXT + n.to_bytes(2, "big"))
            for n in range(MORE_THAN_A_BATCH)
        ]
        old = [
            Wrapped(text, one.context)
            for text, one in zip(vault.wrap(secrets), secrets, strict=True)
        ]
        made = vault.rotate_wrapping_key(MOMENT)
        new = [
            Wrapped(text, one.context)
            for text, one in zip(vault.rewrap(old), old, strict=True)
        ]

        assert {made} == {vault.wrapping_version(one.text) for one in new}
        assert [one.secret for one in secrets] == vault.unwrap(new)


class RetiringContract:
    """It ends versions of its wrapping key for good."""

    def test_a_retired_version_never_opens_again(self, vault: Vault) -> None:
        """A version that was reported as gone and opens is a false statement."""
        old = wrap_one(vault)
        newest = vault.rotate_wrapping_key(MOMENT)
        (text,) = vault.rewrap([old])
        vault.retire_wrapping_versions(newest)
        vault.retire_wrapping_versions(newest)  # again, it changes nothing

        with pytest.raises(IntegrityError):
            vault.unwrap([old])
        assert vault.unwrap([Wrapped(text, CONTEXT)]) == [SECRET]
        assert newest == vault.newest_wrapping_version()


class SigningContract:
    """It makes signing keys that never leave it."""

    def test_a_signature_holds_without_the_vault(self, vault: Vault) -> None:
        """An auditor has the public half and no access to the vault."""
        made = vault.make_signing_key("audit-checkpoint-v1-00c0ffee", CONTEXT)
        reference = Wrapped(made.reference, CONTEXT)
        signature = vault.sign(reference, b"a tree head")

        assert (len(made.public_key), len(signature)) == (32, 64)
        assert is_signed(made.public_key, signature, b"a tree head")
        assert not is_signed(made.public_key, signature, b"another one")
        assert signature == vault.sign(reference, b"a tree head")

    def test_two_keys_are_two(self, vault: Vault) -> None:
        """A promise key that signs as the checkpoint key defeats their separation."""
        one = vault.make_signing_key("audit-checkpoint-v1-00000001", CONTEXT)
        two = vault.make_signing_key("audit-promise-v1-00000002", OTHER)
        signature = vault.sign(Wrapped(two.reference, OTHER), b"text")

        assert one.public_key != two.public_key
        assert not is_signed(one.public_key, signature, b"text")

    def test_a_destroyed_key_signs_no_more(self, vault: Vault) -> None:
        """The private half ends with its key's time; who stole the host must not sign."""
        made = vault.make_signing_key("audit-promise-v1-00000003", CONTEXT)
        reference = Wrapped(made.reference, CONTEXT)
        vault.sign(reference, b"text")
        vault.destroy_signing_key(reference)
        vault.destroy_signing_key(reference)  # again, it changes nothing

        if self.forgets_with_the_file:
            return  # its only copy stood in the key file, which goes with it
        with pytest.raises((StorageError, ConfigError)):
            vault.sign(reference, b"text")

    @pytest.mark.parametrize("text", ["", "nobody:key:one", "openbao:key:UPPER"])
    def test_a_reference_of_another_vault_is_refused(
        self, vault: Vault, text: str
    ) -> None:
        """A key file of another trail must not make the vault sign."""
        with pytest.raises(IntegrityError):
            vault.sign(Wrapped(text, CONTEXT), b"text")

    forgets_with_the_file = False
