"""docs/records.md is what the code says, with words for all of it."""

import msgspec
from scripts.make_records_doc import PAGE, RECORDS, render
from scripts.record_meanings import EVENT_TYPES, FIELDS

from phitrail.events.canonical import LeafRecord, decode_leaf
from phitrail.events.codes import EventType
from phitrail.events.policy import compile_policy


def test_the_page_is_current() -> None:
    """A page of an older schema misleads whoever reads a log (make docs)."""
    assert render() == PAGE.read_text(encoding="utf-8")


def test_every_field_has_its_words_and_no_words_are_left_over() -> None:
    """A field that nobody can explain should not be recorded."""
    fields = {
        field.name
        for door, leaf, _ in RECORDS.values()
        for kind in (door, leaf)
        for field in msgspec.structs.fields(kind)
    }

    assert fields == set(FIELDS)


def test_every_event_type_has_its_words() -> None:
    """An event type that nobody can explain should not be recorded."""
    assert {kind.value for kind in EventType} == set(EVENT_TYPES)


def test_every_record_that_a_log_may_hold_is_on_the_page() -> None:
    """An undocumented record is one that an investigator cannot read."""
    known = decode_leaf.__annotations__["return"]
    kinds = {getattr(kind, "__origin__", kind) for kind in known.__args__}
    shown = {getattr(leaf, "__origin__", leaf) for _, leaf, _ in RECORDS.values()}

    assert known == LeafRecord
    assert kinds == shown


def test_every_rule_on_the_page_is_the_one_that_is_enforced() -> None:
    """The words of a refusal must be those that its reader looks up."""
    page = PAGE.read_text(encoding="utf-8")
    listed_by_code = ("one of: ", "a list; each: one of: ", "a list; each: [")
    for _, leaf, _ in RECORDS.values():
        policy = compile_policy(leaf)
        for name, rule in zip(policy.names, policy.rules, strict=True):
            if not rule.startswith(listed_by_code) and rule != "a string":
                words = rule.replace("<", "&lt;").replace(">", "&gt;")
                assert words in page or f"| `{name}`" in page
