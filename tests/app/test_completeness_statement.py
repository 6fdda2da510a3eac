"""The completeness statement says what is known, no more, and the same tomorrow."""

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from tests.app.sourced import MINUTE, opened, program, register
from tests.app.statement_cases import (
    CASES,
    LATER,
    WEEK,
    bypassing,
    compared,
    crashed,
    dropped,
    golden_of,
    golden_text,
    healthy,
    prepare,
    spooled,
    state,
    stolen,
)
from tests.trails import NOW, found, publish_once, read_leaves, record_events

from phitrail.app.documents import DOCUMENTS
from phitrail.app.statement_checks import check_statement
from phitrail.errors import (
    InputError,
    IntegrityError,
    RefusedError,
    UnverifiableError,
)
from phitrail.events.audit import AuditEvent
from phitrail.events.codes import EventType
from phitrail.events.protected import Protected
from phitrail.evidence.completeness_statement import FIRST_LINE, Known
from phitrail.tlog.layout import public_checkpoint


@pytest.fixture
def week(trail_dir: Path) -> Path:
    """A trail in which a beat an hour is enough."""
    return prepare(trail_dir)


@pytest.fixture(scope="module")
def healthy_week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A week in which nothing happened but work; tests only read it or add to its end."""
    directory = prepare(found(tmp_path_factory.mktemp("statement") / "trail"))
    healthy(directory)
    return directory


@pytest.mark.parametrize("name", CASES)
def test_a_week_reads_as_its_golden(week: Path, name: str) -> None:
    """What a statement says in which case is reviewed as a diff."""
    CASES[name](week)

    assert golden_text(state(week)) == golden_of(name).read_text(encoding="utf-8")


def test_a_healthy_week_shows_nothing(healthy_week: Path) -> None:
    """A statement that always finds something is read by nobody."""
    known = state(healthy_week).statement.known

    assert known.is_complete
    assert (known.received.unnumbered, known.open.count) == (0, 0)
    assert known.reconciled.state == "numbered, not reconciled"


@pytest.mark.drill
def test_a_program_that_numbers_nothing_is_counted_apart(week: Path) -> None:
    """What has no number cannot be missed: that must be said, with how many there are."""
    bypassing(week)
    made = state(week).statement

    assert made.known.received.unnumbered == 3
    assert "3 of them without a number of a source" in made.words


@pytest.mark.drill
def test_calls_that_went_past_us_show_by_somebody_else_s_count(week: Path) -> None:
    """A bypassing application leaves nothing here; only another count has it."""
    compared(week)
    made = state(week).statement

    assert not made.known.is_complete
    assert made.known.reconciled.comparisons[0].theirs_only == 2
    assert "2 only they have" in made.words


@pytest.mark.drill
def test_a_crashed_worker_is_said_to_be_one(week: Path) -> None:
    """Nobody knows what it did last, or what became of the access that it had open."""
    crashed(week)
    known = state(week).statement.known

    assert not known.is_complete
    assert (known.missing.crashed_count, known.missing.numbers) == (1, 0)
    assert (known.open.count, known.open.treated_as_released) == (1, 1)


@pytest.mark.drill
def test_a_dropped_batch_is_named_number_by_number(week: Path) -> None:
    """Five events that were lost on their way are exactly the five that are missing."""
    dropped(week)
    known = state(week).statement.known
    (gap,) = known.missing.gaps

    assert not known.is_complete
    assert (known.missing.numbers, gap.last - gap.first + 1) == (5, 5)


@pytest.mark.drill
def test_a_thief_with_a_replaced_credential_proves_nothing(week: Path) -> None:
    """What he numbers stands in the log, and is said to be nobody knows whose."""
    stolen(week)
    known = state(week).statement.known

    assert not known.is_complete
    assert [one.why for one in known.missing.unproven] == [
        "step 2: note: no known key has signed it"
    ]


def test_a_spool_of_days_is_said_and_its_events_are_there(week: Path) -> None:
    """Events that waited six days are not missing, and did not come as others do."""
    spooled(week)
    known = state(week).statement.known
    (spool,) = known.missing.spooled

    assert not known.is_complete
    assert (spool.events, spool.is_whole, known.missing.numbers) == (5, True, 0)
    assert known.received.late == 5


def test_a_registered_source_that_was_never_heard_is_named(week: Path) -> None:
    """A program that was never started leaves no number that could be missing."""
    register(week, "gateway", NOW)
    known = state(week).statement.known

    assert (known.missing.unheard, known.is_complete) == (("gateway",), False)
    assert known.reconciled.state == "neither numbered nor reconciled"


def test_yesterday_s_statement_comes_out_the_same_tomorrow(week: Path) -> None:
    """A number that is quoted in a letter must not change under the reader."""
    credential = register(week, "assistant", NOW)
    with program(week, credential, NOW) as one:
        one.record(NOW)
        first, _ = one.drop(2)
        one.record(NOW + MINUTE)
        before = state(week, until=NOW + timedelta(hours=1), now=NOW + 2 * 60 * MINUTE)
        one.late(first, NOW + timedelta(days=1))
        one.close(NOW + timedelta(days=1))
    tomorrow = NOW + timedelta(days=2)
    same = state(
        week, until=NOW + timedelta(hours=1), now=tomorrow, again=before.statement
    )
    anew = state(week, until=NOW + timedelta(hours=1), now=tomorrow)

    assert encoded(same.statement.known) == encoded(before.statement.known)
    assert before.statement.known.missing.numbers == 2
    assert anew.statement.known.missing.numbers == 1
    assert anew.statement.known.known_at != before.statement.known.known_at


def encoded(known: Known) -> bytes:
    """Give the bytes of what is known."""
    return msgspec.json.encode(known, order="sorted")


def test_a_gap_at_the_end_of_the_window_belongs_to_it(week: Path) -> None:
    """A batch that is dropped just before midnight is noticed after it."""
    credential = register(week, "assistant", NOW)
    midnight = NOW + timedelta(hours=12)
    with program(week, credential, NOW) as one:
        one.beat(midnight - 2 * MINUTE)
        one.drop(3)
        one.beat(midnight + MINUTE)
        one.beat(midnight + 30 * MINUTE)
        one.drop(4)
        one.close(midnight + 31 * MINUTE)
    before = state(week, until=midnight).statement.known
    after = state(week, since=midnight).statement.known

    assert before.missing.numbers == 3
    assert after.missing.numbers == 7


def test_what_is_missing_is_never_narrowed_to_a_person(week: Path) -> None:
    """A lost event may be of anybody: to count it for nobody would be a false comfort."""
    dropped(week)
    asked = {
        "nobody": state(week, user="dr-9999").statement,
        "patient": state(week, patient_id=Protected("mrn-1")).statement,
        "stranger": state(week, patient_id=Protected("mrn-99")).statement,
        "source": state(week, source="gateway").statement,
    }
    counts = {
        name: (one.known.received.total.events, one.known.missing.numbers)
        for name, one in asked.items()
    }

    assert counts == {
        "nobody": (0, 5),
        "patient": (7, 5),
        "stranger": (0, 5),
        "source": (0, 0),
    }
    assert "cannot be attributed to a person" in asked["nobody"].words


def test_looking_a_patient_up_is_recorded_and_limited(healthy_week: Path) -> None:
    """The statement must not become a way round the limit on look-ups."""
    policy = healthy_week / "policy.yaml"
    text = policy.read_text()
    policy.write_text("identity_lookups_per_hour: 0\nsource_silent_after_s: 7200\n")
    try:
        with pytest.raises(RefusedError):
            state(healthy_week, patient_id=Protected("mrn-1"))
    finally:
        policy.write_text(text)


def test_that_one_was_made_is_on_record(healthy_week: Path) -> None:
    """Who asked about whom is itself a read of the log."""
    made = state(healthy_week).statement
    with opened(healthy_week) as trail:
        event = read_leaves(trail)[made.made.index]

    assert isinstance(event, AuditEvent)
    assert event.event_type == EventType.AUDIT_LOG_READ
    assert (event.user_id, event.reason_code) == ("officer", "completeness_statement")
    assert event.result_count == made.known.received.total.events


def test_it_verifies_against_the_trail_and_a_copy_of_its_public_part(
    healthy_week: Path, tmp_path: Path
) -> None:
    """Whoever is handed one checks it with what anybody may have."""
    made = state(healthy_week)
    publish_once(healthy_week)
    (healthy_week / "public").rename(tmp_path / "public")
    try:
        read = check_statement(tmp_path, made.note)
    finally:
        (tmp_path / "public").rename(healthy_week / "public")

    assert read == made.statement


def test_a_statement_that_nothing_here_covers_is_not_verified(week: Path) -> None:
    """A copy from before cannot say whether the log went on to what is claimed."""
    healthy(week)
    made = state(week)

    with pytest.raises(UnverifiableError, match="a checkpoint here covers"):
        check_statement(week, made.note)


def test_an_altered_statement_is_refused(healthy_week: Path) -> None:
    """A figure that was made smaller, or another's words, must not pass."""
    note = state(healthy_week).note
    publish_once(healthy_week)
    for old, new in (
        (b'"numbers":0', b'"numbers":1'),
        (b"nothing is known to be missing", b"much was found to be missing"),
        (FIRST_LINE.encode(), b"phitrail/completeness-statement/v2"),
        (b'"made":{', b'"made": {'),
        (b'"events":14', b'"events":"a"'),
    ):
        assert old in note
        with pytest.raises(IntegrityError):
            check_statement(healthy_week, note.replace(old, new, 1))
    check_statement(healthy_week, note)


def test_a_checkpoint_is_no_statement(healthy_week: Path) -> None:
    """The same key signs both: neither may pass for the other."""
    publish_once(healthy_week)
    note = (healthy_week / public_checkpoint("audit")).read_bytes()

    with pytest.raises(IntegrityError, match="this is no statement"):
        check_statement(healthy_week, note)


def test_a_statement_of_another_trail_is_refused(
    healthy_week: Path, tmp_path: Path
) -> None:
    """Another house of the same name, or this one made anew, has other keys."""
    note = state(healthy_week).note

    with pytest.raises(IntegrityError, match="no known key"):
        check_statement(found(tmp_path / "trail"), note)


def test_it_is_made_again_only_over_the_same_logs(
    healthy_week: Path, tmp_path: Path
) -> None:
    """Sizes alone say nothing: another log may be as long."""
    made = state(healthy_week).statement
    other = prepare(found(tmp_path / "trail"))
    with pytest.raises(InputError, match="smaller"):
        state(other, again=made)
    healthy(other)
    record_events(other, range(60))

    with pytest.raises(IntegrityError, match="roots differ"):
        state(other, again=made)


def test_a_comparison_whose_report_is_gone_is_not_passed_over(week: Path) -> None:
    """Deleting what differed must not turn into a record that agrees."""
    compared(week)
    for report in (week / DOCUMENTS).iterdir():
        report.unlink()

    with pytest.raises(IntegrityError, match="restore it from the archive"):
        state(week)


def test_what_a_place_outside_holds_is_said(week: Path) -> None:
    """How much of the log could still be rewritten unseen is part of what is known."""
    healthy(week)
    publish_once(week)
    note = (week / public_checkpoint("audit")).read_bytes()
    outside = week / "state" / "outside"
    outside.mkdir(exist_ok=True)
    (outside / "officer.note").write_bytes(note)
    made = state(week, is_verifying=True).statement
    audit, security, _ = made.support

    assert (audit.anchored, audit.anchored_by) == (audit.size, ("officer.note",))
    assert (audit.verified, audit.findings) == (audit.size, 0)
    assert security.anchored == 0
    assert f"The first {audit.size} entries of the audit log were derived" in made.words


def test_a_window_must_be_one(healthy_week: Path) -> None:
    """A statement over no time would say that nothing is missing."""
    with pytest.raises(InputError, match="--from"):
        state(healthy_week, since=NOW + WEEK, until=NOW)
    with pytest.raises(InputError, match="--from"):
        state(healthy_week, since=LATER + WEEK, until=LATER + 2 * WEEK)
    with pytest.raises(InputError, match="--patient"):
        state(healthy_week, patient="mrn-1")
    with pytest.raises(InputError, match="--patient"):
        state(healthy_week, patient="A" * 43, patient_id=Protected("mrn-1"))
