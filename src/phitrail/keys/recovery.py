"""The offline recovery key: made by `init`, handed out once, never kept.

Genesis pins its public half; the private half alone can replace signing keys after a
compromise. It is handed out in one of two forms:

1. One line that a person can print or put into a safe:
   `phitrail-recovery-v1:<tenant>:<base64url of the 32-byte Ed25519 seed>`.
2. Three shares of 33 words each (SLIP-0039, one group, two of three, no passphrase), for
   three people: any two give the key, one alone says nothing of it.

What is read back is checked against the public half. A refusal names the rule that was
broken and never a word of what was read.
"""

import base64
import secrets
from collections.abc import Sequence
from contextlib import suppress

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from shamir_mnemonic import (  # type: ignore[import-untyped]  # ships no types
    MnemonicError,
    Share,
    combine_mnemonics,
    generate_mnemonics,
)

from phitrail.errors import InputError
from phitrail.events.protected import Protected
from phitrail.events.unprotect import unprotect
from phitrail.keys.spelling import base64url

PREFIX = "phitrail-recovery-v1"
SHARES = 3
SHARES_NEEDED = 2
WORDS_OF_A_SHARE = 33
SEED_BYTES = 32
COMMENT = "#"
_FIELD = "recovery"


def make_recovery_key(tenant: str) -> tuple[Ed25519PrivateKey, Protected[str]]:
    """Make a key pair; return it and the line to hand out."""
    seed = secrets.token_bytes(SEED_BYTES)
    private = Ed25519PrivateKey.from_private_bytes(seed)
    return private, Protected(f"{PREFIX}:{tenant}:{base64url(seed)}")


def make_recovery_shares() -> tuple[Ed25519PrivateKey, tuple[Protected[str], ...]]:
    """Make a key pair; return it and the shares to hand out."""
    seed = secrets.token_bytes(SEED_BYTES)
    (shares,) = generate_mnemonics(1, [(SHARES_NEEDED, SHARES)], seed)
    private = Ed25519PrivateKey.from_private_bytes(seed)
    return private, tuple(map(Protected, shares))


def read_recovery_key(
    written: Protected[str], *, tenant: str, public_key: bytes
) -> Ed25519PrivateKey:
    """Read the line, or any two shares, back into the private key.

    Line breaks between words do not matter; lines that begin with `#` are passed over.

    Args:
        written: the line, or the words of two or three shares.
        tenant: whose key it must be.
        public_key: the public half that the trail's genesis pins.

    Raises:
        InputError: names the rule that is broken.
    """
    lines = [line.strip() for line in unprotect(written).splitlines()]
    words = " ".join(line for line in lines if not line.startswith(COMMENT)).split()
    if not words:
        raise _refused("is empty; give the recovery line, or two shares")
    seed = _read_line(words, tenant) if ":" in words[0] else _combine(words)
    if _public(seed) != public_key:
        raise _refused(
            "is not the recovery key that the genesis of this trail pins; look for the "
            "one that `phitrail init` handed out for it"
        )
    return Ed25519PrivateKey.from_private_bytes(seed)


def _public(seed: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def _read_line(words: Sequence[str], tenant: str) -> bytes:
    prefix, _, rest = words[0].partition(":")
    owner, _, written = rest.rpartition(":")
    if len(words) > 1 or prefix != PREFIX:
        raise _refused(f"must be one line that begins with {PREFIX}:, or two shares")
    if owner != tenant:
        raise _refused("is the recovery line of another tenant")
    seed = b""
    with suppress(ValueError):
        seed = base64.urlsafe_b64decode(written + "=")
    if len(seed) != SEED_BYTES or base64url(seed) != written:
        raise _refused("is a recovery line that was cut or mistyped")
    return seed


def _combine(words: Sequence[str]) -> bytes:
    """Put two shares together; what the library says quotes words, so it is dropped."""
    if len(words) % WORDS_OF_A_SHARE:
        raise _refused(
            f"a share has {WORDS_OF_A_SHARE} words, and {len(words)} words were given"
        )
    texts = [
        " ".join(words[at : at + WORDS_OF_A_SHARE]).lower()
        for at in range(0, len(words), WORDS_OF_A_SHARE)
    ]
    shares = {share.index: share for share in _parse_shares(texts)}
    if len({share.common_parameters() for share in shares.values()}) > 1:
        raise _refused("the shares are of different keys")
    if len(shares) < SHARES_NEEDED:
        raise _refused(f"{SHARES_NEEDED} different shares are needed")
    seed = b""
    with suppress(MnemonicError, ValueError):
        two = list(shares.values())[:SHARES_NEEDED]
        seed = combine_mnemonics([share.mnemonic() for share in two])
    if len(seed) != SEED_BYTES:
        raise _refused("the shares do not fit together")
    return seed


def _parse_shares(texts: Sequence[str]) -> list[Share]:
    parsed: list[Share] = []
    for number, text in enumerate(texts, start=1):
        share = None
        with suppress(MnemonicError, ValueError):
            share = Share.from_mnemonic(text)
        if share is None:
            raise _refused(
                f"share {number} of those given has a mistyped or missing word: its "
                "checksum does not hold"
            )
        parsed.append(share)
    return parsed


def _refused(rule: str) -> InputError:
    return InputError.for_field(_FIELD, rule)
