"""A file comes again after keys were rotated: nothing is added, nothing is in conflict."""

import json
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.trails import NOW, copy_trail, read_leaves

from phitrail.app.importing import import_file, rejected_path
from phitrail.app.importing_history import ImportedHistory, import_history
from phitrail.app.key_change import KeyChange, changing_keys, make_change
from phitrail.app.key_rotation import rotate_key
from phitrail.app.reconciliation import Wanted
from phitrail.app.reconciling import reconcile_source
from phitrail.app.running import run_trail
from phitrail.app.verification import Verdict, verify_trail
from phitrail.app.wiring import open_trail
from phitrail.capture.history.compared import Comparison
from phitrail.capture.history.form import HistoryForm
from phitrail.capture.importer import Imported
from phitrail.events.audit import AuditEvent
from phitrail.events.codes import EventType, Log
from phitrail.events.ids import format_time
from phitrail.keys.names import IDEMPOTENCY, TEXT_HASH, KeyId
from phitrail.keys.register import move
from phitrail.keys.states import KeyState

MAP = b"""
source: sheets
fields:
  id: source_event_id
  when: timestamp_utc
  who: {to: user_id, keyed: true}
  what: {to: action, values: {rag_query: query}}
  patient: patient_ids
  question: query_text
  answer: response_text
"""
HEAD = "id,when,who,what,patient,question,answer\n"
ROTATED = st.sampled_from([IDEMPOTENCY, TEXT_HASH])


def native(number: int) -> bytes:
    """Give a line without an id of its own."""
    event = {
        "event_type": "phi_read",
        "timestamp_utc": f"2026-03-02T08:{number % 60:02}:00.000Z",
        "user_id": "dr-0012",
        "request_id": f"req-{number}",
        "records": [[f"mrn-{number % 5}", f"note-{number}", "DocumentReference"]],
    }
    return json.dumps(event).encode() + b"\n"


def row(number: int) -> bytes:
    """Give a row of an old system's sheet; every third has an id that is none of ours."""
    their_id = f"row {number}" if number % 3 == 0 else f"row-{number}"
    when = f"2026-03-02T08:{number % 60:02}:00.000Z"
    texts = f"Question {number}?,Answer {number}." if number % 2 else ","
    return f"{their_id},{when},dr {number % 4},rag_query,mrn-{number % 5},{texts}\n".encode()


def rotate(trail: Path, *names: str) -> None:
    """Give keys their next versions."""
    with closing(open_trail(trail)) as opened:
        for name in names:
            rotate_key(opened, name, by="officer-7", reason="a test", now=NOW)


def destroy(trail: Path, key_id: KeyId) -> None:
    """Destroy a version, whatever stands under it."""
    with closing(open_trail(trail)) as opened, changing_keys(opened) as register:
        after, moved = move(register, key_id, KeyState.DESTROYED, format_time(NOW))
        change = KeyChange(after, (moved,), removed=(key_id,))
        make_change(opened, change, by="officer-7", reason="a test", now=NOW)


def take_in(trail: Path, numbers: range) -> Imported:
    """Import a file of native lines."""
    file = trail.with_name("events.jsonl")
    file.write_bytes(b"".join(map(native, numbers)))
    with run_trail(trail) as running:
        return import_file(running, file)


def take_in_sheet(trail: Path, numbers: range) -> ImportedHistory:
    """Import a sheet of an old system."""
    file, field_map = trail.with_name("sheet.csv"), trail.with_name("map.yaml")
    file.write_bytes(HEAD.encode() + b"".join(map(row, numbers)))
    field_map.write_bytes(MAP)
    with run_trail(trail) as running:
        return import_history(
            running, file, HistoryForm.CSV, field_map, by="officer-7", now=NOW
        )


def kinds(trail: Path) -> Counter[EventType]:
    """Count the events of the audit log, by kind."""
    with closing(open_trail(trail)) as opened:
        leaves = read_leaves(opened)
    return Counter(leaf.event_type for leaf in leaves if isinstance(leaf, AuditEvent))


def refusals(trail: Path, name: str) -> list[dict[str, Any]]:
    """Read the file of refusals."""
    place = rejected_path(trail.with_name(name))
    return [json.loads(line) for line in place.read_bytes().splitlines()]


def conflicts(trail: Path) -> int:
    """Count what the security log says of ids that were used again."""
    with closing(open_trail(trail)) as opened:
        return len(read_leaves(opened, Log.SECURITY)) - 1


def check_each_line_once(
    trail: Path, between: list[list[str]], upto: list[int]
) -> None:
    """Take in so many lines, rotate, take in so many again, and so on."""
    seen = 0
    for names, end in zip([[], *between], upto, strict=False):
        rotate(trail, *names)
        plain, sheet = take_in(trail, range(end)), take_in_sheet(trail, range(end))
        fresh = max(0, end - seen)
        seen = max(seen, end)

        expected = Imported(lines=end, recorded=fresh, already_there=end - fresh)
        assert (plain, sheet.counts) == (expected, expected)
    told, files = kinds(trail), set(upto[: len(between) + 1])
    assert told[EventType.PHI_READ] == 2 * seen
    assert told[EventType.HISTORY_IMPORTED] == len(files)
    assert conflicts(trail) == 0
    assert verify_trail(trail, deep=True).verdict is Verdict.UNANCHORED


def test_files_that_come_again_after_rotations_add_each_line_once(
    trail_dir: Path,
) -> None:
    """An import that is run again years later must neither double nor accuse anybody."""
    between = [[IDEMPOTENCY, TEXT_HASH], [TEXT_HASH, IDEMPOTENCY, TEXT_HASH]]

    check_each_line_once(trail_dir, between, [4, 9, 6])


@pytest.mark.long
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    between=st.lists(st.lists(ROTATED, max_size=3), min_size=1, max_size=4),
    upto=st.lists(st.integers(1, 12), min_size=5, max_size=5),
)
def test_any_rotations_between_imports_add_each_line_once(
    founded: Path,
    tmp_path_factory: pytest.TempPathFactory,
    between: list[list[str]],
    upto: list[int],
) -> None:
    """Whatever was rotated between which parts, a line is one event."""
    trail = copy_trail(founded, tmp_path_factory.mktemp("rotated") / "trail")

    check_each_line_once(trail, between, upto)


def test_a_sheet_is_held_against_what_came_under_every_version(trail_dir: Path) -> None:
    """Users who stand as keyed hashes must be met again, or all of theirs look missing."""
    take_in_sheet(trail_dir, range(4))
    rotate(trail_dir, IDEMPOTENCY)
    take_in_sheet(trail_dir, range(8))
    rotate(trail_dir, IDEMPOTENCY, TEXT_HASH)
    file = trail_dir.with_name("theirs.csv")
    file.write_bytes(HEAD.encode() + b"".join(map(row, range(9))))
    wanted = Wanted(
        path=file,
        form=HistoryForm.CSV,
        map_path=trail_dir.with_name("map.yaml"),
        by=Comparison.ACCESS,
        tolerance_s=1,
    )

    with closing(open_trail(trail_dir)) as trail:
        found = reconcile_source(trail, wanted, by="officer-7", now=NOW)

    assert (found.report.counts.matched, found.report.counts.ours_only) == (8, 0)
    assert [one.number for one in found.theirs_only()] == [10]  # the row that is new


def test_a_line_that_says_something_else_by_now_is_a_conflict_still(
    trail_dir: Path,
) -> None:
    """A sheet that was edited after its import must not pass for the same."""
    take_in_sheet(trail_dir, range(3))
    rotate(trail_dir, IDEMPOTENCY, TEXT_HASH)
    file = trail_dir.with_name("sheet.csv")
    file.write_bytes(file.read_bytes().replace(b"Answer 1.", b"Another answer."))
    with run_trail(trail_dir) as running:
        found = import_history(
            running,
            file,
            HistoryForm.CSV,
            trail_dir.with_name("map.yaml"),
            by="officer-7",
            now=NOW,
        )

    assert found.counts == Imported(lines=3, already_there=2, rejected=1)
    assert conflicts(trail_dir) == 1


@pytest.mark.drill
def test_a_version_of_the_ids_that_is_gone_refuses_lines_without_an_id(
    trail_dir: Path,
) -> None:
    """Nobody can say whether they stand in the log: added silently, they would be doubled."""
    take_in(trail_dir, range(2))
    rotate(trail_dir, IDEMPOTENCY)
    destroy(trail_dir, KeyId(IDEMPOTENCY, 1))

    assert take_in(trail_dir, range(3)) == Imported(lines=3, rejected=3)
    told = refusals(trail_dir, "events.jsonl")
    assert {one["field"] for one in told} == {"event_id"}
    assert all(
        "version 1 of the key idempotency is gone" in one["rule"] for one in told
    )
    assert take_in_sheet(trail_dir, range(2)).counts.rejected == 2


def test_a_version_of_the_texts_that_is_gone_is_a_conflict_not_a_double(
    trail_dir: Path,
) -> None:
    """The ids find the lines; that their texts are the same cannot be shown any more."""
    take_in_sheet(trail_dir, range(4))
    rotate(trail_dir, TEXT_HASH)
    destroy(trail_dir, KeyId(TEXT_HASH, 1))

    found = take_in_sheet(trail_dir, range(4)).counts

    assert found == Imported(lines=4, already_there=2, rejected=2)  # two have no text


def test_a_line_with_an_id_of_its_own_whose_key_is_gone_says_so(
    trail_dir: Path,
) -> None:
    """It stands in the log; whether it says the same is for a person to look at."""
    file = trail_dir.with_name("own.jsonl")
    own = json.loads(native(1)) | {"event_id": "019cacd8-0000-7000-8000-000000000001"}
    file.write_bytes(json.dumps(own).encode())
    with run_trail(trail_dir) as running:
        assert import_file(running, file).recorded == 1
    rotate(trail_dir, IDEMPOTENCY)
    destroy(trail_dir, KeyId(IDEMPOTENCY, 1))

    with run_trail(trail_dir) as running:
        assert import_file(running, file) == Imported(lines=1, rejected=1)
    (told,) = refusals(trail_dir, "own.jsonl")
    assert "key idempotency that is gone: look at the entry" in told["rule"]
