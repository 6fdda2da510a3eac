"""The verdict on a foreign chain: what was changed, deleted or moved is named."""

import hashlib
import json
from typing import Any

import pytest
from tests.capture.history.forms import chained, hashed, seed, sha256_of

from phitrail.capture.history.chain import (
    BreakKind,
    ChainCheck,
    ChainFields,
    ChainReport,
    ChainVerdict,
)


def _report(entries: list[dict[str, Any]], *, must_have: bool = True) -> ChainReport:
    check = ChainCheck(ChainFields(), must_have=must_have)
    for number, entry in enumerate(entries, start=1):
        check.see(number, entry)
    return check.report()


@pytest.fixture
def chain() -> list[dict[str, Any]]:
    """Give a chain of six entries."""
    return chained([seed(n, confidence=0.1 * n, note="ü") for n in range(6)])


def test_a_whole_chain_is_intact(chain: list[dict[str, Any]]) -> None:
    """A sound history that is called broken discredits the import."""
    found = _report(chain)

    assert found.verdict is ChainVerdict.INTACT
    assert found.hashed_entries == 6
    assert (found.first_hash, found.last_hash) == (
        chain[0]["log_hash"],
        chain[5]["log_hash"],
    )


@pytest.mark.drill
@pytest.mark.parametrize("at", range(6))
def test_a_changed_entry_is_named(chain: list[dict[str, Any]], at: int) -> None:
    """An investigator must find the one entry, also where it is the first or last."""
    chain[at]["user_id"] = "mallory"
    found = _report(chain)

    assert found.verdict is ChainVerdict.BROKEN
    assert (found.broken_at, found.broken_by) == (at + 1, BreakKind.HASH)
    assert found.broken_entries == 1


@pytest.mark.drill
@pytest.mark.parametrize("at", range(5))
def test_a_changed_entry_with_a_new_hash_is_named_by_the_next(
    chain: list[dict[str, Any]], at: int
) -> None:
    """Who changes an entry can make its hash anew, but not the next one's link."""
    del chain[at]["log_hash"]
    chain[at]["user_id"] = "mallory"
    chain[at] = hashed(chain[at])
    found = _report(chain)

    assert (found.broken_at, found.broken_by) == (at + 2, BreakKind.LINK)


@pytest.mark.drill
@pytest.mark.parametrize("at", range(1, 5))
def test_a_deleted_entry_is_named_by_the_next(
    chain: list[dict[str, Any]], at: int
) -> None:
    """A deletion leaves no entry to name: the one behind the gap is named."""
    del chain[at]
    found = _report(chain)

    assert found.verdict is ChainVerdict.BROKEN
    assert (found.broken_at, found.broken_by) == (at + 1, BreakKind.LINK)


def test_a_missing_beginning_is_no_whole_chain(chain: list[dict[str, Any]]) -> None:
    """A file that starts late must not read as the whole history."""
    assert _report(chain[2:]).verdict is ChainVerdict.PARTIAL


def test_two_exchanged_entries_break_the_chain(chain: list[dict[str, Any]]) -> None:
    """An order that was changed changes who saw what first."""
    chain[2], chain[3] = chain[3], chain[2]

    assert _report(chain).broken_at == 3


def test_entries_with_a_hash_alone_are_checked_one_by_one() -> None:
    """One seed form has a hash an entry and no link: nobody may call that a chain."""
    entries = [hashed(seed(n)) for n in range(3)]
    whole = _report(entries)
    entries[1]["action"] = "export"
    broken = _report(entries)

    assert whole.verdict is ChainVerdict.ENTRIES_INTACT
    assert (broken.broken_at, broken.broken_by) == (2, BreakKind.HASH)


def test_a_hash_without_the_previous_one_is_understood() -> None:
    """The commonest variant hashes the entry and adds the link afterwards."""
    entries, previous = [], None
    for number in range(4):
        entry = seed(number)
        own = sha256_of(entry)
        entries.append({**entry, "prev_hash": previous, "log_hash": own})
        previous = own
    found = _report(entries)
    del entries[1]

    assert (found.verdict, found.rule) == (
        ChainVerdict.INTACT,
        "json-dumps-sorted-without-prev",
    )
    assert _report(entries).broken_at == 2


def test_the_previous_hash_in_front_is_understood() -> None:
    """Another common variant hashes the text of both."""
    entries, previous = [], "0" * 64
    for number in range(3):
        entry = seed(number)
        text = previous + json.dumps(entry, sort_keys=True)
        own = hashlib.sha256(text.encode()).hexdigest()
        entries.append({**entry, "prev_hash": previous, "log_hash": own})
        previous = own

    assert _report(entries).rule == "prev-then-json-dumps-sorted"


def test_hashes_of_an_unknown_kind_are_no_accusation() -> None:
    """A rule that we do not know is not a manipulation."""
    entries = [{**seed(n), "log_hash": f"{n:064x}"} for n in range(1, 4)]

    assert _report(entries).verdict is ChainVerdict.NOT_CHECKABLE


def test_an_entry_without_its_hash_breaks_a_chain(chain: list[dict[str, Any]]) -> None:
    """Stripping the hash must not be the way past the check."""
    del chain[3]["log_hash"]
    found = _report(chain, must_have=False)

    assert (found.broken_at, found.broken_by) == (4, BreakKind.MISSING)


def test_an_unreadable_entry_breaks_a_chain(chain: list[dict[str, Any]]) -> None:
    """A line of garbage stands where an entry stood."""
    check = ChainCheck(ChainFields(), must_have=True)
    for number, entry in enumerate(chain, start=1):
        if number == 3:
            check.cannot_see(number)
        else:
            check.see(number, entry)
    found = check.report()

    assert (found.broken_at, found.broken_by) == (3, BreakKind.UNREADABLE)
    assert found.broken_entries == 1


def test_a_file_without_hashes_has_no_chain() -> None:
    """Nothing to check is neither intact nor broken."""
    found = _report([seed(1)], must_have=False)

    assert found.verdict is ChainVerdict.ABSENT
