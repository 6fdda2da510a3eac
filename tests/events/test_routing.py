"""Which log a record goes to, which addresses it may name, and how a rule is said."""

from typing import Any

import msgspec
import pytest

from phitrail.errors import InputError, IntegrityError
from phitrail.events.audit import AuditEvent
from phitrail.events.canonical import decode_leaf, encode_leaf, log_of
from phitrail.events.codes import EventType, FeedbackValue, Log
from phitrail.events.genesis import Genesis
from phitrail.events.policy import rule_of
from phitrail.events.quality import Feedback
from phitrail.events.security import SecurityEvent

UUID = "01989d2f-0000-7000-8000-000000000000"
SECURITY = SecurityEvent(event_type=EventType.SESSION_DENIED)
GENESIS = Genesis(
    event_id=UUID,
    created_at="2026-11-21T12:00:00.000Z",
    tenant="t",
    log=Log.QUALITY,
    origin="t/quality",
    trail_id=UUID,
    log_vkey="t/quality+00000000+AAAA",
    promise_vkey="t/quality/promise+00000000+AAAA",
    recovery_vkey="t/recovery+00000000+AAAA",
    nonce="A" * 22,
)
FEEDBACK = Feedback(request_id="q-1", value=FeedbackValue.POSITIVE)


def read(address: str) -> Any:
    """Give an audit event that names an address."""
    return AuditEvent(event_type=EventType.PHI_READ, source_ip=address)


@pytest.mark.parametrize(
    ("record", "log"),
    [
        (read("10.0.0.1"), Log.AUDIT),
        (SECURITY, Log.SECURITY),
        (GENESIS, Log.QUALITY),
        (FEEDBACK, Log.QUALITY),
    ],
    ids=["audit", "security", "genesis", "quality"],
)
def test_a_record_has_one_log(record: Any, log: Log) -> None:
    """An access in the engineers' log would be read by those who may not."""
    assert log_of(record) is log


@pytest.mark.parametrize("kind", EventType)
def test_one_table_binds_both_kinds_of_event(kind: EventType) -> None:
    """A grant of access that stands in the security log is missing from the audit log."""
    event = SecurityEvent(event_type=kind)
    as_leaf = msgspec.json.encode(event, order="sorted")

    assert log_of(event) is log_of(AuditEvent(event_type=kind))
    if log_of(event) is Log.SECURITY:
        assert decode_leaf(encode_leaf(event)) == event
    else:
        with pytest.raises(
            InputError, match=r"^event_type: a type of the security log"
        ):
            encode_leaf(event)
        with pytest.raises(IntegrityError, match="a type of another log"):
            decode_leaf(as_leaf)


@pytest.mark.parametrize("address", ["10.0.0.1", "2001:db8::1", "::1"])
def test_an_address_in_its_shortest_form_is_admitted(address: str) -> None:
    """Investigators group by it."""
    for record in (
        read(address),
        SecurityEvent(event_type=EventType.SESSION_DENIED, source_ip=address),
    ):
        leaf: Any = decode_leaf(encode_leaf(record))

        assert leaf.source_ip == address


@pytest.mark.parametrize("address", ["10.0.0.001", "2001:DB8::1", "1.2.3", "::0:1"])
def test_another_spelling_of_an_address_is_refused(address: str) -> None:
    """Two spellings of one host are two hosts to whoever counts."""
    for record in (
        read(address),
        SecurityEvent(event_type=EventType.SESSION_DENIED, source_ip=address),
    ):
        with pytest.raises(InputError, match=r"^source_ip: "):
            encode_leaf(record)


def test_every_type_has_a_rule_in_words() -> None:
    """A refusal without a rule leaves the caller guessing."""
    assert rule_of(bytes) == "a value of its type"
    assert rule_of(tuple[str, bool]) == "[a string, true or false]"


@pytest.mark.parametrize(
    "records", [(("A" * 43, "A" * 43),), (["A" * 43] * 3,), ("A",)]
)
def test_records_in_a_leaf_are_triples(records: Any) -> None:
    """A pair in a leaf would shift a record into the place of a patient for ever."""
    event: Any = AuditEvent(event_type=EventType.PHI_READ, records=records)

    with pytest.raises(InputError, match=r"^records: "):
        encode_leaf(event)
