"""What a clinical note is here, and how given notes are read from a file.

Rules:
1. A note's text is its heading and its body; both are PHI and stay out of `repr`.
2. `load_notes` reads JSON lines of `{"id", "text"}` (other fields are passed over) and
   gives each note to a patient. An error names file, line number and rule, never what
   stands there, and no library error that quotes the line is attached to it.

The notes that the clinic itself writes come from `phitrail.demo.charts`.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import TypeAlias, TypeGuard

from phitrail.demo.clinic import Clinic
from phitrail.demo.draws import pick_weighted
from phitrail.errors import InputError

Progress: TypeAlias = Callable[[int, int], None]
"""Called with how much is done and how much there is."""

_MAX_ID_CHARS = 128


class NoteKind(StrEnum):
    """What a note is; the value is what people call it."""

    ADMISSION = "admission note"
    PROGRESS = "progress note"
    NURSING = "nursing note"
    CONSULT = "consult note"
    MEDICATION = "medication reconciliation"
    RADIOLOGY = "radiology report"
    DISCHARGE = "discharge summary"
    CHART = "chart note"
    GUIDELINE = "house guideline"


@dataclass(frozen=True, slots=True)
class Note:
    """One note; `mrn` is empty for a guideline, which is about no patient."""

    note_id: str
    mrn: str = field(repr=False)
    kind: NoteKind
    written_at: datetime
    heading: str = field(repr=False)
    body: str = field(repr=False)

    @property
    def text(self) -> str:
        """The whole note, as it stands in the chart."""
        return self.heading + self.body

    @property
    def resource_type(self) -> str:
        """Name the FHIR resource type that carries such a note."""
        if self.kind is NoteKind.RADIOLOGY:
            return "DiagnosticReport"
        return "DocumentReference"


def load_notes(
    path: Path, clinic: Clinic, progress: Progress | None = None
) -> tuple[Note, ...]:
    """Read notes from JSON lines and give each to a patient of the clinic.

    Often-seen patients get more of them. `progress` counts bytes.

    Raises:
        InputError: the file cannot be read or holds no note, a line is no JSON object,
            an id or text does not fit its rule, or an id stands twice.
    """
    rng = Random(f"phitrail/loaded-notes/{clinic.seed}")
    by_activity = [(patient.mrn, patient.activity) for patient in clinic.patients]
    opened_at = clinic.encounters[0].started_at
    notes: list[Note] = []
    seen_at: dict[str, int] = {}
    for number, line in _read_lines(path, progress):
        place = f"{path.name}, line {number}"
        note_id, text = _parse_line(line, place)
        if note_id in seen_at:
            raise InputError(
                f"{place}: id: stands in line {seen_at[note_id]} already",
                field="id",
                rule="must be unique in the file",
            )
        seen_at[note_id] = number
        notes.append(
            Note(
                note_id=note_id,
                mrn=pick_weighted(rng, by_activity),
                kind=NoteKind.CHART,
                written_at=opened_at + timedelta(minutes=7 * len(notes)),
                heading="",
                body=text,
            )
        )
    if not notes:
        raise InputError(f"{path.name}: holds no note; give JSON lines of id and text")
    return tuple(notes)


def _read_lines(path: Path, progress: Progress | None) -> Iterator[tuple[int, bytes]]:
    """Yield number and bytes of each line that is not blank."""
    try:
        size_bytes = path.stat().st_size
        with path.open("rb") as stream:
            done_bytes = 0
            for number, line in enumerate(stream, start=1):
                done_bytes += len(line)
                if line.strip():
                    yield number, line
                if progress is not None:
                    progress(done_bytes, size_bytes)
    except OSError as error:
        reason = error.strerror or "read failed"
        raise InputError(f"{path.name}: cannot be read ({reason})") from error


def _parse_line(line: bytes, place: str) -> tuple[str, str]:
    """Read id and text of one line."""
    decoded = _decode_object(line)
    if decoded is None:
        raise InputError(
            f"{place}: must be a JSON object in UTF-8", rule="a JSON object in UTF-8"
        )
    note_id, text = decoded.get("id"), decoded.get("text")
    if not _is_text(note_id) or len(note_id) > _MAX_ID_CHARS:
        rule = f"must be a string of 1 to {_MAX_ID_CHARS} characters"
        raise InputError(f"{place}: id: {rule}", field="id", rule=rule)
    if not _is_text(text):
        rule = "must be a string that is not blank"
        raise InputError(f"{place}: text: {rule}", field="text", rule=rule)
    return note_id, text


def _decode_object(line: bytes) -> dict[str, object] | None:
    """Decode a line, or give None: decoders' errors quote the line, so none leaves."""
    try:
        decoded = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return decoded if isinstance(decoded, dict) else None


def _is_text(value: object) -> TypeGuard[str]:
    """Say whether `value` is a string with something in it, and valid Unicode."""
    if not isinstance(value, str) or not value.strip():
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)
