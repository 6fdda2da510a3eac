"""A trail with as many audit entries as wanted, laid out without the door.

Bundles are sealed, tiles, head and checkpoint are those that the publisher would have made,
so that reading, rebuilding and proving go the real way. The same leaves stand beside it as
plain JSON lines, for the yardsticks.
"""

import multiprocessing
import shutil
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from bench.clinic_leaves import leaves
from phitrail.app.config import read_tenant
from phitrail.app.founding import found_trail
from phitrail.app.key_wiring import KEYS
from phitrail.app.pins import JOURNAL
from phitrail.app.wiring import wire_log_keys
from phitrail.durable.database import transaction
from phitrail.keys.ring import KeyRing
from phitrail.tlog import layout
from phitrail.tlog.checkpoint import Checkpoint
from phitrail.tlog.hashing import Hash, hash_leaf
from phitrail.tlog.journal import Head, Journal
from phitrail.tlog.log_keys import LogKeys
from phitrail.tlog.merkle import RightEdge
from phitrail.tlog.note import sign_note
from phitrail.tlog.tile import TILE_WIDTH, frame_entries, full_tile_root, split_tile

LOG = "audit"
NOW = datetime(2027, 1, 1, tzinfo=UTC)
BUNDLES_A_TASK = 512


def audit_keys(directory: Path) -> LogKeys:
    """Read the keys of the audit log."""
    tenant = read_tenant(directory).tenant
    return wire_log_keys(tenant, KeyRing.load(directory / KEYS))[LOG]


def make_trail(directory: Path, entries: int) -> Path:
    """Found a trail and give its audit log `entries` entries (a multiple of 256).

    Returns:
        The same entries as JSON lines.
    """
    found_trail(directory, "bench.example", NOW)
    count = entries // TILE_WIDTH
    parts = [
        (directory, first, min(first + BUNDLES_A_TASK, count), entries)
        for first in range(0, count, BUNDLES_A_TASK)
    ]
    lines = directory.with_suffix(".jsonl")
    with (
        ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool,
        lines.open("wb") as file,
    ):
        # By file: what came through the pool would stay in this process, whose memory
        # is measured next.
        for place in pool.map(_write_bundles, parts):
            with place.open("rb") as part:
                shutil.copyfileobj(part, file)
            place.unlink()
        pool.submit(_write_head, directory, entries).result()
    return lines


def _write_bundles(part: tuple[Path, int, int, int]) -> Path:
    directory, first, end, of = part
    keys = audit_keys(directory)
    genesis = (directory / layout.public_genesis(LOG)).read_bytes()
    start = first * TILE_WIDTH
    whole = list(leaves(max(start - 1, 0), end * TILE_WIDTH - 1, of))
    if start == 0:
        whole.insert(0, genesis)
    for index in range(first, end):
        at = (index - first) * TILE_WIDTH
        entries = whole[at : at + TILE_WIDTH]
        context = layout.bundle_context(keys.origin, index, TILE_WIDTH)
        _write(
            directory / layout.sealed_bundle(LOG, index),
            keys.seal(frame_entries(entries), context),
        )
        tile = b"".join(map(hash_leaf, entries))
        _write(directory / layout.public_tile(LOG, 0, index), tile)
    lines = directory / f"lines-{first}"
    lines.write_bytes(b"\n".join(whole) + b"\n")
    return lines


def _write_head(directory: Path, size: int) -> None:
    keys = audit_keys(directory)
    edge = RightEdge()
    hashes: list[Hash] = []
    for index in range(size // TILE_WIDTH):
        tile = (directory / layout.public_tile(LOG, 0, index)).read_bytes()
        edge.extend(split_tile(tile, TILE_WIDTH))
        hashes.append(full_tile_root(tile))
    level = 1
    while hashes:
        above = []
        for at in range(0, len(hashes), TILE_WIDTH):
            part = hashes[at : at + TILE_WIDTH]
            place = layout.public_tile(LOG, level, at // TILE_WIDTH, len(part))
            _write(directory / place, b"".join(part))
            if len(part) == TILE_WIDTH:
                above.append(full_tile_root(b"".join(part)))
        hashes, level = above, level + 1
    root = edge.root()
    body = Checkpoint(keys.origin, size, root).body()
    note = sign_note(body, [keys.checkpoint])
    journal = Journal.open(directory / JOURNAL)
    with transaction(journal.database):
        journal.store_head(Head(LOG, edge, root, sign_note(body, [keys.promise])))
        journal.insert_checkpoint(LOG, size, note)
        journal.drop_segments(LOG, size)
    journal.close()
    _write(directory / layout.public_checkpoint(LOG), note)


def _write(place: Path, data: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
