"""One use of a key, as the access log of a vault tells it, in paths of our own.

The two forms of such logs (`vault_audit`, `kms_trail`) give these; `BUILT_IN` says what each
becomes. Of the line nothing else is taken: what was wrapped or signed is no business of an
audit log, even where the vault wrote its hash.

1. Which key: our own `<name>:v<version>` where the line alone says it (by the name that the
   key has in the vault, or by an encryption context), so that a line is one event however
   often it comes. Else its id in the vault, where that is an id; else a keyed hash.
2. Who: the vault's id of who asked. A name or an ARN goes in as a keyed hash, and so does
   the accessor of a token: whoever has one can look the token up and revoke it.
3. What: a reason code of ours; the event's action is a read where something came out.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from phitrail.capture.history.entry import ForeignEntry, Value
from phitrail.capture.history.field_map import FieldRule
from phitrail.events.codes import Action, EventType, Outcome
from phitrail.events.shapes import CallerUserId, OpaqueId
from phitrail.keys.names import WRAPPING, KeyId, KeyKind, kind_of_key

BUILT_IN: Mapping[str, FieldRule] = {
    "kind": FieldRule("event_type"),
    "id": FieldRule("source_event_id"),
    "request": FieldRule("request_id"),
    "time": FieldRule("timestamp_utc"),
    "what": FieldRule("reason_code"),
    "action": FieldRule("action"),
    "outcome": FieldRule("outcome"),
    "who": FieldRule("user_id"),
    "caller": FieldRule("user_id", is_keyed=True),
    "key": FieldRule("object_id"),
    "keyname": FieldRule("object_id", is_keyed=True),
    "address": FieldRule("source_ip", or_leave_out=True),
}
_COMES_OUT = frozenset({"key_decrypt", "key_export", "key_read", "key_verify"})
_LABEL = re.compile(r"(.+)-v([1-9][0-9]{0,4})-[0-9a-f]{8}", re.ASCII)
_ID = re.compile(get_args(OpaqueId)[1].pattern)
_WHO = re.compile(get_args(CallerUserId)[1].pattern)


@dataclass(frozen=True, slots=True)
class KeyUse:
    """What a line of a vault's log says.

    Attributes:
        event_id: the vault's id of the line or of the request.
        time: when.
        what: a reason code (`key_decrypt`, ...).
        outcome: how it ended.
        request_id: the vault's id of the request, where it is another one.
        who: an id of who asked.
        caller: a name or a token's accessor, where there is no such id.
        key: which key, as the vault calls it; None for none in particular.
        own_key: which key of ours, where the line says that beside the name.
        address: from where.
    """

    event_id: Value
    time: Value
    what: str
    outcome: Outcome
    request_id: Value = None
    who: Value = None
    caller: Value = None
    key: str | None = None
    own_key: str | None = None
    address: Value = None

    def as_entry(self, number: int) -> ForeignEntry:
        """Give the paths of this use."""
        fields: dict[str, Value] = {
            "kind": EventType.KEY_ACCESSED,
            "id": self.event_id,
            "request": self.request_id,
            "time": self.time,
            "what": self.what,
            "action": Action.READ if self.what in _COMES_OUT else Action.WRITE,
            "outcome": self.outcome,
            "address": self.address,
        }
        if isinstance(self.who, str) and _WHO.fullmatch(self.who):
            fields["who"] = self.who
        else:
            fields["caller"] = self.caller or self.who
        key = self.own_key or our_key(self.key or "") or self.key
        if key is not None:
            fields["key" if _ID.fullmatch(key) else "keyname"] = key
        return ForeignEntry(
            number, {path: value for path, value in fields.items() if value}
        )


def our_key(name: str) -> str | None:
    """Read which key of a trail has this name in a vault; None where it is none of ours.

    Ours are `<prefix>-wrapping`, and `<prefix>-<key>-v<version>-<8 hex digits>` of a
    signing key.
    """
    if name.endswith(f"-{WRAPPING}"):
        return WRAPPING
    label = _LABEL.fullmatch(name)
    if label is None:
        return None
    parts = label[1].split("-")
    for first in range(len(parts)):
        purpose = "-".join(parts[first:])
        if kind_of_key(purpose) is KeyKind.SIGN:
            return str(KeyId(purpose, int(label[2])))
    return None
