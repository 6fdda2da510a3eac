"""A surrogate is a commitment to an identifier, under a random salt of its own.

`HMAC-SHA256(salt, canonical(["phitrail/subject/v1", tenant, system, identifier]))`, 32
bytes, written as 43 characters base64url. One random 32-byte salt for one subject, so
it is not derived from the person (45 CFR 164.514(c)), equal identifiers of two tenants
have unequal surrogates, and (identifier, salt) opens it for an investigator offline.
"""

import base64
import hmac
import unicodedata

from phitrail.errors import IntegrityError
from phitrail.events.canonical import encode_canonical

SALT_BYTES = 32
DOMAIN = "phitrail/subject/v1"


def subject_bytes(tenant: str, system: str, identifier: str) -> bytes:
    """Return what is committed to: canonical JSON, the identifier in NFC."""
    return encode_canonical(
        [DOMAIN, tenant, system, unicodedata.normalize("NFC", identifier)]
    )


def compute_surrogate(salt: bytes, subject: bytes) -> bytes:
    """Commit to a subject: 32 bytes."""
    return hmac.digest(salt, subject, "sha256")


def check_opening(surrogate: bytes, salt: bytes, subject: bytes) -> None:
    """Check that (subject, salt) opens a surrogate.

    Raises:
        IntegrityError: it does not.
    """
    if not hmac.compare_digest(compute_surrogate(salt, subject), surrogate):
        raise IntegrityError("the identifier and salt do not open this surrogate")


def written_surrogate(data: bytes) -> str:
    """Write bytes as base64url without padding: 43 characters for a surrogate."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def parse_surrogate(written: str) -> bytes:
    """Read what `written_surrogate` wrote."""
    return base64.urlsafe_b64decode(written + "=" * (-len(written) % 4))
