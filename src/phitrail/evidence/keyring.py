"""The keyring against its log: every succession in both, and nothing else (ADR 0007).

1. Each succession of the keyring is the entry of its index: its hash stands in the tile.
   An entry that the log does not have was added to the keyring, or cut from the log.
2. Each succession entry in the log is one of the keyring's. One that is not was forged by
   somebody without the recovery key, or the keyring is an older one. This takes opened
   entries; without keys, an older keyring shows in the newest checkpoint, whose key it
   does not know.
3. The log had the roots that each succession names: of the head that it ends, and of the
   last one that is trusted.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from phitrail.errors import IntegrityError
from phitrail.events.canonical import decode_leaf
from phitrail.events.succession import Succession
from phitrail.evidence.findings import Check, Findings
from phitrail.evidence.ladder import ReadTile
from phitrail.tlog.genesis import Pinned
from phitrail.tlog.hashing import HASH_BYTES, Hash, hash_leaf
from phitrail.tlog.key_line import KeyLine
from phitrail.tlog.keyring import read_line
from phitrail.tlog.tile import TILE_WIDTH, width_at

MARK: Final = b'"schema":"phitrail/succession/v1"'
"""Stands in the canonical bytes of a succession and of no other entry."""
_NOT_THERE: Final = (
    "is not the succession that the keyring has there: one of them was altered, or "
    "the entry was cut"
)


def open_line(data: bytes | None, pinned: Pinned, findings: Findings) -> KeyLine:
    """Walk from genesis through the keyring; where it does not verify, genesis stands."""
    try:
        return read_line(data, pinned)
    except IntegrityError as error:
        findings.add(
            Check.KEYRING,
            "keyring.json",
            f"{error}; only the keys that genesis pins are believed: put the keyring "
            "back from a copy",
        )
        return read_line(None, pinned)


def successions_of(line: KeyLine) -> dict[int, bytes]:
    """List the entries that a line came about by, by their index."""
    return {one.first - 1: one.leaf for one in line.tenures if one.leaf}


def check_successions(
    first: int,
    entries: Sequence[bytes],
    known: Mapping[int, bytes],
    findings: Findings,
) -> None:
    """Hold the entries from index `first` on against the successions that are known."""
    for index, entry in enumerate(entries, start=first):
        if known.get(index, entry) != entry:
            findings.add(Check.KEYRING, f"entry {index}", _NOT_THERE)
        elif MARK in entry and index not in known:
            findings.add(
                Check.KEYRING,
                f"entry {index}",
                "is a succession of signing keys that keyring.json does not have: it "
                "was forged without the recovery key, or the keyring is an older one",
            )


def roots_of(line: KeyLine) -> Iterator[tuple[str, int, Hash]]:
    """Give each root that a succession says the log had: whose word, size, root."""
    for index, leaf in successions_of(line).items():
        record = decode_leaf(leaf)
        if isinstance(record, Succession):
            where = f"succession {index}"
            for size, root in {
                (record.trusted_size, record.trusted_root),
                (record.head_size, record.head_root),
            }:
                yield where, size, Hash(bytes.fromhex(root))


def check_in_log(
    line: KeyLine,
    size: int,
    durable: int,
    read_tile: ReadTile,
    findings: Findings,
) -> None:
    """Check that a log holds each succession at its index.

    Args:
        line: what the keyring leads to.
        size: how many entries the tiles stand for.
        durable: how many the log has in all; the rest is not in tiles yet.
        read_tile: the tiles, which were derived already.
        findings: where to write down what is wrong.
    """
    for index, leaf in successions_of(line).items():
        if index >= durable:
            findings.add(
                Check.KEYRING,
                f"entry {index}",
                f"the keyring knows a succession there, and the log has {durable} "
                "entries: it was cut, or restored from a backup",
            )
        elif index < size and _tile_hash(index, size, read_tile) != hash_leaf(leaf):
            findings.add(Check.KEYRING, f"entry {index}", _NOT_THERE)


def _tile_hash(index: int, size: int, read_tile: ReadTile) -> bytes:
    tile, place = divmod(index, TILE_WIDTH)
    try:
        hashes = read_tile(0, tile, width_at(0, tile, size))
    except IntegrityError:
        return b""  # the tile itself is a finding
    return hashes[place * HASH_BYTES : (place + 1) * HASH_BYTES]
