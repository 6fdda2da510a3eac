"""Proofs verify for what is true, and for nothing else."""

import base64
from collections.abc import Sequence
from typing import Any

import pymerkle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tlog.trees import FEW, MANY, node_in_memory, number_entries
from tests.vectors.tlog_vectors import decode_hash, load_cases

from phitrail.errors import InputError, IntegrityError
from phitrail.tlog.hashing import EMPTY_ROOT, Hash, hash_leaf
from phitrail.tlog.merkle import tree_root
from phitrail.tlog.proof import (
    consistency_proof,
    inclusion_proof,
    root_at,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [hash_leaf(entry) for entry in number_entries(130)]
NODE = node_in_memory(LEAVES)
ROOTS = [tree_root(LEAVES[:size]) for size in range(len(LEAVES) + 1)]
SIZES = st.integers(1, len(LEAVES))


def refuses_inclusion(
    leaf: Hash, index: int, size: int, proof: Sequence[Hash], root: Hash
) -> bool:
    """Say whether the check raises ``IntegrityError``."""
    try:
        verify_inclusion(leaf=leaf, index=index, size=size, proof=proof, root=root)
    except IntegrityError:
        return True
    return False


def refuses_consistency(
    old_size: int, old_root: Hash, new_size: int, new_root: Hash, proof: Sequence[Hash]
) -> bool:
    """Say whether the check raises ``IntegrityError``."""
    try:
        verify_consistency(
            old_size=old_size,
            old_root=old_root,
            new_size=new_size,
            new_root=new_root,
            proof=proof,
        )
    except IntegrityError:
        return True
    return False


def turns(target: int, end: int, *, at_leaf: bool) -> list[str]:
    """Give the way down the tree to a leaf, or to the end of an older tree."""
    start = 0
    way: list[str] = []
    while end - start > 1 if at_leaf else end != target:
        split = start + (1 << (end - start - 1).bit_length() - 1)
        if target < split or (target == split and not at_leaf):
            end, way = split, [*way, "left"]
        else:
            start, way = split, [*way, "right"]
    return way


@st.composite
def flipped(draw: st.DrawFn, hashes: Sequence[Hash]) -> list[Hash]:
    """Flip one bit of one hash."""
    place = draw(st.integers(0, len(hashes) - 1))
    changed = bytearray(hashes[place])
    changed[draw(st.integers(0, 31))] ^= 1 << draw(st.integers(0, 7))
    return [*hashes[:place], Hash(bytes(changed)), *hashes[place + 1 :]]


@pytest.mark.parametrize(
    "case", load_cases("inclusion_cases"), ids=lambda case: str(case["_case"])
)
def test_inclusion_gives_the_verdict_of_the_vector(case: dict[str, Any]) -> None:
    """A wrong verdict either believes a forged entry or refuses a true one."""
    refused = refuses_inclusion(
        decode_hash(case["leafHash"]),
        case["leafIdx"],
        case["treeSize"],
        [decode_hash(text) for text in case["proof"] or ()],
        decode_hash(case["root"]),
    )

    assert case["wantErr"] == refused


@pytest.mark.parametrize(
    "case", load_cases("consistency_cases"), ids=lambda case: str(case["_case"])
)
def test_consistency_gives_the_verdict_of_the_vector(case: dict[str, Any]) -> None:
    """A wrong verdict hides a rewritten log; we also refuse roots of 12 bytes."""
    short_root = len(base64.b64decode(case["root1"] or "")) != 32

    refused = refuses_consistency(
        case["size1"],
        decode_hash(case["root1"]),
        case["size2"],
        decode_hash(case["root2"]),
        [decode_hash(text) for text in case["proof"] or ()],
    )

    assert (case["wantErr"] or short_root) == refused


def test_all_small_proofs_verify() -> None:
    """Each entry of each small log must be provable, and each growth of it."""
    for size in range(1, 70):
        for index in range(size):
            verify_inclusion(
                leaf=LEAVES[index],
                index=index,
                size=size,
                proof=inclusion_proof(index, size, NODE),
                root=ROOTS[size],
            )
            verify_consistency(
                old_size=index,
                old_root=ROOTS[index],
                new_size=size,
                new_root=ROOTS[size],
                proof=consistency_proof(index, size, NODE),
            )
        assert ROOTS[size] == root_at(size, NODE)


@MANY
@given(st.data())
def test_a_flipped_bit_or_another_length_refuses_inclusion(data: st.DataObject) -> None:
    """One changed bit in leaf, path or root must never pass."""
    size = data.draw(SIZES)
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, NODE)

    leaf, root, *path = data.draw(flipped([LEAVES[index], ROOTS[size], *proof]))
    assert refuses_inclusion(leaf, index, size, path, root)
    longer = [*proof, data.draw(st.sampled_from(LEAVES))]
    assert refuses_inclusion(LEAVES[index], index, size, longer, ROOTS[size])
    if proof:
        assert refuses_inclusion(LEAVES[index], index, size, proof[:-1], ROOTS[size])
        assert refuses_inclusion(LEAVES[index], index, size, proof[1:], ROOTS[size])


@MANY
@given(SIZES, SIZES, SIZES, SIZES)
def test_inclusion_refuses_another_place(a: int, b: int, c: int, d: int) -> None:
    """A proof holds for one way down the tree; an index or size off that way fails.

    The size itself is not in the root: sizes that give an index the same way cannot be
    told apart here. That is why a checkpoint signs size and root together.
    """
    index, size = min(a, b) - 1, max(a, b)
    other_index, other_size = min(c, d) - 1, max(c, d)
    proof = inclusion_proof(index, size, NODE)
    same_way = turns(index, size, at_leaf=True) == turns(
        other_index, other_size, at_leaf=True
    )

    assert same_way != refuses_inclusion(
        LEAVES[index], other_index, other_size, proof, ROOTS[size]
    )
    if index != other_index:
        assert refuses_inclusion(LEAVES[index], other_index, size, proof, ROOTS[size])


@MANY
@given(st.data())
def test_a_flipped_bit_or_another_length_refuses_consistency(
    data: st.DataObject,
) -> None:
    """One changed bit in either root or the path must never pass."""
    new = data.draw(SIZES)
    old = data.draw(st.integers(1, new))
    proof = consistency_proof(old, new, NODE)

    old_root, new_root, *path = data.draw(flipped([ROOTS[old], ROOTS[new], *proof]))
    assert refuses_consistency(old, old_root, new, new_root, path)
    longer = [*proof, data.draw(st.sampled_from(LEAVES))]
    assert refuses_consistency(old, ROOTS[old], new, ROOTS[new], longer)
    if proof:
        assert refuses_consistency(old, ROOTS[old], new, ROOTS[new], proof[:-1])
        assert refuses_consistency(old, ROOTS[old], new, ROOTS[new], proof[1:])


@MANY
@given(SIZES, SIZES, SIZES, SIZES)
def test_consistency_refuses_other_sizes(a: int, b: int, c: int, d: int) -> None:
    """A proof holds for one way to the old tree's end; sizes off that way fail."""
    old, new = sorted((a, b))
    other_old, other_new = sorted((c, d))
    proof = consistency_proof(old, new, NODE)
    same_way = turns(old, new, at_leaf=False) == turns(
        other_old, other_new, at_leaf=False
    )

    assert same_way != refuses_consistency(
        other_old, ROOTS[old], other_new, ROOTS[new], proof
    )


@FEW
@given(SIZES, SIZES)
def test_proofs_are_built_as_pymerkle_builds_them(a: int, b: int) -> None:
    """Another implementation must send the same hashes, or no verifier knows ours."""
    old, new = sorted((a, b))
    oracle = pymerkle.InmemoryTree(algorithm="sha256")
    for entry in number_entries(new):
        oracle.append_entry(entry)

    assert [NODE(0, old - 1), *inclusion_proof(old - 1, new, NODE)] == list(
        oracle.prove_inclusion(old, new).path
    )
    assert ROOTS[new] == oracle.get_root(new)


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_an_index_outside_the_tree_is_the_callers_mistake(
    index: int, size: int
) -> None:
    """No proof exists for it, and the check must say so as well."""
    with pytest.raises(InputError):
        inclusion_proof(index, size, NODE)
    assert refuses_inclusion(LEAVES[0], index, size, [], LEAVES[0])


@pytest.mark.parametrize(("old", "new"), [(-1, 3), (4, 3)])
def test_a_tree_that_shrinks_is_refused(old: int, new: int) -> None:
    """A log that lost entries must never look like one that grew."""
    with pytest.raises(InputError):
        consistency_proof(old, new, NODE)
    assert refuses_consistency(old, ROOTS[4], new, ROOTS[3], [])


def test_a_negative_size_has_no_root() -> None:
    """A size read from a damaged row must not turn into the empty root."""
    with pytest.raises(InputError):
        root_at(-1, NODE)


def test_the_empty_tree_begins_every_tree_under_its_own_root_only() -> None:
    """A witness that holds size 0 must not accept any root for it."""
    assert consistency_proof(0, 5, NODE) == ()
    assert root_at(0, NODE) == EMPTY_ROOT
    assert not refuses_consistency(0, EMPTY_ROOT, 5, ROOTS[5], [])
    assert not refuses_consistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, [])
    assert refuses_consistency(0, ROOTS[1], 5, ROOTS[5], [])
    assert refuses_consistency(0, ROOTS[1], 0, ROOTS[1], [])
    assert refuses_consistency(0, EMPTY_ROOT, 5, ROOTS[5], [ROOTS[5]])
