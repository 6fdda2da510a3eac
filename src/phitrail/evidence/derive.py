"""The hashes of a range of entries and the tiles over them: the hot loop of a verification.

A range is some full bundles; ranges are independent, so that processes can share them.
For each bundle: open it, hash each entry (one SHA-256), compare with the stored tile, and
hash the tile (255 nodes). What a range hands on is small: one hash for each tile, and for
each signed claim whose size lies within, the peaks of that tile up to it. Whoever puts the
ranges together can give the root at every such size (`verify`).

Where bundle and tile disagree, the level above says which of them was altered, and the
derivation goes on with the other one.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from phitrail.errors import IntegrityError
from phitrail.evidence.entries import Knowledge, check_entries
from phitrail.evidence.findings import Check, Findings
from phitrail.evidence.keyring import MARK, check_successions
from phitrail.evidence.ladder import ReadTile, WidthsOf, hash_full_tile
from phitrail.tlog.hashing import HASH_BYTES, Hash
from phitrail.tlog.key_line import KeyLine
from phitrail.tlog.merkle import RightEdge
from phitrail.tlog.tile import TILE_WIDTH, split_bundle, split_tile, tile_path, width_at

OpenBundle = Callable[[int, int], bytes]
"""(index, width) -> the bundle, opened; raises `IntegrityError` when it cannot be"""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the bytes of one log come from.

    Attributes:
        read_tile: the stored hash tiles.
        widths_of: under which widths an unfinished tile is stored.
        open_bundle: the entries; None where there are no keys, so tiles only.
        knowledge: what entries are held against; None unless the verification is deep.
        successions: every succession that the keyring knows, by its index.
    """

    read_tile: ReadTile
    widths_of: WidthsOf
    open_bundle: OpenBundle | None = None
    knowledge: Knowledge | None = None
    successions: Mapping[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claim:
    """A verified signature's word that the log had this root at this size.

    `may_acquit` is false for what lies on the log's own host: whoever rewrites the
    history there can sign and plant it, so it may contradict the log, never support it.
    """

    check: Check
    source: str
    size: int
    root: Hash
    may_acquit: bool = False

    def contradiction(self) -> str:
        """Say in words that the tree has another root."""
        where = {
            Check.OUTSIDE: "outside this host: its history was rewritten",
            Check.KEPT: "when it was signed: entries before it were altered",
        }.get(self.check, "by its signature than by its tiles")
        return f"the log had another root at size {self.size} {where}"


@dataclass(frozen=True, slots=True)
class Derived:
    """What a range came to.

    Attributes:
        tile_hashes: one hash for each full tile, end to end.
        first_leaf: the hash of the range's first entry.
        claims: each claim within the range, by size, with the peaks inside its tile.
        entries: how many entries were hashed and agreed with their tile.
    """

    tile_hashes: bytes
    first_leaf: bytes
    claims: tuple[tuple[Claim, bytes], ...]
    entries: int
    findings: Findings


def open_kept(
    rows: Iterable[tuple[int, bytes]],
    line: KeyLine,
    findings: Findings,
) -> list[Claim]:
    """Open the checkpoints that the journal keeps: (size, note) of each.

    Those of sizes at which a key was declared compromised say nothing, either way.
    """
    claims: list[Claim] = []
    for size, note in rows:
        if line.is_disowned(size):
            continue
        where = f"kept checkpoint {size}"
        try:
            checkpoint = line.open_checkpoint(note)
        except IntegrityError as error:
            findings.add(Check.KEPT, where, str(error))
            continue
        if checkpoint.size != size:
            findings.add(Check.KEPT, where, "its note speaks of another size")
            continue
        claims.append(Claim(Check.KEPT, where, size, checkpoint.root))
    return claims


def derive_range(
    log: str,
    tiles: range,
    size: int,
    source: Source,
    claims: Sequence[Claim],
) -> Derived:
    """Derive full tiles of a log of `size` entries.

    Args:
        log: the name of the log.
        tiles: indexes of full tiles, in order.
        size: the tree size, which says how wide the tiles above are.
        source: where bytes come from.
        claims: those of a size above tiles.start * 256, up to tiles.stop * 256.
    """
    findings = Findings(log)
    parent_of = _parents(source.read_tile, size)
    waiting = sorted(claims, key=lambda claim: claim.size, reverse=True)
    tile_hashes: list[bytes] = []
    placed: list[tuple[Claim, bytes]] = []
    first_leaf = b""
    entries = 0
    for index in tiles:

        def is_right(hashes: bytes, index: int = index) -> bool:
            return hash_full_tile(hashes) == parent_of(index)

        hashes, agreed = derive_tile(log, index, TILE_WIDTH, source, is_right, findings)
        within: list[Claim] = []
        while waiting and waiting[-1].size <= (index + 1) * TILE_WIDTH:
            within.append(waiting.pop())
        if hashes is None:
            tile_hashes.append(parent_of(index) or bytes(HASH_BYTES))
            continue
        if not tile_hashes:
            first_leaf = hashes[:HASH_BYTES]
        entries += agreed
        tile_hashes.append(hash_full_tile(hashes))
        if within:
            placed += place_claims(within, index, hashes)
    return Derived(b"".join(tile_hashes), first_leaf, tuple(placed), entries, findings)


def derive_tile(
    log: str,
    index: int,
    width: int,
    source: Source,
    is_right: Callable[[bytes], bool],
    findings: Findings,
) -> tuple[bytes | None, int]:
    """Derive the leaf hashes of one tile of level 0 and compare it with the stored one.

    Returns:
        The leaf hashes, end to end, or None where neither bundle nor tile gives them; and
        how many entries agreed with their tile.
    """
    tile = _stored_tile(index, width, source, findings)
    if source.open_bundle is None:
        return tile, width if tile is not None else 0
    derived = _leaf_hashes(log, index, width, source, findings)
    if derived is None or tile is None:
        return derived or tile, 0
    if derived == tile:
        return derived, width
    is_bundle_right = is_right(derived)
    is_tile_right = is_right(tile)
    if not is_tile_right:
        findings.add(
            Check.TILE, tile_path(0, index, width), "is not what its entries give"
        )
    if not is_bundle_right:
        altered = [
            index * TILE_WIDTH + at // HASH_BYTES
            for at in range(0, len(tile), HASH_BYTES)
            if derived[at : at + HASH_BYTES] != tile[at : at + HASH_BYTES]
        ]
        findings.add(
            Check.BUNDLE,
            f"entry {altered[0]}",
            f"bundle {index} does not hash to its tile: {len(altered)} of its entries "
            f"were altered, the first is {altered[0]}",
        )
    return tile if is_tile_right else derived, 0


def place_claims(
    claims: Iterable[Claim], index: int, hashes: bytes
) -> list[tuple[Claim, bytes]]:
    """Give each claim within a tile, smallest first, the peaks inside the tile up to it."""
    edge = RightEdge()
    placed: list[tuple[Claim, bytes]] = []
    for claim in claims:
        width = claim.size - index * TILE_WIDTH
        if width == TILE_WIDTH:
            placed.append((claim, b""))
            continue
        more = hashes[edge.size * HASH_BYTES : width * HASH_BYTES]
        edge.extend(split_tile(more, width - edge.size))
        placed.append((claim, edge.to_bytes()))
    return placed


def _stored_tile(
    index: int, width: int, source: Source, findings: Findings
) -> bytes | None:
    where = tile_path(0, index, width)
    try:
        tile = source.read_tile(0, index, width)
    except IntegrityError as error:
        findings.add(Check.TILE, where, str(error))
        return None
    if len(tile) != width * HASH_BYTES:
        findings.add(Check.TILE, where, "has not the length of its width")
        return None
    return tile


def _leaf_hashes(
    log: str, index: int, width: int, source: Source, findings: Findings
) -> bytes | None:
    """Open a bundle and hash its entries; check them too where the source knows more."""
    assert source.open_bundle is not None  # noqa: S101 - the caller has looked
    where = f"bundle {index}"
    try:
        bundle = source.open_bundle(index, width)
        hashes = hash_bundle(bundle, width)
    except IntegrityError as error:
        findings.add(Check.BUNDLE, where, str(error))
        return None
    if MARK in bundle:
        entries = split_bundle(bundle, width)
        check_successions(index * TILE_WIDTH, entries, source.successions, findings)
    if source.knowledge is not None:
        findings.extend(
            check_entries(
                log,
                index * TILE_WIDTH,
                split_bundle(bundle, width),
                [Hash(one) for one in hashes],
                source.knowledge,
            )
        )
    return b"".join(hashes)


def hash_bundle(bundle: bytes, width: int) -> list[bytes]:
    """Cut a bundle of `width` entries and hash each entry as a leaf, in one pass.

    A view of each entry goes to a hash that has taken the first byte of a leaf already:
    no copies of entries, and a tenth less time than a new hash for each.

    Raises:
        IntegrityError: the last entry is cut short, or the number is wrong.
    """
    begin, view = hashlib.sha256(b"\x00").copy, memoryview(bundle)
    hashes: list[bytes] = []
    at, end = 0, len(bundle)
    try:
        while at < end:
            start = at + 2
            at = start + (bundle[at] << 8 | bundle[at + 1])
            leaf = begin()
            leaf.update(view[start:at])
            hashes.append(leaf.digest())
    except IndexError:
        raise IntegrityError("ends within the length of an entry") from None
    if at != end:
        raise IntegrityError("ends within an entry")
    if len(hashes) != width:
        raise IntegrityError(f"holds {len(hashes)} entries instead of {width}")
    return hashes


def _parents(read_tile: ReadTile, size: int) -> Callable[[int], bytes | None]:
    """Answer the stored hash of a tile of level 0, out of the tile above it."""

    @lru_cache(maxsize=2)
    def level_one(index: int) -> bytes:
        try:
            return read_tile(1, index, width_at(1, index, size))
        except IntegrityError:
            return b""

    def parent_of(index: int) -> bytes | None:
        above, place = divmod(index, TILE_WIDTH)
        held = level_one(above)[place * HASH_BYTES : (place + 1) * HASH_BYTES]
        return held if len(held) == HASH_BYTES else None

    return parent_of
