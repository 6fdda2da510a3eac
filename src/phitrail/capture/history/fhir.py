"""FHIR AuditEvents, R4 and R5: as a Bundle, one a line (NDJSON), or a single resource.

What the two releases put in different places is brought to one set of paths; the built-in
map reads those. What this does not know stays under its own path and is counted.

1. Who: the agent that asked (`requestor`), else the first. A practitioner is named by
   identifier, reference or altId; a patient who asks is `agent.patient`, never a user id.
2. What: each entity's reference becomes a (patient, record, resource type) triple. One
   patient in the event is the patient of all its records; of several, none is assumed.
3. Why and how: purposes from the event or the agent (R5: authorization); outcome as R4's
   code or R5's `outcome.code`.

Other resources in a Bundle are passed over and counted by type.

Source: HL7 FHIR R4 and R5, AuditEvent; IHE BALP for `entity.query`.
"""

import base64
import binascii
import io
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, TypeAlias

from phitrail.capture.history.cloudtrail import read_numbered
from phitrail.capture.history.entry import ForeignEntry, Read, Unreadable, Value
from phitrail.capture.history.json_document import PEEK_BYTES, has_lines
from phitrail.capture.history.json_lines import read_json_lines
from phitrail.capture.history.source import Source
from phitrail.errors import InputError
from phitrail.events.fhir import RESOURCE_TYPES

LIST = "entry"
PATIENT = "Patient"
_REFERENCE = re.compile(
    r"(?:\A|/)([A-Z][A-Za-z]{1,63})/([A-Za-z0-9.-]{1,64})(?:/_history/[^/]{1,64})?\Z"
)
_ROLE_PATIENT = "1"
_PERSONS_OF_CARE = frozenset({PATIENT, "RelatedPerson"})

_Fields: TypeAlias = dict[str, Value]


def read_fhir(stream: io.BufferedReader) -> Source:
    """Read AuditEvents, as lines or as a document, whichever the file begins like."""
    others: Counter[str] = Counter()
    if has_lines(stream.peek(PEEK_BYTES), LIST):
        return Source(_audit_events(read_json_lines(stream), others), "line", others)
    found = read_numbered(stream, LIST, lambda _: None)
    return Source(_audit_events(found, others), "entry", others)


def _audit_events(entries: Iterator[Read], others: Counter[str]) -> Iterator[Read]:
    for read in entries:
        if isinstance(read, Unreadable):
            yield read
            continue
        fields = _resource(read.fields)
        kind = fields.pop("resourceType", None)
        if kind == "AuditEvent":
            yield _digested(read.number, fields)
        elif isinstance(kind, str) and kind in RESOURCE_TYPES:
            others[kind] += 1
        else:
            error = InputError.for_field("resourceType", "must be AuditEvent")
            yield Unreadable(read.number, error)


def _resource(fields: Any) -> _Fields:  # noqa: ANN401 - a mapping of paths
    """Take a resource out of its place in a Bundle."""
    if "resourceType" in fields:
        return dict(fields)
    prefix = "resource."
    return {
        path.removeprefix(prefix): value
        for path, value in fields.items()
        if path.startswith(prefix)
    }


def _digested(number: int, fields: _Fields) -> Read:
    try:
        _type(fields)
        _outcome(fields)
        _purpose(fields)
        _agent(fields)
        _entities(fields)
    except InputError as error:
        return Unreadable(number, error)
    return ForeignEntry(number, fields)


def _type(fields: _Fields) -> None:
    """R4 has `type` and `subtype` codings, R5 `category` and `code` concepts."""
    for path, ours in (
        ("type.code", "type"),
        ("category[].coding[].code", "type"),
        ("subtype[].code", "subtype"),
        ("code.coding[].code", "subtype"),
    ):
        found = _texts(fields.pop(path, None))
        if found:
            fields[ours] = (*_texts(fields.get(ours)), *found)


def _outcome(fields: _Fields) -> None:
    code = fields.pop("outcome.code.code", None)
    if code is not None:
        fields["outcome"] = code


def _purpose(fields: _Fields) -> None:
    found: list[str] = []
    for path in (
        "purposeOfEvent[].coding[].code",
        "authorization[].coding[].code",
        "agent[].purposeOfUse[].coding[].code",
        "agent[].authorization[].coding[].code",
    ):
        found += _texts(fields.pop(path, None))
    if found:
        fields["purpose"] = tuple(found)


# --- rule 1 ---


def _agent(fields: _Fields) -> None:
    asked = _column(fields.pop("agent[].requestor", None))
    who = next((i for i, flag in enumerate(asked) if flag is True), 0)
    kind, identifier = _refers_to(
        _at(_column(fields.get("agent[].who.reference")), who)
    )
    if identifier is not None:
        _take(fields, "agent[].who.reference", who)
    is_patient = kind in _PERSONS_OF_CARE
    for path in ("agent[].who.identifier.value", "agent[].altId"):
        if identifier is None or (path != "agent[].altId" and not is_patient):
            identifier = _take(fields, path, who) or identifier
    if identifier is not None:
        fields["agent.patient" if is_patient else "agent.user"] = identifier
    for path in ("agent[].network.address", "agent[].networkString"):
        address = _take(fields, path, who)
        if address is not None:
            fields["agent.address"] = address


# --- rule 2 ---


def _entities(fields: _Fields) -> None:
    patients: list[str] = []
    records: list[tuple[str, str]] = []
    references = _column(fields.get("entity[].what.reference"))
    identifiers = _column(fields.get("entity[].what.identifier.value"))
    types = _column(fields.get("entity[].what.type"))
    roles = _column(fields.get("entity[].role.code"))
    for at in range(max(len(references), len(identifiers))):
        kind, identifier = _refers_to(_at(references, at))
        if kind is None and _at(types, at) in RESOURCE_TYPES:
            kind = str(_at(types, at))
            identifier = _at(identifiers, at) or _at(references, at)
        if kind is None and _at(roles, at) == _ROLE_PATIENT:
            kind, identifier = PATIENT, _at(identifiers, at)
        if kind is None or not isinstance(identifier, str):
            continue
        for path in ("what.reference", "what.identifier.value", "what.type"):
            _take(fields, f"entity[].{path}", at)
        if kind == PATIENT:
            patients.append(identifier)
        else:
            records.append((identifier, kind))
    kind, identifier = _refers_to(fields.get("patient.reference"))
    if kind == PATIENT and isinstance(identifier, str):
        fields.pop("patient.reference")
        patients.append(identifier)
    triples = _triples(list(dict.fromkeys(patients)), list(dict.fromkeys(records)))
    if triples:
        fields["records"] = triples
    _query(fields)


def _triples(
    patients: list[str], records: list[tuple[str, str]]
) -> tuple[tuple[str, str, str], ...]:
    whose = patients[0] if len(patients) == 1 else ""
    of_records = [(whose, record, kind) for record, kind in records]
    of_patients = [(patient, patient, PATIENT) for patient in patients]
    if records and len(patients) == 1:
        return tuple(of_records)
    return (*of_patients, *of_records)


def _query(fields: _Fields) -> None:
    """Take the words of a search out of base64; they are hashed or left out."""
    found = _texts(fields.pop("entity[].query", None))
    if not found:
        return
    text = None
    with suppress(binascii.Error, ValueError):  # it would go along, with what it read
        text = base64.b64decode(found[0], validate=True).decode()
    if text is None:
        raise InputError.for_field("entity.query", "must be text in base64")
    fields["entity.query"] = text
    if len(found) > 1:
        fields["entity.query (further)"] = True


# --- columns and references ---


def _refers_to(reference: Value) -> tuple[str | None, Value]:
    """Take a reference apart: type and id, or nothing where it is of another shape."""
    if isinstance(reference, str):
        match = _REFERENCE.search(reference)
        if match is not None and match[1] in RESOURCE_TYPES:
            return match[1], match[2]
    return None, None


def _column(value: Value) -> tuple[Value, ...]:
    return value if isinstance(value, tuple) else ()


def _at(column: tuple[Value, ...], place: int) -> Value:
    return column[place] if place < len(column) else None


def _take(fields: _Fields, path: str, place: int) -> Value:
    """Take one value out of a column; the others stay, to be counted."""
    column = _column(fields.get(path))
    value = _at(column, place)
    if value is not None:
        rest = (*column[:place], None, *column[place + 1 :])
        if any(left is not None for left in rest):
            fields[path] = rest
        else:
            fields.pop(path)
    return value


def _texts(value: Value) -> tuple[str, ...]:
    """List the strings of a value, however deep they stand."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, tuple):
        return tuple(text for part in value for text in _texts(part))
    return ()
