"""One byte form for every record, and the field policy on the bytes that land (ADR 0001).

1. A leaf is what `encode_leaf` returns: the record as JSON, keys sorted, absent fields
   left out. For admitted values these are the bytes of RFC 8785.
2. The bytes just made are decoded again under the strict types before anyone stores
   them. So the policy is enforced on what lands, whether a record was decoded from a
   file or constructed in Python.
3. An error names the field and the rule. The decoder's own errors quote values and unknown
   names, so they are never shown or chained; the failing field is found by testing one
   field at a time.

Nothing here opens a protected identifier: a leaf holds surrogates.
"""

import ipaddress
import types
from collections.abc import Callable, Mapping
from enum import EnumType, StrEnum
from functools import lru_cache
from typing import Annotated, Any, TypeAlias, TypeVar, Union, get_args, get_origin

import msgspec

from phitrail.errors import InputError, IntegrityError
from phitrail.events.alert import Alert
from phitrail.events.audit import AuditEvent, AuditLeaf, CallerEvent
from phitrail.events.codes import LOG_OF_EVENT_TYPE, Log
from phitrail.events.fhir import ADMITTED_RESOURCE_TYPES
from phitrail.events.genesis import Genesis
from phitrail.events.protected import Protected
from phitrail.events.quality import Feedback, QualityEntry, Rollout
from phitrail.events.security import SecurityEvent

MAX_LEAF_BYTES = 32_768
MAX_IDENTIFIER_CHARS = 128

PlainRecord: TypeAlias = SecurityEvent | QualityEntry | Feedback | Rollout | Alert
CallerRecord: TypeAlias = CallerEvent | PlainRecord
"""What may come to the door."""
LeafRecord: TypeAlias = AuditLeaf | PlainRecord | Genesis
"""What may stand in a log."""

RecordT = TypeVar("RecordT")

_ENCODER = msgspec.json.Encoder(order="sorted")
_LEAF_TYPES: Mapping[type[msgspec.Struct], Any] = {
    AuditEvent: AuditLeaf,
    SecurityEvent: SecurityEvent,
    QualityEntry: QualityEntry,
    Feedback: Feedback,
    Rollout: Rollout,
    Alert: Alert,
    Genesis: Genesis,
}
_CALLER_TYPES: Mapping[type[msgspec.Struct], Any] = {
    AuditEvent: CallerEvent,
    SecurityEvent: SecurityEvent,
    QualityEntry: QualityEntry,
    Feedback: Feedback,
    Rollout: Rollout,
    Alert: Alert,
}
_KIND_OF_SCHEMA: Mapping[object, type[msgspec.Struct]] = {
    kind.__struct_config__.tag: kind for kind in _LEAF_TYPES
}
_LEAF_DECODERS: Mapping[type[msgspec.Struct], msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(leaf_type) for kind, leaf_type in _LEAF_TYPES.items()
}
_ANY_LEAF: msgspec.json.Decoder[LeafRecord] = msgspec.json.Decoder(
    Union[tuple(_LEAF_TYPES.values())]  # noqa: UP007 - built from the table above
)


def log_of(record: msgspec.Struct) -> Log:
    """Say which log a record goes to: by event type, or by kind."""
    if isinstance(record, AuditEvent):
        return LOG_OF_EVENT_TYPE[record.event_type]
    if isinstance(record, SecurityEvent | Alert):
        return Log.SECURITY
    if isinstance(record, Genesis):
        return record.log
    return Log.QUALITY


def encode_leaf(record: LeafRecord) -> bytes:
    """Encode a record as leaf v1, having checked every field of it.

    Returns:
        At most 32,768 bytes.

    Raises:
        InputError: names the field and the rule that it breaks.
    """
    kind = type(record)
    try:
        leaf = _ENCODER.encode(record)
        _LEAF_DECODERS[kind].decode(leaf)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError):
        raise _explain(record, _LEAF_TYPES[kind]) from None
    if isinstance(record, AuditEvent):
        _check_audit(record)
    elif isinstance(record, SecurityEvent | Alert) and record.source_ip is not None:
        _check_address(record.source_ip)
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
    try:
        record = _ANY_LEAF.decode(leaf)
    except (msgspec.MsgspecError, ValueError):
        raise IntegrityError(
            "a leaf does not decode under any known schema; upgrade phitrail, or treat "
            "the entry as altered"
        ) from None
    if _ENCODER.encode(record) != leaf:
        raise IntegrityError("a leaf is not in canonical form (RFC 8785)")
    return record


def encode_canonical(
    value: object, *, open_value: Callable[[Protected[str]], str] | None = None
) -> bytes:
    """Encode a value canonically; protected identifiers only with an opener.

    This is what keyed hashes are taken over, never what is stored.

    Raises:
        InputError: a value has no canonical form, or is protected and no opener is given.
    """

    def refuse(item: object) -> object:
        if open_value is not None and isinstance(item, Protected):
            return open_value(item)
        raise TypeError

    try:
        return msgspec.json.encode(value, order="sorted", enc_hook=refuse)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError):
        raise InputError.for_field("(record)", "a value has no JSON form") from None


def decode_caller_record(line: bytes) -> CallerRecord:
    """Read one record as a caller writes it: identifiers in clear, `schema` optional.

    Without `schema` the line is an audit event.

    Raises:
        InputError: names the field and the rule; an unknown field by its place only,
            since its name may be content.
    """
    try:
        plain = msgspec.json.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise InputError.for_field("(line)", "must be one JSON object") from None
    if not isinstance(plain, dict):
        raise InputError.for_field("(line)", "must be one JSON object")
    schema = plain.get("schema", AuditEvent.__struct_config__.tag)
    kind = _KIND_OF_SCHEMA.get(schema) if isinstance(schema, str) else None
    if kind is None or kind not in _CALLER_TYPES:
        known = ", ".join(str(k.__struct_config__.tag) for k in _CALLER_TYPES)
        raise InputError.for_field("schema", f"must be one of: {known}")
    return _convert(plain, kind)


def _convert(plain: dict[str, Any], kind: type[msgspec.Struct]) -> CallerRecord:
    types_of_fields = _field_types(_CALLER_TYPES[kind])
    for place, name in enumerate(plain, start=1):
        if name != "schema" and name not in types_of_fields:
            raise InputError.for_field(
                f"(field {place})",
                f"not a field of {kind.__struct_config__.tag}; leave it out",
            )
        if plain[name] is None:
            raise InputError.for_field(name, "leave an unknown field out, not null")
    fields = {"schema": kind.__struct_config__.tag} | plain
    try:
        record: CallerRecord = msgspec.convert(
            fields, _CALLER_TYPES[kind], dec_hook=_protect
        )
    except (msgspec.MsgspecError, ValueError):
        raise _explain_fields(plain, types_of_fields, kind) from None
    return record


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
    if not 0 < len(text) <= MAX_IDENTIFIER_CHARS or not text.isprintable():
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


def _explain(record: msgspec.Struct, wanted: Any) -> InputError:  # noqa: ANN401
    """Find the first field of a constructed record that its rule refuses."""
    for name, field_type in _field_types(wanted).items():
        value = getattr(record, name, None)
        try:
            msgspec.json.decode(_ENCODER.encode(value), type=field_type)
        except (msgspec.MsgspecError, TypeError, ValueError, OverflowError):
            return InputError.for_field(name, rule_of(field_type))
    return InputError.for_field("(record)", "does not fit its schema")


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


def rule_of(field_type: Any) -> str:  # noqa: ANN401 - a type expression
    """Say in words what a field may hold."""
    if field_type is bool:
        return "true or false"
    if field_type is str:
        return "a string"
    if isinstance(field_type, EnumType) and issubclass(field_type, StrEnum):
        return "one of: " + ", ".join(field_type)
    origin, arguments = get_origin(field_type), get_args(field_type)
    if origin is Annotated:
        return str(arguments[1].description)
    if origin is Protected:
        return "an identifier, as a string"
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            return f"a list; each: {rule_of(arguments[0])}"
        return f"[{', '.join(rule_of(a) for a in arguments)}]"
    if origin in (Union, types.UnionType):
        return rule_of(arguments[0])
    return "a value of its type"
