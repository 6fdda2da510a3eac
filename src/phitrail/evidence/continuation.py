"""From the newest checkpoint to the journal's head: entries that are not published yet.

An acknowledged entry is in the journal before it is in a tile. The journal's head says how
many there are, and the promise that every caller was given says the same under a key of
its own. So the derived tree, extended by the journal's entries, must have the head's root,
and on its way the root of every promise from outside that reaches beyond what is published.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from phitrail.errors import IntegrityError
from phitrail.evidence.derive import Claim
from phitrail.evidence.findings import Check, Findings
from phitrail.tlog.checkpoint import Checkpoint
from phitrail.tlog.hashing import HASH_BYTES, Hash
from phitrail.tlog.key_line import KeyLine
from phitrail.tlog.merkle import RightEdge
from phitrail.tlog.tile import TILE_WIDTH, split_tile


@dataclass(frozen=True, slots=True)
class JournalHead:
    """How many entries the journal has indexed, their root, and its signed promise."""

    size: int
    root: Hash
    promise: bytes


@dataclass(frozen=True, slots=True)
class Journal:
    """What the journal says at one moment.

    Attributes:
        newest: some of the newest checkpoints it keeps, the newest first: size and note.
        head: None where its rows contradict each other.
        tail: leaf hashes, end to end, from the last full bundle under the
            newest checkpoint on, up to
            the head; None where they could not be opened.
        events: how many rows its table of events has; None unless deep.
    """

    newest: tuple[tuple[int, bytes], ...]
    head: JournalHead | None
    tail: bytes | None = None
    events: int | None = None


def check_journal(
    journal: Journal,
    line: KeyLine,
    newest: Checkpoint,
    edge: RightEdge | None,
    beyond: Iterable[Claim],
    findings: Findings,
) -> list[Claim]:
    """Check the journal against a log whose tree is derived.

    Args:
        journal: what it says.
        line: the keys of the log.
        newest: the newest checkpoint.
        edge: the derived tree up to the last full bundle under it, which grows here; None
            where that tree is found wrong, so that nothing can continue it.
        beyond: claims from outside that reach beyond it.
        findings: where to write down what is wrong.

    Returns:
        Those claims from outside that the journal's entries agree with.
    """
    head = journal.head
    if head is None:
        return []
    _check_head(line, newest, head, findings)
    if journal.events is not None and journal.events != head.size:
        findings.add(
            Check.EVENT,
            "table of events",
            f"has {journal.events} rows for {head.size} entries",
        )
    if edge is None or journal.tail is None or head.size < newest.size:
        return []
    return _continue_tree(edge, newest, head, journal.tail, beyond, findings)


def _check_head(
    line: KeyLine, newest: Checkpoint, head: JournalHead, findings: Findings
) -> None:
    where = f"head {head.size}"
    if head.size < newest.size:
        findings.add(
            Check.HEAD,
            where,
            f"the journal has {head.size} entries, {newest.size} were published: it "
            "was cut, or restored from a backup",
        )
    if head.size == newest.size and head.root != newest.root:
        findings.add(
            Check.HEAD, where, "has another root than the checkpoint of its size"
        )
    try:
        promised = line.open_promise(head.promise)
    except IntegrityError as error:
        findings.add(Check.PROMISE, where, str(error))
        return
    if (promised.size, promised.root) != (head.size, head.root):
        findings.add(Check.HEAD, where, "is not what was promised")


def _continue_tree(
    edge: RightEdge,
    newest: Checkpoint,
    head: JournalHead,
    tail: bytes,
    beyond: Iterable[Claim],
    findings: Findings,
) -> list[Claim]:
    """Extend the derived tree by the journal's entries, up to its head."""
    start = newest.size // TILE_WIDTH * TILE_WIDTH
    if len(tail) != (head.size - start) * HASH_BYTES:
        return []  # it begins elsewhere, at a kept checkpoint that was found wrong
    leaves = split_tile(tail, head.size - start)
    edge.extend(leaves[: newest.size - start])
    if edge.root() != newest.root:
        findings.add(
            Check.JOURNAL,
            f"entries {start} to {newest.size - 1}",
            "the journal's entries are not those that were published",
        )
    held: list[Claim] = []
    for claim in sorted(beyond, key=lambda claim: claim.size):
        edge.extend(leaves[edge.size - start : claim.size - start])
        if edge.root() != claim.root:
            findings.add(claim.check, claim.source, claim.contradiction())
        elif claim.may_acquit:
            held.append(claim)
    edge.extend(leaves[edge.size - start :])
    if edge.root() != head.root:
        findings.add(
            Check.JOURNAL,
            f"entries {newest.size} to {head.size - 1}",
            "the journal's entries do not lead to its head",
        )
    return held
