"""One entry of an old system's log, as data: paths and values, whatever its form was.

1. Nested objects become dotted paths (`user.id`); a list of objects becomes a column for
   each path (`resources[].id`), as long as the list, `None` where an object lacks it.
2. `null`, empty strings, empty lists and empty objects say nothing and are absent.
3. An object that names a field twice has two readings and is refused, as are fields that
   would share a path, more than 500 paths, and nesting deeper than 24.

Values are foreign and may name anybody: nothing here prints one. What a field means is
decided by `field_map`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from phitrail.errors import InputError

MAX_PATHS = 500
MAX_DEPTH = 24

Value: TypeAlias = "str | int | float | bool | tuple[Value, ...] | None"

_OPAQUE: Value = ((),)
"""Stands for a list of mixed or nested things: present, and nothing that can be mapped."""


@dataclass(frozen=True, slots=True)
class ForeignEntry:
    """One entry that could be read.

    Attributes:
        number: its line, or its place in the document, from 1.
        fields: path to value.
        plain: the entry as it was written, for the check of its own hash; `None` where
            the form cannot carry one.
    """

    number: int
    fields: Mapping[str, Value]
    plain: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One entry that could not be read, by number; the error names field and rule."""

    number: int
    error: InputError


Read: TypeAlias = ForeignEntry | Unreadable


def decode_object(text: bytes) -> dict[str, Any]:
    """Decode one JSON object as Python's own reader does, since old chains hash that.

    Raises:
        InputError: it is none, or names a field twice.
    """
    rule = "must be one JSON object in UTF-8"
    try:
        plain = json.loads(text.decode(), object_pairs_hook=_unique)
        if isinstance(plain, dict):
            return plain
    except _TwiceError:
        rule = "names a field twice in one object, so it has two readings"
    except (ValueError, RecursionError):
        pass
    # Not raised in there: the error of the library would go along, and quotes its input.
    raise InputError.for_field("(entry)", rule)


def flatten(plain: Mapping[str, Any]) -> dict[str, Value]:
    """Turn an object into paths and values.

    Raises:
        InputError: paths clash, are too many, or the nesting is too deep.
    """
    fields: dict[str, Value] = {}
    _flatten(plain, "", fields, 0)
    return fields


class _TwiceError(Exception):
    """A name stands twice in one object."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _TwiceError
    return found


def _flatten(
    plain: Mapping[str, Any], prefix: str, fields: dict[str, Value], depth: int
) -> None:
    if depth > MAX_DEPTH:
        raise InputError.for_field("(entry)", f"nests deeper than {MAX_DEPTH}")
    for name, value in plain.items():
        path = prefix + name
        if isinstance(value, dict):
            _flatten(value, path + ".", fields, depth + 1)
        elif isinstance(value, list):
            _flatten_list(value, path, fields, depth + 1)
        elif value is not None and value != "":
            _put(fields, path, value)


def _flatten_list(
    items: list[Any], path: str, fields: dict[str, Value], depth: int
) -> None:
    if not items:
        return
    if not all(isinstance(item, dict) for item in items):
        _put(fields, path, tuple(map(_row, items)))
        return
    rows: list[dict[str, Value]] = []
    columns: dict[str, None] = {}
    for item in items:
        row: dict[str, Value] = {}
        _flatten(item, "", row, depth)
        rows.append(row)
        columns.update(dict.fromkeys(row))
        if len(columns) > MAX_PATHS:
            raise _too_many()
    for column in columns:
        _put(fields, f"{path}[].{column}", tuple(row.get(column) for row in rows))


def _row(item: object) -> Value:
    """Keep a scalar, or a list of scalars as a row; anything else is opaque."""
    if item is None or isinstance(item, str | int | float):
        return item
    if isinstance(item, list) and all(
        part is None or isinstance(part, str | int | float) for part in item
    ):
        return tuple(item)
    return _OPAQUE


def _put(fields: dict[str, Value], path: str, value: Value) -> None:
    if path in fields:
        raise InputError.for_field("(entry)", "two of its fields share one path")
    if len(fields) >= MAX_PATHS:
        raise _too_many()
    fields[path] = value


def _too_many() -> InputError:
    return InputError.for_field("(entry)", f"has more than {MAX_PATHS} fields")
