"""A log as chained JSON lines, for the per-entry verifiers that are commonly published.

1. A line holds the leaf's fields, `log_index`, `prev_hash` and `log_hash`.
2. `log_hash` is the SHA-256, in hex, of
   `json.dumps({every other field, prev_hash included}, sort_keys=True).encode()`.
3. The first `prev_hash` is 64 zeros, each later one the `log_hash` before it.

The chain is for those readers only: whoever holds the file can make it anew. What proves
the entries is the checkpoint beside it.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import BinaryIO

from phitrail.app.leaf_chunk import LeafChunk

FIRST_PREV_HASH = "0" * 64


def write_chained(file: BinaryIO, chunks: Iterable[LeafChunk]) -> None:
    """Write a log as chained lines.

    Raises:
        OSError: the file cannot be written.
    """
    prev_hash = FIRST_PREV_HASH
    for chunk in chunks:
        for index, leaf in enumerate(chunk.leaves, start=chunk.first):
            line = {**json.loads(leaf), "log_index": index, "prev_hash": prev_hash}
            hashed = json.dumps(line, sort_keys=True).encode()
            prev_hash = hashlib.sha256(hashed).hexdigest()
            line["log_hash"] = prev_hash
            file.write(json.dumps(line, sort_keys=True).encode() + b"\n")
