"""What stands under each version of a key is counted, all of it, and nothing is opened."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.trails import (
    NOW,
    copy_trail,
    phi_read,
    publish_once,
    read_leaves,
    record_events,
)

from phitrail.app.config import Policy
from phitrail.app.documents import DOCUMENTS
from phitrail.app.fact_loading import FactLoad, load_facts
from phitrail.app.key_rekey import rekey_identity
from phitrail.app.key_rotation import rotate_key
from phitrail.app.key_uses import (
    Asked,
    Counted,
    Uses,
    backups_of,
    count_places,
    count_uses,
    count_versions,
    read_uses,
)
from phitrail.app.key_uses_copies import Copy
from phitrail.app.key_uses_hashes import count_in_tables, hash_columns
from phitrail.app.key_wiring import open_reading_ring
from phitrail.app.pins import JOURNAL
from phitrail.app.table_store import open_store
from phitrail.app.tables import advance_tables, rebuild_tables
from phitrail.app.wiring import IDENTITY, Trail, open_trail
from phitrail.durable.files import DurableFiles
from phitrail.errors import ConfigError, IntegrityError, StorageError
from phitrail.events.audit import AuditEvent, AuditLeaf, CallerEvent
from phitrail.events.codes import EventType, FeedbackValue, Log
from phitrail.events.quality import Feedback, QualityEntry
from phitrail.identity.fact_table import FactKind
from phitrail.keys import names
from phitrail.keys.key_file import read_key_file
from phitrail.keys.mac import Mac
from phitrail.keys.names import KeyId
from phitrail.keys.ring import KeyRing
from phitrail.keys.settings import KeysSection
from phitrail.projection.segments import Manifest, ManifestSeal, SegmentStore

BY = "officer-7"
MAP_KEYS = (names.IDENTITY_INDEX, names.IDENTITY_SEAL)
LONG_AGO = NOW - timedelta(days=900)


@contextmanager
def opened(directory: Path) -> Iterator[Trail]:
    """Open a trail without its pipeline."""
    with closing(open_trail(directory)) as trail:
        yield trail


def ask(trail: Trail, number: int) -> None:
    """Record a read, and a question with an answer by its keyed hashes."""
    question = trail.hasher.hash(f"question {number}", "query")
    answer = trail.hasher.hash(f"answer {number}", "response")
    event: CallerEvent = AuditEvent(
        event_type=EventType.AI_INFERENCE,
        user_id="dr-0012",
        query_hash=question.exact,
        query_hash_norm=question.normalised,
        response_hash=answer.exact,
    )
    trail.recorder.record_many((phi_read(number, patients=97), event), NOW)


def rate(trail: Trail, number: int) -> None:
    """Record a request to a model with two documents, and a rating of it."""
    rater = Mac(trail.keys, names.RATER).written(f"dr-{number}".encode())
    found = tuple(
        trail.hasher.hash(f"document {number} {n}", "document").exact for n in (1, 2)
    )
    entry = QualityEntry(request_id=f"r-{number}", retrieved_document_hashes=found)
    rating = Feedback(
        request_id=f"r-{number}", rater=rater, value=FeedbackValue.POSITIVE
    )
    trail.recorder.record_many((entry, rating), NOW)


def rotate(trail: Trail, name: str) -> None:
    """Give a key its next version."""
    rotate_key(trail, name, by=BY, reason="a year is over", now=NOW)


def counted(directory: Path, name: str, *backups: Path) -> tuple[Uses, ...]:
    """Count under every version, with the keys that a reader opens."""
    return count_versions(
        directory, open_reading_ring(directory), name, backups=backups
    )


def places_of(directory: Path, ring: KeyRing, name: str) -> Iterator[Counted]:
    """Count place by place, as far as the test asks."""
    return count_places(Asked(name, Copy(directory), directory, ring, lambda *_: None))


def in_place(uses: Uses, place: str, what: str) -> int:
    """Say how many were counted in a place."""
    (found,) = [
        one.count for one in uses.places if (one.place, one.what) == (place, what)
    ]
    return found


def told(directory: Path, path: str, select: str) -> int:
    """Ask a database of a trail by other means."""
    with closing(sqlite3.connect(directory / path)) as database:
        (number,) = database.execute(select).fetchone()
    return int(number)


def test_what_was_recorded_before_a_rotation_stays_under_the_old_version(
    trail_dir: Path,
) -> None:
    """A key that looks unused and is not would be destroyed with what it protects."""
    with opened(trail_dir) as trail:
        ask(trail, 1)
        for name in (names.TEXT_HASH, names.IDEMPOTENCY, names.bundle_key(Log.AUDIT)):
            rotate(trail, name)
        ask(trail, 2)
        ask(trail, 3)

    old, new = counted(trail_dir, names.TEXT_HASH)
    assert [in_place(one, "audit log", "query_hash") for one in (old, new)] == [1, 2]
    assert [in_place(one, "audit log", "response_hash") for one in (old, new)] == [1, 2]
    assert (old.total, new.total) == (3, 6)
    old, new = counted(trail_dir, names.IDEMPOTENCY)
    assert in_place(old, "journal", "audit events") > 2
    assert in_place(new, "journal", "audit events") >= 4
    old, new = counted(trail_dir, names.bundle_key(Log.AUDIT))
    waiting = "audit commits that are in no bundle yet"
    assert in_place(old, "journal", waiting) > 0
    assert in_place(new, "journal", waiting) >= 2
    assert in_place(old, "documents", "texts") > 0


def test_a_version_is_counted_alone(trail_dir: Path) -> None:
    """Whoever destroys one version asks for that one."""
    with opened(trail_dir) as trail:
        ask(trail, 1)
        rotate(trail, names.TEXT_HASH)
        uses = count_uses(trail_dir, trail.keys, KeyId(names.TEXT_HASH, 2))
        assert uses.total == 0
        assert count_uses(trail_dir, trail.keys, KeyId(names.TEXT_HASH, 1)).total == 3

    assert {(one.place, one.what) for one in uses.places} == {
        (f"{log} log", column)
        for log in Log
        for column in hash_columns(log, names.TEXT_HASH)
    }


def test_hashes_are_counted_alike_in_tables_and_in_the_log(trail_dir: Path) -> None:
    """A count must not change because tables were brought up to the log."""
    with opened(trail_dir) as trail:
        for number in range(3):
            ask(trail, number)
            rate(trail, number)
        rotate(trail, names.TEXT_HASH)
        rotate(trail, names.RATER)
        rate(trail, 3)
    before = [counted(trail_dir, name) for name in (names.TEXT_HASH, names.RATER)]
    with opened(trail_dir) as trail:
        advance_tables(trail, NOW, close_rows=1)
        rate(trail, 4)
    after = [counted(trail_dir, name) for name in (names.TEXT_HASH, names.RATER)]

    (old, new), (old_rater, new_rater) = after
    assert before[0][0] == old
    assert before[1][0] == old_rater
    assert in_place(old, "quality log", "retrieved_document_hashes") == 6
    assert in_place(new, "quality log", "retrieved_document_hashes") == 4
    assert (old_rater.total, new_rater.total) == (3, 2)
    manifests = counted(trail_dir, names.bundle_key(Log.QUALITY))[0]
    assert in_place(manifests, "tables", "quality manifest") == 1


def test_a_changed_table_is_no_ground_to_count_on(trail_dir: Path) -> None:
    """Who can write a Parquet file must not make a key look unused."""
    with opened(trail_dir) as trail:
        ask(trail, 1)
        advance_tables(trail, NOW, close_rows=1)
    segment = next((trail_dir / "state/tables/audit").glob("*.parquet"))
    segment.write_bytes(segment.read_bytes()[:-1] + b"X")

    with pytest.raises(IntegrityError, match="log rebuild"):
        counted(trail_dir, names.TEXT_HASH)


def test_tables_that_are_ahead_of_their_log_are_no_ground_to_count_on(
    trail_dir: Path, tmp_path: Path
) -> None:
    """A journal from a backup under newer tables must not pass for the trail."""
    old = copy_trail(trail_dir, tmp_path / "old")
    with opened(trail_dir) as trail:
        ask(trail, 1)
        advance_tables(trail, NOW, close_rows=1)
    shutil.copy(old / JOURNAL, trail_dir / JOURNAL)

    with pytest.raises(IntegrityError, match="cut or restored"):
        counted(trail_dir, names.TEXT_HASH)


class JoinedMeanwhile(SegmentStore):
    """A store that is asked just before another process replaces its segments."""

    stale: list[Manifest]

    def load(self) -> Manifest:
        """Give the manifests that stood before, one after the other."""
        return self.stale.pop() if self.stale else super().load()


def test_tables_that_are_replaced_meanwhile_are_read_again(trail_dir: Path) -> None:
    """A join beside the count is daily work, not damage."""
    with opened(trail_dir) as trail:
        ask(trail, 1)
        advance_tables(trail, NOW, close_rows=1)
        keys = trail.log_keys[Log.AUDIT]
    before = open_store(trail_dir, Log.AUDIT, keys).load()
    rebuild_tables(trail_dir, (Log.AUDIT,), processes=1)
    context = f"phitrail/tables/v1|{keys.origin}".encode()
    store = JoinedMeanwhile(
        Log.AUDIT, DurableFiles(trail_dir), ManifestSeal(keys.seal, keys.open, context)
    )
    store.stale = [before]
    columns = hash_columns(Log.AUDIT, names.TEXT_HASH)

    manifest, found = count_in_tables(Log.AUDIT, columns, store, trail_dir)
    assert manifest != before
    assert found["query_hash"] == {1: 1}
    store.stale = [before] * 4
    with pytest.raises(IntegrityError, match="log rebuild"):
        count_in_tables(Log.AUDIT, columns, store, trail_dir)


def test_an_envelope_that_is_none_stops_the_count(trail_dir: Path) -> None:
    """What cannot be read may stand under any key, so it is never a zero."""
    record_events(trail_dir, range(2))
    bundles = (trail_dir / "state/bundles/audit").rglob("*")
    next(filter(Path.is_file, bundles)).write_bytes(b"nothing of ours")

    with pytest.raises(IntegrityError, match="phitrail verify"):
        counted(trail_dir, names.bundle_key(Log.AUDIT))


def test_what_moves_into_a_bundle_meanwhile_is_counted_at_least_once(
    trail_dir: Path,
) -> None:
    """An entry that is counted nowhere would let its key go."""
    name = names.bundle_key(Log.AUDIT)
    with opened(trail_dir) as trail:
        ask(trail, 1)
        places = places_of(trail_dir, trail.keys, name)
        waiting = next(places)
        publish_once(trail_dir)
        bundles = next(places)

    assert waiting.by_version[1] > 0
    assert bundles.by_version[1] > 0


def test_a_file_that_goes_meanwhile_is_passed_over(trail_dir: Path) -> None:
    """The publisher replaces the newest bundle every second."""
    record_events(trail_dir, range(2))
    copy = Copy(trail_dir)
    places = copy.files("state/bundles/audit")
    for place in places:
        place.unlink()

    assert places
    assert [copy.head_of(place, 9) for place in places] == [None] * len(places)
    assert copy.files("state/bundles/nothing") == []


def test_what_a_signing_key_signed_is_counted_in_sizes(trail_dir: Path) -> None:
    """Without the public half of a key its part of the log cannot be verified."""
    record_events(trail_dir, range(3))
    size = told(trail_dir, JOURNAL, "SELECT size FROM log WHERE name = 'audit'")
    kept = "SELECT count(*) FROM checkpoint WHERE log = 'audit'"

    (signed,) = counted(trail_dir, names.checkpoint_key(Log.AUDIT))
    (promised,) = counted(trail_dir, names.promise_key(Log.AUDIT))

    assert in_place(signed, "audit log", "entries that it signed for") == size
    assert in_place(signed, "journal", "audit checkpoints") == told(
        trail_dir, JOURNAL, kept
    )
    assert promised.total == size


def test_the_files_under_the_vaults_key_are_counted(trail_dir: Path) -> None:
    """A wrapping version that still wraps must not be retired."""
    (uses,) = counted(trail_dir, names.WRAPPING)

    files = len(list((trail_dir / "keys").glob("*.json")))
    assert in_place(uses, "keys", "key files") == files - 1


def test_a_file_that_another_vault_holds_is_not_under_this_one(
    trail_dir: Path,
) -> None:
    """After a move to a vault the old files say nothing about its versions."""
    (before,) = counted(trail_dir, names.WRAPPING)
    ring = open_reading_ring(trail_dir)
    place = trail_dir / "keys/rater.v1.json"
    elsewhere = msgspec.structs.replace(read_key_file(place), vault="openbao")
    place.write_bytes(elsewhere.encode())
    place = trail_dir / "keys/audit-promise.v1.json"
    reference = msgspec.structs.replace(read_key_file(place), held="in-the-vault:7")
    place.write_bytes(reference.encode())

    (after,) = count_versions(trail_dir, ring, names.WRAPPING)
    assert after.total == before.total - 2
    place = trail_dir / "keys/text-hash.v1.json"
    place.write_bytes(
        msgspec.structs.replace(read_key_file(place), held="not ours").encode()
    )
    with pytest.raises(IntegrityError):
        count_versions(trail_dir, ring, names.WRAPPING)


def test_aliases_are_counted_beside_subjects(trail_dir: Path) -> None:
    """The map has two tables under the same two keys."""
    with opened(trail_dir) as trail:
        trail.identity.resolve([("mrn", "mrn-1"), ("mrn", "mrn-2")])
    with closing(sqlite3.connect(trail_dir / IDENTITY)) as database, database:
        database.execute("CREATE TABLE alias AS SELECT * FROM subject LIMIT 1")

    for name in MAP_KEYS:
        (uses,) = counted(trail_dir, name)
        assert in_place(uses, "identity map", "subjects") == 2
        assert in_place(uses, "identity map", "aliases") == 1


def test_after_a_re_key_nothing_of_the_map_stands_under_the_old_versions(
    trail_dir: Path,
) -> None:
    """An old version that still counts here could never be destroyed."""
    subjects = [("mrn", f"mrn-{number}") for number in range(300)]
    with opened(trail_dir) as trail:
        trail.identity.resolve(subjects)
        for name in MAP_KEYS:
            rotate(trail, name)
        before = [counted(trail_dir, name) for name in MAP_KEYS]
        rekey_identity(trail, by=BY, now=NOW)
    after = [counted(trail_dir, name) for name in MAP_KEYS]

    assert [[one.total for one in uses] for uses in before] == [[300, 0], [300, 0]]
    assert [[one.total for one in uses] for uses in after] == [[0, 300], [0, 300]]


def test_a_key_that_protects_nothing_yet_has_no_places(trail_dir: Path) -> None:
    """It may be made before anything is sealed under it."""
    ring = open_reading_ring(trail_dir)

    assert count_uses(trail_dir, ring, KeyId("rbac-user.dr-0012", 1)).places == ()
    assert count_versions(trail_dir, ring, "fpe-metadata") == ()


def test_reading_entries_to_count_is_recorded_once(trail_dir: Path) -> None:
    """Whoever has the log opened stands in it; who counts headers opens nothing."""

    def reads(trail: Trail) -> list[AuditLeaf]:
        return [
            leaf
            for leaf in read_leaves(trail)
            if isinstance(leaf, AuditEvent)
            and leaf.event_type is EventType.AUDIT_LOG_READ
        ]

    with opened(trail_dir) as trail:
        ask(trail, 1)
        for name in (names.IDENTITY_SEAL, names.IDEMPOTENCY, names.WRAPPING):
            read_uses(trail, name, by=BY, now=NOW)
        assert reads(trail) == []
        (uses,) = read_uses(trail, names.TEXT_HASH, by=BY, now=NOW)
        (read,) = reads(trail)

    assert (read.user_id, read.reason_code, read.object_id, read.result_count) == (
        BY,
        "key_uses",
        names.TEXT_HASH,
        uses.total,
    )


# --- copies ---


def files_of(directory: Path) -> dict[str, int]:
    """Give every file below a directory, and when it was changed."""
    return {
        place.relative_to(directory).as_posix(): place.stat().st_mtime_ns
        for place in directory.rglob("*")
    }


def test_copies_are_counted_and_left_as_they_are(
    trail_dir: Path, tmp_path: Path
) -> None:
    """A backup that nobody thought of keeps an old key alive."""
    with opened(trail_dir) as trail:
        ask(trail, 1)
        advance_tables(trail, NOW, close_rows=1)
    backup = copy_trail(trail_dir, tmp_path / "monday")
    before = files_of(backup)
    with opened(trail_dir) as trail:
        for name in (names.TEXT_HASH, names.IDENTITY_INDEX, names.IDEMPOTENCY):
            rotate(trail, name)
        ask(trail, 2)

    old, _ = counted(trail_dir, names.TEXT_HASH, backup)
    assert in_place(old, f"backup {backup}: audit log", "query_hash") == 1
    assert in_place(old, "audit log", "query_hash") == 1
    for name in (
        names.IDENTITY_SEAL,
        names.IDEMPOTENCY,
        names.checkpoint_key(Log.AUDIT),
    ):
        alone, *_ = counted(trail_dir, name)
        both, *_ = counted(trail_dir, name, backup)
        assert 0 < alone.total < both.total
    assert files_of(backup) == before


def test_a_copy_with_a_write_ahead_log_is_read_with_it(
    trail_dir: Path, tmp_path: Path
) -> None:
    """A copy of a trail at work holds rows that are in no database file yet."""
    backup = tmp_path / "hot"
    with opened(trail_dir) as trail:
        ask(trail, 1)
        shutil.copytree(trail_dir, backup)
        (live,) = counted(trail_dir, names.IDENTITY_INDEX)
    assert (backup / f"{IDENTITY}-wal").stat().st_size > 0
    (both,) = counted(trail_dir, names.IDENTITY_INDEX, backup)

    assert live.total > 0
    assert both.total == 2 * live.total


def test_what_is_no_copy_of_this_trail_is_refused(
    trail_dir: Path, tmp_path: Path
) -> None:
    """A directory that is not there any more would count as nothing."""
    gone = tmp_path / "gone"
    damaged = copy_trail(trail_dir, tmp_path / "damaged")
    (damaged / "public/audit/genesis.json").write_bytes(b"{}")

    for place in (gone, damaged):
        with pytest.raises(ConfigError, match="holds no copy"):
            counted(trail_dir, names.RATER, place)


def test_copies_are_those_of_policy_yaml_and_those_that_are_given(
    trail_dir: Path, tmp_path: Path
) -> None:
    """Who asks by hand must not lose the copies that are registered."""
    section = KeysSection(backups=("copies/monday", str(tmp_path / "tuesday")))
    policy = Policy(keys=section)

    assert backups_of(trail_dir, policy, [tmp_path / "tuesday", tmp_path / "x"]) == (
        trail_dir / "copies/monday",
        tmp_path / "tuesday",
        tmp_path / "x",
    )


def test_what_a_copy_lacks_is_not_in_it(trail_dir: Path, tmp_path: Path) -> None:
    """A copy without its identity map holds no row of it, and still is a copy."""
    with opened(trail_dir) as trail:
        ask(trail, 1)
    backup = copy_trail(trail_dir, tmp_path / "partial")
    (backup / IDENTITY).unlink()
    (backup / JOURNAL).unlink()

    for name in (names.IDENTITY_SEAL, names.TEXT_HASH, names.checkpoint_key(Log.AUDIT)):
        (uses,) = counted(trail_dir, name, backup)
        assert uses.total > 0
        there = [one.count for one in uses.places if one.place.startswith("backup")]
        assert there
        assert not any(there)


def test_a_directory_that_cannot_be_listed_or_read_is_an_error(
    trail_dir: Path,
) -> None:
    """What nobody could look at must not count as empty."""
    copy = Copy(trail_dir)
    with pytest.raises(StorageError, match="cannot list"):
        copy.files("policy.yaml")
    with pytest.raises(StorageError, match="cannot read"):
        copy.head_of(trail_dir / "keys", 9)


def test_what_cannot_be_read_is_no_zero(trail_dir: Path) -> None:
    """A database that is none says nothing about its keys."""
    (trail_dir / IDENTITY).write_bytes(b"not a database, and longer than a header" * 9)

    with pytest.raises(StorageError, match="identity"):
        counted(trail_dir, names.IDENTITY_INDEX)


def test_every_column_of_keyed_hashes_is_known() -> None:
    """A column that is added to a record must be counted by itself."""
    text = {log: set(hash_columns(log, names.TEXT_HASH)) for log in Log}

    assert text == {
        Log.AUDIT: {
            *("query_hash", "query_hash_norm", "response_hash", "response_hash_norm")
        },
        Log.SECURITY: {
            *("query_hash", "query_hash_norm", "response_hash", "response_hash_norm"),
            "value_hashes",
        },
        Log.QUALITY: {"retrieved_document_hashes"},
    }
    assert hash_columns(Log.QUALITY, names.RATER) == {"rater": False}


# --- nothing is lost between versions ---

STEPS = ("ask", "rate", "publish", "tables", "rekey", *sorted(names.kinds_of_keys()))


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(st.sampled_from(STEPS), min_size=4, max_size=10))
def test_the_counts_of_all_versions_are_all_that_there_is(
    founded: Path, tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    """Whatever was recorded and rotated, each thing stands under exactly one version."""
    directory = copy_trail(founded, tmp_path_factory.mktemp("uses") / "trail")
    with opened(directory) as trail:
        for number, step in enumerate(("ask", *steps)):
            if step == "ask":
                ask(trail, number)
            elif step == "rate":
                rate(trail, number)
            elif step == "publish":
                publish_once(directory)
            elif step == "tables":
                advance_tables(trail, NOW, close_rows=1)
            elif step == "rekey":
                rekey_identity(trail, by=BY, now=NOW)
            elif names.kinds_of_keys()[step] is not names.KeyKind.SIGN:
                rotate(trail, step)
        leaves = [leaf for log in Log for leaf in read_leaves(trail, log)]

    def total(name: str) -> int:
        return sum(one.total for one in counted(directory, name))

    fields = {f for log in Log for f in hash_columns(log, names.TEXT_HASH)}
    values = [getattr(leaf, field, None) for leaf in leaves for field in fields]
    hashes = sum(
        len(one) if isinstance(one, tuple) else one is not None for one in values
    )
    assert total(names.TEXT_HASH) == hashes
    assert total(names.RATER) == sum(bool(getattr(x, "rater", "")) for x in leaves)
    subjects = told(directory, IDENTITY, "SELECT count(*) FROM subject")
    assert total(names.IDENTITY_INDEX) == total(names.IDENTITY_SEAL) == subjects
    assert total(names.IDEMPOTENCY) == told(
        directory,
        JOURNAL,
        "SELECT count(*) FROM event WHERE substr(mac, 1, 2) != x'0000'",
    )
    for log in Log:
        bundles = directory.glob(f"state/bundles/{log}/**/*")
        files = sum(place.is_file() for place in bundles)
        files += (directory / f"state/tables/{log}/manifest").exists()
        if log is Log.AUDIT:
            files += len(list((directory / DOCUMENTS).glob("*")))
        rows = f"SELECT count(*) FROM segment WHERE log = '{log}'"
        assert total(names.bundle_key(log)) == files + told(directory, JOURNAL, rows)


def test_facts_of_the_house_are_counted(trail_dir: Path, tmp_path: Path) -> None:
    """Whoever destroys the key that sealed them would leave every user unknown."""
    file = tmp_path / "people.csv"
    file.write_text("user\ndr-a\n")
    with opened(trail_dir) as trail:
        load = FactLoad(FactKind.PEOPLE, file)
        load_facts(trail, load, by="hr", now=NOW)
    (uses,) = counted(trail_dir, names.bundle_key(Log.AUDIT))

    assert in_place(uses, "facts", "tables and index") == 2
