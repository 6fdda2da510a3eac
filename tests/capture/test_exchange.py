"""A user who is written as an e-mail address is exchanged; a sentence with an @ is refused."""

from pathlib import Path

import pytest
from tests.trails import NOW

from phitrail.app.wiring import open_trail
from phitrail.errors import InputError
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.codes import EventType


@pytest.mark.parametrize("field", ["user_id", "on_behalf_of"])
def test_a_sentence_with_an_at_sign_is_no_user(trail_dir: Path, field: str) -> None:
    """The shape is checked before a surrogate would hide that it never fitted."""
    event: CallerEvent = AuditEvent(
        event_type=EventType.PHI_READ,
        **{field: "Zebulon was seen @ noon"},  # type: ignore[arg-type]  # one of two text fields
    )
    trail = open_trail(trail_dir)

    with pytest.raises(InputError) as caught:
        trail.recorder.record(event, NOW)
    trail.close()

    assert caught.value.field == field
    assert "Zebulon" not in str(caught.value)
