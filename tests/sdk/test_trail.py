"""`Trail` and `AsyncTrail`: what application code calls, and what it gets back."""

import asyncio
import inspect
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.trails import check_whole, phi_read, read_leaves, record_events

from phitrail.app.config import Policy, read_tenant, write_config
from phitrail.app.pins import read_pins
from phitrail.app.wiring import OUTSIDE
from phitrail.errors import (
    ConfigError,
    InputError,
    IntegrityError,
    StorageError,
    UnverifiableError,
)
from phitrail.events.codes import Action, Assurance, EventType, Log, Outcome
from phitrail.events.quality import Feedback
from phitrail.sdk import Access, AsyncAccess, AsyncTrail, Trail, aconnect, connect
from phitrail.sdk.backend import Backend
from phitrail.sdk.connect import TRAIL_VARIABLE
from phitrail.tlog.receipt import Position, Receipt, check_receipt

CANARY = "Canary Wilhelmina"
WHO: dict[str, Any] = {
    "user_id": "u-1",
    "user_role": "nurse",
    "department": "cardiology",
    "query_text": "question",
    "record_ids": ["note-1", ("mrn-1", "note-2", "Observation")],
    "model_response": "answer",
    "session_id": "s-1",
}


@pytest.fixture
def trail(trail_dir: Path) -> Iterator[Trail]:
    """Give an open trail."""
    with connect(trail_dir) as opened:
        yield opened


def leaves(trail: Trail | AsyncTrail, log: Log = Log.AUDIT) -> list[Any]:
    """Read the entries behind the genesis."""
    return read_leaves(trail._backend.parts, log)[1:]  # type: ignore[attr-defined]  # a directory's


def run(directory: Path, scenario: Any) -> Any:
    """Run a scenario over an open trail."""

    async def opened() -> Any:
        async with await aconnect(directory) as trail:
            return await scenario(trail)

    return asyncio.run(opened())


def test_a_receipt_can_be_checked_alone(trail: Trail, trail_dir: Path) -> None:
    """A promise that cannot be verified convicts nobody."""
    receipt = trail.record(phi_read(1))
    keys = {
        log.value: pinned.promise_key for log, pinned in read_pins(trail_dir).items()
    }
    again = Receipt.from_json(receipt.to_json())

    assert again == receipt
    assert check_receipt(again, keys)["audit"].size == 2


def test_waiting_ends_when_a_checkpoint_covers_the_receipt(
    trail: Trail, trail_dir: Path
) -> None:
    """`published` must mean that others can see it."""
    receipt = trail.record(phi_read(1))

    assert trail.wait(receipt) is receipt
    note = (trail_dir / "public/audit/checkpoint").read_bytes()
    assert int(note.split(b"\n")[1]) > receipt.positions[0].index


def test_waiting_in_vain_says_so(trail: Trail) -> None:
    """A caller must not hang on a publisher that is elsewhere and dead."""
    receipt = trail.record(phi_read(1))
    far = Position("audit", 10_000, receipt.positions[0].leaf_hash)

    with pytest.raises(UnverifiableError, match="not published in time"):
        trail.wait(Receipt(receipt.event_id, (far,), {}), timeout_s=0.01)
    with pytest.raises(UnverifiableError, match="no witness"):
        trail.wait(receipt, "witnessed")
    with pytest.raises(InputError, match=r"^stage: "):
        trail.wait(receipt, "printed")  # type: ignore[arg-type]  # what a caller may write


def test_publish_now_publishes_now(trail_dir: Path) -> None:
    """Before a program ends, or a checkpoint is taken outside, nobody waits a minute."""
    write_config(trail_dir, read_tenant(trail_dir), Policy(publish_interval_s=3600.0))
    with connect(trail_dir) as trail:
        receipt = trail.record(phi_read(1))
        trail.publish()

        assert trail._backend.is_published(receipt)


def test_a_refusal_to_sign_reaches_the_caller(trail_dir: Path) -> None:
    """A log that can no longer be proven must not look healthy."""
    write_config(trail_dir, read_tenant(trail_dir), Policy(publish_interval_s=3600.0))
    trail = connect(trail_dir)
    trail.publish()
    (trail_dir / OUTSIDE / "bad").write_bytes(b"clinic.example/audit\n")
    receipt = trail.record(phi_read(1))
    with pytest.raises(IntegrityError, match="bad is no checkpoint"):
        trail.publish()
    with pytest.raises(IntegrityError, match="bad is no checkpoint"):
        trail.wait(receipt)
    with pytest.raises(IntegrityError, match="bad is no checkpoint"):
        trail.close()
    trail.close()


def test_a_refusal_to_sign_is_told_beside_the_error_of_the_block(
    trail_dir: Path,
) -> None:
    """The caller's own error must not be exchanged for ours, nor ours be lost."""

    def work() -> None:
        with connect(trail_dir) as trail:
            (trail_dir / OUTSIDE / "bad").write_bytes(b"clinic.example/audit\n")
            trail.record(phi_read(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        work()

    assert "bad is no checkpoint" in "".join(caught.value.__notes__)


class Watched:
    """A place for logs that is another one, and says on which threads it was asked."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.asked_on: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def is_published(self, receipt: Receipt) -> bool:
        """Ask the other place."""
        self.asked_on.add(threading.get_ident())
        return self._backend.is_published(receipt)


def test_waiting_on_an_event_loop_reads_the_disk_beside_it(trail_dir: Path) -> None:
    """A slow disk must not stop every other task of the loop."""

    async def scenario(trail: AsyncTrail) -> set[int]:
        receipt = await trail.record(phi_read(1))
        trail._backend = watched = Watched(trail._backend)
        await trail.wait(receipt)
        return watched.asked_on

    assert threading.get_ident() not in run(trail_dir, scenario)


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("value", {"value": CANARY}),
        ("flag_reason", {"value": "negative", "flag_reason": CANARY}),
        ("rater", {"value": "positive", "rater": CANARY + "\ud800"}),
    ],
)
def test_refused_feedback_leaves_no_word_behind(
    trail: Trail, field: str, given: dict[str, Any]
) -> None:
    """A rater who writes into the wrong box must not find it in a traceback."""
    with pytest.raises(InputError) as caught:
        trail.feedback("q-1", **{"rater": "r-1", **given})

    assert caught.value.field == field
    assert caught.value.__context__ is None
    assert CANARY not in repr(caught.value)


def test_record_ids_are_a_list(trail: Trail) -> None:
    """A single id given as text would be recorded letter by letter."""
    with pytest.raises(InputError, match=r"^record_ids: "):
        trail.log_phi_access(**{**WHO, "record_ids": "note-17"})


@pytest.mark.parametrize("given", [{"event_type": "phi_read"}, "phi_read", None])
def test_what_is_no_record_is_refused(trail: Trail, given: Any) -> None:
    """A slip of the caller gets a sentence, not an error of ours."""
    with pytest.raises(InputError, match="must be a record"):
        trail.record(given)


def test_a_list_where_a_term_belongs_is_refused_by_name(trail: Trail) -> None:
    """Lists have no place in a set of terms."""
    role: Any = ["nurse"]
    with pytest.raises(InputError, match=r"^user_role: "):
        trail.record(replace(phi_read(1), user_role=role))


def test_publishing_that_cannot_write_says_so(trail_dir: Path) -> None:
    """`publish` that returns must mean that it was published."""
    write_config(trail_dir, read_tenant(trail_dir), Policy(publish_interval_s=3600.0))
    with connect(trail_dir) as trail:
        trail.publish()
        tiles = trail_dir / "public/audit/tile"
        aside = tiles.rename(trail_dir / "aside")
        tiles.write_bytes(b"")
        receipt = trail.record(phi_read(1))
        with pytest.raises(StorageError, match="cannot write"):
            trail.publish()
        tiles.unlink()
        aside.rename(tiles)
        trail.publish()

        assert trail._backend.is_published(receipt)


def test_log_phi_access_records_opening_and_closing(trail: Trail) -> None:
    """The one call of code that cannot be wrapped: honest about being after the fact."""
    receipts = trail.log_phi_access(**WHO)
    opening, closing = leaves(trail)

    assert len(receipts) == 2
    assert opening.event_type is EventType.PHI_READ
    assert closing.event_type is EventType.ACCESS_CLOSED
    assert {opening.assurance, closing.assurance} == {Assurance.OBSERVED}
    assert opening.access_id == closing.access_id
    assert closing.outcome is Outcome.RELEASED
    assert closing.released_chars == len("answer")
    assert opening.patient_unknown is True
    assert [(bool(p), t) for p, _, t in opening.records] == [
        (False, "DocumentReference"),
        (True, "Observation"),
    ]


def test_log_phi_access_without_an_answer_is_a_success(trail: Trail) -> None:
    """Nothing was shown, so nothing was released."""
    trail.log_phi_access(**{**WHO, "model_response": None, "query_text": None})

    assert leaves(trail)[1].outcome is Outcome.SUCCESS


def test_feedback_hides_the_rater(trail: Trail) -> None:
    """Engineers see ratings; who gave them is a keyed hash."""
    trail.feedback("q-1", rater="nurse-7", value="negative", flag_reason=None)
    (entry,) = leaves(trail, Log.QUALITY)

    assert isinstance(entry, Feedback)
    assert str(entry.rater).startswith("hmac-sha256:1:")
    with pytest.raises(InputError, match=r"^value: "):
        trail.feedback("q-1", rater="nurse-7", value="five stars")


def test_a_wrapped_function_answers_through_an_access(trail: Trail) -> None:
    """A decorator must not open a way around the record."""

    @trail.wrap(user_id=lambda user, _: user, user_role="nurse")
    def answer(access: Access, user: str, question: str) -> str:
        """Answer."""
        access.retrieved([("mrn-1", "note-1", "Patient")], query=question)
        return "answer of " + user

    assert answer("u-1", "why?") == "answer of u-1"
    assert list(inspect.signature(answer).parameters) == ["user", "question"]
    assert answer.__doc__ == "Answer."
    opening, closing = leaves(trail)
    assert (opening.user_id, closing.outcome) == ("u-1", Outcome.RELEASED)


def test_a_wrapped_function_that_fails_is_recorded(trail: Trail) -> None:
    """An answer that never came is an access all the same."""

    @trail.wrap(user_id="u-1")
    def answer(_: Access) -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        answer()
    assert leaves(trail)[0].outcome is Outcome.FAILED


def test_a_tenants_own_action_is_exchanged(trail_dir: Path) -> None:
    """Other names of one action would split every count."""
    place = trail_dir / "tenant.yaml"
    place.write_text(
        place.read_text().replace("actions: {}", "actions:\n  rag_query: query")
    )
    with connect(trail_dir) as trail:
        trail.log_phi_access(**WHO, action="rag_query")
        with trail.access(user_id="u-1") as access:
            access.retrieved([("p", "r", "Patient")], action="rag_query")
        own: Any = "rag_query"
        trail.record(replace(phi_read(1), action=own))

        opened = [leaf.action for leaf in leaves(trail) if leaf.action is not None]
        assert opened == [Action.QUERY] * len(opened)
        assert len(opened) == 4


def test_the_async_face_does_the_same(trail_dir: Path) -> None:
    """One product, two faces."""

    async def scenario(trail: AsyncTrail) -> Any:
        @trail.wrap(user_id=lambda user: user)
        async def answer(access: AsyncAccess, user: str) -> str:
            await access.retrieved([("mrn-1", "note-1", "Patient")])
            return "answer of " + user

        said = await answer("u-1")
        receipts = await trail.log_phi_access(**WHO)
        rated = await trail.feedback("q-1", rater="n", value="positive")
        one = await trail.record(phi_read(1))
        await trail.publish()
        await trail.wait(one)
        await trail.wait(receipts[0])
        with pytest.raises(UnverifiableError, match="no witness"):
            await trail.wait(rated, "witnessed")
        return said, [leaf.event_type for leaf in leaves(trail)]

    said, types = run(trail_dir, scenario)

    assert said == "answer of u-1"
    assert types == [
        EventType.PHI_READ,
        EventType.ACCESS_CLOSED,
        EventType.PHI_READ,
        EventType.ACCESS_CLOSED,
        EventType.PHI_READ,
    ]


def test_closing_publishes_what_waits_and_may_be_repeated(trail_dir: Path) -> None:
    """A program that ends at once must leave nothing unpublished."""
    write_config(trail_dir, read_tenant(trail_dir), Policy(publish_interval_s=3600.0))
    trail = connect(trail_dir)
    trail.record(phi_read(1))
    trail.close()
    trail.close()

    assert check_whole(trail_dir).checkpoints["audit"][-1] == 2
    with pytest.raises(StorageError, match="is closed"):
        trail.record(phi_read(2))


def test_the_place_comes_from_argument_or_variable(
    trail_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A deployment sets the variable; a wrong place is named."""
    monkeypatch.setenv(TRAIL_VARIABLE, str(trail_dir))
    connect().close()
    monkeypatch.delenv(TRAIL_VARIABLE)
    monkeypatch.chdir(tmp_path)
    for where in (None, tmp_path / "absent", "https://trail.example"):
        with pytest.raises(ConfigError):
            connect(where)


def test_a_forked_worker_is_told_to_connect_for_itself(trail: Trail) -> None:
    """A child that writes through its parent's queue would wait for ever."""
    child = os.fork()
    if child == 0:
        try:
            trail.record(phi_read(1))
        except StorageError as error:
            os._exit(0 if "connect again in each worker" in str(error) else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert trail.record(phi_read(1)).positions[0].index == 1


def test_two_trails_of_one_process_share_one_log(trail_dir: Path) -> None:
    """A test and the application may open the same directory."""
    with connect(trail_dir) as one, connect(trail_dir) as other:
        places = [
            trail.record(phi_read(number)).positions[0].index
            for number, trail in enumerate((one, other, one, other))
        ]

    assert places == [1, 2, 3, 4]
    assert len(record_events(trail_dir, range(4, 6))) == 2
    assert len(check_whole(trail_dir).leaves["audit"]) == 7
