"""A trail with a guard whose findings the test decides, and what it left in the logs.

The stand-in finds SSNs, e-mail addresses and names behind `Pt.`; what is judged and replaced
is the product's own doing. `faults` makes its N-th scan fail.
"""

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.trails import read_leaves

from phitrail.app import guarding as app_guarding
from phitrail.capture.guarding import IsOtherPatient
from phitrail.capture.verdict import Detector
from phitrail.events.audit import AuditEvent
from phitrail.events.codes import EventType, GuardDecision, IdentifierClass, Log
from phitrail.events.security import SecurityEvent
from phitrail.guard.decide import decide
from phitrail.guard.found import Found
from phitrail.guard.left_over import Redacted
from phitrail.guard.policy import GuardPolicy
from phitrail.guard.record_context import RecordContext
from phitrail.guard.redact import Redactor
from phitrail.guard.result import GuardResult
from phitrail.sdk import AsyncTrail, Trail

MODEL_DIGEST = "ab" * 32
SHAPES = {
    IdentifierClass.SSN: re.compile(r"\b\d{3}-\d{2}-\d{4}\b"),
    IdentifierClass.EMAIL: re.compile(r"\S+@\S+\.example\b"),
    IdentifierClass.NAME: re.compile(r"(?<=Pt\. )[A-Z]\w+"),
}


@dataclass
class StandIn:
    """Finds what has a shape; what is in `own` stands in the record."""

    own: frozenset[str] = frozenset()
    fault: Callable[[str], object] | None = None
    fails_at: int | None = None
    scans: int = 0
    fails_in_find: int | None = None
    finds: int = 0
    contexts: list[RecordContext | None] = field(default_factory=list)

    def find(
        self, text: str, context: object = None, known: Sequence[str] = ()
    ) -> list[Found]:
        """Find in order; as a part of a stream, fail as the test says."""
        del context, known
        number, self.finds = self.finds, self.finds + 1
        if number == self.fails_in_find:
            breaks(text)
        return sorted(
            Found(
                match.start(),
                match.end(),
                kind,
                0.9,
                "shape",
                is_in_record=match[0] in self.own,
            )
            for kind, shape in SHAPES.items()
            for match in shape.finditer(text)
        )

    def scan(
        self,
        text: str,
        context: RecordContext | None,
        policy: GuardPolicy,
        *,
        use_case: str | None = None,
        role: str | None = None,
        is_other_patient: IsOtherPatient | None = None,
        seed: bytes = b"",
    ) -> Any:
        """Scan as the guard does, or fail as the test says."""
        number, self.scans = self.scans, self.scans + 1
        if self.fault is not None and self.fails_at in (None, number):
            return self.fault(text)
        self.contexts.append(context)
        found = self.find(text)

        def is_other(place: int) -> bool:
            one = found[place]
            return is_other_patient is not None and is_other_patient(
                one.identifier_class, text[one.start : one.end]
            )

        judged = decide(
            found,
            policy,
            use_case=use_case,
            role=role,
            has_context=context is not None,
            is_other_patient=is_other,
        )
        is_blocked = judged.decision == GuardDecision.BLOCK
        return GuardResult(
            spans=judged.spans,
            decision=judged.decision,
            safe_text=""
            if is_blocked
            else Redacted.of(text, judged.spans, Redactor(policy.redaction, seed)).text,
            risk_score=0.25 if found else 0.0,
            reasons=(),
            original_length=len(text),
            response_phi_detected=judged.response_phi_detected,
            is_phi_output=judged.is_phi_output,
            policy_digest=policy.digest(),
        )


def breaks(text: str) -> None:
    """Fail as a parser does: with the text in the exception."""
    raise ValueError(text)


def hangs(_: str) -> None:
    """Take longer than anybody waits."""
    threading.Event().wait(20)


def guard_on(
    trail_dir: Path, monkeypatch: pytest.MonkeyPatch, section: str = "mode: enforce"
) -> StandIn:
    """Write the section `guard`, and put the stand-in in the guard's place."""
    place = trail_dir / "policy.yaml"
    text = place.read_text(encoding="utf-8")
    place.write_text(f"{text}guard: {{{section}}}\n", encoding="utf-8")
    stand_in = StandIn()
    monkeypatch.setattr(
        app_guarding,
        "load_guard",
        lambda: (stand_in, Detector("stand-in-1", MODEL_DIGEST)),
    )
    return stand_in


def leaves(trail: Trail | AsyncTrail, log: Log, kind: EventType) -> list[Any]:
    """Read the entries of one type."""
    parts = trail._backend.parts  # type: ignore[attr-defined]  # a directory's parts
    return [
        leaf
        for leaf in read_leaves(parts, log)
        if isinstance(leaf, AuditEvent | SecurityEvent) and leaf.event_type is kind
    ]


def closings(trail: Trail | AsyncTrail) -> list[Any]:
    """Read the closings of accesses."""
    return leaves(trail, Log.AUDIT, EventType.ACCESS_CLOSED)


def decided(trail: Trail | AsyncTrail) -> list[Any]:
    """Read what the guard decided."""
    return leaves(trail, Log.SECURITY, EventType.GUARD_DECIDED)


def failed(trail: Trail | AsyncTrail) -> list[Any]:
    """Read where the guard failed."""
    return leaves(trail, Log.SECURITY, EventType.GUARD_FAILED)


def detected(trail: Trail | AsyncTrail) -> list[Any]:
    """Read what the audit log says of PHI in answers."""
    return leaves(trail, Log.AUDIT, EventType.AI_PHI_OUTPUT_DETECTED)


def everything(trail: Trail | AsyncTrail) -> str:
    """Read all logs, as text."""
    parts = trail._backend.parts  # type: ignore[attr-defined]  # a directory's parts
    return "".join(
        msgspec.json.encode(leaf).decode()
        for log in Log
        for leaf in read_leaves(parts, log)
    )
