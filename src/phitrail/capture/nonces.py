"""Nonces of leaves: unpredictable, never repeated, drawn without a system call each.

A random key of this process and a counter go through keyed BLAKE2b (RFC 7693), as in a
counter-mode generator. Asking the operating system for each nonce gives up the
interpreter lock each time, which costs more than the rest of the leaf when a writer
thread waits for that lock (ADR 0004).
"""

import hashlib
import itertools
import os

from phitrail.identity.surrogate import written_surrogate

KEY_BYTES = 32
NONCE_BYTES = 16


class Nonces:
    """Draws nonces; safe among threads. A forked child must make its own."""

    def __init__(self) -> None:
        self._key = os.urandom(KEY_BYTES)
        self._numbers = itertools.count()

    def draw(self) -> str:
        """Return 16 bytes as 22 characters base64url."""
        number = next(self._numbers).to_bytes(8, "big")
        digest = hashlib.blake2b(number, key=self._key, digest_size=NONCE_BYTES)
        return written_surrogate(digest.digest())
