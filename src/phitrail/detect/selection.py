"""A selection of a Sigma rule as a predicate: fields, modifiers, values.

1. A mapping asks for all of its fields; a list of mappings for one of them. A list of values
   asks for one of them, with `all` for every one.
2. Modifiers (Sigma 2.1): `contains`, `startswith`, `endswith`, `exists`, `cased`, `neq`, `all`,
   `re`, `lt`, `lte`, `gt`, `gte`, `cidr`, `fieldref`, `expand`. Others are refused: encodings
   stand for content, which no log of ours holds; `hour` and its like know no time zone, for
   which there are `local_hour` and `time_band`.
3. `*` is any text and `?` any character in a value; a backslash before them takes that away.
4. A field must be one of the log's (`detect.schema`), and the value must fit what it holds.
5. `null` is absence.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from phitrail.detect.linear_regex import check_regex
from phitrail.detect.schema import FieldType
from phitrail.detect.source import Node, Place, Scalar
from phitrail.detect.typed import All, Any, Not, Op, Predicate, Test
from phitrail.errors import InputError

MOST_VALUES = 1_000
MOST_CHARS = 512
_ORDERS = {"lt": Op.LT, "lte": Op.LTE, "gt": Op.GT, "gte": Op.GTE}
_AROUND = {
    "contains": (True, True),
    "startswith": (False, True),
    "endswith": (True, False),
}
_KNOWN = frozenset(
    {
        *_ORDERS,
        *_AROUND,
        "exists",
        "cased",
        "neq",
        "all",
        "re",
        "cidr",
        "fieldref",
        "expand",
    }
)
_ALONE = frozenset({*_ORDERS, *_AROUND, "exists", "re", "cidr", "fieldref"})


@dataclass(frozen=True, slots=True)
class Terms:
    """What selections are read against: the fields of the log, and `expand` lists."""

    fields: Mapping[str, FieldType]
    placeholders: Mapping[str, Sequence[str]]


def read_selection(node: Node, terms: Terms) -> Predicate:
    """Read one selection.

    Raises:
        InputError: names the place and the rule that is broken.
    """
    if isinstance(node.value, tuple):
        if not node.value:
            raise node.place.refuse("a selection must ask for something")
        parts = tuple(read_selection(one, terms) for one in node.value)
        return parts[0] if len(parts) == 1 else Any(parts)
    if not isinstance(node.value, dict):
        raise node.place.refuse(
            "must be fields and values: key words search text, and no log holds any"
        )
    if not node.value:
        raise node.place.refuse("a selection must ask for something")
    tests = tuple(_field(key, value, terms) for key, value in node.value.items())
    return tests[0] if len(tests) == 1 else All(tests)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One key of a selection: which field, and what is done to the values."""

    field: str
    kind: FieldType
    modifiers: frozenset[str]
    place: Place

    @property
    def is_cased(self) -> bool:
        return "cased" in self.modifiers


def _field(key: str, node: Node, terms: Terms) -> Predicate:
    name, *modifiers = key.split("|")
    kind = terms.fields.get(name)
    if kind is None:
        raise node.place.refuse(
            "names a field that events of this log do not have; see `phitrail rule fields`"
        )
    for number, one in enumerate(modifiers, start=1):
        if one not in _KNOWN:
            raise node.place.refuse(f"modifier {number} of its key is not supported")
    if len(_ALONE & set(modifiers)) > 1 or len(set(modifiers)) < len(modifiers):
        raise node.place.refuse("its modifiers do not go together")
    asked = _Asked(name, kind, frozenset(modifiers), node.place)
    values = node.value if isinstance(node.value, tuple) else (node,)
    if not 1 <= len(values) <= MOST_VALUES:
        raise node.place.refuse(f"must have 1 to {MOST_VALUES} values")
    tests = [test for value in values for test in _tests(asked, value, terms)]
    joined: Predicate = tests[0]
    if len(tests) > 1:
        joined = All(tuple(tests)) if "all" in asked.modifiers else Any(tuple(tests))
    return Not(joined) if "neq" in asked.modifiers else joined


def _tests(asked: _Asked, node: Node, terms: Terms) -> list[Predicate]:
    value = node.value
    if isinstance(value, tuple | dict):
        raise node.place.refuse("must be a single value")
    if "expand" in asked.modifiers:
        listed = _expanded(value, node.place, terms)
        return [
            _listed(asked, one, number, node.place)
            for number, one in enumerate(listed, start=1)
        ]
    return [_test(asked, value, node.place, terms)]


def _listed(asked: _Asked, value: str, number: int, place: Place) -> Predicate:
    """Read a value of a list; what is wrong with it is told by its place in the list."""
    wrong = ""
    try:
        return _test(asked, value, place)
    except InputError as error:
        wrong = error.rule
    raise place.refuse(f"{asked.field}: value number {number} of its list: {wrong}")


def _expanded(value: Scalar, place: Place, terms: Terms) -> Sequence[str]:
    if not isinstance(value, str) or len(value) < 3 or value[0] + value[-1] != "%%":  # noqa: PLR2004 - %x%
        raise place.refuse("expand takes one placeholder, as %roles_on_call%")
    found = terms.placeholders.get(value[1:-1])
    if not found:
        raise place.refuse("names a placeholder that has no list in tenant.yaml")
    return found


def _test(
    asked: _Asked, value: Scalar, place: Place, terms: Terms | None = None
) -> Predicate:
    field, modifiers = asked.field, asked.modifiers
    if "exists" in modifiers:
        if not isinstance(value, bool):
            raise place.refuse("exists takes true or false")
        return Test(field, Op.EXISTS, value)
    if value is None:
        if modifiers - {"neq", "all"}:
            raise place.refuse("null goes with no modifier")
        return Test(field, Op.EXISTS, False)
    for name, op in _ORDERS.items():
        if name in modifiers:
            return Test(field, op, _whole(asked, value, place))
    if "fieldref" in modifiers:
        return _reference(asked, value, place, terms)
    if asked.kind in {FieldType.WHOLE, FieldType.TRUTH}:
        return _plain(asked, value, place)
    return _text(asked, value, place)


def _plain(asked: _Asked, value: Scalar, place: Place) -> Predicate:
    if asked.modifiers & {*_AROUND, "re", "cidr", "cased"}:
        raise place.refuse("its modifiers are for text, and the field holds none")
    if asked.kind is FieldType.WHOLE:
        return Test(asked.field, Op.EQ, _whole(asked, value, place))
    if not isinstance(value, bool):
        raise place.refuse("the field holds true or false")
    return Test(asked.field, Op.EQ, value)


def _text(asked: _Asked, value: Scalar, place: Place) -> Predicate:
    if isinstance(value, bool | float):
        raise place.refuse("the field holds text; put the value into quotes")
    text = str(value)
    if len(text) > MOST_CHARS:
        raise place.refuse(f"must have at most {MOST_CHARS} characters")
    if "re" in asked.modifiers:
        check_regex(text, place)
        return Test(asked.field, Op.RE, text, is_cased=True)
    if "cidr" in asked.modifiers:
        return _cidr(asked, text, place)
    before, after = False, False
    for name, around in _AROUND.items():
        if name in asked.modifiers:
            before, after = around
    pieces = _pieces(text, before=before, after=after)
    if not asked.is_cased:
        pieces = [p.lower() if isinstance(p, str) else p for p in pieces]
    if all(isinstance(piece, str) for piece in pieces):
        whole = "".join(str(piece) for piece in pieces)
        return Test(asked.field, Op.EQ, whole, asked.is_cased)
    return Test(asked.field, Op.LIKE, tuple(pieces), asked.is_cased)


def _pieces(text: str, *, before: bool, after: bool) -> list[str | int | None]:
    """Cut a value at its wildcards: literal text, None for `*`, a count for `?`s."""
    pieces: list[str | int | None] = [None] if before else []
    literal, at = "", 0
    while at < len(text):
        char = text[at]
        if char == "\\" and text[at + 1 : at + 2] in {"*", "?", "\\"}:
            literal += text[at + 1]
            at += 2
            continue
        if char in "*?":
            if literal:
                pieces.append(literal)
                literal = ""
            last = pieces[-1] if pieces else ""
            if char == "*":
                if last is not None:
                    pieces.append(None)
            elif isinstance(last, int):
                pieces[-1] = last + 1
            else:
                pieces.append(1)
        else:
            literal += char
        at += 1
    if literal or not pieces:
        pieces.append(literal)
    if after and pieces[-1] is not None:
        pieces.append(None)
    return pieces


def _cidr(asked: _Asked, text: str, place: Place) -> Predicate:
    network = None
    with suppress(ValueError):
        network = ipaddress.IPv4Network(text, strict=False)
    if network is None:
        raise place.refuse("cidr takes an IPv4 network, as 10.1.0.0/16")
    return Test(asked.field, Op.CIDR, str(network))


def _reference(
    asked: _Asked, value: Scalar, place: Place, terms: Terms | None
) -> Predicate:
    kind = None
    if isinstance(value, str) and terms is not None:
        kind = terms.fields.get(value)
    if kind is not asked.kind or kind is FieldType.TEXTS or not isinstance(value, str):
        raise place.refuse("fieldref takes a field of the same kind, and no list")
    return Test(asked.field, Op.FIELDREF, value, is_cased=True)


def _whole(asked: _Asked, value: Scalar, place: Place) -> int:
    if asked.kind is not FieldType.WHOLE:
        raise place.refuse("only fields that hold whole numbers are ordered")
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 1 << 53:
        raise place.refuse("the field holds whole numbers below 2^53")
    return value
