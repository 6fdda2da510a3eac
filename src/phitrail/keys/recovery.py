"""The offline recovery key: made by `init`, handed out once, never kept.

Genesis pins its public half; the private half alone can replace signing keys after a
compromise. It is written as one line that a person can print or put into a safe:
`phitrail-recovery-v1:<tenant>:<base64url of the 32-byte Ed25519 seed>`.
"""

import secrets

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from phitrail.events.protected import Protected
from phitrail.keys.mac import base64url

PREFIX = "phitrail-recovery-v1"


def make_recovery_key(tenant: str) -> tuple[bytes, Protected[str]]:
    """Make a key pair; return the public key and the line to hand out."""
    seed = secrets.token_bytes(32)
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return public, Protected(f"{PREFIX}:{tenant}:{base64url(seed)}")
