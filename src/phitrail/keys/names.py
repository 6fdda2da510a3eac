"""Which keys a trail has: one purpose each (NIST SP 800-57 part 1, section 5.2).

A key is named `<purpose>` and versioned from 1; one version of it protects, older ones
still open what they sealed. `<purpose>:v<version>` is one version (`KeyId`). Some purposes
are made for somebody (`rbac-user.<who>`): as many keys as there are people, each on its own.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from phitrail.errors import InputError
from phitrail.events.codes import Log


class KeyKind(StrEnum):
    """What a key can do."""

    SIGN = "sign"
    SEAL = "seal"
    MAC = "mac"
    WRAP = "wrap"


TEXT_HASH = "text-hash"
IDEMPOTENCY = "idempotency"
RATER = "rater"
IDENTITY_INDEX = "identity-index"
IDENTITY_SEAL = "identity-seal"
WRAPPING = "wrapping"
"""The vault's own key: every other secret is wrapped under it."""
FPE_METADATA = "fpe-metadata"
RBAC_USER = "rbac-user"
RBAC_DEPARTMENT = "rbac-department"

_FAMILIES = {RBAC_USER: KeyKind.SEAL, RBAC_DEPARTMENT: KeyKind.SEAL}
_OF_FAMILY = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
_KEY_ID = re.compile(r"([a-z0-9][a-z0-9._-]{0,63})(?::v([1-9][0-9]{0,4}))?", re.ASCII)
MOST_VERSIONS = 65_535
"""A version stands in two bytes of an envelope (`keys.sealing`)."""


@dataclass(frozen=True, slots=True, order=True)
class KeyId:
    """One version of one key; written `text-hash:v2`."""

    name: str
    version: int

    def __str__(self) -> str:
        return f"{self.name}:v{self.version}"


def parse_key_id(written: str) -> tuple[str, int | None]:
    """Read `<name>` or `<name>:v<version>`.

    Raises:
        InputError: it is neither, or no trail has a key of that name.
    """
    match = _KEY_ID.fullmatch(written)
    version = int(match[2]) if match and match[2] else None
    if match is None or kind_of_key(match[1]) is None or (version or 1) > MOST_VERSIONS:
        raise InputError.for_field(
            "KEY",
            "must be the name of a key, as `phitrail key list` shows it, or one version "
            "of it, as text-hash:v2",
        )
    return match[1], version


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
    """List every key that a trail is founded with, and its kind."""
    kinds: dict[str, KeyKind] = {}
    for log in Log:
        kinds[checkpoint_key(log)] = KeyKind.SIGN
        kinds[promise_key(log)] = KeyKind.SIGN
        kinds[bundle_key(log)] = KeyKind.SEAL
    kinds[IDENTITY_SEAL] = KeyKind.SEAL
    for name in (TEXT_HASH, IDEMPOTENCY, RATER, IDENTITY_INDEX):
        kinds[name] = KeyKind.MAC
    return kinds


def kind_of_key(name: str) -> KeyKind | None:
    """Say what a key of this name can do; None where no trail has one.

    Beside those of `kinds_of_keys` these may be made: `fpe-metadata`,
    `rbac-user.<who>`, `rbac-department.<which>`. `wrapping` is the vault's.
    """
    if name == WRAPPING:
        return KeyKind.WRAP
    if name == FPE_METADATA:
        return KeyKind.SEAL
    family, dot, who = name.partition(".")
    if dot and _OF_FAMILY.fullmatch(who):
        return _FAMILIES.get(family)
    return kinds_of_keys().get(name)
