"""What an anchor is given and what it gives back.

1. An anchor gets checkpoints as they were published, oldest first; it never gets an entry,
   a key or a name of a person.
2. What it returns is evidence that somebody else can check; it was checked here before it
   is returned.
3. An anchor that cannot be reached, or refuses, raises; nothing is guessed. The caller
   keeps the time of the last success and says what is late.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from phitrail.tlog.hashing import Hash
from phitrail.tlog.note import VerifierKey


@dataclass(frozen=True, slots=True)
class Submission:
    """One published checkpoint on its way to an anchor.

    Attributes:
        log: the short name of the log (`audit`).
        origin: its name in the checkpoint.
        note: the signed checkpoint, as it was published.
        size: its tree size.
        held_size: the size that this anchor held last; 0 when none.
        log_key: the key that signed it.
        prove: gives the consistency proof from a smaller size to `size`.
    """

    log: str
    origin: str
    note: bytes
    size: int
    held_size: int
    log_key: VerifierKey
    prove: Callable[[int], Sequence[Hash]]


@dataclass(frozen=True, slots=True)
class Held:
    """What an anchor gave back, checked.

    Attributes:
        size: the tree size that it holds now.
        evidence: bytes that an outsider can check (a cosigned note, a time stamp, a
            mail).
        suffix: how the file of the evidence ends: `note`, `tsr` or `eml`.
        stamped: the note that the evidence is about, where it does not hold it itself;
            it is kept beside.
    """

    size: int
    evidence: bytes
    suffix: str
    stamped: bytes = b""


class Anchor(Protocol):
    """One place off this host."""

    def hold(self, submission: Submission, now: datetime) -> Held:
        """Hand a checkpoint over and return the checked evidence.

        Raises:
            IntegrityError: the anchor holds another history of this log
                (`OtherHistoryError`, with the note that shows it), or what stands there
                is no checkpoint of it.
            RefusedError, ConfigError: it takes nothing until somebody puts it, or the
                settings, right.
            StorageError: it cannot be reached, or what it returned does not verify; try
                again later.
        """
