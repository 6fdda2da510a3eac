"""Leaf and node hashes agree with RFC 6962 and keep leaves and nodes apart."""

import pytest
from tests.vectors.tlog_vectors import load_group

from phitrail.errors import IntegrityError
from phitrail.tlog.hashing import (
    EMPTY_ROOT,
    HASH_BYTES,
    Hash,
    hash_leaf,
    hash_leaves,
    hash_node,
)


def test_hashes_match_the_vectors_of_certificate_transparency() -> None:
    """These values every CT log serves; another one would make us an island."""
    known = load_group("rfc6962_hashing")

    assert known["empty_root"] == EMPTY_ROOT.hex()
    assert known["leaf_hash_of_empty"] == hash_leaf(b"").hex()
    assert known["leaf_hash_of_ascii_L123456"] == hash_leaf(b"L123456").hex()
    assert len(EMPTY_ROOT) == HASH_BYTES


def test_many_entries_hash_as_one_at_a_time() -> None:
    """A bundle whose hashes were not those of its entries would never fit its tile."""
    entries = [b"", b"L123456", bytes(300), b"\x00" * 4_000, b"L123456"]

    assert hash_leaves(iter(entries)) == [hash_leaf(entry) for entry in entries]
    assert hash_leaves(()) == []


def test_the_unchecked_node_vector_is_refused_for_its_short_children() -> None:
    """RFC 6962 code hashes children of any length; ours are always 32 bytes."""
    with pytest.raises(IntegrityError):
        hash_node(Hash(b"N123"), Hash(b"N456"))


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
