"""Put the output guard of a trail together, where its policy asks for one.

The scanner loads here, when a trail with a guard is opened, and not before: a trail without
one loads neither the model nor NumPy. Keyed hashes of what was found are made under the key
of texts; which guard decided is told by the version of the package and the SHA-256 of the
model.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from importlib.metadata import version
from typing import Any

from phitrail.app import clock
from phitrail.app.config import MRN_SYSTEM, Policy, Tenant
from phitrail.capture.guarding import Asked, Guarding, Held, Scans
from phitrail.capture.held_stream import HeldStream
from phitrail.capture.time_limit import TimeLimit
from phitrail.capture.verdict import Detector
from phitrail.errors import ConfigError
from phitrail.guard.record_context import RecordContext
from phitrail.keys import names
from phitrail.keys.mac import Mac
from phitrail.keys.ring import KeyRing


def open_guarding(tenant: Tenant, policy: Policy, keys: KeyRing) -> Guarding | None:
    """Load the guard of a trail; None where its policy has none.

    Raises:
        ConfigError: the guard's model is missing or damaged.
    """
    section = policy.guard
    if section is None or not policy.has_guard:
        return None
    guard, detector = load_guard()
    return Guarding(
        guard=guard,
        policy=section,
        is_watching=section.mode == "observe",
        detector=detector,
        limit=TimeLimit(section.timeout_s),
        read_records=_read_records,
        hold=_hold,
        written=Mac(keys, names.TEXT_HASH).written,
        monotonic_us=clock.monotonic_us,
        patient_system=tenant.identity.patient,
        is_by_mrn=tenant.identity.patient == MRN_SYSTEM,
        policy_digest=section.digest(),
    )


def _read_records(records: Sequence[Mapping[str, Any]], now: datetime) -> RecordContext:
    return RecordContext.from_records(records, now=now)


def _hold(guarding: Guarding, asked: Asked) -> Held:
    return HeldStream(guarding.guard, guarding.policy, asked, guarding.written)


def load_guard() -> tuple[Scans, Detector]:
    """Load the scanner and say which one it is.

    Raises:
        ConfigError: its model is missing or damaged.
    """
    from phitrail.guard.scan import Guard  # noqa: PLC0415 - NumPy loads with it
    from phitrail.guard.tagger import MODEL  # noqa: PLC0415 - the same

    digest = None
    try:
        digest = sha256(MODEL.read_bytes()).hexdigest()
        guard = Guard()
    except (OSError, ValueError, KeyError):
        guard = None
    if guard is None:
        raise ConfigError(
            "the model of the output guard is missing or damaged; install phitrail again"
        )
    return guard, Detector(f"phitrail-{version('phitrail')}", digest)
