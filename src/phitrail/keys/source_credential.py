"""The credential of a source: what binds its numbers to it.

A source is one system that records (an assistant, a gateway, a batch job). `source add`
makes a key pair, registers the public half in the log and hands the private half out once,
as one line for the process that records:
`phitrail-source-v1:<tenant>:<source>:<base64url of the 32-byte Ed25519 seed>`.
"""

import base64
import binascii
import secrets

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from phitrail.errors import InputError
from phitrail.events.protected import Protected
from phitrail.events.unprotect import unprotect
from phitrail.keys.spelling import base64url

PREFIX = "phitrail-source-v1"
SEED_BYTES = 32
_PARTS = 4


def make_source_credential(tenant: str, source_id: str) -> tuple[bytes, Protected[str]]:
    """Make a key pair; return the public key and the line to hand out."""
    seed = secrets.token_bytes(SEED_BYTES)
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    line = f"{PREFIX}:{tenant}:{source_id}:{base64url(seed)}"
    return public, Protected(line)


def read_source_credential(
    written: Protected[str], *, tenant: str
) -> tuple[str, Ed25519PrivateKey]:
    """Read the line back; return the source and its private key.

    Raises:
        InputError: names the rule that is broken, never a part of the line.
    """
    parts = unprotect(written).strip().split(":")
    if len(parts) != _PARTS or parts[0] != PREFIX:
        raise _refused(
            f"must be the line that `phitrail source add` printed ({PREFIX})"
        )
    if parts[1] != tenant:
        raise _refused("belongs to another tenant")
    try:
        seed = base64.b64decode(parts[3] + "=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        seed = b""
    if len(seed) != SEED_BYTES or base64url(seed) != parts[3]:
        raise _refused("does not end in a key of 32 bytes; it was cut or altered")
    return parts[2], Ed25519PrivateKey.from_private_bytes(seed)


def _refused(rule: str) -> InputError:
    return InputError.for_field("source", rule)
