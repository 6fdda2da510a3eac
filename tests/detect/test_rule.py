"""Rule files are read as one set: heads, detections, filters, correlations over them."""

import re

import pytest

from phitrail.detect.rule import MOST_CHAIN, MOST_RULES, RuleSet, read_rules
from phitrail.detect.typed import (
    All,
    Bound,
    Compare,
    Correlation,
    Detection,
    Kind,
    Not,
    Op,
)
from phitrail.detect.typed import Test as OnField
from phitrail.errors import InputError
from phitrail.events.codes import Log, Severity

CANARY = "CanaryTheFirst"
ID = "00000000-0000-4000-8000-0000000000"
READ = f"""\
title: Read
id: {ID}01
name: read
logsource: {{product: phitrail, service: audit}}
detection:
  a: {{event_type: phi_read}}
  condition: a
"""
GUARD = f"""\
title: Guard
id: {ID}02
name: guard
logsource: {{product: phitrail, service: security}}
detection:
  a: {{event_type: guard_failed}}
  condition: a
"""
MANY = f"""\
title: Many
id: {ID}03
name: many
correlation:
  type: event_count
  rules: [read]
  group-by: [user_id]
  timespan: 5m
  condition: {{gt: 3}}
"""
NO_READS = """\
title: No reads of a job
filter:
  rules: [read]
  job: {actor_type: job}
  condition: job
logsource: {product: phitrail, service: audit}
"""


def read(*texts: str, name: str = "my.yml") -> RuleSet:
    """Read documents as one file."""
    return read_rules([(name, "---\n".join(texts).encode())], {"staff": ["nurse"]})


def refusal(*texts: str) -> str:
    """Read documents that are refused; return what is said."""
    with pytest.raises(InputError) as refused:
        read(*texts)
    said = str(refused.value)
    assert re.match(r"my\.yml:\d+:\d+: ", said)
    assert CANARY not in said
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None
    return said


def test_a_detection_is_its_log_and_its_predicate() -> None:
    """The least that a rule can be."""
    (rule,) = read(READ).rules

    assert isinstance(rule, Detection)
    assert rule.selection.log is Log.AUDIT
    assert rule.selection.predicate == OnField("event_type", Op.EQ, "phi_read")
    assert rule.head.severity is Severity.MEDIUM
    assert str(rule.head.place) == "my.yml:1:1"


def test_a_head_says_all_that_it_has() -> None:
    """What is lost here is not in the alert."""
    more = """\
status: stable
level: critical
description: words
falsepositives: [one, two]
references: https://example.org
tags: [a.b]
author: somebody
license: CC0
date: 2026-01-05
modified: 2026-01-06
fields: [user_id]
related: []
taxonomy: sigma
scope: [server]
x_control: [164.312(b), 164.308(a)(1)(ii)(D)]
x_response: do it
x_containment: [user_id, source_ip]
x_suppress: 90s
x_window: sliding
x_tests: []
"""
    (rule,) = (found := read(READ + more)).rules
    head = rule.head

    assert (head.status, head.severity, head.description) == (
        "stable",
        Severity.CRITICAL,
        "words",
    )
    assert (head.falsepositives, head.references) == (
        ("one", "two"),
        ("https://example.org",),
    )
    assert (head.tags, head.controls) == (
        ("a.b",),
        ("164.312(b)", "164.308(a)(1)(ii)(D)"),
    )
    assert (head.response, head.suppress_us) == ("do it", 90_000_000)
    assert head.containment == ("user_id", "source_ip")
    assert list(found.tests) == [head.rule_id]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("title: Read\n", "", "1:1: lacks title"),
        ("title: Read", "title: ''", "1:8: title must be text"),
        ("title: Read", f"title: {'x' * 257}", "1:8: must have at most 256 characters"),
        ("title: Read", "title: [Read]", "1:8: title must be text"),
        (f"id: {ID}01\n", "", "1:1: lacks id"),
        (f"id: {ID}01", f"id: {CANARY}", "2:5: must be a UUID"),
        (f"id: {ID}01", "id: 3", "2:5: id must be text"),
        ("name: read", "name: ''", "3:7: name must be text"),
        ("name: read", f"status: {CANARY}", "3:9: must be one of deprecated"),
        ("name: read", f"level: {CANARY}", "3:8: must be one of informational"),
        ("name: read", f"{CANARY}: 1", "key number 3 is unknown here; known:"),
        ("name: read", f"x_{CANARY}: 1", "key number 3 is unknown here; known:"),
        ("name: read", "generate: true", "key number 3 is unknown here; known:"),
        ("name: read", f"x_window: {CANARY}", "3:11: must be sliding"),
        ("name: read", f"x_control: {CANARY}", "3:12: must be paragraphs of the CFR"),
        ("name: read", "x_control: {a: 1}", "3:12: this must be a list"),
        ("name: read", "x_control: [[a]]", "3:13: each of these must be text"),
        ("name: read", f"x_suppress: {CANARY}", "3:13: must be a number and s, m, h"),
        ("name: read", "x_suppress: 0s", "3:13: must be a number and s, m, h"),
        ("name: read", "x_suppress: 32d", "31 days at most"),
        ("name: read", f"x_containment: {CANARY}", "3:16: must be of user_id, source_ip"),
        ("name: read", "x_response: [do]", "3:13: x_response must be text"),
        ("product: phitrail, ", "", "4:12: lacks product"),
        ("product: phitrail", f"product: {CANARY}", "4:22: must be phitrail"),
        (", service: audit", "", "4:12: lacks service"),
        ("service: audit", f"service: {CANARY}", "must be one of audit, security"),
        ("service: audit", f"service: audit, {CANARY}: x", "key number 3 is unknown"),
        ("logsource: {product: phitrail, service: audit}\n", "", "lacks logsource"),
        ("service: audit", "service: quality", "names a field"),
        ("  condition: a\n", "", "6:3: lacks its condition"),
        ("  condition: a", "  condition: [a]", "7:14: condition must be text"),
        ("  condition: a", f"  condition: {CANARY}", "7:14: condition, word 1: names"),
        ("  a: {event_type: phi_read}", f"  a: {CANARY}", "must be fields and values"),
    ],
)  # fmt: skip
def test_a_detection_that_is_not_one_is_refused(old: str, new: str, said: str) -> None:
    """Each refusal says the line, the column and the rule."""
    assert old in READ
    assert said in refusal(READ.replace(old, new))


@pytest.mark.parametrize("text", ["- a", "a", "3", "[]"])
def test_a_document_that_is_no_rule_is_refused(text: str) -> None:
    """A list of rules is another format."""
    assert "a rule must be a mapping" in refusal(text)


def test_a_correlation_is_its_parts() -> None:
    """What it counts, by what, within what, and when that is too much."""
    first, rule = read(READ, MANY).rules

    assert isinstance(rule, Correlation)
    assert (rule.kind, rule.group_by, rule.span_us) == (
        Kind.EVENT_COUNT,
        ("user_id",),
        300_000_000,
    )
    assert rule.bounds == (Bound(Compare.GT, 3),)
    assert (rule.sources[0].name, rule.sources[0].rule) == ("read", first)


def test_a_correlation_proposes_to_contain_what_it_groups_by() -> None:
    """An alert that does not say whom it is about cannot say whom to stop."""
    read_rules([("a.yml", f"{READ}---\n{MANY}x_containment: [user_id]\n".encode())])
    text = f"{READ}---\n{MANY}x_containment: [user_id, source_ip]\n"
    with pytest.raises(InputError, match="is no field that it groups by"):
        read_rules([("a.yml", text.encode())])


def test_a_rule_is_named_by_its_id_too_and_may_stand_below() -> None:
    """Files are read in whatever order a directory has."""
    by_id = MANY.replace("rules: [read]", f"rules: [{ID}01]")
    above = read(by_id, READ).rules

    assert [rule.head.title for rule in above] == ["Many", "Read"]
    assert isinstance(above[0], Correlation)
    assert above[0].sources[0].rule == above[1]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("type: event_count", f"type: {CANARY}", "must be one of event_count"),
        ("type: event_count", "type: value_avg", "must be one of event_count"),
        ("  type: event_count\n", "", "lacks type"),
        ("rules: [read]", f"rules: [{CANARY}]", "is no rule of this set"),
        ("rules: [read]", "rules: []", "must be over 1 to 16 rules"),
        ("rules: [read]", f"rules: [{', '.join(['read'] * 17)}]", "over 1 to 16 rules"),
        ("rules: [read]", "rules: read", "rules must be a list"),
        ("  rules: [read]\n", "", "lacks rules"),
        ("group-by: [user_id]", f"group-by: [{CANARY}]", "names a field that one of"),
        ("group-by: [user_id]", "group-by: [patient]", "groups by a list"),
        ("group-by: [user_id]", f"{CANARY}: 1", "is unknown here"),
        ("timespan: 5m", f"timespan: {CANARY}", "must be a number and s, m, h or d"),
        ("timespan: 5m", "timespan: 5", "must be a number and s, m, h or d"),
        ("timespan: 5m", "timespan: 1M", "must be a number and s, m, h or d"),
        ("timespan: 5m", "timespan: 0m", "must be a number and s, m, h or d"),
        ("timespan: 5m", "timespan: 745h", "31 days at most"),
        ("  timespan: 5m\n", "", "lacks timespan"),
        ("  condition: {gt: 3}\n", "", "lacks its condition"),
        ("{gt: 3}", "{}", "compares with nothing"),
        ("{gt: 3}", "3", "condition must be a mapping"),
        ("{gt: 3}", f"{{{CANARY}: 3}}", "is none of gt, gte"),
        ("{gt: 3}", f"{{gt: {CANARY}}}", "must be a whole number"),
        ("{gt: 3}", "{gt: -1}", "must be a whole number"),
        ("{gt: 3}", "{gt: 1.5}", "must be a whole number"),
        ("{gt: 3}", "{gt: true}", "must be a whole number"),
        ("{gt: 3}", "{gt: 3, field: user_id}", "event_count is over no field"),
        ("event_count", "value_count", "value_count needs the field"),
        ("event_count", "value_sum", "value_sum needs the field"),
        ("event_count", "temporal", "temporal takes no condition"),
        ("event_count", "temporal_ordered", "temporal_ordered takes no condition"),
        ("  timespan: 5m", f"  timespan: 5m\n  aliases: {CANARY}", "aliases must be a"),
        ("  timespan: 5m", "  timespan: 5m\n  aliases: {a: b}", "an alias must be a"),
        (
            "  timespan: 5m",
            f"  timespan: 5m\n  aliases: {{user_id: {{{CANARY}: agent_id}}}}",
            "is of a rule that `rules` does not name so",
        ),
        ("  timespan: 5m", "  timespan: 5m\n  generate: 1", "must be true or false"),
        ("title: Many", "title: Many\ndetection: {}", "is unknown here"),
        ("title: Many", "title: Many\nlogsource: {}", "is unknown here"),
    ],
)
def test_a_correlation_that_is_not_one_is_refused(
    old: str, new: str, said: str
) -> None:
    """What a correlation cannot measure must not be silently nothing."""
    assert old in MANY
    assert said in refusal(READ, MANY.replace(old, new))


@pytest.mark.parametrize(
    ("kind", "field", "is_good"),
    [
        ("value_count", "patient", True),
        ("value_count", "input_tokens", True),
        ("value_count", CANARY, False),
        ("value_sum", "input_tokens", True),
        ("value_sum", "user_id", False),
        ("value_sum", "patient", False),
        ("value_sum", "response_phi_detected", False),
    ],
)
def test_a_measure_is_over_a_field_that_it_can_measure(
    kind: str, field: str, is_good: bool
) -> None:
    """A sum of texts is nothing."""
    text = MANY.replace("event_count", kind).replace("gt: 3", f"gt: 3, field: {field}")
    if not is_good:
        assert "is no such field of every rule" in refusal(READ, text)
        return
    rule = read(READ, text).rules[1]

    assert isinstance(rule, Correlation)
    assert rule.field == field


def test_a_sum_is_over_what_cannot_be_negative() -> None:
    """A sum that was reached and shrinks again would have been told in one executor alone."""
    text = MANY.replace("event_count", "value_sum")
    text = text.replace("gt: 3", "gt: 3, field: local_offset_s")
    assert "may be negative" in refusal(READ, text)


def test_a_field_may_have_another_name_in_each_rule() -> None:
    """One log says `user_id`, another one `object_id`."""
    text = (
        MANY.replace("[read]", "[read, guard]")
        .replace("[user_id]", "[who]")
        .replace(
            "  timespan: 5m",
            "  timespan: 5m\n  aliases: {who: {read: user_id, guard: object_id}}",
        )
    )
    rule = read(READ, GUARD, text).rules[2]

    assert isinstance(rule, Correlation)
    assert [source.field("who") for source in rule.sources] == ["user_id", "object_id"]


def test_an_alias_must_be_a_field_of_every_rule() -> None:
    """Events of the rule without it would be in no group, ever."""
    text = (
        MANY.replace("[read]", "[read, guard]")
        .replace("[user_id]", "[who]")
        .replace("  timespan: 5m", "  timespan: 5m\n  aliases: {who: {read: user_id}}")
    )

    assert "names a field that one of its rules" in refusal(READ, GUARD, text)


def chain(length: int) -> list[str]:
    """Write correlations, each over the one before."""
    return [
        MANY.replace("[read]", f"[{'many' if n == 1 else f'many{n - 1}'}]")
        .replace("name: many\n", f"name: many{n}\n")
        .replace("0003", f"{n:02}99")
        for n in range(1, length)
    ]


def test_correlations_may_be_over_correlations_up_to_an_end() -> None:
    """Chaining is bounded, so that a rule's cost is."""
    deepest = read(READ, MANY, *chain(MOST_CHAIN)).rules[-1]
    longer = [READ, MANY, *chain(MOST_CHAIN + 1)]

    assert isinstance(deepest, Correlation)
    for texts in (longer, longer[::-1]):
        assert f"is over more than {MOST_CHAIN} rules in a chain" in refusal(*texts)


def test_a_chained_correlation_groups_by_what_is_left() -> None:
    """What a correlation does not group by is gone from what it finds."""
    over = chain(2)[0]

    assert "names a field that one of its rules" in refusal(
        READ, MANY, over.replace("[user_id]", "[facility_id]")
    )


@pytest.mark.parametrize("names", ["[many]", "[read, many]"])
def test_a_rule_over_itself_is_refused(names: str) -> None:
    """It would never end."""
    assert "refers to itself" in refusal(READ, MANY.replace("[read]", names))


def test_a_circle_of_rules_is_refused() -> None:
    """Neither can be judged before the other."""
    first = MANY.replace("[read]", "[other]")
    second = (
        MANY.replace("name: many", "name: other")
        .replace("[read]", "[many]")
        .replace("0003", "0004")
    )

    assert "refers to itself" in refusal(first, second)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f"{ID}03", f"{ID}01"),
        ("name: many", "name: read"),
        ("name: many", f"name: {ID}01"),
        (f"id: {ID}03", f"id: {{{ID}01}}".replace("{", "'{").replace("}", "}'")),
        (f"id: {ID}03", f"id: '{ID.replace('-', '')}01'"),
    ],
)
def test_an_id_or_name_that_stands_twice_is_refused(old: str, new: str) -> None:
    """A rule that replaces another one unseen is a rule that is gone."""
    assert "has the id or name of another rule" in refusal(READ, MANY.replace(old, new))


def test_ids_stand_once_over_all_files() -> None:
    """A house's file must not replace a rule that comes with phitrail."""
    with pytest.raises(InputError, match=r"b\.yml:1:1: has the id"):
        read_rules([("a.yml", READ.encode()), ("b.yml", READ.encode())])


def test_a_filter_leaves_out_what_it_selects() -> None:
    """A house's exceptions stand beside the rule, not in it."""
    kept = OnField("event_type", Op.EQ, "phi_read")
    job = OnField("actor_type", Op.EQ, "job")
    for texts in ((READ, NO_READS, MANY), (NO_READS, MANY, READ)):
        rules = {rule.head.name: rule for rule in read(*texts).rules}
        detection, many = rules["read"], rules["many"]

        assert isinstance(detection, Detection)
        assert isinstance(many, Correlation)
        assert detection.selection.predicate == All((kept, Not(job)))
        assert many.sources[0].rule == detection


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  rules: [read]\n", "", "must have rules and a condition"),
        ("  condition: job\n", "", "must have rules and a condition"),
        ("rules: [read]", f"rules: [{CANARY}]", "is no detection of this log"),
        ("rules: [read]", "rules: [many]", "is no detection of this log"),
        ("rules: [read]", "rules: [guard]", "is no detection of this log"),
        ("rules: [read]", "rules: any", "rules must be a list"),
        ("condition: job", f"condition: {CANARY}", "names a selection"),
        ("service: audit", "service: quality", "names a field"),
        ("title: No reads of a job", f"{CANARY}: x", "is unknown here"),
    ],
)
def test_a_filter_that_is_not_one_is_refused(old: str, new: str, said: str) -> None:
    """An exception that excepts nothing, or too much, must not be passed over."""
    assert said in refusal(READ, GUARD, MANY, NO_READS.replace(old, new))


def test_a_fed_rule_makes_no_alerts_of_its_own() -> None:
    """A detection that only feeds a count would alert on every read."""
    assert [rule.head.name for rule in read(READ, GUARD, MANY).judged()] == [
        "guard",
        "many",
    ]


@pytest.mark.parametrize("place", ["generate: true\n", "  generate: true\n"])
def test_generate_lets_the_rules_beneath_make_alerts(place: str) -> None:
    """Sigma: the rules that a correlation refers to are converted as well."""
    many = MANY + "level: low\n" + place if place[0] != " " else MANY + place

    assert [rule.head.name for rule in read(READ, many).judged()] == ["read", "many"]


def test_a_rule_that_any_correlation_generates_makes_alerts() -> None:
    """One correlation's wish is not taken away by another's silence."""
    other = MANY.replace("0003", "0004").replace("name: many", "name: other")
    judged = read(READ, MANY, other + "  generate: true\n").judged()

    assert [rule.head.name for rule in judged] == ["read", "many", "other"]


def test_the_number_of_rules_has_an_end() -> None:
    """A set is read whole before a rule of it works."""
    files = [
        (f"{n}.yml", "---\n".join([READ] * 50).encode())
        for n in range(MOST_RULES // 50)
    ]

    with pytest.raises(InputError, match=r"x\.yml:1:1: more than 1000 rules"):
        read_rules([*files, ("x.yml", READ.encode())])


def test_lists_for_expand_reach_selections() -> None:
    """A house says once who is staff."""
    text = READ.replace("event_type: phi_read", "user_role|expand: '%staff%'")
    (rule,) = read(text).rules

    assert isinstance(rule, Detection)
    assert rule.selection.predicate == OnField("user_role", Op.EQ, "nurse")
