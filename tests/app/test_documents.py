"""Texts that no entry may hold stand sealed, under the digest that the entry holds."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from phitrail.app.documents import DOCUMENTS, keep_document, open_document
from phitrail.app.wiring import Trail, open_trail
from phitrail.errors import IntegrityError

CANARY = b"all accesses to the chart of Zebulon Quackenbush"


@pytest.fixture
def trail(trail_dir: Path) -> Iterator[Trail]:
    """Give an open trail."""
    opened = open_trail(trail_dir)
    yield opened
    opened.close()


def test_a_document_is_sealed_and_opens_by_its_digest(trail: Trail) -> None:
    """The words are there for whoever has the key, and for nobody else."""
    digest = keep_document(trail, CANARY)
    again = keep_document(trail, CANARY)

    stored = [p.read_bytes() for p in (trail.directory / DOCUMENTS).iterdir()]
    assert digest == again
    assert len(stored) == 1
    assert b"Zebulon" not in stored[0]
    assert open_document(trail, digest) == CANARY
    assert open_document(trail, "0" * 64) is None


@pytest.mark.drill
def test_an_altered_or_exchanged_document_is_refused(trail: Trail) -> None:
    """What somebody asked must not be made to read otherwise later."""
    first, second = keep_document(trail, CANARY), keep_document(trail, b"other")
    place = trail.directory / DOCUMENTS
    shutil.copy(place / second, place / first)
    with pytest.raises(IntegrityError):
        open_document(trail, first)

    data = bytearray((place / second).read_bytes())
    data[-1] ^= 1
    (place / second).write_bytes(bytes(data))
    with pytest.raises(IntegrityError):
        open_document(trail, second)
