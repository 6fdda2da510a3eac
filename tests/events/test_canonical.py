"""What lands is canonical, admitted, and named by field and rule when it is not."""

import json
from functools import cache
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from phitrail.errors import InputError, IntegrityError
from phitrail.events import canonical, codes, policy, shapes
from phitrail.events.alert import Alert
from phitrail.events.audit import AuditEvent, AuditLeaf
from phitrail.events.genesis import Genesis
from phitrail.events.protected import Protected
from phitrail.events.quality import Feedback, QualityEntry, Rollout
from phitrail.events.security import SecurityEvent

CANARY = "Zebulon Quackenbush"
LEAF_TYPES: dict[type[msgspec.Struct], Any] = {
    AuditEvent: AuditLeaf,
    SecurityEvent: SecurityEvent,
    QualityEntry: QualityEntry,
    Feedback: Feedback,
    Rollout: Rollout,
    Alert: Alert,
    Genesis: Genesis,
}


def admitted(field_type: Any) -> st.SearchStrategy[Any]:
    """Draw values that a field type admits, from the type itself."""
    union = msgspec.inspect.type_info(field_type)
    return _drawn(union)


def _drawn(info: Any) -> st.SearchStrategy[Any]:
    match info:
        case msgspec.inspect.UnionType(types=options):
            return st.one_of([_drawn(option) for option in options])
        case msgspec.inspect.NoneType():
            return st.none()
        case msgspec.inspect.BoolType():
            return st.booleans()
        case msgspec.inspect.IntType(ge=low, le=high):
            return st.integers(low, high)
        case msgspec.inspect.EnumType(cls=cls):
            return st.sampled_from(list(cls))
        case msgspec.inspect.StrType(pattern=None):
            return st.sampled_from(["Patient", "Observation", "ai_prompt"])
        case msgspec.inspect.StrType(pattern=str() as pattern):
            return st.from_regex(pattern)
        case msgspec.inspect.Metadata(type=inner):
            return _drawn(inner)
        case msgspec.inspect.VarTupleType(item_type=item):
            return st.lists(_drawn(item), max_size=3).map(tuple)
        case msgspec.inspect.TupleType(item_types=items):
            return st.tuples(*[_drawn(item) for item in items])
        case _:
            raise AssertionError(info)


def records() -> st.SearchStrategy[msgspec.Struct]:
    """Draw a record of any kind whose fields are all admitted."""
    return st.one_of([_of_kind(kind) for kind in LEAF_TYPES])


@cache
def _of_kind(kind: type[msgspec.Struct]) -> st.SearchStrategy[msgspec.Struct]:
    fields = {f.name: f for f in msgspec.structs.fields(LEAF_TYPES[kind])}
    fields.pop("source_ip", None)
    required = {n: admitted(f.type) for n, f in fields.items() if f.required}
    optional = {n: admitted(f.type) for n, f in fields.items() if not f.required}
    if kind is SecurityEvent:
        required["event_type"] = st.sampled_from(
            [
                t
                for t, log in codes.LOG_OF_EVENT_TYPE.items()
                if log is codes.Log.SECURITY
            ]
        )
    some = st.lists(st.sampled_from(sorted(optional) or [""]), max_size=9, unique=True)
    return some.flatmap(
        lambda names: st.fixed_dictionaries(
            required | {n: optional[n] for n in names if n}
        )
    ).map(lambda values: kind(**values))


@given(records())
@settings(max_examples=400, deadline=None)
def test_leaf_bytes_equal_rfc8785_for_every_admitted_record(record: Any) -> None:
    """Another implementation of RFC 8785 must print the very same bytes."""
    leaf = canonical.encode_leaf(record)

    assert rfc8785.dumps(json.loads(leaf)) == leaf
    assert canonical.decode_leaf(leaf) == record
    assert b"null" not in leaf.replace(b'"null', b"")


@given(st.sampled_from(list(codes.EventType)), st.text(max_size=40))
def test_no_text_outside_its_shape_becomes_a_leaf(
    event_type: codes.EventType, text: str
) -> None:
    """A sentence put into any string field is refused or is of the admitted shape."""
    for field in msgspec.structs.fields(AuditLeaf):
        if field.name in {"event_type", "records"}:
            continue
        info = msgspec.inspect.type_info(field.type)
        if not isinstance(info, msgspec.inspect.UnionType):
            continue
        fields: Any = {field.name: text + " says hello"}
        record: AuditLeaf = AuditEvent(event_type=event_type, **fields)

        with pytest.raises(InputError) as caught:
            canonical.encode_leaf(record)

        assert caught.value.field == field.name


@pytest.mark.parametrize("kind", list(LEAF_TYPES), ids=lambda kind: kind.__name__)
def test_an_error_names_field_and_rule_and_never_the_value(
    kind: type[msgspec.Struct],
) -> None:
    """A refused value must not travel on in the exception that refuses it."""
    for field in msgspec.structs.fields(LEAF_TYPES[kind]):
        required = {
            f.name: None for f in msgspec.structs.fields(LEAF_TYPES[kind]) if f.required
        }
        record: Any = kind(**{**required, field.name: CANARY})

        with pytest.raises(InputError) as caught:
            canonical.encode_leaf(record)

        shown = f"{caught.value!s} {caught.value!r} {caught.value.__cause__!r}"
        assert CANARY not in shown
        assert caught.value.__context__ is None or caught.value.__suppress_context__
        assert caught.value.field in kind.__struct_fields__


def test_unencodable_values_are_refused_by_field() -> None:
    """Lone surrogates, huge integers and foreign objects are the caller's mistake."""
    for field, value in (
        ("user_role", "\ud800"),
        ("input_tokens", 2**70),
        ("input_tokens", 2**53),
        ("input_tokens", -1),
        ("user_id", object()),
        ("source_ip", "10.0.0.01"),
        ("source_ip", "2001:DB8::1"),
        ("resource_type", "JohnSmith"),
        ("records", (("", "A" * 43, "JohnSmith"),)),
        ("records", (("", Protected("x"), "Patient"),)),
    ):
        fields: Any = {field: value}
        record: Any = AuditEvent(event_type=codes.EventType.PHI_READ, **fields)

        with pytest.raises(InputError) as caught:
            canonical.encode_leaf(record)

        assert caught.value.field == field


def test_a_leaf_over_the_limit_is_refused() -> None:
    """Beyond 32 KiB an access goes in parts."""
    record: AuditLeaf = AuditEvent(
        event_type=codes.EventType.PHI_READ,
        records=tuple(("", "A" * 43, "Patient") for _ in range(700)),
    )

    with pytest.raises(InputError, match="32768"):
        canonical.encode_leaf(record)


@pytest.mark.parametrize(
    "leaf",
    [
        b"",
        b"[]",
        b'{"event_type":"phi_read"}',
        b'{"schema":"phitrail/audit-event/v2","event_type":"phi_read"}',
        b'{"schema":"phitrail/audit-event/v1","event_type":"phi_read"}',
        b'{"event_type": "phi_read","schema":"phitrail/audit-event/v1"}',
        b'{"event_type":"phi_read","schema":"phitrail/audit-event/v1","user_id":null}',
        b'{"event_type":"phi_read","extra":1,"schema":"phitrail/audit-event/v1"}',
    ],
)
def test_bytes_that_we_would_not_have_written_are_refused(leaf: bytes) -> None:
    """Unsorted keys, null, spaces or unknown fields mean that somebody else wrote it."""
    with pytest.raises(IntegrityError):
        canonical.decode_leaf(leaf)


@given(st.binary(max_size=200))
def test_random_bytes_never_escape_as_another_error(data: bytes) -> None:
    """Fuzz: a leaf is refused as altered, whatever the bytes."""
    with pytest.raises(IntegrityError):
        canonical.decode_leaf(data)


@given(records(), st.integers(0, 10_000), st.integers(0, 255))
@settings(max_examples=200, deadline=None)
def test_a_mutated_leaf_is_refused_or_prints_the_same(
    record: Any, place: int, byte: int
) -> None:
    """Fuzz: whatever is read back prints as the very bytes that were read."""
    leaf = bytearray(canonical.encode_leaf(record))
    leaf[place % len(leaf)] = byte

    try:
        again = canonical.decode_leaf(bytes(leaf))
    except IntegrityError:
        return

    assert msgspec.json.encode(again, order="sorted") == bytes(leaf)


class TestCallerLines:
    """Records as callers write them."""

    def test_a_line_without_schema_is_an_audit_event(self) -> None:
        """The import format of the issue: native events, identifiers in clear."""
        record = canonical.decode_caller_record(
            b'{"event_type":"phi_read","user_id":"a@b.example",'
            b'"records":[["MRN 1","note/1","DocumentReference"]]}'
        )

        assert isinstance(record, AuditEvent)
        assert record.records[0][0] == Protected("MRN 1")
        assert "MRN 1" not in repr(record)

    @pytest.mark.parametrize(
        ("line", "field"),
        [
            (b"{", "(line)"),
            (b"3", "(line)"),
            (b'{"event_type":"phi_read","schema":7}', "schema"),
            (b'{"event_type":"phi_read","schema":"phitrail/genesis/v1"}', "schema"),
            (b"{}", "event_type"),
            (b'{"event_type":"Zebulon Quackenbush"}', "event_type"),
            (b'{"event_type":"phi_read","Zebulon Quackenbush":1}', "(field 2)"),
            (b'{"event_type":"phi_read","user_id":null}', "user_id"),
            (b'{"event_type":"phi_read","records":[[1,"r","Patient"]]}', "records"),
            (b'{"event_type":"phi_read","resource_id":5}', "resource_id"),
            (b'{"event_type":"phi_read","source_seq":1.5}', "source_seq"),
            (b'{"event_type":"phi_read","patient_unknown":"yes"}', "patient_unknown"),
            (b'{"schema":"phitrail/feedback/v1"}', "request_id"),
            (b'\xff{"event_type":"phi_read"}', "(line)"),
        ],
    )
    def test_a_bad_line_names_its_field_and_no_value(
        self, line: bytes, field: str
    ) -> None:
        """The rejected file is read by people who may not see PHI."""
        with pytest.raises(InputError) as caught:
            canonical.decode_caller_record(line)

        assert caught.value.field == field
        assert CANARY not in f"{caught.value}{caught.value.__cause__!r}"

    @given(st.binary(max_size=100))
    def test_random_lines_are_refused_as_input(self, line: bytes) -> None:
        """Fuzz: a line is never a crash."""
        with pytest.raises(InputError):
            canonical.decode_caller_record(line)


def test_every_string_field_has_a_rule_in_words() -> None:
    """An operator must be told what to write instead."""
    for leaf_type in LEAF_TYPES.values():
        for field in msgspec.structs.fields(leaf_type):
            rule = policy.rule_of(field.type)

            assert rule not in {"", "a value of its type"}


def test_canonical_bytes_of_protected_values_need_an_opener() -> None:
    """Without the opener an identifier cannot reach any bytes."""
    value = ["a", Protected("MRN-1")]

    with pytest.raises(InputError):
        canonical.encode_canonical(value)
    assert canonical.encode_opened(value, lambda _: "x") == b'["a","x"]'


@pytest.mark.parametrize("text", ["", "x" * 129, "a\nb", "a\x00", "\u202eabc"])
def test_what_cannot_be_an_identifier_is_refused(text: str) -> None:
    """Empty, overlong and control characters are mistakes, not identifiers."""
    with pytest.raises(InputError):
        canonical.check_identifier(text, "records")


@pytest.mark.parametrize("text", ["x", "MRN 12/3", "Ünïcode-7", "x" * 128])
def test_any_printable_identifier_is_admitted(text: str) -> None:
    """Hospitals name records as they like."""
    canonical.check_identifier(text, "records")


def test_integers_stay_exact_in_every_json_reader() -> None:
    """RFC 8785 numbers are doubles: 2^53 would come back as another number."""
    assert shapes.MAX_INTEGER == 2**53 - 1
    assert json.loads(str(float(shapes.MAX_INTEGER))) == shapes.MAX_INTEGER
