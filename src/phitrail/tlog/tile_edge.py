"""The right edge of a log in tiles: what a publisher needs to write the next ones.

For each level it holds the hashes of the tile that is not full yet. Leaves go in, the
files that they change come out. The root is computed from these hashes alone, so it
checks the journal's root by another way (tlog-tiles; RFC 6962 section 2.1).
"""

from collections.abc import Callable, Iterable
from typing import TypeAlias

from phitrail.errors import IntegrityError
from phitrail.tlog.hashing import Hash
from phitrail.tlog.merkle import RightEdge, root_of_edge
from phitrail.tlog.tile import TILE_HEIGHT, TILE_WIDTH, full_tile_root, split_tile

Tiles: TypeAlias = dict[tuple[int, int, int], bytes]
"""(level, index, width) -> the bytes of that tile"""


class TileEdge:
    """The unfinished tiles of one log."""

    def __init__(self) -> None:
        self.size = 0
        self._levels: list[list[bytes]] = [[]]

    @classmethod
    def read(cls, size: int, read_tile: Callable[[int, int, int], bytes]) -> "TileEdge":
        """Read the unfinished tiles of a log of `size` entries.

        Raises:
            IntegrityError: a tile has not the length of its width.
        """
        edge = cls()
        edge.size = size
        edge._levels = []
        level = 0
        while size >> (TILE_HEIGHT * level) or not level:
            index, width = divmod(size >> (TILE_HEIGHT * level), TILE_WIDTH)
            edge._levels.append(
                list(split_tile(read_tile(level, index, width), width)) if width else []
            )
            level += 1
        return edge

    def copy(self) -> "TileEdge":
        """Return an edge that can grow without changing this one."""
        other = TileEdge()
        other.size = self.size
        other._levels = [list(hashes) for hashes in self._levels]
        return other

    def extend(self, leaf_hashes: Iterable[Hash]) -> Tiles:
        """Add leaves; return the tiles that became full."""
        full: Tiles = {}
        bottom = self._levels[0]
        for leaf_hash in leaf_hashes:
            bottom.append(leaf_hash)
            self.size += 1
            if len(bottom) == TILE_WIDTH:
                self._close_tile(0, full)
                bottom = self._levels[0]
        return full

    def _close_tile(self, level: int, full: Tiles) -> None:
        hashes = self._levels[level]
        if len(hashes) < TILE_WIDTH:
            return
        data = b"".join(hashes)
        index = (self.size >> (TILE_HEIGHT * (level + 1))) - 1
        full[level, index, TILE_WIDTH] = data
        self._levels[level] = []
        if level + 1 == len(self._levels):
            self._levels.append([])
        self._levels[level + 1].append(full_tile_root(data))
        self._close_tile(level + 1, full)

    def partial_tiles(self) -> Tiles:
        """Return the unfinished tiles at this size."""
        return {
            (level, self.size >> (TILE_HEIGHT * (level + 1)), len(hashes)): b"".join(
                hashes
            )
            for level, hashes in enumerate(self._levels)
            if hashes
        }

    def root(self) -> Hash:
        """Compute the root of the whole tree from the unfinished tiles."""
        peaks: list[Hash] = []
        for hashes in reversed(self._levels):
            edge = RightEdge()
            edge.extend(map(Hash, hashes))
            peaks.extend(edge.peaks)
        return root_of_edge(peaks)

    def check_root(self, root: Hash, what: str) -> None:
        """Check that these tiles give a root.

        Raises:
            IntegrityError: they do not.
        """
        if self.root() != root:
            raise IntegrityError(
                f"the tiles do not give the root of {what} at size {self.size}; "
                "do not publish: run `phitrail verify` and restore from the archive"
            )
