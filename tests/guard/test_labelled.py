"""Labelled files are read strictly, and errors quote nothing of them."""

import json

import pytest

from phitrail.errors import InputError
from phitrail.guard.labelled import LabelledSpan, LabelledText, read_labelled

TEXT = "Canary-Text of Canary-Name."
LINE = {
    "id": "one",
    "text": TEXT,
    "spans": [{"start": 15, "end": 26, "label": "NAME", "phi": True}],
    "genre": "letter",
}


def lines(*objects: object) -> list[bytes]:
    """Write objects as JSON lines."""
    return [json.dumps(each).encode() + b"\n" for each in objects]


def test_a_line_is_read_with_its_spans_and_genre() -> None:
    """Everything that scoring needs must arrive."""
    span = LabelledSpan(start=15, end=26, label="NAME", phi=True)
    expected = LabelledText(id="one", text=TEXT, spans=(span,), genre="letter")

    assert [expected] == read_labelled(lines(LINE), "set")


def test_notes_of_a_collection_and_empty_lines_are_passed_over() -> None:
    """Collections carry fields of their own; a last empty line is common."""
    (read,) = read_labelled([*lines(LINE | {"attack": "none"}), b"\n"], "set")

    assert read.id == "one"


def test_offsets_count_code_points() -> None:
    """Counting bytes or UTF-16 units would move every span after a rare letter."""
    line = {
        "id": "two",
        "text": "\U0001f469 Ana",
        "spans": [{"start": 2, "end": 5, "label": "NAME", "phi": True}],
    }

    assert [line["id"]] == [each.id for each in read_labelled(lines(line), "set")]


@pytest.mark.parametrize(
    "change",
    [
        {"id": ""},
        {"id": None},
        {"text": 7},
        {"spans": None},
        {"spans": [{"start": 0, "end": 6, "label": "Canary-Label"}]},
        {"spans": [{"start": 0, "end": 6, "label": "", "phi": True}]},
        {"spans": [{"start": -1, "end": 6, "label": "NAME", "phi": True}]},
        {"spans": [{"start": 6, "end": 6, "label": "NAME", "phi": True}]},
        {"spans": [{"start": 0, "end": 900, "label": "NAME", "phi": True}]},
        {"spans": [{"start": 0, "end": 6, "label": "NAME", "phi": "Canary-yes"}]},
    ],
)
def test_what_does_not_fit_is_refused_by_line_and_not_quoted(
    change: dict[str, object],
) -> None:
    """A labelled file holds PHI; an error message travels."""
    with pytest.raises(InputError, match="set, line 3") as caught:
        read_labelled([*lines(LINE), b"\n", *lines(LINE | {"id": "x"} | change)], "set")

    assert "Canary" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "line",
    [
        b"Canary-no JSON",
        b'["Canary"]',
        b'{"id": "Canary',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"id":"a","text":"\\ud800Canary","spans":[]}',
    ],
)
def test_what_is_no_json_object_is_refused_and_not_quoted(line: bytes) -> None:
    """The decoder's own message would show the line."""
    with pytest.raises(InputError, match="set, line 1") as caught:
        read_labelled([line], "set")

    assert "Canary" not in str(caught.value)


def test_an_id_that_comes_twice_is_refused() -> None:
    """Two texts of one id could not be told apart in the list of failures."""
    with pytest.raises(InputError, match="set, line 2"):
        read_labelled(lines(LINE, LINE), "set")


def test_an_empty_file_is_refused() -> None:
    """A table of nothing would look like a result."""
    with pytest.raises(InputError, match="set"):
        read_labelled([], "set")


def test_a_printed_text_shows_no_text() -> None:
    """What stands in a test's or a debugger's output must not be PHI."""
    (read,) = read_labelled(lines(LINE), "set")

    assert "Canary" not in repr(read)
