"""The log verbs from end to end: filled from a file, read, proven, exported."""

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Command
from tests.trails import check_whole, event_id, record_events

from phitrail.app.reading import system_user
from phitrail.cli.exit_codes import ExitCode
from phitrail.tlog.checkpoint import open_checkpoint
from phitrail.tlog.hashing import hash_leaf
from phitrail.tlog.note import parse_vkey
from phitrail.tlog.proof import verify_inclusion
from phitrail.tlog.proof_file import parse_proof

CANARY = "Zebulon-Quimby"


def _line(number: int, **more: object) -> str:
    return json.dumps({"event_type": "phi_read", "request_id": f"req-{number}", **more})


def test_an_import_reports_what_became_of_the_lines(
    phitrail: Command, trail_dir: Path, tmp_path: Path
) -> None:
    """A person must learn how many are in, how many were, and where the rest is told."""
    file = tmp_path / "events.jsonl"
    file.write_text(f"{_line(1)}\n{_line(2)}\n{_line(3, department=CANARY)}\n")
    first = phitrail("log", "import", file, "--trail", trail_dir)
    again = phitrail("log", "import", file, "--trail", trail_dir, "--json")
    told = (tmp_path / "events.rejected.jsonl").read_text()

    assert (first.code, again.code) == (1, 1)
    assert again.data == {
        "lines": 3,
        "recorded": 0,
        "already_there": 2,
        "rejected": 1,
        "rejected_file": str(tmp_path / "events.rejected.jsonl"),
    }
    assert json.loads(told) == {
        "line": 3,
        "field": "department",
        "rule": json.loads(told)["rule"],
    }
    assert first.out.split() == "recorded 2 already there 0 rejected 1".split()
    for printed in (first.out, first.err, again.out, again.err, told):
        assert CANARY not in printed


def test_a_clean_import_is_ok(
    phitrail: Command, trail_dir: Path, tmp_path: Path
) -> None:
    """A script goes on only on 0."""
    file = tmp_path / "events.jsonl"
    file.write_text(_line(1))

    assert phitrail("log", "import", file, "--trail", trail_dir).code == ExitCode.OK
    assert not (tmp_path / "events.rejected.jsonl").exists()


def test_an_import_of_no_file_is_a_mistake(
    phitrail: Command, trail_dir: Path, tmp_path: Path
) -> None:
    """Nothing imported must not look like nothing to import."""
    ran = phitrail("log", "import", tmp_path / "none.jsonl", "--trail", trail_dir)
    of_a_directory = phitrail("log", "import", tmp_path, "--trail", trail_dir)
    of_here = phitrail("log", "import", ".", "--trail", trail_dir)

    assert ran.code == ExitCode.USAGE
    assert of_a_directory.code == of_here.code == ExitCode.USAGE


def test_show_prints_the_entry_as_it_was_hashed(
    phitrail: Command, trail_dir: Path
) -> None:
    """What is shown must be the bytes that a proof is about."""
    record_events(trail_dir, [1])
    ran = phitrail(
        "log", "show", event_id(1), "--trail", trail_dir, "--as", "officer-7", "--json"
    )
    told = phitrail("log", "show", "1", "--trail", trail_dir)
    leaves = check_whole(trail_dir).leaves["audit"]
    (entry,) = ran.data["entries"]

    assert json.loads(leaves[1]) == entry["entry"]
    assert f'"entry":{leaves[1].decode()}' in ran.out
    assert entry["index"] == 1
    assert "phi_read" in told.out
    readers = [json.loads(leaf)["user_id"] for leaf in leaves[2:]]
    assert ["officer-7", system_user()] == readers


def test_what_is_shown_names_no_patient(phitrail: Command, trail_dir: Path) -> None:
    """Reading the log must not disclose who stands behind a surrogate."""
    record_events(trail_dir, range(3))
    shown = [
        phitrail("log", "show", "2", "--trail", trail_dir),
        phitrail("log", "tail", "--trail", trail_dir),
        phitrail("log", "tail", "--trail", trail_dir, "--json"),
    ]

    for ran in shown:
        assert ran.code == ExitCode.OK
        assert "mrn-" not in ran.out
        assert "note-" not in ran.out


def test_tail_prints_the_newest_entries_in_order(
    phitrail: Command, trail_dir: Path
) -> None:
    """A person looks at the end of a log first."""
    record_events(trail_dir, range(30))
    ran = phitrail("log", "tail", "-n", "3", "--trail", trail_dir, "--json")

    assert [line["index"] for line in ran.lines] == [28, 29, 30]


@pytest.mark.parametrize("is_json", [False, True])
def test_a_proof_goes_to_an_auditor_and_verifies(
    phitrail: Command, trail_dir: Path, tmp_path: Path, is_json: bool
) -> None:
    """A proof that verifies on our screen alone is none."""
    record_events(trail_dir, range(300))
    out = tmp_path / "proof"
    arguments = ["log", "prove", "17", "--trail", trail_dir]
    if is_json:
        data = phitrail(*arguments, "--json").data["proof_file"].encode()
    else:
        assert phitrail(*arguments, "--out", out).out == ""
        data = out.read_bytes()
    genesis = json.loads((trail_dir / "public/audit/genesis.json").read_bytes())
    leaf = check_whole(trail_dir).leaves["audit"][17]

    proof = parse_proof(data)
    key = parse_vkey(genesis["log_vkey"])
    checkpoint = open_checkpoint(proof.checkpoint_note, [key])
    verify_inclusion(
        leaf=hash_leaf(leaf),
        index=proof.index,
        size=checkpoint.size,
        proof=proof.proof,
        root=checkpoint.root,
    )
    assert proof.index == 17


def test_a_proof_is_printed_byte_for_byte(phitrail: Command, trail_dir: Path) -> None:
    """`phitrail log prove 0 > proof` must give the file of the format."""
    ran = phitrail("log", "prove", "0", "--trail", trail_dir)

    assert parse_proof(ran.out.encode()).index == 0


def test_a_proof_overwrites_nothing(
    phitrail: Command, trail_dir: Path, tmp_path: Path
) -> None:
    """An older proof may be the only one of its kind."""
    out = tmp_path / "proof"
    out.write_text("another")
    ran = phitrail("log", "prove", "0", "--trail", trail_dir, "--out", out)

    assert ran.code == ExitCode.USAGE
    assert out.read_text() == "another"
    assert len(check_whole(trail_dir).leaves["audit"]) == 1


def test_an_export_prints_what_a_reader_of_it_needs(
    phitrail: Command, trail_dir: Path, tmp_path: Path
) -> None:
    """Origin and key must come to the reader beside the files, not out of them."""
    record_events(trail_dir, range(10))
    out = tmp_path / "export"
    ran = phitrail(
        "log",
        "export",
        "--format",
        "c2sp",
        "--out",
        out,
        "--trail",
        trail_dir,
        "--json",
    )
    data = ran.data
    checkpoint = open_checkpoint(
        (out / "checkpoint").read_bytes(), [parse_vkey(data["vkey"])]
    )

    assert {"origin", "vkey", "size", "root", "out"} <= set(data)
    assert (data["origin"], data["size"]) == (checkpoint.origin, checkpoint.size)
    assert data["size"] == 12
    assert data["out"] == str(out)
