"""A stored head is gone on with only where its promise is signed and says the same."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.tlog.small_log import KEYS, entry, open_appender

from phitrail.errors import IntegrityError, StorageError
from phitrail.tlog.checkpoint import Checkpoint
from phitrail.tlog.hashing import Hash
from phitrail.tlog.head import check_head, check_moved
from phitrail.tlog.journal import Head, Journal
from phitrail.tlog.merkle import RightEdge
from phitrail.tlog.note import sign_note


@pytest.fixture
def heads(tmp_path: Path) -> list[Head]:
    """Give the heads of a log with two entries, and with three."""
    appender = open_appender(tmp_path)
    journal = Journal.open(tmp_path / "journal.db", read_only=True)
    try:
        appender.append((entry(0), entry(1), entry(0, log="quality")))
        first = journal.head("audit")
        appender.append((entry(2),))
        return [first, journal.head("audit")]
    finally:
        journal.close()
        appender.close()


def test_a_head_that_was_promised_is_taken(heads: list[Head]) -> None:
    """An honest journal must open, an empty one too."""
    for head in heads:
        check_head(head, KEYS["audit"])
    check_head(Head("audit", RightEdge(), RightEdge().root(), b""), KEYS["audit"])
    check_moved(heads[1], heads[0], KEYS["audit"])


def test_another_logs_head_is_refused(heads: list[Head]) -> None:
    """A journal of another trail in this one's place must not be gone on with."""
    with pytest.raises(IntegrityError, match="head of audit"):
        check_head(heads[0], KEYS["quality"])


def test_a_head_that_its_promise_does_not_say_is_refused(heads: list[Head]) -> None:
    """Size and root stand beside the promise, where anybody can change them."""
    first, second = heads
    wrong_root = replace(first, root=Hash(bytes(32)))
    wrong_size = replace(first, edge=second.edge)

    for wrong in (wrong_root, wrong_size, replace(first, promise=second.promise)):
        with pytest.raises(IntegrityError, match="another size or root"):
            check_head(wrong, KEYS["audit"])


def test_a_promise_that_nobody_signed_is_refused(heads: list[Head]) -> None:
    """Its text can be written by whoever can count; its signature cannot."""
    first, second = heads
    origin = KEYS["audit"].origin
    body = Checkpoint(origin, first.size, first.root).body()
    signature = second.promise.partition(b"\n\n")[2]
    by_other_key = sign_note(body, [KEYS["audit"].checkpoint])

    for promise in (body.encode() + b"\n" + signature, by_other_key, b"", b"\xff"):
        with pytest.raises(IntegrityError, match="head of audit"):
            check_head(replace(first, promise=promise), KEYS["audit"])


def test_a_head_that_went_back_is_refused(heads: list[Head]) -> None:
    """An older head is signed too; under a writer it cuts what was acknowledged."""
    with pytest.raises(IntegrityError, match="had 3 entries and has 2"):
        check_moved(heads[0], heads[1], KEYS["audit"])


def test_a_head_under_newer_keys_asks_to_be_opened_again(heads: list[Head]) -> None:
    """A succession elsewhere is no tampering; this process reads its keys anew."""
    with pytest.raises(StorageError, match="open the trail again"):
        check_moved(heads[1], heads[0], KEYS["quality"])
