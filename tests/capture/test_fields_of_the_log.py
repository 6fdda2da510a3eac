"""Fields that the log sets are refused from a caller, whoever built the record."""

from pathlib import Path

import pytest
from tests.trails import NOW

from phitrail.app.verification import verify_trail
from phitrail.app.wiring import open_trail
from phitrail.capture.recorder import SET_BY_THE_LOG
from phitrail.errors import InputError
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.codes import EventType

VALUES = {
    "received_at": "2026-11-21T12:00:00.000Z",
    "nonce": "A" * 22,
    "part": 3,
    "parts": 4,
}


@pytest.mark.parametrize("field", SET_BY_THE_LOG)
def test_a_field_of_the_log_is_refused(trail_dir: Path, field: str) -> None:
    """A caller's own part number would contradict the table of events for ever."""
    event: CallerEvent = AuditEvent(
        event_type=EventType.PHI_READ,
        **{field: VALUES[field]},  # type: ignore[arg-type]  # one of four fields
    )
    trail = open_trail(trail_dir)
    try:
        with pytest.raises(InputError) as caught:
            trail.recorder.record(event, NOW)
    finally:
        trail.close()

    found = verify_trail(trail_dir, deep=True).findings

    assert field == caught.value.field
    assert not found
