"""What a caller holds after an acknowledgement: index, leaf hash, and a signed promise.

A promise is the body of a checkpoint (origin, size, root), signed at commit by the key
`<origin>/promise`. It says: there is a tree of this size with this root, and your entry is
in it. Whoever holds it can demand inclusion and consistency later, so a log that drops
an acknowledged entry is convicted by its own signature.

Everything here is pure: no log is needed to read or check a receipt's form.
"""

import base64
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

import msgspec

from phitrail.errors import InputError, IntegrityError
from phitrail.tlog.checkpoint import Checkpoint, open_checkpoint
from phitrail.tlog.hashing import HASH_BYTES, Hash
from phitrail.tlog.note import VerifierKey

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
    """The durable outcome of one event: its entries and a promise for each log."""

    event_id: str
    positions: tuple[Position, ...]
    promises: Mapping[str, bytes]

    def to_json(self) -> bytes:
        """Write the receipt as one JSON object."""
        return msgspec.json.encode(
            _Written(
                event_id=self.event_id,
                entries=tuple(
                    _WrittenEntry(
                        log=position.log,
                        index=position.index,
                        leaf_hash=base64.b64encode(position.leaf_hash).decode(),
                    )
                    for position in self.positions
                ),
                promises={log: note.decode() for log, note in self.promises.items()},
            ),
            order="sorted",
        )

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read what `to_json` wrote.

        Raises:
            InputError: it is not a receipt.
        """
        written = None
        positions: tuple[Position, ...] = ()
        with suppress(msgspec.MsgspecError, ValueError):
            written = msgspec.json.decode(data, type=_Written)
            positions = tuple(
                Position(
                    entry.log,
                    entry.index,
                    Hash(base64.b64decode(entry.leaf_hash, validate=True)),
                )
                for entry in written.entries
            )
        if written is None or len(positions) != len(written.entries):
            raise InputError.for_field("receipt", "not a phitrail receipt")
        if any(len(position.leaf_hash) != HASH_BYTES for position in positions):
            raise InputError.for_field("leaf_hash", "must be 32 bytes, base64")
        return cls(
            written.event_id,
            positions,
            {log: note.encode() for log, note in written.promises.items()},
        )


class _WrittenEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    log: str
    index: int
    leaf_hash: str


class _Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    event_id: str
    entries: tuple[_WrittenEntry, ...]
    promises: dict[str, str]


def check_receipt(
    receipt: Receipt, promise_keys: Mapping[str, VerifierKey]
) -> Mapping[str, Checkpoint]:
    """Check a receipt's promises; return the promised head of each log.

    1. Every log that holds an entry has a promise.
    2. The promise is signed by that log's promise key, and by none of another kind.
    3. The promised tree is large enough to hold the entry.

    Raises:
        IntegrityError: names the step that failed.
    """
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
