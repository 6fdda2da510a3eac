"""An access leaves openings, then one closing, in that order and no other."""

from typing import Any

import pytest
from tests.trails import NOW

from phitrail.capture.access import AccessLife, protect_records
from phitrail.capture.model_call import ModelCall
from phitrail.capture.text_hash import TextHasher
from phitrail.errors import InputError
from phitrail.events.audit import AuditEvent
from phitrail.events.codes import (
    Action,
    Assurance,
    EventType,
    FinishReason,
    Outcome,
)
from phitrail.events.protected import Protected
from phitrail.events.quality import QualityEntry
from phitrail.keys.mac import Mac
from phitrail.keys.ring import KeyRing

CANARY = "Canary Wilhelmina"
HASHER = TextHasher(
    Mac(KeyRing.of({"text-hash": {1: Protected(bytes(32))}}), "text-hash").written
)
MODEL = {"model_id": "m", "model_version": "1"}


def begin(**who: Any) -> AccessLife:
    """Begin an access."""
    return AccessLife.begin({"user_id": "dr-1", **who}, HASHER, NOW)


def test_every_event_of_an_access_shares_its_id_and_its_who() -> None:
    """Without the id openings and closings cannot be joined."""
    life = begin(department=None, session_id="s-1")
    events = [
        life.retrieve([("p", "r", "Patient")], NOW, query="why?"),
        life.infer(NOW, **MODEL),
        *life.close(Outcome.RELEASED, NOW, released="answer"),
    ]
    audit = [event for event in events if isinstance(event, AuditEvent)]

    assert [event.event_type for event in audit] == [
        EventType.PHI_READ,
        EventType.AI_INFERENCE_WITH_PHI,
        EventType.ACCESS_CLOSED,
    ]
    assert {(e.access_id, e.user_id, e.session_id, e.assurance) for e in audit} == {
        (life.access_id, "dr-1", "s-1", Assurance.ENFORCED)
    }
    assert len({event.event_id for event in events}) == 4


def test_an_opening_holds_hashes_and_no_text() -> None:
    """The question must never enter the log."""
    event = begin().retrieve([("p", "r", "Patient")], NOW, query=CANARY)

    assert event.query_hash is not None
    assert event.query_chars == len(CANARY)
    assert event.action is Action.RETRIEVE
    assert CANARY not in repr(event)


def test_an_inference_without_records_has_no_phi() -> None:
    """Counting it as PHI would drown the true ones."""
    assert begin().infer(NOW, **MODEL).event_type is EventType.AI_INFERENCE


def test_a_closing_says_what_was_released() -> None:
    """An officer must be able to tell whether, and how much, went out."""
    (closing,) = begin().close(Outcome.RELEASED, NOW, released="four", latency_us=9)
    (nothing,) = begin().close(Outcome.NOT_RELEASED, NOW)

    assert isinstance(closing, AuditEvent)
    assert isinstance(nothing, AuditEvent)
    assert (closing.outcome, closing.released_chars) == (Outcome.RELEASED, 4)
    assert closing.response_hash is not None
    assert closing.latency_us == 9
    assert (nothing.outcome, nothing.released_chars) == (Outcome.NOT_RELEASED, 0)
    assert nothing.response_hash is None


def test_a_closing_after_an_inference_has_a_quality_entry() -> None:
    """Engineers see model and numbers, and neither patient nor user."""
    life = begin(request_id="q-1", use_case="chart_qa")
    life.retrieve([("p", "r1", "Patient"), ("p", "r2", "Patient")], NOW)
    life.infer(NOW, **MODEL)
    call = ModelCall(
        input_tokens=5,
        output_tokens=6,
        finish_reason=FinishReason.STOP,
        retrieval_scores_e6=(3, 9),
    )
    closing, quality = life.close(Outcome.RELEASED, NOW, released="a", call=call)

    assert isinstance(quality, QualityEntry)
    assert (quality.request_id, quality.retrieved_count) == ("q-1", 2)
    assert quality.top_retrieval_score_e6 == 9
    assert quality.finish_reason is FinishReason.STOP
    assert isinstance(closing, AuditEvent)
    assert (closing.input_tokens, closing.ai_model_id) == (5, "m")


def test_a_failed_inference_is_an_error_of_quality() -> None:
    """Failures that count as stops would hide a broken model."""
    life = begin()
    life.infer(NOW, **MODEL)
    _, quality = life.close(Outcome.FAILED, NOW)

    assert isinstance(quality, QualityEntry)
    assert quality.finish_reason is FinishReason.ERROR
    assert quality.request_id == life.access_id


def test_after_the_closing_nothing_more_is_opened_or_closed() -> None:
    """Two closings would contradict each other; a late opening would never be closed."""
    life = begin()
    life.close(Outcome.NOT_RELEASED, NOW)
    for late in (
        lambda: life.retrieve([("p", "r", "Patient")], NOW),
        lambda: life.infer(NOW, **MODEL),
        lambda: life.close(Outcome.RELEASED, NOW),
    ):
        with pytest.raises(InputError, match="is closed"):
            late()


@pytest.mark.parametrize(
    "field", ["event_id", "outcome", "records", "nonce", "part", "nobody", "access_id"]
)
def test_who_takes_only_fields_that_say_who_where_and_why(field: str) -> None:
    """A caller's own closing field would overwrite what really happened."""
    with pytest.raises(InputError, match="not a field of an access"):
        begin(**{field: "x"})


@pytest.mark.parametrize("field", ["latency_us", "released_chars", "assurance"])
def test_what_the_closing_says_is_no_field_of_an_access(field: str) -> None:
    """Given twice, it would leave an access that can never be closed."""
    with pytest.raises(InputError, match="not a field of an access"):
        begin(**{field: 5})


def test_an_unknown_field_is_refused_by_its_place_and_leaves_no_name() -> None:
    """A misspelled field would be lost; a name out of somebody's data may be content."""
    with pytest.raises(InputError, match="field 2") as caught:
        begin().retrieve([("p", "r", "Patient")], NOW, **{CANARY: "name"})

    assert caught.value.__context__ is None
    assert CANARY not in repr(caught.value)


def test_a_caller_s_own_words_on_an_inference_do_not_collide_with_ours() -> None:
    """A field given twice must not end in an error of the language."""
    event = begin().infer(NOW, **MODEL, resource_type="Patient", ai_model_id="other")

    assert (event.resource_type, event.ai_model_id) == ("Patient", "m")


@pytest.mark.parametrize("records", [[("p", "r")], [7], 7, ["pr"]])
def test_records_are_triples(records: Any) -> None:
    """A pair would shift a record into the place of a patient."""
    with pytest.raises(InputError, match=r"^records: "):
        protect_records(records)


def test_identifiers_are_masked_from_the_first_moment() -> None:
    """An event that is printed on its way must not show a patient."""
    assert CANARY not in repr(protect_records([(CANARY, CANARY, "Patient")]))
