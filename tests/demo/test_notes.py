"""A file of notes is read strictly, and errors say where without saying what."""

import json
import traceback
from pathlib import Path

import pytest

from phitrail.demo.clinic import Clinic, make_clinic
from phitrail.demo.notes import load_notes
from phitrail.errors import InputError

CANARY = "canary-sentence-about-a-person"


@pytest.fixture(scope="module")
def clinic() -> Clinic:
    """Make the default clinic once."""
    return make_clinic()


def _file(tmp_path: Path, *lines: str | bytes) -> Path:
    path = tmp_path / "notes.jsonl"
    encoded = (line if isinstance(line, bytes) else line.encode() for line in lines)
    path.write_bytes(b"".join(line + b"\n" for line in encoded))
    return path


def test_a_file_of_notes_is_loaded(clinic: Clinic, tmp_path: Path) -> None:
    """Given notes replace the written ones: same texts, ids kept, patients assigned."""
    path = _file(
        tmp_path,
        '{"id": "a-1", "text": "First note."}',
        "",
        '{"id": "a-2", "text": "Zweite Notiz, ä.", "spans": []}',
    )
    told: list[tuple[int, int]] = []
    loaded = load_notes(path, clinic, lambda done, total: told.append((done, total)))

    assert [(n.note_id, n.text) for n in loaded] == [
        ("a-1", "First note."),
        ("a-2", "Zweite Notiz, ä."),
    ]
    assert {note.mrn for note in loaded} <= {p.mrn for p in clinic.patients}
    assert loaded == load_notes(path, clinic)
    assert told[-1] == (path.stat().st_size, path.stat().st_size)


GOOD = '{"id": "a-1", "text": "First note."}'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f'{{"id": "{CANARY}", ', "must be a JSON object in UTF-8"),
        (f'["{CANARY}"]', "must be a JSON object in UTF-8"),
        (CANARY.encode() + b"\xff", "must be a JSON object in UTF-8"),
        ("[" * 100_000, "must be a JSON object in UTF-8"),
        (f'{{"text": "{CANARY}"}}', "id: must be a string of 1 to 128 characters"),
        (
            json.dumps({"id": CANARY * 9, "text": "x"}),
            "id: must be a string of 1 to 128 characters",
        ),
        (f'{{"id": "{CANARY}"}}', "text: must be a string that is not blank"),
        (
            f'{{"id": "{CANARY}", "text": " "}}',
            "text: must be a string that is not blank",
        ),
        (
            f'{{"id": "{CANARY}", "text": ["{CANARY}"]}}',
            "text: must be a string that is not blank",
        ),
        (
            f'{{"id": "x", "text": "{CANARY} \\ud800"}}',
            "text: must be a string that is not blank",
        ),
        (f'{{"id": "a-1", "text": "{CANARY}"}}', "id: stands in line 1 already"),
    ],
)
def test_a_bad_line_is_named_and_never_shown(
    clinic: Clinic, tmp_path: Path, line: str | bytes, message: str
) -> None:
    """The error says where and which rule; the note stays in its file."""
    path = _file(tmp_path, GOOD, line)
    with pytest.raises(InputError) as caught:
        load_notes(path, clinic)

    shown = "".join(traceback.format_exception(caught.value))
    assert str(caught.value) == f"notes.jsonl, line 2: {message}"
    assert CANARY not in shown
    assert caught.value.__context__ is None


def test_a_file_without_notes_is_refused(clinic: Clinic, tmp_path: Path) -> None:
    """A demo over nothing would look like a demo that passed."""
    with pytest.raises(InputError, match="holds no note"):
        load_notes(_file(tmp_path, "", " "), clinic)


def test_a_missing_file_is_named(clinic: Clinic, tmp_path: Path) -> None:
    """The usual mistake gets a sentence, not a traceback."""
    with pytest.raises(InputError, match=r"absent\.jsonl: cannot be read"):
        load_notes(tmp_path / "absent.jsonl", clinic)
