"""Was a promise kept? What a log shows of itself now, held against what it promised.

A promise, like a checkpoint, is a signed head: its root commits to every entry before it.
1. The log is at least as large as it promised; a smaller one was cut, or restored from a
   backup.
2. Its tree begins with the whole promised tree (consistency proof, RFC 6962 section 2.1.2).
3. An entry that a receipt names stands at its index (inclusion proof, section 2.1.1).

Proofs are built from nodes that the log's host gives and are verified against the root that
it signed last, so that wrong nodes neither acquit nor convict. Entries of one tile share
one proof: a tree of leaves, cut every 256, is the same tree over the roots of its tiles.

Everything here is pure. Where a log and its nodes come from is the caller's business
(`tlog.reader` for a directory), and so is what a broken promise brings about.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from phitrail.errors import InputError, IntegrityError
from phitrail.tlog.checkpoint import Checkpoint
from phitrail.tlog.hashing import Hash, hash_node
from phitrail.tlog.merkle import tree_root
from phitrail.tlog.proof import (
    consistency_proof,
    inclusion_proof,
    root_at,
    verify_consistency,
    verify_inclusion,
)
from phitrail.tlog.receipt import Index, Position, Receipt
from phitrail.tlog.spelling import parse_hash, print_base64
from phitrail.tlog.tile import TILE_HEIGHT, TILE_WIDTH

SCHEMA = "phitrail/broken-promise/v1"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a log shows of itself at one moment.

    Attributes:
        note: its newest signed head that is meant here, a checkpoint or a promise.
        head: what the note says; its signature was verified.
        node: nodes of the tree under it, as `tlog.tile.node_reader` gives them.
    """

    note: bytes
    head: Checkpoint
    node: Callable[[int, int], Hash]


@dataclass(frozen=True, slots=True)
class BrokenPromise:
    """A promise that was not kept, with both of the log's own statements as evidence.

    Attributes:
        origin: whose promise it is.
        promised: the note that was given earlier, a promise or a checkpoint.
        shown: the note that the log shows now.
        failed: what does not fit, in words.
        found_at: when it was found.
        position: the entry that is missing or another one; None where the promised tree
            itself is gone, and with it all its entries.
    """

    origin: str
    promised: bytes
    shown: bytes
    failed: str
    found_at: str
    position: Position | None = None

    def to_json(self) -> bytes:
        """Write the evidence as one JSON object, its notes byte for byte."""
        entry = None
        if self.position is not None:
            entry = _WrittenEntry(
                self.position.log,
                self.position.index,
                print_base64(self.position.leaf_hash),
            )
        written = _Written(
            SCHEMA,
            self.origin,
            self.promised.decode(),
            self.shown.decode(),
            self.failed,
            self.found_at,
            entry,
        )
        return msgspec.json.format(msgspec.json.encode(written), indent=1)

    @classmethod
    def from_json(cls, data: bytes) -> "BrokenPromise":
        """Read what `to_json` wrote; nothing in it is verified.

        Raises:
            InputError: it is no such file.
        """
        try:
            written = msgspec.json.decode(data, type=_Written)
            entry = written.entry
            position = None
            if entry is not None:
                leaf_hash = parse_hash(entry.leaf_hash, field="leaf_hash")
                position = Position(entry.log, entry.index, leaf_hash)
            if written.schema == SCHEMA:
                return cls(
                    written.origin,
                    written.promised.encode(),
                    written.shown.encode(),
                    written.failed,
                    written.found_at,
                    position,
                )
        except (msgspec.MsgspecError, ValueError, IntegrityError):
            pass  # what did not fit is not shown
        raise InputError.for_field(
            "receipt", "neither a phitrail receipt nor the evidence of a broken promise"
        )


class _WrittenEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    log: str
    index: Index
    leaf_hash: str


class _Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    schema: str
    origin: str
    promised: str
    shown: str
    failed: str
    found_at: str
    entry: _WrittenEntry | None


def parse_receipt_file(data: bytes) -> Receipt | BrokenPromise:
    """Read a file that somebody brings: a receipt, or the evidence of a broken promise.

    Raises:
        InputError: it is neither.
    """
    try:
        return Receipt.from_json(data)
    except InputError:
        return BrokenPromise.from_json(data)


def find_break(promised: Checkpoint, shown: Shown) -> str | None:
    """Say how a log broke its promise, if it did (rules 1 and 2).

    Args:
        promised: a head that the log signed earlier; its signature was verified.
        shown: the log now.

    Raises:
        IntegrityError: the nodes do not lead to the signed root: nothing can be told.
    """
    now = shown.head
    if promised.origin != now.origin:
        return (
            f"{now.origin} stands where {promised.origin} made a promise: another log "
            "took its place"
        )
    if promised.size > now.size:
        return (
            f"{now.origin} promised {promised.size} entries and has {now.size}: its tail "
            "was cut, or an old backup was restored"
        )
    root = root_at(promised.size, shown.node)
    verify_consistency(  # so this is the root that the log's own head stands for
        old_size=promised.size,
        old_root=root,
        new_size=now.size,
        new_root=now.root,
        proof=consistency_proof(promised.size, now.size, shown.node),
    )
    if root == promised.root:
        return None
    return (
        f"{now.origin} has another root at size {promised.size} than it promised: "
        "entries before that were altered, or a backup was restored and went on"
    )


def find_unkept(positions: Iterable[Position], shown: Shown) -> list[Position]:
    """Find the entries that do not stand at their index (rule 3).

    Args:
        positions: entries of this log.
        shown: the log now; all of them must lie within it.

    Raises:
        InputError: an entry lies beyond the tree.
        IntegrityError: the nodes do not lead to the signed root: nothing can be told.
    """
    by_tile: dict[int, list[Position]] = {}
    for position in positions:
        by_tile.setdefault(position.index // TILE_WIDTH, []).append(position)
    unkept: list[Position] = []
    for tile, wanted in sorted(by_tile.items()):
        leaves = _prove_tile(tile, shown)
        unkept += (
            position
            for position in wanted
            if leaves[position.index - tile * TILE_WIDTH] != position.leaf_hash
        )
    return unkept


def _prove_tile(tile: int, shown: Shown) -> Sequence[Hash]:
    """Give the leaf hashes of one tile, proven to be under the signed root."""
    size, node = shown.head.size, shown.node
    tiles = -(-size // TILE_WIDTH)

    def leaves_of(index: int) -> list[Hash]:
        end = min((index + 1) * TILE_WIDTH, size)
        return [node(0, at) for at in range(index * TILE_WIDTH, end)]

    def tile_node(level: int, index: int) -> Hash:
        if (index + 1) << level + TILE_HEIGHT <= size:
            return node(level + TILE_HEIGHT, index)
        if level == 0:
            return tree_root(leaves_of(index))
        return hash_node(
            tile_node(level - 1, 2 * index), tile_node(level - 1, 2 * index + 1)
        )

    proof = inclusion_proof(tile, tiles, tile_node)
    leaves = leaves_of(tile)
    verify_inclusion(
        leaf=tree_root(leaves),
        index=tile,
        size=tiles,
        proof=proof,
        root=shown.head.root,
    )
    return leaves
