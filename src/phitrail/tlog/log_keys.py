"""What the writing side of a log needs of its keys; wiring hands it in.

The log never sees a secret: it gets signers and two callables that seal and open bytes
under a context. What earlier keys signed is opened by the line that these signers are the
end of.
"""

from collections.abc import Callable
from dataclasses import dataclass

from phitrail.errors import IntegrityError, StorageError
from phitrail.tlog.key_line import KeyLine
from phitrail.tlog.note import Signer


@dataclass(frozen=True, slots=True)
class LogKeys:
    """One log's origin, its two signers, and how its bytes are sealed and opened.

    `known_line` is absent where these are the first keys of the log.
    """

    origin: str
    checkpoint: Signer
    promise: Signer
    seal: Callable[[bytes, bytes], bytes]
    open: Callable[[bytes, bytes], bytes]
    known_line: KeyLine | None = None

    @property
    def line(self) -> KeyLine:
        """Every pair of keys that the log has had, these signers last."""
        return self.known_line or KeyLine.begin(
            self.origin, self.checkpoint.vkey, self.promise.vkey
        )

    def check_in_force(self, size: int, promise: bytes) -> None:
        """Check that a head was signed by the keys that we know for its size.

        Raises:
            StorageError: it was not: the keys gave way since they were read here.
        """
        if not size:
            return
        try:
            self.line.check_in_force(size, promise)
        except IntegrityError as error:
            raise StorageError(
                f"the signing keys of {self.origin} gave way to others since this "
                "process opened the trail; nothing was written: open the trail again"
            ) from error
