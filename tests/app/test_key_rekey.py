"""A re-key moves all there is, tells it twice, and is gone on with after a failure."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.app.key_verbs import BY, WHY, changing, check_register_is_the_log_s
from tests.identity.rotations import SSN
from tests.sdk.guarded import guard_on
from tests.trails import NOW, phi_read, publish_once, read_leaves

from phitrail.app import key_rekey as module
from phitrail.app.documents import open_document
from phitrail.app.key_compromise import compromise_key
from phitrail.app.key_rekey import REKEY, REKEY_LOCK, rekey_identity, rows_to_rekey
from phitrail.app.key_rotation import rotate_key
from phitrail.app.key_uses import count_uses
from phitrail.app.verification import verify_trail
from phitrail.app.wiring import IDENTITY, Trail, open_trail
from phitrail.durable.lock import FileLock
from phitrail.errors import ConfigError, StorageError
from phitrail.events.codes import EventType, Outcome
from phitrail.identity.aliases import Alias
from phitrail.identity.surrogate import written_surrogate
from phitrail.keys.names import IDENTITY_INDEX, IDENTITY_SEAL, KeyId

PATIENTS = 12


@pytest.fixture
def trail(trail_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trail]:
    """Give an open trail with a few patients, one with an alias, and both keys rotated."""
    guard_on(trail_dir, monkeypatch)
    trail = open_trail(trail_dir)
    try:
        for number in range(PATIENTS):
            trail.recorder.record(phi_read(number, patients=PATIENTS), NOW)
        assert trail.aliases is not None
        trail.aliases.remember([Alias(("mrn", "mrn-3"), SSN, "901-44-0003")])
        for name in (IDENTITY_INDEX, IDENTITY_SEAL):
            rotate_key(trail, name, by=BY, reason=WHY, now=NOW)
        yield trail
    finally:
        trail.close()


def told(trail: Trail) -> list[dict[str, Any]]:
    """Read the documents of the re-keys that the log tells, with their outcomes."""
    found = []
    for leaf in read_leaves(trail):
        event = msgspec.to_builtins(leaf)
        if event.get("event_type") != EventType.KEY_ROTATED.value:
            continue
        text = open_document(trail, event["object_digest"])
        assert text is not None
        document = msgspec.json.decode(text)
        if document["schema"] == "phitrail/map-rekey/v1":
            found.append({**document, "outcome": event.get("outcome")})
    return found


def rows(trail: Trail, table: str = "subject") -> dict[bytes, tuple[object, ...]]:
    """Read every row of a table by its surrogate."""
    with closing(sqlite3.connect(trail.directory / IDENTITY)) as database:
        every = database.execute(f"SELECT surrogate, * FROM {table}").fetchall()
    return {row[0]: row[1:] for row in every}


def damage(trail: Trail, surrogate: bytes) -> None:
    """Alter what one row seals."""
    with closing(sqlite3.connect(trail.directory / IDENTITY)) as database:
        database.execute(
            "UPDATE subject SET sealed = x'00' WHERE surrogate = ?", (surrogate,)
        )
        database.commit()


def test_every_row_is_moved_and_told_at_the_beginning_and_at_the_end(
    trail: Trail,
) -> None:
    """Nobody could say afterwards what was done to the map, and by whom."""
    left = rows_to_rekey(trail)
    seen: list[tuple[int, int]] = []
    done = rekey_identity(
        trail, by=BY, now=NOW, progress=lambda *counts: seen.append(counts)
    )

    every = len(rows(trail)) + len(rows(trail, "alias"))
    assert left == done.rows == every - done.already
    assert [row[1] for row in rows(trail, "alias").values()] == [2]
    assert (done.index, done.seal) == (
        KeyId(IDENTITY_INDEX, 2),
        KeyId(IDENTITY_SEAL, 2),
    )
    assert (done.failed, done.failed_surrogates) == (0, ())
    assert seen[-1] == (left, left)
    assert rows_to_rekey(trail) == 0
    started, ended = told(trail)
    assert (started["phase"], started["rows"], started["outcome"]) == (
        "started",
        left,
        None,
    )
    assert (ended["phase"], ended["rows"], ended["failed"], ended["outcome"]) == (
        "ended",
        left,
        0,
        Outcome.SUCCESS.value,
    )
    assert ended["by"] == BY
    assert ended["index"] == "identity-index:v2"
    assert not (trail.directory / REKEY).exists()
    check_register_is_the_log_s(trail.directory)


def test_everybody_is_found_as_before(trail: Trail) -> None:
    """A known patient with a second surrogate vanishes from every report."""
    before = rows(trail).keys()
    known = [trail.identity.find(("mrn", f"mrn-{n}")) for n in range(PATIENTS)]
    rekey_identity(trail, by=BY, now=NOW)

    again = open_trail(trail.directory)
    found = [again.identity.find(("mrn", f"mrn-{n}")) for n in range(PATIENTS)]
    assert again.aliases is not None
    is_other = again.aliases.is_other_patient(SSN, "901-44-0003", [("mrn", "mrn-4")])
    again.close()
    assert None not in known
    assert found == known
    assert is_other
    assert before <= rows(trail).keys()


def test_a_second_run_finds_nothing_and_tells_nothing(trail: Trail) -> None:
    """It is run from a timer too; the log is no place for what did not happen."""
    first = rekey_identity(trail, by=BY, now=NOW)
    second = rekey_identity(trail, by=BY, now=NOW)

    assert (second.rows, second.already) == (0, first.rows + first.already)
    assert second.digest is None
    assert len(told(trail)) == 2


def test_a_damaged_row_is_told_by_its_surrogate_and_stays(trail: Trail) -> None:
    """Who restores it from the archive must know which one it is."""
    victim = trail.identity.find(("mrn", "mrn-5"))
    (surrogate,) = [one for one in rows(trail) if written_surrogate(one) == victim]
    damage(trail, surrogate)
    before = rows(trail)[surrogate]
    first = rekey_identity(trail, by=BY, now=NOW)
    second = rekey_identity(trail, by=BY, now=NOW)

    for done in (first, second):
        assert (done.failed, done.failed_surrogates) == (1, (victim,))
    assert (second.rows, second.digest, rows_to_rekey(trail)) == (0, None, 1)
    assert rows(trail)[surrogate] == before
    assert told(trail)[1]["failed_surrogates"] == [victim]
    assert trail.identity.find(("mrn", "mrn-5")) == victim


def test_many_damaged_rows_are_counted_and_not_all_told(
    trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lost key would make a document of a million names."""
    monkeypatch.setattr(module, "LISTED_AT_MOST", 2)
    for surrogate in list(rows(trail))[:4]:
        damage(trail, surrogate)
    done = rekey_identity(trail, by=BY, now=NOW)

    assert done.failed == sum(row[3] == b"\x00" for row in rows(trail).values())
    assert len(done.failed_surrogates) == 2 < done.failed


def test_the_trail_verifies_in_the_middle_and_at_the_end(
    trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A verification runs at night, and so may a re-key."""
    monkeypatch.setattr("phitrail.identity.rekey.PAGE_ROWS", 5)
    publish_once(trail.directory)
    looks: list[tuple[int, object]] = []

    def look(moved: int, _: int) -> None:
        looks.append((moved, verify_trail(trail.directory, deep=True).findings))

    done = rekey_identity(trail, by=BY, now=NOW, progress=look)
    looks.append((done.rows, verify_trail(trail.directory, deep=True).findings))

    assert len({moved for moved, _ in looks}) > 3
    assert {findings for _, findings in looks} == {()}


def test_rows_under_a_compromised_seal_are_moved(trail: Trail) -> None:
    """They are what must not stay under the key that somebody else has."""
    rekey_identity(trail, by=BY, now=NOW)
    directory = trail.directory
    with changing(directory) as changes:
        compromise_key(
            changes, "identity-seal:v2", since=None, by=BY, reason=WHY, now=NOW
        )
        compromise_key(
            changes, "identity-index:v2", since=None, by=BY, reason=WHY, now=NOW
        )
        known = changes.identity.find(("mrn", "mrn-1"))
        left = rows_to_rekey(changes)
        done = rekey_identity(changes, by=BY, now=NOW)

        assert known is not None
        assert changes.identity.find(("mrn", "mrn-1")) == known
        assert (done.rows, done.failed, done.seal.version) == (left, 0, 3)
        assert rows_to_rekey(changes) == 0


def test_one_re_key_at_a_time(trail: Trail) -> None:
    """Two would move the same rows, and tell it twice."""
    with (
        closing(FileLock(trail.directory / REKEY_LOCK)) as lock,
        lock,
        pytest.raises(StorageError, match="another process re-keys"),
    ):
        rekey_identity(trail, by=BY, now=NOW)
    assert rekey_identity(trail, by=BY, now=NOW).failed == 0


def test_a_damaged_note_of_what_was_begun_is_said(trail: Trail) -> None:
    """Whoever removes it must know that nothing of the map is lost."""
    (trail.directory / REKEY).write_bytes(b"{")

    with pytest.raises(ConfigError, match="remove it, and run this again"):
        rekey_identity(trail, by=BY, now=NOW)


def test_nothing_to_do_leaves_no_trace(trail_dir: Path) -> None:
    """A fresh trail has no rows of old versions."""
    trail = open_trail(trail_dir)
    done = rekey_identity(trail, by=BY, now=NOW)

    assert (done.rows, done.failed, done.digest) == (0, 0, None)
    assert told(trail) == []
    trail.close()


def test_a_rotation_in_the_middle_is_followed(
    trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that turns out to be stolen meanwhile is not what rows should move to."""
    monkeypatch.setattr("phitrail.identity.rekey.PAGE_ROWS", 5)
    rotations = [IDENTITY_SEAL, IDENTITY_INDEX]

    def rotate(_done: int, _total: int) -> None:
        if rotations:
            rotate_key(trail, rotations.pop(), by=BY, reason=WHY, now=NOW)

    done = rekey_identity(trail, by=BY, now=NOW, progress=rotate)

    assert (done.index.version, done.seal.version) == (3, 3)
    assert rows_to_rekey(trail) == 0
    assert len(told(trail)) == 2


def test_a_version_that_is_looked_under_is_in_use(trail: Trail) -> None:
    """It could be destroyed after a kill before the very end, and nobody would be found."""

    class Killed(BaseException):
        """Stands for the end of the process."""

    def kill(done: int, total: int) -> None:
        if done == total:
            raise Killed

    with pytest.raises(Killed):
        rekey_identity(trail, by=BY, now=NOW, progress=kill)
    assert rows_to_rekey(trail) == 0
    first = KeyId(IDENTITY_INDEX, 1)
    assert count_uses(trail.directory, trail.keys, first).total == 1
    rekey_identity(trail, by=BY, now=NOW)
    assert count_uses(trail.directory, trail.keys, first).total == 0
    assert len(told(trail)) == 2
