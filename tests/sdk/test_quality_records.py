"""Feedback and rollouts are later events: nothing is edited, and no rater is shown."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from tests.trails import NOW, event_id, read_leaves

from phitrail.app.export import ExportFormat, export_log
from phitrail.app.running import run_trail
from phitrail.capture.text_hash import TextHasher
from phitrail.errors import InputError
from phitrail.events.codes import FeedbackValue, FlagReason, Log
from phitrail.events.protected import Protected
from phitrail.events.quality import Feedback, Rollout
from phitrail.events.unprotect import unprotect
from phitrail.keys import names
from phitrail.keys.mac import Mac
from phitrail.sdk import Trail, aconnect, connect

RATER = "Canary-nurse-Wilhelmina-7"
MODEL = "extractive-demo"


@pytest.fixture
def trail(trail_dir: Path) -> Iterator[Trail]:
    """Give an open trail."""
    with connect(trail_dir) as opened:
        yield opened


def parts_of(trail: Trail) -> Any:
    """Give the parts of a trail in a directory."""
    return trail._backend.parts  # type: ignore[attr-defined]  # a directory's parts


def quality_leaves(trail: Trail) -> list[Any]:
    """Read what the quality log holds after its genesis."""
    return list(read_leaves(parts_of(trail), Log.QUALITY)[1:])


def test_a_correction_is_a_second_event_that_names_the_first(trail: Trail) -> None:
    """A report of last week must be made again from what was known last week."""
    first = trail.feedback("q-1", rater=RATER, value="positive")
    trail.feedback(
        "q-1",
        rater=RATER,
        value="negative",
        flag_reason="wrong_patient",
        supersedes=first.event_id,
        given_at=NOW.astimezone(timezone(timedelta(hours=-5))),
    )

    was, now = quality_leaves(trail)
    assert isinstance(was, Feedback)
    assert isinstance(now, Feedback)
    assert (was.value, now.value) == (FeedbackValue.POSITIVE, FeedbackValue.NEGATIVE)
    assert now.supersedes == was.event_id == first.event_id
    assert now.flag_reason is FlagReason.WRONG_PATIENT
    assert now.timestamp_utc == "2026-11-21T12:00:00.000Z"
    assert now.received_at != now.timestamp_utc
    assert was.rater == now.rater


def test_feedback_may_come_before_its_request(trail: Trail) -> None:
    """Whatever brings ratings must not have to wait for whatever brings requests."""
    trail.feedback("not-there-yet", rater=RATER, value=None, flag_reason="tone")

    (flag,) = quality_leaves(trail)
    assert (flag.request_id, flag.value) == ("not-there-yet", None)


def test_a_rating_that_says_nothing_is_refused(trail: Trail) -> None:
    """It would count as a response."""
    with pytest.raises(InputError, match=r"^value: give a value, a flag_reason"):
        trail.feedback("q-1", rater=RATER, value=None)
    assert quality_leaves(trail) == []


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"supersedes": RATER}, "supersedes"),
        ({"supersedes": event_id(1).upper()}, "supersedes"),
        ({"given_at": RATER}, "given_at"),
        ({"given_at": datetime(2026, 1, 1)}, "given_at"),  # noqa: DTZ001 - what is refused
        ({"flag_reason": RATER}, "flag_reason"),
        ({"value": RATER}, "value"),
        ({"request_id": RATER + " said no"}, "request_id"),
        ({"rater": 7}, "rater"),
    ],
)
def test_feedback_of_another_shape_is_refused(
    trail: Trail, given: dict[str, Any], field: str
) -> None:
    """An error names field and rule, never what was given."""
    asked = {"request_id": "q-1", "rater": RATER, "value": "positive", **given}
    with pytest.raises(InputError, match=f"^{field}: ") as caught:
        trail.feedback(**asked)

    assert RATER not in f"{caught.value!r}{caught.value.__context__!r}"
    assert quality_leaves(trail) == []


def test_raters_stand_under_a_key_of_their_own(trail: Trail) -> None:
    """With the key of texts, which finds pasted words, nobody may try names of staff."""
    trail.feedback("q-1", rater=RATER, value="positive")
    (leaf,) = quality_leaves(trail)
    ring = parts_of(trail).keys

    def hashed_under(name: str) -> str:
        return TextHasher(Mac(ring, name).written).hash(RATER, "rater").exact

    assert leaf.rater == hashed_under(names.RATER)
    for other in (names.TEXT_HASH, names.IDEMPOTENCY, names.IDENTITY_INDEX):
        assert leaf.rater != hashed_under(other)
        secret, rater_secret = (
            unprotect(ring.newest(name)[1]) for name in (other, names.RATER)
        )
        assert secret != rater_secret
    assert leaf.rater != TextHasher(Mac(ring, names.RATER).written).hash_document(
        Protected(RATER)
    )


def test_no_reading_of_the_quality_log_shows_a_rater(
    trail_dir: Path, tmp_path: Path
) -> None:
    """Engineers read this log; who said what of a colleague's tool is not theirs."""
    with connect(trail_dir) as trail:
        trail.feedback("q-1", rater=RATER, value="positive")
    shown = b""
    with run_trail(trail_dir) as running:
        for form in (ExportFormat.C2SP, ExportFormat.CHAINED_JSONL):
            out = tmp_path / form
            export_log(running, Log.QUALITY, form, out, by="engineer", now=NOW)
            files = (
                [out] if out.is_file() else [p for p in out.rglob("*") if p.is_file()]
            )
            shown += b"".join(file.read_bytes() for file in files)
        with closing(running.parts.reader(Log.QUALITY)) as reader:
            shown += b"".join(reader.entries(0, reader.size()))
    left = [file.read_bytes() for file in trail_dir.rglob("*") if file.is_file()]

    assert b"feedback/v1" in shown
    assert RATER.encode() not in shown
    assert not any(RATER.encode() in data for data in left)


def test_a_rollout_says_version_share_and_beginning(trail: Trail) -> None:
    """A comparison must know from when a version was meant to serve."""
    trail.rollout(
        MODEL,
        "2",
        share=0.25,
        starts_at=datetime(2026, 11, 22, 8, tzinfo=UTC),
    )
    trail.rollout(MODEL, "3")

    some, plain = quality_leaves(trail)
    assert isinstance(some, Rollout)
    assert (some.model_version, some.share_e6) == ("2", 250_000)
    assert some.starts_at == "2026-11-22T08:00:00.000Z"
    assert (plain.share_e6, plain.starts_at) == (None, None)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan"), True, "half", 25])
def test_what_is_no_share_is_refused(trail: Trail, share: Any) -> None:
    """A percentage taken for a share would be a hundred times as much."""
    with pytest.raises(InputError, match=r"^share: a number from 0 to 1"):
        trail.rollout(MODEL, "2", share=share)


def test_a_rollout_takes_terms_of_the_tenant_alone(trail: Trail) -> None:
    """A word in the name of a rollout would be a note about a patient one day."""
    for name, given in (
        ("rollout", {"rollout": "unlisted"}),
        ("use_case", {"use_case": "unlisted"}),
        ("model_version", {"model_version": "two words"}),
    ):
        asked = {"model_id": MODEL, "model_version": "2", **given}
        with pytest.raises(InputError, match=f"^{name}: "):
            trail.rollout(**asked)  # type: ignore[arg-type]  # names of one type


def test_an_event_loop_records_the_same(trail_dir: Path) -> None:
    """Async programs rate and roll out too."""

    async def work() -> None:
        async with await aconnect(trail_dir) as trail:
            first = await trail.feedback("q-1", rater=RATER, value="positive")
            await trail.feedback(
                "q-1", rater=RATER, value="negative", supersedes=first.event_id
            )
            await trail.rollout(MODEL, "2", share=1)

    asyncio.run(work())
    with connect(trail_dir) as trail:
        first, second, rolled = quality_leaves(trail)
    assert second.supersedes == first.event_id
    assert rolled.share_e6 == 1_000_000
