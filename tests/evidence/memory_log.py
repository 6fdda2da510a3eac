"""A whole log in memory, verified by nothing but what stands in `evidence`."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.tlog.trees import lay_out, make_signer, number_entries

from phitrail.errors import IntegrityError
from phitrail.events.canonical import encode_leaf
from phitrail.events.codes import Log
from phitrail.events.genesis import Genesis
from phitrail.evidence.derive import Source, derive_range, open_kept
from phitrail.evidence.findings import Findings
from phitrail.evidence.verify import LogVerdict, LogVerifier, Outside, open_genesis
from phitrail.tlog.checkpoint import Checkpoint
from phitrail.tlog.hashing import hash_leaf
from phitrail.tlog.key_line import KeyLine
from phitrail.tlog.merkle import tree_root
from phitrail.tlog.note import sign_note
from phitrail.tlog.tile import bundle_path, tile_path

ORIGIN = "clinic.example/audit"
LOG_KEY = make_signer(ORIGIN, bytes(range(32)))
PROMISE_KEY = make_signer(f"{ORIGIN}/promise", bytes(range(32, 64)))
RECOVERY_KEY = make_signer("clinic.example/recovery", bytes(range(64, 96)))
LINE = KeyLine.begin(ORIGIN, LOG_KEY.vkey, PROMISE_KEY.vkey)
GENESIS = encode_leaf(
    Genesis(
        event_id="019a7000-0000-7000-8000-000000000000",
        created_at="2026-11-21T12:00:00.000Z",
        tenant="clinic.example",
        log=Log.AUDIT,
        origin=ORIGIN,
        trail_id="019a7000-0000-7000-8000-000000000001",
        log_vkey=str(LOG_KEY.vkey),
        promise_vkey=str(PROMISE_KEY.vkey),
        recovery_vkey=str(RECOVERY_KEY.vkey),
        nonce="A" * 22,
    )
)


@dataclass
class MemoryLog:
    """Files and notes of a log of `size` entries; spoil them and verify."""

    size: int
    files: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        entries = [GENESIS, *number_entries(self.size - 1)]
        self.hashes = [hash_leaf(entry) for entry in entries]
        self.files = lay_out(entries)
        self.public = self.sign(self.size)

    def sign(self, size: int) -> bytes:
        """Sign a checkpoint of a size."""
        root = tree_root(self.hashes[:size])
        return sign_note(Checkpoint(ORIGIN, size, root).body(), [LOG_KEY])

    def source(self, *, opens: bool = True) -> Source:
        """Read from the files."""

        def read_tile(level: int, index: int, width: int) -> bytes:
            return self._read(tile_path(level, index, width))

        def open_bundle(index: int, width: int) -> bytes:
            return self._read(bundle_path(index, width))

        def widths_of(level: int, index: int) -> list[int]:
            stem = f"{tile_path(level, index)}.p/"
            return [int(path.removeprefix(stem)) for path in self.files if stem in path]

        return Source(read_tile, widths_of, open_bundle if opens else None)

    def _read(self, path: str) -> bytes:
        if path not in self.files:
            raise IntegrityError("is missing")
        return self.files[path]

    def verify(
        self,
        *,
        kept: Iterable[int] = (),
        outside: Iterable[bytes] = (),
        opens: bool = True,
        step: int = 2,
    ) -> LogVerdict:
        """Verify as a caller does: ranges of `step` tiles in order, then the rest."""
        findings, source = Findings("audit"), self.source(opens=opens)
        verifier = LogVerifier(
            Log.AUDIT,
            source,
            genesis=GENESIS,
            pinned=open_genesis(GENESIS, Log.AUDIT, findings),
            public=self.public,
            journal=None,
            outside=[Outside("usb", note) for note in outside],
            findings=findings,
        )
        notes = [(size, self.sign(size)) for size in kept]
        full = verifier.full_tiles
        for start in range(0, full, step):
            tiles = range(start, min(start + step, full))
            rows = [
                row for row in notes if tiles.start * 256 < row[0] <= tiles.stop * 256
            ]
            claims = open_kept(rows, LINE, findings)
            claims += verifier.claims_within(tiles)
            verifier.take(derive_range("audit", tiles, verifier.size, source, claims))
        return verifier.finish(row for row in notes if row[0] > full * 256)
