"""Leaf 0 pins a log's keys, each under its own name, no two alike."""

from typing import Any

import msgspec
import pytest
from tests.tlog.trees import make_signer

from phitrail.errors import IntegrityError
from phitrail.events.audit import AuditEvent
from phitrail.events.canonical import encode_leaf
from phitrail.events.codes import EventType, Log
from phitrail.events.genesis import Genesis
from phitrail.tlog.genesis import origin_of, read_genesis, recovery_name
from phitrail.tlog.receipt import promise_name

ORIGIN = "clinic.example/audit"
UUID = "01989d2f-0000-7000-8000-000000000000"


def vkey(name: str, seed: int) -> str:
    """Write a verifier key."""
    return str(make_signer(name, bytes([seed]) * 32).vkey)


GENESIS = Genesis(
    event_id=UUID,
    created_at="2026-11-21T12:00:00.000Z",
    tenant="clinic.example",
    log=Log.AUDIT,
    origin=ORIGIN,
    trail_id=UUID,
    log_vkey=vkey(ORIGIN, 1),
    promise_vkey=vkey(promise_name(ORIGIN), 2),
    recovery_vkey=vkey(recovery_name("clinic.example"), 3),
    nonce="A" * 22,
)


def leaf(**changes: Any) -> bytes:
    """Give the leaf with some fields changed."""
    return encode_leaf(msgspec.structs.replace(GENESIS, **changes))


def test_a_genesis_gives_its_pins() -> None:
    """A verifier has nothing else to start from."""
    pinned = read_genesis(leaf(), Log.AUDIT)

    assert pinned.genesis == GENESIS
    assert str(pinned.log_key) == GENESIS.log_vkey
    assert str(pinned.promise_key) == GENESIS.promise_vkey
    assert pinned.recovery_key.name == "clinic.example/recovery"
    assert origin_of("clinic.example", Log.AUDIT) == ORIGIN


@pytest.mark.parametrize(
    "changes",
    [
        {"log": Log.QUALITY},
        {"origin": "clinic.example/quality"},
        {"tenant": "other.example"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_step_1_another_logs_genesis_is_refused(changes: dict[str, Any]) -> None:
    """One log's first leaf must not stand for another's keys."""
    with pytest.raises(IntegrityError, match="step 1"):
        read_genesis(leaf(**changes), Log.AUDIT)


def test_step_1_another_record_is_no_genesis() -> None:
    """Whatever else stands at index 0, it pins nothing."""
    event: Any = AuditEvent(
        event_type=EventType.AI_INFERENCE, event_id=UUID, nonce="A" * 22
    )

    with pytest.raises(IntegrityError, match="step 1"):
        read_genesis(encode_leaf(event), Log.AUDIT)


@pytest.mark.parametrize(
    "changes",
    [
        {"log_vkey": vkey("clinic.example/quality", 1)},
        {"promise_vkey": vkey(ORIGIN, 2)},
        {"recovery_vkey": vkey("other.example/recovery", 3)},
        {"promise_vkey": vkey(promise_name(ORIGIN), 1)},
        {"recovery_vkey": vkey("clinic.example/recovery", 2)},
    ],
    ids=["log name", "promise name", "recovery name", "one pair", "recovery pair"],
)
def test_step_2_keys_of_others_or_shared_pairs_are_refused(
    changes: dict[str, Any],
) -> None:
    """One key pair for two purposes could be relabelled."""
    with pytest.raises(IntegrityError, match="step 2"):
        read_genesis(leaf(**changes), Log.AUDIT)


@pytest.mark.parametrize("data", [b"", b"{}", leaf()[:-1], leaf() + b" "])
def test_damaged_bytes_are_refused(data: bytes) -> None:
    """Pins are read from exactly what was hashed."""
    with pytest.raises(IntegrityError):
        read_genesis(data, Log.AUDIT)


def test_a_key_that_is_none_is_refused() -> None:
    """A vkey whose id does not belong to its key pins nothing."""
    name, _, key = GENESIS.log_vkey.split("+", 2)

    with pytest.raises(IntegrityError, match="step 2"):
        read_genesis(leaf(log_vkey=f"{name}+00000000+{key}"), Log.AUDIT)
