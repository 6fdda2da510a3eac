"""From an identifier to the surrogate that stands for it, where there is one.

The question itself says who is a patient here, so `app.query` asks for the right, counts
and records each look-up before it uses the answer. Nothing here goes the other way.
"""

from phitrail.events.protected import Protected
from phitrail.events.unprotect import unprotect
from phitrail.identity.map import IdentityMap


def find_surrogate(
    identity: IdentityMap, system: str, identifier: Protected[str]
) -> str | None:
    """Return the surrogate of a known subject, or `None`.

    Raises:
        InputError: the identifier is empty, too long or has control characters.
        StorageError: the identity map cannot be read.
    """
    return identity.find((system, unprotect(identifier)))
