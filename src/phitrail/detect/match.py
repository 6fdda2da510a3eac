"""A predicate as a function of a row: the tail's way to ask what `sql` asks of a table.

A row gives by the name of a field text, a whole number, true or false, or a tuple of text; a
field that is absent gives None. Absent fits no test but `exists: false`. Text is
compared in ASCII lower case unless the test is cased.
"""

import ipaddress
import re
from collections.abc import Callable
from typing import Protocol, TypeAlias

from phitrail.detect.typed import All, Any, Not, Op, Predicate, Test


class Row(Protocol):
    """What is judged: a record of a log (`row.Row`), or what a rule said of a group."""

    def get(self, name: str, /) -> object:
        """Return what a field holds; None where it is absent."""


Matches: TypeAlias = Callable[[Row], bool]
_Fits: TypeAlias = Callable[[object], bool]
MOST_KNOWN = 1_024
"""So many values of a field are answered without a look: most are of a short list."""


def compile_predicate(predicate: Predicate) -> Matches:
    """Make the function that says whether a row fits."""
    if isinstance(predicate, Test):
        return _compile_test(predicate)
    if isinstance(predicate, Not):
        inner = compile_predicate(predicate.of)
        return lambda row: not inner(row)
    if isinstance(predicate, Any) and (one_of := _one_of(predicate)) is not None:
        return one_of
    parts = tuple(compile_predicate(one) for one in predicate.of)
    if len(parts) == 1:
        return parts[0]
    return _every(parts) if isinstance(predicate, All) else _some(parts)


def given(predicate: Predicate, field: str, value: object) -> Predicate | bool:
    """Say what is left of a predicate where a field is known, or what it comes to."""
    if isinstance(predicate, Test):
        if predicate.field != field or predicate.op is Op.FIELDREF:
            return predicate
        return _compile_test(predicate)({field: value})
    if isinstance(predicate, Not):
        inner = given(predicate.of, field, value)
        return not inner if isinstance(inner, bool) else Not(inner)
    decides = isinstance(predicate, Any)
    left = []
    for part in predicate.of:
        one = given(part, field, value)
        if one is decides:
            return decides
        if not isinstance(one, bool):
            left.append(one)
    if not left:
        return not decides
    return Any(tuple(left)) if decides else All(tuple(left))


def _every(parts: tuple[Matches, ...]) -> Matches:
    def matches(row: Row) -> bool:
        for part in parts:  # noqa: SIM110 - a generator would cost more than the tests
            if not part(row):
                return False
        return True

    return matches


def _some(parts: tuple[Matches, ...]) -> Matches:
    def matches(row: Row) -> bool:
        for part in parts:  # noqa: SIM110 - a generator would cost more than the tests
            if part(row):
                return True
        return False

    return matches


def _one_of(predicate: Any) -> Matches | None:
    """Make one look-up of many values of one field; None where they are something else."""
    values, fields = set(), set()
    for one in predicate.of:
        if not isinstance(one, Test) or one.op is not Op.EQ or one.is_cased:
            return None
        if not isinstance(one.value, str):
            return None
        fields.add(one.field)
        values.add(one.value)
    if len(fields) != 1:
        return None
    (field,), wanted = fields, frozenset(values)
    return _of_field(
        field,
        lambda value: str(value) in wanted or ascii_lower(str(value)) in wanted,
    )


def _compile_test(test: Test) -> Matches:
    field = test.field
    if test.op is Op.EXISTS:
        is_wanted = test.value
        return lambda row: (row.get(field) is not None) is is_wanted
    if test.op is Op.FIELDREF:
        other = str(test.value)
        return lambda row: (
            row.get(field) is not None and row.get(field) == row.get(other)
        )
    return _of_field(field, _fits(test))


def _of_field(field: str, fits: _Fits) -> Matches:
    """Ask of a field's value, or of one in its list; what was answered is kept a while."""
    known: dict[object, bool] = {}

    def matches(row: Row) -> bool:
        value = row.get(field)
        if value is None:
            return False
        answer = known.get(value)
        if answer is None:
            if len(known) >= MOST_KNOWN:
                known.clear()
            if isinstance(value, tuple):
                answer = any(fits(one) for one in value)
            else:
                answer = fits(value)
            known[value] = answer
        return answer

    return matches


def _fits(test: Test) -> _Fits:
    if test.op is Op.LIKE:
        return _like(test)
    if test.op is Op.RE:
        search = re.compile(str(test.value), re.ASCII).search
        return lambda value: search(str(value)) is not None
    if test.op is Op.CIDR:
        return _cidr(str(test.value))
    if test.op is Op.EQ:
        wanted = test.value
        if isinstance(wanted, str) and not test.is_cased:
            return lambda value: value == wanted or ascii_lower(str(value)) == wanted
        return lambda value: value == wanted
    return _ordered(test)


def _ordered(test: Test) -> _Fits:
    number = test.value
    assert isinstance(number, int)  # noqa: S101 - `selection` reads no other
    if test.op is Op.LT:
        return lambda value: isinstance(value, int) and value < number
    if test.op is Op.LTE:
        return lambda value: isinstance(value, int) and value <= number
    if test.op is Op.GT:
        return lambda value: isinstance(value, int) and value > number
    return lambda value: isinstance(value, int) and value >= number


def ascii_lower(text: str) -> str:
    """Lower A to Z and nothing else, as the tables do for what a log holds."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def _like(test: Test) -> _Fits:
    """Match literal pieces from left to right: linear, whatever the stars."""
    assert isinstance(test.value, tuple)  # noqa: S101 - `selection` reads no other
    runs: list[list[str | int]] = [[]]
    for piece in test.value:
        if piece is None:
            runs.append([])
        else:
            runs[-1].append(piece)
    flags = re.DOTALL
    parts = [
        re.compile(
            "".join(re.escape(p) if isinstance(p, str) else "." * p for p in run), flags
        )
        for run in runs
    ]
    lengths = [sum(len(p) if isinstance(p, str) else p for p in run) for run in runs]
    is_cased = test.is_cased

    def fits(value: object) -> bool:
        text = str(value) if is_cased else ascii_lower(str(value))
        if len(parts) == 1:
            return parts[0].fullmatch(text) is not None
        if parts[0].match(text) is None:
            return False
        at, end = lengths[0], len(text) - lengths[-1]
        for part, length in zip(parts[1:-1], lengths[1:-1], strict=True):
            found = part.search(text, at)
            if found is None:
                return False
            at = found.start() + length
        return at <= end and parts[-1].fullmatch(text, end) is not None

    return fits


_ADDRESS = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})")


def _cidr(written: str) -> _Fits:
    network = ipaddress.IPv4Network(written)
    low, high = int(network.network_address), int(network.broadcast_address)

    def fits(value: object) -> bool:
        match = _ADDRESS.fullmatch(str(value))
        if match is None:
            return False
        number = 0
        for part in match.groups():
            number = number * 256 + int(part)
        return low <= number <= high

    return fits
