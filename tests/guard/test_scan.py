"""The whole scan: its properties on any text, and the job that it is for."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phitrail.events.codes import GuardDecision, IdentifierClass
from phitrail.guard.found import Relation
from phitrail.guard.policy import GuardPolicy
from phitrail.guard.record_context import RecordContext
from phitrail.guard.scan import Guard

PIECES = (
    "Ayodele Quist|Mrs. Brandvold|Dr. Okonjo-Reyes|Harlan, KY 40831|12 Feb 2025|04/02/1961|"
    "(606) 555-0142|MRN 4471-2209|SSN 219-09-9999|a.quist@brandvold.example|the patient|"
    "Parkinson disease|Foley catheter|took 40 mg|BP 120/80|Wells score 4.5|ICD-10 E11.9|"
    "his sister|\n|\n\n| |, |. |: |\u200b|\u00ad|\uff14\uff14\uff17|٣٤٥|①|\ud800|"
    "&#52;|%34|\u202e|ﬁ|İ|🩺|NDQ3MS0yMjA5|5 5 5 0 1 4 2|five five five oh one four two|"
    "**|[NAME-1]|\t|—|\u2019s"
).split("|")
TEXTS = st.lists(st.sampled_from(PIECES), max_size=30).map(" ".join) | st.text(
    max_size=80
)
POLICIES = [GuardPolicy(), GuardPolicy(redaction="mask")]


@pytest.fixture(scope="module")
def guard() -> Guard:
    """One guard serves all tests: it keeps nothing of a text."""
    return Guard()


@settings(max_examples=150, deadline=None)
@given(text=TEXTS)
def test_spans_lie_in_the_text_and_apart_and_come_again(
    guard: Guard, text: str
) -> None:
    """Redaction cuts there; an audit must be able to repeat it."""
    one, other = guard.scan(text), guard.scan(text)
    last = 0
    for span in one.spans:
        assert last <= span.start < span.end <= len(text)
        last = span.end

    assert one == other


@settings(max_examples=150, deadline=None)
@given(text=TEXTS)
def test_a_redacted_text_is_clean_and_stays_as_it_is(guard: Guard, text: str) -> None:
    """What was made safe must not change, or be found, when it passes a guard again."""
    safe = guard.scan(text).safe_text
    again = guard.scan(safe)

    assert again.safe_text == safe
    assert not again.is_phi_output


def test_the_records_of_the_access_are_expected_and_strangers_are_not(
    guard: Guard,
) -> None:
    """The job: the patient's own data may pass, a stranger's may not."""
    context = RecordContext.from_records(
        [
            {
                "name": "Ayodele Quist",
                "birth_date": "1961-04-02",
                "mrn": "4471-2209",
                "phone": "606-555-0142",
            }
        ]
    )
    text = (
        "Mr. Quist (MRN 44712209, born April 2nd, 1961) can be called at (606) 555-0142. "
        "His neighbor Odile Brandvold, (606) 555-0177, drove him."
    )
    result = guard.scan(text, context)
    by_relation = {
        relation: {
            text[s.start : s.end] for s in result.spans if s.relation == relation
        }
        for relation in Relation
    }

    assert {"44712209", "April 2nd, 1961"} <= by_relation[Relation.EXPECTED]
    assert result.decision == GuardDecision.REDACT
    assert "Quist" in result.safe_text
    assert "(606) 555-0142" in result.safe_text
    assert "Brandvold" not in result.safe_text
    assert "0177" not in result.safe_text


def test_another_patients_number_blocks_the_answer(guard: Guard) -> None:
    """The worst leak is one patient's data in another patient's chart."""
    context = RecordContext.from_records(
        [{"name": "Ayodele Quist", "mrn": "4471-2209"}]
    )
    others = {"8812-0034"}
    result = guard.scan(
        "Mr. Quist, MRN 4471-2209. Compare MRN 8812-0034.",
        context,
        is_other_patient=lambda kind, value: (
            kind == IdentifierClass.MRN and value in others
        ),
    )

    assert result.decision == GuardDecision.BLOCK
    assert result.safe_text == ""
    assert result.is_phi_output


def test_without_records_everything_found_is_redacted(guard: Guard) -> None:
    """Nothing can be expected of an access that says of nobody whose it is."""
    result = guard.scan("Seen: Ayodele Quist, MRN 4471-2209, on 12 Feb 2025.")

    assert result.decision == GuardDecision.REDACT
    for value in ("Ayodele", "Quist", "4471", "12 Feb"):
        assert value not in result.safe_text


def test_an_answer_without_identifiers_passes_unchanged(guard: Guard) -> None:
    """A guard that garbles guideline answers is switched off within a week."""
    text = (
        "For stage 2 hypertension start two agents. Parkinson disease and a Foley catheter "
        "are no reason to wait. Metoprolol 25 mg twice daily; BP 142/88, Wells score 4.5."
    )
    result = guard.scan(text)

    assert result.safe_text == text
    assert result.decision == GuardDecision.RELEASE
    assert result.response_phi_detected is False


def test_nothing_that_prints_a_result_prints_the_text(guard: Guard) -> None:
    """A result ends up in somebody's log one day."""
    text = "Seen: Ayodele Quist, MRN 4471-2209."
    result = guard.scan(text)

    for value in ("Ayodele", "Quist", "4471"):
        assert value not in repr(result)
        assert value not in str(result)
