"""A receipt is read and checked without a log, and takes no key for another."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from tests.tlog.small_log import KEYS
from tests.tlog.trees import damaged

from phitrail.errors import InputError, IntegrityError, StorageError
from phitrail.tlog.checkpoint import Checkpoint, open_checkpoint
from phitrail.tlog.hashing import Hash
from phitrail.tlog.note import parse_note, print_note, sign_note
from phitrail.tlog.promised import BrokenPromise, parse_receipt_file
from phitrail.tlog.receipt import Position, Receipt, check_receipt, promise_name

AUDIT = KEYS["audit"]
ROOT = Hash(bytes([7]) * 32)
BODY = Checkpoint("t/audit", 5, ROOT).body()
PROMISE = sign_note(BODY, [AUDIT.promise])
CHECKPOINT = sign_note(BODY, [AUDIT.checkpoint])
RECEIPT = Receipt(
    "01989d2f-0000-7000-8000-000000000000",
    (Position("audit", 4, Hash(bytes(32))),),
    {"audit": PROMISE},
)
PROMISE_KEYS = {"audit": AUDIT.promise.vkey}


def relabelled(note: bytes, name: str, key_id: bytes) -> bytes:
    """Give a note's signature another key's name and id."""
    parsed = parse_note(note)
    (signature,) = parsed.signatures
    other = replace(signature, name=name, key_id=key_id)
    return print_note(replace(parsed, signatures=(other,)))


def test_a_receipt_reads_back_from_json() -> None:
    """Clients keep receipts for years; what comes back must be what was given."""
    assert Receipt.from_json(RECEIPT.to_json()) == RECEIPT


@pytest.mark.parametrize(
    "change",
    [
        {"event_id": 7},
        {"entries": []},
        {"entries": [{"log": "audit", "index": -1, "leaf_hash": "A" * 43 + "="}]},
        {"entries": [{"log": "audit", "index": 1 << 63, "leaf_hash": "A" * 43 + "="}]},
        {"entries": [{"log": "audit", "index": 0, "leaf_hash": "A" * 42 + "B="}]},
        {"entries": [{"log": "audit", "index": 0}]},
        {"entries": [{"log": "audit", "index": 0, "leaf_hash": "!!"}]},
        {"entries": [{"log": "audit", "index": 0, "leaf_hash": "AAAA"}]},
        {"promises": {"audit": 7}},
        {"promises": {}},
        {"promises": {"audit": "\ud800"}},
        {"promises": {"audit": "a note", "quality": "a note"}},
        {"more": 1},
    ],
)
def test_what_is_no_receipt_is_refused(change: dict[str, Any]) -> None:
    """A half receipt must not be checked as if it were one."""
    with pytest.raises(InputError):
        Receipt.from_json(json.dumps(json.loads(RECEIPT.to_json()) | change).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"{"])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    """A damaged file of a client is the client's to replace."""
    with pytest.raises(InputError, match="not a phitrail receipt"):
        Receipt.from_json(data)


def test_a_leaf_hash_of_another_length_is_refused() -> None:
    """A cut hash would match nothing, and say so too late."""
    written = json.loads(RECEIPT.to_json())
    written["entries"][0]["leaf_hash"] = base64.b64encode(bytes(31)).decode()

    with pytest.raises(InputError, match="32 bytes"):
        Receipt.from_json(json.dumps(written).encode())


def test_a_receipt_passes_through_other_encoders_and_files(tmp_path: Path) -> None:
    """An application keeps receipts in its own database, and hands one to an officer."""
    place = tmp_path / "one.json"
    RECEIPT.write(place)
    through = json.loads(json.dumps(RECEIPT.as_dict()))

    assert Receipt.from_dict(through) == RECEIPT
    assert parse_receipt_file(place.read_bytes()) == RECEIPT
    assert place.stat().st_mode & 0o777 == 0o600
    with pytest.raises(InputError, match="not a phitrail receipt"):
        Receipt.from_dict({**through, "more": 1})
    with pytest.raises(StorageError, match="not kept"):
        RECEIPT.write(tmp_path / "absent" / "one.json")


@given(damaged(RECEIPT.to_json()))
def test_a_damaged_receipt_is_refused_or_says_what_it_says(data: bytes) -> None:
    """Whatever bytes come, nothing but our own refusal may come of reading them."""
    try:
        read = Receipt.from_json(data)
    except InputError:
        return
    assert Receipt.from_json(read.to_json()) == read


BROKEN = BrokenPromise(
    "t/audit", PROMISE, CHECKPOINT, "cut", "2026-11-21T12:00:00Z", RECEIPT.positions[0]
)


def test_the_evidence_of_a_broken_promise_reads_back() -> None:
    """It may be read years later, by somebody who has nothing else."""
    whole = replace(BROKEN, position=None)

    assert parse_receipt_file(BROKEN.to_json()) == BROKEN
    assert parse_receipt_file(whole.to_json()) == whole


@given(damaged(BROKEN.to_json()))
def test_damaged_evidence_is_refused_or_says_what_it_says(data: bytes) -> None:
    """Evidence is brought by somebody who may be a party."""
    try:
        read = BrokenPromise.from_json(data)
    except InputError:
        return
    assert BrokenPromise.from_json(read.to_json()) == read


def test_a_promise_gives_the_head_that_it_promises() -> None:
    """It is what a checkpoint is later held against."""
    (head,) = check_receipt(RECEIPT, PROMISE_KEYS).values()

    assert (head.origin, head.size, head.root) == ("t/audit", 5, ROOT)


def test_step_1_no_promise_or_no_key() -> None:
    """An entry without a promise is an entry without proof."""
    bare = Receipt(RECEIPT.event_id, RECEIPT.positions, {})
    for receipt, keys in ((bare, PROMISE_KEYS), (RECEIPT, {})):
        with pytest.raises(IntegrityError, match="step 1"):
            check_receipt(receipt, keys)


def test_step_2_a_checkpoint_key_signs_no_promises() -> None:
    """A checkpoint in the place of a promise says less than it seems to."""
    with pytest.raises(IntegrityError, match="step 2"):
        check_receipt(
            Receipt(RECEIPT.event_id, RECEIPT.positions, {"audit": CHECKPOINT}),
            {"audit": AUDIT.checkpoint.vkey},
        )


def test_step_2_a_checkpoint_relabelled_as_a_promise_is_refused() -> None:
    """A note's signature does not cover the key's name: the key pairs must differ."""
    key = AUDIT.promise.vkey
    for note in (CHECKPOINT, relabelled(CHECKPOINT, key.name, key.key_id)):
        with pytest.raises(IntegrityError):
            check_receipt(
                Receipt(RECEIPT.event_id, RECEIPT.positions, {"audit": note}),
                PROMISE_KEYS,
            )


def test_a_promise_relabelled_as_a_checkpoint_is_refused() -> None:
    """Otherwise a promise of what was never published would pass as published."""
    key = AUDIT.checkpoint.vkey
    for note in (PROMISE, relabelled(PROMISE, key.name, key.key_id)):
        with pytest.raises(IntegrityError):
            open_checkpoint(note, [key])


def test_step_2_another_logs_promise_is_refused() -> None:
    """The same tree size and root under another origin is another log."""
    other = KEYS["quality"].promise
    forged = sign_note(Checkpoint("t/quality", 5, ROOT).body(), [other])

    with pytest.raises(IntegrityError):
        check_receipt(
            Receipt(RECEIPT.event_id, RECEIPT.positions, {"audit": forged}),
            PROMISE_KEYS,
        )


def test_step_3_an_entry_beyond_the_promised_tree_is_refused() -> None:
    """The promise must cover the entry that it came with."""
    beyond = (Position("audit", 5, Hash(bytes(32))),)

    with pytest.raises(IntegrityError, match=r"step 3: entry 5.*size 5"):
        check_receipt(Receipt(RECEIPT.event_id, beyond, RECEIPT.promises), PROMISE_KEYS)


def test_a_promise_key_is_named_after_its_origin() -> None:
    """The name is part of ADR 0002 and cannot change."""
    assert promise_name("t/audit") == "t/audit/promise"
