"""Entries of a register, in the states and at the times that a test chooses."""

from datetime import UTC, datetime

import msgspec

from phitrail.events.ids import format_time
from phitrail.keys.names import kind_of_key
from phitrail.keys.register import KeyEntry
from phitrail.keys.states import KeyState

MADE = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def entry(name: str, state: KeyState = KeyState.ACTIVE, **fields: object) -> KeyEntry:
    """Give one version of a key; it is in use since it was made."""
    kind = kind_of_key(name)
    assert kind is not None
    made = format_time(MADE)
    given_fields: dict[str, object] = {"version": 1, "activated_at": made, **fields}
    plain = {
        "name": name,
        "kind": kind,
        "state": state,
        "fingerprint": "0" * 32,
        "vault": "local",
        "created_at": made,
        **given_fields,
    }
    return msgspec.convert(plain, KeyEntry)
