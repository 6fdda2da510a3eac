"""Asking a trail: the answers are the log's, recorded first, proven if wanted."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.trails import NOW, found

from phitrail.app import clock, query_filter
from phitrail.app.documents import open_document
from phitrail.app.query import Question, ask, write_proofs
from phitrail.app.query_answer import Answer
from phitrail.app.query_filter import Filter
from phitrail.app.running import RunningTrail, run_trail
from phitrail.app.table_checks import verify_tables
from phitrail.app.tables import advance_tables, rebuild_tables
from phitrail.errors import ConfigError, InputError, IntegrityError, RefusedError
from phitrail.events.audit import AuditEvent
from phitrail.events.codes import Action, EventType, Log, Outcome
from phitrail.events.ids import format_time, new_uuid7
from phitrail.events.protected import Protected
from phitrail.events.quality import QualityEntry
from phitrail.projection.segments import TABLES
from phitrail.tlog.checkpoint import open_checkpoint
from phitrail.tlog.hashing import hash_leaf
from phitrail.tlog.note import parse_vkey
from phitrail.tlog.proof import verify_inclusion
from phitrail.tlog.proof_file import parse_proof

BY = "officer-7"
START = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


def access_of(number: int) -> str:
    """Give the same access id for the same number."""
    return new_uuid7(START, number.to_bytes(10, "big"))


def events(number: int) -> Iterator[AuditEvent[Any, Any, Any] | QualityEntry]:
    """Make one access: a read, a prompt, a closing; every fifth is left open."""
    moment = START + timedelta(hours=number)
    who: dict[str, Any] = {
        "access_id": access_of(number),
        "timestamp_utc": format_time(moment),
        "user_id": f"dr-{number % 3}",
        "department": ("cardiology", "surgery")[number % 2],
        "use_case": ("chart_qa", "coding")[number % 2],
        "session_id": f"s-{number % 4}",
        "request_id": f"r-{number}",
    }
    records = [
        (Protected(f"mrn-{number % 4}"), Protected(f"n-{number}"), "Observation")
    ]
    if number % 6 == 0:
        records.append((Protected("mrn-3"), Protected(f"c-{number}"), "Condition"))
    yield AuditEvent(
        event_type=EventType.PHI_READ,
        action=Action.RETRIEVE,
        records=tuple(records),
        **who,
    )
    yield AuditEvent(
        event_type=EventType.AI_INFERENCE_WITH_PHI,
        action=Action.INFER,
        resource_type="ai_prompt",
        ai_model_id="extractive-demo",
        **who,
    )
    if number % 5:
        outcome = (Outcome.RELEASED, Outcome.BLOCKED)[number % 2]
        yield AuditEvent(event_type=EventType.ACCESS_CLOSED, outcome=outcome, **who)
        yield QualityEntry(request_id=f"r-{number}", model_id="extractive-demo")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trail of 24 accesses: half in segments, half in the tail."""
    directory = found(tmp_path_factory.mktemp("query") / "trail")
    with run_trail(directory) as running:
        for number in range(24):
            for event in events(number):
                running.parts.recorder.record(event, START)
            if number in {5, 11}:
                advance_tables(running.parts, NOW, close_rows=1)
    return directory


@pytest.fixture
def trail(made: Path) -> Iterator[RunningTrail]:
    """The trail, open."""
    with run_trail(made) as running:
        yield running


def leaves(trail: RunningTrail, log: Log = Log.AUDIT) -> list[dict[str, Any]]:
    """Read a whole log, each leaf with its index."""
    with closing(trail.parts.reader(log)) as reader:
        return [
            {"idx": n} | msgspec.json.decode(leaf)
            for n, leaf in enumerate(reader.entries(0, reader.size()))
        ]


def query(trail: RunningTrail, question: Question | Filter) -> Answer:
    """Ask as the officer."""
    if isinstance(question, Filter):
        question = Question(question)
    return ask(trail.parts, question, by=BY, now=clock.now())


def indexes(answer: Answer) -> list[int]:
    """List the entries of an answer."""
    return list(answer.rows["idx"].to_pylist())


def surrogate_of(trail: RunningTrail, number: int) -> str:
    """Find the surrogate of a patient in the log: the first of that access's records."""
    for leaf in leaves(trail):
        if leaf.get("access_id") == access_of(number) and "records" in leaf:
            return str(leaf["records"][0][0])
    raise AssertionError


FILTERS: list[tuple[dict[str, Any], Callable[[dict[str, Any]], bool]]] = [
    ({"user": "dr-1"}, lambda e: e.get("user_id") == "dr-1"),
    (
        {"event_type": EventType.ACCESS_CLOSED},
        lambda e: e.get("event_type") == "access_closed",
    ),
    ({"action": Action.INFER}, lambda e: e.get("action") == "infer"),
    ({"outcome": Outcome.BLOCKED}, lambda e: e.get("outcome") == "blocked"),
    ({"use_case": "coding"}, lambda e: e.get("use_case") == "coding"),
    ({"model": "extractive-demo"}, lambda e: e.get("ai_model_id") == "extractive-demo"),
    ({"department": "surgery"}, lambda e: e.get("department") == "surgery"),
    ({"session": "s-2"}, lambda e: e.get("session_id") == "s-2"),
    ({"request": "r-7"}, lambda e: e.get("request_id") == "r-7"),
    ({"access": access_of(7)}, lambda e: e.get("access_id") == access_of(7)),
    ({"source": "nobody"}, lambda e: e.get("source_id") == "nobody"),
    (
        {"resource_type": "Condition"},
        lambda e: any(r[2] == "Condition" for r in e.get("records", ())),
    ),
    ({"resource_type": "ai_prompt"}, lambda e: e.get("resource_type") == "ai_prompt"),
    (
        {"since": format_time(START + timedelta(hours=3)), "use_case": "coding"},
        lambda e: (
            e.get("use_case") == "coding"
            and e["timestamp_utc"] >= format_time(START + timedelta(hours=3))
        ),
    ),
    (
        {"user": "dr-0", "until": format_time(START + timedelta(hours=9))},
        lambda e: (
            e.get("user_id") == "dr-0"
            and e["timestamp_utc"] < format_time(START + timedelta(hours=9))
        ),
    ),
]


@pytest.mark.parametrize(
    ("given", "holds"), FILTERS, ids=[str(given)[:40] for given, _ in FILTERS]
)
def test_a_filter_finds_what_a_scan_of_the_log_finds(
    trail: RunningTrail,
    given: dict[str, Any],
    holds: Callable[[dict[str, Any]], bool],
) -> None:
    """An entry that a filter misses is an access that nobody reviews."""
    expected = [leaf["idx"] for leaf in leaves(trail) if holds(leaf)]

    assert expected == indexes(query(trail, Filter(**given)))


@pytest.mark.parametrize("number", [0, 1, 3])
def test_a_patient_is_found_by_surrogate_with_and_without_more(
    trail: RunningTrail, number: int
) -> None:
    """Several patients in one event, segments and tail: none may hide another."""
    patient = surrogate_of(trail, number)
    touching = [
        leaf
        for leaf in leaves(trail)
        if any(r[0] == patient for r in leaf.get("records", ()))
    ]

    answer = query(trail, Filter(patient=patient))
    by_user = query(trail, Filter(patient=patient, user="dr-1"))

    assert [leaf["idx"] for leaf in touching] == indexes(answer)
    expected = [leaf["idx"] for leaf in touching if leaf["user_id"] == "dr-1"]
    assert expected == indexes(by_user)


def test_a_timeline_says_what_each_access_led_to(trail: RunningTrail) -> None:
    """The closings name no patient; without them nobody sees what was released."""
    patient = surrogate_of(trail, 3)
    accesses = {
        leaf["access_id"]
        for leaf in leaves(trail)
        if any(r[0] == patient for r in leaf.get("records", ()))
    }
    expected = sorted(
        leaf["idx"] for leaf in leaves(trail) if leaf.get("access_id") in accesses
    )

    answer = query(trail, Filter(patient=patient, with_accesses=True))

    times = answer.rows["timestamp_utc"].to_pylist()
    assert times == sorted(times)
    assert expected == sorted(indexes(answer))


def test_many_rows_are_found_as_few_are(
    trail: RunningTrail, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long lists go another way to DuckDB; the answer must not depend on it."""
    wanted = (
        Filter(department="surgery"),
        Filter(patient=surrogate_of(trail, 3), with_accesses=True),
    )
    few = [query(trail, each).rows.to_pylist() for each in wanted]
    monkeypatch.setattr(query_filter, "MANY", 3)
    many = [query(trail, each).rows.to_pylist() for each in wanted]

    assert few == many


def test_an_identifier_finds_its_patient_and_is_recorded(trail: RunningTrail) -> None:
    """Who looks a patient up leaves a trace, whether the patient is known or not."""
    before = len(leaves(trail))

    known = query(trail, Question(Filter(), patient_id=Protected("mrn-1")))
    unknown = query(trail, Question(Filter(), patient_id=Protected("mrn-999")))

    assert indexes(query(trail, Filter(patient=surrogate_of(trail, 1)))) == indexes(
        known
    )
    assert indexes(unknown) == []
    added = leaves(trail)[before:]
    looked_up = [e for e in added if e["event_type"] == "identity_looked_up"]
    assert [(e["user_id"], e["result_count"]) for e in looked_up] == [
        ("officer-7", 1),
        ("officer-7", 0),
    ]
    assert b"mrn-" not in msgspec.json.encode(added)


def test_looking_up_makes_no_identity(trail: RunningTrail) -> None:
    """A question about a stranger must not enter him into the identity map."""
    query(trail, Question(Filter(), patient_id=Protected("mrn-stranger")))

    assert trail.parts.identity.find(("mrn", "mrn-stranger")) is None


def test_too_many_lookups_within_an_hour_are_refused(tmp_path: Path) -> None:
    """Trying identifiers one by one is how a list of patients is stolen."""
    directory = found(tmp_path / "trail")
    policy = directory / "policy.yaml"
    text = policy.read_text(encoding="utf-8")
    policy.write_text(
        text.replace("identity_lookups_per_hour: 60", "identity_lookups_per_hour: 2"),
        encoding="utf-8",
    )
    with run_trail(directory) as running:
        for _ in range(2):
            query(running, Question(Filter(), patient_id=Protected("mrn-1")))
        with pytest.raises(RefusedError):
            query(running, Question(Filter(), patient_id=Protected("mrn-1")))
        hour_later = clock.now() + timedelta(minutes=61)
        ask(
            running.parts,
            Question(Filter(), patient_id=Protected("mrn-1")),
            by=BY,
            now=hour_later,
        )


def test_every_question_is_recorded_with_its_digest_and_count(
    trail: RunningTrail,
) -> None:
    """A read that leaves no trace makes the audit log readable in secret."""
    wanted = Filter(user="dr-2")
    answer = query(trail, wanted)
    query(trail, Filter(log=Log.QUALITY))
    query(trail, Filter(sql="SELECT 1 AS one"))

    reads = [e for e in leaves(trail) if e.get("reason_code") == "log_query"][-3:]

    assert [("audit", answer.rows.num_rows), ("quality", 20), ("audit", 1)] == [
        (e["read_log"], e["result_count"]) for e in reads
    ]
    assert hashlib.sha256(wanted.text()).hexdigest() == reads[0]["object_digest"]
    assert open_document(trail.parts, str(reads[0]["object_digest"])) == wanted.text()
    assert reads[0]["user_id"] == BY


def test_pages_follow_each_other_without_gap_or_overlap(trail: RunningTrail) -> None:
    """A page that repeats or skips an entry makes two reviewers see two logs."""
    whole = indexes(query(trail, Filter(department="surgery")))
    pages: list[int] = []
    after: int | None = -1
    while after is not None:
        page = query(trail, Filter(department="surgery", after=after, limit=7))
        pages += indexes(page)
        after = page.next_after

    assert whole == pages


def test_as_of_covers_what_is_durable_and_not_the_question(trail: RunningTrail) -> None:
    """An entry that was committed a moment ago must be in the answer."""
    trail.parts.recorder.record(
        AuditEvent(event_type=EventType.PHI_EXPORT, user_id="dr-fresh"), clock.now()
    )
    size = len(leaves(trail))

    answer = query(trail, Filter(user="dr-fresh"))

    assert size == answer.as_of["audit"]
    assert size - 1 in indexes(answer)


def test_proofs_of_an_answer_convince_an_outsider(
    trail: RunningTrail, tmp_path: Path
) -> None:
    """The point of asking a log and not a database: each row can be proven."""
    answer = query(trail, Filter(user="dr-1"))

    count = write_proofs(trail, answer, tmp_path / "proofs")

    vkey = parse_vkey((tmp_path / "proofs/vkey").read_text(encoding="ascii").strip())
    assert len(indexes(answer)) == count
    for index in indexes(answer):
        parsed = parse_proof(
            (tmp_path / f"proofs/audit-{index}.tlog-proof").read_bytes()
        )
        leaf = (tmp_path / f"proofs/audit-{index}.leaf").read_bytes()
        checkpoint = open_checkpoint(parsed.checkpoint_note, [vkey])
        assert index == parsed.index
        verify_inclusion(
            leaf=hash_leaf(leaf),
            index=index,
            size=checkpoint.size,
            proof=parsed.proof,
            root=checkpoint.root,
        )
        assert msgspec.json.decode(leaf)["user_id"] == "dr-1"


@pytest.mark.parametrize(
    "wanted",
    [
        Filter(user="two words"),
        Filter(patient="short"),
        Filter(access="no-uuid"),
        Filter(log=Log.QUALITY, user="dr-1"),
        Filter(log=Log.QUALITY, patient="A" * 43),
        Filter(log=Log.SECURITY, with_accesses=True),
        Filter(since="yesterday"),
        Filter(limit=0),
        Filter(sql="DELETE FROM audit"),
    ],
)
def test_a_filter_that_does_not_fit_is_refused_and_named(
    trail: RunningTrail, wanted: Filter
) -> None:
    """A typing error must not look like an empty answer."""
    with pytest.raises(InputError) as caught:
        query(trail, wanted)

    assert caught.value.field


@pytest.mark.drill
def test_a_changed_table_is_found_and_made_again(made: Path) -> None:
    """A changed byte is noticed; the tables come back from the log alone."""
    with run_trail(made) as running:
        advance_tables(running.parts, NOW, close_rows=1)
        before = indexes(query(running, Filter(user="dr-1")))
    assert not any(check.findings for check in verify_tables(made))
    place = next((made / TABLES / "audit").glob("events-*.parquet"))
    data = bytearray(place.read_bytes())
    data[len(data) // 3] ^= 1
    place.write_bytes(bytes(data))

    findings = [check for check in verify_tables(made) if check.findings]
    assert [check.log for check in findings] == [Log.AUDIT]
    assert place.name in findings[0].findings[0]

    rebuild_tables(made, tuple(Log), processes=2, rows=25)
    assert not any(check.findings for check in verify_tables(made))
    with run_trail(made) as running:
        assert before == indexes(query(running, Filter(user="dr-1")))


@pytest.mark.drill
def test_a_log_shorter_than_its_tables_is_found(made: Path) -> None:
    """Tables ahead of the log are the trace of a log that was cut."""
    with run_trail(made) as running:
        advance_tables(running.parts, NOW, close_rows=1)
        store_sizes = {c.log: c.size for c in verify_tables(made)}
    manifest = made / TABLES / "quality/manifest"
    other = made / TABLES / "audit/manifest"
    kept = manifest.read_bytes()
    manifest.write_bytes(other.read_bytes())

    findings = {c.log: c.findings for c in verify_tables(made)}
    manifest.write_bytes(kept)

    assert store_sizes[Log.AUDIT] > store_sizes[Log.QUALITY]
    assert "log rebuild" in findings[Log.QUALITY][0]


def test_an_unencrypted_volume_is_refused_where_policy_asks(tmp_path: Path) -> None:
    """What policy says of the volume is checked before a row is written (ADR 0005)."""
    directory = found(tmp_path / "trail")
    policy = directory / "policy.yaml"
    text = policy.read_text(encoding="utf-8")
    policy.write_text(
        text.replace("encrypted_volume: false", "encrypted_volume: true"),
        encoding="utf-8",
    )

    with pytest.raises(ConfigError, match="dm-crypt"), run_trail(directory) as running:
        query(running, Filter())
    with pytest.raises(ConfigError, match="dm-crypt"):
        rebuild_tables(directory, (Log.AUDIT,), processes=1)
    assert not (directory / TABLES).exists()


def test_nothing_is_shown_if_the_read_cannot_be_recorded(made: Path) -> None:
    """Answer first and record later would be a way to read in secret."""
    with run_trail(made) as running:
        running.parts.stop_writing()
        with pytest.raises(Exception, match=r".") as caught:
            query(running, Filter(user="dr-1"))

    assert not isinstance(caught.value, IntegrityError)
