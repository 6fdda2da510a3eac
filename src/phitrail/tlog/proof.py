"""Inclusion and consistency proofs: checked, and built (RFC 6962 section 2.1).

The checks follow RFC 9162 sections 2.1.3.2 and 2.1.4.2 step by step and are stricter in
one thing: every hash must be 32 bytes, so that no short value can pass as a root. They
return nothing and raise ``IntegrityError``; a dropped result cannot hide a failure.

The builders ask ``node(level, index)`` for the root of the complete subtree that covers
the leaves index * 2**level up to (index + 1) * 2**level, and for nothing else. Where
nodes come from (memory, tiles) is the caller's business, and so is their truth: a proof
that was built from wrong nodes does not verify.
"""

from collections.abc import Callable, Sequence

from phitrail.errors import InputError, IntegrityError
from phitrail.tlog.hashing import EMPTY_ROOT, HASH_BYTES, Hash, hash_node
from phitrail.tlog.merkle import root_of_edge


def verify_inclusion(
    *, leaf: Hash, index: int, size: int, proof: Sequence[Hash], root: Hash
) -> None:
    """Check that ``leaf`` is entry ``index`` of the tree of ``size`` under ``root``.

    Raises:
        IntegrityError: it is not, or the proof has not exactly the needed hashes.
    """
    # 1. The index lies in the tree, and all hashes have the length of a hash.
    if not 0 <= index < size:
        raise IntegrityError("inclusion: the index does not lie in the tree")
    _require_hashes("inclusion", leaf, root, *proof)

    # 2. Walk from the leaf to the root, with index and last index of each level.
    fn, sn, computed = index, size - 1, leaf
    for sibling in proof:
        if sn == 0:
            raise IntegrityError("inclusion: the proof goes on above the root")
        if fn & 1 or fn == sn:
            computed = hash_node(sibling, computed)
            fn, sn = _skip_lone_levels(fn, sn)
        else:
            computed = hash_node(computed, sibling)
        fn, sn = fn >> 1, sn >> 1

    # 3. The walk ended at the root, and it is the root that was claimed.
    if sn != 0:
        raise IntegrityError("inclusion: the proof ends below the root")
    if computed != root:
        raise IntegrityError("inclusion: the proof leads to another root")


def verify_consistency(  # noqa: C901, PLR0912 - one check, its steps numbered
    *,
    old_size: int,
    old_root: Hash,
    new_size: int,
    new_root: Hash,
    proof: Sequence[Hash],
) -> None:
    """Check that the tree under ``new_root`` begins with the whole old tree.

    Raises:
        IntegrityError: it does not, or the proof has not exactly the needed hashes.
    """
    # 1. The sizes are in order, and all hashes have the length of a hash.
    if not 0 <= old_size <= new_size:
        raise IntegrityError("consistency: the new tree is smaller than the old one")
    _require_hashes("consistency", old_root, new_root, *proof)

    # 2. Where nothing is to be shown, nothing may be said.
    if old_size in (0, new_size):
        if proof:
            raise IntegrityError("consistency: a proof where none is needed")
        if old_size == 0 and old_root != EMPTY_ROOT:
            raise IntegrityError("consistency: an empty tree has another root")
        if old_size == new_size and old_root != new_root:
            raise IntegrityError("consistency: one size with two roots")
        return

    # 3. An old tree that is one complete subtree starts the walk itself.
    complete = old_size.bit_count() == 1
    path = (old_root, *proof) if complete else tuple(proof)
    if not proof:
        raise IntegrityError("consistency: the proof is empty")

    # 4. Walk from the last complete subtree of the old tree to both roots.
    fn, sn = old_size - 1, new_size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    old_computed = new_computed = path[0]
    for sibling in path[1:]:
        if sn == 0:
            raise IntegrityError("consistency: the proof goes on above the root")
        if fn & 1 or fn == sn:
            old_computed = hash_node(sibling, old_computed)
            new_computed = hash_node(sibling, new_computed)
            fn, sn = _skip_lone_levels(fn, sn)
        else:
            new_computed = hash_node(new_computed, sibling)
        fn, sn = fn >> 1, sn >> 1

    # 5. The walk ended at the root, and both roots are those that were claimed.
    if sn != 0:
        raise IntegrityError("consistency: the proof ends below the root")
    if old_computed != old_root:
        raise IntegrityError("consistency: the proof leads to another old root")
    if new_computed != new_root:
        raise IntegrityError("consistency: the proof leads to another new root")


def inclusion_proof(
    index: int, size: int, node: Callable[[int, int], Hash]
) -> tuple[Hash, ...]:
    """Build PATH(index, D[size]): the siblings from the leaf up.

    Raises:
        InputError: the index does not lie in the tree.
    """
    if not 0 <= index < size:
        raise InputError.for_field("index", "must lie in the tree")
    path: list[Hash] = []
    start, end = 0, size
    while end - start > 1:
        split = start + _split(end - start)
        if index < split:
            path.append(_range_root(split, end, node))
            end = split
        else:
            path.append(_range_root(start, split, node))
            start = split
    return tuple(reversed(path))


def consistency_proof(
    old_size: int, new_size: int, node: Callable[[int, int], Hash]
) -> tuple[Hash, ...]:
    """Build PROOF(old_size, D[new_size]); it is empty for equal sizes and for size 0.

    Raises:
        InputError: the sizes are not in order.
    """
    if not 0 <= old_size <= new_size:
        raise InputError.for_field("old_size", "must be at most the new size")
    if old_size == 0:
        return ()
    path: list[Hash] = []
    start, end = 0, new_size
    while end != old_size:
        split = start + _split(end - start)
        if old_size <= split:
            path.append(_range_root(split, end, node))
            end = split
        else:
            path.append(_range_root(start, split, node))
            start = split
    if (
        start
    ):  # a verifier that holds the old root knows this subtree only if start is 0
        path.append(_range_root(start, end, node))
    return tuple(reversed(path))


def root_at(size: int, node: Callable[[int, int], Hash]) -> Hash:
    """Compute the root of the first ``size`` leaves.

    Raises:
        InputError: the size is negative.
    """
    if size < 0:
        raise InputError.for_field("size", "must not be negative")
    return _range_root(0, size, node)


def _require_hashes(proof_kind: str, *hashes: Hash) -> None:
    if any(len(value) != HASH_BYTES for value in hashes):
        raise IntegrityError(f"{proof_kind}: a hash is not 32 bytes long")


def _skip_lone_levels(fn: int, sn: int) -> tuple[int, int]:
    """Climb the levels on which the last node has no sibling and moves up unchanged."""
    while fn and not fn & 1:
        fn, sn = fn >> 1, sn >> 1
    return fn, sn


def _split(count: int) -> int:
    """Give the largest power of two below ``count``, which is at least 2."""
    return 1 << (count - 1).bit_length() - 1


def _range_root(start: int, end: int, node: Callable[[int, int], Hash]) -> Hash:
    """Give MTH of the leaves start to end; the tree is cut at start (RFC 6962)."""
    peaks: list[Hash] = []
    while start < end:
        level = (end - start).bit_length() - 1
        peaks.append(node(level, start >> level))
        start += 1 << level
    return root_of_edge(peaks)
