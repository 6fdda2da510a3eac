"""`log unclosed`: what never closed is listed, aged and counted as released."""

from datetime import timedelta
from pathlib import Path

import pytest
from tests.app.sourced import opened, read_event
from tests.cli.conftest import Command
from tests.trails import NOW, read_leaves

from phitrail.app import clock
from phitrail.app.unclosed import list_unclosed
from phitrail.cli.exit_codes import ExitCode
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.codes import Assurance, EventType
from phitrail.events.ids import new_uuid7
from phitrail.sdk.connect import connect


def leave_open(directory: Path, count: int) -> None:
    """Open accesses whose program then never closes them."""
    with connect(directory, receipts=None) as trail:
        for number in range(count):
            trail.record(
                AuditEvent(
                    event_type=EventType.PHI_READ,
                    access_id=new_uuid7(clock.now()),
                    user_id=f"dr-{number}",
                    assurance=Assurance.ENFORCED,
                )
            )


def test_a_young_access_is_open_and_no_failure(
    trail_dir: Path, phitrail: Command
) -> None:
    """An access that is under way must not look like one whose end was lost."""
    leave_open(trail_dir, 1)
    with connect(trail_dir, receipts=None) as trail:
        with trail.access(
            user_id="dr-7", purpose_of_use="treatment", use_case="chart_qa"
        ):
            pass
        trail.record(AuditEvent(event_type=EventType.PHI_READ, user_id="dr-8"))
    ran = phitrail("log", "unclosed", "--trail", trail_dir, "--json")
    (one,) = ran.data["accesses"]

    assert ran.code == ExitCode.OK
    assert (one["user_id"], one["counts_as"]) == ("dr-0", "open")
    assert ran.data["treated_as_released"] == 0


def test_an_old_one_is_treated_as_released(trail_dir: Path, phitrail: Command) -> None:
    """Whoever watches the exit code or the JSON must see it; nobody else will."""
    (trail_dir / "policy.yaml").write_text("access_unclosed_after_s: 0.001\n")
    leave_open(trail_dir, 2)
    ran = phitrail("log", "unclosed", "--trail", trail_dir, "--as", "officer")

    assert ran.code == ExitCode.CHECK_FAILED
    assert ran.out.count("outcome unknown, treated as released") == 3
    assert "2 not closed, 2 of them for over 0.001 s" in ran.out
    with opened(trail_dir) as trail:
        read = read_leaves(trail)[-1]
        assert isinstance(read, AuditEvent)
        assert (read.user_id, read.reason_code, read.result_count) == (
            "officer",
            "log_unclosed",
            2,
        )


def test_age_is_from_receipt_and_ends_with_the_closing(trail_dir: Path) -> None:
    """A caller's clock that is wrong must not make an access old or young."""
    access_id = new_uuid7(NOW)
    with opened(trail_dir) as trail:
        event = read_event(NOW - timedelta(days=9))
        opening: CallerEvent = AuditEvent(
            event_type=event.event_type,
            access_id=access_id,
            timestamp_utc=event.timestamp_utc,
            records=event.records,
        )
        trail.recorder.record(opening, NOW)
        later = NOW + timedelta(hours=1)
        (one,) = list_unclosed(trail, by="officer", now=later).accesses
        (old,) = list_unclosed(
            trail, by="officer", now=later + timedelta(seconds=1)
        ).accesses
        closing: CallerEvent = AuditEvent(
            event_type=EventType.ACCESS_CLOSED, access_id=access_id
        )
        trail.recorder.record(closing, later)
        after = list_unclosed(trail, by="officer", now=later).accesses

    assert (one.age, one.is_treated_as_released) == (timedelta(hours=1), False)
    assert (one.patient_count, one.record_count) == (1, 1)
    assert old.is_treated_as_released
    assert not after


@pytest.mark.parametrize("assurance", [Assurance.IMPORTED, Assurance.OBSERVED])
def test_imported_history_is_left_out(trail_dir: Path, assurance: Assurance) -> None:
    """Old systems close nothing: ten years of them would bury the one that matters."""
    with opened(trail_dir) as trail:
        event: CallerEvent = AuditEvent(
            event_type=EventType.PHI_READ, access_id=new_uuid7(NOW), assurance=assurance
        )
        trail.recorder.record(event, NOW)
        found = list_unclosed(trail, by="officer", now=NOW).accesses

    assert len(found) == (assurance is not Assurance.IMPORTED)
