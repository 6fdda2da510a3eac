"""The tiles above the lowest level, derived from below and compared with the stored ones.

The hash of each full tile is an entry of the tile above it (C2SP tlog-tiles), so the
ladder takes hashes of tiles of level 0 in order and holds one unfinished tile of each
level, whatever the size of the log. It is built apart from the publisher's own code on
purpose: one mistake should not be made by both.
"""

import hashlib
from collections.abc import Callable
from operator import add

from phitrail.errors import IntegrityError
from phitrail.evidence.findings import Check, Findings
from phitrail.tlog.hashing import HASH_BYTES
from phitrail.tlog.tile import TILE_WIDTH, tile_path

ReadTile = Callable[[int, int, int], bytes]
"""(level, index, width) -> the tile; raises `IntegrityError` when it is missing"""
WidthsOf = Callable[[int, int], list[int]]
"""(level, index) -> the widths under which a tile is stored unfinished"""

_FULL_TILE_BYTES = TILE_WIDTH * HASH_BYTES
_PAIR_BYTES = 2 * HASH_BYTES


def hash_full_tile(hashes: bytes) -> bytes:
    """Compute the hash of a full tile from its 256 hashes, end to end (8,192 bytes)."""
    sha256 = hashlib.sha256
    pairs = [hashes[at : at + _PAIR_BYTES] for at in range(0, len(hashes), _PAIR_BYTES)]
    while True:
        nodes = [sha256(b"\x01" + pair).digest() for pair in pairs]
        if len(nodes) == 1:
            return nodes[0]
        pairs = list(map(add, nodes[::2], nodes[1::2]))


class TileLadder:
    """Levels 1 and up of one log; hashes of level-0 tiles go in from the left."""

    def __init__(
        self, read_tile: ReadTile, widths_of: WidthsOf, findings: Findings
    ) -> None:
        self._read_tile = read_tile
        self._widths_of = widths_of
        self._findings = findings
        self._levels: list[tuple[int, bytearray]] = []

    def push(self, tile_hash: bytes, level: int = 1) -> None:
        """Take the next hash of a level; compare its tile when that is full."""
        if level > len(self._levels):
            self._levels.append((0, bytearray()))
        index, hashes = self._levels[level - 1]
        hashes += tile_hash
        if len(hashes) == _FULL_TILE_BYTES:
            self._compare(level, index, bytes(hashes), TILE_WIDTH)
            self._levels[level - 1] = (index + 1, bytearray())
            self.push(hash_full_tile(bytes(hashes)), level + 1)

    def finish(self) -> None:
        """Compare the unfinished tiles, under every width that is stored."""
        for level, (index, hashes) in enumerate(self._levels, start=1):
            if hashes:
                self._compare(level, index, bytes(hashes), len(hashes) // HASH_BYTES)
                self.compare_earlier(level, index, bytes(hashes))

    def compare_earlier(self, level: int, index: int, hashes: bytes) -> None:
        """Compare what earlier checkpoints left of an unfinished tile.

        The public log serves the tile of every checkpoint until the full one stands. A
        wider one belongs to a later checkpoint, of a writer that is at work now.
        """
        for width in self._widths_of(level, index):
            if width * HASH_BYTES < len(hashes):
                self._compare(level, index, hashes[: width * HASH_BYTES], width)

    def _compare(self, level: int, index: int, hashes: bytes, width: int) -> None:
        where = tile_path(level, index, width)
        try:
            tile = self._read_tile(level, index, width)
        except IntegrityError as error:
            self._findings.add(Check.TILE, where, str(error))
            return
        if tile != hashes:
            place = (
                next(
                    (
                        at
                        for at in range(0, len(hashes), HASH_BYTES)
                        if tile[at : at + HASH_BYTES] != hashes[at : at + HASH_BYTES]
                    ),
                    0,
                )
                // HASH_BYTES
            )
            below = index * TILE_WIDTH + place
            self._findings.add(
                Check.TILE,
                where,
                "is not what the level below gives; the first difference is at "
                + (tile_path(level - 1, below) if level else f"entry {below}"),
            )
