"""One byte form for every record, and the field policy on the bytes that land (ADR 0001).

1. A leaf is what `encode_leaf` returns: the record as JSON, keys sorted, absent fields
   left out. For admitted values these are the bytes of RFC 8785.
2. Every field is checked before it is encoded, whether the record was decoded from a file
   or constructed in Python (`phitrail.events.policy`). Bytes that are read are decoded
   strictly and must be what we would have written.
3. An error names the field and the rule. The decoder's own errors quote values and unknown
   names, so they are never shown, chained or left as context; the failing field is found
   by testing one field at a time.

Nothing here opens a protected identifier: a leaf holds surrogates.
"""

import ipaddress
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache, lru_cache
from typing import Any, TypeAlias, Union, get_origin

import msgspec

from phitrail.errors import InputError, IntegrityError
from phitrail.events.alert import Alert
from phitrail.events.audit import AuditEvent, AuditLeaf, CallerEvent
from phitrail.events.codes import LOG_OF_EVENT_TYPE, Log
from phitrail.events.fhir import ADMITTED_RESOURCE_TYPES
from phitrail.events.genesis import Genesis
from phitrail.events.policy import Policy, check_fields, compile_policy, rule_of
from phitrail.events.protected import Protected
from phitrail.events.quality import Feedback, QualityEntry, Rollout
from phitrail.events.security import SecurityEvent
from phitrail.events.succession import Succession

MAX_LEAF_BYTES = 32_768
MAX_IDENTIFIER_CHARS = 128

PlainRecord: TypeAlias = SecurityEvent | QualityEntry | Feedback | Rollout | Alert
CallerRecord: TypeAlias = CallerEvent | PlainRecord
"""What may come to the door."""
LeafRecord: TypeAlias = AuditLeaf | PlainRecord | Genesis | Succession
"""What may stand in a log."""

_ENCODER = msgspec.json.Encoder(order="sorted")
_LEAF_TYPES: Mapping[type[msgspec.Struct], Any] = {
    AuditEvent: AuditLeaf,
    SecurityEvent: SecurityEvent,
    QualityEntry: QualityEntry,
    Feedback: Feedback,
    Rollout: Rollout,
    Alert: Alert,
    Genesis: Genesis,
    Succession: Succession,
}
_CALLER_TYPES: Mapping[type[msgspec.Struct], Any] = {
    AuditEvent: CallerEvent,
    SecurityEvent: SecurityEvent,
    QualityEntry: QualityEntry,
    Feedback: Feedback,
    Rollout: Rollout,
    Alert: Alert,
}
CALLER_KINDS = frozenset(_CALLER_TYPES)
"""The types of what may come to the door."""
_KIND_OF_SCHEMA: Mapping[object, type[msgspec.Struct]] = {
    kind.__struct_config__.tag: kind for kind in _LEAF_TYPES
}
_POLICIES: Mapping[type[msgspec.Struct], Policy] = {
    kind: compile_policy(leaf_type) for kind, leaf_type in _LEAF_TYPES.items()
}
_ANY_LEAF: msgspec.json.Decoder[LeafRecord] = msgspec.json.Decoder(
    Union[tuple(_LEAF_TYPES.values())]  # noqa: UP007 - built from the table above
)


def log_of(record: msgspec.Struct) -> Log:
    """Say which log a record goes to: by event type, or by kind."""
    if isinstance(record, AuditEvent | SecurityEvent):
        return LOG_OF_EVENT_TYPE[record.event_type]
    if isinstance(record, Alert):
        return Log.SECURITY
    if isinstance(record, Genesis | Succession):
        return record.log
    return Log.QUALITY


def encode_leaf(record: LeafRecord) -> bytes:
    """Encode a record as leaf v1, having checked every field of it.

    Returns:
        At most 32,768 bytes.

    Raises:
        InputError: names the field and the rule that it breaks.
    """
    check_fields(record, _POLICIES[type(record)])
    if isinstance(record, AuditEvent):
        _check_audit(record)
    elif isinstance(record, SecurityEvent):
        _check_security(record)
    elif isinstance(record, Alert) and record.source_ip is not None:
        _check_address(record.source_ip)
    leaf = _ENCODER.encode(record)
    if len(leaf) > MAX_LEAF_BYTES:
        raise InputError.for_field(
            "(record)", f"{len(leaf)} bytes; a leaf holds at most {MAX_LEAF_BYTES}"
        )
    return leaf


def decode_leaf(leaf: bytes) -> LeafRecord:
    """Read a leaf back, refusing bytes that `encode_leaf` would not have written.

    Raises:
        IntegrityError: not a known schema, not admitted, or not in canonical form.
    """
    record = None
    with suppress(msgspec.MsgspecError, ValueError):
        record = _ANY_LEAF.decode(leaf)
    if record is None:
        raise IntegrityError(
            "a leaf does not decode under any known schema; upgrade phitrail, or treat "
            "the entry as altered"
        )
    if _ENCODER.encode(record) != leaf:
        raise IntegrityError("a leaf is not in canonical form (RFC 8785)")
    if isinstance(record, SecurityEvent) and not _is_of_security(record):
        raise IntegrityError("a security event holds a type of another log")
    return record


def encode_canonical(value: object) -> bytes:
    """Encode a value canonically.

    Raises:
        InputError: a value has no canonical form, or is protected.
    """
    return _encode(value, _ENCODER)


def encode_opened(value: object, opener: Callable[[Protected[str]], str]) -> bytes:
    """Encode a value canonically with its protected identifiers opened.

    The opener raises `TypeError` for anything else that has no JSON form. This is what
    keyed hashes are taken over, never what is stored.

    Raises:
        InputError: a value has no canonical form.
    """
    return _encode(value, _opening_encoder(opener))


@lru_cache(maxsize=8)
def _opening_encoder(
    opener: Callable[[Protected[str]], str],
) -> msgspec.json.Encoder:
    return msgspec.json.Encoder(order="sorted", enc_hook=opener)


def _encode(value: object, encoder: msgspec.json.Encoder) -> bytes:
    try:
        return encoder.encode(value)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError):
        pass  # not raised in here: this error would go along as context, with its text
    raise InputError.for_field("(record)", "a value has no JSON form")


def decode_caller_record(line: bytes) -> CallerRecord:
    """Read one record as a caller writes it: identifiers in clear, `schema` optional.

    Without `schema` the line is an audit event.

    Raises:
        InputError: names the field and the rule; an unknown field by its place only,
            since its name may be content.
    """
    plain: Any = None
    with suppress(msgspec.MsgspecError, ValueError, RecursionError):
        plain = msgspec.json.decode(line)
    if not isinstance(plain, dict):
        raise InputError.for_field("(line)", "must be one JSON object")
    schema = plain.get("schema", AuditEvent.__struct_config__.tag)
    kind = _KIND_OF_SCHEMA.get(schema) if isinstance(schema, str) else None
    if kind is None or kind not in _CALLER_TYPES:
        known = ", ".join(str(k.__struct_config__.tag) for k in _CALLER_TYPES)
        raise InputError.for_field("schema", f"must be one of: {known}")
    return _convert(plain, kind)


def _convert(plain: dict[str, Any], kind: type[msgspec.Struct]) -> CallerRecord:
    types_of_fields = _caller_fields(kind)
    for place, name in enumerate(plain, start=1):
        if name != "schema" and name not in types_of_fields:
            raise InputError.for_field(
                f"(field {place})",
                f"not a field of {kind.__struct_config__.tag}; leave it out",
            )
        if plain[name] is None:
            raise InputError.for_field(name, "leave an unknown field out, not null")
    fields = {"schema": kind.__struct_config__.tag} | plain
    with suppress(msgspec.MsgspecError, ValueError):
        record: CallerRecord = msgspec.convert(
            fields, _CALLER_TYPES[kind], dec_hook=_protect
        )
        return record
    raise _explain_fields(plain, types_of_fields, kind)


@cache
def _caller_fields(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return _field_types(_CALLER_TYPES[kind])


def _protect(wanted: type, value: object) -> object:
    origin = get_origin(wanted) or wanted
    if origin is Protected and isinstance(value, str):
        return Protected(value)
    raise ValueError


def check_identifier(text: str, field: str) -> None:
    """Refuse what cannot be an identifier: empty, over 128 characters, control characters.

    Raises:
        InputError: names the field.
    """
    if (
        type(text) is not str
        or not 0 < len(text) <= MAX_IDENTIFIER_CHARS
        or not text.isprintable()
    ):
        raise InputError.for_field(
            field,
            f"an identifier of 1 to {MAX_IDENTIFIER_CHARS} printable characters",
        )


def _check_audit(record: AuditEvent[Any, Any, Any]) -> None:
    for _, _, resource_type in record.records:
        if resource_type not in ADMITTED_RESOURCE_TYPES:
            raise InputError.for_field(
                "records", "the third part must be a FHIR resource type"
            )
    if (
        record.resource_type is not None
        and record.resource_type not in ADMITTED_RESOURCE_TYPES
    ):
        raise InputError.for_field(
            "resource_type", "must be a FHIR resource type or ai_prompt"
        )
    if record.source_ip is not None:
        _check_address(record.source_ip)


def _check_security(record: SecurityEvent) -> None:
    if not _is_of_security(record):
        raise InputError.for_field(
            "event_type", "a type of the security log; record others as an audit event"
        )
    if record.source_ip is not None:
        _check_address(record.source_ip)


def _is_of_security(record: SecurityEvent) -> bool:
    return LOG_OF_EVENT_TYPE[record.event_type] is Log.SECURITY


@lru_cache(maxsize=4096)
def _is_shortest_address(text: str) -> bool:
    try:
        return str(ipaddress.ip_address(text)) == text
    except ValueError:
        return False


def _check_address(text: str) -> None:
    if not _is_shortest_address(text):
        raise InputError.for_field(
            "source_ip", "an IPv4 or IPv6 address in its shortest form"
        )


# --- naming the field and the rule -------------------------------------------------


def _field_types(leaf_type: Any) -> dict[str, Any]:  # noqa: ANN401 - a type expression
    return {field.name: field.type for field in msgspec.structs.fields(leaf_type)}


def _explain_fields(
    plain: dict[str, Any], types_of_fields: dict[str, Any], kind: type[msgspec.Struct]
) -> InputError:
    for name, field_type in types_of_fields.items():
        if name not in plain:
            continue
        try:
            msgspec.convert(plain[name], field_type, dec_hook=_protect)
        except (msgspec.MsgspecError, ValueError):
            return InputError.for_field(name, rule_of(field_type))
    missing = [
        field.name
        for field in msgspec.structs.fields(kind)
        if field.required and field.name not in plain
    ]
    return InputError.for_field(missing[0] if missing else "(line)", "must be present")
