"""What a caller holds after an acknowledgement: index, leaf hash, and a signed promise.

A promise is the body of a checkpoint (origin, size, root), signed at commit by the key
`<origin>/promise`. It says: there is a tree of this size with this root, and your entry is
in it. Whoever holds it can demand inclusion and consistency later (`tlog.promised`), so a
log that drops an acknowledged entry is convicted by its own signature.

Written, a receipt is one JSON object, in one spelling: `event_id`, `entries` (log, index,
leaf hash in base64) and one promise for each log that holds an entry. No log is needed to
read a receipt or to check its form, and reading believes nothing.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import msgspec

from phitrail.errors import InputError, IntegrityError, StorageError
from phitrail.tlog.checkpoint import Checkpoint, open_checkpoint
from phitrail.tlog.hashing import Hash
from phitrail.tlog.note import VerifierKey
from phitrail.tlog.spelling import NUMBER_LIMIT, parse_hash, print_base64

PROMISE_SUFFIX = "/promise"


def promise_name(origin: str) -> str:
    """Name the key that signs the promises of an origin."""
    return origin + PROMISE_SUFFIX


class Position(msgspec.Struct, frozen=True, gc=False):
    """Where one entry stands: log, index from 0, leaf hash (32 bytes)."""

    log: str
    index: int
    leaf_hash: Hash


@dataclass(frozen=True, slots=True)
class Receipt:
    """The durable outcome of one event: its entries and a promise for each log.

    One that `is_spooled` names no entry and promises nothing: its event is durable in the
    spool of its program and in no log yet.
    """

    event_id: str
    positions: tuple[Position, ...]
    promises: Mapping[str, bytes]

    @classmethod
    def spooled(cls, event_id: str) -> Self:
        """Acknowledge an event that waits in a spool."""
        return cls(event_id, (), {})

    @property
    def is_spooled(self) -> bool:
        """Whether the event waited in a spool when this was given, and in no log."""
        return not self.positions

    def to_json(self) -> bytes:
        """Write the receipt as one JSON object."""
        return msgspec.json.encode(self._written(), order="sorted")

    def as_dict(self) -> dict[str, Any]:
        """Write the receipt as plain values, ready for any JSON encoder."""
        written: dict[str, Any] = msgspec.to_builtins(self._written(), order="sorted")
        return written

    def write(self, path: Path) -> None:
        """Write the receipt to a file; durable on return, for its owner's eyes.

        Raises:
            StorageError: it could not be written.
        """
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(self.to_json() + b"\n")
                file.flush()
                os.fsync(handle)
        except OSError as error:
            raise StorageError(
                f"the receipt was not kept: cannot write {path}: {error.strerror}"
            ) from error

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read what `to_json` wrote.

        Raises:
            InputError: it is not a receipt.
        """
        try:
            written = msgspec.json.decode(data, type=_Written)
        except (msgspec.MsgspecError, ValueError):
            written = None
        return cls._read(written)

    @classmethod
    def from_dict(cls, value: object) -> Self:
        """Read what `as_dict` wrote.

        Raises:
            InputError: it is not a receipt.
        """
        try:
            written = msgspec.convert(value, type=_Written)
        except (msgspec.MsgspecError, ValueError):
            written = None
        return cls._read(written)

    def _written(self) -> "_Written":
        return _Written(
            event_id=self.event_id,
            entries=tuple(
                _WrittenEntry(
                    log=position.log,
                    index=position.index,
                    leaf_hash=print_base64(position.leaf_hash),
                )
                for position in self.positions
            ),
            promises={log: note.decode() for log, note in self.promises.items()},
        )

    @classmethod
    def _read(cls, written: "_Written | None") -> Self:
        """Take what was decoded; the value that did not fit is never shown."""
        if written is None:
            raise InputError.for_field(
                "receipt", "not a phitrail receipt: give one as it was written"
            )
        if not written.entries:
            raise InputError.for_field(
                "receipt",
                "names no entry: its event was spooled, and nothing was promised yet",
            )
        if written.promises.keys() != {entry.log for entry in written.entries}:
            raise InputError.for_field(
                "promises", "must be one for each log that holds an entry"
            )
        try:
            return cls(
                written.event_id,
                tuple(
                    Position(
                        entry.log,
                        entry.index,
                        parse_hash(entry.leaf_hash, field="leaf_hash"),
                    )
                    for entry in written.entries
                ),
                {log: note.encode() for log, note in written.promises.items()},
            )
        except (IntegrityError, UnicodeEncodeError):
            raise InputError.for_field(
                "receipt", "a leaf hash must be 32 bytes in base64, a note must be text"
            ) from None


Index = Annotated[int, msgspec.Meta(ge=0, le=NUMBER_LIMIT - 1)]


class _WrittenEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    log: str
    index: Index
    leaf_hash: str


class _Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    event_id: str
    entries: tuple[_WrittenEntry, ...]
    promises: dict[str, str]


def check_receipt(
    receipt: Receipt, promise_keys: Mapping[str, VerifierKey]
) -> Mapping[str, Checkpoint]:
    """Check a receipt's promises; return the promised head of each log.

    1. It names an entry, and every log that holds one has a promise.
    2. The promise is signed by that log's promise key, and by none of another kind.
    3. The promised tree is large enough to hold the entry.

    Raises:
        IntegrityError: names the step that failed.
    """
    if receipt.is_spooled:
        raise IntegrityError("step 1: it names no entry: its event was spooled")
    heads: dict[str, Checkpoint] = {}
    for position in receipt.positions:
        note = receipt.promises.get(position.log)
        key = promise_keys.get(position.log)
        if note is None or key is None:
            raise IntegrityError(f"step 1: no promise or no key for {position.log}")
        if not key.name.endswith(PROMISE_SUFFIX):
            raise IntegrityError(f"step 2: the key of {position.log} signs no promises")
        head = open_checkpoint(
            note, [key], origin=key.name.removesuffix(PROMISE_SUFFIX)
        )
        if position.index >= head.size:
            raise IntegrityError(
                f"step 3: entry {position.index} of {position.log} lies beyond the "
                f"promised size {head.size}"
            )
        heads[position.log] = head
    return heads
