"""Reading gives entries as they were hashed, from wherever they stand, or refuses."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.tlog.small_log import KEYS, entries, entry, open_appender

from phitrail.durable.files import DurableFiles
from phitrail.errors import InputError, IntegrityError, UnverifiableError
from phitrail.tlog.appender import Appender
from phitrail.tlog.checkpoint import Checkpoint
from phitrail.tlog.journal import Journal
from phitrail.tlog.layout import public_tile, sealed_bundle
from phitrail.tlog.merkle import tree_root
from phitrail.tlog.promised import find_break, find_unkept
from phitrail.tlog.proof import verify_inclusion
from phitrail.tlog.publisher import Publisher
from phitrail.tlog.reader import LogReader, find_event
from phitrail.tlog.receipt import Position


class Log:
    """A small log with everything that reads and writes it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.appender: Appender = open_appender(directory)
        self.publisher = Publisher(
            Journal.open(directory / "journal.db"),
            DurableFiles(directory),
            KEYS,
            directory / "outside",
        )
        self.journal = Journal.open(directory / "journal.db", read_only=True)
        self.reader = LogReader(
            "audit", self.journal, DurableFiles(directory), KEYS["audit"]
        )

    def add(self, start: int, end: int) -> None:
        """Append entries, fifty to a commit."""
        for first in range(start, end, 50):
            self.appender.append(entries(first, min(first + 50, end)))

    def close(self) -> None:
        """Close everything."""
        self.publisher.close()
        self.reader.close()
        self.appender.close()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """Give a log of 700 entries, 600 of them published."""
    made = Log(tmp_path)
    made.add(0, 600)
    made.publisher.publish()
    made.add(600, 700)
    yield made
    made.close()


@pytest.mark.parametrize(
    "span",
    [(0, 700), (0, 0), (700, 700), (255, 257), (511, 513), (600, 650), (30, 690)],
)
def test_a_range_reads_back_from_bundles_and_journal(
    log: Log, span: tuple[int, int]
) -> None:
    """Where an entry stands must not matter to who reads it."""
    assert list(log.reader.entries(*span)) == [e.leaf for e in entries(*span)]


@pytest.mark.parametrize("span", [(-1, 3), (0, 701), (5, 4)])
def test_a_range_outside_of_the_log_is_refused(log: Log, span: tuple[int, int]) -> None:
    """An empty answer would look like an empty log."""
    with pytest.raises(InputError, match="within the log of 700 entries"):
        list(log.reader.entries(*span))
    with pytest.raises(InputError):
        log.reader.entry(700)


@pytest.mark.parametrize("size", [1, 255, 256, 257, 599, 600, 601, 699, 700])
def test_what_is_durable_is_shown_whole(log: Log, size: int) -> None:
    """An entry is promised from its acknowledgement on, published or not."""
    hashes = [one.leaf_hash for one in entries(0, 700)]
    shown = log.reader.show_durable()
    promised = Checkpoint("t/audit", size, tree_root(hashes[:size]))
    acknowledged = Position("audit", size - 1, hashes[size - 1])
    exchanged = Position("audit", size - 1, hashes[size - 2])

    assert shown.head.size == 700
    assert find_break(promised, shown) is None
    assert find_unkept([acknowledged, exchanged], shown) == [exchanged]


def test_what_is_published_is_shown_under_its_checkpoint(log: Log) -> None:
    """An outsider is held to nothing that he cannot see."""
    shown = log.reader.show_published()

    assert shown is not None
    assert shown.head.size == 600
    assert shown.node(0, 599) == entry(599).leaf_hash
    with pytest.raises(InputError):
        shown.node(0, 600)


def test_before_the_first_checkpoint_nothing_is_published(tmp_path: Path) -> None:
    """A log that has just been founded is no broken one."""
    made = Log(tmp_path)
    made.add(0, 3)
    try:
        assert made.reader.show_published() is None
        assert made.reader.show_durable().head.size == 3
    finally:
        made.close()


def test_a_reader_outlives_rounds_of_the_publisher(log: Log) -> None:
    """What moves from the journal into bundles meanwhile must not be missed."""
    reading = log.reader.entries(0, 700)
    read = [next(reading) for _ in range(3)]
    log.add(700, 1100)
    log.publisher.publish()
    read += list(reading)

    assert read == [e.leaf for e in entries(0, 700)]


def test_entries_that_leave_the_journal_while_it_is_read_are_found(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The round may come between asking where they stand and reading them."""
    asked = log.reader._in_bundles()
    answers = iter([asked])
    log.add(700, 1100)
    log.publisher.publish()
    true = log.reader._in_bundles
    monkeypatch.setattr(
        log.reader, "_in_bundles", lambda: next(answers, None) or true()
    )

    assert list(log.reader.entries(520, 700)) == [e.leaf for e in entries(520, 700)]


def test_a_lost_entry_of_the_journal_is_named(log: Log) -> None:
    """Nobody may take a gap for an end."""
    writer = Journal.open(log.directory / "journal.db")
    writer.database.execute("DELETE FROM segment WHERE first = 550")
    writer.close()

    with pytest.raises(IntegrityError, match="lacks entry 550"):
        list(log.reader.entries(540, 700))


def test_an_altered_or_lost_bundle_or_tile_is_named(log: Log) -> None:
    """The operator must know which one to restore."""
    bundle = log.directory / sealed_bundle("audit", 0)
    tile = log.directory / public_tile("audit", 0, 1)
    other = log.directory / sealed_bundle("audit", 1)
    kept = other.read_bytes()
    other.write_bytes(bundle.read_bytes())
    with pytest.raises(IntegrityError):
        log.reader.entry(300)
    other.write_bytes(kept)
    data = bytearray(tile.read_bytes())
    data[7] ^= 1
    tile.write_bytes(data)
    with pytest.raises(IntegrityError, match=r"bundle 1 .*entries 256 to 511"):
        log.reader.entry(300)
    bundle.unlink()
    with pytest.raises(IntegrityError, match=r"bundle or tile 0 is missing.*archive"):
        log.reader.entry(3)


@pytest.mark.parametrize("index", [0, 255, 256, 511, 512, 599])
def test_a_proof_verifies_against_the_checkpoint(log: Log, index: int) -> None:
    """It is what an investigator is handed."""
    proven = log.reader.prove(index)
    root = tree_root([e.leaf_hash for e in entries(0, 600)])

    assert proven.leaf_hash == entry(index).leaf_hash
    assert (proven.checkpoint.size, proven.checkpoint.root) == (600, root)
    verify_inclusion(
        leaf=proven.leaf_hash,
        index=index,
        size=600,
        proof=proven.proof,
        root=root,
    )


def test_what_is_not_published_yet_cannot_be_proven(log: Log, tmp_path: Path) -> None:
    """The caller may try again in a second."""
    (tmp_path / "new").mkdir()
    fresh = Log(tmp_path / "new")
    fresh.add(0, 1)

    with pytest.raises(UnverifiableError, match="try again"):
        log.reader.prove(600)
    with pytest.raises(UnverifiableError, match="try again"):
        fresh.reader.prove(0)
    assert fresh.reader.published() is None
    fresh.close()


def test_a_proof_uses_the_full_tile_where_the_partial_one_is_gone(log: Log) -> None:
    """Partial tiles are removed once the full one stands."""
    published = log.reader.published()
    assert published is not None
    tile = log.directory / public_tile("audit", 0, 2, 88)
    full = tile.parent.parent / "002"
    full.write_bytes(tile.read_bytes() + bytes(32 * 168))
    tile.unlink()
    proven = log.reader.prove(599)
    full.unlink()

    assert proven.leaf_hash == entry(599).leaf_hash
    with pytest.raises(IntegrityError, match="tile 0/2 is missing"):
        log.reader.prove(598)


def test_an_event_is_found_by_its_id(log: Log) -> None:
    """`log prove` takes what a receipt names."""
    (place,) = find_event(log.journal, (601).to_bytes(16, "big"))

    assert (place.log, place.index, place.leaf_hash) == (
        "audit",
        601,
        entry(601).leaf_hash,
    )
    assert find_event(log.journal, b"\xff" * 16) == []
