"""A foreign entry becomes one native line, which the one door then checks like any other.

1. Of several paths for one of our fields, the first that fits counts. What was neither
   mapped nor ignored on purpose never lands; it is counted by name (`shown_name`).
2. Free text never lands: it refuses its entry, or is hashed under the tenant's key.
3. A foreign hash of a text can be guessed where it is not keyed, so it is hashed like a
   text itself: whoever pastes the old hash finds the event, whoever reads learns nothing.
4. Their id goes to `source_event_id` where its shape fits, else as `keyed:<HMAC>`.
5. Our id is derived from source, form (JSON lines are one form, with a chain or not) and
   their id (and the fields of `distinct_by`), or, where there is none, from the whole
   entry; it leads with the entry's time. So it is one event however often it comes.
6. An entry without a time is refused: the time of its import would be a false one.
"""

import ipaddress
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple, get_args

import msgspec
from msgspec import Meta

from phitrail.capture.history.entry import ForeignEntry, Value
from phitrail.capture.history.field_map import Fate, FieldMap, FieldRule, shown_name
from phitrail.capture.history.records import record_triples, resource_type_of
from phitrail.capture.history.targets import (
    EVENT_TYPE_OF_ACTION,
    RECORD_COLUMNS,
    TARGETS,
    TEXTS,
    Kind,
)
from phitrail.capture.text_hash import TextHasher
from phitrail.errors import InputError
from phitrail.events.codes import (
    Action,
    ActorType,
    EventType,
    Outcome,
    PurposeOfUse,
)
from phitrail.events.ids import RANDOM_BYTES, new_uuid7, parse_time
from phitrail.events.shapes import ForeignId, Term
from phitrail.keys.spelling import base64url

MAX_LEFT_OUT_NAMES = 300
FURTHER = "(further fields)"
ENTRY_DOMAIN = b"phitrail/history-entry/v1|"
ID_DOMAIN = b"phitrail/history-id/v1|"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_CODES: Mapping[str, frozenset[str]] = {
    "event_type": frozenset(EventType),
    "action": frozenset(Action),
    "actor_type": frozenset(ActorType),
    "outcome": frozenset(Outcome),
    "purpose_of_use": frozenset(PurposeOfUse),
}


def _shape(annotated: Any) -> re.Pattern[str]:  # noqa: ANN401 - a type expression
    rule: Meta = get_args(annotated)[1]
    return re.compile(rule.pattern or "")


_FOREIGN_ID = _shape(ForeignId)
_TERM = _shape(Term)


class _Given(NamedTuple):
    """One path of an entry that is mapped: its rule, name as shown, and value."""

    rule: FieldRule
    name: str
    value: Value


class _UnfitError(Exception):
    """A value does not fit its field; the argument is the rule it breaks."""


@dataclass(slots=True)
class LineMaker:
    """Makes native lines of one file's entries, and counts what they leave out.

    Attributes:
        field_map: what each path is.
        hasher: hashes texts.
        keyed: a keyed hash of 32 bytes.
        actions: the tenant's own names of actions.
        left_out: names of paths that were not taken in, and how often.
        first_time: the earliest time of an entry, in our form.
        last_time: the latest.
    """

    field_map: FieldMap
    hasher: TextHasher
    keyed: Callable[[bytes], bytes]
    actions: Mapping[str, Action]
    left_out: Counter[str] = field(default_factory=Counter)
    first_time: str | None = None
    last_time: str | None = None
    _constants: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for to, written in self.field_map.constants.items():
            given = [_Given(FieldRule(to), f"constants.{to}", written)]
            self._constants[to] = self._first_that_fits(given)

    def line(self, entry: ForeignEntry) -> bytes | InputError:
        """Make the native line of an entry, or say why there is none."""
        try:
            native = self._native(entry)
        except InputError as error:
            return error
        with suppress(msgspec.MsgspecError, ValueError, OverflowError, TypeError):
            return msgspec.json.encode(native)
        return InputError.for_field("(entry)", "holds text that UTF-8 cannot write")

    def _native(self, entry: ForeignEntry) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        columns: dict[str, Value] = {}
        for to, given in self._given(entry).items():
            self._put(to, self._first_that_fits(given), fields, columns)
        for to, constant in self._constants.items():
            if to not in fields and to not in columns:
                self._put(to, constant, fields, columns)
        triples = record_triples(columns)
        if triples:
            fields["records"] = triples
        if "event_type" not in fields and fields.get("action") in EVENT_TYPE_OF_ACTION:
            fields["event_type"] = EVENT_TYPE_OF_ACTION[fields["action"]]
        self._finish(fields, entry)
        return fields

    def _put(
        self,
        to: str,
        value: Any,  # noqa: ANN401 - JSON
        fields: dict[str, Any],
        columns: dict[str, Value],
    ) -> None:
        if value is None:
            return
        if to in RECORD_COLUMNS:
            columns[to] = value
        elif to in TEXTS:
            fields |= self._text_fields(to, value)
        else:
            fields[to] = value

    # --- rules 1 and 2 ---

    def _given(self, entry: ForeignEntry) -> dict[str, list[_Given]]:
        """Sort the paths of an entry by what they become."""
        given: dict[str, list[_Given]] = {}
        for place, (path, value) in enumerate(entry.fields.items(), start=1):
            rule = self.field_map.of(path)
            if isinstance(rule, FieldRule):
                name = shown_name(path, place)
                given.setdefault(rule.to, []).append(_Given(rule, name, value))
            elif rule is Fate.REFUSED:
                raise InputError.for_field(
                    shown_name(path, place),
                    "free text is not taken in; in a map, send it to query_text or "
                    "response_text (it is hashed) or ignore it",
                )
            elif rule is Fate.UNKNOWN:
                self._leave_out(shown_name(path, place))
        return given

    def _first_that_fits(self, given: list[_Given]) -> Any:  # noqa: ANN401 - JSON
        """Take the first path for a field whose value fits; the others are counted."""
        if len(given) > 1:
            given.sort(key=lambda one: one.rule.order)
        taken: Any = None
        for rule, name, value in given:
            if taken is not None:
                self._leave_out(name)
                continue
            try:
                taken = self._converted(rule, value)
            except _UnfitError as unfit:
                if not rule.or_leave_out:
                    raise InputError.for_field(name, str(unfit)) from None
                self._leave_out(name)
        return taken

    def _leave_out(self, name: str) -> None:
        is_known = name in self.left_out or len(self.left_out) < MAX_LEFT_OUT_NAMES
        self.left_out[name if is_known else FURTHER] += 1

    # --- values ---

    def _converted(self, rule: FieldRule, value: Value) -> Any:  # noqa: ANN401 - JSON
        kind = TARGETS[rule.to]
        if kind is Kind.TEXT and type(value) is str and not rule.values:
            return self._text_field(rule, value.strip())
        if rule.split is not None and isinstance(value, str):
            parts = (part.strip() for part in value.split(rule.split))
            value = tuple(part for part in parts if part)
        if rule.values:
            value = _looked_up(rule, value)
        if kind is Kind.COLUMN:
            return value
        if kind is Kind.TYPES:
            return _types(value)
        if kind is Kind.LIST:
            return [_text(part) for part in _parts(value)]
        return self._scalar(kind, rule, value)

    def _scalar(self, kind: Kind, rule: FieldRule, value: Value) -> Any:  # noqa: ANN401 - JSON
        if kind is Kind.TERM:
            return _term(value, is_strict=rule.or_leave_out)
        if kind is Kind.TIME:
            return self.field_map.time.read(value)
        if kind is Kind.KEYED_TEXT:
            text = _text(value, is_stripped=False)
            is_hash = rule.to not in TEXTS
            return self.hasher.hash(text, rule.to).exact if is_hash else text
        if kind is Kind.ADDRESS:
            return _address(value)
        if kind is Kind.COUNT:
            return _count(value, rule.scale)
        if kind is Kind.FLAG:
            return _flag(value)
        return self._text_field(rule, _text(value))

    def _text_field(self, rule: FieldRule, text: str) -> str:
        if rule.is_keyed:
            return "key-" + self._keyed_id(text)
        if rule.to == "source_event_id" and _FOREIGN_ID.fullmatch(text) is None:
            return "keyed:" + self._keyed_id(text)
        if rule.to == "action":
            text = self.actions.get(text, text)
        codes = _CODES.get(rule.to) if rule.or_leave_out else None
        if codes is not None and text not in codes:
            raise _UnfitError("not one of our codes")
        return text

    def _text_fields(self, to: str, text: str) -> dict[str, Any]:
        hashes = self.hasher.hash(text, to)
        values = (hashes.exact, hashes.normalised, hashes.chars)
        return dict(zip(TEXTS[to], values, strict=True))

    def _keyed_id(self, text: str) -> str:
        return base64url(self.keyed(ID_DOMAIN + _bytes([self.field_map.source, text])))

    # --- rules 4 to 6 ---

    def _finish(self, fields: dict[str, Any], entry: ForeignEntry) -> None:
        written = fields.get("timestamp_utc")
        if written is None:
            raise InputError.for_field("timestamp_utc", "must be present")
        moment = max(_EPOCH, parse_time(written))
        their_id = fields.get("source_event_id")
        apart: object = dict(entry.fields)
        if their_id is not None:
            apart = [str(entry.fields.get(p, "")) for p in self.field_map.distinct_by]
        named = [self.field_map.source, self.field_map.form.family, their_id, apart]
        digest = self.keyed(ENTRY_DOMAIN + _bytes(named))
        fields["event_id"] = new_uuid7(moment, digest[:RANDOM_BYTES])
        if self.field_map.source:
            fields["source_id"] = self.field_map.source
        self.first_time = min(self.first_time or written, written)
        self.last_time = max(self.last_time or written, written)


def _bytes(value: object) -> bytes:
    """Write what an id is derived from: any JSON value, in ASCII."""
    return json.dumps(value, sort_keys=True).encode()


def _looked_up(rule: FieldRule, value: Value) -> Value:
    """Exchange values by the table; of several codes, the first that it knows counts."""
    known = [
        rule.values[word]
        for part in _parts(value)
        for word in _words(part)
        if word in rule.values
    ]
    if TARGETS[rule.to] in (Kind.LIST, Kind.COLUMN, Kind.TYPES):
        return tuple(
            next((rule.values[w] for w in _words(p) if w in rule.values), p)
            for p in _parts(value)
        )
    if known:
        return known[0]
    if rule.or_leave_out and isinstance(value, tuple):
        raise _UnfitError("none of its codes is known")
    return value


def _words(value: Value) -> tuple[str, ...]:
    if isinstance(value, tuple) or value is None:
        return ()
    text = str(value).lower() if isinstance(value, bool) else str(value).strip()
    return (text, text.casefold())


def _parts(value: Value) -> tuple[Value, ...]:
    return value if isinstance(value, tuple) else (value,)


def _text(value: Value, *, is_stripped: bool = True) -> str:
    if isinstance(value, tuple) and len(value) == 1:
        (value,) = value
    if isinstance(value, str):
        return value.strip() if is_stripped else value
    if isinstance(value, int):
        return str(value).lower() if isinstance(value, bool) else str(value)
    raise _UnfitError("must be one text")


def _term(value: Value, *, is_strict: bool) -> str:
    term = "_".join(_text(value).casefold().split())
    if is_strict and _TERM.fullmatch(term) is None:
        raise _UnfitError("a lower-case term")
    return term


def _count(value: Value, scale: int) -> int:
    with suppress(ValueError, OverflowError, TypeError):
        if not isinstance(value, bool | tuple) and value is not None:
            number = value if isinstance(value, int) else float(value)
            return round(number * scale)
    raise _UnfitError("must be a number")


def _flag(value: Value) -> bool:
    found = _FLAGS.get(_text(value).casefold())
    if found is None:
        raise _UnfitError("must be true or false")
    return found


def _address(value: Value) -> str:
    address = _shortest_address(_text(value))
    if address is None:
        raise _UnfitError("must be an IPv4 or IPv6 address")
    return address


@lru_cache(maxsize=4096)
def _shortest_address(text: str) -> str | None:
    with suppress(ValueError):
        return str(ipaddress.ip_address(text))
    return None


def _types(value: Value) -> Value:
    found = tuple(
        None if part is None else resource_type_of(_text(part)) or ""
        for part in _parts(value)
    )
    if "" in found:
        raise _UnfitError("must be a FHIR resource type")
    return found
