"""`Genesis`: leaf 0 of a log, which pins its keys (ADR 0002)."""

import msgspec

from phitrail.events.codes import Log
from phitrail.events.shapes import (
    Nonce,
    Origin,
    TenantName,
    Timestamp,
    Uuid7,
    VerifierKeyText,
)


class Genesis(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="schema",
    tag="phitrail/genesis/v1",
):
    """The first entry of a log: whose it is and which keys may speak for it."""

    event_id: Uuid7
    created_at: Timestamp
    tenant: TenantName
    log: Log
    origin: Origin
    trail_id: Uuid7
    log_vkey: VerifierKeyText
    promise_vkey: VerifierKeyText
    recovery_vkey: VerifierKeyText
    nonce: Nonce
