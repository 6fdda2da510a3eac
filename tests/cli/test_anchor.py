"""`phitrail anchor`: what an operator types, and the codes that a timer acts on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.anchor.witnesses import Nearby, answering, witness_nearby
from tests.cli.conftest import Command
from tests.trails import check_whole, record_events

from phitrail.app.config import ANCHORS_FILE
from phitrail.app.pins import read_pins
from phitrail.cli.exit_codes import ExitCode
from phitrail.events.audit import AuditEvent
from phitrail.events.canonical import decode_leaf
from phitrail.events.codes import EventType, Log


@pytest.fixture
def witness(trail_dir: Path, tmp_path: Path) -> Iterator[Nearby]:
    """A witness that watches the three logs of the trail."""
    keys = [pinned.log_key for pinned in read_pins(trail_dir).values()]
    with witness_nearby(tmp_path / "w.db", keys) as nearby:
        yield nearby


def test_an_anchor_is_added_run_listed_and_verified_with(
    phitrail: Command, trail_dir: Path, witness: Nearby
) -> None:
    """The way of an operator from UNANCHORED to ok, with nothing but the help text."""
    trail = ("--trail", trail_dir)
    key = ("--vkey", witness.vkey)
    added = phitrail(
        "anchor", "add", "county", "--witness", witness.url, *key, *trail, "--as", "ann"
    )
    before = phitrail("anchor", "list", *trail, "--json")
    ran = phitrail("anchor", "run", *trail)
    after = phitrail("anchor", "list", *trail, "--json")
    again = phitrail("anchor", "run", "county", *trail, "--json")
    status = phitrail("status", *trail, "--json")
    verified = phitrail("verify", "--witness", witness.vkey, *trail)

    assert (added.code, ran.code, again.code) == (0, 0, 0)
    vkeys = [str(pinned.log_key) for pinned in read_pins(trail_dir).values()]
    assert added.out.splitlines()[1:] == vkeys
    assert [one["held_size"] for one in before.data["anchors"]] == [0, 0, 0]
    assert sorted(ran.out.splitlines()) == [
        "county, audit: held, size 2",
        "county, quality: held, size 1",
        "county, security: held, size 1",
    ]
    assert [one["lag"] for one in after.data["anchors"]] == [0, 0, 0]
    assert {one["came"] for one in again.data["attempts"]} == {"held already"}
    assert [log["held_by"] for log in status.data["logs"]] == [["county"]] * 3
    assert verified.code == ExitCode.OK
    (event,) = (
        leaf
        for leaf in map(decode_leaf, check_whole(trail_dir).leaves[Log.AUDIT])
        if isinstance(leaf, AuditEvent) and leaf.event_type == EventType.ANCHOR_ADDED
    )
    assert (event.object_id, event.user_id) == ("county", "ann")


def test_the_table_says_in_words_how_each_stands(
    phitrail: Command, trail_dir: Path, witness: Nearby, tmp_path: Path
) -> None:
    """Held, behind and never: an operator must not have to compute."""
    (tmp_path / "share").mkdir()
    trail = ("--trail", trail_dir)
    add = ("anchor", "add")
    phitrail(*add, "county", "--witness", witness.url, "--vkey", witness.vkey, *trail)
    phitrail("anchor", "run", *trail)
    share = ("--directory", tmp_path / "share", "--log", "audit")
    phitrail(*add, "share", *share, "--may-share-device", *trail)
    record_events(trail_dir, range(2))
    listed = phitrail("anchor", "list", *trail)
    phitrail("anchor", "run", *trail)
    full = phitrail("anchor", "list", *trail)
    status = phitrail("status", *trail)

    assert listed.out.count("behind") == 1
    assert listed.out.count("holds nothing yet") == 1
    assert full.out.count("holds all") == 4
    assert "(county, share)" in status.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "exactly one of"),
        (("--directory", "/a", "--witness", "http://127.0.0.1:1"), "exactly one of"),
        (("--witness", "http://127.0.0.1:1"), "required key"),
        (("--witness", "ftp://a", "--vkey", "x"), "url does not fit"),
        (("--mail", "host:port"), "HOST:PORT"),
        (("--mail", "host", "--from", "a@b"), "required key"),
        (("--directory", "/a", "--every", "9", "--within", "3"), "more than every_s"),
    ],
)
def test_what_is_missing_is_named(
    phitrail: Command, trail_dir: Path, arguments: tuple[str, ...], told: str
) -> None:
    """A half-configured anchor would hold nothing, and nobody would know."""
    ran = phitrail("anchor", "add", "one", *arguments, "--trail", trail_dir)

    assert ran.code == ExitCode.USAGE
    assert told in ran.err
    assert not (trail_dir / ANCHORS_FILE).exists()


def test_a_name_is_given_once_and_a_key_must_be_a_witness(
    phitrail: Command, trail_dir: Path, witness: Nearby
) -> None:
    """Two anchors of one name would share their evidence."""
    trail = ("--trail", trail_dir)
    url = ("--witness", witness.url)
    log_key = read_pins(trail_dir)[Log.AUDIT].log_key
    wrong = phitrail("anchor", "add", "a", *url, "--vkey", log_key, *trail)
    first = phitrail("anchor", "add", "a", *url, "--vkey", witness.vkey, *trail)
    second = phitrail("anchor", "add", "a", *url, "--vkey", witness.vkey, *trail)
    unknown = phitrail("anchor", "run", "b", *trail)

    assert (wrong.code, first.code, second.code) == (78, 0, 2)
    assert (unknown.code, "known: a" in unknown.err) == (2, True)


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ([(503, b"")], ExitCode.TRY_AGAIN),
        ([(404, b"")], ExitCode.CHECK_FAILED),
        ([(422, b""), (404, b"")], ExitCode.CHECK_FAILED),
    ],
)
def test_a_timer_learns_whether_to_try_again(
    phitrail: Command,
    trail_dir: Path,
    witness: Nearby,
    answers: list[tuple[int, bytes]],
    code: ExitCode,
) -> None:
    """Unreachable passes; a refusal and another history need somebody."""
    trail = ("--trail", trail_dir)
    with answering(*answers) as (url, _):
        add = ("anchor", "add", "county", "--witness", url, "--vkey", witness.vkey)
        phitrail(*add, "--log", "audit", *trail)
        ran = phitrail("anchor", "run", *trail)
    listed = phitrail("anchor", "list", *trail)

    assert ran.code == code
    assert "county, audit: " in listed.err


def test_another_history_is_loud(
    phitrail: Command, trail_dir: Path, witness: Nearby
) -> None:
    """It must be seen by whoever looks at the status for another reason."""
    trail = ("--trail", trail_dir)
    with answering((422, b""), (404, b"")) as (url, _):
        add = ("anchor", "add", "county", "--witness", url, "--vkey", witness.vkey)
        phitrail(*add, *trail)
        phitrail("anchor", "run", *trail)
    told = phitrail("status", *trail)
    listed = phitrail("anchor", "list", *trail)

    assert told.code == ExitCode.CHECK_FAILED
    assert told.out.count("ANOTHER HISTORY") == 1
    assert "keep this copy as evidence" in told.err
    assert listed.out.count("HOLDS ANOTHER HISTORY") == 1


def test_a_trail_without_anchors_says_where_to_read(
    phitrail: Command, trail_dir: Path
) -> None:
    """Nothing to do is no failure, and no success either."""
    ran = phitrail("anchor", "run", "--trail", trail_dir)
    listed = phitrail("anchor", "list", "--trail", trail_dir)

    assert (ran.code, listed.code) == (0, 0)
    assert "docs/anchors.md" in ran.err
    assert "docs/anchors.md" in listed.err


def test_a_wrong_witness_key_is_named(phitrail: Command, trail_dir: Path) -> None:
    """A key of a log in the place of a witness's would let the log speak for itself."""
    log_key = read_pins(trail_dir)[Log.AUDIT].log_key
    kind = phitrail("verify", "--witness", log_key, "--trail", trail_dir)
    none = phitrail("verify", "--witness", "county", "--trail", trail_dir)

    assert (kind.code, none.code) == (2, 2)
    assert "--witness" in kind.err
    assert "--witness" in none.err
