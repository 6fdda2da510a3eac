"""The root of a growing tree, held as its right edge (RFC 6962 section 2.1).

A tree of n leaves is a row of complete subtrees, one for each bit that is set in n,
the largest first. Their roots are the *right edge*: all that is needed to append and to
compute the root, so a log of any size costs at most 64 hashes of memory.

1. Appending pushes a subtree of one leaf and joins neighbours while they are equal.
2. The root folds the edge from the right; no leaves give SHA-256 of nothing.
3. ``extend`` is all or nothing: a leaf hash of a wrong length changes no edge.

``tree_root`` is the definition of the RFC, slow and recursive, kept as the reference
that the edge is tested against. Hashes are joined inline here: one call for each leaf
would double the cost of the append path.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Self

from phitrail.errors import IntegrityError
from phitrail.tlog.hashing import EMPTY_ROOT, HASH_BYTES, Hash, hash_node


class RightEdge:
    """The mutable right edge of one growing tree; not safe to share among threads."""

    __slots__ = ("_peaks", "_size")

    def __init__(self) -> None:
        self._size = 0
        self._peaks: list[bytes] = []

    @property
    def size(self) -> int:
        """How many leaves the tree holds."""
        return self._size

    @property
    def peaks(self) -> tuple[Hash, ...]:
        """The roots of the complete subtrees, the largest first."""
        return tuple(map(Hash, self._peaks))

    def append(self, leaf_hash: Hash) -> None:
        """Add one leaf.

        Raises:
            IntegrityError: the hash is not 32 bytes long; the edge is unchanged.
        """
        self.extend((leaf_hash,))

    def extend(self, leaf_hashes: Iterable[Hash]) -> None:
        """Add leaves in order, all or none of them.

        Raises:
            IntegrityError: a hash is not 32 bytes long; the edge is unchanged.
        """
        sha256 = hashlib.sha256
        size = self._size
        peaks = self._peaks.copy()
        pop, push = peaks.pop, peaks.append
        node: bytes
        for node in leaf_hashes:
            if len(node) != HASH_BYTES:
                raise IntegrityError("a leaf hash must be 32 bytes long")
            carry = size
            while carry & 1:
                node = sha256(b"\x01" + pop() + node).digest()  # noqa: PLW2901 - the leaf grows into its subtree
                carry >>= 1
            push(node)
            size += 1
        self._size = size
        self._peaks = peaks

    def root(self) -> Hash:
        """Give the root of the tree as it stands."""
        return root_of_edge(self.peaks)

    def to_bytes(self) -> bytes:
        """Give the edge as its hashes end to end, the largest subtree first."""
        return b"".join(self._peaks)

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> Self:
        """Rebuild the edge of a tree of ``size`` leaves from ``to_bytes``.

        Raises:
            IntegrityError: the size is negative or the data is not one hash for
                each bit set in it.
        """
        if size < 0 or len(data) != size.bit_count() * HASH_BYTES:
            raise IntegrityError("a right edge must hold one hash for each subtree")
        edge = cls()
        edge._size = size
        edge._peaks = [
            bytes(data[at : at + HASH_BYTES]) for at in range(0, len(data), HASH_BYTES)
        ]
        return edge

    def copy(self) -> Self:
        """Give an edge that grows on its own from here."""
        return self.from_bytes(self._size, self.to_bytes())


def root_of_edge(peaks: Sequence[Hash]) -> Hash:
    """Fold the roots of the complete subtrees, the largest first, into the tree's root.

    Raises:
        IntegrityError: of several peaks one is not 32 bytes long.
    """
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = hash_node(peak, root)
    return root


def tree_root(leaf_hashes: Sequence[Hash]) -> Hash:
    """Compute MTH of RFC 6962 section 2.1 as it is written there."""
    if not leaf_hashes:
        return EMPTY_ROOT
    if len(leaf_hashes) == 1:
        return leaf_hashes[0]
    split = 1 << (len(leaf_hashes) - 1).bit_length() - 1
    return hash_node(tree_root(leaf_hashes[:split]), tree_root(leaf_hashes[split:]))
