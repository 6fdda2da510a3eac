"""Histories of one log in memory: checkpoints of any size, ready for an anchor."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.tlog.trees import make_signer, node_in_memory, number_entries

from phitrail.anchor.held import Submission
from phitrail.tlog.checkpoint import Checkpoint
from phitrail.tlog.hashing import Hash, hash_leaf
from phitrail.tlog.merkle import tree_root
from phitrail.tlog.note import sign_note
from phitrail.tlog.proof import consistency_proof

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
ORIGIN = "clinic.example/audit"
LOG_KEY = make_signer(ORIGIN, bytes(range(32)))


@dataclass(frozen=True, slots=True)
class History:
    """A log whose entries are numbers, from `changed` on other ones."""

    size: int = 600
    changed: int | None = None
    origin: str = ORIGIN

    @property
    def leaves(self) -> list[Hash]:
        """Give the hashes of all entries."""
        entries = number_entries(self.size)
        if self.changed is not None:
            entries[self.changed :] = [b"other"] * (self.size - self.changed)
        return [hash_leaf(entry) for entry in entries]

    def note(self, size: int) -> bytes:
        """Sign the checkpoint of a size."""
        root = tree_root(self.leaves[:size])
        signer = make_signer(self.origin, bytes(range(32)))
        return sign_note(Checkpoint(self.origin, size, root).body(), [signer])

    def submission(self, size: int, *, held_size: int = 0) -> Submission:
        """Give the checkpoint of a size as an anchor gets it."""

        def prove(old_size: int) -> Sequence[Hash]:
            leaves = self.leaves[:size]
            return consistency_proof(old_size, size, node_in_memory(leaves))

        return Submission(
            "audit",
            self.origin,
            self.note(size),
            size,
            held_size,
            make_signer(self.origin, bytes(range(32))).vkey,
            prove,
        )
