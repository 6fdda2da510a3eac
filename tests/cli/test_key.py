"""`phitrail key`, as a security officer meets it."""

from pathlib import Path

import pytest
from tests.cli.conftest import Command

from phitrail.cli.exit_codes import ExitCode

TENANT = "clinic.example"


@pytest.fixture
def trail(phitrail: Command, memory_path: Path) -> Path:
    """Give a trail whose recovery key lies in three shares beside it."""
    place = memory_path / "trail"
    ran = phitrail(
        "init",
        *("--tenant", TENANT, "--trail", place),
        *("--recovery-shares", "2of3", "--recovery-out", memory_path / "share"),
    )
    assert ran.code == ExitCode.OK
    return place


def shares(trail: Path, *numbers: int) -> list[str]:
    """Name shares as options."""
    options: list[str] = []
    for number in numbers:
        options += ["--recovery", str(trail.parent / f"share.{number}")]
    return options


def test_two_shares_rotate_the_keys_of_every_log(
    phitrail: Command, trail: Path
) -> None:
    """Two officers do it in one command; the log says who asked."""
    ran = phitrail(
        *("key", "rotate", "--all", "--trail", trail, "--json", "--as", "officer-1"),
        *shares(trail, 3, 1),
    )
    shown = phitrail("key", "show", "--trail", trail, "--json").data
    tail = phitrail("log", "tail", "--trail", trail, "--json").lines

    assert ran.code == ExitCode.OK
    assert [one["key_version"] for one in ran.data["successions"]] == [2, 2, 2]
    assert "Take the recovery key away" in ran.err
    assert shown["unfinished"] is None
    assert len(shown["keys"]) == 15
    assert [one["entry"].get("user_id") for one in tail].count("officer-1") == 3
    assert phitrail("verify", "--trail", trail).code == ExitCode.UNVERIFIABLE


def test_a_compromise_is_declared_from_the_last_good_checkpoint_on(
    phitrail: Command, trail: Path
) -> None:
    """What was signed after the theft must convince nobody, what was before everybody."""
    good = trail.parent / "good"
    good.write_bytes((trail / "public/audit/checkpoint").read_bytes())
    phitrail("log", "tail", "--trail", trail)
    doubtful = trail.parent / "doubtful"
    doubtful.write_bytes((trail / "public/audit/checkpoint").read_bytes())
    ran = phitrail(
        *("key", "compromise", "--log", "audit", "--trail", trail),
        *("--last-good-checkpoint", good, *shares(trail, 1, 2)),
    )
    verify = ("verify", "--log", "audit", "--trail", trail, "--checkpoint")
    shown = phitrail("key", "show", "--log", "audit", "--trail", trail)

    assert ran.code == ExitCode.OK
    assert "compromise, trusted 1" in shown.out
    assert phitrail(*verify, good).code == ExitCode.OK
    refused = phitrail(*verify, doubtful)
    assert refused.code == ExitCode.CHECK_FAILED
    assert "declared compromised" in refused.out


def test_a_compromise_without_a_good_checkpoint_says_what_stays_believed(
    phitrail: Command, trail: Path
) -> None:
    """Nobody may think that the thief's signatures were undone."""
    ran = phitrail(
        "key", "compromise", "--log", "audit", "--trail", trail, *shares(trail, 1, 2)
    )

    assert "up to size 1 is still believed" in ran.err


def test_a_lost_key_file_is_replaced(phitrail: Command, trail: Path) -> None:
    """Where only key files are gone, nothing that was signed is in doubt."""
    (trail / "keys/quality-checkpoint.v1.json").unlink()
    broken = phitrail("log", "tail", "--trail", trail)
    ran = phitrail(
        *("key", "compromise", "--log", "quality", "--reason", "lost"),
        *("--trail", trail, *shares(trail, 2, 3)),
    )

    assert broken.code == ExitCode.CONFIGURATION
    assert ran.code == ExitCode.OK
    assert phitrail("log", "tail", "--trail", trail).code == ExitCode.OK


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("rotate",), "NAME"),
        (("rotate", "--all", "--log", "audit"), "--log"),
        (("compromise", "--log", "audit", "--reason", "rotation"), "--reason"),
    ],
)
def test_what_is_asked_must_be_clear(
    phitrail: Command, trail: Path, arguments: tuple[str, ...], told: str
) -> None:
    """Replacing a key cannot be undone, so nothing is guessed."""
    ran = phitrail("key", *arguments, "--trail", trail, *shares(trail, 1, 2))

    assert ran.code == ExitCode.USAGE
    assert told in ran.err


def test_one_share_is_refused_without_a_word_of_it(
    phitrail: Command, trail: Path
) -> None:
    """A share on a screen or in a log file is half of the key."""
    words = (trail.parent / "share.1").read_text().splitlines()[1].split()
    ran = phitrail("key", "rotate", "--all", "--trail", trail, *shares(trail, 1))
    missing = phitrail("key", "rotate", "--all", "--recovery", "/no/such/file")

    assert ran.code == missing.code == ExitCode.USAGE
    assert "2 different shares are needed" in ran.err
    assert not any(f" {word} " in ran.err for word in words if len(word) > 6)
