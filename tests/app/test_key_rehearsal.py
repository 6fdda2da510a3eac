"""A rehearsal proves that the keys would come back, changes nothing, and is on record."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from tests.app.lost_vaults import BY, Shared, found_shared
from tests.trails import read_leaves

from phitrail.app.documents import open_document
from phitrail.app.key_wiring import current_register
from phitrail.app.wiring import open_trail
from phitrail.errors import ConfigError
from phitrail.events.audit import AuditEvent, AuditLeaf
from phitrail.events.codes import EventType, Outcome


@pytest.fixture
def trail(memory_path: Path) -> Shared:
    """Give a trail with a full bundle and some more."""
    shared = found_shared(memory_path / "trail")
    shared.grow(0, 260)
    return shared


def newest_event(trail: Shared) -> AuditLeaf:
    """Read the last event of the audit log."""
    with closing(open_trail(trail.directory)) as opened:
        event = read_leaves(opened)[-1]
    assert isinstance(event, AuditEvent)
    return event


def test_it_opens_every_secret_and_some_of_everything(trail: Shared) -> None:
    """A report that opened nothing would be believed until the day."""
    files, register = trail.key_files(), current_register(trail.directory)
    done = trail.rehearse()

    assert (done.wanted, done.brought_back, done.failures) == (8, 8, ())
    assert done.proof.identities > done.proof.identities_opened == 1
    assert done.proof.entries_opened == {"audit": 2, "security": 1, "quality": 1}
    assert done.took_ms >= 0
    assert files == trail.key_files()
    assert register == current_register(trail.directory)


def test_it_is_on_record_with_its_report(trail: Shared) -> None:
    """An auditor asks when it was tried out last, and what came of it."""
    done = trail.rehearse()
    event = newest_event(trail)
    with closing(open_trail(trail.directory)) as opened:
        text = open_document(opened, done.digest)

    assert event.event_type is EventType.KEY_RECOVERY_REHEARSED
    assert (event.user_id, event.outcome) == (BY, Outcome.SUCCESS)
    assert (event.object_digest, event.result_count) == (done.digest, 8)
    assert text == done.document
    assert json.loads(done.document)["failures"] == []


def test_one_that_fails_is_on_record_as_failed(trail: Shared) -> None:
    """A rehearsal that is tried until it goes well shows in the log."""
    place = trail.directory / "keys/audit-seal.v1.json"
    file = json.loads(place.read_text())
    del file["escrow"]
    place.write_text(json.dumps(file))
    done = trail.rehearse()

    assert done.brought_back == 7
    assert "audit-seal:v1: its file holds nothing in escrow" in done.failures[0]
    assert [one for one in done.failures if one.startswith("entry 0 of audit")]
    assert newest_event(trail).outcome is Outcome.FAILED


def test_it_opens_without_the_vault_and_cannot_be_recorded_then(trail: Shared) -> None:
    """Nothing that the log cannot hold is said to have happened."""
    trail.lose_the_vault()
    with pytest.raises(ConfigError, match="key wrapping is missing"):
        trail.rehearse()
