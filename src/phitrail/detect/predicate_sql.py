"""A predicate as SQL: what `match` asks of a row, asked of a relation.

1. Values never stand in the text: they are parameters, in order.
2. A test of an absent field is false, not unknown.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field

from phitrail.detect.schema import FieldType, fields_of
from phitrail.detect.typed import All, Not, Op, Predicate, Test
from phitrail.events.codes import Log

_ORDERS = {Op.LT: "<", Op.LTE: "<=", Op.GT: ">", Op.GTE: ">="}
_ESCAPE = "!"
_ADDRESS = "^([0-9]{1,3}[.]){3}[0-9]{1,3}$"
"""Four numbers, as `match` reads them: another text is no address, whatever it begins with."""


@dataclass(slots=True)
class Text:
    """SQL in the making; parameters are noted as their places are written."""

    parameters: list[object] = field(default_factory=list)

    def bind(self, value: object) -> str:
        """Note a parameter; give what stands for it."""
        self.parameters.append(value)
        return "?"


def predicate_sql(text: Text, predicate: Predicate, log: Log) -> str:
    """Write a predicate over the events of a log."""
    if isinstance(predicate, Test):
        return _test(text, predicate, log)
    if isinstance(predicate, Not):
        return f"NOT ({predicate_sql(text, predicate.of, log)})"
    word = " AND " if isinstance(predicate, All) else " OR "
    return "(" + word.join(predicate_sql(text, one, log) for one in predicate.of) + ")"


def _test(text: Text, test: Test, log: Log) -> str:
    name = test.field
    if test.op is Op.EXISTS:
        return f"({name} IS {'NOT ' if test.value else ''}NULL)"
    if test.op is Op.FIELDREF:
        return f"COALESCE({name} = {test.value}, FALSE)"
    if fields_of(log)[name] is FieldType.TEXTS:
        inner = _fits(text, test, "x")
        return (
            f"COALESCE(ARRAY_LENGTH(LIST_FILTER({name}, lambda x: {inner})) > 0, FALSE)"
        )
    return f"COALESCE({_fits(text, test, name)}, FALSE)"


def _fits(text: Text, test: Test, name: str) -> str:
    if test.op in _ORDERS:
        return f"{name} {_ORDERS[test.op]} {text.bind(test.value)}"
    if test.op is Op.RE:
        return f"REGEXP_MATCHES({name}, {text.bind(test.value)})"
    if test.op is Op.CIDR:
        return _cidr(text, str(test.value), name)
    if not isinstance(test.value, str | tuple) or test.is_cased:
        left = name
    else:
        left = f"LOWER({name})"
    if isinstance(test.value, tuple):
        return f"{left} LIKE {text.bind(_pattern(test.value))} ESCAPE '{_ESCAPE}'"
    return f"{left} = {text.bind(test.value)}"


def _pattern(pieces: Sequence[str | int | None]) -> str:
    written = []
    for piece in pieces:
        if piece is None:
            written.append("%")
        elif isinstance(piece, int):
            written.append("_" * piece)
        else:
            literal = piece
            for char in (_ESCAPE, "%", "_"):
                literal = literal.replace(char, _ESCAPE + char)
            written.append(literal)
    return "".join(written)


def _cidr(text: Text, written: str, name: str) -> str:
    network = ipaddress.IPv4Network(written)
    parts = [
        f"TRY_CAST(SPLIT_PART({name}, '.', {place}) AS BIGINT) * {256 ** (4 - place)}"
        for place in range(1, 5)
    ]
    is_address = f"REGEXP_MATCHES({name}, {text.bind(_ADDRESS)})"
    low = text.bind(int(network.network_address))
    high = text.bind(int(network.broadcast_address))
    within = f"({' + '.join(parts)}) BETWEEN {low} AND {high}"
    return f"CASE WHEN {is_address} THEN {within} ELSE FALSE END"
