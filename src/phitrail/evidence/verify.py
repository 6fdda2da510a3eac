"""The offline verifier of one log: hashes and signatures alone (RFC 6962, C2SP tlog-tiles).

1. Genesis: leaf 0 is the clear copy, and it pins the keys that may speak for the log. Keys
   that followed are walked through the keyring and held against the log (`keyring`).
2. The newest checkpoint is signed by the key in force, under the log's origin.
3. Every tile is derived anew, from the entries where they can be opened, else from the
   tiles of level 0, level by level up to the root.
4. Every checkpoint that was kept is signed and a prefix: the tree has its root at its size.
   Two signed roots for one size are a fork.
5. Every checkpoint or promise from outside is signed, not larger than the log, and a prefix.
   Only what the verifying person gives supports the log; what lies on its host convicts.
6. What the journal holds beyond the newest checkpoint continues the tree to the journal's
   head, and the head's promise is signed by the promise key.
7. Deep: each entry is checked (`entries`), and the journal knows as many events as there
   are entries.

Bytes come in through callables, ranges of derived tiles in order through `take` (another
process may have derived them: `derive`). Nothing here reads a file, opens an envelope or
knows a clock. It collects what it finds and does not stop at the first.

Only step 5 sees a history that was rewritten whole, with the host's own keys: everything
else in this list can be made to agree by whoever owns the host.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from phitrail.errors import InputError, IntegrityError
from phitrail.events.codes import Log
from phitrail.evidence.continuation import Journal, check_journal
from phitrail.evidence.derive import (
    Claim,
    Derived,
    Source,
    derive_tile,
    open_kept,
    place_claims,
)
from phitrail.evidence.findings import Check, Finding, Findings
from phitrail.evidence.keyring import check_in_log, roots_of
from phitrail.evidence.ladder import TileLadder
from phitrail.tlog.checkpoint import Checkpoint
from phitrail.tlog.genesis import Pinned, read_genesis
from phitrail.tlog.hashing import HASH_BYTES, Hash, hash_leaf
from phitrail.tlog.key_line import KeyLine
from phitrail.tlog.keyring import read_line
from phitrail.tlog.merkle import RightEdge, root_of_edge
from phitrail.tlog.note import parse_note
from phitrail.tlog.tile import TILE_WIDTH, split_tile


class Mode(StrEnum):
    """How far down a verification could look."""

    ENTRIES = "entries opened"
    TILES = "tiles only"


@dataclass(frozen=True, slots=True)
class Outside:
    """A signed note that was kept outside the host, and what it is called.

    `is_given`: the verifying person brought it. Notes that lie on the log's own host are
    held against it too, and support nothing: its owner could have planted them.
    """

    source: str
    note: bytes
    is_given: bool = True


@dataclass(frozen=True, slots=True)
class LogVerdict:
    """What came of one log.

    Attributes:
        size: entries under the newest checkpoint that is signed.
        durable: entries that the journal holds; None without a readable journal.
        entries: how many of them were derived and agreed.
        kept: how many kept checkpoints were found to be prefixes.
        held_to: the size up to which something from outside agrees; None for nothing.
        held_by: what agreed, by name.
        counts: how many findings of each check; `findings` keeps the first of each.
    """

    log: Log
    origin: str
    mode: Mode
    size: int
    durable: int | None
    entries: int
    kept: int
    held_to: int | None
    held_by: tuple[str, ...]
    findings: tuple[Finding, ...]
    counts: dict[str, int]


def open_genesis(data: bytes, log: Log, findings: Findings) -> Pinned | None:
    """Read the pins out of a log's clear genesis (step 1); None where it has none."""
    try:
        return read_genesis(data, log)
    except (IntegrityError, InputError) as error:
        findings.add(
            Check.GENESIS,
            "genesis.json",
            f"{error}; nothing in this log can be believed without its keys: put the "
            "genesis back from a copy",
        )
        return None


class LogVerifier:
    """Verifies one log: made from its notes, fed with ranges, then finished."""

    def __init__(
        self,
        log: Log,
        source: Source,
        *,
        genesis: bytes,
        pinned: Pinned | None,
        line: KeyLine | None = None,
        public: bytes | None,
        journal: Journal | None,
        outside: Iterable[Outside],
        findings: Findings,
    ) -> None:
        self._log = log
        self._source = source
        self._genesis = genesis
        self._journal = journal
        self._findings = findings
        self._claims: list[Claim] = []
        self._beyond: list[Claim] = []
        self._newest: Checkpoint | None = None
        self._edge = RightEdge()  # its leaves are full tiles
        self._ladder = TileLadder(source.read_tile, source.widths_of, findings)
        self._first_leaf = b""
        self._previous: Claim | None = None
        self._is_rooted = False
        self._entries = 0
        self._kept = 0
        self._held: list[Claim] = []
        self.pinned = pinned
        self._line = line
        if pinned is not None:
            self._line = line = line or read_line(None, pinned)
            self._open_newest(line, public)
            self._open_outside(line, outside)
            self._claim_roots(line)

    @property
    def size(self) -> int:
        """Entries under the newest checkpoint that is signed."""
        return self._newest.size if self._newest is not None else 0

    @property
    def full_tiles(self) -> int:
        """How many full tiles of level 0 are to be derived and taken."""
        return self.size // TILE_WIDTH

    def claims_within(self, tiles: range) -> tuple[Claim, ...]:
        """Give the claims that the derivation of these tiles must place.

        One of size 0 is in no range: it fits every log, so it holds none.
        """
        low, high = tiles.start * TILE_WIDTH, tiles.stop * TILE_WIDTH
        return tuple(claim for claim in self._claims if low < claim.size <= high)

    @property
    def _durable(self) -> int | None:
        head = self._journal.head if self._journal is not None else None
        return head.size if head is not None else None

    # --- step 2 ---

    def _open_newest(self, line: KeyLine, public: bytes | None) -> None:
        """Take the newest signed checkpoint, of the public one and the journal's."""
        shown = self._open(line, public)
        newest = shown
        if self._journal is not None:
            newest = self._newest_of(line, self._journal, shown)
        self._newest = newest
        for opened in filter(None, {shown, newest}):
            self._claims.append(
                Claim(Check.CHECKPOINT, "checkpoint", opened.size, opened.root)
            )

    def _newest_of(
        self, line: KeyLine, journal: Journal, shown: Checkpoint | None
    ) -> Checkpoint | None:
        """Give the newest checkpoint that opens: the journal's, or the public one."""
        size = journal.newest[0][0] if journal.newest else 0
        if shown is not None and size < shown.size:
            self._findings.add(
                Check.KEPT,
                f"size {shown.size}",
                "the journal does not keep the public checkpoint: it was cut, or "
                "restored from a backup",
            )
            return shown
        opened = [shown] if shown is not None else []
        for _, note in journal.newest:
            try:
                opened.append(line.open_checkpoint(note))
                break
            except IntegrityError:
                continue  # it is found wrong among the kept ones
        return max(opened, key=lambda checkpoint: checkpoint.size, default=None)

    def _open(self, line: KeyLine, public: bytes | None) -> Checkpoint | None:
        if public is None:
            self._findings.add(
                Check.CHECKPOINT, "checkpoint", "is missing; publish to put it back"
            )
            return None
        try:
            return line.open_checkpoint(public)
        except IntegrityError as error:
            self._findings.add(Check.CHECKPOINT, "checkpoint", str(error))
            return None

    # --- step 5, the signatures ---

    def _open_outside(self, line: KeyLine, outside: Iterable[Outside]) -> None:
        for held in outside:
            try:
                seen = line.open_note(held.note)
            except IntegrityError as error:
                self._findings.add(
                    Check.OUTSIDE,
                    held.source,
                    f"{error}; either it is not this log's, or the log's keys were "
                    "replaced",
                )
                continue
            claim = Claim(
                Check.OUTSIDE, held.source, seen.size, seen.root, held.is_given
            )
            here = max(self.size, self._durable or 0)
            if seen.size > here:
                self._findings.add(
                    Check.OUTSIDE,
                    held.source,
                    f"the log had {seen.size} entries outside and has {here} here: it "
                    "was cut, or restored from a backup",
                )
            else:
                self._claim(claim)

    def _claim(self, claim: Claim) -> None:
        """Take a claim to be held against the tree, or against what continues it."""
        (self._claims if claim.size <= self.size else self._beyond).append(claim)

    def _claim_roots(self, line: KeyLine) -> None:
        """Take every root that a succession names; what is beyond the log is found."""
        here = max(self.size, self._durable or 0)
        for source, size, root in roots_of(line):
            if size <= here:
                self._claim(Claim(Check.KEYRING, source, size, root))

    # --- steps 3 to 5: the tree ---

    def take(self, derived: Derived) -> None:
        """Take the next range of full tiles; ranges must come in order."""
        at = 0
        self._findings.extend(derived.findings)
        self._entries += derived.entries
        if not self._edge.size:
            self._first_leaf = derived.first_leaf
        hashes = derived.tile_hashes
        begin = self._edge.size
        for claim, inner in derived.claims:
            upto = (claim.size // TILE_WIDTH - begin) * HASH_BYTES
            self._push(hashes[at:upto])
            at = upto
            self._check_claim(claim, inner)
        self._push(hashes[at:])

    def _push(self, tile_hashes: bytes) -> None:
        for at in range(0, len(tile_hashes), HASH_BYTES):
            tile_hash = Hash(tile_hashes[at : at + HASH_BYTES])
            self._edge.append(tile_hash)
            self._ladder.push(tile_hash)

    def _root(self, inner: bytes) -> Hash:
        peaks = split_tile(inner, len(inner) // HASH_BYTES)
        return root_of_edge((*self._edge.peaks, *peaks))

    def _leaf_edge(self) -> RightEdge:
        """Give the edge of the same tree, counted in entries instead of full tiles."""
        return RightEdge.from_bytes(self._edge.size * TILE_WIDTH, self._edge.to_bytes())

    def _check_claim(self, claim: Claim, inner: bytes) -> None:
        """Hold one signed claim against the tree as it stands derived."""
        before, self._previous = self._previous, claim
        if before and before.size == claim.size and before.root != claim.root:
            self._findings.add(
                Check.FORK,
                f"size {claim.size}",
                f"two signed roots for one size: {before.source} and {claim.source}",
            )
        if self._root(inner) != claim.root:
            self._findings.add(claim.check, claim.source, claim.contradiction())
        elif claim.may_acquit and claim.size:
            self._held.append(claim)
        elif claim.check is Check.KEPT:
            self._kept += 1
        elif claim.check is not Check.KEYRING:
            self._is_rooted = claim.size == self.size

    def finish(self, kept: Iterable[tuple[int, bytes]]) -> LogVerdict:
        """Derive the unfinished tile, close the tree, and say what came of it.

        Args:
            kept: the kept checkpoints beyond the last full tile: (size, note) of each.
        """
        if self._line is not None and self._newest is not None:
            self._finish_tree(self._line, self._newest, kept)
            if self._journal is not None:
                self._held += check_journal(
                    self._journal,
                    self._line,
                    self._newest,
                    self._leaf_edge() if self._is_rooted else None,
                    self._beyond,
                    self._findings,
                )
        findings = self._findings
        held = sorted(self._held, key=lambda claim: claim.size)
        origin = self.pinned.genesis.origin if self.pinned is not None else ""
        return LogVerdict(
            self._log,
            origin,
            Mode.TILES if self._source.open_bundle is None else Mode.ENTRIES,
            self.size,
            self._durable,
            self._entries,
            self._kept,
            held[-1].size if held else None,
            tuple(claim.source for claim in held),
            findings.kept,
            {check.value: count for check, count in findings.counts.items()},
        )

    def _finish_tree(
        self, line: KeyLine, newest: Checkpoint, kept: Iterable[tuple[int, bytes]]
    ) -> None:
        findings = self._findings
        index, width = divmod(newest.size, TILE_WIDTH)
        claims = open_kept(kept, line, findings)
        claims += [claim for claim in self._claims if claim.size > index * TILE_WIDTH]
        claims.sort(key=lambda claim: claim.size)
        if width:
            self._finish_level_0(index, width, newest, claims)
        self._ladder.finish()
        self._check_genesis()
        durable = max(newest.size, self._durable or 0)
        read_tile = self._source.read_tile
        check_in_log(line, newest.size, durable, read_tile, findings)

    def _finish_level_0(
        self, index: int, width: int, newest: Checkpoint, claims: Sequence[Claim]
    ) -> None:
        def is_right(hashes: bytes) -> bool:
            return self._root(_peaks(hashes)) == newest.root

        hashes, agreed = derive_tile(
            self._log.value, index, width, self._source, is_right, self._findings
        )
        if hashes is None:
            return
        self._entries += agreed
        if not index:
            self._first_leaf = hashes[:HASH_BYTES]
        self._ladder.compare_earlier(0, index, hashes)
        for claim, inner in place_claims(claims, index, hashes):
            self._check_claim(claim, inner)

    def _check_genesis(self) -> None:
        if self._first_leaf != hash_leaf(self._genesis):
            self._findings.add(
                Check.GENESIS,
                "entry 0",
                "leaf 0 is not the clear copy of the genesis: one of them was altered",
            )


def _peaks(hashes: bytes) -> bytes:
    edge = RightEdge()
    edge.extend(split_tile(hashes, len(hashes) // HASH_BYTES))
    return edge.to_bytes()


def origin_of_note(note: bytes) -> str:
    """Read whose checkpoint a note says it is; nothing of it is verified.

    Raises:
        IntegrityError: it is no signed note.
    """
    return parse_note(note).text.split("\n", 1)[0]
