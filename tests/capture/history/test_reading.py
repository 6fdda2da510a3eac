"""A file of any size is read an entry at a time."""

import hashlib
import io
import json
import tracemalloc

import pytest
from tests.capture.history.forms import SEED_TRAIL, hashed, lines, seed

from phitrail.capture.history.built_in import built_in_map
from phitrail.capture.history.form import HistoryForm
from phitrail.capture.history.reading import HistoryReader
from phitrail.capture.history.source import DigestedFile
from phitrail.capture.known_lines import ImportKeys, KeyedLine
from phitrail.capture.text_hash import TextHasher


def _body(form: HistoryForm, count: int) -> bytes:
    if form is HistoryForm.CLOUDTRAIL:
        records = [{**SEED_TRAIL, "eventID": f"evt_{n}"} for n in range(count)]
        return json.dumps({"Records": records}).encode()
    return lines([hashed(seed(n)) for n in range(count)])


def _peak(form: HistoryForm, count: int) -> int:
    """Read a file, keep nothing, and tell how much memory that took at most."""
    file = io.BytesIO(_body(form, count))
    tracemalloc.start()
    try:
        reader = HistoryReader(
            DigestedFile(file),
            built_in_map(form),
            keys=ImportKeys(
                {1: lambda data: hashlib.sha256(data).digest()},
                {1: TextHasher(lambda data: hashlib.sha256(data).hexdigest())},
            ),
            actions={},
        )
        read = sum(isinstance(line, KeyedLine) for _, line in reader.lines())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert read == count
    return peak


@pytest.mark.long
@pytest.mark.parametrize("form", [HistoryForm.CHAINED_JSONL, HistoryForm.CLOUDTRAIL])
def test_memory_does_not_grow_with_the_file(form: HistoryForm) -> None:
    """Six years of records do not fit into memory, whether as lines or as one document."""
    few, many = _peak(form, 300), _peak(form, 1500)

    assert many < few + 300_000
