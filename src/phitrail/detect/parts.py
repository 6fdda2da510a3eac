"""The small parts that rule files are made of: texts, codes, spans, ids, paragraphs of law.

Each is read from a node and refused with its place, and nothing of what stands there.
"""

import re
import uuid
from collections.abc import Collection, Mapping
from contextlib import suppress
from enum import StrEnum
from typing import TypeVar, get_args

from phitrail.detect.source import Node, Place
from phitrail.events.shapes import Citation

_CodeT = TypeVar("_CodeT", bound=StrEnum)
_CITATION = re.compile(get_args(Citation)[1].pattern)
_SPAN = re.compile(r"([1-9][0-9]{0,5})([smhd])", re.ASCII)
_UNIT_US = {"s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
MOST_SPAN_US = 31 * _UNIT_US["d"]


def check_names(keys: Mapping[str, Node], known: frozenset[str]) -> None:
    """Refuse a key that is none of the known ones, by its number.

    Raises:
        InputError: says which key, and which are known.
    """
    for number, (name, node) in enumerate(keys.items(), start=1):
        if name not in known:
            raise node.place.refuse(
                f"key number {number} is unknown here; known: {', '.join(sorted(known))}"
            )


def read_uuid(node: Node) -> str:
    """Read an id.

    Raises:
        InputError: it is no UUID.
    """
    written, rule_id = node.text("id"), None
    with suppress(ValueError):
        rule_id = str(uuid.UUID(written))
    if rule_id is None:
        raise node.place.refuse("must be a UUID")
    return rule_id


def read_code(node: Node, codes: type[_CodeT]) -> _CodeT:
    """Read one of a list of codes.

    Raises:
        InputError: it is none of them.
    """
    for one in codes:
        if one.value == node.value:
            return one
    raise node.place.refuse(f"must be one of {', '.join(one.value for one in codes)}")


def read_span(node: Node) -> int:
    """Read a time span, in microseconds.

    Raises:
        InputError: it is none, or too long.
    """
    match = _SPAN.fullmatch(node.value) if isinstance(node.value, str) else None
    if match is None or int(match[1]) * _UNIT_US[match[2]] > MOST_SPAN_US:
        raise node.place.refuse("must be a number and s, m, h or d, 31 days at most")
    return int(match[1]) * _UNIT_US[match[2]]


def read_texts(node: Node | None) -> tuple[str, ...]:
    """Read a text or a list of them; nothing where there is none.

    Raises:
        InputError: it is neither.
    """
    if node is None:
        return ()
    if isinstance(node.value, str):
        return (node.text("this"),)
    return tuple(one.text("each of these") for one in node.items("this"))


def read_listed(node: Node | None, known: Collection[str]) -> tuple[str, ...]:
    """Read words of a list that is known; nothing where there is none.

    Raises:
        InputError: one of them is not of the list.
    """
    words = read_texts(node)
    if node is not None and not set(words) <= set(known):
        raise node.place.refuse(f"must be of {', '.join(known)}")
    return words


def optional_text(keys: Mapping[str, Node], name: str) -> str:
    """Read a text that may be left out.

    Raises:
        InputError: it is no text.
    """
    return keys[name].text(name) if name in keys else ""


def needed(place: Place, keys: Mapping[str, Node], name: str) -> Node:
    """Return what a mapping must have.

    Raises:
        InputError: it lacks it.
    """
    if name not in keys:
        raise place.refuse(f"lacks {name}")
    return keys[name]


def read_truth(node: Node | None) -> bool:
    """Read true or false; false where there is nothing.

    Raises:
        InputError: it is neither.
    """
    if node is not None and not isinstance(node.value, bool):
        raise node.place.refuse("must be true or false")
    return node is not None and node.value is True


def read_citations(node: Node | None) -> tuple[str, ...]:
    """Read paragraphs of the CFR.

    Raises:
        InputError: one of them is none.
    """
    controls = read_texts(node)
    if node is not None and not all(_CITATION.fullmatch(one) for one in controls):
        raise node.place.refuse("must be paragraphs of the CFR, such as 164.312(b)")
    return controls
