"""The offline recovery key: made by `init`, handed out once, never kept.

Genesis pins its public half; the private half alone can replace signing keys after a
compromise. It is handed out in one of two forms:

1. One line that a person can print or put into a safe:
   `phitrail-recovery-v1:<tenant>:<base64url of the 32-byte Ed25519 seed>`.
2. Shares of 33 words each (SLIP-0039, one group, no passphrase), one for each of N people:
   any K of them give the key, fewer say nothing of it. How many are needed stands in each
   share, so nobody has to remember it.

What is read back is checked against the public half. A refusal names the rule that was
broken and never a word of what was read.
"""

import base64
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

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
FEWEST_NEEDED = 2
MOST_SHARES = 16
WORDS_OF_A_SHARE = 33
SEED_BYTES = 32
COMMENT = "#"
_FIELD = "recovery"
_SPLIT = re.compile(r"([1-9][0-9]?)of([1-9][0-9]?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Split:
    """How the recovery key is split: into `shares`, of which any `needed` give it."""

    needed: int
    shares: int

    def __post_init__(self) -> None:
        """Refuse what SLIP-0039 cannot split, or what one person could put together.

        Raises:
            InputError: names the rule.
        """
        if not FEWEST_NEEDED <= self.needed <= self.shares <= MOST_SHARES:
            raise _no_split()

    def __str__(self) -> str:
        return f"{self.needed}of{self.shares}"


def parse_split(written: str) -> Split:
    """Read `2of3`.

    Raises:
        InputError: it is none, or asks for too few shares or too many.
    """
    match = _SPLIT.fullmatch(written)
    if match is None:
        raise _no_split()
    return Split(int(match[1]), int(match[2]))


def make_recovery_key(tenant: str) -> tuple[Ed25519PrivateKey, Protected[str]]:
    """Make a key pair; return it and the line to hand out."""
    seed = secrets.token_bytes(SEED_BYTES)
    private = Ed25519PrivateKey.from_private_bytes(seed)
    return private, Protected(f"{PREFIX}:{tenant}:{base64url(seed)}")


def make_recovery_shares(
    split: Split,
) -> tuple[Ed25519PrivateKey, tuple[Protected[str], ...]]:
    """Make a key pair; return it and the shares to hand out."""
    seed = secrets.token_bytes(SEED_BYTES)
    (shares,) = generate_mnemonics(1, [(split.needed, split.shares)], seed)
    private = Ed25519PrivateKey.from_private_bytes(seed)
    return private, tuple(map(Protected, shares))


def read_recovery_key(
    written: Protected[str], *, tenant: str, public_key: bytes
) -> Ed25519PrivateKey:
    """Read the line, or as many shares as are needed, back into the private key.

    Line breaks between words do not matter; lines that begin with `#` are passed over.

    Args:
        written: the line, or the words of the shares.
        tenant: whose key it must be.
        public_key: the public half that the trail's genesis pins.

    Raises:
        InputError: names the rule that is broken.
    """
    lines = [line.strip() for line in unprotect(written).splitlines()]
    words = " ".join(line for line in lines if not line.startswith(COMMENT)).split()
    if not words:
        raise _refused("is empty; give the recovery line, or shares")
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
        raise _refused(f"must be one line that begins with {PREFIX}:, or shares")
    if owner != tenant:
        raise _refused("is the recovery line of another tenant")
    seed = b""
    with suppress(ValueError):
        seed = base64.urlsafe_b64decode(written + "=")
    if len(seed) != SEED_BYTES or base64url(seed) != written:
        raise _refused("is a recovery line that was cut or mistyped")
    return seed


def _combine(words: Sequence[str]) -> bytes:
    """Put shares together; what the library says quotes words, so it is dropped."""
    if len(words) % WORDS_OF_A_SHARE:
        raise _refused(
            f"a share has {WORDS_OF_A_SHARE} words, and {len(words)} words were given"
        )
    texts = [
        " ".join(words[at : at + WORDS_OF_A_SHARE]).lower()
        for at in range(0, len(words), WORDS_OF_A_SHARE)
    ]
    shares = {share.index: share for share in _parse_shares(texts)}
    if len({share.group_parameters() for share in shares.values()}) > 1:
        raise _refused("the shares are of different keys")
    needed = next(iter(shares.values())).member_threshold
    if len(shares) < needed:
        raise _refused(
            f"{needed} different shares are needed, and {len(shares)} were given"
        )
    seed = b""
    with suppress(MnemonicError, ValueError):
        enough = list(shares.values())[:needed]
        seed = combine_mnemonics([share.mnemonic() for share in enough])
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


def _no_split() -> InputError:
    return InputError.for_field(
        "--recovery-shares",
        f"must be KofN, as 2of3: K at least {FEWEST_NEEDED}, N at most {MOST_SHARES} and "
        "not less than K",
    )
