"""The journal gives back what was stored, and never a second checkpoint of one size."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.tlog.small_log import KEYS, SEALER, entries, entry, open_appender

from phitrail.durable.database import transaction
from phitrail.errors import ConfigError, IntegrityError, StorageError
from phitrail.tlog.journal import Journal
from phitrail.tlog.layout import segment_context
from phitrail.tlog.publisher import read_segments


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Give a journal with two commits: three entries, then two; and one of quality."""
    appender = open_appender(tmp_path)
    appender.append(entries(0, 3))
    appender.append((*entries(3, 5), entry(9, log="quality")))
    appender.close()
    opened = Journal.open(tmp_path / "journal.db")
    yield opened
    opened.close()


def test_a_log_that_is_not_there_is_empty(journal: Journal) -> None:
    """Its first commit starts from the empty tree."""
    head = journal.head("security")

    assert (head.size, head.promise) == (0, b"")


def test_a_known_head_is_given_back_as_long_as_it_stands(journal: Journal) -> None:
    """Reading the edge anew for every commit costs time; a moved one must be read."""
    head = journal.head("audit")
    other = journal.head("quality")

    assert journal.head("audit", head) is head
    assert journal.head("audit", other).root == head.root


@pytest.mark.parametrize(
    "change", ["edge = zeroblob(64)", "edge = zeroblob(1)", "root = zeroblob(32)"]
)
def test_an_edge_that_does_not_give_its_root_is_refused(
    journal: Journal, change: str
) -> None:
    """Going on from it would fork."""
    journal.database.execute(f"UPDATE log SET {change} WHERE name = 'audit'")

    with pytest.raises(IntegrityError):
        journal.head("audit")


def test_events_are_found_by_key_and_by_range(journal: Journal) -> None:
    """Exactly once and `log prove` both rest on this table."""
    keys = [entry(n).key for n in (4, 0, 77)]
    found = journal.find_events(keys)
    between = journal.events_between(entry(1).key, entry(3).key)

    assert {key: stored.index for key, stored in found.items()} == {
        keys[0]: 4,
        keys[1]: 0,
    }
    assert found[keys[0]].leaf_hash == entry(4).leaf_hash
    assert found[keys[0]].mac == entry(4).mac
    assert [stored.index for stored in between] == [1, 2, 3]
    assert journal.find_events([]) == {}
    assert (journal.count_events("audit"), journal.count_events("none")) == (5, 0)


def test_segments_are_those_that_touch_a_range(journal: Journal) -> None:
    """A missing segment is a missing entry, a needless one is time."""
    ranges = [(0, 5), (0, 3), (2, 4), (3, 5), (5, 9)]
    firsts = [[s.first for s in journal.segments("audit", *r)] for r in ranges]

    assert firsts == [[0, 3], [0], [0, 3], [3], []]


def test_only_segments_wholly_before_an_index_are_dropped(journal: Journal) -> None:
    """What is not yet in a full bundle must stay."""
    journal.drop_segments("audit", 4)

    assert [s.first for s in journal.segments("audit", 0, 5)] == [3]
    assert [s.first for s in journal.segments("quality", 0, 5)] == [0]


def test_a_range_of_entries_reads_back(journal: Journal) -> None:
    """Ranges begin and end within commits."""
    for start in range(6):
        for end in range(start, 6):
            read = list(
                read_segments(journal, "audit", KEYS["audit"], start=start, end=end)
            )

            assert read == [e.leaf for e in entries(start, end)]


def test_a_lost_segment_is_named(journal: Journal) -> None:
    """The operator must know which entries to restore."""
    journal.database.execute("DELETE FROM segment WHERE first = 0")

    with pytest.raises(IntegrityError, match=r"audit lacks entry 0.*archive"):
        list(read_segments(journal, "audit", KEYS["audit"], start=0, end=5))
    with pytest.raises(IntegrityError, match="lacks entry 5"):
        list(read_segments(journal, "audit", KEYS["audit"], start=4, end=6))


def test_a_segment_in_anothers_place_is_refused(journal: Journal) -> None:
    """Reordered commits must not read as if they stood where they were put."""
    moved = SEALER.seal(b"\x00\x01a", segment_context("t/audit", 99))
    journal.database.execute("UPDATE segment SET sealed = ? WHERE first = 0", (moved,))

    with pytest.raises(IntegrityError):
        list(read_segments(journal, "audit", KEYS["audit"], start=0, end=1))


def test_checkpoints_are_kept_one_for_a_size(journal: Journal) -> None:
    """Two notes of one size are a fork."""
    assert journal.newest_checkpoint("audit") is None
    for size in (2, 5, 3):
        journal.insert_checkpoint("audit", size, b"note %d" % size)
    with pytest.raises(StorageError), transaction(journal.database):
        journal.insert_checkpoint("audit", 3, b"another")

    assert journal.newest_checkpoint("audit") == (5, b"note 5")
    assert [size for size, _ in journal.checkpoints("audit")] == [2, 3, 5]
    assert [s for s, _ in journal.newest_checkpoints("audit", 2)] == [5, 3]
    assert journal.checkpoints_between("audit", 2, 5) == [
        (3, b"note 3"),
        (5, b"note 5"),
    ]
    assert list(journal.checkpoints("quality")) == []


def test_an_existing_journal_is_opened_and_none_is_made(tmp_path: Path) -> None:
    """A lost journal must not come back empty."""
    with pytest.raises(ConfigError, match=r"journal\.db"):
        Journal.open(tmp_path / "journal.db")


def test_reading_a_broken_table_is_a_storage_error(journal: Journal) -> None:
    """Outside of a transaction and inside of one."""
    journal.database.execute("DROP TABLE log")

    with pytest.raises(StorageError, match="the journal"):
        journal.head("audit")
    with pytest.raises(StorageError), transaction(journal.database):
        journal.head("audit")


def test_folding_leaves_nothing_unread(journal: Journal, tmp_path: Path) -> None:
    """What was folded must be in the database file itself."""
    journal.fold()
    place = f"{(tmp_path / 'journal.db').as_uri()}?immutable=1"
    database = sqlite3.connect(place, uri=True)
    (count,) = database.execute("SELECT count(*) FROM event").fetchone()
    database.close()

    assert count == 6
