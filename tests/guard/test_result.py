"""A result can be printed and logged without showing what was scanned."""

import json

from phitrail.events.codes import GuardDecision, IdentifierClass
from phitrail.guard.decide import Judged
from phitrail.guard.found import Relation
from phitrail.guard.policy import GuardPolicy
from phitrail.guard.result import GuardResult

CANARY = "Quistzelda"


def _judged(start: int, kind: IdentifierClass) -> Judged:
    return Judged(
        start, start + 2, kind, 0.9, "r", Relation.UNEXPECTED, GuardDecision.REDACT
    )


RESULT = GuardResult(
    spans=(
        _judged(0, IdentifierClass.NAME),
        _judged(4, IdentifierClass.SSN),
        _judged(8, IdentifierClass.NAME),
    ),
    decision=GuardDecision.REDACT,
    safe_text=CANARY,
    risk_score=0.9,
    reasons=("unexpected_identifier",),
    original_length=40,
    response_phi_detected=True,
    is_phi_output=True,
    policy_digest=GuardPolicy().digest(),
    latency_us=900,
)


def test_no_representation_shows_the_text() -> None:
    """Results end up in logs and tracebacks."""
    shown = repr(RESULT) + str(RESULT) + f"{RESULT}" + "%r" % (RESULT,)  # noqa: UP031 - logging's way

    assert CANARY not in shown
    assert "redact" in shown


def test_as_dict_has_what_was_promised_in_plain_values() -> None:
    """Callers send it on as JSON."""
    plain = RESULT.as_dict()

    assert json.loads(json.dumps(plain)) == {
        "decision": "redact",
        "original_length": 40,
        "phi_detected": True,
        "entity_count": 3,
        "entity_types": ["name", "ssn"],
        "risk_score": 0.9,
        "reasons": ["unexpected_identifier"],
        "safe_response": CANARY,
    }


def test_counts_are_by_class_in_the_order_of_the_classes() -> None:
    """The event lists classes and counts beside each other."""
    counts = {IdentifierClass.NAME: 2, IdentifierClass.SSN: 1}

    assert list(RESULT.counts_by_class.items()) == list(counts.items())


def test_results_of_the_same_scan_are_equal_whatever_it_took() -> None:
    """Determinism is tested by comparing results."""
    again = GuardResult(
        **{
            name: getattr(RESULT, name)
            for name in GuardResult.__slots__
            if name != "latency_us"
        }
    )

    assert again == RESULT
