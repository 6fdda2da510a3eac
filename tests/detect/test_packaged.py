"""The rules that come with phitrail are whole, tested, and what docs/rules.md says."""

from collections.abc import Mapping
from functools import cache

import pytest
from tests.docs.pages import DOCS, blocks, first_cells

from phitrail.detect.packaged import packaged_rules
from phitrail.detect.rule import RuleSet, read_rules
from phitrail.detect.rule_tests import RuleTest, read_tests, run_tests
from phitrail.detect.schema import DERIVED
from phitrail.detect.typed import COUNTING, Correlation, Kind, Rule
from phitrail.events.codes import Log, Severity

PAGE = DOCS / "rules.md"


@cache
def shipped() -> RuleSet:
    """Read the packaged rules, once."""
    return read_rules(packaged_rules())


@cache
def held_by() -> Mapping[str, tuple[RuleTest, ...]]:
    """Read their tests, by rule."""
    found: dict[str, tuple[RuleTest, ...]] = {}
    for test in read_tests(shipped()):
        rule_id = test.rule.head.rule_id
        found[rule_id] = (*found.get(rule_id, ()), test)
    return found


def judged() -> list[Rule]:
    """List the rules that make alerts."""
    return list(shipped().judged())


def _title(rule: Rule) -> str:
    return rule.head.title


@pytest.mark.parametrize("rule", judged(), ids=_title)
def test_every_test_of_a_shipped_rule_passes(rule: Rule) -> None:
    """A rule that does not do what it says is worse than none."""
    results = run_tests(held_by()[rule.head.rule_id])

    assert [(one.test.name, one.failures) for one in results if one.failures] == []


@pytest.mark.parametrize("rule", judged(), ids=_title)
def test_every_shipped_rule_says_what_to_do(rule: Rule) -> None:
    """Whoever is paged at night must not have to guess."""
    head = rule.head

    assert head.description
    assert head.response
    assert head.controls
    assert head.falsepositives


@pytest.mark.parametrize("rule", judged(), ids=_title)
def test_every_shipped_rule_is_tested_on_both_sides(rule: Rule) -> None:
    """What is never an alert in any test, or always one, is not tested."""
    expected = {test.expected.alerts > 0 for test in held_by()[rule.head.rule_id]}

    assert expected == {False, True} or _fires_on_each(rule)


def _fires_on_each(rule: Rule) -> bool:
    """Whether one event is enough, so that nothing but another event is none."""
    return isinstance(rule, Correlation) and any(b.number <= 1 for b in rule.bounds)


@pytest.mark.parametrize(
    "rule", [r for r in judged() if isinstance(r, Correlation)], ids=_title
)
def test_every_window_is_tested_at_its_edge(rule: Correlation) -> None:
    """A window is (t - span, t]: what is exactly `span` old is out, and a test says so."""
    spans = set()
    for test in held_by()[rule.head.rule_id]:
        times = sorted(event.at_us for event in test.events)
        spans |= {late - early for early in times[:1] for late in times}
        spans |= {times[-1] - early for early in times}

    assert rule.span_us in spans


@pytest.mark.parametrize(
    "rule",
    [r for r in judged() if isinstance(r, Correlation) and r.kind in COUNTING],
    ids=_title,
)
def test_every_threshold_is_tested_with_n_and_one_more(rule: Correlation) -> None:
    """Off by one is the fault that a threshold has."""
    (bound,) = rule.bounds
    enough = bound.number + (bound.compare == "gt")
    held = held_by()[rule.head.rule_id]
    peaks = {test.expected.peak for test in held}
    none = {_measured(rule, test) for test in held if test.expected.alerts == 0}

    assert enough == 1 or enough in peaks
    assert enough == 1 or enough - 1 in none


def _measured(rule: Correlation, test: RuleTest) -> int:
    """Count the events of a test, or the values that the rule counts."""
    if rule.field is None:
        return len({event.event_id for event in test.events})
    values = [event.row.get(rule.field) for event in test.events]
    return len(
        {one for v in values for one in (v if isinstance(v, tuple) else (v,))} - {None}
    )


@pytest.mark.parametrize(
    "rule",
    [r for r in judged() if isinstance(r, Correlation) and r.group_by],
    ids=_title,
)
def test_every_grouped_rule_keeps_groups_apart(rule: Correlation) -> None:
    """Two people's events must never add up to an alert about one of them."""
    fields = {source.field(name) for source in rule.sources for name in rule.group_by}

    assert any(
        len({event.row.get(name) for event in test.events}) > 1
        for test in held_by()[rule.head.rule_id]
        for name in fields
    )


def test_the_four_classic_rules_are_there() -> None:
    """These are what a house looks for first; their numbers are fixed."""
    told = {
        rule.head.title: (
            rule.head.severity,
            rule.kind,
            rule.group_by,
            rule.span_us // 1_000_000,
            tuple((str(bound.compare), bound.number) for bound in rule.bounds),
        )
        for rule in judged()
        if isinstance(rule, Correlation) and rule.head.status == "stable"
    }
    attempts = (300, (("gt", 10),))
    output = (86_400, (("gte", 1),))
    named = ("ai_model_version", "use_case")

    assert told == {
        "More than 10 injection attempts within 5 minutes from one address": (
            Severity.HIGH, Kind.EVENT_COUNT, ("source_ip",), *attempts),
        "More than 10 injection attempts within 5 minutes by one user": (
            Severity.HIGH, Kind.EVENT_COUNT, ("user_id",), *attempts),
        "More than 10 injection attempts within 5 minutes in all": (
            Severity.HIGH, Kind.EVENT_COUNT, (), *attempts),
        "More than 200 accesses to PHI within an hour by one user": (
            Severity.HIGH, Kind.VALUE_COUNT, ("user_id",), 3_600, (("gt", 200),)),
        "PHI of another patient in the output of a model": (
            Severity.CRITICAL, Kind.EVENT_COUNT, named, *output),
        "Unexpected PHI in the output of a model": (
            Severity.HIGH, Kind.EVENT_COUNT, named, *output),
        "PHI in the output of a model that is not named": (
            Severity.CRITICAL, Kind.EVENT_COUNT, (), *output),
        "More than 5 accesses to PHI by one user in one night": (
            Severity.MEDIUM, Kind.VALUE_COUNT, ("user_id", "night"), 32_400, (("gt", 5),)),
        "More than 5 accesses to PHI by one user within an hour of the night": (
            Severity.MEDIUM, Kind.VALUE_COUNT, ("user_id",), 3_600, (("gt", 5),)),
    }  # fmt: skip


def test_another_patients_phi_is_never_held_back() -> None:
    """Wrong-patient output pages at once, every time."""
    rules = {rule.head.title: rule.head for rule in judged()}

    assert rules["PHI of another patient in the output of a model"].suppress_us == 0
    assert rules["PHI in the output of a model that is not named"].suppress_us == 0


def test_every_log_is_watched() -> None:
    """A rule about a log that nobody reads is none."""
    logs = {test.events[0].log for tests in held_by().values() for test in tests}

    assert logs == set(Log)


def test_the_page_lists_every_shipped_rule() -> None:
    """The page is what a privacy officer reads before switching anything on."""
    page = PAGE.read_text(encoding="utf-8")
    begin = page.index("## The rules that come with phitrail")
    listed = [line for line in page[begin:].splitlines() if line.startswith("| ")]
    expected = [
        f"| {rule.head.title} | {rule.head.severity} | {', '.join(rule.head.controls)} |"
        for rule in judged()
    ]

    assert expected == listed[1 : len(expected) + 1]


def test_the_example_of_the_page_is_a_rule_that_passes_its_test() -> None:
    """The first thing that a reader copies must work."""
    (example,) = blocks(PAGE, "yaml")
    rules = read_rules([("rules.md", example.encode())])

    (result,) = run_tests(read_tests(rules))

    assert result.failures == ()


def test_the_page_explains_every_field_that_is_made_for_rules() -> None:
    """A field that nobody can find is not used."""
    assert set(DERIVED) == set(first_cells(PAGE, "## Fields")[1:])
