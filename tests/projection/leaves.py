"""Made-up leaves of each log, every one through `encode_leaf`, from a seed."""

import base64
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from phitrail.events.alert import Alert
from phitrail.events.audit import AuditEvent, AuditLeaf
from phitrail.events.canonical import LeafRecord, encode_leaf
from phitrail.events.codes import (
    Action,
    AlertState,
    EventType,
    FeedbackValue,
    GuardDecision,
    IdentifierClass,
    Log,
    Outcome,
    Sensitivity,
    Severity,
)
from phitrail.events.ids import format_time, new_uuid7
from phitrail.events.quality import Feedback, QualityEntry, Rollout
from phitrail.events.security import SecurityEvent

START = datetime(2026, 3, 1, tzinfo=UTC)


class ListedEntries:
    """A log that is a list; `commit` makes more of it visible."""

    def __init__(self, leaves: Sequence[bytes], visible: int | None = None) -> None:
        self.leaves = leaves
        self.visible = len(leaves) if visible is None else visible

    def size(self) -> int:
        """Count the visible leaves."""
        return self.visible

    def entries(self, start: int, end: int) -> Iterator[bytes]:
        """Read visible leaves."""
        assert end <= self.visible
        return iter(self.leaves[start:end])


def surrogate(number: int) -> str:
    """Make a surrogate for a number."""
    return base64.urlsafe_b64encode(number.to_bytes(33, "big"))[:43].decode()


def make_leaves(log: Log, count: int, seed: int = 1) -> list[bytes]:
    """Make leaves of a log."""
    draw = random.Random(seed)
    make = {
        Log.AUDIT: _audit,
        Log.SECURITY: _security,
        Log.QUALITY: _quality,
    }[log]
    accesses: list[str] = []
    return [
        encode_leaf(make(draw, START + timedelta(minutes=n), accesses))
        for n in range(count)
    ]


def _nonce(draw: random.Random) -> str:
    return base64.urlsafe_b64encode(draw.randbytes(16)).rstrip(b"=").decode()


def _id(draw: random.Random, moment: datetime) -> str:
    return new_uuid7(moment, draw.randbytes(10))


def _audit(draw: random.Random, moment: datetime, accesses: list[str]) -> LeafRecord:
    kind = draw.choice(
        [
            EventType.PHI_READ,
            EventType.AI_INFERENCE_WITH_PHI,
            EventType.ACCESS_CLOSED,
            EventType.PHI_ACCESS_DENIED,
            EventType.AUDIT_LOG_READ,
            EventType.AI_PHI_OUTPUT_DETECTED,
        ]
    )
    if not accesses or draw.random() < 0.4:
        accesses.append(_id(draw, moment))
    records = tuple(
        (
            surrogate(draw.randrange(1, 9)) if draw.random() < 0.9 else "",
            surrogate(draw.randrange(100, 200)),
            draw.choice(["Observation", "Condition"]),
        )
        for _ in range(draw.choice([0, 0, 1, 3]))
    )
    leaf: AuditLeaf = AuditEvent(
        event_type=kind,
        event_id=_id(draw, moment),
        access_id=draw.choice([None, draw.choice(accesses[-4:])]),
        timestamp_utc=format_time(moment),
        received_at=format_time(moment),
        user_id=f"u{draw.randrange(5)}",
        department=draw.choice(["cardiology", "surgery", None]),
        use_case=draw.choice(["chart_qa", "coding", None]),
        action=draw.choice([*Action, None]),
        outcome=draw.choice([*Outcome, None]),
        sensitivity=tuple(draw.sample(list(Sensitivity), draw.randrange(3))),
        phi_fields_accessed=draw.choice([(), ("birth_date",)]),
        records=records,
        patient_unknown=any(not r[0] for r in records) or None,
        response_phi_detected=draw.choice([True, False, None]),
        latency_us=draw.choice([None, 0, 2**53 - 1]),
        nonce=_nonce(draw),
    )
    return leaf


def _security(draw: random.Random, moment: datetime, _: list[str]) -> LeafRecord:
    event_id, time = _id(draw, moment), format_time(moment)
    kind = draw.randrange(3)
    if kind == 0:
        return Alert(
            alert_id=f"a{draw.randrange(9)}",
            rule_id="r1",
            state=AlertState.OPEN,
            severity=draw.choice(list(Severity)),
            event_id=event_id,
            timestamp_utc=time,
            evidence=("audit:3", "audit:5"),
            window_start=time,
            nonce=_nonce(draw),
        )
    if kind == 1:
        return AuditEvent(
            event_type=EventType.SESSION_DENIED,
            event_id=event_id,
            timestamp_utc=time,
            user_id="u1",
            nonce=_nonce(draw),
        )
    return SecurityEvent(
        event_type=EventType.GUARD_DECIDED,
        event_id=event_id,
        timestamp_utc=time,
        decision=draw.choice(list(GuardDecision)),
        identifier_classes=(IdentifierClass.NAME, IdentifierClass.DATE),
        identifier_counts=(draw.randrange(3), 1),
        score_e6=draw.randrange(1_000_000),
        nonce=_nonce(draw),
    )


def _quality(draw: random.Random, moment: datetime, _: list[str]) -> LeafRecord:
    event_id, time = _id(draw, moment), format_time(moment)
    kind = draw.randrange(3)
    if kind == 0:
        return Feedback(
            request_id=f"q{draw.randrange(9)}",
            event_id=event_id,
            timestamp_utc=time,
            value=draw.choice(list(FeedbackValue)),
            nonce=_nonce(draw),
        )
    if kind == 1:
        return Rollout(
            model_id="m",
            model_version="2",
            event_id=event_id,
            timestamp_utc=time,
            starts_at=time,
            share_e6=250_000,
            nonce=_nonce(draw),
        )
    return QualityEntry(
        request_id=f"q{draw.randrange(9)}",
        event_id=event_id,
        timestamp_utc=time,
        model_id="m",
        model_version="1",
        retrieval_scores_e6=(-5, draw.randrange(1_000_000)),
        cache_hit=draw.choice([True, False, None]),
        nonce=_nonce(draw),
    )
