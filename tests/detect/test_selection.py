"""Selections are read strictly: fields of the log, known modifiers, values that fit."""

import pytest

from phitrail.detect.schema import fields_of
from phitrail.detect.selection import MOST_CHARS, MOST_VALUES, Terms, read_selection
from phitrail.detect.source import read_documents
from phitrail.detect.typed import All, Any, Not, Op, Predicate
from phitrail.detect.typed import Test as OnField
from phitrail.errors import InputError
from phitrail.events.codes import Log

CANARY = "CanaryTheFirst"
TERMS = Terms(
    fields_of(Log.AUDIT),
    {"on_call": ["nurse", "Physician"], "empty": [], "wild": ["a*"]},
)


def read(text: str) -> Predicate:
    """Read one selection of the audit log."""
    (node,) = read_documents("my.yml", text.encode())
    return read_selection(node, TERMS)


def eq(field: str, value: str | int | bool, *, is_cased: bool = False) -> OnField:
    """Make a test of equality."""
    return OnField(field, Op.EQ, value, is_cased)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("user_id: u1", eq("user_id", "u1")),
        ("user_id: U1", eq("user_id", "u1")),
        ("user_id: 17", eq("user_id", "17")),
        ("user_id: ''", eq("user_id", "")),
        ("user_id|cased: U1", eq("user_id", "U1", is_cased=True)),
        ("input_tokens: 3", eq("input_tokens", 3)),
        ("response_phi_detected: true", eq("response_phi_detected", True)),
        (r"user_id: a\*b", eq("user_id", "a*b")),
        (r"user_id: a\?b", eq("user_id", "a?b")),
        (r"user_id: a\\b", eq("user_id", "a\\b")),
        (r"user_id: a\b", eq("user_id", r"a\b")),
        ("user_id: a*b", OnField("user_id", Op.LIKE, ("a", None, "b"))),
        ("user_id: a**", OnField("user_id", Op.LIKE, ("a", None))),
        ("user_id: a??b", OnField("user_id", Op.LIKE, ("a", 2, "b"))),
        ("user_id: '?'", OnField("user_id", Op.LIKE, (1,))),
        (r"user_id: '\\*'", OnField("user_id", Op.LIKE, ("\\", None))),
        ("user_id|contains: a", OnField("user_id", Op.LIKE, (None, "a", None))),
        ("user_id|startswith: a", OnField("user_id", Op.LIKE, ("a", None))),
        ("user_id|endswith: a", OnField("user_id", Op.LIKE, (None, "a"))),
        ("user_id|contains: '*a*'", OnField("user_id", Op.LIKE, (None, "a", None))),
        (
            "user_id|contains|cased: A",
            OnField("user_id", Op.LIKE, (None, "A", None), is_cased=True),
        ),
        ("user_id|re: a.c", OnField("user_id", Op.RE, "a.c", is_cased=True)),
        ("source_ip|cidr: 10.1.2.3/8", OnField("source_ip", Op.CIDR, "10.0.0.0/8")),
        ("user_id: null", OnField("user_id", Op.EXISTS, False)),
        ("user_id|neq: null", Not(OnField("user_id", Op.EXISTS, False))),
        ("user_id|exists: true", OnField("user_id", Op.EXISTS, True)),
        ("input_tokens|lt: 3", OnField("input_tokens", Op.LT, 3)),
        ("input_tokens|lte: 3", OnField("input_tokens", Op.LTE, 3)),
        ("input_tokens|gt: -3", OnField("input_tokens", Op.GT, -3)),
        ("input_tokens|gte: 3", OnField("input_tokens", Op.GTE, 3)),
        ("input_tokens|neq: 3", Not(eq("input_tokens", 3))),
        ("user_id|neq: [a, b]", Not(Any((eq("user_id", "a"), eq("user_id", "b"))))),
        ("user_id: [a, null]", Any((eq("user_id", "a"), OnField("user_id", Op.EXISTS, False)))),
        ("patient|all: [a, b]", All((eq("patient", "a"), eq("patient", "b")))),
        (
            "user_id|fieldref: on_behalf_of",
            OnField("user_id", Op.FIELDREF, "on_behalf_of", is_cased=True),
        ),
        (
            "user_role|expand: '%on_call%'",
            Any((eq("user_role", "nurse"), eq("user_role", "physician"))),
        ),
        ("user_role|expand: '%wild%'", OnField("user_role", Op.LIKE, ("a", None))),
        (
            "{user_id: a, input_tokens: 3}",
            All((eq("user_id", "a"), eq("input_tokens", 3))),
        ),
        ("[{user_id: a}, {user_id: b}]", Any((eq("user_id", "a"), eq("user_id", "b")))),
        ("[{user_id: a}]", eq("user_id", "a")),
    ],
)  # fmt: skip
def test_a_selection_is_the_predicate_that_it_writes(
    text: str, meant: Predicate
) -> None:
    """Both executors start from this form."""
    assert meant == read(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (CANARY, "1:1: must be fields and values"),
        (f"[{CANARY}]", "1:2: must be fields and values"),
        ("[]", "1:1: a selection must ask for something"),
        ("{}", "1:1: a selection must ask for something"),
        ("[{user_id: a}, {}]", "1:16: a selection must ask"),
        (f"{CANARY}: a", "1:17: names a field that events of this log do not have"),
        ("records: a", "1:10: names a field"),
        ("timestamp_utc: a", "1:16: names a field"),
        ("event_id: a", "1:11: names a field"),
        ("nonce: a", "1:8: names a field"),
        ("severity: high", "1:11: names a field"),
        ("user_id: []", "1:10: must have 1 to"),
        (f"user_id: [{', '.join(['a'] * (MOST_VALUES + 1))}]", "1:10: must have 1 to"),
        (f"user_id: [[{CANARY}]]", "1:11: must be a single value"),
        (f"user_id: {{{CANARY}: a}}", "1:10: must be a single value"),
        (f"user_id|{CANARY}: a", "modifier 1 of its key is not supported"),
        ("user_id|contains|base64: a", "modifier 2 of its key is not supported"),
        ("user_id|hour: 3", "modifier 1 of its key is not supported"),
        ("user_id|windash: a", "modifier 1 of its key is not supported"),
        ("user_id|: a", "modifier 1 of its key is not supported"),
        ("user_id|contains|re: a", "do not go together"),
        ("user_id|lt|gt: 3", "do not go together"),
        ("user_id|cased|cased: a", "do not go together"),
        ("user_id|exists: yes please", "exists takes true or false"),
        ("user_id|exists: 1", "exists takes true or false"),
        ("user_id|contains: null", "null goes with no modifier"),
        ("user_id: 1.5", "put the value into quotes"),
        ("user_id: true", "put the value into quotes"),
        (f"user_id: {'x' * (MOST_CHARS + 1)}", f"at most {MOST_CHARS} characters"),
        ("user_id|lt: 3", "only fields that hold whole numbers are ordered"),
        (f"input_tokens: {CANARY}", "holds whole numbers below 2^53"),
        ("input_tokens: 1.5", "holds whole numbers below 2^53"),
        ("input_tokens: true", "holds whole numbers below 2^53"),
        ("input_tokens: 9007199254740992", "holds whole numbers below 2^53"),
        ("input_tokens|contains: 3", "modifiers are for text"),
        ("input_tokens|re: '3'", "modifiers are for text"),
        ("input_tokens|cased: 3", "modifiers are for text"),
        ("response_phi_detected: 1", "holds true or false"),
        (f"response_phi_detected: {CANARY}", "holds true or false"),
        ("response_phi_detected|cidr: 10.0.0.0/8", "modifiers are for text"),
        ("response_phi_detected|gt: 0", "only fields that hold whole numbers"),
        (f"source_ip|cidr: {CANARY}", "cidr takes an IPv4 network"),
        ("source_ip|cidr: 10.0.0.0/33", "cidr takes an IPv4 network"),
        ("source_ip|cidr: fe80::/10", "cidr takes an IPv4 network"),
        (f"user_id|fieldref: {CANARY}", "fieldref takes a field of the same kind"),
        ("user_id|fieldref: input_tokens", "fieldref takes a field of the same kind"),
        ("user_id|fieldref: patient", "fieldref takes a field of the same kind"),
        ("patient|fieldref: record", "and no list"),
        ("user_id|fieldref: 3", "fieldref takes a field"),
        (f"user_role|expand: {CANARY}", "expand takes one placeholder"),
        ("user_role|expand: '%%'", "expand takes one placeholder"),
        (f"user_role|expand: '%{CANARY}%'", "placeholder that has no list"),
        ("user_role|expand: '%empty%'", "placeholder that has no list"),
        ("user_role|expand: 3", "expand takes one placeholder"),
        (f"user_id|re: ({CANARY})+", "re, character"),
        ("user_id|re|cased|contains: a", "do not go together"),
        ("user_id|fieldref|cidr: a", "do not go together"),
    ],
)
def test_a_selection_that_means_nothing_is_refused(text: str, said: str) -> None:
    """A rule that can never match looks like a house where nothing happens."""
    with pytest.raises(InputError) as refused:
        read(text)

    assert str(refused.value).startswith("my.yml:1:")
    assert said in str(refused.value)
    assert CANARY not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None


@pytest.mark.parametrize("log", list(Log))
def test_every_field_of_a_log_can_be_asked_for(log: Log) -> None:
    """A field that cannot be named cannot be watched."""
    terms = Terms(fields_of(log), {})
    for name in fields_of(log):
        (node,) = read_documents("my.yml", f"{name}|exists: true".encode())

        assert read_selection(node, terms) == OnField(name, Op.EXISTS, True)
