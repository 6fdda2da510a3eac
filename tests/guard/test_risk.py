"""The score grows with what an answer gives away, and says why."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phitrail.events.codes import GuardDecision, IdentifierClass
from phitrail.guard.decide import Judged
from phitrail.guard.found import Relation
from phitrail.guard.risk import WEIGHT_OF_CLASS, Reason, assess

BETTER_TO_WORSE = (Relation.EXPECTED, Relation.UNEXPECTED, Relation.WRONG_PATIENT)
NAME, SSN = IdentifierClass.NAME, IdentifierClass.SSN
DATE, PLACE = IdentifierClass.DATE, IdentifierClass.GEOGRAPHIC
CODE = IdentifierClass.CLINICAL_CODE


def _span(
    kind: IdentifierClass, relation: Relation = Relation.UNEXPECTED, score: float = 1.0
) -> Judged:
    return Judged(0, 1, kind, score, "rule", relation, GuardDecision.REDACT)


SPANS = st.builds(
    _span,
    st.sampled_from(IdentifierClass),
    st.sampled_from(Relation),
    st.floats(0, 1),
)


@given(st.lists(SPANS, max_size=8), SPANS)
def test_one_more_finding_never_lowers_the_score(
    spans: list[Judged], more: Judged
) -> None:
    """Whoever sorts answers by risk must find the worse one above."""
    assert assess(spans).score <= assess([*spans, more]).score


@given(st.lists(SPANS, min_size=1, max_size=8), st.data())
def test_a_worse_relation_or_a_surer_finding_never_lowers_the_score(
    spans: list[Judged], data: st.DataObject
) -> None:
    """Another patient's name is never the milder case."""
    place = data.draw(st.integers(0, len(spans) - 1))
    span = spans[place]
    worst = BETTER_TO_WORSE[BETTER_TO_WORSE.index(span.relation) :]
    worse = replace(
        span,
        relation=data.draw(st.sampled_from(worst)),
        score=data.draw(st.floats(span.score, 1)),
    )
    changed = [*spans[:place], worse, *spans[place + 1 :]]

    assert assess(spans).score <= assess(changed).score


@given(st.lists(SPANS, max_size=30), st.randoms(use_true_random=False))
def test_the_score_lies_between_0_and_1_in_any_order(
    spans: list[Judged], random: object
) -> None:
    """A score outside its range breaks whoever compares it."""
    shuffled = list(spans)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # a random.Random

    assert 0 <= assess(spans).score <= 1
    assert assess(spans).score == pytest.approx(assess(shuffled).score, abs=2e-6)


def test_every_class_has_a_weight() -> None:
    """A class without one would stop every scan that finds it."""
    assert set(WEIGHT_OF_CLASS) == set(IdentifierClass)


def test_nothing_found_is_no_risk() -> None:
    """An answer without PHI stands at the end of the list."""
    assert assess([]).score == 0
    assert assess([]).reasons == ()


def test_codes_weigh_nothing_alone_and_something_beside_an_identifier() -> None:
    """A diagnosis is health information of a person once the person is named."""
    alone, name = assess([_span(CODE)]), assess([_span(NAME)])
    both = assess([_span(NAME), _span(CODE)])

    assert alone.score == 0
    assert alone.reasons == ()
    assert name.score == 0.5
    assert both.score == 0.625
    assert Reason.CODE_BESIDE_IDENTIFIER in both.reasons


def test_quasi_identifiers_count_more_together() -> None:
    """A birthday and a village point to one person; each alone points to many."""
    date, place = assess([_span(DATE)]).score, assess([_span(PLACE)]).score
    both = assess([_span(DATE), _span(PLACE)])

    assert both.score > 1 - (1 - date) * (1 - place)
    assert Reason.QUASI_IDENTIFIERS_TOGETHER in both.reasons


def test_relation_orders_the_score() -> None:
    """What was expected is the mildest, another patient's the worst."""
    scores = [assess([_span(NAME, relation)]).score for relation in BETTER_TO_WORSE]

    assert scores == [0.125, 0.5, 0.75]


def test_reasons_are_codes_in_a_fixed_order() -> None:
    """Reasons stand in events; they must be comparable and hold no text."""
    spans = [
        _span(SSN, Relation.WRONG_PATIENT),
        _span(NAME, Relation.EXPECTED),
        _span(NAME),
        _span(DATE),
        _span(CODE),
    ]

    assert assess(spans).reasons == tuple(Reason)
