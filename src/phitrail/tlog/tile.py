"""Tiles and entry bundles: their names, their widths, their bytes (C2SP tlog-tiles).

A tile holds 256 hashes of one level, each the root of 256**level leaves; a bundle holds
the 256 entries under one tile of level 0. What stands in a full one never changes.

1. At a size s, level L has s // 256**L hashes: full tiles, then at most one partial
   tile with the rest. A width of 0 is never written or asked for.
2. A path has one spelling: groups of three digits, all but the last with an ``x``.
3. A bundle is its entries end to end, each after its length as two bytes, big-endian;
   so an entry has at most 65,535 bytes.

Nothing here reads a file. ``node_reader`` takes the reader as an argument and checks
lengths only: what it answers is true if the root computed over it is a signed one.
"""

import functools
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from phitrail.errors import InputError, IntegrityError
from phitrail.tlog.hashing import HASH_BYTES, Hash, hash_node
from phitrail.tlog.merkle import RightEdge

TILE_WIDTH: Final = 256
MAX_LEVEL: Final = 63
MAX_ENTRY_BYTES: Final = 0xFFFF
TILE_HEIGHT: Final = 8  # levels of the binary tree in one tile: 2**8 = TILE_WIDTH
CACHED_TILES: Final = 64  # a proof in a log of 2**64 entries touches at most 16

_INDEX_LIMIT: Final = 10**21  # seven groups of digits hold any index below 2**64
_PATH = re.compile(
    r"tile/(?P<level>entries|[0-9]{1,2})/(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})"
    r"(?:\.p/(?P<width>[0-9]{1,3}))?"
)


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """Name a hash tile: ``tile/<level>/<index>[.p/<width>]``.

    Raises:
        InputError: level, index or width is out of range.
    """
    if not 0 <= level <= MAX_LEVEL:
        raise InputError.for_field("level", "must be 0 to 63")
    return f"tile/{level}/{_index_path(index, width)}"


def bundle_path(index: int, width: int = TILE_WIDTH) -> str:
    """Name an entry bundle: ``tile/entries/<index>[.p/<width>]``.

    Raises:
        InputError: index or width is out of range.
    """
    return f"tile/entries/{_index_path(index, width)}"


def parse_tile_path(path: str) -> tuple[int, int, int]:
    """Read level, index and width; only the spelling of ``tile_path`` is taken.

    Raises:
        InputError: this is not the name of a hash tile.
    """
    level, index, width = _parse_path(path)
    if level == "entries" or tile_path(int(level), index, width) != path:
        raise InputError.for_field("path", "must name a hash tile")
    return int(level), index, width


def parse_bundle_path(path: str) -> tuple[int, int]:
    """Read index and width; only the spelling of ``bundle_path`` is taken.

    Raises:
        InputError: this is not the name of an entry bundle.
    """
    level, index, width = _parse_path(path)
    if level != "entries" or bundle_path(index, width) != path:
        raise InputError.for_field("path", "must name an entry bundle")
    return index, width


def width_at(level: int, index: int, size: int) -> int:
    """Give the width of one tile at a tree size; 0 says that it does not exist."""
    hashes = size >> TILE_HEIGHT * level
    return max(0, min(TILE_WIDTH, hashes - index * TILE_WIDTH))


def tiles_for_size(size: int) -> Iterator[tuple[int, int, int]]:
    """Yield (level, index, width) of all tiles; a bundle goes with each of level 0."""
    return new_tiles(0, size)


def new_tiles(old_size: int, new_size: int) -> Iterator[tuple[int, int, int]]:
    """Yield (level, index, width) of tiles at the new size that the old one had not.

    Raises:
        InputError: the sizes are not in order.
    """
    if not 0 <= old_size <= new_size:
        raise InputError.for_field("old_size", "must be at most the new size")
    return _new_tiles(old_size, new_size)


def split_tile(data: bytes, width: int) -> list[Hash]:
    """Cut the bytes of a tile into its hashes.

    Raises:
        IntegrityError: there are not exactly ``width`` hashes.
    """
    if len(data) != width * HASH_BYTES:
        raise IntegrityError("a tile has not the length of its width")
    return [Hash(data[at : at + HASH_BYTES]) for at in range(0, len(data), HASH_BYTES)]


def full_tile_root(data: bytes) -> Hash:
    """Compute the hash that stands for a full tile one level above it.

    Raises:
        IntegrityError: the tile is not full.
    """
    edge = RightEdge()
    edge.extend(split_tile(data, TILE_WIDTH))
    return edge.root()


def frame_entries(entries: Iterable[bytes], *, at_most: int = TILE_WIDTH) -> bytes:
    """Write entries as a bundle, each after its length.

    Raises:
        InputError: an entry is longer than 65,535 bytes, or there are more than
            `at_most` (256 in a bundle).
    """
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise InputError.for_field("entry", "must have at most 65535 bytes")
        parts.append(len(entry).to_bytes(2, "big"))
        parts.append(entry)
    if len(parts) > 2 * at_most:
        raise InputError.for_field("entries", f"must be at most {at_most} in a bundle")
    return b"".join(parts)


def split_bundle(
    data: bytes, width: int | None = None, *, at_most: int = TILE_WIDTH
) -> list[bytes]:
    """Cut a bundle into its entries.

    Args:
        data: the whole bundle.
        width: how many entries it must hold, where the caller knows it.
        at_most: how many it may hold at all.

    Raises:
        IntegrityError: the last entry is cut short, or the number is wrong.
    """
    entries: list[bytes] = []
    at, end = 0, len(data)
    try:
        while at < end:
            start = at + 2
            at = start + (data[at] << 8 | data[at + 1])
            entries.append(data[start:at])
    except IndexError:
        raise IntegrityError("a bundle ends within the length of an entry") from None
    if at != end:
        raise IntegrityError("a bundle ends within an entry")
    if len(entries) > at_most or width not in (None, len(entries)):
        raise IntegrityError("a bundle has not as many entries as its width says")
    return entries


def node_reader(
    read_tile: Callable[[int, int, int], bytes], size: int
) -> Callable[[int, int], Hash]:
    """Answer nodes of the binary tree of ``size`` leaves out of its tiles.

    Args:
        read_tile: gives the bytes of the tile (level, index, width). The width is the
            one at ``size``; where only the full tile is left, the caller cuts it.
        size: the tree size, of a checkpoint that was published.

    Returns:
        ``node(level, index)`` for the builders in ``tlog.proof``. It raises
        ``InputError`` for a subtree that is not complete at ``size`` and
        ``IntegrityError`` for a tile of a wrong length. It keeps the last 64 tiles.
    """

    @functools.lru_cache(maxsize=CACHED_TILES)
    def levels_of(level: int, index: int) -> tuple[list[Hash], ...]:
        width = width_at(level, index, size)
        return _levels_in_tile(split_tile(read_tile(level, index, width), width))

    def node(level: int, index: int) -> Hash:
        if level < 0 or index < 0 or index >= size >> level:
            raise InputError.for_field("node", "must be a complete subtree of the tree")
        tile_level, height = divmod(level, TILE_HEIGHT)
        tile_index, place = divmod(index, TILE_WIDTH >> height)
        return levels_of(tile_level, tile_index)[height][place]

    return node


def _index_path(index: int, width: int) -> str:
    if not 0 <= index < _INDEX_LIMIT:
        raise InputError.for_field("index", "must be from 0 up and below 10**21")
    if not 1 <= width <= TILE_WIDTH:
        raise InputError.for_field("width", "must be 1 to 256")
    partial = f".p/{width}" if width < TILE_WIDTH else ""
    *groups, last = f"{index:,}".split(",")
    above = "".join(f"x{group.zfill(3)}/" for group in groups)
    return f"{above}{last.zfill(3)}{partial}"


def _parse_path(path: str) -> tuple[str, int, int]:
    match = _PATH.fullmatch(path)
    if match is None:
        raise InputError.for_field("path", "must name a tile or a bundle")
    index = int(match["index"].replace("/", "").replace("x", ""))
    return match["level"], index, int(match["width"] or TILE_WIDTH)


def _new_tiles(old_size: int, new_size: int) -> Iterator[tuple[int, int, int]]:
    level = 0
    while new_size > old_size:
        last, rest = divmod(new_size, TILE_WIDTH)
        for index in range(old_size // TILE_WIDTH, last):
            yield level, index, TILE_WIDTH
        if rest:
            yield level, last, rest
        level += 1
        old_size, new_size = old_size // TILE_WIDTH, last


def _levels_in_tile(hashes: list[Hash]) -> tuple[list[Hash], ...]:
    """Give the hashes of a tile and of each level above them, as far as complete."""
    levels = [hashes]
    for _ in range(TILE_HEIGHT - 1):
        below = levels[-1]
        pairs = zip(below[::2], below[1::2], strict=False)
        levels.append([hash_node(left, right) for left, right in pairs])
    return tuple(levels)
