"""Small trees, logs and damaged bytes that the tests of the log share."""

from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import settings
from hypothesis import strategies as st

from phitrail.tlog.hashing import Hash, hash_leaf
from phitrail.tlog.merkle import tree_root
from phitrail.tlog.note import Signer
from phitrail.tlog.tile import (
    bundle_path,
    frame_entries,
    full_tile_root,
    new_tiles,
    tile_path,
)

FEW = settings(max_examples=30, deadline=None)
MANY = settings(max_examples=200, deadline=None)


def number_entries(count: int) -> list[bytes]:
    """Give the entries of the log that the vectors are made of."""
    return [b"entry-%d" % number for number in range(count)]


def node_in_memory(leaves: Sequence[Hash]) -> Callable[[int, int], Hash]:
    """Answer nodes by the definition, out of all the leaves."""

    def node(level: int, index: int) -> Hash:
        covered = leaves[index << level : (index + 1) << level]
        assert len(covered) == 1 << level
        return tree_root(covered)

    return node


def lay_out(entries: Sequence[bytes]) -> dict[str, bytes]:
    """Give all tiles and bundles of a log by their paths."""
    files: dict[str, bytes] = {}
    hashes: list[Hash] = [hash_leaf(entry) for entry in entries]
    above: list[Hash] = []
    at_level = 0
    for level, index, width in new_tiles(0, len(entries)):
        if level > at_level:
            at_level, hashes, above = level, above, []
        first = index * 256
        tile = b"".join(hashes[first : first + width])
        files[tile_path(level, index, width)] = tile
        if width == 256:
            above.append(full_tile_root(tile))
        if level == 0:
            files[bundle_path(index, width)] = frame_entries(
                entries[first : first + width]
            )
    return files


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Change, drop, add or repeat bytes of a valid value; it may come out the same."""
    at = draw(st.integers(0, len(whole)))
    end = draw(st.integers(at, min(len(whole), at + 4)))
    new = draw(
        st.one_of(
            st.binary(max_size=4),
            st.sampled_from([b"\n", b"\n\n", b" ", b"+", b"=", b"0", b"\xe2\x80\x94"]),
            st.just(whole[max(0, at - 40) : end]),
        )
    )
    return whole[:at] + new + whole[end:]


def make_signer(name: str, seed: bytes) -> Signer:
    """Give a signer from a fixed seed."""
    private = Ed25519PrivateKey.from_private_bytes(seed)
    return Signer(name, private.public_key().public_bytes_raw(), private.sign)


LOG = make_signer("audit.example/hosp-a", bytes(range(32)))
WITNESS = make_signer("witness.example/w1", bytes(range(32, 64)))
