"""A run of leaves with their hashes: what a form of export is given, one at a time."""

from dataclasses import dataclass

from phitrail.tlog.hashing import Hash


@dataclass(frozen=True, slots=True)
class LeafChunk:
    """Up to 256 leaves from index `first`, which is a multiple of 256."""

    first: int
    leaves: tuple[bytes, ...]
    hashes: tuple[Hash, ...]
