"""What is said of a model's work stands in the entry as it is, and nothing else does."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.trails import NOW

from phitrail.capture.access import AccessLife
from phitrail.capture.model_call import MOST_DOCUMENTS, ModelCall, measured
from phitrail.capture.text_hash import TextHasher
from phitrail.errors import InputError
from phitrail.events.canonical import encode_leaf
from phitrail.events.codes import FinishReason, Outcome
from phitrail.events.protected import Protected
from phitrail.events.quality import QualityEntry
from phitrail.keys.mac import Mac
from phitrail.keys.ring import KeyRing

CANARY = "Canary Wilhelmina said that it hurts"
HASHER = TextHasher(
    Mac(KeyRing.of({"text-hash": {1: Protected(bytes(32))}}), "text-hash").written
)
MODEL = {"model_id": "m", "model_version": "1"}
EVERYTHING: dict[str, Any] = {
    "provider": "in-house",
    "rollout": "spring",
    "input_tokens": 812,
    "output_tokens": 96,
    "cache_read_tokens": 512,
    "time_to_first_token_us": 210_000,
    "document_ids": ["guideline-7"],
    "retrieval_scores_e6": [0, 410_000],
    "cache_hit": False,
    "finish_reason": "length",
    "disclaimer_present": False,
    "refused": False,
    "citation_count": 0,
    "error_code": "late",
}


def entry_of(outcome: Outcome = Outcome.RELEASED, **measures: Any) -> QualityEntry:
    """Close an access without records that said these measures."""
    life = AccessLife.begin({}, HASHER, NOW)
    life.infer(NOW, **MODEL)
    life.measure(**measures)
    entry = life.close(outcome, NOW, latency_us=9, first_token_us=3)[1]
    assert isinstance(entry, QualityEntry)
    return entry


def test_every_measure_stands_in_the_entry() -> None:
    """A measure that is taken and lost would be found missing years later."""
    entry = entry_of(**EVERYTHING)

    assert entry.provider == "in-house"
    assert entry.rollout == "spring"
    assert entry.cache_read_tokens == 512
    assert entry.time_to_first_token_us == 210_000
    assert entry.finish_reason == FinishReason.LENGTH
    assert entry.error_code == "late"
    assert entry.retrieval_scores_e6 == (0, 410_000)
    assert entry.top_retrieval_score_e6 == 410_000
    assert entry.retrieved_count == 1
    assert len(entry.retrieved_document_hashes) == 1
    assert (entry.cache_hit, entry.disclaimer_present, entry.refused) == (False,) * 3
    assert entry.content_filtered is False
    assert entry.citation_count == 0
    assert encode_leaf(entry)


def test_zero_is_a_score_and_missing_is_none() -> None:
    """A search that found nothing near must not pass for one that was never made."""
    assert entry_of(retrieval_scores_e6=[0]).top_retrieval_score_e6 == 0
    assert entry_of(retrieval_scores_e6=[-5, -2]).top_retrieval_score_e6 == -2
    assert entry_of().top_retrieval_score_e6 is None


def test_missing_is_not_false() -> None:
    """Rates over requests that said nothing would be wrong by their share."""
    entry = entry_of()

    for name in ("cache_hit", "content_filtered", "disclaimer_present", "refused"):
        assert getattr(entry, name) is None
    assert entry.retrieved_count is None
    assert entry.time_to_first_token_us == 3
    assert entry.latency_us == 9


def test_an_empty_retrieval_counts_zero() -> None:
    """Empty retrievals are a metric; a request without retrieval is not one of them."""
    life = AccessLife.begin({}, HASHER, NOW)
    life.retrieve([], NOW)
    life.infer(NOW, **MODEL)
    entry = life.close(Outcome.RELEASED, NOW)[1]

    assert isinstance(entry, QualityEntry)
    assert entry.retrieved_count == 0


@pytest.mark.parametrize(
    ("finish", "said", "expected"),
    [
        ("content_filter", None, True),
        ("stop", None, False),
        ("stop", True, True),
        (None, None, None),
    ],
)
def test_the_filter_follows_from_why_the_model_stopped(
    finish: str | None, said: bool | None, expected: bool | None
) -> None:
    """What the application says itself holds; otherwise only what follows."""
    entry = entry_of(finish_reason=finish, content_filtered=said)

    assert entry.content_filtered is expected


def test_documents_stand_as_keyed_hashes_of_the_first_and_are_all_counted() -> None:
    """An id of a chart is PHI; and no list may push an entry over its size."""
    life = AccessLife.begin({}, HASHER, NOW)
    life.retrieve([("p", f"chart-{n}", "Patient") for n in range(150)], NOW)
    life.retrieve([("p", "chart-0", "Patient")], NOW)
    life.infer(NOW, **MODEL)
    life.measure(retrieval_scores_e6=[1] * 400 + [9], document_ids=["chart-0"])
    entry = life.close(Outcome.RELEASED, NOW)[1]

    assert isinstance(entry, QualityEntry)
    assert entry.retrieved_count == 152
    assert len(entry.retrieved_document_hashes) == MOST_DOCUMENTS
    assert len(set(entry.retrieved_document_hashes)) == MOST_DOCUMENTS
    assert entry.retrieved_document_hashes[0] == HASHER.hash_document(
        Protected("chart-0")
    )
    assert entry.retrieved_document_hashes[0] != HASHER.hash("chart-0", "x").exact
    assert entry.top_retrieval_score_e6 == 9
    assert b"chart-" not in encode_leaf(entry)


def test_a_withdrawn_retrieval_leaves_nothing() -> None:
    """What was refused at the door was not opened."""
    life = AccessLife.begin({}, HASHER, NOW)
    life.withdraw(life.retrieve([("p", "r", "Patient")], NOW))
    life.infer(NOW, **MODEL)
    entry = life.close(Outcome.RELEASED, NOW)[1]

    assert isinstance(entry, QualityEntry)
    assert (entry.retrieved_count, entry.retrieved_document_hashes) == (None, ())


def test_the_newest_of_a_name_holds_and_none_adds_nothing() -> None:
    """Tokens of a stream are known at its end, and must replace what was estimated."""
    first = measured(ModelCall(), ModelCall(input_tokens=1), {"output_tokens": 2})
    second = measured(first, None, {"input_tokens": 3, "output_tokens": None})

    assert (second.input_tokens, second.output_tokens) == (3, 2)


@pytest.mark.parametrize(
    "name", ["input_tokens", "cache_read_tokens", "citation_count"]
)
@pytest.mark.parametrize("value", [-1, 1.5, True, "7", 2**53])
def test_what_is_no_count_is_refused_at_once(name: str, value: object) -> None:
    """After half a stream it would be too late."""
    with pytest.raises(InputError, match=f"^{name}: an integer"):
        measured(ModelCall(), None, {name: value})


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"document_ids": "chart-7"}, "document_ids"),
        ({"document_ids": [""]}, "document_ids"),
        ({"document_ids": [7]}, "document_ids"),
        ({"retrieval_scores_e6": [0.4]}, "retrieval_scores_e6"),
        ({"retrieval_scores_e6": [0] * 200 + [0.5]}, "top_retrieval_score_e6"),
        ({"finish_reason": "because"}, "finish_reason"),
        ({"provider": CANARY}, "provider"),
        ({"error_code": CANARY}, "error_code"),
        ({"refused": "no"}, "refused"),
    ],
)
def test_a_measure_of_another_shape_is_refused(
    given: dict[str, Any], field: str
) -> None:
    """The error names field and rule, and nothing that was given."""
    with pytest.raises(InputError, match=f"^{field}: ") as caught:
        measured(ModelCall(), None, given)

    assert CANARY not in f"{caught.value!r}{caught.value.__context__!r}"


def test_an_unknown_measure_is_refused_by_its_place() -> None:
    """Its name may be content; a name of ours may be told."""
    with pytest.raises(InputError, match=r"^\(field 2\): not a measure") as caught:
        measured(ModelCall(), None, {"input_tokens": 1, CANARY: 1})
    assert CANARY not in str(caught.value)
    with pytest.raises(InputError, match=r"^model_id: not a measure"):
        measured(ModelCall(), None, {"model_id": "m"})
    with pytest.raises(InputError, match=r"^call: "):
        measured(ModelCall(), {"input_tokens": 1}, {})  # type: ignore[arg-type]  # what a caller may do


@given(name=st.sampled_from(sorted(EVERYTHING)), text=st.text(min_size=9))
def test_no_measure_takes_a_text_but_ids_that_are_hashed(name: str, text: str) -> None:
    """Whatever is planted in any argument, no entry holds it."""
    planted: dict[str, Any] = {name: f"{CANARY} {text}"}
    if name == "document_ids":
        planted = {name: [*planted.values()]}
    told = ""
    try:
        entry = entry_of(**planted)
    except InputError as error:
        told = f"{error!r}{error.__context__!r}"
    else:
        told = encode_leaf(entry).decode()
    assert CANARY not in told
