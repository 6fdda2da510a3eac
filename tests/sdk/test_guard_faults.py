"""The guard fails closed, at whichever call, and no value leaves through its failures."""

import asyncio
import logging
import sqlite3
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.sdk.guarded import (
    StandIn,
    breaks,
    closings,
    decided,
    detected,
    everything,
    failed,
    guard_on,
)
from tests.sdk.test_spooling import STOP

from phitrail.app.pins import JOURNAL
from phitrail.app.wiring import IDENTITY
from phitrail.errors import InputError, RefusedError, StorageError
from phitrail.events.codes import GuardDecision, Outcome, Severity
from phitrail.guard.policy import GuardPolicy
from phitrail.sdk import Trail, aconnect, connect

CANARY_SSN = "901-44-8123"
CANARY_NAME = "Canaryella"
CANARY_MAIL = "canaryella@post.example"
CANARIES = (CANARY_SSN, CANARY_SSN.replace("-", ""), CANARY_NAME, "post.example")
TEXT = f"Pt. {CANARY_NAME}, SSN {CANARY_SSN}, {CANARY_MAIL}"
NOTE = [("M-1001", "note-1", "Observation")]
IDENTIFIERS: Any = [
    {"mrn": "M-1001", "ssn": CANARY_SSN, "name": CANARY_NAME, "email": CANARY_MAIL}
]


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


def deeper(text: str) -> str:
    """Go deeper until Python says no."""
    return deeper(text)


def strange(field: str, value: object) -> Callable[[str], object]:
    """Give a result of ours with something in it that nobody knows."""

    def scan(text: str) -> object:
        result = StandIn().scan(text, None, GuardPolicy())
        for target in (result, *result.spans):
            if hasattr(target, field):
                object.__setattr__(target, field, value)
        return result

    return scan


FAULTS: list[tuple[Callable[[str], object], str, str]] = [
    (breaks, "guard_error", "stand-in-1:ValueError"),
    (deeper, "guard_error", "stand-in-1:RecursionError"),
    (sys.exit, "guard_error", "stand-in-1:SystemExit"),
    (lambda text: {"safe_text": text}, "guard_error", "stand-in-1"),
    (lambda _: None, "guard_error", "stand-in-1"),
    (strange("safe_text", None), "guard_error", "stand-in-1"),
    (strange("decision", "release it"), "guard_error", "stand-in-1"),
    (strange("decision", GuardDecision.WITHHELD), "guard_error", "stand-in-1"),
    (strange("identifier_class", "retina"), "guard_unknown_class", "stand-in-1"),
    (strange("relation", "friend"), "guard_unknown_class", "stand-in-1"),
    (strange("action", "wink"), "guard_unknown_class", "stand-in-1"),
]


@pytest.mark.parametrize(("fault", "reason", "who"), FAULTS)
def test_whatever_goes_wrong_withholds_the_answer_and_says_so(
    trail: Trail,
    guard: StandIn,
    fault: Callable[[str], object],
    reason: str,
    who: str,
) -> None:
    """An answer that nobody could look at must not be shown, nor vanish from the log."""
    guard.fault = fault
    with trail.access(user_id="dr-1") as access, pytest.raises(RefusedError) as caught:
        access.release(TEXT)
    (ending,), (event,) = closings(trail), failed(trail)

    assert reason in str(caught.value)
    assert (ending.outcome, ending.released_chars) == (Outcome.FAILED, 0)
    assert ending.guard_decision is GuardDecision.WITHHELD
    assert (ending.response_phi_detected, ending.response_hash) == (None, None)
    assert (event.reason_code, event.object_id) == (reason, who)
    assert (event.decision, event.outcome) == (GuardDecision.WITHHELD, Outcome.FAILED)
    assert event.severity is Severity.HIGH
    assert (event.identifier_classes, event.value_hashes) == ((), ())
    assert (decided(trail), detected(trail)) == ([], [])


def test_a_scan_that_takes_too_long_is_withheld(
    trail_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text that makes the guard hang must not wait itself past it."""
    may_end = threading.Event()
    guard = guard_on(trail_dir, monkeypatch, "mode: enforce, timeout_s: 0.02")
    guard.fault = lambda _: may_end.wait()
    with connect(trail_dir) as trail:
        access = trail.access(user_id="dr-1")
        with pytest.raises(RefusedError, match="guard_timeout"):
            access.release(TEXT)
        may_end.set()
        (event,) = failed(trail)

    assert (event.reason_code, event.object_id) == ("guard_timeout", "stand-in-1")


@pytest.mark.parametrize("number", range(5))
def test_a_failure_at_any_call_withholds_that_answer_and_no_other(
    trail: Trail, guard: StandIn, number: int
) -> None:
    """A guard that fails once must neither stay shut nor have let one through."""
    guard.fault, guard.fails_at = breaks, number
    shown: list[str] = []
    for _ in range(5):
        try:
            with trail.access(user_id="dr-1") as access:
                access.retrieved(NOTE)
                shown.append(access.release(TEXT))
        except RefusedError:
            shown.append("withheld")
    safe = "Pt. [NAME-1], SSN [SSN-1], [EMAIL-1]"

    assert shown == [safe if at != number else "withheld" for at in range(5)]
    assert [one.guard_decision for one in closings(trail)].count(
        GuardDecision.WITHHELD
    ) == 1
    assert (len(decided(trail)), len(failed(trail))) == (4, 1)


def test_a_text_of_no_access_that_cannot_be_scanned_is_refused(
    trail: Trail, guard: StandIn
) -> None:
    """Whoever asks must not take silence for a clean text."""
    guard.fault = breaks
    with pytest.raises(RefusedError, match="could not scan") as caught:
        trail.scan(TEXT)

    assert not any(canary in repr(caught.value) for canary in CANARIES)
    assert len(failed(trail)) == 1


def test_a_look_up_that_fails_withholds_the_answer(
    trail: Trail, trail_dir: Path
) -> None:
    """Nobody knows whose number it is: that is no answer to go by."""
    with closing(sqlite3.connect(trail_dir / IDENTITY)) as database:
        database.execute("DROP TABLE alias")
    with trail.access(user_id="dr-1") as access, pytest.raises(StorageError):
        access.retrieved(NOTE, identifiers=IDENTIFIERS)
    access = trail.access(user_id="dr-1")
    access.retrieved([])
    access._guard._records = _known_patient(access)  # type: ignore[union-attr]
    with pytest.raises(RefusedError, match="guard_error"):
        access.release(TEXT)


def _known_patient(access: Any) -> Any:
    known, _ = access._guard.prepare(NOTE, [])
    return known


def test_an_answer_that_has_no_bytes_is_refused_as_before(trail: Trail) -> None:
    """A lone surrogate can be neither hashed nor sent."""
    with trail.access(user_id="dr-1") as access:
        with pytest.raises(InputError) as caught:
            access.release(f"{TEXT} \ud800")
        assert access.release(f"SSN {CANARY_SSN}") == "SSN [SSN-1]"

    assert not any(canary in repr(caught.value) for canary in CANARIES)


def test_a_value_leaves_in_no_file_log_line_or_exception(
    trail: Trail, trail_dir: Path, guard: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    """The guard sees more PHI than any other part; it must be the one that keeps none."""
    caplog.set_level(logging.DEBUG)
    said: list[str] = []

    def note(call: Callable[[], object]) -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not say it
            said.extend(traceback.format_exception(error))
            said.append(repr((vars(error), error.__context__)))

    with trail.access(user_id="dr-1") as access:
        access.retrieved(NOTE, query=TEXT, identifiers=IDENTIFIERS)
        note(lambda: access.release(TEXT))
        said += [repr(access._verdict), repr(access._guard._records)]  # type: ignore[union-attr]
    for fault in (None, breaks, deeper, strange("action", "wink")):
        guard.fault = fault
        with trail.access(user_id="dr-1") as access:
            access.retrieved([("M-2002", "n", "Observation")])
            note(lambda: access.release(TEXT))
        with trail.access(user_id="dr-1") as access:
            note(lambda: list(access.stream([TEXT])))
        note(lambda: trail.scan(TEXT))
    trail.log_phi_access(
        "dr-1", "nurse", "it", "q", NOTE, TEXT, "s", identifiers=IDENTIFIERS
    )
    note(lambda: access.retrieved(NOTE, identifiers=[{CANARY_NAME: CANARY_SSN}]))
    said += [everything(trail), caplog.text]
    trail.close()
    held = b"".join(p.read_bytes() for p in trail_dir.rglob("*") if p.is_file())

    assert len(said) > 10
    for canary in CANARIES:
        assert canary.encode() not in held
        assert not [one for one in said if canary in _without_source(one)]


def _without_source(printed: str) -> str:
    """Leave out the lines of code that a traceback quotes from this file."""
    return "\n".join(
        line
        for line in printed.splitlines()
        if not line.startswith("    ") or "CANARY" not in line
    )


# --- while the log is down ---


def test_while_the_log_is_down_answers_are_scanned_and_their_events_wait(
    trail_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The spool bridges the log, not the guard."""
    guard = guard_on(trail_dir, monkeypatch)
    with (
        connect(trail_dir, spool=tmp_path / "spool") as trail,
        closing(sqlite3.connect(trail_dir / JOURNAL)) as database,
    ):
        database.execute(STOP)
        with trail.access(user_id="dr-1") as access:
            access.retrieved(NOTE, identifiers=IDENTIFIERS)
            shown = access.release(TEXT)
        assert access.receipts[-1].is_spooled
        with trail.access(user_id="dr-1") as access:
            access.retrieved(NOTE, identifiers=IDENTIFIERS)
            guard.fault = breaks
            with pytest.raises(RefusedError):
                access.release(TEXT)
        database.execute("DROP TRIGGER stop")
    with connect(trail_dir) as trail:
        first, second = closings(trail)
        (event,), (broken,) = decided(trail), failed(trail)
        assert len(detected(trail)) == 1
    held = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())

    assert shown == "Pt. [NAME-1], SSN [SSN-1], [EMAIL-1]"
    assert first.guard_decision is GuardDecision.REDACT
    assert second.guard_decision is GuardDecision.WITHHELD
    assert event.access_id == first.access_id
    assert event.reason_code == "patients_not_looked_up"
    assert broken.access_id == second.access_id
    assert not [canary for canary in CANARIES if canary.encode() in held]


@pytest.mark.usefixtures("guard")
def test_aliases_that_cannot_be_kept_do_not_stop_a_program_with_a_spool(
    trail_dir: Path, tmp_path: Path
) -> None:
    """The spool bridges what cannot be kept; what cannot be asked withholds the answer."""

    async def scenario() -> None:
        async with await aconnect(trail_dir, spool=tmp_path / "other") as trail:
            access = trail.access(user_id="dr-1")
            await access.retrieved(NOTE, identifiers=IDENTIFIERS)

    with connect(trail_dir, spool=tmp_path / "spool") as trail:
        with closing(sqlite3.connect(trail_dir / IDENTITY)) as database:
            database.execute("DROP TABLE alias")
        with trail.access(user_id="dr-1") as access:
            access.retrieved(NOTE, identifiers=IDENTIFIERS)
            with pytest.raises(RefusedError):
                access.release(TEXT)
    with closing(sqlite3.connect(trail_dir / IDENTITY)) as database:
        database.execute("CREATE TABLE alias (other)")
    asyncio.run(scenario())


def test_async_failures_fail_closed_too(
    trail_dir: Path, guard: StandIn, tmp_path: Path
) -> None:
    """The same on an event loop, with a spool behind it."""
    guard.fault, guard.fails_at = breaks, 1

    async def scenario() -> None:
        async with await aconnect(trail_dir, spool=tmp_path / "spool") as trail:
            async with trail.access(user_id="dr-1") as access:
                await access.retrieved(NOTE, identifiers=IDENTIFIERS)
                assert CANARY_SSN not in await access.release(TEXT)
            with pytest.raises(RefusedError):
                async with trail.access(user_id="dr-1") as access:
                    await access.release(TEXT)

    asyncio.run(scenario())
    with connect(trail_dir) as trail:
        assert [one.outcome for one in closings(trail)] == [
            Outcome.RELEASED,
            Outcome.FAILED,
        ]


def test_a_trail_without_a_guard_loads_no_scanner(trail_dir: Path) -> None:
    """A program that records and scans nothing must not pay for a model."""
    import subprocess  # noqa: PLC0415 - a process of its own is the case

    program = (
        "import sys; from phitrail.sdk import connect; "
        f"connect({str(trail_dir)!r}, receipts=None).close(); "
        "print('numpy' in sys.modules, 'phitrail.guard.scan' in sys.modules, "
        "'phitrail.guard.tagger' in sys.modules)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout

    assert printed.split() == ["False"] * 3
