"""Rule files are read safely: places, limits, plain data; an error never quotes the file."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phitrail.detect.source import (
    MOST_BYTES,
    MOST_DEPTH,
    MOST_DOCUMENTS,
    MOST_NODES,
    Node,
    Place,
    read_documents,
)
from phitrail.errors import InputError

CANARY = "CanaryTheFirst"


def read(text: str) -> list[Node]:
    """Read a file."""
    return list(read_documents("my.yml", text.encode()))


def refusal(data: bytes) -> str:
    """Read a file that is refused; return what is said."""
    with pytest.raises(InputError) as refused:
        list(read_documents("my.yml", data))
    assert refused.value.__cause__ is None
    assert CANARY not in repr(refused.value)
    assert refused.value.__context__ is None
    return str(refused.value)


def test_every_node_knows_its_place() -> None:
    """Whoever corrects a rule needs the line and the column."""
    (first, second) = read("a: 1\nb:\n  - x\n  - {c: true}\n---\nd\n")
    keys = first.mapping("it")
    items = keys["b"].items("it")

    assert first.place == Place("my.yml", 1, 1)
    assert str(keys["a"].place) == "my.yml:1:4"
    assert str(items[1].mapping("it")["c"].place) == "my.yml:4:9"
    assert (second.place.line, second.value) == (6, "d")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x", "x"),
        ("'1'", "1"),
        ("12", 12),
        ("1_000", 1_000),
        ("-3", -3),
        ("1.5", 1.5),
        ("9" * 400, int("9" * 400)),
        ("true", True),
        ("No", False),
        ("~", None),
        ("2026-01-05", "2026-01-05"),
        ("2026-01-05T12:00:00Z", "2026-01-05T12:00:00Z"),
    ],
)
def test_plain_values_are_what_they_look_like(text: str, value: object) -> None:
    """A date that became another type, or a 12 that became text, would match nothing."""
    (node,) = read(text)

    assert value == node.value
    assert type(value) is type(node.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"a: !!python/object/apply:os.system [{CANARY}]", "1:4: has a tag"),
        (f"a: !!binary {CANARY}", "1:4: has a tag"),
        (f"a: !{CANARY} x", "1:4: has a tag"),
        (f"a: !!set {{{CANARY}}}", "1:4: has a tag"),
        (f"a: !!map [{CANARY}]", "1:4: has a tag"),
        ("a: 0x1F", "1:4: must be a decimal number"),
        ("a: 0o17", None),
        ("a: 190:20:30", "1:4: must be a decimal number"),
        (f"a: !!int {CANARY}", "1:4: must be a decimal number"),
        ("a: .inf", "1:4: must be a decimal number"),
        ("a: 1.0e+999", "1:4: must be a decimal number"),
        (f"a: {'9' * 5_000}", "1:4: must be a decimal number"),
        ("a: .nan", "1:4: must be a decimal number"),
        (f"{CANARY}: 1\n{CANARY}: 2", "2:1: stands twice in this mapping"),
        (f"[{CANARY}]: 1", "1:1: a key must be text"),
        (f"? {{{CANARY}: 1}}\n: 1", "1:3: a key must be text"),
        ("~: 1", "1:1: a key must be text"),
        (f"a: [{CANARY}", "is not YAML"),
        (f"a: *{CANARY}", "is not YAML"),
        (f"a: @{CANARY}", "is not YAML"),
        (f"a: b: {CANARY}", "is not YAML"),
        ("a: &x [*x]", "deep"),
        ("<<: {a: 1}\nb: 2", None),
    ],
)
def test_what_is_not_plain_data_is_refused(text: str, said: str | None) -> None:
    """A tag can make a reader run code, and a merge hides where a value stands."""
    if said is None:
        assert all(isinstance(node, Node) for node in read(text))
        return

    assert said in refusal(text.encode())


def test_what_is_not_utf8_is_refused() -> None:
    """A decoder that guesses reads another rule than was written."""
    assert "is not UTF-8" in refusal(b"a: \xff")
    assert "is not YAML" in refusal(b"a: \x07")


def test_a_file_has_a_largest_size() -> None:
    """A rule file of megabytes is no rule file."""
    fits = "# " + "x" * (MOST_BYTES - 8) + "\na: 1\n"

    assert len(read(fits)) == 1
    assert f"larger than {MOST_BYTES} bytes" in refusal(fits.encode() + b" ")


def test_nesting_has_an_end() -> None:
    """A reader that calls itself for each level ends with the stack."""
    assert read("[" * (MOST_DEPTH) + "]" * (MOST_DEPTH))
    assert "deep" in refusal(b"[" * (MOST_DEPTH + 2) + b"]" * (MOST_DEPTH + 2))
    assert "my.yml" in refusal(b"[" * 60_000)


def test_an_alias_counts_what_it_stands_for() -> None:
    """A small file can stand for a billion nodes."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]

    assert f"more than {MOST_NODES} nodes" in refusal("\n".join(lines).encode())


def test_documents_have_a_largest_number() -> None:
    """The number of rules must be bounded before they are read."""
    assert len(read("---\na: 1\n" * MOST_DOCUMENTS)) == MOST_DOCUMENTS
    assert "documents" in refusal(b"---\na: 1\n" * (MOST_DOCUMENTS + 1))


@pytest.mark.parametrize(
    ("method", "text", "said"),
    [
        ("mapping", f"{CANARY}", "it must be a mapping"),
        ("items", f"{CANARY}: 1", "it must be a list"),
        ("text", f"[{CANARY}]", "it must be text"),
        ("text", "''", "it must be text"),
        ("text", "3", "it must be text"),
    ],
)
def test_a_node_says_what_it_must_be(method: str, text: str, said: str) -> None:
    """What is asked for is told; what stands there is not."""
    (node,) = read(text)

    with pytest.raises(InputError, match=said) as refused:
        getattr(node, method)("it")

    assert CANARY not in str(refused.value)


@given(data=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    """A crash of the reader would stop every rule of the house."""
    with suppress(InputError):
        assert all(isinstance(one, Node) for one in read_documents("my.yml", data))


def test_the_place_of_a_file_is_told_as_it_was_given(tmp_path: Path) -> None:
    """Editors jump to file:line:column."""
    name = str(tmp_path / "a.yml")

    with pytest.raises(InputError) as refused:
        list(read_documents(name, b"x: [\n"))

    assert str(refused.value).startswith(f"{name}:2:1: ")
