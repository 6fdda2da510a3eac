"""Rounds of a publisher: what is written, what goes, what is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.tlog.small_log import KEYS, SEALER, entries, open_appender
from tests.tlog.trees import lay_out

from phitrail.durable.files import DurableFiles
from phitrail.errors import IntegrityError
from phitrail.tlog import publisher as module
from phitrail.tlog.appender import Appender
from phitrail.tlog.checkpoint import Checkpoint, open_checkpoint
from phitrail.tlog.hashing import Hash
from phitrail.tlog.journal import Journal
from phitrail.tlog.layout import bundle_context, sealed_bundle
from phitrail.tlog.merkle import tree_root
from phitrail.tlog.note import sign_note
from phitrail.tlog.publisher import Publisher
from phitrail.tlog.tile import split_bundle


@pytest.fixture
def appender(tmp_path: Path) -> Iterator[Appender]:
    """Give an appender over a new journal."""
    (tmp_path / "outside").mkdir()
    opened = open_appender(tmp_path)
    yield opened
    opened.close()


def open_publisher(directory: Path) -> Publisher:
    """Open a publisher that starts from the disk."""
    journal = Journal.open(directory / "journal.db")
    return Publisher(journal, DurableFiles(directory), KEYS, directory / "outside")


@pytest.fixture
def publisher(
    appender: Appender,  # noqa: ARG001 - makes the journal
    tmp_path: Path,
) -> Iterator[Publisher]:
    """Give a publisher of the appender's journal."""
    opened = open_publisher(tmp_path)
    yield opened
    opened.close()


def public(directory: Path) -> dict[str, bytes]:
    """Read the public tiles of the audit log."""
    top = directory / "public/audit"
    return {
        str(place.relative_to(top)): place.read_bytes()
        for place in (top / "tile").rglob("*")
        if place.is_file()
    }


def bundles(directory: Path) -> list[str]:
    """List the sealed bundles of the audit log."""
    top = directory / "state/bundles/audit/tile/entries"
    return sorted(str(p.relative_to(top)) for p in top.rglob("*") if p.is_file())


def tiles_of(size: int) -> dict[str, bytes]:
    """Give the tiles of a log by the definition."""
    laid = lay_out([e.leaf for e in entries(0, size)])
    return {path: data for path, data in laid.items() if "entries" not in path}


@pytest.mark.parametrize("chunk", [256, 300, 16_384])
def test_a_round_writes_the_tiles_of_the_definition(
    appender: Appender,
    publisher: Publisher,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    chunk: int,
) -> None:
    """Any tlog-tiles reader must find what it computes, however the work was cut."""
    monkeypatch.setattr(module, "CHUNK_ENTRIES", chunk)
    appender.append(entries(0, 1000))
    made = publisher.publish()
    note = (tmp_path / "public/audit/checkpoint").read_bytes()

    assert public(tmp_path) == tiles_of(1000)
    assert open_checkpoint(note, [KEYS["audit"].checkpoint.vkey]) == made["audit"]
    assert made["audit"].root == tree_root([e.leaf_hash for e in entries(0, 1000)])
    assert bundles(tmp_path) == ["000", "001", "002", "003.p/232"]


def test_a_bundle_opens_to_its_entries_in_its_place_alone(
    appender: Appender, publisher: Publisher, tmp_path: Path
) -> None:
    """It is the only copy once the journal has dropped its segments."""
    appender.append(entries(0, 300))
    publisher.publish()
    sealed = (tmp_path / sealed_bundle("audit", 0)).read_bytes()
    opened = SEALER.open(sealed, bundle_context("t/audit", 0, 256))

    assert split_bundle(opened, 256) == [e.leaf for e in entries(0, 256)]
    with pytest.raises(IntegrityError):
        SEALER.open(sealed, bundle_context("t/audit", 1, 256))


def test_a_round_without_news_writes_nothing(
    appender: Appender, publisher: Publisher
) -> None:
    """An idle log must not grow checkpoints."""
    appender.append(entries(0, 3))

    assert set(publisher.publish()) == {"audit"}
    assert publisher.publish() == {}


def test_tiles_of_earlier_checkpoints_stand_until_the_full_one_does(
    appender: Appender, publisher: Publisher, tmp_path: Path
) -> None:
    """A reader of an older checkpoint must find its tiles, one round longer."""
    seen = []
    for start, end in ((0, 100), (100, 200), (200, 300), (300, 301)):
        appender.append(entries(start, end))
        publisher.publish()
        seen.append(sorted(path for path in public(tmp_path) if "tile/0/000" in path))

    assert seen == [
        ["tile/0/000.p/100"],
        ["tile/0/000.p/100", "tile/0/000.p/200"],
        ["tile/0/000", "tile/0/000.p/100", "tile/0/000.p/200"],
        ["tile/0/000"],
    ]
    assert bundles(tmp_path) == ["000", "001.p/44", "001.p/45"]
    publisher.publish()
    appender.append(entries(301, 302))
    publisher.publish()
    assert bundles(tmp_path) == ["000", "001.p/45", "001.p/46"]


def test_the_journal_keeps_what_no_full_bundle_holds(
    appender: Appender, publisher: Publisher, tmp_path: Path
) -> None:
    """Segments go with their bundle, and never before it."""
    for start in range(0, 300, 50):
        appender.append(entries(start, start + 50))
    publisher.publish()
    journal = Journal.open(tmp_path / "journal.db", read_only=True)
    firsts = [segment.first for segment in journal.segments("audit", 0, 300)]
    journal.close()

    assert firsts == [250]


def test_a_publisher_that_starts_anew_goes_on(
    appender: Appender, publisher: Publisher, tmp_path: Path
) -> None:
    """A restart between any two rounds must not show."""
    for start, end in ((0, 300), (300, 511), (511, 512), (512, 700)):
        appender.append(entries(start, end))
        fresh = open_publisher(tmp_path)
        fresh.publish()
        fresh.fold()
        fresh.close()

        assert tiles_of(end).items() <= public(tmp_path).items()
    publisher.publish()


def test_a_second_publisher_under_our_lease_is_noticed(
    appender: Appender, publisher: Publisher, tmp_path: Path
) -> None:
    """Two that sign from different memories could sign two histories."""
    appender.append(entries(0, 3))
    publisher.publish()
    other = open_publisher(tmp_path)
    appender.append(entries(3, 5))
    other.publish()
    other.close()
    appender.append(entries(5, 9))

    with pytest.raises(IntegrityError, match="another process published audit"):
        publisher.publish()


def test_a_journal_that_shrank_is_refused(
    appender: Appender, publisher: Publisher, tmp_path: Path
) -> None:
    """Signing a smaller log under a running publisher would fork."""
    appender.append(entries(0, 3))
    publisher.publish()
    journal = Journal.open(tmp_path / "journal.db")
    journal.database.execute("DELETE FROM log")
    journal.close()

    with pytest.raises(IntegrityError, match=r"has 0 entries, 3 were published"):
        publisher.publish()


def test_an_entry_that_was_exchanged_is_not_signed(
    appender: Appender, publisher: Publisher, tmp_path: Path
) -> None:
    """The tiles must give the root that the journal promised."""
    appender.append(entries(0, 1))
    journal = Journal.open(tmp_path / "journal.db")
    forged = SEALER.seal(b"\x00\x06forged", b"phitrail/segment/v1|t/audit|0")
    journal.database.execute("UPDATE segment SET sealed = ?", (forged,))
    journal.close()

    with pytest.raises(IntegrityError, match="do not give the root of the journal"):
        publisher.publish()
    assert not (tmp_path / "public/audit/checkpoint").exists()


def test_a_kept_checkpoint_of_another_log_is_refused(
    appender: Appender, tmp_path: Path
) -> None:
    """A row moved to another size must not be believed."""
    appender.append(entries(0, 3))
    fresh = open_publisher(tmp_path)
    fresh.publish()
    fresh.close()
    journal = Journal.open(tmp_path / "journal.db")
    journal.database.execute("UPDATE checkpoint SET size = 2")
    journal.close()
    fresh = open_publisher(tmp_path)

    with pytest.raises(IntegrityError):
        fresh.publish()
    (tmp_path / "public/audit/checkpoint").unlink()
    with pytest.raises(IntegrityError, match="is another log's"):
        fresh.publish()
    fresh.close()


def test_what_came_back_from_outside_is_asked_before_signing(
    appender: Appender, publisher: Publisher, tmp_path: Path
) -> None:
    """An honest log goes on; one that was cut is not signed."""
    keys = KEYS["audit"]
    promised = appender.append(entries(0, 3)).promises["audit"]
    (tmp_path / "outside/promise").write_bytes(promised)
    publisher.publish()
    body = Checkpoint(keys.origin, 99, promised_root(promised)).body()
    (tmp_path / "outside/officer").write_bytes(sign_note(body, [keys.checkpoint]))
    appender.append(entries(3, 5))

    with pytest.raises(IntegrityError, match=r"officer.*had 99 entries .* has 5 here"):
        publisher.publish()


def promised_root(note: bytes) -> Hash:
    """Read the root of a promise."""
    key = KEYS["audit"].promise.vkey
    return open_checkpoint(note, [key], origin="t/audit").root


def test_a_missing_tile_at_the_edge_is_named(
    appender: Appender, publisher: Publisher, tmp_path: Path
) -> None:
    """The operator must know which file to restore."""
    appender.append(entries(0, 3))
    publisher.publish()
    (tmp_path / "public/audit/tile/0/000.p/3").unlink()
    fresh = open_publisher(tmp_path)

    with pytest.raises(IntegrityError, match=r"tile/0/000\.p/3 is missing.*archive"):
        fresh.publish()
    fresh.close()


def test_a_lost_public_checkpoint_comes_back(
    appender: Appender, publisher: Publisher, tmp_path: Path
) -> None:
    """It is a copy of the newest one that the journal keeps."""
    appender.append(entries(0, 3))
    publisher.publish()
    place = tmp_path / "public/audit/checkpoint"
    note = place.read_bytes()
    place.unlink()
    fresh = open_publisher(tmp_path)
    made = fresh.publish()
    fresh.close()

    assert made == {}
    assert place.read_bytes() == note


def test_unfinished_tiles_above_the_leaves_go_as_well(
    appender: Appender, publisher: Publisher, tmp_path: Path
) -> None:
    """Every level has its partial tiles; none may stay for ever."""
    seen = []
    for start, end in ((0, 65_500), (65_500, 65_600), (65_600, 65_601)):
        appender.append(entries(start, end))
        publisher.publish()
        seen.append(sorted(path for path in public(tmp_path) if "tile/1/000" in path))

    assert seen == [
        ["tile/1/000.p/255"],
        ["tile/1/000", "tile/1/000.p/255"],
        ["tile/1/000"],
    ]
