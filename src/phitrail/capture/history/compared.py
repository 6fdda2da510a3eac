"""What of a foreign entry can be held against our own record: a request, or who saw whom.

1. Of a map only what says time, kind and key is used; the rest of an entry is not looked
   at, so that a column of words refuses nothing here and goes nowhere.
2. What is no opening (a log-in, a denial, the end of an access) is passed over: `None`.
   An entry that says neither kind nor action counts as an opening: a usage export is one
   line a request.
3. An opening without the key is refused by field and rule, like one that cannot be read.

4. A user or request that goes in as a keyed hash may stand in the log under an earlier version
   of the key: it is read under each.

Identifiers stay `Protected`. A second record beside the log of ours is made by nobody here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeAlias

import msgspec

from phitrail.capture.history.field_map import FieldMap, FieldRule
from phitrail.capture.importer import Line
from phitrail.capture.known_lines import KeyedLine
from phitrail.errors import InputError
from phitrail.events.codes import OPENING_TYPES
from phitrail.events.ids import parse_time
from phitrail.events.policy import check_fields, compile_policy
from phitrail.events.protected import Protected
from phitrail.events.shapes import CallerUserId, OpaqueId, Timestamp


class Comparison(StrEnum):
    """What must be equal for two rows to be one."""

    REQUEST = "request"
    ACCESS = "access"


_ALWAYS = frozenset({"timestamp_utc", "event_type", "action"})
_TARGETS: Mapping[Comparison, frozenset[str]] = {
    Comparison.REQUEST: _ALWAYS | {"request_id"},
    Comparison.ACCESS: _ALWAYS | {"user_id", "records", "patient_ids"},
}


class _Request(msgspec.Struct, frozen=True, kw_only=True):
    timestamp_utc: Timestamp
    request_id: OpaqueId | None = None


class _Access(msgspec.Struct, frozen=True, kw_only=True):
    timestamp_utc: Timestamp
    user_id: CallerUserId | None = None


_POLICIES = {kind: compile_policy(kind) for kind in (_Request, _Access)}


class _Native(msgspec.Struct, frozen=True):
    """The fields of a native line that are used here."""

    timestamp_utc: str
    event_type: str | None = None
    request_id: str | None = None
    user_id: str | None = None
    records: tuple[tuple[Protected[str], Protected[str], str], ...] = ()


def _protect(_: type, value: Any) -> Protected[str]:  # noqa: ANN401 - a JSON value
    return Protected(str(value))


_DECODER = msgspec.json.Decoder(_Native, dec_hook=_protect)
_UNKNOWN = Protected("")


@dataclass(frozen=True, slots=True)
class Compared:
    """One opening of theirs: when, and by what it is known.

    Attributes:
        at_us: microseconds since 1970.
        request_id: where requests are compared.
        user_id: where accesses are compared; protected where it is an e-mail address.
        patients: where accesses are compared, each once.
        earlier: the same as it was under earlier versions of our keys.
    """

    at_us: int
    request_id: str | None = None
    user_id: str | Protected[str] | None = None
    patients: tuple[Protected[str], ...] = ()
    earlier: tuple["Compared", ...] = ()


Read: TypeAlias = Compared | InputError | None


def only_compared(field_map: FieldMap, by: Comparison) -> FieldMap:
    """Cut a map down to what a comparison uses; rule 1."""
    wanted = _TARGETS[by]

    def kept(rules: Mapping[str, FieldRule]) -> dict[str, FieldRule]:
        return {path: rule for path, rule in rules.items() if rule.to in wanted}

    return replace(
        field_map,
        rules=kept(field_map.rules),
        built_in=kept(field_map.built_in),
        constants={k: v for k, v in field_map.constants.items() if k in wanted},
        distinct_by=(),
        refuses_free_text=False,
        _known={},
    )


def has_keyed(field_map: FieldMap) -> bool:
    """Say whether anything of a map goes in as a keyed hash."""
    rules = (*field_map.rules.values(), *field_map.built_in.values())
    return any(rule.is_keyed for rule in rules)


def read_compared(
    lines: Iterator[tuple[int, Line]],
    by: Comparison,
    earlier: Sequence[tuple[int, int]] = (),
) -> Iterator[tuple[int, Read]]:
    """Turn native lines into what is compared, what is passed over, and refusals.

    Args:
        lines: number and line.
        by: what is compared.
        earlier: under which versions of our keys the log may hold the same, beside those
            in use.
    """
    for number, line in lines:
        if isinstance(line, bytes):
            yield number, _read(line, by)
        elif isinstance(line, KeyedLine):
            yield number, _with_earlier(line, _read(line.line, by), by, earlier)
        else:
            yield number, line or InputError.for_field("(line)", "is too long")


def _with_earlier(
    line: KeyedLine, read: Read, by: Comparison, earlier: Sequence[tuple[int, int]]
) -> Read:
    if not isinstance(read, Compared) or not earlier:
        return read
    plain = (line.under(*versions) for versions in earlier)
    found = (_read(one, by) for one in plain if isinstance(one, bytes))
    return replace(
        read, earlier=tuple(one for one in found if isinstance(one, Compared))
    )


def _read(line: bytes, by: Comparison) -> Read:
    native = _decode(line)
    if native is None:
        return InputError.for_field("(entry)", "has a field of another type")
    if native.event_type is not None and native.event_type not in OPENING_TYPES:
        return None
    try:
        return _request(native) if by is Comparison.REQUEST else _access(native)
    except InputError as error:
        return error


def _decode(line: bytes) -> _Native | None:
    try:
        return _DECODER.decode(line)
    except msgspec.MsgspecError:  # quotes what it could not read
        return None


def _request(native: _Native) -> Compared:
    if native.request_id is None:
        raise InputError.for_field("request_id", "must be present to compare requests")
    kept = _Request(timestamp_utc=native.timestamp_utc, request_id=native.request_id)
    check_fields(kept, _POLICIES[_Request])
    return Compared(_microseconds(native), request_id=native.request_id)


def _access(native: _Native) -> Compared:
    user = native.user_id
    if user is None:
        raise InputError.for_field("user_id", "must be present to compare accesses")
    check_fields(
        _Access(timestamp_utc=native.timestamp_utc, user_id=user),
        _POLICIES[_Access],
    )
    patients = dict.fromkeys(p for p, _, _ in native.records if p != _UNKNOWN)
    if not patients:
        raise InputError.for_field("patient_ids", "must be present to compare accesses")
    return Compared(
        _microseconds(native),
        user_id=Protected(user) if "@" in user else user,
        patients=tuple(patients),
    )


def _microseconds(native: _Native) -> int:
    return round(parse_time(native.timestamp_utc).timestamp() * 1_000_000)
