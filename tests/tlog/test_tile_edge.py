"""The edge in tiles writes the files of tlog-tiles and gives the root of RFC 6962."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tlog.trees import FEW, lay_out, number_entries

from phitrail.errors import IntegrityError
from phitrail.tlog.hashing import Hash, hash_leaf
from phitrail.tlog.merkle import tree_root
from phitrail.tlog.tile import parse_tile_path, tile_path
from phitrail.tlog.tile_edge import TileEdge

MOST = 66_000
ENTRIES = number_entries(MOST)
HASHES = [hash_leaf(entry) for entry in ENTRIES]


def grow(edge: TileEdge, size: int) -> dict[tuple[int, int, int], bytes]:
    """Extend an edge up to a size."""
    return edge.extend(HASHES[edge.size : size])


@FEW
@given(st.lists(st.integers(0, 1500), min_size=1, max_size=4).map(sorted))
def test_its_files_are_those_of_the_definition(sizes: list[int]) -> None:
    """However the log grew, other readers must find the same tiles."""
    edge = TileEdge()
    full: dict[tuple[int, int, int], bytes] = {}
    for size in sizes:
        full |= grow(edge, size)
        wanted = {
            parse_tile_path(path): data
            for path, data in lay_out(ENTRIES[:size]).items()
            if "entries" not in path
        }

        assert full | edge.partial_tiles() == wanted
        assert edge.root() == tree_root(HASHES[:size])


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 65_535, 65_536, 65_537, MOST])
def test_an_edge_that_is_read_back_goes_on_as_before(size: int) -> None:
    """A restart between two rounds must not change a tile."""
    edge = TileEdge()
    stored = grow(edge, size) | edge.partial_tiles()
    again = TileEdge.read(size, lambda *place: stored[place])
    copy = again.copy()

    assert grow(again, MOST) == grow(edge, MOST)
    assert again.partial_tiles() == edge.partial_tiles()
    assert copy.size == size
    again.check_root(edge.root(), "the test")


def test_a_copy_grows_alone() -> None:
    """A round that fails must leave what stands untouched."""
    edge = TileEdge()
    grow(edge, 10)
    copy = edge.copy()
    grow(copy, 20)

    assert (edge.size, edge.root()) == (10, tree_root(HASHES[:10]))


def test_another_root_is_refused() -> None:
    """It is the check that stands between a damaged tile and a signature."""
    edge = TileEdge()
    grow(edge, 10)

    with pytest.raises(IntegrityError, match="root of the journal at size 10"):
        edge.check_root(Hash(bytes(32)), "the journal")


def test_a_tile_of_a_wrong_length_is_refused() -> None:
    """A cut file must not be taken for a narrower tile."""
    with pytest.raises(IntegrityError, match="length of its width"):
        TileEdge.read(3, lambda *_: bytes(64))


def test_its_places_are_names_of_tiles() -> None:
    """Level, index and width in the order of the path."""
    edge = TileEdge()

    assert [tile_path(*place) for place in grow(edge, 256)] == ["tile/0/000"]
    assert [tile_path(*place) for place in edge.partial_tiles()] == ["tile/1/000.p/1"]
