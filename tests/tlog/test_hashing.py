"""Leaf and node hashes agree with RFC 6962 and keep leaves and nodes apart."""

import pytest

from phitrail.errors import IntegrityError
from phitrail.tlog.hashing import EMPTY_ROOT, HASH_BYTES, Hash, hash_leaf, hash_node


def test_empty_leaf_matches_the_certificate_transparency_vector() -> None:
    """The value is the one that every CT log serves for an empty entry."""
    expected = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"

    assert expected == hash_leaf(b"").hex()


def test_empty_root_is_the_hash_of_nothing() -> None:
    """A new log must show the root that every witness knows for size 0."""
    expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    assert expected == EMPTY_ROOT.hex()
    assert len(EMPTY_ROOT) == HASH_BYTES


def test_a_node_is_never_the_leaf_of_its_children() -> None:
    """Without the prefix bytes a pair of hashes could pose as an entry."""
    left, right = hash_leaf(b"a"), hash_leaf(b"b")

    assert hash_leaf(left + right) != hash_node(left, right)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_child_of_another_length_is_refused(length: int) -> None:
    """A truncated hash must fail loudly, not make a shorter input."""
    odd, good = Hash(bytes(length)), hash_leaf(b"")

    with pytest.raises(IntegrityError):
        hash_node(odd, good)
    with pytest.raises(IntegrityError):
        hash_node(good, odd)
