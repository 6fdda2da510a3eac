"""What someone who owns the host can do to a trail: its files and its keys are his.

The tamper drill (`phitrail.demo.drill`) runs these on copies. Nothing is made easy for the
verifier: what a forger touches he seals, hashes and signs again as far as he goes, with the
trail's own keys, and he clears `state/outside/`. He works on a trail that nobody has open.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from phitrail.app import wiring
from phitrail.app.key_wiring import open_reading_ring
from phitrail.app.pins import JOURNAL, read_pins
from phitrail.durable.database import transaction
from phitrail.durable.files import DurableFiles
from phitrail.events.canonical import decode_leaf
from phitrail.events.codes import Log
from phitrail.evidence.entries import event_key
from phitrail.tlog import layout
from phitrail.tlog.checkpoint import Checkpoint
from phitrail.tlog.hashing import Hash, hash_leaf
from phitrail.tlog.journal import Head, Journal
from phitrail.tlog.log_keys import LogKeys
from phitrail.tlog.merkle import RightEdge
from phitrail.tlog.note import Signer, sign_note
from phitrail.tlog.reader import LogReader
from phitrail.tlog.tile import TILE_WIDTH, frame_entries, split_bundle, width_at
from phitrail.tlog.tile_edge import TileEdge


class Forger:
    """One log of one trail, in the hands of its host."""

    def __init__(self, directory: Path, log: Log) -> None:
        self.directory = directory
        self.log = log.value
        self._files = DurableFiles(directory)
        tenant = read_pins(directory)[log].genesis.tenant
        local = open_reading_ring(directory)
        self._keys: LogKeys = wiring.wire_log_keys(tenant, local)[self.log]

    def kept_sizes(self) -> list[int]:
        """List the sizes of the checkpoints that the journal keeps."""
        journal = self._open_journal()
        try:
            return [size for size, _ in journal.checkpoints(self.log)]
        finally:
            journal.close()

    def leaves(self) -> list[bytes]:
        """Read every entry."""
        journal = self._open_journal()
        try:
            reader = LogReader(self.log, journal, self._files, self._keys)
            return list(reader.entries(0, reader.size()))
        finally:
            journal.close()

    def bundle_of(self, index: int) -> str:
        """Name the file of the bundle that holds an entry."""
        bundle = index // TILE_WIDTH
        width = width_at(0, bundle, self.kept_sizes()[-1])
        return layout.sealed_bundle(self.log, bundle, width)

    def reseal(self, index: int, edit: Callable[[list[bytes]], None]) -> None:
        """Open the bundle that holds an entry, edit its entries, and seal it again."""
        path, bundle = self.bundle_of(index), index // TILE_WIDTH
        width = width_at(0, bundle, self.kept_sizes()[-1])
        context = layout.bundle_context(self._keys.origin, bundle, width)
        entries = split_bundle(self._keys.open(self._files.read(path), context), width)
        edit(entries)
        self._files.replace(path, self._keys.seal(frame_entries(entries), context))

    def put_checkpoint(self, body: str, signer: Signer) -> None:
        """Put a checkpoint in the place of the newest, published and kept."""
        note = sign_note(body, [signer])
        journal = self._open_journal()
        try:
            with transaction(journal.database):
                journal.database.execute(
                    "UPDATE checkpoint SET note = ? WHERE log = ? AND size = ?",
                    (note, self.log, self.kept_sizes()[-1]),
                )
        finally:
            journal.close()
        self._files.replace(layout.public_checkpoint(self.log), note)

    def rewrite(self, leaves: list[bytes]) -> None:
        """Make the whole log say `leaves`: every hash, seal and signature anew.

        Leaves may be changed in place, or cut at the end. What comes out is as
        consistent as what was there before.
        """
        hashes = [hash_leaf(leaf) for leaf in leaves]
        self._write_files(leaves, hashes)
        journal = self._open_journal()
        try:
            with transaction(journal.database):
                newest = self._write_journal(journal, leaves, hashes)
        finally:
            journal.close()
        self._files.replace(layout.public_checkpoint(self.log), newest)
        for seen in (self.directory / wiring.OUTSIDE).iterdir():
            seen.unlink()

    def _write_files(self, leaves: list[bytes], hashes: list[Hash]) -> None:
        for stored in ("public", "state/bundles"):
            shutil.rmtree(self.directory / stored / self.log / "tile")
        edge = TileEdge()
        tiles = edge.extend(hashes) | edge.partial_tiles()
        files = {layout.public_tile(self.log, *at): data for at, data in tiles.items()}
        for start in range(0, len(leaves), TILE_WIDTH):
            entries = leaves[start : start + TILE_WIDTH]
            index, width = start // TILE_WIDTH, len(entries)
            files[layout.sealed_bundle(self.log, index, width)] = self._keys.seal(
                frame_entries(entries),
                layout.bundle_context(self._keys.origin, index, width),
            )
        self._files.put_many(files)

    def _write_journal(
        self, journal: Journal, leaves: list[bytes], hashes: list[Hash]
    ) -> bytes:
        """Rewrite the journal's rows; return the newest checkpoint."""
        database, log, size = journal.database, self.log, len(leaves)
        database.execute("DELETE FROM event WHERE log = ? AND idx >= ?", (log, size))
        database.executemany(
            "UPDATE event SET leaf_hash = ? WHERE key = ?",
            [
                (leaf_hash, event_key(decode_leaf(leaf)))
                for leaf, leaf_hash in zip(leaves, hashes, strict=True)
            ],
        )
        start = size // TILE_WIDTH * TILE_WIDTH
        database.execute("DELETE FROM segment WHERE log = ?", (log,))
        if start < size:
            sealed = self._keys.seal(
                frame_entries(leaves[start:]),
                layout.segment_context(self._keys.origin, start),
            )
            database.execute(
                "INSERT INTO segment VALUES (?, ?, ?, ?)",
                (log, start, size - start, sealed),
            )
        sizes = [kept for kept, _ in journal.checkpoints(log) if kept < size]
        database.execute("DELETE FROM checkpoint WHERE log = ?", (log,))
        edge, note = RightEdge(), b""
        for kept in (*sizes, size):
            edge.extend(hashes[edge.size : kept])
            note = self._sign(edge, self._keys.checkpoint)
            journal.insert_checkpoint(log, kept, note)
        promise = self._sign(edge, self._keys.promise)
        journal.store_head(Head(log, edge, edge.root(), promise))
        return note

    def _sign(self, edge: RightEdge, signer: Signer) -> bytes:
        body = Checkpoint(self._keys.origin, edge.size, edge.root()).body()
        return sign_note(body, [signer])

    def _open_journal(self) -> Journal:
        return Journal.open(self.directory / JOURNAL)
