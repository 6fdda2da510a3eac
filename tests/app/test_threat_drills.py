"""Drills of docs/threat-model.md that stand in no other file: who does what, what shows it.

Each attacker uses what he has and nothing more: files, sqlite3, his own arithmetic, and
keys only where the page says that he holds them.
"""

import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
from tests.tlog.trees import make_signer, node_in_memory
from tests.trails import NOW, copy_trail, found, phi_read, read_leaves, record_events

from phitrail.anchor.held import Submission
from phitrail.anchor.watched_directory import WatchedDirectory
from phitrail.anchor.witness_state import (
    Answer,
    WitnessedHead,
    WitnessedLog,
    answer_request,
)
from phitrail.app import clock
from phitrail.app.key_wiring import KEYS
from phitrail.app.pins import JOURNAL, read_pins
from phitrail.app.query import Question, ask
from phitrail.app.query_filter import Filter
from phitrail.app.tables import advance_tables
from phitrail.app.verification import Verdict, verify_trail
from phitrail.app.wiring import open_trail
from phitrail.demo.forger import Forger
from phitrail.errors import IntegrityError
from phitrail.events.audit import AuditEvent
from phitrail.events.codes import EventType, Log
from phitrail.events.ids import format_time, parse_time
from phitrail.projection.segments import TABLES
from phitrail.sdk.connect import connect
from phitrail.tlog.checkpoint import Checkpoint
from phitrail.tlog.hashing import Hash, hash_leaf
from phitrail.tlog.merkle import RightEdge
from phitrail.tlog.proof import consistency_proof
from phitrail.tlog.receipt import Receipt

pytestmark = pytest.mark.drill

USER, SESSION, REQUEST = "dr-canary-user", "canary-session", "canary-request"
PATIENT, RECORD = "canary-mrn-4711", "canary-note-0815"
QUESTION, ANSWER = "What of the canary-question?", "The canary-answer it is."


@contextmanager
def database(directory: Path) -> Iterator[sqlite3.Connection]:
    """Open the journal as its administrator would."""
    with closing(sqlite3.connect(directory / JOURNAL)) as opened:
        yield opened
        opened.commit()


def public_checkpoint(directory: Path) -> tuple[str, bytes]:
    """Carry the audit log's newest checkpoint outside."""
    return "usb/audit", (directory / "public/audit/checkpoint").read_bytes()


def record_unpublished(directory: Path, numbers: Sequence[int]) -> list[Receipt]:
    """Record events that are acknowledged and in no checkpoint yet."""
    with closing(open_trail(directory)) as trail:
        return [trail.recorder.record(phi_read(number), NOW) for number in numbers]


# --- outsider: a copy of the disk, no keys ---


def use(directory: Path) -> None:
    """Leave one access in which everything is a canary."""
    who = {"user_id": USER, "session_id": SESSION, "request_id": REQUEST}
    with connect(directory) as trail, trail.access(**who) as access:
        access.retrieved([(PATIENT, RECORD, "Observation")], query=QUESTION)
        access.infer(model_id="extractive-demo", model_version="1")
        access.release(ANSWER)


def readable(directory: Path) -> bytes:
    """Read what a thief of the disk reads without the keys, Parquet files opened."""
    places = [p for p in directory.rglob("*") if p.is_file() and KEYS not in p.parts]
    tables = [
        msgspec.json.encode(pq.read_table(place).to_pylist(), enc_hook=str)
        for place in (directory / TABLES).rglob("*.parquet")
    ]
    return b"\n".join([*(place.read_bytes() for place in places), *tables])


def test_a_stolen_copy_without_keys_shows_hashes_and_ids_before_tables_are_made(
    trail_dir: Path,
) -> None:
    """The page says which fields a thief reads; he must not read one more."""
    use(trail_dir)

    seen = readable(trail_dir)

    for secret in (USER, SESSION, REQUEST, PATIENT, RECORD, QUESTION, ANSWER):
        assert secret.encode() not in seen
    with closing(open_trail(trail_dir)) as trail:
        leaf = read_leaves(trail)[1]
    assert isinstance(leaf, AuditEvent)
    assert leaf.event_id is not None
    assert bytes.fromhex(leaf.event_id.replace("-", "")) in seen  # ids tell the time
    assert leaf.records[0][0].encode() not in seen


def test_a_stolen_copy_without_keys_shows_metadata_once_tables_are_made(
    trail_dir: Path,
) -> None:
    """Tables are plain (ADR 0005): users and surrogates show, identifiers and texts not."""
    use(trail_dir)
    with closing(open_trail(trail_dir)) as trail:
        advance_tables(trail, NOW, close_rows=1)
        surrogate = next(
            leaf.records[0][0]
            for leaf in read_leaves(trail)
            if isinstance(leaf, AuditEvent) and leaf.records
        )

    seen = readable(trail_dir)

    for metadata in (USER, SESSION, REQUEST, surrogate, "hmac-sha256:1:"):
        assert metadata.encode() in seen
    for secret in (PATIENT, RECORD, QUESTION, ANSWER):
        assert secret.encode() not in seen


# --- application developer ---


def test_a_backdated_event_stands_where_it_arrived(trail_dir: Path) -> None:
    """Whoever adds what should have been there yesterday is shown by the log's own time."""
    record_events(trail_dir, range(3))
    yesterday = NOW - timedelta(days=1)
    with closing(open_trail(trail_dir)) as trail:
        trail.recorder.record(
            AuditEvent(
                event_type=EventType.PHI_READ,
                user_id="dr-late",
                timestamp_utc=format_time(yesterday),
            ),
            NOW,
        )
        late = read_leaves(trail)[-1]
        late_ones = ask(
            trail,
            Question(
                Filter(
                    sql="SELECT user_id FROM audit "
                    "WHERE received_at - timestamp_utc > INTERVAL 1 HOUR"
                )
            ),
            by="officer-7",
            now=clock.now(),
        )

    assert isinstance(late, AuditEvent)
    assert late.received_at is not None
    assert parse_time(late.received_at) == NOW
    assert late_ones.rows.to_pylist() == [{"user_id": "dr-late"}]


def test_an_access_that_was_never_closed_is_counted(trail_dir: Path) -> None:
    """An answer that went out around `release` leaves its opening without an end."""
    with connect(trail_dir) as trail:
        left = trail.access(user_id="dr-hasty")
        left.infer(model_id="extractive-demo", model_version="1")
        with trail.access(user_id="dr-proper") as access:
            access.infer(model_id="extractive-demo", model_version="1")
            access.release(ANSWER)
    with closing(open_trail(trail_dir)) as trail_parts:
        unclosed = ask(
            trail_parts,
            Question(Filter(sql="SELECT user_id FROM accesses WHERE NOT is_closed")),
            by="officer-7",
            now=clock.now(),
        )

    assert unclosed.rows.to_pylist() == [{"user_id": "dr-hasty"}]


# --- database administrator: the databases, no keys ---


def cut_journal(directory: Path, size: int) -> None:
    """Cut the newest entries and compute the head anew; only a signature is missing."""
    with database(directory) as journal:
        hashes = journal.execute(
            "SELECT leaf_hash FROM event WHERE log = 'audit' AND idx < ? ORDER BY idx",
            (size,),
        ).fetchall()
        edge = RightEdge()
        edge.extend([Hash(row[0]) for row in hashes])
        (promise,) = journal.execute(
            "SELECT promise FROM log WHERE name = 'audit'"
        ).fetchone()
        origin = promise.decode().split("\n")[0]
        _, _, signatures = promise.partition(b"\n\n")
        body = Checkpoint(origin, size, edge.root()).body().encode()
        forged = body + b"\n" + signatures
        journal.execute("DELETE FROM event WHERE log = 'audit' AND idx >= ?", (size,))
        journal.execute(
            "DELETE FROM segment WHERE log = 'audit' AND first >= ?", (size,)
        )
        journal.execute(
            "UPDATE log SET size = ?, root = ?, edge = ?, promise = ? "
            "WHERE name = 'audit'",
            (size, edge.root(), edge.to_bytes(), forged),
        )


def test_a_journal_that_is_cut_by_hand_lacks_a_signature(trail_dir: Path) -> None:
    """Every hash can be computed without a key; the promise over the head cannot."""
    record_events(trail_dir, range(3))
    record_unpublished(trail_dir, [3, 4])
    cut_journal(trail_dir, 5)

    findings = verify_trail(trail_dir).findings

    assert [str(one.check) for one in findings] == ["promise"]


def test_a_journal_that_is_cut_by_hand_is_not_gone_on_with(trail_dir: Path) -> None:
    """The next commit would sign the cut history and heal what convicts it."""
    record_events(trail_dir, range(3))
    record_unpublished(trail_dir, [3, 4])
    cut_journal(trail_dir, 5)

    with pytest.raises(IntegrityError, match="head of audit"):
        open_trail(trail_dir)


def test_a_journal_that_is_cut_under_a_writer_is_not_gone_on_with(
    trail_dir: Path,
) -> None:
    """The same, while the application runs."""
    with closing(open_trail(trail_dir)) as trail:
        for number in range(3):
            trail.recorder.record(phi_read(number), NOW)
        cut_journal(trail_dir, 3)
        with pytest.raises(IntegrityError, match="head of audit"):
            trail.recorder.record(phi_read(4), NOW)


def test_a_journal_put_back_to_what_was_published_breaks_a_kept_promise(
    trail_dir: Path, tmp_path: Path
) -> None:
    """What was acknowledged and not yet published is held by the caller's receipt alone."""
    record_events(trail_dir, range(3))
    shutil.copy(trail_dir / JOURNAL, tmp_path / "journal.db")
    (receipt,) = record_unpublished(trail_dir, [3])
    shutil.copy(tmp_path / "journal.db", trail_dir / JOURNAL)

    kept = ("receipt", receipt.promises["audit"])

    assert verify_trail(trail_dir).verdict is Verdict.UNANCHORED
    assert verify_trail(trail_dir, outside=[kept]).verdict is Verdict.FAILED


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET leaf_hash = zeroblob(32) WHERE log = 'audit' AND idx = 2",
        "UPDATE event SET key = randomblob(18) WHERE log = 'audit' AND idx = 2",
        "UPDATE event SET log = 'security' WHERE log = 'audit' AND idx = 2",
        "DELETE FROM event WHERE log = 'audit' AND idx = 2",
        "DELETE FROM segment WHERE log = 'audit' AND first = 6",
        "UPDATE segment SET first = 9 WHERE log = 'audit' AND first = 7",
        "UPDATE OR REPLACE checkpoint SET log = 'security' WHERE log = 'audit'",
        "UPDATE log SET promise = '' WHERE name = 'audit'",
        "UPDATE log SET promise = randomblob(200) WHERE name = 'audit'",
        "DELETE FROM log WHERE name = 'audit'",
    ],
)
def test_a_statement_of_the_administrator_is_found(
    trail_dir: Path, statement: str
) -> None:
    """Nothing may rest on what a database refuses to whoever administers it."""
    record_events(trail_dir, range(5))
    record_unpublished(trail_dir, [5, 6])
    with database(trail_dir) as journal:
        assert journal.execute(statement).rowcount > 0

    assert verify_trail(trail_dir, deep=True).verdict is Verdict.FAILED


# --- root with the signing keys ---


def test_two_histories_for_two_readers_are_found_when_they_compare(
    trail_dir: Path, tmp_path: Path
) -> None:
    """A log that shows each reader his own tail is convicted by either's checkpoint."""
    record_events(trail_dir, range(3))
    other = copy_trail(trail_dir, tmp_path / "other")
    record_events(trail_dir, range(3, 6))
    record_events(other, range(13, 16))

    for shown, kept in ((trail_dir, other), (other, trail_dir)):
        findings = verify_trail(shown, outside=[public_checkpoint(kept)]).findings
        assert {str(one.check) for one in findings} >= {"outside_checkpoint"}


def test_a_trail_made_anew_under_the_same_name_is_another_trail(
    trail_dir: Path, tmp_path: Path
) -> None:
    """Deleting all and beginning again is not hidden by the same tenant's name."""
    record_events(trail_dir, range(9))
    kept = public_checkpoint(trail_dir)
    fresh = tmp_path / "fresh"
    record_events(found(fresh), range(9))

    assert verify_trail(fresh, outside=[kept]).verdict is Verdict.FAILED


# --- a witness that colludes with the host ---


WITNESS = make_signer("witness.example/w1", bytes(range(32, 64)))


def rewrite(directory: Path) -> list[Hash]:
    """Rewrite one entry of a trail with its own keys; return the leaf hashes."""
    forger = Forger(directory, Log.AUDIT)
    leaves = forger.leaves()
    leaves[2] = leaves[2].replace(b"dr-0012", b"dr-0013")
    forger.rewrite(leaves)
    return [hash_leaf(leaf) for leaf in leaves]


def cosign(directory: Path, held: WitnessedHead | None) -> Answer:
    """Ask a witness that holds `held` (a colluding one says: nothing) to cosign."""
    log_key = read_pins(directory)[Log.AUDIT].log_key
    size = held.size if held is not None else 0
    return answer_request(
        f"old {size}\n\n".encode() + public_checkpoint(directory)[1],
        lambda _: WitnessedLog((log_key,), held),
        WITNESS,
        time_s=1_800_000_000,
    )


def submission_of(directory: Path, hashes: Sequence[Hash]) -> Submission:
    """Make what an anchor gets of a trail's newest checkpoint."""
    pins = read_pins(directory)[Log.AUDIT]
    size = len(hashes)

    def prove(old_size: int) -> Sequence[Hash]:
        return consistency_proof(old_size, size, node_in_memory(list(hashes)))

    note = public_checkpoint(directory)[1]
    return Submission("audit", pins.genesis.origin, note, size, 0, pins.log_key, prove)


def test_a_colluding_witness_is_not_seen_by_itself_but_by_another_anchor(
    trail_dir: Path, tmp_path: Path
) -> None:
    """One witness is one opinion: this is why policy can ask for two kinds of anchor."""
    record_events(trail_dir, range(5))
    storage = tmp_path / "storage"
    storage.mkdir()
    second = WatchedDirectory(storage, trail_dir, may_share_device=True)
    hashes = [hash_leaf(leaf) for leaf in Forger(trail_dir, Log.AUDIT).leaves()]
    kept = second.hold(submission_of(trail_dir, hashes), NOW).evidence
    honest = cosign(trail_dir, None).head
    hashes = rewrite(trail_dir)

    colluded = cosign(trail_dir, None)
    assert colluded.status == HTTPStatus.OK
    assert colluded.head is not None
    by_witness = [("w1", colluded.head.note)]
    verified = verify_trail(trail_dir, outside=by_witness, logs=[Log.AUDIT])
    assert verified.verdict is Verdict.OK  # not detected by whoever asks w1 alone

    assert cosign(trail_dir, honest).status == HTTPStatus.UNPROCESSABLE_ENTITY
    with pytest.raises(IntegrityError, match="one size with two roots"):
        second.hold(submission_of(trail_dir, hashes), NOW)
    verified = verify_trail(trail_dir, outside=[*by_witness, ("share", kept)])
    assert verified.verdict is Verdict.FAILED
