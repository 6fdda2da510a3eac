"""Checkpoints: the signed size and root of a log (C2SP tlog-checkpoint).

A body has three lines, origin, size and base64 of the root, and may have extension
lines behind them. There is one spelling only, and a ``Checkpoint`` that exists is one
that can be printed. ``open_checkpoint`` is the way in for bytes of unknown origin:

1. They are a signed note, and each signature of a known key verifies.
2. The text is a checkpoint body.
3. Its origin is the expected one: the one that the caller names, or else the name of
   the log key that signed.
4. A log key signed it: Ed25519 (0x01). Witnesses (0x04) alone vouch for no log.

Whether a checkpoint fits an earlier one is for ``tlog.proof`` and its caller. Pass the
keys of one log and one purpose: with ``origin`` given, any of their names is taken.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from phitrail.errors import IntegrityError
from phitrail.tlog.hashing import EMPTY_ROOT, HASH_BYTES, Hash
from phitrail.tlog.note import (
    COSIGNATURE_V1,
    ED25519,
    SignedNote,
    VerifierKey,
    cosignature_time,
    parse_note,
    verify_note,
)
from phitrail.tlog.spelling import (
    NUMBER_LIMIT,
    is_line,
    parse_decimal,
    parse_hash,
    print_base64,
)

_HEAD_LINES: Final = 3


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself: its name, how many entries, and the root over them.

    Raises:
        IntegrityError: a field could not stand in a checkpoint body.
    """

    origin: str
    size: int
    root: Hash
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not is_line(self.origin):
            raise IntegrityError("checkpoint origin: must be a line of text")
        if not 0 <= self.size < NUMBER_LIMIT:
            raise IntegrityError("checkpoint size: must be from 0 up and below 2**63")
        if len(self.root) != HASH_BYTES:
            raise IntegrityError("checkpoint root: must be a hash of 32 bytes")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise IntegrityError("checkpoint root: must be the empty root at size 0")
        if not all(map(is_line, self.extensions)):
            raise IntegrityError("checkpoint extension: must be a line of text")

    def body(self) -> str:
        """Write the text that is signed."""
        lines = (self.origin, str(self.size), print_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


@dataclass(frozen=True, slots=True)
class Cosigner:
    """A witness whose cosignature verified, and the newest time that it gave."""

    key: VerifierKey
    time_s: int


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a checkpoint body; ``body`` gives back the same text.

    Raises:
        IntegrityError: this is not a checkpoint body; the message names the line.
    """
    *lines, rest = text.split("\n")
    if rest or len(lines) < _HEAD_LINES:
        raise IntegrityError(
            "checkpoint: must be three lines or more, each ended by LF"
        )
    origin, size, root, *extensions = lines
    return Checkpoint(
        origin,
        parse_decimal(size, field="checkpoint size"),
        parse_hash(root, field="checkpoint root"),
        tuple(extensions),
    )


def open_checkpoint(
    data: bytes, known: Iterable[VerifierKey], *, origin: str | None = None
) -> Checkpoint:
    """Verify a signed checkpoint and read it.

    Args:
        data: the note.
        known: the log's keys; keys of witnesses may be among them.
        origin: the expected origin, where it is not the name of the log's key.

    Raises:
        IntegrityError: one of the rules above is broken; the message says which.
        InputError: two different known keys share name and id.
    """
    # 1. Note and signatures.
    note = parse_note(data)
    signed = verify_note(note, known)

    # 2. Body.
    checkpoint = parse_checkpoint(note.text)

    # 3. Origin, and 4. a log key.
    names = {key.name for key in signed if key.kind == ED25519}
    if not names:
        raise IntegrityError("checkpoint: no key of the log has signed it")
    if checkpoint.origin not in (names if origin is None else {origin}):
        raise IntegrityError("checkpoint: the origin is not the expected one")
    return checkpoint


def verified_cosigners(
    note: SignedNote, known: Iterable[VerifierKey]
) -> tuple[Cosigner, ...]:
    """Verify a note and say which known witnesses cosigned it, and when.

    Whether a time is too old or still to come is for the caller, who has a clock.

    Raises:
        IntegrityError: the note does not verify (see ``tlog.note``).
        InputError: two different known keys share name and id.
    """
    cosigners = []
    for key in verify_note(note, known):
        if key.kind == COSIGNATURE_V1:
            times = [
                cosignature_time(signature)
                for signature in note.signatures
                if (signature.name, signature.key_id) == (key.name, key.key_id)
            ]
            cosigners.append(Cosigner(key, max(times)))
    return tuple(cosigners)
