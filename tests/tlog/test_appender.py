"""Entries get their places in the order of arrival, once, and a promise that covers them."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.tlog.small_log import KEYS, entries, entry, open_appender

from phitrail.errors import ConflictError, IntegrityError
from phitrail.tlog.appender import Appender
from phitrail.tlog.checkpoint import open_checkpoint
from phitrail.tlog.journal import Head, Journal
from phitrail.tlog.merkle import tree_root


@pytest.fixture
def appender(tmp_path: Path) -> Iterator[Appender]:
    """Give an open appender over a new journal."""
    opened = open_appender(tmp_path)
    yield opened
    opened.close()


def head(directory: Path, log: str = "audit") -> Head:
    """Read the head that stands on the disk."""
    journal = Journal.open(directory / "journal.db", read_only=True)
    try:
        return journal.head(log)
    finally:
        journal.close()


def test_indexes_follow_the_order_of_arrival(appender: Appender) -> None:
    """A gap or a permutation would make the tree another one."""
    places = [appender.append(entries(n, n + 3)).positions for n in (0, 3, 6)]

    assert [[p.index for p in item] for item in places] == [
        [0, 1, 2],
        [3, 4, 5],
        [6, 7, 8],
    ]


def test_the_promise_is_the_root_at_the_commit(appender: Appender) -> None:
    """Whoever holds it can convict a log that drops the entry."""
    batch = entries(0, 5)
    promised = appender.append(batch).promises["audit"]
    key = KEYS["audit"].promise.vkey
    seen = open_checkpoint(promised, [key], origin="t/audit")

    assert (seen.size, seen.root) == (5, tree_root([e.leaf_hash for e in batch]))


def test_logs_are_counted_apart_and_kept_together(
    appender: Appender, tmp_path: Path
) -> None:
    """An item over two logs is one transaction, with a promise for each."""
    done = appender.append((*entries(0, 2), entry(9, log="quality")))

    assert [(p.log, p.index) for p in done.positions] == [
        ("audit", 0),
        ("audit", 1),
        ("quality", 0),
    ]
    assert set(done.promises) == {"audit", "quality"}
    assert (head(tmp_path).size, head(tmp_path, "quality").size) == (2, 1)


def test_a_retry_gets_its_first_place_and_adds_nothing(
    appender: Appender, tmp_path: Path
) -> None:
    """The same key twice would be the same access twice."""
    first = appender.append(entries(0, 3))
    again = appender.append(entries(0, 3))

    assert first.positions == again.positions
    assert head(tmp_path).size == 3


def test_a_part_of_an_item_that_is_known_keeps_its_place(appender: Appender) -> None:
    """Known and new entries may come together after a crash between two callers."""
    appender.append(entries(0, 2))
    mixed = appender.append(entries(1, 4))

    assert [p.index for p in mixed.positions] == [1, 2, 3]


def test_one_item_may_repeat_its_own_key(appender: Appender) -> None:
    """The second is a retry of the first, within one commit as well."""
    done = appender.append((entry(1), entry(1)))

    assert [p.index for p in done.positions] == [0, 0]


def test_a_conflict_keeps_its_whole_item_out(
    appender: Appender, tmp_path: Path
) -> None:
    """Half an item would be an access without its closing."""
    appender.append((entry(1),))
    with pytest.raises(
        ConflictError, match=r"00000000-0000-.*stands at audit 0"
    ) as bad:
        appender.append((entry(7), entry(1, content=1)))

    assert bad.value.event_id == "00000000-0000-0000-0000-000000000001"
    assert head(tmp_path).size == 1
    assert appender.append((entry(7),)).positions[0].index == 1


def test_parts_of_one_event_are_keys_of_their_own(appender: Appender) -> None:
    """Exactly once is by event id and part."""
    done = appender.append((entry(1), entry(1, part=1)))

    assert [p.index for p in done.positions] == [0, 1]


def test_another_appender_of_the_same_journal_goes_on_from_its_head(
    tmp_path: Path,
) -> None:
    """Two processes append in turns: each must see what the other did."""
    one, other = open_appender(tmp_path), open_appender(tmp_path)
    places = [
        appender.append((entry(number),)).positions[0].index
        for number, appender in enumerate((one, other, other, one, other))
    ]
    one.close()
    other.close()

    assert places == [0, 1, 2, 3, 4]


def test_a_damaged_head_stops_the_appender(appender: Appender, tmp_path: Path) -> None:
    """Appending to a wrong edge would make a root that nobody can prove."""
    appender.append((entry(0), entry(1), entry(2)))
    database = sqlite3.connect(tmp_path / "journal.db")
    database.execute("UPDATE log SET root = zeroblob(32)")
    database.commit()
    database.close()

    for number in (3, 4):  # whoever comes later is told the same
        with pytest.raises(IntegrityError, match="do not append"):
            appender.append((entry(number),))
