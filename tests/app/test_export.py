"""Exports are whole, recorded, and accepted by other people's readers."""

import hashlib
import json
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.trails import NOW, check_whole, phi_read, record_events
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader

from phitrail.app.export import Exported, ExportFormat, export_log
from phitrail.app.running import run_trail
from phitrail.errors import InputError, IntegrityError, StorageError
from phitrail.events.codes import Log
from phitrail.events.quality import QualityEntry
from phitrail.tlog.checkpoint import open_checkpoint
from phitrail.tlog.hashing import hash_leaf
from phitrail.tlog.layout import sealed_bundle
from phitrail.tlog.merkle import tree_root
from phitrail.tlog.note import parse_vkey

READER = "officer-7"


@pytest.fixture(scope="module")
def filled(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a trail with 700 events in two full bundles and an unfinished one."""
    directory = tmp_path_factory.mktemp("filled") / "trail"
    shutil.copytree(founded, directory)
    record_events(directory, range(700))
    return directory


@pytest.fixture
def trail(filled: Path, tmp_path: Path) -> Path:
    """Give a copy that a test may write to."""
    return Path(shutil.copytree(filled, tmp_path / "trail"))


def _export(
    trail: Path, form: ExportFormat, out: Path, log: Log = Log.AUDIT
) -> Exported:
    with run_trail(trail) as running:
        return export_log(running, log, form, out, by=READER, now=NOW)


def _reads(trail: Path) -> list[dict[str, Any]]:
    leaves = map(json.loads, check_whole(trail).leaves["audit"])
    return [leaf for leaf in leaves if leaf.get("event_type") == "audit_log_read"]


@pytest.mark.parametrize("form", ExportFormat)
@pytest.mark.parametrize("log", [Log.AUDIT, Log.SECURITY])
def test_an_export_records_itself_and_carries_a_checkpoint_over_all_of_it(
    trail: Path, tmp_path: Path, form: ExportFormat, log: Log
) -> None:
    """An export that leaves no trace is a leak; without a checkpoint it is no evidence."""
    exported = _export(trail, form, tmp_path / "out", log)
    (read,) = _reads(trail)
    note = exported.checkpoint_file.read_bytes()
    checkpoint = open_checkpoint(note, [parse_vkey(exported.vkey)])
    leaves = check_whole(trail).leaves[log.value]

    assert checkpoint == exported.checkpoint
    assert tree_root([hash_leaf(leaf) for leaf in leaves]) == checkpoint.root
    assert (read["action"], read["read_log"]) == ("export", log)
    assert read["reason_code"] == form.reason_code
    assert read["result_count"] == checkpoint.size == len(leaves)
    if log is Log.AUDIT:
        assert json.loads(leaves[-1]) == read


def test_another_implementation_reads_the_c2sp_export(
    trail: Path, tmp_path: Path
) -> None:
    """The export is for readers that know nothing of phitrail."""
    exported = _export(trail, ExportFormat.C2SP, tmp_path / "out")
    leaves = check_whole(trail).leaves["audit"]
    size = exported.checkpoint.size
    reader = TilesReader(LocalBackend(tmp_path / "out"))

    assert size == reader.get_checkpoint().size == 702
    assert exported.checkpoint.root == reader.calculate_root_hash()
    for index in (0, 255, 256, 511, 512, 701):
        assert leaves[index] == reader.get_entry(index)


def test_a_c2sp_export_holds_the_files_of_the_format_and_no_more(
    trail: Path, tmp_path: Path
) -> None:
    """A stray file would be served to whoever mirrors the log."""
    out = tmp_path / "out"
    _export(trail, ExportFormat.C2SP, out)
    files = {str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()}
    tiles = {"000", "001", "002.p/190"}

    expected = {f"tile/{kind}/{tile}" for kind in ("0", "entries") for tile in tiles}
    assert expected | {"checkpoint", "tile/1/000.p/2"} == files
    assert stat.S_IMODE(out.stat().st_mode) == 0o700


def verify_chain(lines: Iterator[bytes]) -> int:
    """Verify a chained log as the per-entry verifiers do that are commonly published."""
    expected_prev = "0" * 64
    count = 0
    for line in lines:
        entry = json.loads(line)
        claimed = entry.pop("log_hash")
        assert entry["prev_hash"] == expected_prev
        computed = json.dumps(entry, sort_keys=True).encode()
        assert hashlib.sha256(computed).hexdigest() == claimed
        expected_prev = claimed
        count += 1
    return count


def test_the_common_chain_verifier_accepts_the_chained_export(
    trail: Path, tmp_path: Path
) -> None:
    """Sites that run such a verifier must be able to go on running it."""
    out = tmp_path / "audit.jsonl"
    exported = _export(trail, ExportFormat.CHAINED_JSONL, out)
    lines = out.read_bytes().splitlines()
    leaves = check_whole(trail).leaves["audit"]

    assert exported.checkpoint.size == verify_chain(iter(lines))
    added = ("log_index", "prev_hash", "log_hash")
    for index, (line, leaf) in enumerate(zip(lines, leaves, strict=True)):
        entry = json.loads(line)
        assert entry["log_index"] == index
        assert json.loads(leaf) == {k: v for k, v in entry.items() if k not in added}
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_the_common_chain_verifier_refuses_an_altered_line(
    trail: Path, tmp_path: Path
) -> None:
    """If the verifier of the test above took anything, it would show nothing."""
    out = tmp_path / "audit.jsonl"
    _export(trail, ExportFormat.CHAINED_JSONL, out)
    lines = out.read_bytes().replace(b"dr-0012", b"dr-0013", 1).splitlines()

    with pytest.raises(AssertionError):
        verify_chain(iter(lines))


def test_a_cloudtrail_export_has_the_shape_and_the_leaf_hashes(
    trail: Path, tmp_path: Path
) -> None:
    """A tool for CloudTrail finds its keys; an auditor finds the way back to the log."""
    out = tmp_path / "audit.json"
    _export(trail, ExportFormat.CLOUDTRAIL, out)
    document = json.loads(out.read_bytes())
    leaves = check_whole(trail).leaves["audit"]
    names = (
        "eventType eventTime userIdentity requestParameters sourceIPAddress userAgent"
    )
    names += " requestID aiContext integrityHash"

    assert list(document) == ["Records"]
    hashes = [record["integrityHash"] for record in document["Records"]]
    assert [hash_leaf(leaf).hex() for leaf in leaves] == hashes
    for record in document["Records"]:
        assert set(names.split()) <= set(record)
    read = document["Records"][1]
    assert (read["eventType"], read["userIdentity"]["userName"]) == (
        "phi_read",
        "dr-0012",
    )


def test_cloudtrail_has_no_shape_for_quality_entries(
    trail: Path, tmp_path: Path
) -> None:
    """A record without an event and a user is no CloudTrail record."""
    with pytest.raises(InputError, match="--format"):
        _export(trail, ExportFormat.CLOUDTRAIL, tmp_path / "out", Log.QUALITY)

    assert _reads(trail) == []


@pytest.mark.parametrize("form", [ExportFormat.C2SP, ExportFormat.CHAINED_JSONL])
def test_a_quality_log_is_exported_too(
    trail: Path, tmp_path: Path, form: ExportFormat
) -> None:
    """Engineers verify the quality log with the same readers."""
    with run_trail(trail) as running:
        entry = QualityEntry(request_id="req-1", model_id="extractive-demo")
        running.parts.recorder.record(entry, NOW)
        out = tmp_path / "out"
        exported = export_log(running, Log.QUALITY, form, out, by=READER, now=NOW)

    assert exported.checkpoint.size == 2


@pytest.mark.parametrize("form", ExportFormat)
def test_a_target_that_holds_something_is_left_alone(
    trail: Path, tmp_path: Path, form: ExportFormat
) -> None:
    """Two exports in one place are neither."""
    out = tmp_path / "out"
    if form is ExportFormat.C2SP:
        out.mkdir()
        (out / "checkpoint").write_text("another")
    else:
        out.write_text("another")

    with pytest.raises(InputError, match="--out"):
        _export(trail, form, out)

    kept = out / "checkpoint" if form is ExportFormat.C2SP else out
    assert kept.read_text() == "another"
    assert _reads(trail) == []


@pytest.mark.parametrize("form", ExportFormat)
def test_an_empty_target_is_taken(
    trail: Path, tmp_path: Path, form: ExportFormat
) -> None:
    """Scripts make a directory or a temporary file first."""
    out = tmp_path / "out"
    if form is ExportFormat.C2SP:
        out.mkdir()
    else:
        out.touch()

    assert _export(trail, form, out).checkpoint.size == 702


def test_a_target_without_a_directory_is_refused_before_anything_is_recorded(
    trail: Path, tmp_path: Path
) -> None:
    """A typing error must not leave a record of a read that never was."""
    with pytest.raises(InputError, match="--out"):
        _export(trail, ExportFormat.C2SP, tmp_path / "no" / "out")

    assert _reads(trail) == []


@pytest.mark.parametrize("form", ExportFormat)
def test_an_altered_bundle_stops_the_export_and_leaves_nothing(
    trail: Path, tmp_path: Path, form: ExportFormat
) -> None:
    """Half an export, or one of altered entries, would be taken for evidence."""
    place = trail / sealed_bundle("audit", 1)
    data = bytearray(place.read_bytes())
    data[-1] ^= 1
    place.write_bytes(data)

    with pytest.raises(IntegrityError):
        _export(trail, form, tmp_path / "out")

    assert [trail] == list(tmp_path.iterdir())


def test_an_export_tells_how_far_it_is(trail: Path, tmp_path: Path) -> None:
    """Ten million entries take minutes; a person must see that they pass."""
    told: list[tuple[int, int]] = []
    with run_trail(trail) as running:
        export_log(
            running,
            Log.AUDIT,
            ExportFormat.CHAINED_JSONL,
            tmp_path / "out",
            by=READER,
            now=NOW,
            progress=lambda done, total: told.append((done, total)),
        )

    assert told == [(256, 702), (512, 702), (702, 702)]


def test_an_export_fails_unread_when_it_cannot_be_recorded(
    trail: Path, tmp_path: Path
) -> None:
    """An export that nobody can find later must not happen."""
    with run_trail(trail) as running:
        running.parts.stop_writing()
        with pytest.raises(StorageError):
            export_log(
                running,
                Log.AUDIT,
                ExportFormat.C2SP,
                tmp_path / "out",
                by=READER,
                now=NOW,
            )

    assert not (tmp_path / "out").exists()


def test_two_exports_of_one_log_are_consistent(trail: Path, tmp_path: Path) -> None:
    """The later export must begin with every entry of the earlier one."""
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    _export(trail, ExportFormat.CHAINED_JSONL, first)
    with run_trail(trail) as running:
        running.parts.recorder.record(phi_read(9_000), NOW)
    _export(trail, ExportFormat.CHAINED_JSONL, second)

    assert second.read_bytes().startswith(first.read_bytes())
