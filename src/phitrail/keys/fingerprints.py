"""Which keys a trail was made with: a fingerprint of each, kept apart from the keys.

A key file of another trail is well-formed. With a wrong signing key the log's pins say so;
with a wrong sealing key new entries would be lost to the right one, with a wrong index or
idempotency key patients and events would be counted twice. So the trail is not opened.

One line a key version: `<name> <version> <32 hex digits>`, the first half of HMAC-SHA256
of that name and version under the secret, which says nothing about the secret.
"""

import hmac
from collections.abc import Collection
from contextlib import suppress

from phitrail.errors import ConfigError
from phitrail.events.unprotect import unprotect
from phitrail.keys.local import LocalKeys

DOMAIN = "phitrail/key-fingerprint/v1"
FINGERPRINT_BYTES = 16


def print_fingerprints(keys: LocalKeys) -> bytes:
    """List the fingerprint of every version of every key."""
    return "".join(
        f"{name} {version} {written}\n"
        for (name, version), written in _fingerprints(keys).items()
    ).encode()


def check_fingerprints(
    keys: LocalKeys, data: bytes, *, may_lack: Collection[str] = ()
) -> None:
    """Check that the keys are those of the list, no more and no fewer.

    Args:
        keys: what is here.
        data: the list.
        may_lack: keys that may be missing, since they are about to be replaced.

    Raises:
        ConfigError: names a key that is not the trail's own, or the list is damaged.
    """
    listed: dict[tuple[str, int], str] = {}
    is_whole = False
    with suppress(ValueError):
        for line in data.decode("ascii").splitlines():
            name, number, written = line.split(" ")
            listed[name, int(number)] = written
        is_whole = True
    if not is_whole:
        raise ConfigError("the trail's list of key fingerprints is damaged; restore it")
    here = _fingerprints(keys)
    for name, version in sorted(listed.keys() | here.keys()):
        if name in may_lack and (name, version) not in here:
            continue
        if listed.get((name, version)) != here.get((name, version)):
            raise ConfigError(
                f"key {name} version {version} is not the one that this trail was "
                "made with; put the right key file back"
            )


def _fingerprints(keys: LocalKeys) -> dict[tuple[str, int], str]:
    return {
        (name, version): hmac.digest(
            unprotect(keys.secret(name, version)),
            f"{DOMAIN}|{name}|{version}".encode(),
            "sha256",
        )[:FINGERPRINT_BYTES].hex()
        for name, version in keys.versions()
    }
