"""Which keys a trail has: one purpose each (NIST SP 800-57 part 1, section 5.2).

A key is named `<purpose>` and versioned from 1; the newest version is in use, older ones
still open what they sealed.
"""

from enum import StrEnum

from phitrail.events.codes import Log


class KeyKind(StrEnum):
    """What a key can do."""

    SIGN = "sign"
    SEAL = "seal"
    MAC = "mac"


TEXT_HASH = "text-hash"
IDEMPOTENCY = "idempotency"
RATER = "rater"
IDENTITY_INDEX = "identity-index"
IDENTITY_SEAL = "identity-seal"


def checkpoint_key(log: Log) -> str:
    """Name the key that signs the checkpoints of a log."""
    return f"{log}-checkpoint"


def promise_key(log: Log) -> str:
    """Name the key that signs the promises of a log; never the checkpoint key."""
    return f"{log}-promise"


def bundle_key(log: Log) -> str:
    """Name the key that wraps the data keys of a log's bundles and journal."""
    return f"{log}-seal"


def kinds_of_keys() -> dict[str, KeyKind]:
    """List every key of a trail with its kind."""
    kinds: dict[str, KeyKind] = {}
    for log in Log:
        kinds[checkpoint_key(log)] = KeyKind.SIGN
        kinds[promise_key(log)] = KeyKind.SIGN
        kinds[bundle_key(log)] = KeyKind.SEAL
    kinds[IDENTITY_SEAL] = KeyKind.SEAL
    for name in (TEXT_HASH, IDEMPOTENCY, RATER, IDENTITY_INDEX):
        kinds[name] = KeyKind.MAC
    return kinds
