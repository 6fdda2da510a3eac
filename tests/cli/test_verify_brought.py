"""verify with what a person brings: files, directories, pasted text, time stamps."""

import io
from pathlib import Path

import pytest
from tests.anchor.authority import make_authority
from tests.anchor.histories import History
from tests.cli.conftest import Command
from tests.trails import record_events

from phitrail.anchor.watched_directory import note_path
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.verify import NAMED_AT_MOST

ORIGIN = "clinic.example/audit"


@pytest.fixture
def notes(trail_dir: Path) -> list[bytes]:
    """Publish at six sizes and keep each checkpoint."""
    kept = []
    for number in range(6):
        record_events(trail_dir, [number])
        kept.append((trail_dir / "public/audit/checkpoint").read_bytes())
    return kept


@pytest.fixture
def usb(notes: list[bytes], tmp_path: Path) -> Path:
    """Lay the checkpoints down as a watched directory does."""
    directory = tmp_path / "usb"
    for size, note in enumerate(notes, start=2):
        place = directory / note_path(ORIGIN, size)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(note)
    return directory


def paste(monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    """Put a text on standard input."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))


def test_every_note_of_a_directory_is_held_against_the_log(
    phitrail: Command, trail_dir: Path, usb: Path
) -> None:
    """One of them from before a rewrite is enough to show it."""
    on = ("--trail", trail_dir, "--log", "audit", "--checkpoint", usb)
    ran = phitrail("verify", *on, "--json")
    told = phitrail("verify", *on)

    audit = ran.data["logs"][0]
    assert (ran.code, audit["held_to"], len(audit["held_by"])) == (ExitCode.OK, 7, 6)
    assert f"and {6 - NAMED_AT_MOST} more)" in told.out
    assert f"{7:020d}.note" in told.out
    assert f"{2:020d}.note" not in told.out


def test_one_foreign_note_in_a_directory_is_found(
    phitrail: Command, trail_dir: Path, usb: Path
) -> None:
    """A note that nobody here signed must not vanish among the others."""
    (usb / note_path(ORIGIN, 5)).write_bytes(History().note(5))
    ran = phitrail(
        *("verify", "--trail", trail_dir, "--log", "audit"),
        *("--checkpoint", usb, "--json"),
    )

    assert ran.code == ExitCode.CHECK_FAILED
    assert f"{5:020d}.note" in ran.data["findings"][0]["where"]


def test_a_directory_without_notes_is_refused(
    phitrail: Command, trail_dir: Path, tmp_path: Path
) -> None:
    """An unmounted share must not pass as nothing to check."""
    (tmp_path / "empty").mkdir()
    ran = phitrail("verify", "--trail", trail_dir, "--checkpoint", tmp_path / "empty")

    assert ran.code == ExitCode.USAGE
    assert "holds no notes" in ran.err


def test_a_pasted_thread_gives_each_checkpoint_its_line(
    phitrail: Command,
    trail_dir: Path,
    notes: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The officer pastes a mail that quotes the one before; both count."""
    quoted = b"".join(b"> " + line for line in notes[0].splitlines(keepends=True))
    paste(monkeypatch, b"Hello,\n\n" + notes[3] + b"\nhe wrote:\n" + quoted)
    ran = phitrail(
        *("verify", "--trail", trail_dir, "--log", "audit"),
        *("--checkpoint", "-", "--json"),
    )

    audit = ran.data["logs"][0]
    assert (ran.code, audit["held_to"]) == (ExitCode.OK, 5)
    assert audit["held_by"] == ["- line 10", "- line 3"]


def test_a_pasted_part_is_refused_with_its_line(
    phitrail: Command,
    trail_dir: Path,
    notes: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A person who pastes half a mail must hear that, and not that the log is fine."""
    paste(monkeypatch, b"Hello,\n\n" + notes[3].split(b"\n\n")[0] + b"\n")
    ran = phitrail("verify", "--trail", trail_dir, "--checkpoint", "-")

    assert ran.code == ExitCode.USAGE
    assert "line 3: a checkpoint begins and does not end as one" in ran.err


def test_a_text_without_a_checkpoint_fails(
    phitrail: Command, trail_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was meant to support the log and does not must not be passed over."""
    paste(monkeypatch, b"Hello,\n\nno checkpoint today.\n")
    ran = phitrail("verify", "--trail", trail_dir, "--checkpoint", "-")

    assert ran.code == ExitCode.CHECK_FAILED
    assert "is no checkpoint" in ran.out


def test_time_stamps_need_somebody_who_is_believed(
    phitrail: Command, trail_dir: Path, tmp_path: Path
) -> None:
    """Certificates out of the stamp itself would let anybody stamp."""
    stamp, root = tmp_path / "a.tsr", tmp_path / "root.pem"
    stamp.write_bytes(b"no time stamp")
    root.write_bytes(make_authority().pem)
    on = ("verify", "--trail", trail_dir)
    both = ("--timestamp", stamp, "--tsa-certificate", root)
    alone = [phitrail(*on, *both[:2]), phitrail(*on, *both[2:])]
    missing = phitrail(*on, *both[:2], "--tsa-certificate", tmp_path / "none")
    wrong = phitrail(*on, *both[:2], "--tsa-certificate", stamp)
    gone = phitrail(*on, "--timestamp", tmp_path / "none", *both[2:])
    damaged = phitrail(*on, *both)

    assert [ran.code for ran in (*alone, missing, wrong, gone)] == [ExitCode.USAGE] * 5
    assert all("goes with --tsa-certificate" in ran.err for ran in alone)
    assert "--tsa-certificate" in missing.err
    assert "must be PEM" in wrong.err
    assert "--timestamp" in gone.err
    assert damaged.code == ExitCode.CHECK_FAILED
    assert "a.tsr: time stamp: does not verify" in damaged.out
