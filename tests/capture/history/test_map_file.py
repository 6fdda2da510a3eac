"""A map is read strictly; an error names the line and quotes nothing."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phitrail.capture.history.chain import ChainFields
from phitrail.capture.history.field_map import Fate, FieldRule
from phitrail.capture.history.form import HistoryForm
from phitrail.capture.history.map_file import read_map
from phitrail.errors import InputError

CANARY = "Zebulon"


def test_a_whole_map_is_read() -> None:
    """Each key does what docs/importing.md says."""
    found = read_map(
        b"""
source: ward-logger
time: {format: epoch_ms}
csv: {delimiter: tab}
chain: {hash: h, previous: p}
distinct_by: [step]
fields:
  who: user_id
  what: {to: action, values: {rag_query: query}, or_leave_out: true}
constants: {department: cardiology}
ignore: [host, debug.*]
""",
        HistoryForm.AUDIT_JSONL,
    )
    rule = found.of("what")

    assert (found.source, found.time.form, found.delimiter) == (
        "ward-logger",
        "epoch_ms",
        "\t",
    )
    assert found.chain == ChainFields("h", "p")
    assert isinstance(rule, FieldRule)
    assert (rule.to, rule.values, rule.or_leave_out) == (
        "action",
        {"rag_query": "query"},
        True,
    )
    assert {found.of(path) for path in ("host", "h", "debug.a.b")} == {Fate.IGNORED}
    assert found.of("debugger") is Fate.UNKNOWN
    assert found.of("prompt") is Fate.REFUSED
    assert "part" in found.distinct_by
    assert "step" in found.distinct_by


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"source: a\n{CANARY}: 1", 2),
        (f"source: a\nsource: {CANARY}", 2),
        (f"fields:\n  a: user_id\n  b: {CANARY}", 3),
        (f"fields:\n  a: {{to: user_id, {CANARY}: 1}}", 2),
        (f"fields:\n  a: [{CANARY}]", 2),
        ("fields:\n  a: {to: user_role, keyed: true}", 2),
        (f"time:\n  zone: {CANARY}", 2),
        (f"time:\n  format: {CANARY}", 2),
        (f"time:\n  {CANARY}: iso", 2),
        (f"constants:\n  event_id: {CANARY}", 2),
        (f"constants:\n  query_text: {CANARY}", 2),
        (f"ignore: {CANARY}", 1),
        (f"csv: {{delimiter: {CANARY}}}", 1),
        (f"a: &x {CANARY}\nb: *x", 1),
        (f"source: !!python/name:{CANARY} a", 1),
        (f"source: a\n  {CANARY}: [", 2),
    ],
)
def test_a_mistake_is_named_by_its_line(text: str, line: int) -> None:
    """Whoever mends the map needs the line; the value may be a patient's."""
    with pytest.raises(InputError) as caught:
        read_map(text.encode(), HistoryForm.AUDIT_JSONL)

    assert caught.value.field == "--map"
    assert f"line {line}" in str(caught.value)
    assert CANARY not in str(caught.value)
    assert CANARY not in repr(caught.value.__context__)


@pytest.mark.parametrize("text", [b"", b"\xff", b"- a", b"a", b"x" * (1 << 21)])
def test_what_is_no_map_is_refused(text: bytes) -> None:
    """Nothing read must not look like a map that maps nothing."""
    with pytest.raises(InputError):
        read_map(text, HistoryForm.AUDIT_JSONL)


def test_csv_needs_a_field() -> None:
    """A map without fields would take in empty events."""
    with pytest.raises(InputError):
        read_map(b"source: a", HistoryForm.CSV)


@given(
    text=st.binary(max_size=60)
    | st.text(":{}[]&*!-?|> \n\"'af", max_size=60).map(str.encode)
)
def test_any_bytes_are_a_map_or_a_refusal(text: bytes) -> None:
    """A broken map must never be an error of ours."""
    with suppress(InputError):
        read_map(text, HistoryForm.AUDIT_JSONL)
