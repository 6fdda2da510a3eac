"""A statement outlives the key that signed it, and not a key that was stolen."""

from datetime import timedelta
from pathlib import Path

import pytest
from tests.app.statement_cases import state
from tests.app.trust import Kept, found_kept
from tests.trails import NOW, publish_once

from phitrail.app.statement_checks import check_statement
from phitrail.errors import IntegrityError
from phitrail.events.codes import SuccessionReason

DAY = timedelta(days=1)


@pytest.fixture
def kept(memory_path: Path) -> Kept:
    """Give a trail with some events, and its recovery key."""
    trail = found_kept(memory_path / "trail")
    trail.grow(0, 20)
    return trail


def test_a_statement_outlives_a_rotation_and_is_made_again_after_it(
    kept: Kept,
) -> None:
    """A letter of last year must not lose its signature with this year's keys."""
    before = state(kept.directory, since=NOW - DAY)
    kept.rotate()
    kept.grow(20, 22)
    again = state(kept.directory, since=NOW - DAY, again=before.statement)
    publish_once(kept.directory)

    assert check_statement(kept.directory, before.note) == before.statement
    assert check_statement(kept.directory, again.note) == again.statement
    assert again.statement.known == before.statement.known
    assert before.note.splitlines()[-1] != again.note.splitlines()[-1]


def test_what_a_stolen_key_signed_above_the_trusted_size_is_not_believed(
    kept: Kept,
) -> None:
    """A thief who can sign a statement can make a house look complete."""
    good = state(kept.directory, since=NOW - DAY)
    publish_once(kept.directory)
    trusted = kept.checkpoint()
    kept.grow(20, 25)
    bad = state(kept.directory, since=NOW - DAY)
    kept.succeed(SuccessionReason.COMPROMISE, last_good=trusted)
    publish_once(kept.directory)

    assert check_statement(kept.directory, good.note) == good.statement
    with pytest.raises(IntegrityError, match="declared compromised"):
        check_statement(kept.directory, bad.note)


def test_a_log_that_was_rewritten_has_another_root(kept: Kept) -> None:
    """A statement binds the logs that it speaks of, like a checkpoint kept outside."""
    note = state(kept.directory, since=NOW - DAY).note
    publish_once(kept.directory)
    tile = next((kept.directory / "public" / "audit" / "tile" / "0").rglob("*.p/*"))
    for each in tile.parent.iterdir():
        data = bytearray(each.read_bytes())
        data[0] ^= 1
        each.write_bytes(data)

    with pytest.raises(IntegrityError, match="another root"):
        check_statement(kept.directory, note)
