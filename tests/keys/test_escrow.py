"""What is sealed to the recovery key opens with it, in its own place, and nowhere else."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from phitrail.errors import ConfigError, IntegrityError
from phitrail.keys.escrow import escrow_public_key, open_escrow, seal_to_escrow

RECOVERY = Ed25519PrivateKey.generate()
PUBLIC = escrow_public_key(RECOVERY)
SECRET = bytes(range(32))
CONTEXT = b"phitrail/key-file/v1|rater|1|mac"
SEALED = seal_to_escrow(PUBLIC, SECRET, CONTEXT)


def test_the_recovery_key_opens_what_was_sealed_without_it() -> None:
    """New keys are made for years, and nobody brings shares for that."""
    assert open_escrow(RECOVERY, SEALED, CONTEXT) == SECRET


def test_the_same_secret_is_sealed_otherwise_each_time() -> None:
    """Equal texts would say that two keys are equal."""
    assert seal_to_escrow(PUBLIC, SECRET, CONTEXT) != SEALED


def test_the_escrow_key_is_another_one_than_the_recovery_key() -> None:
    """One key for two purposes weakens both."""
    assert escrow_public_key(RECOVERY) == PUBLIC
    assert escrow_public_key(Ed25519PrivateKey.generate()) != PUBLIC


@pytest.mark.parametrize(
    ("sealed", "context"),
    [
        (SEALED, CONTEXT.replace(b"|1|", b"|2|")),
        (("B" if SEALED[40] == "A" else "A").join((SEALED[:40], SEALED[41:])), CONTEXT),
        (SEALED[:20], CONTEXT),
        ("", CONTEXT),
        ("no base64!", CONTEXT),
    ],
    ids=["context", "altered", "cut", "empty", "text"],
)
def test_what_was_altered_or_moved_does_not_open(sealed: str, context: bytes) -> None:
    """A secret that stands in for another seals what nobody opens later."""
    with pytest.raises(IntegrityError, match="does not open under this recovery key"):
        open_escrow(RECOVERY, sealed, context)


@pytest.mark.parametrize("key", ["", "AAAA", "no base64!"])
def test_an_escrow_key_that_is_none_seals_nothing(key: str) -> None:
    """A secret that only seems to be in escrow is found missing on the day."""
    with pytest.raises(ConfigError, match="escrow key is damaged"):
        seal_to_escrow(key, SECRET, CONTEXT)
