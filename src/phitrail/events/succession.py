"""`Succession`: an entry by which a log's signing keys give way to new ones (ADR 0007).

It says how the log stood before it (`head_size` is also its own index), which keys end, why,
and up to which size their signatures are still believed, and which keys sign every head
above. The signatures are over the record without them, under the first line of its schema
(`phitrail.tlog.succession`): by the recovery key always, by the old key in a rotation.
"""

import msgspec

from phitrail.events.codes import Log, SuccessionReason
from phitrail.events.shapes import (
    Count,
    Nonce,
    NoteSignature,
    Origin,
    Sha256Hex,
    Timestamp,
    Uuid7,
    VerifierKeyText,
)


class Succession(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="schema",
    tag="phitrail/succession/v1",
):
    """New keys for a log: from which head on, in whose place, and who said so."""

    event_id: Uuid7
    created_at: Timestamp
    log: Log
    origin: Origin
    key_version: Count
    reason: SuccessionReason
    old_log_vkey: VerifierKeyText
    old_promise_vkey: VerifierKeyText
    log_vkey: VerifierKeyText
    promise_vkey: VerifierKeyText
    head_size: Count
    head_root: Sha256Hex
    trusted_size: Count
    trusted_root: Sha256Hex
    nonce: Nonce
    recovery_signature: NoteSignature
    old_signature: NoteSignature | None = None
