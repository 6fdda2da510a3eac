"""What the writing side of a log needs of its keys; wiring hands it in.

The log never sees a secret: it gets signers and two callables that seal and open bytes
under a context.
"""

from collections.abc import Callable
from dataclasses import dataclass

from phitrail.tlog.note import Signer


@dataclass(frozen=True, slots=True)
class LogKeys:
    """One log's origin, its two signers, and how its bytes are sealed and opened."""

    origin: str
    checkpoint: Signer
    promise: Signer
    seal: Callable[[bytes, bytes], bytes]
    open: Callable[[bytes, bytes], bytes]
