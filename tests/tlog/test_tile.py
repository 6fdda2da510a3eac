"""Tiles and bundles have the names, widths and bytes of C2SP tlog-tiles."""

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tlog.trees import (
    FEW,
    MANY,
    damaged,
    lay_out,
    node_in_memory,
    number_entries,
)
from tests.vectors.tlog_vectors import load_group

from phitrail.errors import InputError, IntegrityError
from phitrail.tlog.hashing import Hash, hash_leaf
from phitrail.tlog.merkle import tree_root
from phitrail.tlog.proof import consistency_proof, inclusion_proof, root_at
from phitrail.tlog.tile import (
    MAX_ENTRY_BYTES,
    bundle_path,
    frame_entries,
    full_tile_root,
    new_tiles,
    node_reader,
    parse_bundle_path,
    parse_tile_path,
    split_bundle,
    split_tile,
    tile_path,
    tiles_for_size,
    width_at,
)

SIZE = 1300
ENTRIES = number_entries(SIZE)
LEAVES = [hash_leaf(entry) for entry in ENTRIES]
WIDTHS = st.integers(1, 256)
INDEXES = st.one_of(st.integers(0, 2000), st.integers(0, 2**64))


def test_paths_are_those_of_the_specification() -> None:
    """A path that others spell differently is a file that they do not find."""
    known = {
        int(number): path
        for number, path in load_group("tile_paths").items()
        if number.isdecimal()
    }

    for number, path in known.items():
        assert tile_path(3, number) == f"tile/3/{path}"
        assert tile_path(0, number, 7) == f"tile/0/{path}.p/7"
        assert bundle_path(number) == f"tile/entries/{path}"
        assert bundle_path(number, 255) == f"tile/entries/{path}.p/255"


@MANY
@given(st.integers(0, 63), INDEXES, WIDTHS)
def test_a_printed_path_reads_back(level: int, index: int, width: int) -> None:
    """The server must find the very tile that the publisher wrote."""
    assert parse_tile_path(tile_path(level, index, width)) == (level, index, width)
    assert parse_bundle_path(bundle_path(index, width)) == (index, width)


@MANY
@given(
    st.one_of(
        st.text(max_size=20),
        st.from_regex(
            r"tile/([0-9]{1,3}|entries)/(x?[0-9]{3}/){0,8}[0-9]{2,4}(.p/[0-9]*)?"
        ),
        damaged(b"tile/0/x001/x234/067.p/12").map(lambda path: path.decode("latin-1")),
        damaged(b"tile/entries/x001/067").map(lambda path: path.decode("latin-1")),
    )
)
def test_a_path_has_one_spelling(path: str) -> None:
    """Two names for one tile would let a cache hold two truths."""
    with contextlib.suppress(InputError):
        assert tile_path(*parse_tile_path(path)) == path
    with contextlib.suppress(InputError):
        assert bundle_path(*parse_bundle_path(path)) == path


@pytest.mark.parametrize(
    "path",
    [
        "tile/64/000",
        "tile/00/000",
        "tile/0/x000/000",
        "tile/0/0",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/1/",
        "tile/0/000\n",
        "tile/0/٣٣٣",
        "/tile/0/000",
        "tile/entries/000",
    ],
)
def test_a_malformed_tile_path_is_refused(path: str) -> None:
    """A second spelling, or a bundle's name, must not reach the disk as a tile."""
    with pytest.raises(InputError):
        parse_tile_path(path)


@pytest.mark.parametrize("path", ["tile/0/000", "tile/entries/000.p/256", ""])
def test_a_malformed_bundle_path_is_refused(path: str) -> None:
    """Entries are sealed; a path that is not theirs must not be taken for it."""
    with pytest.raises(InputError):
        parse_bundle_path(path)


@pytest.mark.parametrize(
    ("level", "index", "width", "field"),
    [
        (64, 0, 256, "level"),
        (-1, 0, 256, "level"),
        (0, -1, 256, "index"),
        (0, 10**21, 256, "index"),
        (0, 0, 0, "width"),
        (0, 0, 257, "width"),
    ],
)
def test_numbers_out_of_range_have_no_path(
    level: int, index: int, width: int, field: str
) -> None:
    """A tile that cannot exist must not get a name."""
    with pytest.raises(InputError, match=field):
        tile_path(level, index, width)


def test_the_shape_of_seventy_thousand_is_that_of_the_specification() -> None:
    """Full and partial widths are what clients compute before they ask."""
    known = load_group("partial_shape_70000")
    tiles = list(tiles_for_size(70_000))
    full = [level for level, _, width in tiles if width == 256]
    partial = {level: width for level, _, width in tiles if width < 256}

    assert known["L0_full"] == full.count(0)
    assert known["L1_full"] == full.count(1)
    assert partial == {level: known[f"L{level}_partial"] for level in (0, 1, 2)}
    assert list(tiles_for_size(256)) == [(0, 0, 256), (1, 0, 1)]
    assert list(tiles_for_size(0)) == []


@MANY
@given(st.integers(0, 200_000), st.integers(0, 3000))
def test_new_tiles_are_those_that_the_old_size_had_not(old: int, growth: int) -> None:
    """A missing tile makes a published size unprovable; a repeated one is waste."""
    before, after = set(tiles_for_size(old)), set(tiles_for_size(old + growth))

    new = list(new_tiles(old, old + growth))

    assert set(new) == after - before
    assert len(new) == len(set(new))
    for level, index, width in after:
        assert width == width_at(level, index, old + growth)


def test_a_tile_beyond_the_size_has_no_width() -> None:
    """A reader that asks for it must learn that it does not exist."""
    assert width_at(0, 1, 256) == 0
    assert width_at(1, 0, 255) == 0
    assert width_at(9, 7, 70_000) == 0


@pytest.mark.parametrize(("old", "new"), [(-1, 5), (6, 5)])
def test_sizes_out_of_order_have_no_new_tiles(old: int, new: int) -> None:
    """A log that shrinks is an error at once, not an empty round of publishing."""
    with pytest.raises(InputError):
        new_tiles(old, new)


@MANY
@given(st.lists(st.binary(max_size=300), max_size=20))
def test_framed_entries_split_into_themselves(entries: list[bytes]) -> None:
    """What was logged must come back byte for byte, or its leaf hash is lost."""
    bundle = frame_entries(entries)

    assert entries == split_bundle(bundle)
    assert entries == split_bundle(bundle, len(entries))


def test_the_longest_entry_fits_and_the_next_does_not() -> None:
    """Two bytes of length hold 65,535; a longer entry would shift all after it."""
    longest = bytes(MAX_ENTRY_BYTES)

    assert [b"", longest] == split_bundle(frame_entries([b"", longest]))
    with pytest.raises(InputError):
        frame_entries([longest + b"\x00"])


def test_a_bundle_holds_at_most_256_entries() -> None:
    """Entry 257 belongs to the next bundle and would be counted twice."""
    assert len(split_bundle(frame_entries([b""] * 256))) == 256
    with pytest.raises(InputError):
        frame_entries([b""] * 257)
    with pytest.raises(IntegrityError):
        split_bundle(bytes(2 * 257))


@pytest.mark.parametrize("cut", [1, 2, 3, 5])
def test_a_truncated_bundle_is_refused(cut: int) -> None:
    """A torn file must not read as a shorter log."""
    bundle = frame_entries([b"one", b"two"])

    with pytest.raises(IntegrityError):
        split_bundle(bundle[:-cut], 2)


def test_trailing_bytes_are_refused() -> None:
    """Bytes behind the last entry are content that no leaf covers."""
    with pytest.raises(IntegrityError):
        split_bundle(frame_entries([b"one"]) + b"\x00")
    with pytest.raises(IntegrityError):
        split_bundle(frame_entries([b"one"]) + b"\x00\x00", 1)


@MANY
@given(st.one_of(st.binary(max_size=60), damaged(frame_entries(number_entries(9)))))
def test_any_bytes_are_refused_or_are_a_bundle(data: bytes) -> None:
    """A reader of foreign files must never fail in a way that nobody expects."""
    try:
        entries = split_bundle(data)
    except IntegrityError:
        return

    assert data == frame_entries(entries)


def test_a_tile_has_the_length_of_its_width() -> None:
    """A short tile would shift the hashes that proofs are built of."""
    tile = b"".join(LEAVES[:256])

    assert LEAVES[:256] == split_tile(tile, 256)
    assert tree_root(LEAVES[:256]) == full_tile_root(tile)
    for wrong in (tile[:-1], tile[:-32], tile + bytes(32)):
        with pytest.raises(IntegrityError):
            full_tile_root(wrong)
    with pytest.raises(IntegrityError):
        split_tile(tile, 255)


@FEW
@given(st.integers(1, SIZE), st.data())
def test_proofs_over_tiles_are_those_of_the_definition(
    size: int, data: st.DataObject
) -> None:
    """A client has tiles only; its proofs must be those of the whole tree."""
    files = lay_out(ENTRIES[:size])
    index = data.draw(st.integers(0, size - 1))
    from_tiles = node_reader(lambda *tile: files[tile_path(*tile)], size)
    by_definition = node_in_memory(LEAVES[:size])

    assert tree_root(LEAVES[:size]) == root_at(size, from_tiles)
    assert inclusion_proof(index, size, by_definition) == inclusion_proof(
        index, size, from_tiles
    )
    assert consistency_proof(index, size, by_definition) == consistency_proof(
        index, size, from_tiles
    )


def test_every_complete_subtree_is_answered_from_the_tiles() -> None:
    """A wrong place within a tile would show only in some sizes of logs."""
    files = lay_out(ENTRIES[:600])
    node = node_reader(lambda *tile: files[tile_path(*tile)], 600)
    expected = node_in_memory(LEAVES)

    for level in range(10):
        for index in range(600 >> level):
            assert expected(level, index) == node(level, index)


@pytest.mark.parametrize(
    ("level", "index"), [(0, 600), (9, 1), (10, 0), (5000, 0), (-1, 0), (0, -1)]
)
def test_a_subtree_that_is_not_complete_is_refused(level: int, index: int) -> None:
    """A node over leaves that are not there has no hash to give."""
    files = lay_out(ENTRIES[:600])
    node = node_reader(lambda *tile: files[tile_path(*tile)], 600)

    with pytest.raises(InputError):
        node(level, index)


def test_tiles_are_read_once_while_they_are_in_use() -> None:
    """Each read may be a request over the network; a proof needs a handful."""
    files = lay_out(ENTRIES)
    asked: list[str] = []

    def read_tile(level: int, index: int, width: int) -> bytes:
        asked.append(tile_path(level, index, width))
        return files[asked[-1]]

    node = node_reader(read_tile, SIZE)
    for _ in range(3):
        for index in range(0, SIZE, 11):
            inclusion_proof(index, SIZE, node)

    assert sorted(asked) == sorted(set(asked))
    assert set(asked) == {path for path in files if not re.match("tile/e", path)}


def test_a_tile_of_another_width_is_refused_and_asked_for_again() -> None:
    """A torn tile must stop the proof and must not stay in the cache."""
    tile: list[Hash] = LEAVES[:3]
    node = node_reader(lambda *_: b"".join(tile), 4)

    with pytest.raises(IntegrityError):
        node(0, 0)
    tile.append(LEAVES[3])
    assert tree_root(LEAVES[:4]) == node(2, 0)
