"""The file that carries an inclusion proof to an auditor (C2SP tlog-proof).

It has these lines, in one spelling only:

1. ``c2sp.org/tlog-proof@v1``;
2. ``extra <base64>``, where there is extra data; no signature covers it;
3. ``index <decimal>``;
4. the hashes of the proof in base64, the leaf's sibling first, 63 at most;
5. an empty line, and then the signed checkpoint, byte for byte.

Reading checks the form alone. To believe the entry, open the checkpoint with known keys
(``tlog.checkpoint``) and verify the proof against its size and root (``tlog.proof``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from phitrail.errors import IntegrityError
from phitrail.tlog.checkpoint import parse_checkpoint
from phitrail.tlog.hashing import Hash
from phitrail.tlog.note import parse_note
from phitrail.tlog.spelling import (
    parse_base64,
    parse_decimal,
    parse_hash,
    print_base64,
)

MAX_PROOF_HASHES: Final = 63

_HEADER: Final = "c2sp.org/tlog-proof@v1"
_EXTRA: Final = "extra "
_INDEX: Final = "index "


@dataclass(frozen=True, slots=True)
class InclusionProofFile:
    """The parts of a proof file; nothing in it is verified yet."""

    index: int
    proof: tuple[Hash, ...]
    checkpoint_note: bytes
    extra: bytes = b""


def print_proof(
    index: int, proof: Sequence[Hash], checkpoint_note: bytes, extra: bytes = b""
) -> bytes:
    """Write a proof file.

    Raises:
        IntegrityError: ``parse_proof`` would not take it.
    """
    lines = [_HEADER, f"{_INDEX}{index}", *map(print_base64, proof), ""]
    if extra:
        lines.insert(1, _EXTRA + print_base64(extra))
    data = "".join(f"{line}\n" for line in lines).encode() + checkpoint_note
    parse_proof(data)
    return data


def parse_proof(data: bytes) -> InclusionProofFile:
    """Read a proof file without verifying it.

    Raises:
        IntegrityError: a rule of the format is broken; the message names it.
    """
    # 1. Head and checkpoint, apart at the first empty line; the head is ASCII.
    head, gap, checkpoint_note = data.partition(b"\n\n")
    if not gap or not head.isascii():
        raise IntegrityError(
            "proof file: must have an empty line before the checkpoint"
        )
    header, *lines = head.decode("ascii").split("\n")
    if header != _HEADER:
        raise IntegrityError("proof file: must begin with its format and version")

    # 2. Extra data, if any.
    extra = b""
    if lines and lines[0].startswith(_EXTRA):
        extra = parse_base64(lines.pop(0).removeprefix(_EXTRA), field="proof extra")
        if not extra:
            raise IntegrityError("proof extra: must be left out when it is empty")

    # 3. Index.
    if not lines or not lines[0].startswith(_INDEX):
        raise IntegrityError("proof file: must have the index before the hashes")
    index = parse_decimal(lines.pop(0).removeprefix(_INDEX), field="proof index")

    # 4. Hashes.
    if len(lines) > MAX_PROOF_HASHES:
        raise IntegrityError("proof file: must have at most 63 hashes")
    proof = tuple(parse_hash(line, field="proof hash") for line in lines)

    # 5. A checkpoint that has such an entry.
    if index >= parse_checkpoint(parse_note(checkpoint_note).text).size:
        raise IntegrityError("proof index: must lie in the tree of the checkpoint")
    return InclusionProofFile(index, proof, checkpoint_note, extra)
