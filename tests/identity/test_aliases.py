"""Whose number it is can be asked, and nothing else can be learnt from the file."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.faults.steps import Fault, Kind, faulty_connect
from tests.identity.test_map import map_keys, open_map

from phitrail.errors import ConfigError, PhitrailError, StorageError
from phitrail.events.codes import IdentifierClass
from phitrail.identity import aliases as module
from phitrail.identity.aliases import (
    MOST_BEARERS,
    Alias,
    Aliases,
    count_damaged_aliases,
)
from phitrail.identity.map import IdentityMap, create_identity_map
from phitrail.keys.mac import Mac
from phitrail.keys.ring import KeyRing
from phitrail.keys.sealing import Sealer

SSN, PHONE, MRN = IdentifierClass.SSN, IdentifierClass.PHONE, IdentifierClass.MRN
ANNE, BERT, CARL = ("mrn", "M-1001"), ("mrn", "M-2002"), ("mrn", "M-3003")
CANARY = "901-44-8123"


def open_aliases(
    place: Path, identity: IdentityMap, tenant: str = "clinic.example", **more: Any
) -> Aliases:
    """Open the aliases of a directory, with the keys beside it."""
    keys = KeyRing.load(place / "keys")
    return Aliases(
        place / "identity.db",
        tenant=tenant,
        identity=identity,
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
    with closing(open_map(place)) as opened:
        yield opened


@pytest.fixture
def aliases(place: Path, identity: IdentityMap) -> Iterator[Aliases]:
    """Give open aliases."""
    with closing(open_aliases(place, identity)) as opened:
        yield opened


def rows(place: Path) -> list[tuple[bytes, int, bytes, bytes]]:
    """Read the rows of the table."""
    with closing(sqlite3.connect(place / "identity.db")) as database:
        return database.execute("SELECT * FROM alias").fetchall()


def damaged(place: Path) -> int:
    """Count damaged rows as a deep verification does."""
    keys = KeyRing.load(place / "keys")
    with closing(sqlite3.connect(place / "identity.db")) as database:
        return count_damaged_aliases(
            database,
            index=Mac(keys, "identity-index").digest_under,
            seal=Sealer(keys, "identity-seal"),
        )


def test_an_identifier_is_another_patients_unless_it_is_borne_here(
    aliases: Aliases,
) -> None:
    """The wrong patient's number in an answer must be told from the right one's."""
    aliases.remember([Alias(ANNE, SSN, CANARY)])

    assert aliases.is_other_patient(SSN, "901 448 123", [BERT])
    assert aliases.is_other_patient(SSN, CANARY, [])
    assert not aliases.is_other_patient(SSN, CANARY, [ANNE])
    assert not aliases.is_other_patient(SSN, CANARY, [BERT, ANNE])


def test_what_nobody_bears_is_nobodys(aliases: Aliases) -> None:
    """A stranger's number is unexpected, not a patient's of ours."""
    aliases.remember([Alias(ANNE, SSN, CANARY)])

    assert not aliases.is_other_patient(SSN, "901-44-8124", [BERT])
    assert not aliases.is_other_patient(PHONE, CANARY, [BERT])
    assert not aliases.is_other_patient(IdentifierClass.NAME, CANARY, [BERT])


def test_what_a_household_shares_is_each_ones_own(aliases: Aliases) -> None:
    """A mother's answer would be blocked for the phone that her child has too."""
    aliases.remember([Alias(ANNE, PHONE, "907-555-0142")])
    aliases.remember([Alias(BERT, PHONE, "(907) 555 0142")])

    assert not aliases.is_other_patient(PHONE, "907-555-0142", [ANNE])
    assert not aliases.is_other_patient(PHONE, "907-555-0142", [BERT])
    assert aliases.is_other_patient(PHONE, "907-555-0142", [CARL])


def test_what_a_whole_ward_bears_names_nobody(aliases: Aliases) -> None:
    """The clinic's own number, given as everybody's phone, would block every answer."""
    for number in range(MOST_BEARERS + 1):
        aliases.remember([Alias(("mrn", f"W-{number}"), PHONE, "907-555-0100")])

    assert not aliases.is_other_patient(PHONE, "907-555-0100", [ANNE])


def test_names_are_never_kept(place: Path, aliases: Aliases) -> None:
    """Two people of one name would be each other's wrong patient."""
    aliases.remember(
        [
            Alias(ANNE, IdentifierClass.NAME, "Perpetua Vantongeren"),
            Alias(ANNE, SSN, "3344"),
        ]
    )

    assert rows(place) == []


def test_the_map_knows_patients_by_their_mrn(
    place: Path, identity: IdentityMap
) -> None:
    """Most patients come without further identifiers, and are recognised all the same."""
    identity.resolve([ANNE])
    with closing(open_aliases(place, identity, mrn_system="mrn")) as aliases:
        assert aliases.is_other_patient(MRN, "M-1001", [BERT])
        assert not aliases.is_other_patient(MRN, "M-1001", [ANNE])
        assert not aliases.is_other_patient(MRN, "M-9999", [BERT])
        assert not aliases.is_other_patient(MRN, "M\n" * 400, [BERT])
    with closing(open_aliases(place, identity)) as aliases:
        assert not aliases.is_other_patient(MRN, "M-1001", [BERT])


def test_aliases_outlive_the_process_and_are_kept_once(
    place: Path, identity: IdentityMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart that forgot them would let other patients' numbers through."""
    monkeypatch.setattr(module, "KNOWN_ROWS", 0)
    for _ in range(2):
        with closing(open_aliases(place, identity)) as opened:
            for _ in range(2):
                opened.remember([Alias(ANNE, SSN, CANARY), Alias(ANNE, SSN, CANARY)])
    with closing(open_aliases(place, identity)) as opened:
        assert opened.is_other_patient(SSN, CANARY, [BERT])
    assert len(rows(place)) == 1


def test_tenants_are_kept_apart(place: Path, identity: IdentityMap) -> None:
    """One tenant's patients are nobody to another's."""
    with closing(open_aliases(place, identity)) as here:
        here.remember([Alias(ANNE, SSN, CANARY)])
    with closing(open_aliases(place, identity, "other.example")) as there:
        assert not there.is_other_patient(SSN, CANARY, [BERT])


def test_the_file_and_what_is_printed_show_nothing(
    place: Path, identity: IdentityMap, aliases: Aliases
) -> None:
    """Whoever copies the map without keys must learn nobody's SSN."""
    alias = Alias(("mrn", "Canary-7788"), SSN, CANARY)
    aliases.remember([alias])
    aliases.close()
    identity.close()
    held = b"".join(file.read_bytes() for file in place.rglob("*") if file.is_file())

    for value in (CANARY, CANARY.replace("-", ""), "Canary-7788"):
        assert value.encode() not in held
        assert value not in repr(alias)


def test_it_is_the_same_on_an_event_loop(place: Path, aliases: Aliases) -> None:
    """Async applications rely on the same order: durable, then used."""

    async def scenario() -> None:
        await aliases.remember_async([Alias(ANNE, SSN, CANARY)])
        await aliases.remember_async([Alias(ANNE, SSN, CANARY)])

    asyncio.run(scenario())

    assert aliases.is_other_patient(SSN, CANARY, [BERT])
    assert len(rows(place)) == 1


def test_a_row_that_was_altered_is_counted(place: Path, aliases: Aliases) -> None:
    """Somebody who moves a row hides whose number was shown."""
    assert damaged(place) == 0
    aliases.remember([Alias(ANNE, SSN, CANARY), Alias(BERT, SSN, "901-55-0001")])
    assert damaged(place) == 0
    changes = [
        ("UPDATE alias SET sealed = x'00' WHERE blind = ?", 1),
        ("UPDATE alias SET surrogate = 'text' WHERE blind = ?", 2),
    ]
    for (blind, *_), (change, count) in zip(rows(place), changes, strict=True):
        with closing(sqlite3.connect(place / "identity.db")) as database:
            database.execute(change, (blind,))
            database.commit()

        assert damaged(place) == count


def test_a_map_without_aliases_has_no_damaged_ones(place: Path) -> None:
    """A trail from before the guard verifies as it did."""
    assert damaged(place) == 0


def test_a_lost_map_is_not_made_anew(place: Path, identity: IdentityMap) -> None:
    """An empty map in the place of a lost one would know no other patient."""
    identity.close()
    (place / "identity.db").unlink()

    with pytest.raises(ConfigError):
        open_aliases(place, identity)


@pytest.mark.parametrize("statement", ["DROP TABLE alias", "DROP TABLE subject"])
def test_a_table_that_is_gone_is_an_error(
    place: Path, aliases: Aliases, statement: str
) -> None:
    """A look-up that cannot be made must not answer that nobody bears it."""
    aliases.remember([Alias(ANNE, SSN, CANARY)])
    with closing(sqlite3.connect(place / "identity.db")) as database:
        database.execute(statement)

    with pytest.raises(StorageError) as raised:
        aliases.is_other_patient(SSN, CANARY, [BERT])
    with pytest.raises(StorageError):
        aliases.remember([Alias(CARL, SSN, "901-55-0009")])
    assert CANARY not in repr(raised.value)


@pytest.mark.parametrize("kind", Kind)
def test_a_fault_at_any_step_leaves_before_or_after(
    place: Path, identity: IdentityMap, kind: Kind
) -> None:
    """An alias that was acknowledged and is gone would let a wrong patient through."""
    for at in range(100):
        fault = Fault(kind, at)
        alias = Alias(ANNE, SSN, f"901-44-{at:04}")
        try:
            with closing(
                open_aliases(place, identity, connect=faulty_connect(fault))
            ) as opened:
                opened.remember([alias])
                is_kept = True
        except PhitrailError:
            is_kept = False
        if not fault.was_reached:
            break
        with closing(open_aliases(place, identity)) as opened:
            assert damaged(place) == 0
            if is_kept:
                assert opened.is_other_patient(SSN, alias.value, [BERT])
    else:
        pytest.fail("the faults never came to an end")
