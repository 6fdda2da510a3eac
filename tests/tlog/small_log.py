"""A journal with two logs on the disk, under keys that the tests know."""

from pathlib import Path

from tests.tlog.trees import make_signer

from phitrail.events.protected import Protected
from phitrail.keys.ring import KeyRing
from phitrail.keys.sealing import Sealer
from phitrail.tlog.appender import Appender
from phitrail.tlog.entry import Entry, Item
from phitrail.tlog.hashing import hash_leaf
from phitrail.tlog.journal import MAC_BYTES, Journal
from phitrail.tlog.log_keys import LogKeys
from phitrail.tlog.receipt import promise_name

SECRETS = KeyRing.of({"seal": {1: Protected(bytes(range(32)))}})
SEALER = Sealer(SECRETS, "seal")


def log_keys(origin: str, seed: int) -> LogKeys:
    """Give the keys of one log."""
    return LogKeys(
        origin=origin,
        checkpoint=make_signer(origin, bytes([seed]) * 32),
        promise=make_signer(promise_name(origin), bytes([seed + 1]) * 32),
        seal=SEALER.seal,
        open=SEALER.open,
    )


KEYS = {"audit": log_keys("t/audit", 1), "quality": log_keys("t/quality", 3)}


def entry(number: int, *, log: str = "audit", content: int = 0, part: int = 0) -> Entry:
    """Give an entry: the same for the same arguments."""
    leaf = f"{log}-{number}-{part}-{content}".encode()
    return Entry(
        log,
        number.to_bytes(16, "big") + part.to_bytes(2, "big"),
        content.to_bytes(MAC_BYTES, "big"),
        leaf,
        hash_leaf(leaf),
    )


def entries(start: int, end: int, *, log: str = "audit") -> Item:
    """Give entries [start, end) as one item."""
    return tuple(entry(number, log=log) for number in range(start, end))


def open_appender(directory: Path) -> Appender:
    """Open an appender, making the journal when it is new."""
    journal = Journal.create(directory / "journal.db")
    return Appender(journal, directory / "append.lock", KEYS)
