"""The line of a log's signing keys: which pair may sign at which size (ADR 0007).

1. Pairs follow one another without a gap: the first signs from size 0 on, each successor
   from the size that its own succession entry gave the log.
2. A note is believed if the key in force at its size signed it. A signature of another
   key of the line says what is wrong with the note; it never makes it good.
3. Keys that were declared compromised are believed up to the last trusted size only.
   Sizes between that and their end are *disowned*: no note of such a size can be good.

How a line grows is `tlog.succession`. Nothing here reads a file or believes a keyring.
"""

from collections.abc import Callable
from dataclasses import dataclass

from phitrail.errors import IntegrityError
from phitrail.events.codes import SuccessionReason
from phitrail.tlog.checkpoint import Checkpoint, open_checkpoint
from phitrail.tlog.note import VerifierKey, parse_note


@dataclass(frozen=True, slots=True)
class Tenure:
    """The time of one pair of keys, counted in sizes of the log.

    Attributes:
        log_key: signs checkpoints.
        promise_key: signs promises.
        first: the smallest size that they may sign.
        last: the largest one; None while they are in force.
        trusted: the largest size at which they are believed; None as for `last`.
        ended: why they ended.
        leaf: the succession entry that began the tenure; empty for genesis.
    """

    log_key: VerifierKey
    promise_key: VerifierKey
    first: int = 0
    last: int | None = None
    trusted: int | None = None
    ended: SuccessionReason | None = None
    leaf: bytes = b""


_KeysOf = Callable[[Tenure], tuple[VerifierKey, ...]]


def _log_key(tenure: Tenure) -> tuple[VerifierKey, ...]:
    return (tenure.log_key,)


def _both(tenure: Tenure) -> tuple[VerifierKey, ...]:
    return (tenure.log_key, tenure.promise_key)


def _promise_key(tenure: Tenure) -> tuple[VerifierKey, ...]:
    return (tenure.promise_key,)


@dataclass(frozen=True, slots=True)
class KeyLine:
    """Every pair of keys that a log has had, the oldest first."""

    origin: str
    tenures: tuple[Tenure, ...]

    @classmethod
    def begin(
        cls, origin: str, log_key: VerifierKey, promise_key: VerifierKey
    ) -> "KeyLine":
        """Begin a line with the keys that genesis pins."""
        return cls(origin, (Tenure(log_key, promise_key),))

    @property
    def current(self) -> Tenure:
        """The keys in force."""
        return self.tenures[-1]

    def at(self, size: int) -> Tenure:
        """Say whose time a size falls into."""
        return next(one for one in reversed(self.tenures) if one.first <= size)

    def is_disowned(self, size: int) -> bool:
        """Say whether whatever was signed at a size is no longer believed."""
        trusted = self.at(size).trusted
        return trusted is not None and size > trusted

    def open_checkpoint(self, note: bytes) -> Checkpoint:
        """Verify a checkpoint and read it.

        Raises:
            IntegrityError: it does not verify, or not under the key of its size.
        """
        return self._open(note, _log_key)

    def open_promise(self, note: bytes) -> Checkpoint:
        """Verify a promise and read it.

        Raises:
            IntegrityError: it does not verify, or not under the key of its size.
        """
        return self._open(note, _promise_key)

    def open_note(self, note: bytes) -> Checkpoint:
        """Verify a checkpoint or a promise and read it.

        Raises:
            IntegrityError: it does not verify, or not under a key of its size.
        """
        return self._open(note, _both)

    def open_own(self, note: bytes) -> Checkpoint:
        """Verify a checkpoint that the log's own host kept, disowned or not.

        Only for what goes on to be compared with the tree: a log whose key was stolen
        must be able to go on from where it stands.

        Raises:
            IntegrityError: it does not verify, or not under the key of its size.
        """
        return self._open(note, _log_key, may_be_disowned=True)

    def open_head(self, promise: bytes) -> Checkpoint:
        """Verify the promise of the head that the log itself stores, disowned or not.

        Raises:
            IntegrityError: it does not verify, or not under the key of its size.
        """
        return self._open(promise, _promise_key, may_be_disowned=True)

    def check_in_force(self, size: int, promise: bytes) -> None:
        """Check that a head's promise names the key of its size; verifies nothing.

        Raises:
            IntegrityError: another key signed the head.
        """
        key = self.at(size).promise_key
        if (key.name, key.key_id) not in _signers(promise):
            raise IntegrityError("the head is signed by another key")

    def _open(
        self, data: bytes, keys_of: _KeysOf, *, may_be_disowned: bool = False
    ) -> Checkpoint:
        known = [key for tenure in self.tenures for key in keys_of(tenure)]
        checkpoint = open_checkpoint(data, known, origin=self.origin)
        if len(self.tenures) == 1:
            return checkpoint
        signers, size = _signers(data), checkpoint.size
        tenure = self.at(size)
        if any((key.name, key.key_id) in signers for key in keys_of(tenure)):
            if may_be_disowned or not self.is_disowned(size):
                return checkpoint
            raise _compromised(tenure, size)
        for other in self.tenures:
            if other.ended is SuccessionReason.COMPROMISE and any(
                (key.name, key.key_id) in signers for key in keys_of(other)
            ):
                raise _compromised(other, size)
        raise IntegrityError(
            f"size {size} is signed by a key that was not in force at that size"
        )


def _compromised(tenure: Tenure, size: int) -> IntegrityError:
    return IntegrityError(
        f"size {size} is signed by a key that was declared compromised: what it signed "
        f"above size {tenure.trusted} is not believed"
    )


def _signers(note: bytes) -> set[tuple[str, bytes]]:
    return {(one.name, one.key_id) for one in parse_note(note).signatures}
