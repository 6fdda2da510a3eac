"""The hot loop agrees with the plain definitions, and refuses what they refuse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tlog.trees import FEW, MANY, damaged

from phitrail.errors import IntegrityError
from phitrail.evidence.derive import hash_bundle
from phitrail.evidence.ladder import hash_full_tile
from phitrail.tlog.hashing import hash_leaf
from phitrail.tlog.merkle import tree_root
from phitrail.tlog.tile import frame_entries, split_bundle


@given(entries=st.lists(st.binary(max_size=300), max_size=256))
@FEW
def test_a_bundle_hashes_to_the_leaf_hashes_of_its_entries(
    entries: list[bytes],
) -> None:
    """One pass over the bytes must say what cutting and hashing says."""
    hashes = hash_bundle(frame_entries(entries), len(entries))

    assert hashes == [hash_leaf(entry) for entry in entries]


@given(data=st.data())
@MANY
def test_a_damaged_bundle_is_taken_only_where_cutting_takes_it(
    data: st.DataObject,
) -> None:
    """The fast way must not admit a bundle that the careful way refuses."""
    whole = frame_entries([b"a", b"", b"ccc"])
    bundle = data.draw(damaged(whole))
    try:
        entries = split_bundle(bundle, 3)
    except IntegrityError:
        with pytest.raises(IntegrityError):
            hash_bundle(bundle, 3)
    else:
        assert hash_bundle(bundle, 3) == [hash_leaf(entry) for entry in entries]


@pytest.mark.parametrize(
    ("bundle", "width", "message"),
    [
        (b"\x00", 1, "length of an entry"),
        (b"\x00\x02x", 1, "within an entry"),
        (b"\x00\x01x", 2, "1 entries instead of 2"),
    ],
)
def test_a_wrong_bundle_says_what_is_wrong(
    bundle: bytes, width: int, message: str
) -> None:
    """The finding that a person reads is made of this sentence."""
    with pytest.raises(IntegrityError, match=message):
        hash_bundle(bundle, width)


@given(seed=st.binary(max_size=8))
@FEW
def test_a_full_tile_hashes_to_the_root_of_its_leaves(seed: bytes) -> None:
    """The tile's hash is the definition of RFC 6962 over 256 leaves."""
    leaves = [hash_leaf(seed + bytes([number])) for number in range(256)]

    assert hash_full_tile(b"".join(leaves)) == tree_root(leaves)
