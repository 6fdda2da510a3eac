"""The field policy, compiled from the types: what each field of a record may hold.

The annotations of a record type are the policy (`phitrail.events.shapes`). They are turned
into one check a field, once for each type, so that a record costs a few microseconds and
a refusal names the field and its rule, never the value. The decoder of the same types
enforces the same policy on bytes that are read; a test holds the two together.

Strings that repeat (codes, roles, models, session ids) are looked up in a small set for
each field before its check runs: codes stand in it from the start, the first few hundred
accepted strings are kept in it.
"""

import re
import types
from collections.abc import Callable
from enum import EnumType, StrEnum
from typing import Annotated, Any, NamedTuple, TypeAlias, Union, get_args, get_origin

import msgspec

from phitrail.errors import InputError
from phitrail.events.protected import Protected

REMEMBERED_VALUES = 256

Check: TypeAlias = Callable[[Any], bool]


class Policy(NamedTuple):
    """The rules of one record type, field by field, each kind of fact in a row of its own.

    Attributes:
        names: the fields, in their order.
        kinds: the type, beside `str`, whose values may be looked up in `known`.
        known: values that were found good before, codes from the start.
        checks: says whether a value is admitted.
        rules: the same in words.
        required: the places of fields that must be there.
    """

    names: tuple[str, ...]
    kinds: tuple[type, ...]
    known: tuple[set[object], ...]
    checks: tuple[Check, ...]
    rules: tuple[str, ...]
    required: tuple[int, ...]


def compile_policy(record_type: Any) -> Policy:  # noqa: ANN401 - a type expression
    """Turn the annotations of a record type into its policy."""
    fields = msgspec.structs.fields(record_type)
    infos = [_wanted(msgspec.inspect.type_info(field.type)) for field in fields]
    # A code may be given as its plain string: it is the same JSON.
    kinds = [i.cls if isinstance(i, msgspec.inspect.EnumType) else str for i in infos]
    known: list[set[object]] = [
        set(info.cls) if isinstance(info, msgspec.inspect.EnumType) else set()
        for info in infos
    ]
    return Policy(
        tuple(field.name for field in fields),
        tuple(kinds),
        tuple(known),
        tuple(map(_check_of, infos, known)),
        tuple(rule_of(field.type) for field in fields),
        tuple(place for place, field in enumerate(fields) if field.required),
    )


def check_fields(record: msgspec.Struct, policy: Policy) -> None:
    """Refuse a record with a field that its rule does not admit.

    Raises:
        InputError: names the first such field and its rule.
    """
    values = msgspec.structs.astuple(record)
    for place in policy.required:
        if values[place] is None:
            raise InputError.for_field(policy.names[place], "must be present")
    _, kinds, known, checks, _, _ = policy
    for place, value in enumerate(values):
        if value is None:
            continue
        kind = type(value)
        if (kind is str or kind is kinds[place]) and value in known[place]:
            continue
        if not checks[place](value):
            raise InputError.for_field(policy.names[place], policy.rules[place])


def _wanted(info: msgspec.inspect.Type) -> msgspec.inspect.Type:
    """Strip what does not bear on the check: `None`, and annotations of words."""
    if isinstance(info, msgspec.inspect.UnionType):
        return _wanted(
            next(o for o in info.types if not isinstance(o, msgspec.inspect.NoneType))
        )
    return _wanted(info.type) if isinstance(info, msgspec.inspect.Metadata) else info


def _check_of(info: msgspec.inspect.Type, known: set[object]) -> Check:
    match info:
        case msgspec.inspect.StrType(pattern=None):
            return lambda value: type(value) is str
        case msgspec.inspect.StrType(pattern=str() as pattern):
            return _pattern_check(pattern, known)
        case msgspec.inspect.EnumType(cls=cls):
            # A member, or its plain text: callers of the SDK write the text.
            terms = frozenset(cls)
            return lambda value: type(value) in (cls, str) and value in terms
        case msgspec.inspect.BoolType():
            return lambda value: type(value) is bool
        case msgspec.inspect.IntType(ge=int() as low, le=int() as high):
            return lambda value: type(value) is int and low <= value <= high
        case msgspec.inspect.VarTupleType(
            item_type=msgspec.inspect.TupleType(item_types=items)
        ) if all(isinstance(_wanted(i), msgspec.inspect.StrType) for i in items):
            return _string_rows_check(tuple(_pattern_of(_wanted(i)) for i in items))
        case msgspec.inspect.VarTupleType(item_type=item):
            return _list_check(_check_of(_wanted(item), set()))
        case msgspec.inspect.TupleType(item_types=items):
            return _tuple_check(tuple(_check_of(_wanted(i), set()) for i in items))
        case _:
            raise TypeError(f"a field has a type without a policy: {info!r}")


def _pattern_check(pattern: str, known: set[object]) -> Check:
    matches = re.compile(pattern).fullmatch

    def is_admitted(value: object) -> bool:
        if type(value) is not str or matches(value) is None:
            return False
        if len(known) < REMEMBERED_VALUES:
            known.add(value)
        return True

    return is_admitted


def _list_check(item: Check) -> Check:
    def is_admitted(value: object) -> bool:
        if type(value) is not tuple:
            return False
        for part in value:  # noqa: SIM110 - a generator would double its cost
            if not item(part):
                return False
        return True

    return is_admitted


def _pattern_of(info: msgspec.inspect.Type) -> str:
    """Give the pattern of a string type, for use within a larger pattern."""
    pattern = info.pattern if isinstance(info, msgspec.inspect.StrType) else None
    if pattern is None:
        return f"[^{_BETWEEN}]*"
    return f"(?:{pattern.removeprefix(_START).removesuffix(_END)})"


_START, _END = r"\A", r"\Z"
_BETWEEN = "\x00"


def _string_rows_check(patterns: tuple[str, ...]) -> Check:
    """Check rows of strings with one match of all of them, put end to end."""
    row = "".join(pattern + _BETWEEN for pattern in patterns)
    matches = re.compile(f"(?:{row})*").fullmatch
    width = len(patterns)

    def is_admitted(value: object) -> bool:
        if type(value) is not tuple:
            return False
        parts: list[str] = []
        for part in value:
            if type(part) is not tuple or len(part) != width:
                return False
            parts += part
        try:
            text = _BETWEEN.join((*parts, ""))
        except TypeError:  # a part is no string
            return False
        return text.count(_BETWEEN) == len(parts) and matches(text) is not None

    return is_admitted


def _tuple_check(items: tuple[Check, ...]) -> Check:
    count = len(items)

    def is_admitted(value: object) -> bool:
        if type(value) is not tuple or len(value) != count:
            return False
        for check, part in zip(items, value, strict=True):  # noqa: SIM110 - as above
            if not check(part):
                return False
        return True

    return is_admitted


def rule_of(field_type: Any) -> str:  # noqa: ANN401 - a type expression
    """Say in words what a field may hold."""
    if field_type is bool:
        return "true or false"
    if field_type is str:
        return "a string"
    if isinstance(field_type, EnumType) and issubclass(field_type, StrEnum):
        return "one of: " + ", ".join(field_type)
    origin, arguments = get_origin(field_type), get_args(field_type)
    if origin is Annotated:
        return str(arguments[1].description)
    if origin is Protected:
        return "an identifier, as a string"
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            return f"a list; each: {rule_of(arguments[0])}"
        return f"[{', '.join(rule_of(a) for a in arguments)}]"
    if origin in (Union, types.UnionType):
        return rule_of(arguments[0])
    return "a value of its type"
