"""Nothing that was said in the clinic is anywhere in what the trail leaves behind.

The main job runs over real-form clinical notes. Then every sentence of 20 characters or
more of a note, question or answer is looked for in all files, in the opened bodies of the
journal and bundles, and in all plain exports. A sentence planted in an admitted field
shows that the search finds what is there.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from phitrail.app import clock
from phitrail.app.export import ExportFormat, export_log
from phitrail.app.running import run_trail
from phitrail.demo.clinic import make_clinic
from phitrail.demo.day import run_day
from phitrail.demo.notes import Progress, load_notes
from phitrail.events.codes import EventType, Log
from phitrail.sdk import AuditEvent, connect

NOTES = Path(__file__).parents[3] / "shared/data/phi/mtsdialog_notes.jsonl"
QUESTIONS = 500
LEAST_CHARS = 20
HEAD = 3
PIECE = 1 << 22
PLANTED = "The-patient-said-that-she-fell-eight-years-ago"
"""A sentence in the shape of an id, put where an id is admitted."""


def sentences(texts: Iterable[str]) -> set[str]:
    """Cut texts where sentences and lines end; keep what is long enough to tell."""
    return {
        sentence.strip()
        for text in texts
        for sentence in re.split(r"(?<=[.!?])\s+|\n", text)
        if len(sentence.strip()) >= LEAST_CHARS
    }


def found_in(places: Iterable[bytes], wanted: set[str]) -> set[str]:
    """Say which of the sentences stand in any of the places, as UTF-8."""
    # A text can hold a sentence only where it holds its first three bytes.
    heads: dict[bytes, list[bytes]] = {}
    for sentence in wanted:
        data = sentence.encode()
        heads.setdefault(data[:HEAD], []).append(data)
    is_head = np.zeros(1 << 8 * HEAD, dtype=bool)
    is_head[[int.from_bytes(head, "little") for head in heads]] = True
    found: set[str] = set()
    for place in places:
        for start in range(0, len(place), PIECE):
            piece = np.frombuffer(place[start : start + PIECE + HEAD - 1], np.uint8)
            spans = [piece[n : len(piece) - HEAD + 1 + n] for n in range(HEAD)]
            words = sum(span.astype(np.uint32) << 8 * n for n, span in enumerate(spans))
            for at in np.flatnonzero(is_head[words]).tolist():
                found.update(
                    data.decode()
                    for data in heads[place[start + at : start + at + HEAD]]
                    if place.startswith(data, start + at)
                )
    return found


@contextmanager
def silent(_: str) -> Iterator[Progress]:
    """A stage of the day without a progress bar."""
    yield lambda _done, _total: None


@dataclass(frozen=True, slots=True)
class Day:
    """What was said in a day, and everything that it left."""

    said: set[str]
    opened: bytes
    files: bytes


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    """A day of the clinic over the given notes, with every plain export."""
    if not NOTES.exists():
        pytest.skip(f"no development data: {NOTES.name} is absent")
    root = tmp_path_factory.mktemp("canaries")
    trail_directory = root / "trail"
    run = run_day(
        trail_directory,
        now=clock.now(),
        questions=QUESTIONS,
        notes_file=NOTES,
        seed=1,
        stage=silent,
    ).run
    with closing(connect(trail_directory)) as trail:
        trail.record(AuditEvent(event_type=EventType.PHI_READ, request_id=PLANTED))
    opened = [*export_everything(trail_directory, root), *read_opened(trail_directory)]
    files = [p.read_bytes() for p in trail_directory.rglob("*") if p.is_file()]
    notes = load_notes(NOTES, make_clinic(1))
    said = sentences([*run.said, *(note.text for note in notes)])
    return Day(said, b"\n".join(opened), b"\n".join(files))


def export_everything(trail_directory: Path, root: Path) -> Iterator[bytes]:
    """Write every plain export of every log and read it back."""
    with run_trail(trail_directory) as trail:
        for log in Log:
            for form in ExportFormat:
                if form is ExportFormat.CLOUDTRAIL and log is Log.QUALITY:
                    continue
                out = root / f"{log}.{form}"
                export_log(trail, log, form, out, by="auditor", now=clock.now())
    for place in root.iterdir():
        if place != trail_directory:
            paths = [place] if place.is_file() else place.rglob("*")
            yield from (path.read_bytes() for path in paths if path.is_file())


def read_opened(trail_directory: Path) -> Iterator[bytes]:
    """Open every entry that a log holds, out of bundles and journal."""
    with run_trail(trail_directory) as trail:
        for log in Log:
            with closing(trail.parts.reader(log)) as reader:
                yield from reader.entries(0, reader.size())


def test_the_search_finds_what_is_there_across_pieces() -> None:
    """A search that misses an edge would call a leak clean."""
    text = b"x" * (PIECE - 7) + PLANTED.encode() + "é".encode() + b"The-patient"
    assert found_in([text], {PLANTED, PLANTED + "é", "The-patient-is-well-today"}) == {
        PLANTED,
        PLANTED + "é",
    }
    assert found_in([PLANTED.encode()[:-1], b"", b"Th"], {PLANTED}) == set()


@pytest.mark.long
def test_nothing_said_is_in_any_file_or_export(day: Day) -> None:
    """The log must not become the second PHI store that it replaces."""
    assert len(day.said) > 5000
    assert found_in([day.files, day.opened], day.said) == set()


@pytest.mark.long
def test_the_search_finds_a_planted_sentence(day: Day) -> None:
    """In opened entries and exports it is found; in sealed files it is not."""
    assert found_in([day.opened], {PLANTED}) == {PLANTED}
    assert found_in([day.files], {PLANTED}) == set()
