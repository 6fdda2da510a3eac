"""A count that somebody else made names exactly what one side lacks, and nobody by name."""

import gzip
import os
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.app.foreign_counts import (
    CANARY,
    CSV_MAP,
    START,
    Access,
    accesses,
    csv_feed,
    fhir_feed,
    jittered,
    jsonl_feed,
    record_accesses,
)
from tests.trails import NOW, copy_trail, read_leaves

from phitrail.app.config import Policy, read_tenant, write_config
from phitrail.app.documents import open_document
from phitrail.app.reconciliation import Reconciliation, Wanted
from phitrail.app.reconciling import reconcile_source
from phitrail.app.wiring import open_trail
from phitrail.capture.history.compared import Comparison
from phitrail.capture.history.form import HistoryForm
from phitrail.errors import InputError, RefusedError
from phitrail.events.audit import AuditEvent
from phitrail.events.codes import EventType

Feed = Callable[[Iterable[Access]], bytes]
WHOLE = accesses(10_000)
LONG = pytest.mark.long
EXAMPLES = 100 if os.environ.get("PHITRAIL_LONG") else 8
FEEDS = [
    pytest.param("csv", csv_feed, 2, id="csv"),
    pytest.param("audit-jsonl", jsonl_feed, 1, id="jsonl", marks=LONG),
    pytest.param("fhir", fhir_feed, 1, id="fhir", marks=LONG),
]


@pytest.fixture(scope="module")
def clinic(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trail with every access of `WHOLE`; comparing adds no opening to it."""
    directory = copy_trail(founded, tmp_path_factory.mktemp("clinic") / "trail")
    tenant, policy = read_tenant(directory), Policy(identity_lookups_per_hour=10_000)
    write_config(directory, tenant, policy)
    record_accesses(directory, WHOLE)
    return directory


def compare(
    directory: Path,
    file: Path,
    form: str = "csv",
    by: str = "access",
    *,
    tolerance_s: float | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Reconciliation:
    """Compare a trail with a file."""
    map_path = None
    if form == "csv":
        map_path = directory.with_name("map.yaml")
        map_path.write_bytes(CSV_MAP)
    wanted = Wanted(
        path=file,
        form=HistoryForm(form),
        map_path=map_path,
        by=Comparison(by),
        tolerance_s=tolerance_s,
        since=since,
        until=until,
    )
    with closing(open_trail(directory)) as trail:
        return reconcile_source(trail, wanted, by="officer", now=NOW)


def written(place: Path, data: bytes) -> Path:
    """Write a file of theirs."""
    place.write_bytes(data)
    return place


def their_numbers(found: Reconciliation) -> list[int]:
    """List the numbers of what only they have."""
    return [row.number for row in found.theirs_only()]


@pytest.mark.parametrize(("form", "feed", "first"), FEEDS)
@pytest.mark.parametrize("by", ["access", "request"])
def test_fifty_that_went_past_us_are_the_fifty_named(
    form: str, feed: Feed, first: int, by: str, clinic: Path, tmp_path: Path
) -> None:
    """A bypassing application shows in their count alone, whatever its form."""
    if (form, by) == ("fhir", "request"):
        pytest.skip("an AuditEvent names no request")
    draw = random.Random(1)
    theirs = jittered(WHOLE)
    places = sorted(draw.sample(range(len(theirs)), 50))
    for shift, place in enumerate(places):
        past_us = replace(
            theirs[place + shift], user="dr-bypass", request=f"bypass-{shift}"
        )
        theirs.insert(place + shift, past_us)
    expected = [first + place + shift for shift, place in enumerate(places)]
    found = compare(clinic, written(tmp_path / "feed", feed(theirs)), form, by)

    assert their_numbers(found) == expected
    assert found.report.counts.matched == 10_000
    assert (found.report.counts.ours_only, found.report.counts.refused) == (0, 0)


@pytest.mark.parametrize(("form", "feed", "first"), FEEDS)
def test_fifty_that_they_lost_are_the_fifty_named(
    form: str, feed: Feed, first: int, clinic: Path, tmp_path: Path
) -> None:
    """What only we have is named by its entry, so that it can be shown and proven."""
    assert first >= 1
    draw = random.Random(2)
    gone = set(draw.sample(range(5, len(WHOLE) - 5), 50))
    theirs = jittered(a for a in WHOLE if a.number not in gone)
    found = compare(clinic, written(tmp_path / "feed", feed(theirs)), form)
    lost = {WHOLE[number].event().event_id for number in gone}

    assert {row.event_id for row in found.ours_only()} == lost
    assert found.report.counts.matched == 9_950
    assert their_numbers(found) == []
    assert len(found.report.ours_only) == 50


def test_what_both_have_agrees_and_is_on_record(clinic: Path, tmp_path: Path) -> None:
    """The statement of completeness rests on this event and its sealed report."""
    file = written(tmp_path / "feed.csv", csv_feed(jittered(WHOLE)))
    found = compare(clinic, file)
    again = compare(clinic, file)
    with closing(open_trail(clinic)) as trail:
        events = [e for e in read_leaves(trail) if isinstance(e, AuditEvent)]
        event = next(e for e in events if e.event_id == found.event_id)
        sealed = open_document(trail, event.object_digest or "")
    looked_up = [
        e.result_count for e in events if e.event_type is EventType.IDENTITY_LOOKED_UP
    ]

    assert found.report.is_agreed
    assert sealed == msgspec.json.encode(found.report)
    assert (event.reason_code, event.result_count) == ("counts_agree", 0)
    assert (event.object_id, event.source_id) == (found.report.sha256, "ehr")
    assert looked_up[-1] == len({a.patient for a in WHOLE}) + 1  # one e-mail address
    assert again.report == msgspec.structs.replace(
        found.report, as_of=again.report.as_of
    )


def test_unknown_patients_and_users_are_theirs_only(
    clinic: Path, tmp_path: Path
) -> None:
    """Whoever was never recorded here is the one that matters; nobody is made known."""
    strangers = [
        replace(WHOLE[3], patient=f"mrn-{CANARY}-nobody"),
        replace(WHOLE[4], user="stranger@clinic.example"),
    ]
    theirs = [*WHOLE[:10], *strangers, *strangers]
    file = written(tmp_path / "feed.jsonl", jsonl_feed(theirs))
    found = [compare(clinic, file, "audit-jsonl") for _ in range(2)]

    assert [their_numbers(f) for f in found] == [[11, 12, 13, 14]] * 2


def test_what_lies_beyond_the_tolerance_does_not_match(
    clinic: Path, tmp_path: Path
) -> None:
    """A tolerance that held anything would hide any bypass."""
    file = written(tmp_path / "feed.csv", csv_feed(jittered(WHOLE[:100], skew_s=200)))
    counts = compare(clinic, file).report.counts
    wider = compare(clinic, file, tolerance_s=210).report.counts

    assert (counts.matched, counts.theirs_only) == (0, 100)
    assert (wider.matched, wider.theirs_only, wider.ours_only) == (100, 0, 0)


def test_the_ends_of_the_window_accuse_nobody(clinic: Path, tmp_path: Path) -> None:
    """Their clock cuts the day elsewhere than ours does."""
    theirs = csv_feed(jittered(WHOLE[1000:2000]))
    found = compare(clinic, written(tmp_path / "feed.csv", theirs))
    cut = compare(
        clinic,
        written(tmp_path / "feed.csv", csv_feed(jittered(WHOLE[:3000]))),
        since=START + timedelta(minutes=1000),
        until=START + timedelta(minutes=2000),
    )

    assert found.report.is_agreed
    assert found.report.counts.matched == 1000
    assert cut.report.is_agreed
    assert cut.report.counts.outside > 1900


def test_a_request_is_one_however_often_it_is_billed(
    clinic: Path, tmp_path: Path
) -> None:
    """Bills come days later, and a line each for what went in and out."""
    billed = [replace(a, at=a.at + timedelta(days=9)) for a in WHOLE[:50]]
    file = written(tmp_path / "bill.csv", csv_feed([*billed, *billed]))
    found = compare(
        clinic, file, by="request", since=START, until=START + timedelta(minutes=50)
    )

    assert found.report.is_agreed
    assert found.report.counts.matched == 50


def test_bad_lines_are_counted_and_named_by_rule(clinic: Path, tmp_path: Path) -> None:
    """An entry that cannot be read may be the one that went past us."""
    lines = csv_feed(WHOLE[:5]).splitlines()
    lines[2] = b"yesterday,dr-1,mrn-1,req-1"
    lines[4] = b"2026-11-01T06:00:00Z,dr-1,,"
    file = written(tmp_path / "feed.csv", b"\n".join(lines))
    refused = {
        by: [(r.number, r.field) for r in compare(clinic, file, by=by).report.refused]
        for by in ("access", "request")
    }
    found = compare(clinic, file)

    assert refused["access"] == [(3, "timestamp_utc"), (5, "patient_ids")]
    assert refused["request"] == [(3, "timestamp_utc"), (5, "request_id")]
    assert not found.report.is_agreed


def test_what_is_no_opening_is_passed_over(clinic: Path, tmp_path: Path) -> None:
    """A log-in touches no patient; nobody went past anything."""
    logins = b'{"timestamp": "2026-11-01T06:00:00Z", "event_type": "login"}\n' * 3
    file = written(tmp_path / "feed.jsonl", logins + jsonl_feed(WHOLE[:9]))
    found = compare(clinic, file, "audit-jsonl")

    assert found.report.is_agreed
    assert (found.report.counts.passed_over, found.report.counts.matched) == (3, 9)


def test_files_of_a_directory_are_one_count(clinic: Path, tmp_path: Path) -> None:
    """Exports come a file a day; the file is part of the name of a difference."""
    place = tmp_path / "feeds"
    place.mkdir()
    written(place / "b.csv", csv_feed(WHOLE[50:99]))
    written(place / "a.csv", csv_feed([*WHOLE[:50], replace(WHOLE[7], request="past")]))
    found = compare(clinic, place, by="request")
    (row,) = found.theirs_only()

    assert (row.file, row.number) == ("a.csv", 52)
    assert [file.name for file in found.report.files] == ["a.csv", "b.csv"]


def test_an_empty_count_needs_its_time_said(clinic: Path, tmp_path: Path) -> None:
    """Silence that agrees with everything would be the easiest bypass of all."""
    file = written(tmp_path / "feed.csv", csv_feed([]))
    with pytest.raises(InputError, match="must say which time this covers"):
        compare(clinic, file, by="request")
    hour = timedelta(hours=1)
    found = compare(clinic, file, by="request", since=START, until=START + hour)

    assert found.report.counts.ours_only == 60


def test_look_ups_beyond_the_number_of_policy_are_refused(
    trail_dir: Path, tmp_path: Path
) -> None:
    """A list of numbers compared with the log says who is a patient here."""
    policy = Policy(identity_lookups_per_hour=1)
    write_config(trail_dir, read_tenant(trail_dir), policy)
    record_accesses(trail_dir, WHOLE[:3])
    file = written(tmp_path / "feed.csv", csv_feed(WHOLE[:3]))
    compare(trail_dir, file)
    with pytest.raises(RefusedError, match="identity_lookups_per_hour"):
        compare(trail_dir, file)

    assert compare(trail_dir, file, by="request").report.is_agreed


def test_no_identifier_lands_anywhere(trail_dir: Path, tmp_path: Path) -> None:
    """Whoever reads the outcome, or steals the disk, learns of no patient."""
    record_accesses(trail_dir, WHOLE[:30])
    strangers = [replace(a, patient=f"mrn-{CANARY}-x{a.number}") for a in WHOLE[:20]]
    file = written(tmp_path / "feed.csv", csv_feed([*WHOLE[:10], *strangers]))
    found = compare(trail_dir, file)
    shown = [msgspec.json.encode(row) for row in found.theirs_only()]
    shown += [msgspec.json.encode(row) for row in found.ours_only()]
    shown += [place.read_bytes() for place in trail_dir.rglob("*") if place.is_file()]

    assert len(list(found.theirs_only())) == 20
    assert not [text for text in shown if CANARY.encode() in text]
    assert CANARY not in repr(found)


# --- against a plain matcher, and against the strict reader ---


def plain_matches(
    ours: Sequence[Access], theirs: Sequence[Access], tolerance: timedelta
) -> int:
    """Match the oldest first, key by key, in plain Python."""
    rows: dict[tuple[str, str], tuple[list[datetime], list[datetime]]] = defaultdict(
        lambda: ([], [])
    )
    for side, accesses_ in enumerate((ours, theirs)):
        for one in accesses_:
            rows[one.user, one.patient][side].append(one.at)
    matched = 0
    for mine, other in rows.values():
        mine.sort()
        other.sort()
        at = 0
        for moment in mine:
            while at < len(other) and other[at] < moment - tolerance:
                at += 1
            if at < len(other) and other[at] <= moment + tolerance:
                matched += 1
                at += 1
    return matched


@pytest.mark.parametrize("seed", range(EXAMPLES // 4))
def test_counts_are_those_of_a_plain_matcher(
    seed: int, founded: Path, tmp_path: Path
) -> None:
    """The fast way must say what the obvious way says, on entries that repeat."""
    draw = random.Random(seed)
    directory = copy_trail(founded, tmp_path / "trail")
    ours = [
        Access(
            number,
            START + timedelta(seconds=draw.randrange(2000)),
            f"dr-{draw.randrange(3)}",
            f"mrn-{draw.randrange(3)}",
            f"r-{number}",
        )
        for number in range(150)
    ]
    record_accesses(directory, ours)
    theirs = [
        replace(a, at=a.at + timedelta(seconds=draw.randrange(-40, 40)))
        for a in draw.sample(ours, 120)
    ]
    file = written(tmp_path / "feed.jsonl", jsonl_feed(theirs))
    found = compare(
        directory,
        file,
        "audit-jsonl",
        tolerance_s=30,
        since=START - timedelta(hours=1),
        until=START + timedelta(hours=2),
    )
    counts = found.report.counts

    assert counts.matched == plain_matches(ours, theirs, timedelta(seconds=30))
    assert counts.theirs_only == 120 - counts.matched
    assert counts.ours_only == 150 - counts.matched


CELLS = st.sampled_from(
    [
        *("req-1", " req-2 ", "bad id", "", '"quoted"', '"q,1"', '"line\nbreak"', "é"),
        *("2026-11-01T06:00:00Z", "2026-11-01 06:00:00.123456+02:00", "2026-02-30T00Z"),
        *("2026-11-01T06:00:00", "20261101T060000Z", "1969-01-01T00:00:00Z", '"', "\t"),
        *("2026-11-01T24:00:00Z", "2026-11-01T06:00:00.5Z", "2026-11-01T06:00:60Z"),
        *("9999-12-31T23:59:59.999-14:00", "2026-11-01t06:00:00z"),
    ]
)


@given(
    cells=st.lists(st.lists(CELLS, min_size=1, max_size=5), max_size=6),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    is_ended=st.booleans(),
)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_the_fast_reader_says_what_the_strict_one_says(
    cells: list[list[str]], end: str, is_ended: bool, clinic: Path, tmp_path: Path
) -> None:
    """Two readings of one file would let a difference hide between them."""
    good = [f"2026-11-01T06:00:00Z,dr,p,{WHOLE[0].request}"]
    lines = ["when,who,patient,request", *good, *map(",".join, cells)]
    data = (end.join(lines) + end * is_ended).encode()
    fast = _outcome(clinic, written(tmp_path / "feed", data))
    strict = _outcome(clinic, written(tmp_path / "feed", gzip.compress(data)))

    assert fast == strict


def _outcome(clinic: Path, file: Path) -> object:
    try:
        report = compare(clinic, file, by="request").report
    except InputError as error:
        return str(error)
    return msgspec.structs.replace(report, sha256="", files=(), as_of=0)
