"""Rehearsing the recovery of the keys: done in memory, proven, and nothing is changed.

1. Every secret is opened from escrow with the recovery key alone, without the vault, and
   held against the fingerprint in the register.
2. With these secrets some of everything that they sealed is opened (`app.recovery_proof`).
3. The report is kept as a sealed document, and an event names it by its digest: it provides
   evidence for the testing of contingency plans (45 CFR 164.308(a)(7)(ii)(D)). One that
   failed is recorded as well, and says what would not come back.

What the rehearsal does not try: making new signing keys, since that cannot be undone.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from phitrail.app.documents import keep_document
from phitrail.app.escrow_opening import (
    BroughtBack,
    open_every_escrow,
    read_recovery_of,
    secrets_to_bring_back,
)
from phitrail.app.key_handover import holding_keys
from phitrail.app.key_wiring import current_register
from phitrail.app.recovery_proof import Proof, prove_that_it_opens
from phitrail.app.running import run_trail
from phitrail.app.wiring import Trail
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.canonical import encode_canonical
from phitrail.events.codes import (
    ActorType,
    Assurance,
    AttributionBasis,
    EventType,
    Outcome,
)
from phitrail.events.ids import format_time, new_uuid7
from phitrail.events.protected import Protected
from phitrail.keys.register import KeyRegister

_US_PER_MS = 1_000
_ALL_KEYS = "keys"


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A rehearsal: what came back, of how many, what it opened, and where it stands.

    `took_ms` is from the first read to the proof, without the recording.
    """

    wanted: int
    brought_back: int
    proof: Proof
    failures: tuple[str, ...]
    took_ms: int
    document: bytes

    @property
    def digest(self) -> str:
        """The SHA-256 of the report, in hex, as the event carries it."""
        return hashlib.sha256(self.document).hexdigest()


def rehearse_recovery(
    directory: Path,
    recovery: Protected[str],
    *,
    by: str,
    now: datetime,
    elapsed_us: Callable[[], int],
) -> Rehearsed:
    """Try out the recovery of a trail's keys, and record that it was tried out.

    Args:
        directory: the trail.
        recovery: the recovery line, or shares of it.
        by: who tries it out, as the audit log will name them.
        now: the time.
        elapsed_us: a clock that never goes back, microseconds.

    Raises:
        InputError: the recovery key is another one, or too few shares of it.
        IntegrityError: the register is not signed by this trail's keys.
        StorageError: it could not be recorded.
    """
    begun_us = elapsed_us()
    private = read_recovery_of(directory, recovery)
    with holding_keys(directory):
        register = current_register(directory)
        back = open_every_escrow(directory, register, private)
        proof = prove_that_it_opens(directory, back.ring())
    took_ms = (elapsed_us() - begun_us) // _US_PER_MS
    rehearsed = _rehearsed(register, back, proof, took_ms, by, now)
    with run_trail(directory) as running:
        keep_document(running.parts, rehearsed.document)
        _record(running.parts, rehearsed, by, now)
    return rehearsed


def _rehearsed(
    register: KeyRegister,
    back: BroughtBack,
    proof: Proof,
    took_ms: int,
    by: str,
    now: datetime,
) -> Rehearsed:
    failures = (*map(str, back.lost), *proof.failures)
    document = encode_canonical(
        {
            "schema": "phitrail/key-recovery-rehearsal/v1",
            "at": format_time(now),
            "by": by,
            "register": register.number,
            "brought_back": [str(one) for one in sorted(back.secrets)],
            "proof": proof.facts(),
            "failures": list(failures),
            "took_ms": took_ms,
        }
    )
    wanted = len(secrets_to_bring_back(register))
    return Rehearsed(wanted, len(back.secrets), proof, failures, took_ms, document)


def _record(trail: Trail, rehearsed: Rehearsed, by: str, now: datetime) -> None:
    outcome = Outcome.FAILED if rehearsed.failures else Outcome.SUCCESS
    event: CallerEvent = AuditEvent(
        event_type=EventType.KEY_RECOVERY_REHEARSED,
        event_id=new_uuid7(now),
        timestamp_utc=format_time(now),
        user_id=by,
        actor_type=ActorType.HUMAN,
        attribution_basis=AttributionBasis.STATIC,
        outcome=outcome,
        object_id=_ALL_KEYS,
        object_digest=rehearsed.digest,
        result_count=rehearsed.brought_back,
        assurance=Assurance.ENFORCED,
    )
    trail.recorder.record(event, now)
