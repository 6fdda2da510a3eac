"""Objects of a document are found one by one, whatever stands around them."""

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phitrail.capture.history import json_document
from phitrail.capture.history.json_document import has_lines, read_items
from phitrail.errors import InputError

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text('aü"\\{}[],:', max_size=6)
)
objects = st.dictionaries(
    st.sampled_from(["a", "Records", 'q"', "x,y", "{["]),
    st.recursive(scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=5),
    max_size=4,
)


def _read(text: bytes, names: list[str] | None = None) -> list[Any]:
    beside = [] if names is None else names
    return list(read_items(io.BytesIO(text), "Records", beside.append))


@given(
    found=st.lists(objects, max_size=6),
    before=st.dictionaries(st.sampled_from(["m", "n"]), objects, max_size=2),
    indent=st.sampled_from([None, 1]),
    chunk=st.sampled_from([1, 7, 1 << 16]),
)
def test_the_objects_of_a_list_come_as_they_stand(
    found: list[dict[str, Any]], before: dict[str, Any], indent: int | None, chunk: int
) -> None:
    """A bracket in a string, or a chunk that ends anywhere, must cost no entry."""
    document = {**before, "Records": found, "z": [{"a": "b"}]}
    names: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_document, "PEEK_BYTES", chunk)
        items = _read(json.dumps(document, indent=indent).encode(), names)

    assert found == [json.loads(item) for item in items]
    assert sorted([*before, "z"]) == sorted(names)


@given(found=st.lists(st.fixed_dictionaries({"a": scalars}), max_size=4))
def test_lists_and_rows_of_objects_come_as_they_stand(
    found: list[dict[str, Any]],
) -> None:
    """A list at the top, and objects one after the other, are common too."""
    listed = _read(json.dumps(found).encode())
    in_a_row = _read("\n\n".join(json.dumps(one, indent=2) for one in found).encode())

    assert found == [json.loads(item) for item in listed]
    assert found == [json.loads(item) for item in in_a_row]


@given(
    text=st.binary(max_size=80) | st.text('{}[]",: a\\', max_size=80).map(str.encode)
)
def test_any_bytes_give_items_or_refusals(text: bytes) -> None:
    """A broken file must never be an error of ours."""
    assert all(isinstance(item, bytes | InputError | None) for item in _read(text))
    assert has_lines(text, "Records") in (True, False)


@pytest.mark.parametrize("cut", [b'{"Records":[{"a":1},{"b', b'{"Records":[{"a":1}'])
def test_a_cut_document_says_so(cut: bytes) -> None:
    """A copy that ended early must not pass for the whole."""
    items = _read(cut)

    assert items[0] == b'{"a":1}'
    assert isinstance(items[-1], InputError)


def test_an_object_that_is_too_long_costs_only_itself() -> None:
    """One endless object must neither fill the memory nor take the next with it."""
    long = json.dumps({"a": [["x" * 1000] * 10] * 200})

    assert _read(f'[{long}, {{"b": 1}}]'.encode()) == [None, b'{"b": 1}']


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"a": 1}\n{"a": 2}\n', True),
        (b'{"a": "cut\n{"a": 2}\n', True),
        (b"garbage\n", True),
        (b'{"Records": [{"a": 1}]}', False),
        (b'{"Records":[\n{"a": 1}\n]}', False),
        (b"{\n", False),
        (b"[\n{}]", False),
    ],
)
def test_lines_are_told_from_documents(text: bytes, expected: bool) -> None:
    """A document read as lines would be refused line by line."""
    assert has_lines(text, "Records") is expected
