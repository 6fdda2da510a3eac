"""Triples (patient, record, resource type) from the columns that old systems keep.

A single patient or type stands for all records of the entry; otherwise columns must be as
long as each other. `Type/id` names its own type. A record without a type is taken for a
`DocumentReference`, as in `log_phi_access`; a patient without a record is a record of
himself.
"""

from collections.abc import Mapping
from typing import TypeAlias

from phitrail.capture.history.entry import Value
from phitrail.errors import InputError
from phitrail.events.fhir import RESOURCE_TYPES

PLAIN_TYPE = "DocumentReference"
PATIENT = "Patient"
_TRIPLE = 3
_TYPE_OF_WORD = {name.casefold(): name for name in RESOURCE_TYPES}

Triple: TypeAlias = tuple[str, str, str]


def resource_type_of(word: str) -> str | None:
    """Read the name of a FHIR resource type without regard to case, `_` and `-`."""
    return _TYPE_OF_WORD.get(word.strip().casefold().replace("_", "").replace("-", ""))


def record_triples(columns: Mapping[str, Value]) -> list[Triple]:
    """Build the triples of an entry.

    Raises:
        InputError: the columns do not fit each other, or hold something else than ids.
    """
    whole, loose = _whole(columns.get("records"))
    ids = [*loose, *_texts(columns.get("record_ids"))]
    patients = _texts(columns.get("patient_ids"))
    types = _texts(columns.get("record_types"))
    if not ids:
        if whole:
            return whole
        return [(patient, patient, PATIENT) for patient in patients if patient]
    patients = _as_long_as(ids, patients, "")
    types = _as_long_as(ids, types, PLAIN_TYPE)
    triples = [
        (patient, *_typed(record, kind))
        for patient, record, kind in zip(patients, ids, types, strict=True)
        if record
    ]
    return [*whole, *triples]


def _whole(value: Value) -> tuple[list[Triple], list[str]]:
    """Tell whole triples from ids alone."""
    rows = value if isinstance(value, tuple) else () if value is None else (value,)
    if not any(isinstance(row, tuple) for row in rows):
        return [], _texts(tuple(rows))
    triples: list[Triple] = []
    for row in rows:
        parts = [part or "" for part in row] if isinstance(row, tuple) else []
        if len(parts) != _TRIPLE or not all(isinstance(part, str) for part in parts):
            raise InputError.for_field(
                "records", "each must be (patient, record, resource type), or an id"
            )
        triples.append((str(parts[0]), str(parts[1]), str(parts[2])))
    return triples, []


def _as_long_as(ids: list[str], column: list[str], default: str) -> list[str]:
    if len(column) <= 1:
        return (column or [default]) * len(ids)
    if len(column) != len(ids):
        raise InputError.for_field(
            "records", "must have a patient and a type for each, or one for all"
        )
    return [text or default for text in column]


def _typed(record: str, kind: str) -> tuple[str, str]:
    before, slash, after = record.partition("/")
    if slash and before in RESOURCE_TYPES and after:
        return after, before
    return record, kind


def _texts(value: Value) -> list[str]:
    """List ids as text; what is absent is empty."""
    if value is None:
        return []
    parts = value if isinstance(value, tuple) else (value,)
    texts: list[str] = []
    for part in parts:
        if part is None:
            texts.append("")
        elif isinstance(part, str):
            texts.append(part.strip())
        elif isinstance(part, int) and not isinstance(part, bool):
            texts.append(str(part))
        else:
            raise InputError.for_field("records", "an identifier, as a string")
    return texts
