"""One subject has one surrogate, for every process and for ever."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from phitrail.errors import ConfigError, InputError, StorageError
from phitrail.events.protected import Protected
from phitrail.identity import map as module
from phitrail.identity.lookup import find_surrogate
from phitrail.identity.map import CONTEXT, IdentityMap, create_identity_map
from phitrail.identity.standing import MapKeys
from phitrail.identity.surrogate import check_opening, parse_surrogate
from phitrail.keys.mac import Mac
from phitrail.keys.ring import KeyRing
from phitrail.keys.sealing import Sealer

CANARY = "Canary-Wilhelmina-1899"


def map_keys(keys: KeyRing) -> MapKeys:
    """Give a map the keys of a ring."""
    return MapKeys(
        Mac(keys, "identity-index"), Sealer(keys, "identity-seal"), keys.refresh
    )


def open_map(
    directory: Path, tenant: str = "clinic.example", **more: Any
) -> IdentityMap:
    """Open the map of a directory, with the keys beside it."""
    keys = KeyRing.load(directory / "keys")
    return IdentityMap(
        directory / "identity.db",
        tenant=tenant,
        keys=map_keys(keys),
        **more,
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Give a directory with keys and an empty map."""
    KeyRing.create(tmp_path / "keys", created_at="2026-11-21T12:00:00.000Z")
    create_identity_map(tmp_path / "identity.db")
    return tmp_path


@pytest.fixture
def identity(place: Path) -> Iterator[IdentityMap]:
    """Give an open map."""
    opened = open_map(place)
    yield opened
    opened.close()


def rows(place: Path) -> list[tuple[bytes, ...]]:
    """Read the rows of a map."""
    database = sqlite3.connect(place / "identity.db")
    found = database.execute("SELECT * FROM subject").fetchall()
    database.close()
    return found


def test_the_same_subject_has_the_same_surrogate_after_reopening(place: Path) -> None:
    """Counting a patient's accesses over months rests on it."""
    first = open_map(place)
    before = first.resolve([("mrn", "M-1")])
    first.close()
    second = open_map(place)
    after = second.resolve([("mrn", "M-1")])
    second.close()

    assert before == after
    assert len(before[0]) == 43


def test_systems_tenants_and_identifiers_are_kept_apart(place: Path) -> None:
    """Equal numbers of two systems or clinics are two people."""
    surrogates: set[str] = set()
    for tenant in ("clinic.example", "other.example"):
        opened = open_map(place, tenant)
        surrogates.update(opened.resolve([("mrn", "1"), ("ehr", "1"), ("mrn", "2")]))
        opened.close()

    assert len(surrogates) == 6


def test_finding_gives_the_surrogate_and_makes_none(
    place: Path, identity: IdentityMap
) -> None:
    """A question about a stranger must not enter him into the map."""
    (known,) = identity.resolve([("mrn", "4711")])

    assert identity.find(("mrn", "4711")) == known
    assert find_surrogate(identity, "mrn", Protected("4711")) == known
    assert find_surrogate(identity, "mrn", Protected("4712")) is None
    assert len(rows(place)) == 1


def test_spellings_of_one_identifier_meet(identity: IdentityMap) -> None:
    """Composed and decomposed letters of one name are one person."""
    pair = identity.resolve([("mrn", "é"), ("mrn", "e\u0301")])

    assert pair[0] == pair[1]


def test_results_stand_in_the_order_asked(identity: IdentityMap) -> None:
    """A permuted answer would write one patient's access under another."""
    one_by_one = [identity.resolve([("mrn", str(n))])[0] for n in range(20)]
    together = identity.resolve([("mrn", str(n)) for n in reversed(range(20))])

    assert one_by_one == list(reversed(together))


def test_identifier_and_salt_open_the_surrogate(
    place: Path, identity: IdentityMap
) -> None:
    """Without it no investigator could be shown whose record it was."""
    (written,) = identity.resolve([("mrn", "M-1")])
    ((_, _, surrogate, sealed),) = rows(place)
    keys = KeyRing.load(place / "keys")
    opened = Sealer(keys, "identity-seal").open(sealed, CONTEXT + surrogate)

    assert parse_surrogate(written) == surrogate
    assert b'"M-1"' in opened
    check_opening(surrogate, opened[:32], opened[32:])


def test_the_files_hold_no_identifier(place: Path, identity: IdentityMap) -> None:
    """A stolen disk must not say who was treated."""
    identity.resolve([("mrn", CANARY)])

    for file in place.glob("identity*"):
        assert CANARY.encode() not in file.read_bytes()


def test_an_async_caller_gets_the_same(identity: IdentityMap) -> None:
    """The event loop's form must not be another map."""
    asked = [("mrn", "M-1"), ("ehr", "note-1")]

    assert asyncio.run(identity.resolve_async(asked)) == identity.resolve(asked)


def test_the_cache_answers_only_what_it_met(
    identity: IdentityMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A surrogate from the cache must be the durable one, also after it was emptied."""
    monkeypatch.setattr(module, "CACHE_SUBJECTS", 0)
    (first,) = identity.resolve([("mrn", "1")])
    known = identity.cached(("mrn", "1"))
    unknown = identity.cached(("mrn", "2"))
    identity.resolve([("mrn", str(n)) for n in (2, 3, 4)])

    assert (known, unknown) == (first, None)
    assert identity.cached(("mrn", "1")) is None
    assert identity.resolve([("mrn", "1")]) == (first,)


@pytest.mark.parametrize("identifier", ["", "x" * 129, "a\nb", "a\ud800", 7, None])
def test_what_is_no_identifier_is_refused_without_showing_it(
    identity: IdentityMap, place: Path, identifier: Any
) -> None:
    """A free text in the place of an identifier must not be kept, nor be shown."""
    with pytest.raises(InputError, match=r"^records: ") as caught:
        identity.resolve([("mrn", identifier)])

    assert caught.value.__cause__ is None
    assert rows(place) == []


def test_surrogates_without_a_row_are_found(identity: IdentityMap) -> None:
    """A leaf that names nobody is a defect that `verify` must see."""
    (known,) = identity.resolve([("mrn", "1")])

    assert identity.missing([known, "A" * 43]) == ["A" * 43]


def test_a_lost_map_is_not_made_anew(tmp_path: Path) -> None:
    """With an empty map every known patient would become a new one."""
    KeyRing.create(tmp_path / "keys", created_at="2026-11-21T12:00:00.000Z")

    with pytest.raises(ConfigError, match=r"there is no .*identity"):
        open_map(tmp_path)

    assert not (tmp_path / "identity.db").exists()


def test_a_map_whose_lock_cannot_be_made_closes_its_file(place: Path) -> None:
    """A failed opening must leave no connection behind."""
    (place / "identity.lock").mkdir()

    with pytest.raises(StorageError, match="lock file"):
        open_map(place)


def test_a_closed_map_refuses(place: Path) -> None:
    """After the end no surrogate may be given out that is not durable."""
    opened = open_map(place)
    opened.close()

    with pytest.raises(StorageError, match="the identity map is closed"):
        opened.resolve([("mrn", "1")])


def test_an_unreadable_map_is_a_storage_error(place: Path) -> None:
    """The operator has to act; the caller may retry."""
    opened = open_map(place)
    database = sqlite3.connect(place / "identity.db")
    database.execute("DROP TABLE subject")
    database.close()

    with pytest.raises(StorageError, match="the identity map: SQLITE_ERROR"):
        opened.missing(["A" * 43])
    with pytest.raises(StorageError, match="the identity map: SQLITE_ERROR"):
        opened.resolve([("mrn", CANARY)])
    opened.close()


RACER = """
import sys
from pathlib import Path
from tests.identity.test_map import open_map
opened = open_map(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for n in range(60):
    print(*opened.resolve([("mrn", str(n))]), flush=True)
opened.close()
"""


def test_processes_that_race_for_a_subject_agree(place: Path) -> None:
    """Two workers meet the same new patient at once: one row, one surrogate."""
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(place)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for _ in range(2)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    said = [racer.communicate()[0].split() for racer in racers]

    assert said[0] == said[1]
    assert len(set(said[0])) == 60
    assert len(rows(place)) == 60
