"""Rule files as trees that know their places: YAML, read safely, every node with line, column.

1. UTF-8, at most `MOST_BYTES`; at most `MOST_DOCUMENTS` documents in a file.
2. Plain data only: mappings with text keys, lists, text, whole numbers, decimals, true and
   false, null, dates (kept as text). Tags, binary and sets are refused.
3. A key stands once in a mapping. Nesting ends at `MOST_DEPTH`.
4. An alias counts what it stands for each time: at most `MOST_NODES` nodes in all, so that a
   small file cannot become a large one.

An error says file, line, column and the rule that is broken, never what stands there.
"""

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

import yaml

from phitrail.errors import InputError

MOST_BYTES = 262_144
MOST_DOCUMENTS = 64
MOST_DEPTH = 24
MOST_NODES = 20_000

_OTHER_TAG = "has a tag that rules do not use"
_MAP = "tag:yaml.org,2002:map"
_SEQ = "tag:yaml.org,2002:seq"
_TEXT = "tag:yaml.org,2002:str"
_INT = "tag:yaml.org,2002:int"
_FLOAT = "tag:yaml.org,2002:float"
_BOOL = "tag:yaml.org,2002:bool"
_NULL = "tag:yaml.org,2002:null"
_TIMESTAMP = "tag:yaml.org,2002:timestamp"

Scalar: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a rule file; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def refuse(self, rule: str) -> InputError:
        """Make the error of what stands here: its place and the rule that is broken."""
        return InputError(f"{self}: {rule}", field=str(self), rule=rule)


@dataclass(frozen=True, slots=True)
class Node:
    """One node: a scalar, a list of nodes, or a mapping of names to nodes."""

    place: Place
    value: "Scalar | tuple[Node, ...] | dict[str, Node]"

    def mapping(self, what: str) -> "dict[str, Node]":
        """Return the mapping that it must be.

        Raises:
            InputError: it is none.
        """
        if isinstance(self.value, dict):
            return self.value
        raise self.place.refuse(f"{what} must be a mapping")

    def items(self, what: str) -> "tuple[Node, ...]":
        """Return the list that it must be.

        Raises:
            InputError: it is none.
        """
        if isinstance(self.value, tuple):
            return self.value
        raise self.place.refuse(f"{what} must be a list")

    def text(self, what: str) -> str:
        """Return the text that it must be, not empty.

        Raises:
            InputError: it is none.
        """
        if isinstance(self.value, str) and self.value:
            return self.value
        raise self.place.refuse(f"{what} must be text")


class _Builder:
    """Turns the nodes of one document into ours, and counts."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._nodes = 0

    def place(self, mark: yaml.Mark) -> Place:
        return Place(self._file, mark.line + 1, mark.column + 1)

    def build(self, node: yaml.Node, depth: int = 0) -> Node:
        place = self.place(node.start_mark)
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise place.refuse(f"the file has more than {MOST_NODES} nodes")
        if depth > MOST_DEPTH:
            raise place.refuse(f"is nested more than {MOST_DEPTH} deep")
        if isinstance(node, yaml.MappingNode) and node.tag == _MAP:
            return Node(place, self._mapping(node, depth))
        if isinstance(node, yaml.SequenceNode) and node.tag == _SEQ:
            return Node(place, tuple(self.build(one, depth + 1) for one in node.value))
        if not isinstance(node, yaml.ScalarNode):
            raise place.refuse(_OTHER_TAG)
        return Node(place, _scalar(node, place))

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Node]:
        found: dict[str, Node] = {}
        for key, value in node.value:
            place = self.place(key.start_mark)
            if not isinstance(key, yaml.ScalarNode) or key.tag == _NULL:
                raise place.refuse("a key must be text")
            if key.value in found:
                raise place.refuse("stands twice in this mapping")
            found[key.value] = self.build(value, depth + 1)
        return found


def _scalar(node: yaml.ScalarNode, place: Place) -> Scalar:
    value = str(node.value)
    if node.tag in {_TEXT, _TIMESTAMP}:
        return value
    if node.tag == _NULL:
        return None
    if node.tag == _BOOL:
        return value.lower() in {"true", "yes", "on"}
    if node.tag not in {_INT, _FLOAT}:
        raise place.refuse(_OTHER_TAG)
    digits, number = value.replace("_", ""), None
    with suppress(ValueError):
        number = int(digits, 10) if node.tag == _INT else float(digits)
    if number is None or not abs(number) < math.inf:
        raise place.refuse("must be a decimal number")
    return number


def read_documents(file: str, data: bytes) -> Iterator[Node]:
    """Read the documents of a rule file, one after the other.

    Args:
        file: what it is called in errors.
        data: its bytes.

    Raises:
        InputError: names file, line, column and the rule that is broken.
    """
    start = Place(file, 1, 1)
    if len(data) > MOST_BYTES:
        raise start.refuse(f"is larger than {MOST_BYTES} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = None
    if text is None:
        raise start.refuse("is not UTF-8")
    for number, document in enumerate(_compose(file, text), start=1):
        if number > MOST_DOCUMENTS:
            raise start.refuse(f"holds more than {MOST_DOCUMENTS} documents")
        yield _Builder(file).build(document)


def _compose(file: str, text: str) -> Iterator[yaml.Node]:
    documents = yaml.compose_all(text, Loader=yaml.SafeLoader)
    while True:
        place, rule = Place(file, 1, 1), ""
        document = None
        try:
            document = next(documents, None)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            if mark is not None:
                place = Place(file, mark.line + 1, mark.column + 1)
            rule = "is not YAML; correct it here or just before"
        except (yaml.YAMLError, RecursionError):
            rule = "is not YAML"
        if rule:  # raised out here: the library's own error quotes the file
            raise place.refuse(rule)
        if document is None:
            return
        yield document
