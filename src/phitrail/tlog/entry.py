"""What goes into the appender and what comes out: entries, items, their outcome.

An item is a group of entries that stand or fall together: the parts of one event, or
events of several logs.
"""

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from phitrail.tlog.hashing import Hash
from phitrail.tlog.receipt import Position


class Entry(NamedTuple):
    """One leaf on its way: where to, its key, and the keyed hash of what was sent.

    `at` is the one index that it may get, for a leaf that speaks of the log before it;
    it stands alone in its item.
    """

    log: str
    key: bytes
    mac: bytes
    leaf: bytes
    leaf_hash: Hash
    at: int | None = None


class Sequenced(NamedTuple):
    """The durable outcome of one item: its positions, and promises that cover them."""

    positions: tuple[Position, ...]
    promises: Mapping[str, bytes]


Item: TypeAlias = tuple[Entry, ...]
