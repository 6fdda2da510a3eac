"""A policy says what the issue's defaults say, is read strictly, and has a digest."""

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from phitrail.errors import InputError
from phitrail.events.codes import GuardDecision, IdentifierClass
from phitrail.guard.found import Relation
from phitrail.guard.policy import AccessRule, Actions, GuardPolicy, policy_of
from phitrail.guard.selectors import CLASS_OF_SELECTOR, SHORT_NAMES, classes_of

SSN, NAME, PLACE = (
    IdentifierClass.SSN,
    IdentifierClass.NAME,
    IdentifierClass.GEOGRAPHIC,
)


def test_defaults_release_expected_redact_unexpected_block_another_patient() -> None:
    """Whoever configures nothing gets what the documentation promises."""
    terms = GuardPolicy().terms("chart_qa", "nurse")

    assert terms.action(SSN, Relation.EXPECTED) == GuardDecision.RELEASE
    assert terms.action(SSN, Relation.UNEXPECTED) == GuardDecision.REDACT
    assert terms.action(SSN, Relation.WRONG_PATIENT) == GuardDecision.BLOCK
    assert terms.action(SSN, None) == GuardDecision.REDACT
    assert terms.is_allowed(SSN)


def test_the_most_particular_word_counts() -> None:
    """A rule for one class must win over what holds in general, and lose to nothing."""
    policy = policy_of(
        {
            "actions": {"unexpected": "alert"},
            "class_actions": {"SSN": {"unexpected": "block", "expected": "redact"}},
            "rules": [
                {
                    "roles": ["registrar"],
                    "actions": {"unexpected": "redact"},
                    "class_actions": {"ssn": {"unexpected": "release"}},
                }
            ],
        }
    )
    general, special = policy.terms(None, "nurse"), policy.terms(None, "registrar")

    assert general.action(NAME, Relation.UNEXPECTED) == GuardDecision.ALERT
    assert general.action(SSN, Relation.UNEXPECTED) == GuardDecision.BLOCK
    assert special.action(NAME, Relation.UNEXPECTED) == GuardDecision.REDACT
    assert special.action(SSN, Relation.UNEXPECTED) == GuardDecision.RELEASE
    assert special.action(SSN, Relation.EXPECTED) == GuardDecision.REDACT


@pytest.mark.parametrize(
    ("use_case", "role", "is_allowed"),
    [
        ("patient_message", "nurse", False),
        ("patient_message", "physician", True),
        ("triage", "nurse", True),
        (None, None, True),
    ],
)
def test_a_rule_holds_for_its_use_cases_and_roles(
    use_case: str | None, role: str | None, is_allowed: bool
) -> None:
    """A rule that reaches further than it says releases or hides too much."""
    rule = AccessRule(
        use_cases=("patient_message",), roles=("nurse",), allow=("ADDRESS", "name")
    )
    terms = GuardPolicy(rules=(rule,)).terms(use_case, role)

    assert terms.is_allowed(SSN) is is_allowed
    assert terms.is_allowed(PLACE)


def test_the_first_rule_that_fits_is_the_one() -> None:
    """Two rules that both count would leave nobody able to say what holds."""
    rules = (
        AccessRule(roles=("nurse",), actions=Actions(unexpected="alert")),
        AccessRule(actions=Actions(unexpected="block")),
    )
    policy = GuardPolicy(rules=rules)

    assert (
        policy.terms(None, "nurse").action(NAME, Relation.UNEXPECTED)
        == GuardDecision.ALERT
    )
    assert (
        policy.terms(None, None).action(NAME, Relation.UNEXPECTED)
        == GuardDecision.BLOCK
    )


def test_thresholds_are_by_class_under_either_name() -> None:
    """A threshold that is not found under its short name would be passed over."""
    terms = policy_of({"threshold": 0.4, "thresholds": {"ADDRESS": 0.9}}).terms(
        "a", "b"
    )

    assert terms.threshold(PLACE) == 0.9
    assert terms.threshold(NAME) == 0.4


CANARY = "Okonkwo"


@pytest.mark.parametrize(
    "plain",
    [
        {CANARY: 1},
        {"actions": {"unexpected": CANARY}},
        {"actions": {"withheld": "block"}},
        {"actions": {"unexpected": "withheld"}},
        {"class_actions": {CANARY: {}}},
        {"class_actions": {"NAME": {}, "name": {}}},
        {"thresholds": {"MRN": 0.1, "MEDICAL_RECORD": 0.2}},
        {"threshold": 1.01},
        {"rules": [{"allow": [CANARY]}]},
        {"rules": [{"class_actions": {"MRN": {}, "mrn": {}}}]},
        {"rules": [{"roles": [CANARY]}]},
        {"provider_names": "alert"},
        {"redaction": CANARY},
        {"stream": CANARY},
        {"timeout_s": 0},
    ],
)
def test_what_is_not_understood_is_refused_without_quoting_it(
    plain: dict[str, object],
) -> None:
    """A misspelt class that is passed over is a hole; a quoted value is a leak."""
    with pytest.raises(InputError) as caught:
        policy_of(plain)

    assert CANARY not in str(caught.value)
    assert caught.value.field.startswith("guard")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_policy_survives_the_file_that_init_writes() -> None:
    """What `init` writes must be what is read."""
    policy = GuardPolicy(rules=(AccessRule(allow=("NAME",)),), thresholds={"ssn": 0.2})
    written = yaml.safe_dump(msgspec.to_builtins(policy))

    assert policy_of(yaml.safe_load(written)) == policy


def test_the_digest_tells_policies_apart_and_nothing_else() -> None:
    """An event must name the policy that it was decided under, whatever the key order."""
    one = policy_of({"threshold": 0.4, "stream": "buffered"})
    other = policy_of({"stream": "buffered", "threshold": 0.4})

    assert one.digest() == other.digest()
    assert one.digest() != GuardPolicy().digest()
    assert len(one.digest()) == 64


@given(st.sampled_from(sorted(CLASS_OF_SELECTOR)))
def test_every_selector_is_taken_wherever_a_class_is_named(selector: str) -> None:
    """A selector that works in one place and not in another is a trap."""
    policy = policy_of(
        {
            "class_actions": {selector: {"unexpected": "alert"}},
            "thresholds": {selector: 0.1},
            "rules": [{"allow": [selector]}],
        }
    )
    (kind,) = classes_of([selector])
    terms = policy.terms(None, None)

    assert terms.is_allowed(kind)
    assert terms.threshold(kind) == 0.1
    assert terms.action(kind, Relation.UNEXPECTED) == GuardDecision.ALERT


def test_the_selectors_that_were_promised_are_there() -> None:
    """Callers write these names."""
    promised = "NAME DATE PHONE EMAIL SSN MRN ADDRESS MEDICAL_RECORD".split()

    assert set(promised) == set(SHORT_NAMES)
    assert classes_of(["ADDRESS", "geographic"]) == {PLACE}


def test_an_unknown_selector_is_refused_by_place() -> None:
    """A class that nobody looks for because of a typing error would be a hole."""
    with pytest.raises(InputError, match="number 2") as caught:
        classes_of(["NAME", CANARY])

    assert CANARY not in str(caught.value)
