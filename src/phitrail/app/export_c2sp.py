"""A log as a plain C2SP tlog-tiles directory: checkpoint, hash tiles, entries in clear.

Any reader of tlog-tiles takes it. Tiles are computed anew from the entries.

Source: c2sp.org/tlog-tiles.
"""

from collections.abc import Iterable
from pathlib import Path

from phitrail.app.leaf_chunk import LeafChunk
from phitrail.tlog.tile import TILE_WIDTH, bundle_path, frame_entries, tile_path
from phitrail.tlog.tile_edge import TileEdge, Tiles


def write_c2sp(directory: Path, chunks: Iterable[LeafChunk], note: bytes) -> None:
    """Write a log into an empty directory.

    Raises:
        OSError: a file cannot be written.
    """
    edge = TileEdge()
    for chunk in chunks:
        _write_tiles(directory, edge.extend(chunk.hashes))
        path = bundle_path(chunk.first // TILE_WIDTH, len(chunk.leaves))
        _write(directory, path, frame_entries(chunk.leaves))
    _write_tiles(directory, edge.partial_tiles())
    _write(directory, "checkpoint", note)


def _write_tiles(directory: Path, tiles: Tiles) -> None:
    for place, data in tiles.items():
        _write(directory, tile_path(*place), data)


def _write(directory: Path, path: str, data: bytes) -> None:
    place = directory / path
    if not place.parent.is_dir():
        place.parent.mkdir(parents=True)
    place.write_bytes(data)
