"""How bytes are written in key files, envelopes and hashes: base64url without padding.

Source: RFC 4648 section 5.
"""

import base64
import binascii


def base64url(data: bytes) -> str:
    """Write bytes as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def parse_base64url(written: str) -> bytes:
    """Read bytes back; their one form alone is read.

    Raises:
        ValueError: it is not base64url without padding; the message quotes nothing.
    """
    try:
        data = base64.b64decode(
            written + "=" * (-len(written) % 4), altchars=b"-_", validate=True
        )
    except (binascii.Error, ValueError):
        data = None
    if data is None or base64url(data) != written:
        raise ValueError("not base64url")
    return data
