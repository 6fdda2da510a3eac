"""The right edge gives the roots of RFC 6962 and survives storage."""

import pymerkle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tlog.trees import FEW, MANY, number_entries
from tests.vectors.tlog_vectors import load_group

from phitrail.errors import IntegrityError
from phitrail.tlog.hashing import EMPTY_ROOT, Hash, hash_leaf
from phitrail.tlog.merkle import RightEdge, root_of_edge, tree_root

ENTRIES = st.lists(st.binary(max_size=8), max_size=80)


def test_the_tree_of_eight_has_the_roots_of_certificate_transparency() -> None:
    """These roots stand in the tests of every CT implementation."""
    known = load_group("rfc6962_tree8")
    leaves = [hash_leaf(bytes.fromhex(entry)) for entry in known["leaf_inputs"]]

    roots = [tree_root(leaves[:size]).hex() for size in range(9)]

    assert known["roots_by_size_0_to_8"] == roots


def test_a_log_of_seventy_thousand_has_the_known_roots() -> None:
    """Sizes around the powers of 256 are where tiled logs go wrong."""
    known = load_group("own_log70000")["roots"]
    leaves = [hash_leaf(entry) for entry in number_entries(70_000)]
    edge = RightEdge()

    roots = {}
    for size in map(int, known):
        edge.extend(leaves[edge.size : size])
        roots[str(size)] = edge.root().hex()

    assert known == roots
    assert known["70000"] == tree_root(leaves).hex()


@MANY
@given(ENTRIES)
def test_appending_one_by_one_gives_the_root_of_the_definition(
    entries: list[bytes],
) -> None:
    """Every prefix needs the root that a verifier computes from all the leaves."""
    leaves = [hash_leaf(entry) for entry in entries]
    edge = RightEdge()

    assert edge.root() == EMPTY_ROOT == tree_root([])
    for count, leaf in enumerate(leaves, 1):
        edge.append(leaf)

        assert edge.size == count
        assert edge.root() == tree_root(leaves[:count])


@FEW
@given(ENTRIES)
def test_roots_equal_those_of_pymerkle(entries: list[bytes]) -> None:
    """Another implementation must agree on every size, or one of us is wrong."""
    oracle = pymerkle.InmemoryTree(algorithm="sha256")
    edge = RightEdge()
    for entry in entries:
        oracle.append_entry(entry)
        edge.append(hash_leaf(entry))

        assert oracle.get_root() == edge.root()


@MANY
@given(ENTRIES, ENTRIES)
def test_extending_in_two_steps_equals_extending_in_one(
    first: list[bytes], second: list[bytes]
) -> None:
    """Batch borders must leave no trace in the root."""
    leaves = [hash_leaf(entry) for entry in first + second]
    stepwise, whole = RightEdge(), RightEdge()
    stepwise.extend(leaves[: len(first)])
    stepwise.extend(iter(leaves[len(first) :]))
    whole.extend(leaves)

    assert whole.to_bytes() == stepwise.to_bytes()
    assert whole.size == stepwise.size == len(leaves)


@MANY
@given(ENTRIES, st.binary(max_size=4))
def test_a_stored_edge_grows_as_if_never_stored(
    entries: list[bytes], following: bytes
) -> None:
    """A restart must not change one root that comes after it."""
    edge = RightEdge()
    edge.extend(map(hash_leaf, entries))
    restored = RightEdge.from_bytes(edge.size, edge.to_bytes())

    assert restored.peaks == edge.peaks
    edge.append(hash_leaf(following))
    restored.append(hash_leaf(following))

    assert restored.root() == edge.root()


@pytest.mark.parametrize(
    ("size", "length"), [(-1, 32), (0, 32), (1, 0), (3, 32), (3, 63), (3, 96)]
)
def test_an_edge_of_the_wrong_length_is_refused(size: int, length: int) -> None:
    """A torn state row must stop the log, not sign a root of its own."""
    with pytest.raises(IntegrityError):
        RightEdge.from_bytes(size, bytes(length))


def test_a_bad_leaf_changes_nothing() -> None:
    """Half a batch in the edge would fork the log at the next checkpoint."""
    edge = RightEdge()
    edge.extend([hash_leaf(b"a"), hash_leaf(b"b"), hash_leaf(b"c")])
    before = edge.to_bytes()

    with pytest.raises(IntegrityError):
        edge.extend([hash_leaf(b"d"), Hash(b"short")])
    assert (before, 3) == (edge.to_bytes(), edge.size)


def test_a_copy_grows_alone() -> None:
    """A tentative batch must not leak into the committed edge."""
    edge = RightEdge()
    edge.append(hash_leaf(b"a"))
    twin = edge.copy()
    twin.append(hash_leaf(b"b"))

    assert (edge.size, edge.root()) == (1, hash_leaf(b"a"))
    assert twin.root() == tree_root([hash_leaf(b"a"), hash_leaf(b"b")])


def test_the_root_of_an_edge_is_its_fold_from_the_right() -> None:
    """A verifier that holds only the peaks must reach the same root."""
    leaves = [hash_leaf(bytes([n])) for n in range(7)]
    edge = RightEdge()
    edge.extend(leaves)

    assert tree_root(leaves) == root_of_edge(edge.peaks)
    assert root_of_edge([]) == EMPTY_ROOT
