"""`--map FILE`: the caller's own word on what each field of the old system is.

    source: ward-logger            # names the old system; part of each derived event id
    built_in: true                 # false: the form's own map does not apply beneath
    time: {format: iso, zone: America/Chicago, fold: earlier}
    csv: {delimiter: ";"}
    chain: {hash: log_hash, previous: prev_hash}
    distinct_by: [part]
    fields:
      who: user_id
      what: {to: action, values: {rag_query: query}}
      notes: {to: record_ids, split: ","}
      question: query_text         # hashed, never kept
    constants: {department: cardiology}
    ignore: [hostname, debug.*]

Read strictly: YAML of plain scalars, lists and mappings, no anchors; an unknown or doubled
key is refused. An error names the line and the rule and quotes nothing.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, timedelta, timezone, tzinfo
from hashlib import sha256
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from phitrail.capture.history.built_in import built_in_map
from phitrail.capture.history.chain import ChainFields
from phitrail.capture.history.field_map import FieldMap, FieldRule
from phitrail.capture.history.form import HistoryForm
from phitrail.capture.history.targets import (
    KEYED_FIELDS,
    RECORD_COLUMNS,
    TARGETS,
    TEXTS,
)
from phitrail.errors import InputError

MAX_MAP_BYTES = 1 << 20
_OFFSET = re.compile(r"([+-])([01][0-9]|2[0-3]):([0-5][0-9])")
_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_COLUMNS = frozenset(RECORD_COLUMNS) - {"record_types"}
_NO_CONSTANT = frozenset({"timestamp_utc", "source_event_id", *TEXTS, *_COLUMNS})

_Put: TypeAlias = Callable[[FieldMap, Node], FieldMap]


def read_map(text: bytes, form: HistoryForm) -> FieldMap:
    """Read a map for one form; the form's own map applies beneath it.

    Raises:
        InputError: names the line of the map and the rule.
    """
    if len(text) > MAX_MAP_BYTES:
        raise InputError.for_field("--map", f"holds at most {MAX_MAP_BYTES} bytes")
    found = replace(built_in_map(form), digest=sha256(text).hexdigest())
    root = _compose(text)
    for name, key, value in _members(root):
        put = MAP_KEYS.get(name)
        if put is None:
            raise _at(key, f"not a key of a map; keys: {', '.join(MAP_KEYS)}")
        found = put(found, value)
    if not found.rules and not found.built_in:
        raise _at(root, "`fields` must say what at least one field is")
    return found


def _compose(text: bytes) -> Node:
    line, root = None, None
    try:
        decoded = text.decode()
        _refuse_anchors(decoded)
        root = yaml.compose(decoded, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = None if mark is None else mark.line + 1
        is_yaml = False
    else:
        is_yaml = True
    if not is_yaml:  # not raised in there: the library's error quotes the file
        place = "" if line is None else f"line {line}: "
        raise InputError.for_field("--map", f"{place}not YAML in UTF-8; correct it")
    if root is None:
        raise InputError.for_field("--map", "is empty")
    return root


def _refuse_anchors(text: str) -> None:
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if isinstance(token, yaml.AnchorToken | yaml.AliasToken | yaml.TagToken):
            line = token.start_mark.line + 1
            raise InputError.for_field(
                "--map", f"line {line}: anchors and tags are not read; write it out"
            )


def _at(node: Node, rule: str) -> InputError:
    return InputError.for_field("--map", f"line {node.start_mark.line + 1}: {rule}")


def _members(node: Node) -> Iterator[tuple[str, Node, Node]]:
    if not isinstance(node, MappingNode):
        raise _at(node, "must hold keys and values")
    seen: set[str] = set()
    for key, value in node.value:
        name = _text(key)
        if name in seen:
            raise _at(key, "this key stands there twice")
        seen.add(name)
        yield name, key, value


def _text(node: Node) -> str:
    if not isinstance(node, ScalarNode):
        raise _at(node, "must be one plain value")
    return str(node.value)


def _texts(node: Node) -> tuple[str, ...]:
    if not isinstance(node, SequenceNode):
        raise _at(node, "must be a list")
    return tuple(_text(item) for item in node.value)


def _flag(node: Node) -> bool:
    text = _text(node).casefold()
    if text not in ("true", "false"):
        raise _at(node, "must be true or false")
    return text == "true"


# --- the keys ---


def _put_source(found: FieldMap, node: Node) -> FieldMap:
    name = _text(node)
    if _SOURCE.fullmatch(name) is None:
        raise _at(node, "`source` is 1 to 64 characters: letters, digits, . _ : -")
    return replace(found, source=name)


def _put_built_in(found: FieldMap, node: Node) -> FieldMap:
    if _flag(node):
        return found
    return replace(found, built_in={}, built_in_ignored=frozenset())


def _put_time(found: FieldMap, node: Node) -> FieldMap:
    time = found.time
    for name, key, value in _members(node):
        text = _text(value)
        if name == "format":
            if text not in ("iso", "epoch_s", "epoch_ms") and "%" not in text:
                raise _at(
                    value, "`format`: iso, epoch_s, epoch_ms, or like %Y-%m-%d %H:%M"
                )
            time = replace(time, form=text)
        elif name == "zone":
            time = replace(time, zone=_zone(value))
        elif name == "fold" and text in ("earlier", "later"):
            time = replace(time, fold="earlier" if text == "earlier" else "later")
        else:
            raise _at(key, "`time` takes format, zone, and fold: earlier or later")
    return replace(found, time=time)


def _zone(node: Node) -> tzinfo:
    text = _text(node)
    if text == "UTC":
        return UTC
    offset = _OFFSET.fullmatch(text)
    if offset is not None:
        beside = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return timezone(-beside if offset[1] == "-" else beside)
    zone = None
    with suppress(ValueError, OSError, KeyError):  # unknown, a path, no zones here
        zone = ZoneInfo(text)
    if zone is None:
        raise _at(node, "`zone` is UTC, an offset like -05:00, or a name known here")
    return zone


def _put_csv(found: FieldMap, node: Node) -> FieldMap:
    for name, key, value in _members(node):
        if name != "delimiter":
            raise _at(key, "`csv` takes delimiter")
        text = {"tab": "\t", "\\t": "\t"}.get(_text(value), _text(value))
        if len(text) != 1 or text in '"\r\n':
            raise _at(value, "`delimiter` is one character, or tab")
        found = replace(found, delimiter=text)
    return found


def _put_chain(found: FieldMap, node: Node) -> FieldMap:
    names = {name: (key, _text(value)) for name, key, value in _members(node)}
    for name, (key, _) in names.items():
        if name not in ("hash", "previous"):
            raise _at(key, "`chain` takes hash and previous: names of fields")
    own = {name: text for name, (_, text) in names.items()}
    chain = ChainFields(
        hash=own.get("hash", found.chain.hash),
        previous=own.get("previous", found.chain.previous),
    )
    ignored = found.ignored | {chain.hash, chain.previous}
    return replace(found, chain=chain, ignored=ignored)


def _put_distinct_by(found: FieldMap, node: Node) -> FieldMap:
    return replace(found, distinct_by=(*found.distinct_by, *_texts(node)))


def _put_fields(found: FieldMap, node: Node) -> FieldMap:
    rules = {
        name: _rule(value, order - 1_000_000)  # before every built-in rule
        for order, (name, _, value) in enumerate(_members(node))
    }
    return replace(found, rules=rules)


def _rule(node: Node, order: int) -> FieldRule:
    if isinstance(node, ScalarNode):
        return FieldRule(_target(node), order=order)
    rule: dict[str, Any] = {"order": order}
    for name, key, value in _members(node):
        read = FIELD_KEYS.get(name)
        if read is None:
            raise _at(key, f"a field takes {', '.join(FIELD_KEYS)}")
        rule |= read(value)
    if "to" not in rule:
        raise _at(node, "a field needs `to`")
    if rule.get("is_keyed") and rule["to"] not in KEYED_FIELDS:
        raise _at(node, f"`keyed` is for: {', '.join(sorted(KEYED_FIELDS))}")
    return FieldRule(**rule)


def _target(node: Node) -> str:
    name = _text(node)
    if name not in TARGETS:
        raise _at(node, "not one of our fields; docs/importing.md lists them")
    return name


def _table(node: Node) -> Mapping[str, str]:
    return {name: _text(value) for name, _, value in _members(node)}


def _scale(node: Node) -> int:
    text = _text(node)
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 10**9:
        raise _at(node, "`scale` is a whole number from 1 to 10^9")
    return int(text)


def _split(node: Node) -> str:
    text = _text(node)
    if not text:
        raise _at(node, "`split` is what separates the parts")
    return text


FIELD_KEYS: Mapping[str, Callable[[Node], dict[str, Any]]] = {
    "to": lambda node: {"to": _target(node)},
    "values": lambda node: {"values": _table(node)},
    "split": lambda node: {"split": _split(node)},
    "scale": lambda node: {"scale": _scale(node)},
    "keyed": lambda node: {"is_keyed": _flag(node)},
    "or_leave_out": lambda node: {"or_leave_out": _flag(node)},
}


def _put_constants(found: FieldMap, node: Node) -> FieldMap:
    constants: dict[str, str] = {}
    for name, key, value in _members(node):
        if name not in TARGETS or name in _NO_CONSTANT:
            raise _at(key, "no field that can be the same for all entries")
        constants[name] = _text(value)
    return replace(found, constants=constants)


def _put_ignore(found: FieldMap, node: Node) -> FieldMap:
    return replace(found, ignored=found.ignored | frozenset(_texts(node)))


MAP_KEYS: Mapping[str, _Put] = {
    "source": _put_source,
    "built_in": _put_built_in,
    "time": _put_time,
    "csv": _put_csv,
    "chain": _put_chain,
    "distinct_by": _put_distinct_by,
    "fields": _put_fields,
    "constants": _put_constants,
    "ignore": _put_ignore,
}
