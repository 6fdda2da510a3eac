"""With a guard an answer goes out as its safe text, and the log says what was found."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.sdk.guarded import (
    MODEL_DIGEST,
    StandIn,
    closings,
    decided,
    detected,
    failed,
    guard_on,
)

from phitrail.app.config import read_policy
from phitrail.capture.text_hash import TextHasher
from phitrail.errors import ConfigError, InputError, RefusedError, StorageError
from phitrail.events.codes import (
    EventType,
    GuardDecision,
    IdentifierClass,
    Outcome,
    Severity,
)
from phitrail.sdk import AsyncTrail, Trail, aconnect, connect

ANNE, BERT = "M-1001", "M-2002"
SSN, OTHER_SSN = "901-44-8123", "902-55-9234"
NOTE = [(ANNE, "note-1", "Observation")]
ANNES: Any = [{"mrn": ANNE, "ssn": SSN, "email": "anne@mail.example"}]


@pytest.fixture
def guard(trail_dir: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Switch the guard on."""
    return guard_on(trail_dir, monkeypatch)


@pytest.fixture
def trail(trail_dir: Path, guard: StandIn) -> Iterator[Trail]:
    """Give an open trail with a guard."""
    assert guard.scans == 0
    with connect(trail_dir) as opened:
        yield opened


def meet(trail: Trail, patient: str, ssn: str) -> None:
    """Let the trail meet a patient with an SSN, in an access of their own."""
    with trail.access(user_id="dr-1") as access:
        access.retrieved(
            [(patient, "note-9", "Observation")],
            identifiers=[{"mrn": patient, "ssn": ssn}],
        )


def test_a_clean_answer_goes_out_as_it_is(trail: Trail) -> None:
    """Most answers hold no PHI; the log says that somebody looked."""
    with trail.access(user_id="dr-1", use_case="chart_qa") as access:
        access.retrieved(NOTE, identifiers=ANNES)
        shown = access.release("Potassium is 4.1.")
    (closing,), (event,) = closings(trail), decided(trail)

    assert shown == "Potassium is 4.1."
    assert (closing.outcome, closing.released_chars) == (Outcome.RELEASED, 17)
    assert (closing.guard_decision, closing.response_phi_detected) == (
        GuardDecision.RELEASE,
        False,
    )
    assert (event.decision, event.score_e6) == (GuardDecision.RELEASE, 0)
    assert detected(trail) == []


def test_what_is_not_expected_is_replaced_and_the_safe_text_is_what_is_recorded(
    trail: Trail,
) -> None:
    """The hash of what was released must be the hash of what was seen."""
    with trail.access(user_id="dr-1") as access:
        access.retrieved(NOTE)
        shown = access.release(f"Her SSN is {SSN}.")
    (closing,) = closings(trail)
    hasher: TextHasher = trail._backend.hasher

    assert shown == "Her SSN is [SSN-1]."
    assert closing.released_chars == len(shown)
    assert closing.response_hash == hasher.hash(shown, "text").exact
    assert (closing.guard_decision, closing.response_phi_detected) == (
        GuardDecision.REDACT,
        True,
    )


def test_the_event_of_a_scan_says_what_was_found_and_under_which_policy(
    trail: Trail, trail_dir: Path
) -> None:
    """An officer judges the guard by these events alone."""
    with trail.access(
        user_id="dr-1",
        use_case="chart_qa",
        request_id="req-7",
        reason_code="timeout",
    ) as access:
        access.retrieved(NOTE)
        access.release(f"SSN {SSN}, {OTHER_SSN}, again {SSN}; a@b.example")
    (event,), (found,) = decided(trail), detected(trail)
    section = read_policy(trail_dir).guard

    assert section is not None
    assert event.access_id == found.access_id == access.access_id
    assert event.identifier_classes == (IdentifierClass.EMAIL, IdentifierClass.SSN)
    assert event.identifier_counts == (1, 3)
    assert len(event.value_hashes) == 3
    assert event.policy_digest == section.digest()
    assert (event.detector, event.object_id) == ("guard", "stand-in-1")
    assert event.object_digest == MODEL_DIGEST
    assert event.score_e6 == 250_000
    assert event.latency_us is not None
    assert event.severity is Severity.MEDIUM
    assert (event.use_case, event.request_id) == ("chart_qa", "req-7")
    assert event.reason_code == found.reason_code == "unexpected_phi"
    assert found.guard_decision is GuardDecision.REDACT


def test_one_value_has_one_hash_however_it_is_written(trail: Trail) -> None:
    """Whether one number was shown twice must be seen without the number."""
    for text in (f"SSN {SSN}", f"SSN: {SSN}!"):
        with trail.access(user_id="dr-1") as access:
            access.release(text)
    first, second = decided(trail)

    assert first.value_hashes == second.value_hashes
    assert len(first.value_hashes) == 1


def test_what_the_record_holds_goes_out(trail: Trail, guard: StandIn) -> None:
    """A clinician who asks for a patient's own number must get it."""
    guard.own = frozenset({SSN})
    with trail.access(user_id="dr-1") as access:
        access.retrieved(NOTE, identifiers=ANNES)
        shown = access.release(f"SSN {SSN}")
    (closing,) = closings(trail)

    assert shown == f"SSN {SSN}"
    assert closing.guard_decision is GuardDecision.RELEASE
    assert closing.response_phi_detected is True
    assert detected(trail) == []


def test_another_patients_number_blocks_the_answer(trail: Trail) -> None:
    """The one mix-up that no redaction mends: the answer is about somebody else."""
    meet(trail, BERT, OTHER_SSN)
    with (  # noqa: PT012 - both lines are the case
        pytest.raises(RefusedError, match="wrong_patient") as caught,
        trail.access(user_id="dr-1") as access,
    ):
        access.retrieved(NOTE, identifiers=ANNES)
        access.release(f"SSN {OTHER_SSN}")
    closing = closings(trail)[-1]
    (event,), (found,) = decided(trail), detected(trail)

    assert OTHER_SSN not in repr(caught.value)
    assert (closing.outcome, closing.released_chars) == (Outcome.BLOCKED, 0)
    assert closing.guard_decision is GuardDecision.BLOCK
    assert closing.response_hash is None
    assert (event.reason_code, event.severity) == ("wrong_patient", Severity.HIGH)
    assert (found.reason_code, found.outcome) == ("wrong_patient", Outcome.BLOCKED)


def test_the_same_number_in_its_owners_access_is_nobody_elses(trail: Trail) -> None:
    """Whoever was met once must still be read about."""
    meet(trail, ANNE, SSN)
    with trail.access(user_id="dr-1") as access:
        access.retrieved(NOTE)
        shown = access.release(f"SSN {SSN}")

    assert shown == "SSN [SSN-1]"


def test_a_patients_mrn_alone_is_enough_to_tell_another(trail: Trail) -> None:
    """Most trails name patients by their MRN: no caller must register them first."""
    is_other = trail._backend.other_patients()
    meet(trail, "MRN0077001", SSN)

    assert is_other is not None
    assert is_other(IdentifierClass.MRN, "77001", [("mrn", ANNE)])
    assert not is_other(IdentifierClass.MRN, "77001", [("mrn", "MRN0077001")])


def test_an_unknown_patient_makes_nobody_another(trail: Trail) -> None:
    """A record without its patient may be anybody's: nothing is blocked for it."""
    meet(trail, BERT, OTHER_SSN)
    with trail.access(user_id="dr-1") as access:
        access.retrieved([("", "note-1", "Observation")])
        shown = access.release(f"SSN {OTHER_SSN}")

    assert shown == "SSN [SSN-1]"
    assert decided(trail)[-1].reason_code == "patients_not_looked_up"


def test_the_policy_of_the_use_case_is_asked(
    trail_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule that is not applied is a rule that nobody has."""
    guard_on(
        trail_dir,
        monkeypatch,
        "mode: enforce, rules: [{use_cases: [coding], roles: [nurse], "
        "actions: {without_context: alert}}]",
    )
    texts = {}
    with connect(trail_dir) as trail:
        for role in ("nurse", "physician"):
            with trail.access(
                user_id="u-1", use_case="coding", user_role=role
            ) as access:
                texts[role] = access.release(f"SSN {SSN}")
        decisions = [closing.guard_decision for closing in closings(trail)]

    assert texts == {"nurse": f"SSN {SSN}", "physician": "SSN [SSN-1]"}
    assert decisions == [GuardDecision.ALERT, GuardDecision.REDACT]


def test_observing_releases_everything_and_says_what_it_would_have_done(
    trail_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A house tries the guard out on its own answers before it is in their way."""
    guard = guard_on(trail_dir, monkeypatch, "mode: observe")
    with connect(trail_dir) as trail:
        with trail.access(user_id="dr-1") as access:
            shown = access.release(f"SSN {SSN}")
        guard.fault = lambda _: None
        with trail.access(user_id="dr-1") as access:
            unseen = access.release("Potassium is 4.1.")
        first, second = closings(trail)
        (event,), (broken,) = decided(trail), failed(trail)

    assert (shown, unseen) == (f"SSN {SSN}", "Potassium is 4.1.")
    assert (first.outcome, first.guard_decision) == (
        Outcome.RELEASED,
        GuardDecision.ALERT,
    )
    assert (event.decision, event.outcome) == (GuardDecision.REDACT, Outcome.RELEASED)
    assert (second.guard_decision, second.response_phi_detected) == (None, None)
    assert broken.decision is GuardDecision.WITHHELD


@pytest.mark.parametrize("section", ["mode: 'off'", None])
def test_without_a_guard_nothing_is_scanned(
    trail_dir: Path, monkeypatch: pytest.MonkeyPatch, section: str | None
) -> None:
    """Trails from before the guard go on as they were."""
    if section is not None:
        guard_on(trail_dir, monkeypatch, section)
    with connect(trail_dir) as trail:
        with trail.access(user_id="dr-1") as access:
            access.retrieved(NOTE, identifiers=ANNES)
            shown = access.release(f"SSN {SSN}")
        (closing,) = closings(trail)
        with pytest.raises(ConfigError, match="has no guard"):
            trail.scan("text")
        trail.log_phi_access(
            "u", "nurse", "it", "q", ["r"], "a", "s", identifiers=ANNES
        )

        assert trail._backend.other_patients() is None
    assert shown == f"SSN {SSN}"
    assert (closing.guard_decision, closing.response_phi_detected) == (None, None)


@pytest.mark.parametrize("identifiers", ["mrn", {"mrn": "1"}, 5, ["M-1"], None])
def test_identifiers_that_are_none_are_refused_before_anything_is_recorded(
    trail: Trail, identifiers: Any
) -> None:
    """A list that was forgotten would leave the guard blind without a word."""
    access = trail.access(user_id="dr-1")
    with pytest.raises(InputError, match=r"^identifiers: "):
        access.retrieved(NOTE, identifiers=identifiers)
    with access:
        pass

    assert [one.event_type for one in closings(trail)] == [EventType.ACCESS_CLOSED]


def test_an_unknown_key_is_refused_by_its_place(trail: Trail) -> None:
    """A key may itself be a name, so the error must not show it."""
    access = trail.access(user_id="dr-1")
    with pytest.raises(InputError) as caught:
        access.retrieved(NOTE, identifiers=[{"mrn": ANNE, "Perpetua": "x"}])

    assert "Perpetua" not in repr(caught.value)


def test_a_text_without_an_access_is_scanned_and_recorded(trail: Trail) -> None:
    """Whoever looks at a letter must leave the same trace."""
    result = trail.scan(
        f"SSN {SSN}",
        records=NOTE,
        identifiers=ANNES,
        use_case="coding",
        user_role="nurse",
    )
    (event,) = decided(trail)

    assert result.decision is GuardDecision.REDACT
    assert result.safe_text == "SSN [SSN-1]"
    assert (event.access_id, event.use_case) == (None, "coding")


def test_what_was_shown_before_is_scanned_after_the_fact(trail: Trail) -> None:
    """An answer that nobody could stop must at least be known."""
    trail.log_phi_access(
        "dr-1", "nurse", "it", "q", NOTE, f"SSN {SSN}", "s-1", identifiers=ANNES
    )
    trail.log_phi_access("dr-1", "nurse", "it", "q", NOTE, None, "s-1")
    shown, silent = closings(trail)
    (event,), (found,) = decided(trail), detected(trail)

    assert (shown.outcome, shown.guard_decision) == (
        Outcome.RELEASED,
        GuardDecision.ALERT,
    )
    assert shown.released_chars == len(f"SSN {SSN}")
    assert event.decision is GuardDecision.REDACT
    assert found.assurance is shown.assurance
    assert (silent.guard_decision, silent.response_phi_detected) == (None, None)


def test_a_wrapped_function_is_guarded_too(trail: Trail) -> None:
    """The decorator is what most applications use."""

    @trail.wrap(user_id="dr-1")
    def answer(access: Any, question: str) -> str:
        access.retrieved(NOTE, query=question)
        return f"SSN {SSN}"

    assert answer("which?") == "SSN [SSN-1]"


def test_nothing_is_released_when_the_verdict_cannot_be_recorded(trail: Trail) -> None:
    """A safe text without its record is as bad as any."""
    access = trail.access(user_id="dr-1")
    access.retrieved(NOTE)
    trail._backend.parts.stop_writing()  # type: ignore[attr-defined]
    with pytest.raises(StorageError):
        access.release("Potassium is 4.1.")
    with pytest.raises(StorageError):
        access.release(f"SSN {SSN}")


def test_a_closed_access_is_not_scanned_for(trail: Trail, guard: StandIn) -> None:
    """A second release is refused as before."""
    with trail.access(user_id="dr-1") as access:
        access.release("one")
        with pytest.raises(InputError, match="is closed"):
            access.release("two")

    assert guard.scans == 1


# --- event loops ---


def run(trail_dir: Path, scenario: Callable[[AsyncTrail], Any]) -> Any:
    """Run a scenario over an open trail."""

    async def opened() -> Any:
        async with await aconnect(trail_dir) as trail:
            return await scenario(trail)

    return asyncio.run(opened())


@pytest.mark.usefixtures("guard")
def test_async_answers_are_guarded_the_same(trail_dir: Path) -> None:
    """A server that moves to an event loop must not lose its guard."""

    async def scenario(trail: AsyncTrail) -> None:
        async with trail.access(user_id="dr-1") as access:
            await access.retrieved(
                [(BERT, "n-1", "Observation")],
                identifiers=[{"mrn": BERT, "ssn": OTHER_SSN}],
            )
            assert await access.release(f"SSN {SSN}") == "SSN [SSN-1]"
        with pytest.raises(RefusedError, match="wrong_patient"):  # noqa: PT012 - the case
            async with trail.access(user_id="dr-1") as access:
                await access.retrieved(NOTE, identifiers=ANNES)
                await access.release(f"SSN {OTHER_SSN}")

        @trail.wrap(user_id="dr-1")
        async def answer(_: Any) -> str:
            return f"SSN {SSN}"

        assert await answer() == "SSN [SSN-1]"
        result = await trail.scan(f"SSN {SSN}", identifiers=ANNES, records=NOTE)
        assert result.safe_text == "SSN [SSN-1]"
        await trail.log_phi_access(
            "dr-1", "nurse", "it", "q", NOTE, f"SSN {SSN}", "s-1", identifiers=ANNES
        )
        assert [closing.guard_decision for closing in closings(trail)] == [
            GuardDecision.REDACT,
            GuardDecision.BLOCK,
            GuardDecision.REDACT,
            GuardDecision.ALERT,
        ]
        assert len(decided(trail)) == 5

    run(trail_dir, scenario)


def test_async_scans_need_a_guard(trail_dir: Path) -> None:
    """The same words for the same mistake."""

    async def scenario(trail: AsyncTrail) -> None:
        with pytest.raises(ConfigError, match="has no guard"):
            await trail.scan("text")
        await trail.log_phi_access(
            "u", "nurse", "it", "q", ["r"], "a", "s", identifiers=ANNES
        )

    run(trail_dir, scenario)
