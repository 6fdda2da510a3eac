"""A secret in escrow comes back with the recovery key, and with nothing else."""

import hmac

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from phitrail.errors import ConfigError, IntegrityError
from phitrail.keys.escrow import escrow_public_key, open_escrow, seal_to_escrow
from phitrail.keys.spelling import base64url, parse_base64url

RECOVERY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
ESCROW_KEY = escrow_public_key(RECOVERY)
CONTEXT = b"phitrail/key-file/v1|rater|1|mac"


@settings(max_examples=25, deadline=None)
@given(secret=st.binary(min_size=1, max_size=64), context=st.binary(max_size=64))
def test_a_secret_comes_back_under_its_context(secret: bytes, context: bytes) -> None:
    """After a fire in the vault this is all that is left."""
    sealed = seal_to_escrow(ESCROW_KEY, secret, context)

    assert open_escrow(RECOVERY, sealed, context) == secret


def test_equal_secrets_are_never_sealed_alike() -> None:
    """Two key files must not show that they hold the same."""
    assert seal_to_escrow(ESCROW_KEY, b"s", CONTEXT) != seal_to_escrow(
        ESCROW_KEY, b"s", CONTEXT
    )


def test_the_escrow_key_follows_from_the_recovery_key_alone() -> None:
    """A key derived in another way in ten years would open nothing of today."""
    extracted = hmac.digest(bytes(32), bytes(range(32)), "sha256")  # RFC 5869, by hand
    seed = hmac.digest(extracted, b"phitrail/escrow/v1\x01", "sha256")
    public = X25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()

    assert base64url(public) == ESCROW_KEY
    assert escrow_public_key(OTHER) != ESCROW_KEY


@pytest.mark.drill
def test_another_recovery_key_opens_nothing() -> None:
    """Whoever has the shares of one trail has none of another."""
    sealed = seal_to_escrow(ESCROW_KEY, b"secret", CONTEXT)

    with pytest.raises(IntegrityError, match="does not open under this recovery key"):
        open_escrow(OTHER, sealed, CONTEXT)


@pytest.mark.drill
def test_a_secret_is_never_taken_for_another_key_s() -> None:
    """Escrows exchanged between files would bring back keys under wrong names."""
    sealed = seal_to_escrow(ESCROW_KEY, b"secret", CONTEXT)

    with pytest.raises(IntegrityError, match="is another key's"):
        open_escrow(RECOVERY, sealed, CONTEXT.replace(b"rater", b"other"))


def test_every_altered_byte_is_refused() -> None:
    """A secret that came back wrong would open nothing, and nobody would know why."""
    sealed = parse_base64url(seal_to_escrow(ESCROW_KEY, b"secret", CONTEXT))
    for at in range(len(sealed)):
        altered = bytearray(sealed)
        altered[at] ^= 1
        with pytest.raises(IntegrityError, match="was altered"):
            open_escrow(RECOVERY, base64url(bytes(altered)), CONTEXT)


@pytest.mark.parametrize("sealed", ["", "AAAA", "not base64url!", "AA=="])
def test_what_is_no_escrow_is_refused(sealed: str) -> None:
    """A cut file must say so, not end in a traceback."""
    with pytest.raises(IntegrityError, match="does not open"):
        open_escrow(RECOVERY, sealed, CONTEXT)


@pytest.mark.parametrize("written", ["", "AAAA", ESCROW_KEY + "A", "not base64url!"])
def test_an_escrow_key_that_is_none_is_refused(written: str) -> None:
    """A secret sealed to nobody could never be brought back."""
    with pytest.raises(ConfigError, match="escrow key is damaged"):
        seal_to_escrow(written, b"secret", CONTEXT)
