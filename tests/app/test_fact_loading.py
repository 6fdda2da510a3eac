"""A file of the house becomes facts: strictly, at once, on record, and unreadable on disk."""

import gzip
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.trails import NOW, read_leaves

from phitrail.app.fact_listing import count_facts, list_facts
from phitrail.app.fact_loading import FactLoad, LoadedFacts, load_facts, zone_named
from phitrail.app.wiring import Trail, open_trail
from phitrail.errors import InputError, IntegrityError, StorageError
from phitrail.events.audit import AuditEvent
from phitrail.events.codes import EventType, Relation
from phitrail.events.protected import Protected
from phitrail.identity.fact_store import FACTS, INDEX
from phitrail.identity.fact_table import FactKind
from phitrail.identity.facts import relations_of

CANARY = "Canary-Wilhelmina"
PEOPLE = (
    "user,state,department,patient,surname,address,street,from,until\n"
    f"dr-a,employed,cardiology,mrn-7,{CANARY},12 Elm St,Elm St,2026-01-01,\n"
    "nurse@clinic.example,,,,Quux,,,,\n"
    "dr-b,left,,,,,,2026-03-01T00:00:00-05:00,\n"
)
PATIENTS = (
    "patient,surname,address,street,vip,deceased,from,until\n"
    f"mrn-8,{CANARY.upper()},12 elm st.,Elm St.,yes,,,\n"
    "mrn-9,Quux,14 Elm St,Elm St,no,2026-06-01,,\n"
)
CARE = "patient,user,department,basis,from,until\nmrn-8,dr-a,,order,2026-01-01,2027-01-01\n"
ROSTER = "user,from,until\ndr-a,2026-11-21T07:00:00-05:00,2026-11-21T19:00:00-05:00\n"
RELATIONS = "user,patient,relation\ndr-b,mrn-9,household\n"
FILES = {
    FactKind.PEOPLE: PEOPLE,
    FactKind.PATIENTS: PATIENTS,
    FactKind.CARE: CARE,
    FactKind.ROSTER: ROSTER,
    FactKind.RELATIONS: RELATIONS,
}


@pytest.fixture
def trail(trail_dir: Path) -> Iterator[Trail]:
    """Give an open trail."""
    opened = open_trail(trail_dir)
    yield opened
    opened.close()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Give a place for files."""
    place = tmp_path / "files"
    place.mkdir()
    return place


def load(
    trail: Trail, place: Path, kind: FactKind, text: str, **how: Any
) -> LoadedFacts:
    """Load a text as a file."""
    file = place / f"{kind}.csv"
    file.write_text(text)
    return load_facts(trail, FactLoad(kind, file, **how), by="hr-1", now=NOW)


def refused(place: Path, kind: FactKind) -> list[dict[str, Any]]:
    """Read the file of refusals."""
    lines = (place / f"{kind}.csv.rejected.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_every_list_reaches_the_leaf(trail: Trail, files: Path) -> None:
    """Files of HR and admissions join at the door: names, homes, shifts, care."""
    for kind, text in FILES.items():
        assert load(trail, files, kind, text).rejected == 0

    event: Any = AuditEvent(
        event_type=EventType.PHI_READ,
        user_id="dr-a",
        records=tuple(
            (Protected(f"mrn-{n}"), Protected(f"n{n}"), "Patient") for n in (7, 8, 9)
        ),
    )
    receipt = trail.recorder.record(event, NOW)

    leaf = read_leaves(trail)[receipt.positions[0].index]
    assert isinstance(leaf, AuditEvent)
    assert (leaf.user_state, leaf.on_shift) == ("employed", True)
    assert leaf.care_relationship == "some"
    assert leaf.relations == (
        Relation.SELF,
        Relation.HOUSEHOLD,
        Relation.SAME_SURNAME,
        Relation.NEIGHBOUR,
        Relation.VIP,
        Relation.DECEASED,
    )
    assert leaf.unexplained_relations == (
        Relation.SELF,
        Relation.NEIGHBOUR,
        Relation.DECEASED,
    )


@pytest.mark.drill
def test_a_load_is_on_record_with_its_digest_and_count(
    trail: Trail, files: Path
) -> None:
    """Whoever changes what rules know leaves a trace of which file it was."""
    loaded = load(trail, files, FactKind.PEOPLE, PEOPLE)

    (leaf,) = [
        one
        for one in read_leaves(trail)
        if isinstance(one, AuditEvent) and one.event_type is EventType.FACTS_LOADED
    ]
    assert loaded.file is not None
    assert (leaf.user_id, leaf.object_id, leaf.result_count) == ("hr-1", "people", 3)
    assert leaf.object_digest == loaded.file.sources[-1]
    assert leaf.event_id == loaded.file.event_id


@pytest.mark.drill
def test_a_stolen_copy_shows_no_user_patient_or_name_of_the_lists(
    trail: Trail, trail_dir: Path, files: Path
) -> None:
    """The lists name the whole staff and every patient; the disk must name none of them."""
    for kind, text in FILES.items():
        load(trail, files, kind, text)
    surrogate = trail.identity.resolve([(trail.tenant.identity.patient, "mrn-8")])[0]

    seen = b"".join(
        place.read_bytes() for place in sorted((trail_dir / FACTS).iterdir())
    ) + b"".join(
        place.read_bytes() for place in (trail_dir / "state").glob("identity.db*")
    )
    for secret in (
        "dr-a",
        "nurse@",
        "mrn-",
        CANARY,
        CANARY.upper(),
        "Elm",
        "cardiology",
    ):
        assert secret.encode() not in seen
    in_facts = [place.read_bytes() for place in (trail_dir / FACTS).iterdir()]
    assert not any(surrogate.encode() in data for data in in_facts)


def test_bad_lines_are_told_without_their_values_and_good_ones_loaded(
    trail: Trail, files: Path
) -> None:
    """One typing error of HR must not leave everybody unknown."""
    text = (
        "user,state,department,patient,from,until\n"
        "dr-a,employed,,,,\n"
        f"dr b,{CANARY},,,,\n"
        f"dr-c,{CANARY},,,,\n"
        f"dr-d,,{CANARY},,,\n"
        f"dr-e,,,,{CANARY},\n"
        "dr-f,,,,2026-02-30,\n"
        "dr-g,,,,2026-02-01T07:00:00,\n"
        "dr-h,,,,2026-02-02,2026-02-02\n"
        ",employed,,,,\n"
        "dr-i,employed\n"
        "dr-j,,,\x07,,\n"
    )
    loaded = load(trail, files, FactKind.PEOPLE, text)

    told = refused(files, FactKind.PEOPLE)
    assert (loaded.good, loaded.rejected) == (1, 10)
    assert [(one["line"], one["field"]) for one in told] == [
        (3, "user"),
        (4, "state"),
        (5, "department"),
        (6, "from"),
        (7, "from"),
        (8, "from"),
        (9, "until"),
        (10, "user"),
        (11, "(row)"),
        (12, "patient"),
    ]
    assert CANARY not in (files / "people.csv.rejected.jsonl").read_text()
    load(trail, files, FactKind.PEOPLE, "user\ndr-a\n", is_adding=False)
    assert not (files / "people.csv.rejected.jsonl").exists()


@pytest.mark.parametrize(
    ("kind", "text", "rule"),
    [
        (FactKind.PEOPLE, f"user,{CANARY}\nu,x\n", "column number 2 is unknown"),
        (FactKind.ROSTER, "user,from\nu,2026-01-01\n", "lacks the column until"),
        (FactKind.CARE, "", "must begin with a header"),
        (FactKind.CARE, "patient\nmrn-1\n", "holds no good line"),
        (FactKind.RELATIONS, "user,patient,relation\n", "holds no good line"),
    ],
)
def test_a_file_that_is_no_list_changes_nothing(
    trail: Trail, files: Path, kind: FactKind, text: str, rule: str
) -> None:
    """An empty export of HR must not make everybody unknown."""
    load(trail, files, kind, FILES[kind])
    with pytest.raises(InputError, match=rule) as caught:
        load(trail, files, kind, text, is_adding=False)

    assert CANARY not in str(caught.value)
    assert [one.rows for one in list_facts(trail)] == [FILES[kind].count("\n") - 1]


def test_one_bad_line_leaves_all_as_it_was_where_that_is_asked(
    trail: Trail, files: Path
) -> None:
    """A house may want a whole list or none; it is told which lines to mend."""
    load(trail, files, FactKind.PEOPLE, PEOPLE)
    with pytest.raises(InputError, match="1 lines are refused, so nothing was loaded"):
        load(
            trail,
            files,
            FactKind.PEOPLE,
            "user,state\ndr-x,employed\ndr-y,gone\n",
            is_adding=False,
            is_whole=True,
        )

    assert [one["line"] for one in refused(files, FactKind.PEOPLE)] == [3]
    assert trail.facts.store.book().state_of("dr-x", 0) is None


def test_a_rehearsal_reads_all_and_changes_nothing(trail: Trail, files: Path) -> None:
    """It must be free to try, also where a list is loaded already."""
    load(trail, files, FactKind.PEOPLE, PEOPLE)
    size = len(read_leaves(trail))
    tried = load(
        trail, files, FactKind.PEOPLE, "user,state\nx,gone\ny,left\n", is_rehearsal=True
    )

    assert (tried.good, tried.rejected, tried.file) == (1, 1, None)
    assert [(one.line, one.field) for one in tried.first_rejected] == [(2, "state")]
    assert len(read_leaves(trail)) == size
    assert sorted(one.name for one in files.iterdir()) == ["people.csv"]


def test_a_second_list_is_added_or_takes_the_place_as_is_said(
    trail: Trail, files: Path
) -> None:
    """Half a list in the place of the whole would make the rest unknown."""
    load(trail, files, FactKind.PEOPLE, "user,state\ndr-a,employed\n")
    with pytest.raises(InputError, match="--replace where the file is the whole list"):
        load(trail, files, FactKind.PEOPLE, "user\ndr-b\n")
    added = load(trail, files, FactKind.PEOPLE, "user\ndr-b\ndr-a\n", is_adding=True)
    both = [trail.facts.store.book().state_of(one, 0) for one in ("dr-a", "dr-b")]
    replaced = load(trail, files, FactKind.PEOPLE, "user\ndr-c\n", is_adding=False)

    assert both == ["employed", "employed"]
    assert added.file is not None
    assert replaced.file is not None
    assert (added.file.rows, len(added.file.sources)) == (2, 2)
    assert (replaced.file.rows, len(replaced.file.sources)) == (1, 1)
    assert trail.facts.store.book().state_of("dr-a", 0) is None
    assert len(list((trail.directory / FACTS).iterdir())) == 2


@pytest.mark.parametrize(
    ("text", "zone", "at"),
    [
        ("2026-01-05T07:00:00Z", None, "2026-01-05T07:00:00+00:00"),
        ("2026-01-05 07:00:00-05:00", None, "2026-01-05T12:00:00+00:00"),
        ("2026-01-05T07:00", "America/New_York", "2026-01-05T12:00:00+00:00"),
        ("2026-01-05", "America/New_York", "2026-01-05T05:00:00+00:00"),
        ("2026-01-05", None, "2026-01-05T00:00:00+00:00"),
        ("2026-07-05", "America/New_York", "2026-07-05T04:00:00+00:00"),
        ("2026-03-08T02:30:00", "America/New_York", None),
        ("2026-11-01T01:30:00", "America/New_York", None),
        ("2026-11-01T01:30:00-04:00", "America/New_York", "2026-11-01T05:30:00+00:00"),
        ("2026-1-5", None, None),
        ("yesterday", None, None),
        ("2026-01-05T25:00:00Z", None, None),
    ],
)
def test_a_time_is_one_instant_or_refused(
    trail: Trail, files: Path, text: str, zone: str | None, at: str | None
) -> None:
    """A shift that begins at an hour that comes twice would be an hour off."""
    how = {"zone": None if zone is None else ZoneInfo(zone)}
    body = f"user,from,until\nu,{text},2027-01-01T00:00:00Z\nv,2020-01-01,2020-01-02\n"
    loaded = load(trail, files, FactKind.ROSTER, body, **how)

    assert loaded.rejected == (at is None)
    if at is not None:
        at_us = int(trail.facts.store.table(list_facts(trail)[0]).column("from")[0])
        assert datetime.fromtimestamp(at_us / 1_000_000, UTC).isoformat() == at


def test_surnames_meet_across_loads_years_apart(trail: Trail, files: Path) -> None:
    """People and patients are loaded on other days; what joins them must stay."""
    load(trail, files, FactKind.PEOPLE, PEOPLE)
    load(trail, files, FactKind.PATIENTS, PATIENTS)
    patient = trail.identity.resolve([(trail.tenant.identity.patient, "mrn-8")])[0]
    before = trail.facts.store.book().view("dr-a", None, 2**60).relations(patient)
    load(trail, files, FactKind.PEOPLE, PEOPLE, is_adding=False)

    assert Relation.SAME_SURNAME in relations_of(before)
    view = trail.facts.store.book().view("dr-a", None, 2**60)
    assert view.relations(patient) == before


def test_a_packed_file_is_read(trail: Trail, files: Path) -> None:
    """Exports of admissions are long, and come packed."""
    file = files / "care.csv.gz"
    file.write_bytes(gzip.compress(CARE.encode()))
    loaded = load_facts(trail, FactLoad(FactKind.CARE, file), by="hr-1", now=NOW)

    assert (loaded.good, loaded.rejected) == (1, 0)


@pytest.mark.drill
def test_a_load_that_a_crash_left_unrecorded_is_recorded_by_the_next_opening(
    trail: Trail, trail_dir: Path, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Facts in force that nobody is on record for could be anybody's."""

    def fail(*_: object) -> None:
        raise StorageError("the disk is gone")

    with monkeypatch.context() as patched:
        patched.setattr(trail.recorder, "record", fail)
        with pytest.raises(StorageError, match="the disk is gone"):
            load(trail, files, FactKind.PEOPLE, PEOPLE)
    for _ in range(2):
        with closing(open_trail(trail_dir)) as other:
            recorded = [
                one
                for one in read_leaves(other)
                if getattr(one, "event_type", None) is EventType.FACTS_LOADED
            ]
            assert other.facts.store.book().state_of("dr-b", 2**60) == "left"
        assert len(recorded) == 1


def test_a_load_that_does_not_reach_the_disk_leaves_the_facts_of_before(
    trail: Trail, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a load would be facts that nobody gave."""
    load(trail, files, FactKind.PEOPLE, PEOPLE)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    store = trail.facts.store
    for step in ("write", "sync"):
        with monkeypatch.context() as patched:
            patched.setattr(store._files, step, fail)
            with pytest.raises(StorageError):
                load(trail, files, FactKind.PEOPLE, "user\nx\n", is_adding=False)
        assert store.book().state_of("x", 0) is None
        assert store.book().state_of("dr-b", 2**60) == "left"


def test_two_loads_at_once_are_refused(trail: Trail, files: Path) -> None:
    """The second would undo the first."""
    with trail.facts.store.loading(), pytest.raises(StorageError, match="loads facts"):
        load(trail, files, FactKind.PEOPLE, PEOPLE)


def test_facts_that_cannot_be_read_are_replaced_on_demand_alone(
    trail: Trail, trail_dir: Path, files: Path
) -> None:
    """Damage is told; the way out is to load every list again."""
    load(trail, files, FactKind.PEOPLE, PEOPLE)
    place = trail_dir / INDEX
    place.write_bytes(place.read_bytes()[:-1] + b"!")
    with pytest.raises(IntegrityError):
        load(trail, files, FactKind.PEOPLE, PEOPLE, is_adding=True)

    assert load(trail, files, FactKind.PEOPLE, PEOPLE, is_adding=False).good == 3
    assert [one.kind for one in list_facts(trail)] == [FactKind.PEOPLE]


def test_who_loads_and_which_zone_are_checked_before_anything_is_read(
    trail: Trail, files: Path
) -> None:
    """The record of a load must be possible before the load is."""
    file = files / "x.csv"
    file.write_text(PEOPLE)
    load_it = FactLoad(FactKind.PEOPLE, file)

    with pytest.raises(InputError, match="--as"):
        load_facts(trail, load_it, by="Jane Doe", now=NOW)
    with pytest.raises(InputError, match="cannot be read"):
        load_facts(trail, replace(load_it, path=files / "no"), by="hr-1", now=NOW)
    with pytest.raises(InputError, match="--zone"):
        zone_named("Atlantis/City")
    assert list_facts(trail) == ()


def test_counts_tell_how_much_and_never_of_whom(trail: Trail, files: Path) -> None:
    """Who looks after the lists need not see them."""
    for kind, text in FILES.items():
        load(trail, files, kind, text)
    counts = {}
    for kind in FactKind:
        found = count_facts(trail, kind)
        assert found is not None
        counts[kind] = found.counts

    assert counts[FactKind.PEOPLE]["state employed"] == 2
    assert counts[FactKind.PEOPLE]["with patient"] == 1
    assert counts[FactKind.PATIENTS]["with vip"] == 1
    assert counts[FactKind.PATIENTS]["with deceased"] == 1
    assert counts[FactKind.CARE]["basis order"] == 1
    assert counts[FactKind.RELATIONS]["relation household"] == 1
    assert "dr-a" not in str(counts)
