"""A sentence planted in any argument of a quality path is in no file, entry or export after."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.demo.test_canaries import export_everything, read_opened
from tests.trails import copy_trail, event_id

from phitrail.capture.model_call import ModelCall
from phitrail.errors import PhitrailError
from phitrail.events.quality import Feedback, QualityEntry, Rollout
from phitrail.sdk import Trail, connect

WORDS = "Canary Wilhelmina Quimby fell on the stairs, number"
ADMITTED = "The-patient-said-that-she-fell"
"""A sentence in the shape of an id, put where an id is admitted."""
MODEL = {"model_id": "extractive-demo", "model_version": "1"}


class Planter:
    """Plants a sentence of its own in each place, and knows what was said of it."""

    def __init__(self) -> None:
        self.planted: list[str] = []
        self.told: list[str] = []
        self.taken = 0

    def sentence(self) -> str:
        """Give a sentence that was nowhere before."""
        self.planted.append(f"{WORDS} {len(self.planted):05d}.")
        return self.planted[-1]

    def try_out(self, call: Callable[[str], object]) -> None:
        """Plant, and keep whatever an error shows."""
        try:
            call(self.sentence())
            self.taken += 1
        except (PhitrailError, TypeError, ValueError) as error:
            # Our own frames hold the argument, as those of any caller do.
            plain = traceback.TracebackException.from_exception(
                error, lookup_lines=False
            )
            self.told += [*plain.format_exception_only(), repr(error.__context__)]


def plant_measures(trail: Trail, planter: Planter) -> None:
    """Plant in each measure, by name and in a `ModelCall`, of both ways to answer."""
    for name in [one.name for one in fields(ModelCall)]:

        def release(text: str, name: str = name) -> None:
            measures: dict[str, Any] = {name: text}
            with trail.access(user_id="dr-1") as access:
                access.retrieved([("mrn-1", text, "DocumentReference")])
                access.infer(**MODEL)
                access.release(text, call=None, **measures)

        def stream(text: str, name: str = name) -> None:
            measures: dict[str, Any] = {name: [text]}
            with trail.access(user_id="dr-1") as access:
                access.infer(**MODEL)
                pieces = access.stream([text, text], call=ModelCall(**measures))
                assert "".join(pieces)

        planter.try_out(release)
        planter.try_out(stream)

    def plain(text: str) -> None:
        with trail.access(user_id="dr-1") as access:
            access.retrieved([("mrn-1", text, "DocumentReference")], query=text)
            access.infer(**MODEL, query=text)
            access.release(text, document_ids=[text])

    def unknown(text: str) -> None:
        with trail.access(user_id="dr-1") as access:
            access.infer(**MODEL)
            access.measure(None, **{text: 1})

    planter.try_out(plain)
    planter.try_out(unknown)


def plant_feedback(trail: Trail, planter: Planter) -> None:
    """Plant in each argument of a rating and of a rollout."""
    rating: dict[str, Any] = {
        "request_id": "q-1",
        "rater": "nurse-7",
        "value": "positive",
    }
    rollout: dict[str, Any] = {"model_id": "extractive-demo", "model_version": "2"}
    of_ratings = (*rating, "flag_reason", "supersedes", "given_at")
    of_rollouts = (
        *rollout,
        *("use_case", "facility_id", "rollout", "share", "starts_at"),
    )
    for name in of_ratings:
        planter.try_out(partial(_give, trail.feedback, rating, name))
    for name in of_rollouts:
        planter.try_out(partial(_give, trail.rollout, rollout, name))


def _give(
    call: Callable[..., object], needed: dict[str, Any], name: str, text: object
) -> None:
    call(**{**needed, name: text})


def _give_in_a_list(
    call: Callable[..., object], needed: dict[str, Any], name: str, text: object
) -> None:
    call(**{**needed, name: (text,)})


def plant_records(trail: Trail, planter: Planter) -> None:
    """Plant in each field of the records themselves, past every helper."""
    request: dict[str, Any] = {"request_id": "q-1"}
    model: dict[str, Any] = {"model_id": "extractive-demo", "model_version": "2"}
    least: tuple[tuple[type[msgspec.Struct], dict[str, Any]], ...] = (
        (QualityEntry, request),
        (Feedback, request),
        (Rollout, model),
    )
    for kind, needed in least:

        def record(kind: Any = kind, **given: object) -> None:
            trail.record(kind(**{"event_id": event_id(1), **given}))

        for name in kind.__struct_fields__:
            planter.try_out(partial(_give, record, needed, name))
            planter.try_out(partial(_give_in_a_list, record, needed, name))


@dataclass(frozen=True, slots=True)
class Left:
    """What was planted, and every file, opened entry and plain export after it."""

    planter: Planter
    opened: bytes
    files: bytes


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory, founded: Path) -> Left:
    """Plant everywhere, then read everything."""
    root = tmp_path_factory.mktemp("planted")
    directory = copy_trail(founded, root / "trail")
    planter = Planter()
    with connect(directory, receipts=root / "receipts") as trail:
        plant_measures(trail, planter)
        plant_feedback(trail, planter)
        plant_records(trail, planter)
        trail.feedback(ADMITTED, rater="nurse-7", value="positive")
    files = [p.read_bytes() for p in root.rglob("*") if p.is_file()]
    exports = tmp_path_factory.mktemp("exports")
    opened = [*export_everything(directory, exports), *read_opened(directory)]
    return Left(planter, b"\n".join(opened), b"\n".join(files))


def test_no_planted_sentence_is_left_anywhere(left: Left) -> None:
    """The quality log is read by engineers; it must hold nothing to be kept from them."""
    assert len(left.planter.planted) > 120
    for words in (WORDS, WORDS.lower(), WORDS.replace(" ", "_")):
        assert words.encode() not in left.opened
        assert words.encode() not in left.files


def test_no_error_repeats_what_was_planted(left: Left) -> None:
    """What is kept out of the log must not come back in somebody's error tracker."""
    assert len(left.planter.told) > 120
    assert not [told for told in left.planter.told if "Wilhelmina" in told]


def test_texts_that_are_hashed_were_taken_and_a_shaped_one_is_found(left: Left) -> None:
    """A search that finds nothing must be one that would have found it."""
    assert left.planter.taken >= 3
    assert ADMITTED.encode() in left.opened
    assert b"hmac-sha256:1:" in left.opened
