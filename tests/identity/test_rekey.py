"""Rows move to the versions in use; what cannot be read is told and left as it is."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.identity.rotations import Process, Rotations, listed, rekey, rows

from phitrail.errors import IntegrityError, StorageError
from phitrail.identity import rekey as module
from phitrail.identity.map import create_identity_map
from phitrail.identity.rekey import Mover, Page
from phitrail.identity.surrogate import parse_surrogate
from phitrail.keys.names import IDENTITY_INDEX, IDENTITY_SEAL
from phitrail.keys.sealing import Sealer

COUNT = 5


@pytest.fixture
def rotations() -> Rotations:
    """Give two versions of both keys; the rows of `path` stand under the first."""
    return Rotations()


@pytest.fixture
def path(memory_path: Path, rotations: Rotations) -> Path:
    """Give a map with a few subjects and aliases under first versions, both rotated."""
    path = memory_path / "identity.db"
    create_identity_map(path)
    process = Process(path, rotations)
    for number in range(COUNT):
        process.remember(("mrn", f"M-{number}"), f"901-44-000{number}")
    process.close()
    rotations.rotate(IDENTITY_INDEX)
    rotations.rotate(IDENTITY_SEAL)
    return path


@pytest.fixture
def mover(path: Path, rotations: Rotations) -> Iterator[Mover]:
    """Give what moves the rows of the map."""
    process = Process(path, rotations)
    with closing(Mover(path, process.keys)) as opened:
        yield opened
    process.close()


def change(path: Path, statement: str, *values: object) -> None:
    """Change a map by hand."""
    with closing(sqlite3.connect(path)) as database:
        assert database.execute(statement, values).rowcount == 1
        database.commit()


def pages(mover: Mover) -> list[Page]:
    """Read every page and write none."""
    return list(mover.sweep(mover.admit()))


def test_every_row_moves_once_and_says_the_same(
    path: Path, rotations: Rotations
) -> None:
    """A row that says something else names the wrong patient."""
    before = rows(path), rows(path, "alias")

    assert rekey(path, rotations) == 2 * COUNT
    assert rekey(path, rotations) == 0
    after = rows(path), rows(path, "alias")
    for old, new in zip([*before[0], *before[1]], [*after[0], *after[1]], strict=True):
        assert (new[1], new[2]) == (2, old[2])
        assert new[0] != old[0]
        assert new[3] != old[3]
    assert rotations.count_damaged(path) == 0
    assert listed(path) == [("index", 2), ("seal", 2)]


@pytest.mark.parametrize("name", [IDENTITY_INDEX, IDENTITY_SEAL])
def test_one_key_may_be_rotated_without_the_other(
    path: Path, rotations: Rotations, name: str
) -> None:
    """Each of them is compromised on its own."""
    rekey(path, rotations)
    before = rows(path)
    rotations.rotate(name)

    assert rekey(path, rotations) == 2 * COUNT
    after = rows(path)
    is_index = name == IDENTITY_INDEX
    for old, new in zip(before, after, strict=True):
        assert (new[0] != old[0], new[1]) == (is_index, 2 + is_index)
    assert rotations.count_damaged(path) == 0


def test_old_rows_are_counted(path: Path, rotations: Rotations, mover: Mover) -> None:
    """The bar shows it, and nobody destroys a key that something stands under."""
    assert mover.count_old() == (2 * COUNT, 2 * COUNT)
    rekey(path, rotations)
    assert mover.count_old() == (0, 2 * COUNT)


def test_a_page_is_one_transaction_and_each_row_comes_once(
    mover: Mover, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that were moved come up again in the order of their new index."""
    monkeypatch.setattr(module, "PAGE_ROWS", 2)
    seen, moved = [], 0
    for page in mover.sweep(mover.admit()):
        moved += len(page.renewed)
        seen.append(len(page.renewed))
        assert mover.write(page) == ()
        old, _ = mover.count_old()
        assert old == 2 * COUNT - moved

    assert seen == [2, 2, 1, 2, 2, 1]


DAMAGE = {
    "the envelope is cut": "sealed = x'00'",
    "the envelope is no envelope": "sealed = 'text'",
    "the envelope is altered": "sealed = CAST(sealed || x'00' AS BLOB)",
    "the envelope is no text": "sealed = sealed || x'ff'",
    "the index is another's": "blind = x'00'",
    "the index is a text": "blind = 'text'",
    "the version is none": "index_version = 'text'",
    "the version was never made": "index_version = 0",
    "the surrogate is another's": "surrogate = x'00'",
    "the surrogate is a text": "surrogate = 'text'",
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("table", ["subject", "alias"])
def test_a_damaged_row_is_told_and_left_as_it_is(
    path: Path, rotations: Rotations, mover: Mover, damage: str, table: str
) -> None:
    """Half a repair would destroy what the archive could still explain."""
    surrogate = rows(path, table)[2][2]
    change(path, f"UPDATE {table} SET {DAMAGE[damage]} WHERE surrogate = ?", surrogate)
    before = set(rows(path, table))
    failed = [row for page in pages(mover) for row in page.failed]

    assert rekey(path, rotations) == 2 * COUNT - 1
    assert rekey(path, rotations) == 0
    (left,) = before & set(rows(path, table))
    whose = None if left[2] == b"text" else left[2]
    assert [row.surrogate for row in failed] == [whose]
    assert mover.count_old()[1] == 2 * COUNT
    still = [("index", 1)] if left[1] == 1 else []
    assert listed(path) == [*still, ("index", 2), ("seal", 2)]


def test_who_stands_behind_a_damaged_row_is_found(
    path: Path, rotations: Rotations
) -> None:
    """Its index is whole: a second surrogate would make bad things worse."""
    early = Process(path, rotations)
    surrogate = early.resolve(("mrn", "M-1"))
    change(
        path,
        "UPDATE subject SET sealed = x'00' WHERE surrogate = ?",
        parse_surrogate(surrogate),
    )
    rekey(path, rotations)
    late = Process(path, rotations)

    assert late.resolve(("mrn", "M-1")) == surrogate
    early.close()
    late.close()


def test_two_rows_of_one_subject_are_left_for_people(
    path: Path, rotations: Rotations, mover: Mover
) -> None:
    """A copy that was merged wrongly: which surrogate is right, no program knows."""
    fresh = Process(path, rotations)
    other = next(iter(pages(mover))).renewed[0]
    (blind, version, sealed), row = other
    change(
        path,
        "INSERT INTO subject VALUES (?, ?, ?, ?)",
        blind,
        version,
        b"another surrogate",
        sealed,
    )
    stuck = [row for page in mover.sweep(mover.admit()) for row in mover.write(page)]

    assert stuck == [row]
    assert mover.count_old()[0] == 1
    fresh.close()


def test_a_row_that_somebody_changed_meanwhile_is_not_overwritten(
    path: Path, mover: Mover
) -> None:
    """What was put back from the archive must not give way to what was damaged."""
    page = pages(mover)[0]
    change(
        path,
        "UPDATE subject SET sealed = x'01' WHERE surrogate = ?",
        page.renewed[0][1].surrogate,
    )

    assert mover.write(page) == (page.renewed[0][1],)


def test_a_row_under_a_newer_version_is_not_moved_back(
    path: Path, rotations: Rotations, mover: Mover
) -> None:
    """A re-key that began before another rotation would undo what others index."""
    rekey(path, rotations)
    target = mover.admit()
    rotations.rotate(IDENTITY_INDEX)
    late = Process(path, rotations)
    late.resolve(("mrn", "M-new"))

    assert [page.renewed for page in mover.sweep(target)] == []
    late.close()


def test_an_envelope_that_does_not_open_again_stops_everything(
    path: Path, mover: Mover, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory that flips a bit would lose a patient for good."""

    def seal(self: Sealer, plain: bytes, context: bytes) -> bytes:
        return whole(self, plain[:-1] + b"?", context)

    whole = Sealer.seal
    monkeypatch.setattr(Sealer, "seal", seal)
    before = rows(path)

    with pytest.raises(IntegrityError, match="just sealed"):
        pages(mover)
    assert rows(path) == before


@pytest.mark.parametrize("statement", ["DROP TABLE subject", "DROP TABLE standing"])
def test_a_table_that_is_gone_is_a_storage_error(
    path: Path, mover: Mover, statement: str
) -> None:
    """The operator has to act; nothing may look as if it were done."""
    with closing(sqlite3.connect(path)) as database:
        database.execute(statement)
    with pytest.raises(StorageError, match="SQLITE_ERROR"):
        mover.count_old() if "subject" in statement else mover.admit()


def test_a_map_that_cannot_be_locked_is_closed(
    path: Path, rotations: Rotations
) -> None:
    """A failed opening must leave no connection behind."""
    process = Process(path, rotations)
    path.with_suffix(".lock").unlink()
    path.with_suffix(".lock").mkdir()

    with pytest.raises(StorageError, match="lock file"):
        Mover(path, process.keys)
    process.close()
