"""Findings are judged against the access that they belong to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phitrail.events.codes import GuardDecision, IdentifierClass
from phitrail.guard.decide import (
    PATIENT_KEYS,
    SEVERITY,
    decide,
    most_severe,
)
from phitrail.guard.found import Found, PersonRole, Relation
from phitrail.guard.policy import GuardPolicy, policy_of

NAME, MRN = IdentifierClass.NAME, IdentifierClass.MRN
CODE = IdentifierClass.CLINICAL_CODE


def _found(
    kind: IdentifierClass = NAME,
    score: float = 0.9,
    *,
    is_in_record: bool = False,
    role: PersonRole | None = None,
) -> Found:
    return Found(3, 8, kind, score, "some_rule", is_in_record, role)


def _anybody(_place: int) -> bool:
    return True


def test_what_the_record_explains_is_released() -> None:
    """The assistant would be of no use if it could not name the patient it was asked of."""
    judgement = decide([_found(is_in_record=True)], GuardPolicy(), has_context=True)
    (span,) = judgement.spans

    assert span.relation == Relation.EXPECTED
    assert judgement.decision == GuardDecision.RELEASE
    assert judgement.response_phi_detected
    assert not judgement.is_phi_output


def test_what_the_record_does_not_explain_is_redacted() -> None:
    """A name from nowhere may be anybody's."""
    judgement = decide([_found()], GuardPolicy(), has_context=True)
    (span,) = judgement.spans

    assert span.relation == Relation.UNEXPECTED
    assert judgement.decision == GuardDecision.REDACT
    assert judgement.is_phi_output


def test_a_class_that_the_use_case_does_not_allow_is_unexpected() -> None:
    """An SSN that is in the record has no business in a message to the patient."""
    policy = policy_of({"rules": [{"use_cases": ["message"], "allow": ["NAME"]}]})
    found = [_found(IdentifierClass.SSN, is_in_record=True)]
    in_message = decide(found, policy, use_case="message", has_context=True)
    elsewhere = decide(found, policy, use_case="chart_qa", has_context=True)

    assert in_message.decision == GuardDecision.REDACT
    assert elsewhere.decision == GuardDecision.RELEASE


@pytest.mark.parametrize("kind", list(IdentifierClass))
def test_another_patient_is_recognised_by_keys_and_never_by_a_name(
    kind: IdentifierClass,
) -> None:
    """Two patients of one name are common; two of one MRN are not."""
    judgement = decide(
        [_found(kind, score=0.1)],
        GuardPolicy(),
        has_context=True,
        is_other_patient=_anybody,
    )

    is_blocked = judgement.decision == GuardDecision.BLOCK
    assert is_blocked is (kind in PATIENT_KEYS)
    assert judgement.is_phi_output is is_blocked


def test_without_a_look_up_nobody_is_another_patient() -> None:
    """Where the look-up is missing an unknown MRN must still not go on."""
    judgement = decide([_found(MRN)], GuardPolicy(), has_context=True)

    assert judgement.decision == GuardDecision.REDACT


def test_the_look_up_is_asked_about_the_place_and_only_where_it_may_matter() -> None:
    """A look-up costs time, and one about the wrong span would block the wrong answer."""
    asked = []

    def ask(place: int) -> bool:
        asked.append(place)
        return False

    found = [_found(), _found(MRN, is_in_record=True), _found(MRN)]
    decide(found, GuardPolicy(), has_context=True, is_other_patient=ask)
    decide(found, GuardPolicy(), has_context=False, is_other_patient=ask)

    assert asked == [2]


def test_without_context_everything_is_redacted() -> None:
    """Nothing can be expected of an access that nobody has described."""
    found = [_found(is_in_record=True), _found(MRN)]
    judgement = decide(found, GuardPolicy(), has_context=False)

    assert {span.action for span in judgement.spans} == {GuardDecision.REDACT}
    assert {span.relation for span in judgement.spans} == {Relation.UNEXPECTED}


def test_a_weak_finding_is_passed_over_unless_a_record_explains_it() -> None:
    """A threshold that hides what the record proves would be a hole."""
    policy = policy_of({"thresholds": {"NAME": 0.8}})
    weak, known = _found(score=0.79), _found(score=0.1, is_in_record=True)

    assert not decide([weak], policy, has_context=True).spans
    assert decide([_found(score=0.8)], policy, has_context=True).spans
    assert decide([known], policy, has_context=True).spans


@pytest.mark.parametrize("has_context", [True, False])
def test_a_clinical_code_alone_is_not_phi(has_context: bool) -> None:
    """A diagnosis without a person is medicine, and must stay readable."""
    judgement = decide([_found(CODE)], GuardPolicy(), has_context=has_context)

    assert len(judgement.spans) == 1
    assert judgement.decision == GuardDecision.RELEASE
    assert not judgement.response_phi_detected
    assert not judgement.is_phi_output


def test_a_policy_may_redact_clinical_codes() -> None:
    """Some houses do not let codes out of some rooms."""
    policy = policy_of({"clinical_codes": "redact"})

    assert decide([_found(CODE)], policy, has_context=True).decision == (
        GuardDecision.REDACT
    )


@pytest.mark.parametrize("has_context", [True, False])
def test_provider_names_are_released_where_the_policy_says_so(
    has_context: bool,
) -> None:
    """A referral letter without the physician's name is no letter."""
    policy = policy_of({"provider_names": "release"})
    provider = _found(role=PersonRole.PROVIDER)
    patient = _found(role=PersonRole.PATIENT)

    assert decide([provider], policy, has_context=has_context).decision == (
        GuardDecision.RELEASE
    )
    assert decide([patient], policy, has_context=has_context).decision == (
        GuardDecision.REDACT
    )
    assert decide([provider], GuardPolicy(), has_context=has_context).decision == (
        GuardDecision.REDACT
    )


def test_nothing_found_is_released() -> None:
    """An answer without PHI goes on as it is."""
    judgement = decide([], GuardPolicy(), has_context=True)

    assert judgement.decision == GuardDecision.RELEASE
    assert not judgement.response_phi_detected


@given(st.lists(st.sampled_from(SEVERITY), min_size=1))
def test_the_most_severe_action_decides(actions: list[GuardDecision]) -> None:
    """One span that must be blocked blocks the answer, wherever it stands."""
    decision = most_severe(*actions)

    assert SEVERITY.index(decision) == max(SEVERITY.index(each) for each in actions)
