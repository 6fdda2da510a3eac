"""`phitrail verify --receipt`: what an officer with a receipt sees, and the exit code."""

from pathlib import Path

import pytest
from tests.cli.conftest import Command
from tests.trails import NOW, copy_trail, phi_read, record_events

from phitrail.app.receipt_checks import ReceiptVerdict
from phitrail.app.wiring import open_trail
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.receipts import CODE_OF_RECEIPT, code_with_receipts
from phitrail.errors import IntegrityError
from phitrail.sdk import connect


def test_a_kept_receipt_is_proven_and_supports_its_log(
    phitrail: Command, trail_dir: Path, tmp_path: Path
) -> None:
    """One receipt in an application's own database is enough to hold its log."""
    file = tmp_path / "receipt.json"
    record_events(trail_dir, range(5))[3].write(file)
    told = phitrail("verify", "--trail", trail_dir, "--receipt", file)
    as_json = phitrail("verify", "--trail", trail_dir, "--receipt", file, "--json")
    wider = phitrail(
        *("verify", "--trail", trail_dir, "--receipt", file, "--log", "audit"),
        *("--log", "quality"),
    )

    assert told.code == ExitCode.OK
    assert f"{file}: kept: entry 4 is proven under the checkpoint of size 6" in told.out
    assert [log["log"] for log in as_json.data["logs"]] == ["audit"]
    assert as_json.data["receipts"][0]["verdict"] == "kept"
    assert wider.code == ExitCode.UNVERIFIABLE  # nothing holds the quality log


def test_a_broken_promise_is_a_failure_with_both_notes(
    phitrail: Command, trail_dir: Path, tmp_path: Path, receipts_dir: Path
) -> None:
    """What is printed must convict by itself, pasted into any report."""
    backup = copy_trail(trail_dir, tmp_path / "backup")
    with connect(trail_dir) as trail:
        receipt = trail.record(phi_read(1))
    receipt.write(tmp_path / "receipt.json")
    trail_dir.rename(tmp_path / "gone")
    backup.rename(trail_dir)
    with pytest.raises(IntegrityError):
        connect(trail_dir)
    (evidence,) = receipts_dir.glob("broken-promise-*.json")
    for file in (tmp_path / "receipt.json", evidence):
        told = phitrail("verify", "--trail", trail_dir, "--receipt", file)

        assert told.code == ExitCode.CHECK_FAILED
        assert f"{file}: broken: clinic.example/audit promised 2 entries and has 1" in (
            told.out
        )
        assert receipt.promises["audit"].decode() in told.out
        assert told.out.count("— clinic.example/audit/promise ") == 2


def test_an_early_receipt_cannot_be_verified_yet(
    phitrail: Command, trail_dir: Path, tmp_path: Path
) -> None:
    """Neither acquitted nor convicted: exit code 3, and the reason."""
    record_events(trail_dir, range(2))
    trail = open_trail(trail_dir)
    try:
        trail.recorder.record(phi_read(7), NOW).write(tmp_path / "early.json")
    finally:
        trail.close()
    told = phitrail(
        "verify", "--trail", trail_dir, "--receipt", tmp_path / "early.json"
    )

    assert told.code == ExitCode.UNVERIFIABLE
    assert "unpublished: no checkpoint here covers it yet" in told.out


def test_a_wrong_file_is_a_mistake_of_its_bringer(
    phitrail: Command, trail_dir: Path, tmp_path: Path
) -> None:
    """A mistyped path must not look like a broken log."""
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"mrn": "Canary"}')
    for file in (wrong, tmp_path / "absent"):
        told = phitrail("verify", "--trail", trail_dir, "--receipt", file)

        assert told.code == ExitCode.USAGE
        assert "receipt" in told.err
        assert "Canary" not in told.err


def test_a_failure_outweighs_a_doubt() -> None:
    """Exit codes are what a nightly job looks at."""
    assert set(CODE_OF_RECEIPT) == set(ReceiptVerdict)
    assert code_with_receipts(ExitCode.CHECK_FAILED, []) is ExitCode.CHECK_FAILED
    assert code_with_receipts(ExitCode.UNVERIFIABLE, []) is ExitCode.UNVERIFIABLE
    assert code_with_receipts(ExitCode.OK, []) is ExitCode.OK
