"""What is in quarantine opens for a reason, which is on record before anything is shown."""

import json
from datetime import datetime
from pathlib import Path

import pytest
from tests.app.key_verbs import BY, WHY, changing, recording
from tests.trails import NOW, copy_trail, event_id, phi_read, read_leaves, record_events

from phitrail.app.break_glass import breaking_glass, run_for_reading
from phitrail.app.documents import keep_document, open_document
from phitrail.app.key_compromise import compromise_key
from phitrail.app.query import Question, ask
from phitrail.app.query_filter import Filter
from phitrail.app.reading import prove_entry, show_entries
from phitrail.app.unclosed import list_unclosed
from phitrail.errors import InputError, RefusedError, StorageError
from phitrail.events.audit import AuditEvent, AuditLeaf, CallerEvent
from phitrail.events.codes import EventType, Log, Outcome
from phitrail.tlog.tile import TILE_WIDTH

READER, REASON = "officer-7", "case 2026-17: who saw what the thief may have seen"
GLASS = (EventType.BREAK_GLASS_STARTED, EventType.BREAK_GLASS_ENDED)


def at() -> datetime:
    """Give the time of the tests."""
    return NOW


@pytest.fixture(scope="module")
def stolen_once(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a trail of 300 entries whose seal was stolen, and ten that came after."""
    place = copy_trail(founded, tmp_path_factory.mktemp("stolen") / "trail")
    record_events(place, range(300))
    with changing(place) as trail:
        compromise_key(trail, "audit-seal:v1", since=None, by=BY, reason=WHY, now=NOW)
    record_events(place, range(300, 310))
    return place


@pytest.fixture
def stolen(stolen_once: Path, tmp_path: Path) -> Path:
    """Give a copy of that trail."""
    return copy_trail(stolen_once, tmp_path / "trail")


def glass_events(directory: Path) -> list[AuditLeaf]:
    """List the events of broken glass, in order."""
    with recording(directory) as trail:
        return [
            leaf
            for leaf in read_leaves(trail.behind_glass())
            if isinstance(leaf, AuditEvent) and leaf.event_type in GLASS
        ]


@pytest.mark.drill
def test_the_reason_is_on_record_before_anything_opens(stolen: Path) -> None:
    """Whoever looks must be seen to look, also when the process is killed after it."""
    with recording(stolen) as trail:
        with breaking_glass(trail, REASON, by=READER, now=at) as opened:
            (before_reading,) = [
                leaf
                for leaf in read_leaves(opened)
                if isinstance(leaf, AuditEvent) and leaf.event_type in GLASS
            ]
            (shown,) = show_entries(opened, Log.AUDIT, "7", by=READER, now=NOW)
        with pytest.raises(RefusedError):
            show_entries(trail, Log.AUDIT, "7", by=READER, now=NOW)
        document = json.loads(
            open_document(trail, before_reading.object_digest or "") or b""
        )
    started, ended = glass_events(stolen)

    assert b"phi_read" in shown.leaf
    assert before_reading == started
    assert (started.user_id, document["reason"]) == (READER, REASON)
    assert (ended.object_id, ended.outcome) == (started.event_id, Outcome.SUCCESS)


def test_nothing_opens_where_the_reason_cannot_be_recorded(stolen: Path) -> None:
    """Opened first and recorded later means: opened without a record, some day."""
    with recording(stolen) as trail:
        trail.stop_writing()
        with (
            pytest.raises(StorageError),
            breaking_glass(trail, REASON, by=READER, now=at),
        ):
            pytest.fail("it opened")


def test_an_end_says_that_it_failed(stolen: Path) -> None:
    """What went wrong behind the glass must not look like a quiet look."""
    with (
        recording(stolen) as trail,
        pytest.raises(InputError),
        breaking_glass(trail, REASON, by=READER, now=at) as opened,
    ):
        show_entries(opened, Log.AUDIT, "999999", by=READER, now=NOW)
    _, ended = glass_events(stolen)

    assert ended.outcome is Outcome.FAILED


@pytest.mark.parametrize(("by", "reason"), [("not a user", REASON), (READER, " ")])
def test_without_a_reason_or_a_name_nothing_is_recorded(
    stolen: Path, by: str, reason: str
) -> None:
    """A record that names nobody would be one that anybody could have made."""
    with (
        recording(stolen) as trail,
        pytest.raises(InputError),
        breaking_glass(trail, reason, by=by, now=at),
    ):
        pytest.fail("it opened")

    assert glass_events(stolen) == []


def test_a_proof_of_what_is_in_quarantine_takes_glass(stolen: Path) -> None:
    """The proof comes with the entry; the way around must be closed too."""
    with run_for_reading(stolen, by=READER) as running, pytest.raises(RefusedError):
        prove_entry(running, Log.AUDIT, "7", by=READER, now=NOW)
    with run_for_reading(stolen, by=READER, break_glass=REASON) as running:
        proven = prove_entry(running, Log.AUDIT, "7", by=READER, now=NOW)

    assert b"phi_read" in proven.entry.leaf


@pytest.mark.parametrize(
    ("first", "last"), [(0, 0), (255, 255), (256, 299), (7, 305), (301, 301)]
)
def test_tables_show_no_row_of_an_entry_in_quarantine(
    stolen: Path, first: int, last: int
) -> None:
    """The tables hold in clear what bundles hold sealed: asked, they must refuse too."""
    everything = Question(
        Filter(log=Log.AUDIT, after=first - 1, limit=last - first + 1)
    )
    with recording(stolen) as trail:
        with pytest.raises(RefusedError, match=r"audit-seal:v1.*--break-glass"):
            ask(trail, everything, by=READER, now=NOW)
        with breaking_glass(trail, REASON, by=READER, now=at) as opened:
            rows = ask(opened, everything, by=READER, now=NOW).rows.num_rows

    assert rows == last - first + 1


def test_an_unclosed_access_in_quarantine_takes_glass(trail_dir: Path) -> None:
    """The list of what never closed says who used what, and when."""
    opening: CallerEvent = AuditEvent(
        event_type=EventType.AI_INFERENCE,
        event_id=event_id(1),
        access_id=event_id(2),
        user_id="dr-0012",
    )
    with recording(trail_dir) as trail:
        trail.recorder.record(opening, NOW)
    with changing(trail_dir) as trail:
        compromise_key(trail, "audit-seal:v1", since=None, by=BY, reason=WHY, now=NOW)
    with recording(trail_dir) as trail:
        with pytest.raises(RefusedError):
            list_unclosed(trail, by=READER, now=NOW)
        with breaking_glass(trail, REASON, by=READER, now=at) as opened:
            listed = list_unclosed(opened, by=READER, now=NOW)

    assert len(listed.accesses) == 1


def test_tables_show_rows_of_entries_that_came_after(stolen: Path) -> None:
    """A quarantine that closed the whole log would be opened for good by habit."""
    with recording(stolen) as trail:
        last = len(read_leaves(trail.behind_glass())) - 1
        newest = Question(Filter(log=Log.AUDIT, after=last - 3, limit=3))
        rows = ask(trail, newest, by=READER, now=NOW).rows.num_rows
        security = Question(Filter(log=Log.SECURITY, limit=5))
        others = ask(trail, security, by=READER, now=NOW).rows.num_rows

    assert (rows, others) == (3, 1)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) AS n FROM audit",
        "SELECT user_id FROM audit LIMIT 1",
        "SELECT idx FROM security",
    ],
)
def test_a_question_in_sql_takes_glass_while_anything_is_in_quarantine(
    stolen: Path, sql: str
) -> None:
    """Of an answer in free form nobody can say which entries it rests on."""
    question = Question(Filter(log=Log.AUDIT, sql=sql))
    with recording(stolen) as trail:
        with pytest.raises(RefusedError):
            ask(trail, question, by=READER, now=NOW)
        with breaking_glass(trail, REASON, by=READER, now=at) as opened:
            assert ask(opened, question, by=READER, now=NOW).rows.num_rows


@pytest.mark.drill
def test_documents_under_a_compromised_key_are_in_quarantine(trail_dir: Path) -> None:
    """What a person wrote in words of his own may name somebody."""
    with changing(trail_dir) as trail:
        digest = keep_document(trail, b"Mrs Canary of bed 7")
        compromise_key(trail, "audit-seal:v1", since=None, by=BY, reason=WHY, now=NOW)
        with pytest.raises(RefusedError):
            open_document(trail, digest)
        with breaking_glass(trail, REASON, by=READER, now=at) as opened:
            text = open_document(opened, digest)

    assert text == b"Mrs Canary of bed 7"


def test_a_bundle_that_is_sealed_after_is_open_again(trail_dir: Path) -> None:
    """Entries that waited in the journal come under the new key with their bundle."""
    record_events(trail_dir, range(10))
    with changing(trail_dir) as trail:
        compromise_key(trail, "audit-seal:v1", since=None, by=BY, reason=WHY, now=NOW)
    record_events(trail_dir, range(10, TILE_WIDTH + 20))
    with recording(trail_dir) as trail:
        (shown,) = show_entries(trail, Log.AUDIT, "3", by=READER, now=NOW)

    assert b"phi_read" in shown.leaf


def test_a_running_program_learns_of_the_quarantine(trail_dir: Path) -> None:
    """Whoever had the log open at that moment must not read on."""
    record_events(trail_dir, range(3))
    with recording(trail_dir) as trail:
        show_entries(trail, Log.AUDIT, "2", by=READER, now=NOW)
        with changing(trail_dir) as other:
            compromise_key(other, "audit-seal", since=None, by=BY, reason=WHY, now=NOW)
        trail.keys.refresh()  # what happens within a second by itself
        with pytest.raises(RefusedError):
            show_entries(trail, Log.AUDIT, "2", by=READER, now=NOW)
        receipt = trail.recorder.record(phi_read(77), NOW)

    assert receipt.positions
