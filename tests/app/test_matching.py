"""A pasted text is found by its keyed hashes, and the log itself must bear the answer out."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.trails import NOW, copy_trail, read_leaves, record_events

from phitrail.app import clock
from phitrail.app.documents import open_document
from phitrail.app.key_change import KeyChange, changing_keys, make_change
from phitrail.app.key_rotation import rotate_key
from phitrail.app.matching import (
    MatchDocument,
    Matching,
    Side,
    fields_of,
    match_text,
)
from phitrail.app.running import run_trail
from phitrail.app.table_store import open_store
from phitrail.app.tables import advance_tables, rebuild_tables
from phitrail.app.wiring import Trail, open_trail
from phitrail.capture.text_match import MatchedForm
from phitrail.errors import InputError, IntegrityError
from phitrail.events.audit import AuditEvent
from phitrail.events.codes import EventType, Log
from phitrail.events.ids import format_time
from phitrail.events.protected import Protected
from phitrail.keys.names import TEXT_HASH, KeyId
from phitrail.keys.register import move
from phitrail.keys.states import KeyState
from phitrail.projection.segments import Manifest, hash_file
from phitrail.sdk.connect import connect
from phitrail.tlog.checkpoint import open_checkpoint
from phitrail.tlog.hashing import hash_leaf
from phitrail.tlog.note import parse_vkey
from phitrail.tlog.proof import verify_inclusion
from phitrail.tlog.proof_file import parse_proof

BY = "officer-7"
QUESTION = "Which medication was stopped on the ward?"
ANSWER = "Metoprolol was stopped.\nCanary-of-the-answer stays."
STREAMED = ("The dose ", "was halved ", "on Monday.")
OBSERVED = "An answer that was shown before anybody recorded it."


def use(directory: Path) -> None:
    """Leave one access, one streamed, one observed, one without any text."""
    who = {"user_id": "dr-0012", "user_role": "physician", "use_case": "chart_qa"}
    records = [("mrn-1", "note-7", "DocumentReference")]
    with connect(directory) as trail:
        with trail.access(**who) as access:
            access.retrieved(records, query=QUESTION)
            access.infer(model_id="extractive-demo", model_version="1")
            access.release(ANSWER)
        with trail.access(**who) as access:
            access.infer(model_id="extractive-demo", model_version="2")
            assert "".join(access.stream(STREAMED)) == "".join(STREAMED)
        trail.log_phi_access(
            "dr-3", "physician", "cardiology", None, ["note-9"], OBSERVED, None
        )
        trail.record(AuditEvent(event_type=EventType.PHI_READ, user_id="dr-4"))


@pytest.fixture(scope="module")
def made(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trail that was used; nobody may write it: copy it."""
    directory = copy_trail(founded, tmp_path_factory.mktemp("matching") / "trail")
    use(directory)
    return directory


@pytest.fixture
def directory(made: Path, tmp_path: Path) -> Path:
    """A copy of the trail."""
    return copy_trail(made, tmp_path / "trail")


def match(
    directory: Path, text: str, side: Side = Side.ANSWER, *, limit: int = 100
) -> Matching:
    """Look for a text."""
    with run_trail(directory) as running:
        return match_text(
            running, Protected(text), side, limit=limit, by=BY, now=clock.now()
        )


def forms(matching: Matching) -> list[MatchedForm]:
    """Say in which form each entry was found."""
    return [entry.form for entry in matching.entries]


@contextmanager
def opened(directory: Path) -> Iterator[Trail]:
    """Open a trail without its pipeline."""
    with closing(open_trail(directory)) as trail:
        yield trail


# --- found, and not found ---


def test_an_answer_is_found_with_its_model_and_a_proof_for_outsiders(
    directory: Path,
) -> None:
    """Whoever holds the text of an answer must learn which model said it, and prove it."""
    matching = match(directory, ANSWER)

    (found,) = matching.entries
    fields = fields_of(found.proven)
    assert (found.form, found.key_version) == (MatchedForm.EXACT, 1)
    assert fields["event_type"] == "access_closed"
    assert (fields["ai_model_id"], fields["ai_model_version"]) == (
        "extractive-demo",
        "1",
    )
    assert found.model == found.proven
    parsed = parse_proof(found.proven.proof_file)
    checkpoint = open_checkpoint(
        parsed.checkpoint_note, [parse_vkey(found.proven.vkey)]
    )
    verify_inclusion(
        leaf=hash_leaf(found.proven.entry.leaf),
        index=parsed.index,
        size=checkpoint.size,
        proof=parsed.proof,
        root=checkpoint.root,
    )


def test_a_question_is_found_with_the_model_that_its_access_asked(
    directory: Path,
) -> None:
    """The entry that holds the question names no model; another of the access does."""
    matching = match(directory, QUESTION, Side.QUERY)

    (found,) = matching.entries
    assert "ai_model_id" not in fields_of(found.proven)
    assert found.model is not None
    assert fields_of(found.model)["ai_model_version"] == "1"
    assert fields_of(found.model)["access_id"] == fields_of(found.proven)["access_id"]
    assert len(matching.proofs) == 2


def test_a_question_is_no_answer(directory: Path) -> None:
    """What was asked must not be shown as what a model said."""
    assert not match(directory, QUESTION, Side.ANSWER).entries
    assert not match(directory, ANSWER, Side.QUERY).entries


@pytest.mark.parametrize("text", ["".join(STREAMED), OBSERVED])
def test_streamed_and_observed_answers_are_found_whole(
    directory: Path, text: str
) -> None:
    """An answer must be found however it went out, and never by one of its pieces."""
    assert forms(match(directory, text)) == [MatchedForm.EXACT]
    assert not match(directory, text[:9]).entries


def test_what_went_out_of_a_stream_that_was_left_is_found(directory: Path) -> None:
    """A reader who closed the page holds a part; it is what was disclosed."""
    with connect(directory) as trail, trail.access(user_id="dr-0012") as access:
        access.infer(model_id="extractive-demo", model_version="1")
        pieces = access.stream(STREAMED)
        seen = next(pieces) + next(pieces)
        pieces.close()

    (found,) = match(directory, seen).entries
    assert fields_of(found.proven)["outcome"] == "partly_released"


@pytest.mark.drill
@pytest.mark.parametrize(
    ("pasted", "expected"),
    [
        (ANSWER + "\n", ["exact_without_final_line_break"]),
        (ANSWER.replace("\n", "  "), ["normalised"]),
        (ANSWER.upper(), ["normalised"]),
        (f"  {ANSWER}\n\n", ["normalised"]),
        (ANSWER.replace("stopped", "stoppet"), []),
        (ANSWER[:-1], []),
        (ANSWER + "?", []),
    ],
)
def test_the_very_text_is_told_from_the_same_words(
    directory: Path, pasted: str, expected: list[str]
) -> None:
    """One other letter is another answer; other spacing is the same words, said so."""
    assert expected == forms(match(directory, pasted))


def test_every_entry_that_matches_is_found_up_to_a_number(directory: Path) -> None:
    """The same question is asked often; all of it must be there, page by page."""
    use(directory)

    assert len(match(directory, QUESTION, Side.QUERY).entries) == 2
    first = match(directory, QUESTION, Side.QUERY, limit=1)
    assert (len(first.entries), first.seen.has_more) == (1, True)


def test_not_found_says_how_far_it_reaches(directory: Path) -> None:
    """What was looked through, and what could not match, is what the words are worth."""
    missed = match(directory, "Never said.")
    asked = match(directory, "Never asked.", Side.QUERY)

    with opened(directory) as trail:
        entries = len(read_leaves(trail))
    assert (missed.entries, missed.key_versions) == ((), (1,))
    assert (missed.seen.without_hash, missed.seen.other_versions) == (0, 0)
    assert missed.seen.size == entries - 2  # not itself, nor what was asked after it
    assert asked.seen.without_hash == 4  # openings to which no text was given


def test_a_log_without_hashes_of_texts_is_refused(directory: Path) -> None:
    """An empty answer from the quality log would read as "never said"."""
    with run_trail(directory) as running, pytest.raises(InputError, match="--log"):
        match_text(
            running,
            Protected(ANSWER),
            Side.ANSWER,
            log=Log.QUALITY,
            by=BY,
            now=clock.now(),
        )


# --- key versions ---


def rotate_text_key(directory: Path) -> None:
    """Give the text key its next version."""
    with opened(directory) as trail:
        rotate_key(trail, TEXT_HASH, by=BY, reason="a test", now=clock.now())


def test_a_text_is_found_under_every_version_of_the_key(directory: Path) -> None:
    """A rotation of the key must not end what an investigator can find."""
    rotate_text_key(directory)
    use(directory)

    matching = match(directory, ANSWER)

    assert matching.key_versions == (1, 2)
    assert [entry.key_version for entry in matching.entries] == [1, 2]
    assert forms(matching) == [MatchedForm.EXACT] * 2


def destroy_text_key(directory: Path) -> None:
    """Destroy the first version of the text key, whatever stands under it."""
    key_id, now = KeyId(TEXT_HASH, 1), clock.now()
    with opened(directory) as trail, changing_keys(trail) as register:
        after, moved = move(register, key_id, KeyState.DESTROYED, format_time(now))
        change = KeyChange(after, (moved,), removed=(key_id,))
        make_change(trail, change, by=BY, reason="a test", now=now)


def test_a_key_version_that_is_gone_is_told(directory: Path) -> None:
    """What was hashed under a lost key must not pass as "never said"."""
    rotate_text_key(directory)
    use(directory)
    destroy_text_key(directory)

    matching = match(directory, ANSWER)

    assert [entry.key_version for entry in matching.entries] == [2]
    assert matching.seen.other_versions == 3  # the first release, stream and report


def compromise_text_key(directory: Path, version: int) -> None:
    """Say that somebody else may have a version of the text key."""
    key_id, now = KeyId(TEXT_HASH, version), clock.now()
    with opened(directory) as trail, changing_keys(trail) as register:
        after, moved = move(register, key_id, KeyState.COMPROMISED, format_time(now))
        make_change(trail, KeyChange(after, (moved,)), by=BY, reason="a test", now=now)


def test_a_match_under_a_compromised_version_says_so(directory: Path) -> None:
    """It is found, and whoever reads the answer must know that others can find it too."""
    rotate_text_key(directory)
    use(directory)
    compromise_text_key(directory, 1)

    found = match(directory, ANSWER).entries

    assert [(one.key_version, one.is_compromised) for one in found] == [
        (1, True),
        (2, False),
    ]


VERSIONS = 7
"""Six years of yearly rotations."""


@pytest.fixture(scope="module")
def aged(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trail that recorded an answer of its own under each of seven versions."""
    directory = copy_trail(made, tmp_path_factory.mktemp("aged") / "trail")
    for version in range(1, VERSIONS + 1):
        if version > 1:
            rotate_text_key(directory)
        with connect(directory) as trail:
            trail.log_phi_access(
                "dr-3",
                "physician",
                "cardiology",
                None,
                ["n-1"],
                aged_text(version),
                None,
            )
    return directory


def aged_text(version: int) -> str:
    """Give the answer that was recorded under a version."""
    return f"Dose Number {version}\nwas halved."


BENT: Mapping[MatchedForm, Callable[[str], str]] = {
    MatchedForm.EXACT: lambda text: text,
    MatchedForm.EXACT_WITHOUT_LINE_BREAK: lambda text: text + "\n",
    MatchedForm.NORMALISED: lambda text: f" {text.upper()}  ".replace("\n", " \u3000 "),
}


@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(version=st.integers(1, VERSIONS), form=st.sampled_from(sorted(BENT)))
def test_a_text_is_found_under_any_of_seven_versions_in_any_form(
    aged: Path, version: int, form: MatchedForm
) -> None:
    """An investigation of six years ago must not end at a rotation."""
    matching = match(aged, BENT[form](aged_text(version)))

    (found,) = matching.entries
    assert (found.key_version, found.form) == (version, form)
    assert matching.key_versions == tuple(range(1, VERSIONS + 1))
    assert matching.seen.other_versions == 0


# --- the record of the search ---


def test_the_search_is_recorded_with_its_hashes_and_never_the_text(
    directory: Path,
) -> None:
    """Who looks for what a patient was told leaves a trace that does not repeat it."""
    (found,) = match(directory, ANSWER).entries

    with opened(directory) as trail:
        read = read_leaves(trail)[-1]
        assert isinstance(read, AuditEvent)
        assert (read.event_type, read.user_id) == (EventType.AUDIT_LOG_READ, BY)
        assert (read.reason_code, read.result_count) == ("log_match", 1)
        assert read.object_digest is not None
        kept = open_document(trail, read.object_digest)
    assert kept is not None
    assert b"Canary" not in kept
    document = msgspec.json.decode(kept, type=MatchDocument)
    assert document.match is Side.ANSWER
    assert fields_of(found.proven)["response_hash"] in document.hashes


def test_a_search_that_cannot_be_recorded_shows_nothing(directory: Path) -> None:
    """Found first and recorded later means: found without a record, some day."""
    with run_trail(directory) as running:
        running.parts.stop_writing()
        with pytest.raises(Exception, match="closed"):
            match_text(running, Protected(ANSWER), Side.ANSWER, by=BY, now=clock.now())


# --- tables that lie ---


def forge_table(directory: Path, hash_of: str, to: int, *, is_sealed: bool) -> None:
    """Write the answer's hash into the row of another entry, in the Parquet file."""
    with opened(directory) as trail:
        advance_tables(trail, NOW, close_rows=1)
        store = open_store(trail.directory, Log.AUDIT, trail.log_keys["audit"])
    for place in store.directory.glob("*.parquet"):
        table = pq.read_table(place)
        if "response_hash" not in table.column_names:
            continue
        rows = table.to_pylist()
        for row in rows:
            if row["idx"] == to:
                row["response_hash"] = hash_of
        place.chmod(0o600)
        pq.write_table(pa.Table.from_pylist(rows, table.schema), place)
    if is_sealed:
        manifest = msgspec.to_builtins(store.load())
        seal_files(manifest, store.directory)
        store.commit(msgspec.convert(manifest, Manifest))


def seal_files(written: Any, directory: Path) -> None:
    """Put the size and SHA-256 that each file has now into a manifest."""
    if isinstance(written, list | tuple):
        for item in written:
            seal_files(item, directory)
    elif isinstance(written, dict) and "sha256" in written:
        size, digest = hash_file(directory / written["name"])
        written.update(size_bytes=size, sha256=digest)
    elif isinstance(written, dict):
        seal_files(list(written.values()), directory)


def hash_of_answer(directory: Path) -> str:
    """Read the hash under which the answer stands."""
    with opened(directory) as trail:
        (held,) = (
            leaf.response_hash
            for leaf in read_leaves(trail)
            if isinstance(leaf, AuditEvent)
            and leaf.ai_model_version == "1"
            and leaf.response_hash
        )
    return held


@pytest.mark.drill
def test_a_changed_table_ends_the_search(directory: Path) -> None:
    """A file that somebody changed must not answer an investigator."""
    forge_table(directory, hash_of_answer(directory), 1, is_sealed=False)

    with pytest.raises(IntegrityError, match="was changed; the log is not touched"):
        match(directory, "Never said.")


@pytest.mark.drill
def test_a_forged_row_is_held_against_the_log(directory: Path) -> None:
    """Root can seal false tables; an entry that lacks the hash convicts them."""
    forge_table(directory, hash_of_answer(directory), 1, is_sealed=True)

    with pytest.raises(IntegrityError, match="entry 1 what the log does not say"):
        match(directory, ANSWER)

    rebuild_tables(directory, (Log.AUDIT,), processes=1)
    assert forms(match(directory, ANSWER)) == [MatchedForm.EXACT]


def test_an_investigator_may_match_while_the_log_is_written(directory: Path) -> None:
    """A search must need no pause of the clinic."""
    with connect(directory) as trail:
        trail.record(AuditEvent(event_type=EventType.PHI_READ, user_id="dr-5"))
        assert forms(match(directory, ANSWER)) == [MatchedForm.EXACT]
    record_events(directory, range(3))
    assert forms(match(directory, ANSWER)) == [MatchedForm.EXACT]
