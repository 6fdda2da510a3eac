"""`GuardResult`: what the guard says of one answer, and the text that may go on.

Printing a result shows decision, counts and scores; it never shows text. `safe_text` is
opened by name alone, by whoever releases it.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from phitrail.events.codes import GuardDecision, IdentifierClass
from phitrail.guard.decide import Judged


@dataclass(frozen=True, slots=True)
class GuardResult:
    """The outcome of one scan.

    Attributes:
        spans: in order, disjoint; offsets count code points of the text that was scanned.
        decision: the most severe action; a scan that failed gives no result at all.
        safe_text: what may be released: empty where the decision is block.
        risk_score: 0 to 1, see `phitrail.guard.risk`; not a probability.
        reasons: codes that say where the score comes from.
        original_length: of the scanned text, in code points.
        response_phi_detected: something other than a clinical code was found.
        is_phi_output: some of it was unexpected, or another patient's.
        policy_digest: of the policy that it was judged under.
        latency_us: what the scan took, in microseconds.
    """

    spans: tuple[Judged, ...]
    decision: GuardDecision
    safe_text: str = field(repr=False)
    risk_score: float
    reasons: tuple[str, ...]
    original_length: int
    response_phi_detected: bool
    is_phi_output: bool
    policy_digest: str
    latency_us: int = field(default=0, compare=False)

    @property
    def counts_by_class(self) -> Mapping[IdentifierClass, int]:
        """How many spans each class has, in the order of the classes."""
        counts = Counter(span.identifier_class for span in self.spans)
        return {kind: counts[kind] for kind in IdentifierClass if kind in counts}

    def as_dict(self) -> dict[str, object]:
        """Return plain values, `safe_response` among them: for whoever releases it."""
        return {
            "decision": self.decision.value,
            "original_length": self.original_length,
            "phi_detected": self.response_phi_detected,
            "entity_count": len(self.spans),
            "entity_types": [kind.value for kind in self.counts_by_class],
            "risk_score": self.risk_score,
            "reasons": list(self.reasons),
            "safe_response": self.safe_text,
        }
