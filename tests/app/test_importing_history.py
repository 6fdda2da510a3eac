"""What an old system logged is taken in whole, once, and without a word of free text."""

import csv
import gzip
import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.capture.history.forms import (
    SEED,
    SEED_TRAIL,
    chained,
    hashed,
    lines,
    seed,
)
from tests.trails import NOW, copy_trail, record_events

from phitrail.app.documents import open_document
from phitrail.app.export import ExportFormat, export_log
from phitrail.app.importing import rejected_path
from phitrail.app.importing_history import ImportedHistory, import_history
from phitrail.app.running import run_trail
from phitrail.app.verification import verify_trail
from phitrail.capture.history.chain import BreakKind, ChainVerdict
from phitrail.capture.history.form import HistoryForm
from phitrail.capture.importer import Imported
from phitrail.capture.text_hash import TextHasher
from phitrail.errors import InputError
from phitrail.events.codes import Log

EXAMPLES = 50 if os.environ.get("PHITRAIL_LONG") else 5
CANARY = "Zebulon Quimby has scurvy"
CSV_MAP = b"""
source: sheets
fields:
  id: source_event_id
  when: timestamp_utc
  who: user_id
  what: {to: action, values: {rag_query: query}}
  patient: patient_ids
  question: query_text
"""


def _import(
    trail: Path, file: Path, form: str, field_map: bytes | None = None
) -> ImportedHistory:
    map_path = None
    if field_map is not None:
        map_path = file.with_name("map.yaml")
        map_path.write_bytes(field_map)
    with run_trail(trail) as running:
        return import_history(
            running, file, HistoryForm(form), map_path, by="officer", now=NOW
        )


def _leaves(trail: Path) -> list[dict[str, Any]]:
    """Read the audit log, genesis left out."""
    with run_trail(trail) as running:
        reader = running.parts.reader(Log.AUDIT)
        try:
            return [json.loads(leaf) for leaf in reader.entries(1, reader.size())]
        finally:
            reader.close()


def _imported(trail: Path) -> list[dict[str, Any]]:
    return [leaf for leaf in _leaves(trail) if leaf.get("assurance") == "imported"]


@contextmanager
def _hasher(trail: Path) -> Iterator[TextHasher]:
    with run_trail(trail) as running:
        yield running.parts.hasher


# --- the seed forms ---


@pytest.mark.parametrize("form", ["audit-jsonl", "chained-jsonl"])
def test_the_first_seed_form_is_taken_in_without_a_map(
    form: str, trail_dir: Path, tmp_path: Path
) -> None:
    """This is what a clinic that logged by itself has on its disk."""
    file = tmp_path / "old.jsonl"
    file.write_bytes(lines([hashed(SEED)]))
    found = _import(trail_dir, file, form)
    (leaf,) = _imported(trail_dir)

    assert found.counts == Imported(lines=1, recorded=1)
    assert found.report.chain.verdict is ChainVerdict.ENTRIES_INTACT
    assert leaf["source_event_id"] == "evt_8b2f4a1c9d"
    assert leaf["timestamp_utc"] == "2026-03-15T14:23:07.123Z"
    assert (leaf["event_type"], leaf["action"]) == ("phi_read", "query")
    assert (leaf["user_role"], leaf["department"]) == ("physician", "cardiology")
    assert leaf["user_id"].startswith("usr-")
    assert [record[2] for record in leaf["records"]] == ["DocumentReference"] * 2
    assert len({record[0] for record in leaf["records"]}) == 1
    assert leaf["ai_model_id"] == "extractive-demo"
    with _hasher(trail_dir) as hasher:
        assert leaf["query_hash"] == hasher.hash(SEED["query_hash"], "q").exact


def test_the_second_seed_form_is_taken_in_without_a_map(
    trail_dir: Path, tmp_path: Path
) -> None:
    """This is what a clinic that put CloudTrail-shaped records has."""
    file = tmp_path / "old.json"
    file.write_text(json.dumps({"Records": [hashed(SEED_TRAIL, "integrityHash")]}))
    found = _import(trail_dir, file, "cloudtrail")
    (leaf,) = _imported(trail_dir)

    assert found.counts == Imported(lines=1, recorded=1)
    assert found.report.chain.verdict is ChainVerdict.ENTRIES_INTACT
    assert leaf["source_event_id"] == "evt_8b2f4a1c9d"
    assert leaf["timestamp_utc"] == "2026-03-15T14:23:07.000Z"
    assert (leaf["event_type"], leaf["action"]) == ("phi_read", "query")
    assert (leaf["actor_type"], leaf["user_role"]) == ("human", "physician")
    assert (leaf["source_ip"], leaf["request_id"]) == ("192.0.2.10", "req-5501")
    assert len(leaf["records"]) == 2


@pytest.mark.parametrize("as_what", ["lines", "single", "gzip"])
def test_cloudtrail_comes_in_any_wrapping(
    as_what: str, trail_dir: Path, tmp_path: Path
) -> None:
    """AWS delivers gzip, exports give lines, a console gives one record."""
    text = json.dumps(SEED_TRAIL)
    bodies = {
        "lines": (text + "\n").encode(),
        "single": json.dumps(SEED_TRAIL, indent=2).encode(),
        "gzip": gzip.compress(json.dumps({"Records": [SEED_TRAIL]}).encode()),
    }
    file = tmp_path / "old.json.gz"
    file.write_bytes(bodies[as_what])

    assert _import(trail_dir, file, "cloudtrail").counts.recorded == 1


def test_a_cut_gzip_file_says_so(trail_dir: Path, tmp_path: Path) -> None:
    """Half a delivery must not pass for a whole one."""
    packed = gzip.compress(lines([seed(n) for n in range(2000)]))
    file = tmp_path / "old.jsonl.gz"
    file.write_bytes(packed[: len(packed) // 2])
    found = _import(trail_dir, file, "audit-jsonl")
    told = rejected_path(file).read_text().splitlines()

    assert found.counts.recorded > 0
    assert json.loads(told[-1])["field"] == "(file)"


# --- the verdict ---


@pytest.mark.drill
def test_the_verdict_is_on_record_with_its_report(
    trail_dir: Path, tmp_path: Path
) -> None:
    """Years later, somebody asks whether the old log was sound when it came in."""
    entries = chained([seed(n) for n in range(5)])
    entries[2]["user_id"] = "mallory"
    file = tmp_path / "old.jsonl"
    file.write_bytes(lines(entries))
    found = _import(trail_dir, file, "chained-jsonl")
    (event,) = (
        leaf
        for leaf in _leaves(trail_dir)
        if leaf.get("event_type") == "history_imported"
    )
    with run_trail(trail_dir) as running:
        document = open_document(running.parts, event["object_digest"])

    chain = found.report.chain
    assert (chain.broken_at, chain.broken_by) == (3, BreakKind.HASH)
    assert event["reason_code"] == "chain_broken"
    assert event["object_id"] == found.report.file_sha256
    assert (event["result_count"], event["user_id"]) == (5, "officer")
    assert document is not None
    assert json.loads(document)["chain"]["broken_at"] == 3


def test_a_second_run_records_nothing(trail_dir: Path, tmp_path: Path) -> None:
    """Whoever is not sure whether it ran must be able to run it again."""
    file = tmp_path / "old.jsonl"
    without_id = seed(99)
    del without_id["event_id"]
    file.write_bytes(lines([*chained([seed(n) for n in range(250)]), without_id]))
    first = _import(trail_dir, file, "audit-jsonl")
    before = _leaves(trail_dir)
    again = _import(trail_dir, file, "audit-jsonl")

    assert first.counts.recorded == 251
    assert again.counts == Imported(lines=251, already_there=251)
    assert first.event_id == again.event_id
    assert before == _leaves(trail_dir)
    assert not verify_trail(trail_dir, deep=True).findings


def test_a_map_that_was_changed_stops_the_run(trail_dir: Path, tmp_path: Path) -> None:
    """A million conflicts would bury what the security log is for."""
    file = tmp_path / "old.jsonl"
    file.write_bytes(lines([seed(n, ward="4") for n in range(300)]))
    _import(trail_dir, file, "audit-jsonl")
    with pytest.raises(InputError, match="more than 100 entries"):
        _import(trail_dir, file, "audit-jsonl", b"fields: {ward: session_id}")

    assert len(_imported(trail_dir)) == 300


@pytest.mark.parametrize("form", ["chained-jsonl", "cloudtrail"])
def test_our_own_export_comes_back_whole(
    form: str, trail_dir: Path, founded: Path, tmp_path: Path
) -> None:
    """A trail that moves must keep its counts, times and ids."""
    record_events(trail_dir, range(1, 30))
    other = copy_trail(founded, tmp_path / "other")
    out = tmp_path / "export"
    with run_trail(trail_dir) as running:
        export_log(running, Log.AUDIT, ExportFormat(form), out, by="x", now=NOW)
    found = _import(other, out, form)
    theirs = {(leaf["event_id"], leaf["timestamp_utc"]) for leaf in _leaves(trail_dir)}
    ours = {
        (leaf["source_event_id"], leaf["timestamp_utc"]) for leaf in _imported(other)
    }

    assert found.counts == Imported(lines=30, recorded=30)
    assert found.report.passed_over == {"genesis": 1}
    assert theirs == ours
    if form == "chained-jsonl":
        assert found.report.chain.verdict is ChainVerdict.INTACT


# --- maps and refusals ---


def test_times_and_ids_of_another_shape_are_mapped(
    trail_dir: Path, tmp_path: Path
) -> None:
    """An id that is a sentence, or seconds since 1970, must not cost the record."""
    file = tmp_path / "old.jsonl"
    entry = {"nr": "Ward 4 / no. 17", "t": 1773584587.25, "who": "dr-1", "do": "look"}
    file.write_text(json.dumps(entry))
    _import(
        trail_dir,
        file,
        "audit-jsonl",
        b"time: {format: epoch_s}\nfields:\n  nr: source_event_id\n  t: timestamp_utc\n"
        b"  who: {to: user_id, keyed: true}\n  do: {to: action, values: {look: view}}\n",
    )
    (leaf,) = _imported(trail_dir)

    assert leaf["source_event_id"].startswith("keyed:")
    assert leaf["user_id"].startswith("key-")
    assert leaf["timestamp_utc"] == "2026-03-15T14:23:07.250Z"


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        (seed(1, query=CANARY), "query"),
        (seed(1, reason=CANARY), "reason"),
        (seed(1, llm={"userPrompt": CANARY}), "llm.userPrompt"),
        (seed(1, timestamp="2026-03-15T14:23:07"), "timestamp_utc"),
        (seed(1, timestamp=None), "timestamp_utc"),
        (seed(1, department=CANARY), "department"),
        (seed(1, action=CANARY), "action"),
        (seed(1, user_id=CANARY), "user_id"),
        (seed(1, ip=CANARY), "ip"),
        (seed(1, latency_ms=CANARY), "latency_ms"),
        (seed(1, record_ids=[[CANARY]]), "records"),
        (seed(1, **{CANARY: {"prompt": CANARY}}), "(field 14)"),
    ],
)
def test_a_bad_entry_is_named_by_field_and_rule(
    entry: dict[str, Any], field: str, trail_dir: Path, tmp_path: Path
) -> None:
    """Whoever mends the map needs the field, and must not need the value."""
    file = tmp_path / "old.jsonl"
    file.write_bytes(lines([seed(0), entry]))
    found = _import(trail_dir, file, "audit-jsonl")
    told = json.loads(rejected_path(file).read_text())

    assert found.counts == Imported(lines=2, recorded=1, rejected=1)
    assert (told["line"], told["field"]) == (2, field)
    assert set(told) == {"line", "field", "rule"}
    assert CANARY not in json.dumps(told)


def test_what_is_not_mapped_is_counted_by_name_or_place(
    trail_dir: Path, tmp_path: Path
) -> None:
    """Nothing may be dropped in silence, and a key may be a patient's number."""
    file = tmp_path / "old.jsonl"
    odd = {"vendor": {"zone": 1}, "12345678": True, CANARY: 1}
    file.write_bytes(lines([seed(1, **odd)]))
    found = _import(trail_dir, file, "audit-jsonl")

    assert found.report.left_out == {
        "(field 15)": 1,
        "(field 16)": 1,
        "vendor.zone": 1,
    }


def test_csv_needs_a_map(trail_dir: Path, tmp_path: Path) -> None:
    """A column may mean anything."""
    file = tmp_path / "old.csv"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(InputError) as caught:
        _import(trail_dir, file, "csv")

    assert caught.value.field == "--map"


# --- nothing of it lands ---

texts = st.sampled_from(
    ["query", "prompt", "response", "reason", "notes", "free.text", "answer"]
)
odd_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.sampled_from(["", CANARY, "dr-1", "\ud800", "2026-03-15T14:23:07Z"]),
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "type", "text"]), inner, max_size=2)
    ),
    max_leaves=4,
)
entries = st.builds(
    lambda number, odd, free: seed(number) | odd | dict.fromkeys(free, CANARY),
    st.integers(0, 30),
    st.dictionaries(
        st.sampled_from(sorted([*SEED, "x", "resources"])), odd_values, max_size=2
    ),
    st.sets(texts, max_size=2),
)


def _csv(rows: list[tuple[int, str]]) -> bytes:
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(["id", "when", "who", "what", "patient", "question", "remark"])
    for number, what in rows:
        moment = f"2026-03-15T14:23:{number:02}Z"
        table.writerow([f"e{number}", moment, "dr-1", what, "mrn-1", CANARY, CANARY])
    return written.getvalue().encode()


def _audited(number: int, path: str, odd: dict[str, Any]) -> dict[str, Any]:
    """Write a line of a vault's audit device, with more in it than we take."""
    request: dict[str, Any] = {
        "id": f"{number:08x}-0000-4000-8000-000000000000",
        "operation": "update",
    }
    request |= {"path": f"transit/{path}", "mount_type": "transit"}
    request |= {"data": {"plaintext": CANARY}, "remote_address": "10.0.0.7"}
    auth = {"accessor": f"hmac-sha256:{number:064x}", "display_name": CANARY}
    line: dict[str, Any] = {"time": "2026-03-15T14:23:07Z", "type": "response"}
    return line | {"auth": auth, "request": request | odd, "response": {"data": CANARY}}


def _in_kms(number: int, name: str, odd: dict[str, Any]) -> dict[str, Any]:
    """Write an event of AWS KMS in CloudTrail, with more in it than we take."""
    record: dict[str, Any] = {"eventSource": "kms.amazonaws.com", "eventName": name}
    record |= {"eventID": f"{number:08x}-0000-4000-8000-000000000000"}
    record |= {"eventTime": "2026-03-15T14:23:07Z", "sourceIPAddress": "10.0.0.7"}
    record |= {"userIdentity": {"arn": "arn:aws:iam::111122223333:role/phitrail"}}
    return record | {"requestParameters": {"keyId": "k-1", "note": CANARY}} | odd


bodies = {
    "vault-audit": st.lists(
        st.builds(
            _audited,
            st.integers(0, 30),
            st.sampled_from(["encrypt/phitrail-wrapping", "sign/k", "keys/k", CANARY]),
            st.dictionaries(
                st.sampled_from(["id", "operation", "path", "x"]),
                odd_values,
                max_size=2,
            ),
        ),
        max_size=8,
    ).map(lines),
    "kms-cloudtrail": st.lists(
        st.builds(
            _in_kms,
            st.integers(0, 30),
            st.sampled_from(["Decrypt", "Encrypt", "Sign", "DisableKey", CANARY]),
            st.dictionaries(
                st.sampled_from(["eventID", "eventTime", "requestParameters", "x"]),
                odd_values,
                max_size=2,
            ),
        ),
        max_size=6,
    ).map(lambda found: json.dumps({"Records": found, "note": CANARY}).encode()),
    "audit-jsonl": st.lists(entries, max_size=8).map(lines),
    "chained-jsonl": st.lists(entries, max_size=8).map(lambda e: lines(chained(e))),
    "cloudtrail": st.lists(
        st.builds(
            lambda more, odd: SEED_TRAIL | {"requestParameters": more | odd},
            st.fixed_dictionaries({}, optional={"prompt": st.just(CANARY)}),
            st.dictionaries(
                st.sampled_from(["recordIds", "y"]), odd_values, max_size=2
            ),
        ),
        max_size=6,
    ).map(lambda found: json.dumps({"Records": found, "note": CANARY}).encode()),
    "fhir": st.lists(
        st.builds(
            lambda odd: (
                {"resourceType": "AuditEvent", "recorded": "2026-03-15T14:23:07Z"}
                | {"action": "R", "outcomeDesc": CANARY, "text": {"div": CANARY}}
                | odd
            ),
            st.dictionaries(
                st.sampled_from(["agent", "entity", "type", "outcome"]), odd_values
            ),
        ),
        max_size=6,
    ).map(lambda found: json.dumps(found).encode()),
    "csv": st.lists(
        st.tuples(st.integers(0, 20), st.sampled_from([CANARY, "rag_query", "view"])),
        max_size=8,
    ).map(_csv),
}


def _import_or_refuse(
    trail: Path, file: Path, form: str, field_map: bytes | None
) -> ImportedHistory | InputError:
    try:
        return _import(trail, file, form, field_map)
    except InputError as error:
        return error


@pytest.mark.parametrize("form", list(HistoryForm))
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_file_is_taken_in_or_refused_and_no_text_of_it_lands(
    form: HistoryForm,
    data: st.DataObject,
    founded: Path,
    tmp_path_factory: pytest.TempPathFactory,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A sentence of an old log in a new one would be a breach of our making."""
    body = data.draw(bodies[form.value])
    if data.draw(st.integers(0, 4)) == 0:  # bytes that break it somewhere
        at = data.draw(st.integers(0, len(body)))
        body = body[:at] + data.draw(st.binary(max_size=4)) + body[at + 1 :]
    place = tmp_path_factory.mktemp("fuzz")
    trail = copy_trail(founded, place / "trail")
    file = place / "old"
    file.write_bytes(body)
    field_map = CSV_MAP if form is HistoryForm.CSV else None
    first = _import_or_refuse(trail, file, form, field_map)
    if isinstance(first, InputError):
        assert CANARY not in f"{first!r} {first.__context__!r} {first.__cause__!r}"
        return
    before = _leaves(trail)
    again = _import(trail, file, form, field_map)
    told = rejected_path(file).read_bytes() if first.counts.rejected else b""
    printed = "".join(capfd.readouterr())

    assert first.counts.rejected == len(told.splitlines())
    assert again.counts.recorded == 0
    assert again.counts.rejected == first.counts.rejected
    assert before == _leaves(trail)
    assert first.counts.recorded == len(_imported(trail))
    kept = [path.read_bytes() for path in trail.rglob("*") if path.is_file()]
    shown = [told, printed.encode(), repr(first).encode(), json.dumps(before).encode()]
    for text in (CANARY, CANARY.casefold()):
        assert not any(text.encode() in found for found in (*kept, *shown))
