"""A file of events is recorded line for line, once, and says nothing of what it refuses."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.trails import copy_trail, event_id

from phitrail.app.importing import import_file, rejected_path
from phitrail.app.running import run_trail
from phitrail.capture import importer
from phitrail.capture.importer import MAX_LINE_BYTES, Imported, read_lines
from phitrail.events.codes import Log

CANARY = "Zebulon-Quimby"
TAKEN = event_id(1)


def _good(number: int, **more: Any) -> bytes:
    event = {
        "event_type": "phi_read",
        "timestamp_utc": "2026-03-02T08:00:00.000Z",
        "user_id": "dr-0012",
        "request_id": f"req-{number}",
        "records": [[f"mrn-{number % 5}", f"note-{number}", "DocumentReference"]],
    }
    return json.dumps({**event, **more}).encode()


def _quality(number: int) -> bytes:
    schema = "phitrail/quality-entry/v1"
    return json.dumps({"schema": schema, "request_id": f"req-{number}"}).encode()


BAD: dict[str, bytes] = {
    "not JSON": CANARY.encode(),
    "not an object": f'["{CANARY}"]'.encode(),
    "too deep": b"[" * 50_000 + CANARY.encode(),
    "not UTF-8": b'{"event_type": "' + CANARY.encode() + b'\xff"}',
    "too long": CANARY.encode() * (MAX_LINE_BYTES // len(CANARY) + 1),
    "an unknown field": _good(1, **{CANARY: CANARY}),
    "an unknown schema": _good(1, schema=CANARY),
    "an unknown event type": _good(1, event_type=CANARY),
    "a term that no list has": _good(1, department="zebulon-quimby"),
    "a foreign event id": _good(1, event_id=CANARY),
    "null": _good(1, use_case=None),
    "an unknown resource type": _good(1, records=[[CANARY, CANARY, CANARY]]),
    "an empty record id": _good(1, records=[[CANARY, "", "Patient"]]),
    "what the log sets": _good(1, received_at="2026-03-02T08:00:00.000Z"),
    "a reused event id": _good(1, event_id=TAKEN, session_id=CANARY),
}
FIRST = _good(0, event_id=TAKEN)


def _import(trail: Path, file: Path) -> Imported:
    with run_trail(trail) as running:
        return import_file(running, file)


def _request_ids(trail: Path, log: Log) -> list[str]:
    with run_trail(trail) as running:
        reader = running.parts.reader(log)
        leaves = [json.loads(leaf) for leaf in reader.entries(1, reader.size())]
        reader.close()
    return [leaf["request_id"] for leaf in leaves]


lines = st.lists(
    st.one_of(
        st.integers(1, 40).map(_good),
        st.integers(1, 40).map(lambda n: _good(n, event_id=event_id(100 + n))),
        st.integers(1, 40).map(_quality),
        st.sampled_from(sorted(BAD.values())),
        st.just(b"  "),
    ),
    max_size=60,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lines=lines, group=st.sampled_from([1, 3, 200]))
def test_any_mix_of_lines_records_the_good_ones_once(
    lines: list[bytes],
    group: int,
    founded: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A bad line must neither stop, nor double, nor leak into the record of good ones."""
    place = tmp_path_factory.mktemp("import")
    trail = copy_trail(founded, place / "trail")
    file = place / "events.jsonl"
    lines = [FIRST, *lines]
    file.write_bytes(b"\n".join(lines))
    bad = [line in BAD.values() for line in lines]
    good = {line for line in lines if line.strip() and line not in BAD.values()}
    read = sum(bool(line.strip()) for line in lines)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importer, "GROUP_LINES", group)
        first = _import(trail, file)
        told = rejected_path(file).read_bytes() if any(bad) else b""
        second = _import(trail, file)

    assert (first.lines, first.recorded) == (read, len(good))
    assert (first.rejected, second.rejected) == (sum(bad), sum(bad))
    assert (second.recorded, second.already_there) == (0, read - sum(bad))
    assert first.already_there == read - sum(bad) - len(good)
    expected = sorted(json.loads(line)["request_id"] for line in good)
    found = _request_ids(trail, Log.AUDIT) + _request_ids(trail, Log.QUALITY)
    assert expected == sorted(found)
    numbers = [json.loads(line)["line"] for line in told.splitlines()]
    assert [number for number, is_bad in enumerate(bad, 1) if is_bad] == numbers
    assert CANARY.encode() not in told
    assert CANARY.lower().encode() not in told


@pytest.mark.parametrize("kind", sorted(BAD))
def test_each_kind_of_bad_line_is_named_by_field_and_rule(
    kind: str, trail_dir: Path, tmp_path: Path
) -> None:
    """Whoever mends the file needs the field and the rule, and must not need the value."""
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"\n".join([FIRST, BAD[kind], _good(7)]) + b"\n")

    counts = _import(trail_dir, file)
    told = json.loads(rejected_path(file).read_bytes())

    assert counts == Imported(lines=3, recorded=2, rejected=1)
    assert told["line"] == 2
    assert told["field"]
    assert told["rule"]
    assert set(told) == {"line", "field", "rule"}


def test_what_a_file_tells_is_marked_as_imported(
    trail_dir: Path, tmp_path: Path
) -> None:
    """A file that claims to be enforced must not count as enforced."""
    file = tmp_path / "events.jsonl"
    file.write_bytes(_good(1, assurance="enforced"))
    _import(trail_dir, file)

    with run_trail(trail_dir) as running:
        reader = running.parts.reader(Log.AUDIT)
        leaf = json.loads(reader.entry(1))
        reader.close()

    assert leaf["assurance"] == "imported"


def test_a_tenants_action_becomes_ours(trail_dir: Path, tmp_path: Path) -> None:
    """A hospital's own word for an action must not cost it the line."""
    config = trail_dir / "tenant.yaml"
    text = config.read_text().replace("actions: {}", "actions: {rag_query: query}")
    config.write_text(text)
    file = tmp_path / "events.jsonl"
    file.write_bytes(_good(1, action="rag_query"))

    counts = _import(trail_dir, file)
    with run_trail(trail_dir) as running:
        reader = running.parts.reader(Log.AUDIT)
        leaf = json.loads(reader.entry(1))
        reader.close()

    assert counts.recorded == 1
    assert leaf["action"] == "query"


def test_a_derived_event_id_leads_with_the_lines_time(
    trail_dir: Path, tmp_path: Path
) -> None:
    """Ids in the order of time keep the index over them growing at one edge."""
    file = tmp_path / "events.jsonl"
    lines = [
        _good(1, timestamp_utc="2026-03-02T08:00:00.000Z"),
        _good(2, timestamp_utc="1969-12-31T23:59:59.999Z"),
        _good(3, timestamp_utc="2026-02-30T00:00:00.000Z"),
    ]
    file.write_bytes(b"\n".join(lines))
    _import(trail_dir, file)

    with run_trail(trail_dir) as running:
        reader = running.parts.reader(Log.AUDIT)
        leaves = map(json.loads, reader.entries(1, reader.size()))
        times = [int(leaf["event_id"].replace("-", "")[:12], 16) for leaf in leaves]
        reader.close()

    assert times[:2] == [1_772_438_400_000, 0]
    assert set(times[2:]) <= {0}


def test_no_refusal_leaves_no_file_of_refusals(trail_dir: Path, tmp_path: Path) -> None:
    """An old file of refusals beside a clean import would be believed."""
    file = tmp_path / "events.jsonl"
    rejected_path(file).write_text("old\n")
    file.write_bytes(_good(1))

    _import(trail_dir, file)

    assert not rejected_path(file).exists()
    assert [file, trail_dir] == sorted(tmp_path.iterdir())


def test_a_conflict_is_recorded_for_the_reused_id_alone(
    trail_dir: Path, tmp_path: Path
) -> None:
    """A security log that names innocent ids would send people after nothing."""
    file = tmp_path / "events.jsonl"
    others = [_good(n) for n in range(2, 30)]
    file.write_bytes(b"\n".join([FIRST, *others, BAD["a reused event id"]]))
    _import(trail_dir, file)

    with run_trail(trail_dir) as running:
        reader = running.parts.reader(Log.SECURITY)
        leaves = [json.loads(leaf) for leaf in reader.entries(1, reader.size())]
        reader.close()

    assert [leaf["object_id"] for leaf in leaves] == [TAKEN]


@given(lines=st.lists(st.binary(max_size=30).filter(lambda b: b"\n" not in b)))
def test_lines_are_numbered_as_an_editor_numbers_them(lines: list[bytes]) -> None:
    """A wrong number sends people to a line of somebody else's."""
    stream = io.BytesIO(b"".join(line + b"\n" for line in lines))
    expected = [
        (number, line.rstrip(b"\r\n"))
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]

    assert expected == list(read_lines(stream))


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b""])
def test_the_longest_line_is_read_and_a_longer_one_is_not(ending: bytes) -> None:
    """One endless line must not fill the memory, nor take the next line with it."""
    longest, longer = b"a" * MAX_LINE_BYTES, b"b" * (3 * MAX_LINE_BYTES)
    stream = io.BytesIO(longer + b"\n" + longest + ending)

    assert list(read_lines(stream)) == [(1, None), (2, longest)]
