"""Tests in rule files are read strictly, and say which of them failed and how."""

from collections.abc import Sequence

import pytest

from phitrail.detect.rule import read_rules
from phitrail.detect.rule_tests import (
    Found,
    RuleTest,
    TestEvent,
    TestResult,
    read_tests,
    run_tests,
)
from phitrail.detect.typed import Rule
from phitrail.errors import InputError

CANARY = "CanaryTheFirst"
HEAD = """
title: Read
id: 00000000-0000-4000-8000-000000000001
name: read
logsource: {product: phitrail, service: audit}
detection:
  a: {event_type: phi_read}
  condition: a
---
title: Twice
id: 00000000-0000-4000-8000-000000000002
correlation:
  type: event_count
  rules: [read]
  group-by: [user_id]
  timespan: 10s
  condition: {gte: 2}
x_tests:
"""
TWO = "{at: +1s, repeat: 2, every: 2s, set: {event_type: phi_read, user_id: u1}}"


def read(text: str) -> tuple[RuleTest, ...]:
    """Read the tests of a file that has these."""
    return read_tests(read_rules([("my.yml", (HEAD + text).encode())]))


def results(expect: str, events: str = TWO) -> TestResult:
    """Run one test."""
    (result,) = run_tests(
        read(f"  - {{name: one, events: [{events}], expect: {expect}}}")
    )
    return result


@pytest.mark.parametrize(
    "expect",
    [
        "{alerts: 1}",
        "{alerts: 1, first: +3s, last: +3s, peak: 2, group: {user_id: u1}}",
    ],
)
def test_a_test_that_holds_says_nothing(expect: str) -> None:
    """A failure that is none would be passed over the next time."""
    assert results(expect).failures == ()


@pytest.mark.parametrize(
    ("expect", "failure"),
    [
        ("{alerts: 0}", "alerts: 0 expected, 1 came"),
        ("{alerts: 1, first: +1s}", "first: +1s expected, +3s came"),
        ("{alerts: 1, last: +3.5s}", "last: +3.500000s expected, +3s came"),
        ("{alerts: 1, peak: 3}", "peak: 3 expected, 2 came"),
        (
            f"{{alerts: 1, group: {{user_id: {CANARY}}}}}",
            "group: user_id is not what was expected",
        ),
    ],
)
def test_a_test_that_does_not_hold_says_what_came(expect: str, failure: str) -> None:
    """Whoever writes a rule must see why it is not right; texts are not told."""
    result = results(expect)

    assert result.failures == (failure,)
    assert result.test.name == "one"
    assert str(result.test.place).startswith("my.yml:19:")


def test_no_alert_at_all_is_told_once() -> None:
    """Where nothing came there is no earliest alert to speak of."""
    event = "{at: +0s, set: {event_type: phi_read, user_id: u1}}"

    assert results("{alerts: 1, first: +1s}", event).failures == (
        "alerts: 1 expected, 0 came",
    )


def test_an_event_with_an_id_comes_twice_and_counts_once() -> None:
    """Copies are what the log has when a caller tries again."""
    event = "{at: +0s, repeat: 2, id: e1, set: {event_type: phi_read, user_id: u1}}"

    assert results("{alerts: 0}", event).failures == ()


def test_another_executor_is_held_to_the_same_tests() -> None:
    """History must answer the tests of a rule as the tail does."""
    seen: list[list[int]] = []

    def judge(_: Rule, events: Sequence[TestEvent]) -> Sequence[Found]:
        seen.append([event.at_us for event in events])
        return []

    (result,) = run_tests(
        read(f"  - {{name: one, events: [{TWO}], expect: {{alerts: 1}}}}"), judge
    )

    assert result.failures == ("alerts: 1 expected, 0 came",)
    assert len(seen) == 1


def test_texts_are_numbered_and_local_time_is_worked_out() -> None:
    """Tests of nights and of distinct values would need a line an event otherwise."""
    event = (
        "{at: +0.001s, repeat: 2, set: {event_type: phi_read, user_id: 'u{n}', "
        "facility_id: main, patient: ['p{n}', q], input_tokens: 3, "
        "response_phi_detected: true, access_id: a}}"
    )
    (test,) = read(
        "  - {name: one, start: 2026-01-06T02:59:59.999Z, zones: {main: America/New_York}, "
        f"events: [{event}], expect: {{alerts: 0}}}}"
    )
    first, second = (one.row for one in test.events)

    assert (first["user_id"], second["user_id"]) == ("u1", "u2")
    assert second["patient"] == ("p2", "q")
    assert (first["night"], first["local_hour"]) == ("2026-01-05", 22)
    assert (first["input_tokens"], first["response_phi_detected"]) == (3, True)
    assert first["access"] == "a"


@pytest.mark.parametrize(
    ("test", "place", "rule"),
    [
        (f"{{events: [{TWO}], expect: {{alerts: 1}}}}", "19:5", "lacks name"),
        ("{name: one, expect: {alerts: 1}}", "19:5", "lacks events"),
        (f"{{name: one, {CANARY}: 1}}", "19:33", "key number 2 is unknown"),
        (f"{{name: {'x' * 129}, events: [], expect: {{}}}}", "19:12", "128 characters"),
        ("{name: one, start: noon, events: [], expect: {}}", "19:24", "time with its"),
        (
            "{name: one, start: 2026-01-05T12:00:00, events: [], expect: {}}",
            "19:24",
            "time with its offset",
        ),
        (
            f"{{name: one, zones: {{a: {CANARY}}}, events: [], expect: {{}}}}",
            "19:24",
            "names a zone",
        ),
        ("{name: one, events: 3, expect: {}}", "19:25", "must be a list"),
        ("{name: one, events: [{at: 3, set: {}}], expect: {}}", "19:31", "after the"),
        ("{name: one, events: [{at: +1w, set: {}}], expect: {}}", "19:31", "after the"),
        ("{name: one, events: [{at: +1s}], expect: {}}", "19:26", "lacks set"),
        (
            "{name: one, events: [{at: +1s, repeat: 0, set: {}}], expect: {}}",
            "19:44",
            "must be 1 or more",
        ),
        (
            "{name: one, events: [{at: +1s, repeat: 5001, set: {}}], expect: {}}",
            "19:44",
            "at most 5000",
        ),
        (
            (
                "{name: one, events: [{at: +1s, repeat: 4000, set: {}}, "
                "{at: +1s, repeat: 4000, set: {}}], expect: {}}"
            ),
            "19:60",
            "more than 5000 events",
        ),
        (
            "{name: one, events: [{at: +1s, every: soon, set: {}}], expect: {}}",
            "19:43",
            "number and s, m, h or d",
        ),
        (
            f"{{name: one, events: [{{at: +1s, set: {{{CANARY}: 1}}}}], expect: {{}}}}",
            "19:58",
            "sets a field",
        ),
        (
            (
                f"{{name: one, events: [{{at: +1s, set: {{input_tokens: {CANARY}}}}}], "
                "expect: {}}"
            ),
            "19:56",
            "must be a whole number",
        ),
        (
            (
                f"{{name: one, events: [{{at: +1s, set: {{patient: {CANARY}}}}}], "
                "expect: {}}"
            ),
            "19:51",
            "must be a list",
        ),
        (
            (
                "{name: one, events: [{at: +1s, set: {response_phi_detected: 1}}], "
                "expect: {}}"
            ),
            "19:65",
            "must be true or false",
        ),
        (
            "{name: one, events: [{at: +1s, log: other, set: {}}], expect: {}}",
            "19:41",
            "must be one of audit",
        ),
        (f"{{name: one, events: [{TWO}], expect: {{}}}}", "19:110", "lacks alerts"),
        (
            f"{{name: one, events: [], expect: {{alerts: {CANARY}}}}}",
            "19:46",
            "must be a whole number",
        ),
        (
            f"{{name: one, events: [], expect: {{alerts: 1, group: {{use_case: {CANARY}}}}}}}",
            "19:67",
            "no field that the rule groups by",
        ),
        (
            "{name: one, events: [], expect: {alerts: 1, group: {user_id: [a]}}}",
            "19:66",
            "must be text",
        ),
    ],
)
def test_a_test_that_cannot_be_read_is_refused_with_its_place(
    test: str, place: str, rule: str
) -> None:
    """A test that is passed over tests nothing."""
    with pytest.raises(InputError, match=rule) as refused:
        read(f"  - {test}")

    assert str(refused.value).startswith(f"my.yml:{place}: ")
    assert CANARY not in str(refused.value)


def test_more_tests_than_a_rule_may_have_are_refused() -> None:
    """A file that takes minutes to check is not checked."""
    one = f"  - {{name: one, events: [{TWO}], expect: {{alerts: 1}}}}\n"

    with pytest.raises(InputError, match="more than 64 tests"):
        read(one * 65)


def test_a_number_or_truth_of_a_group_is_compared_as_text() -> None:
    """Groups are text, whatever the field holds."""
    head = HEAD.replace("[user_id]", "[local_hour, response_phi_detected]")
    event = (
        "{at: +0s, repeat: 2, set: {event_type: phi_read, local_hour: 3, "
        "response_phi_detected: true}}"
    )
    group = "{local_hour: 3, response_phi_detected: true}"
    text = f"{head}  - {{name: a, events: [{event}], expect: {{alerts: 1, group: {group}}}}}"

    (result,) = run_tests(read_tests(read_rules([("my.yml", text.encode())])))

    assert result.failures == ()
