"""`phitrail key recover`, as two people with their shares meet it."""

from pathlib import Path

import pytest
from tests.cli.conftest import Command

from phitrail.cli.exit_codes import ExitCode


@pytest.fixture
def trail(phitrail: Command, memory_path: Path) -> Path:
    """Give a trail whose recovery key lies in five shares beside it."""
    place = memory_path / "trail"
    ran = phitrail(
        *("init", "--tenant", "clinic.example", "--trail", place),
        *("--recovery-shares", "3of5", "--recovery-out", memory_path / "share"),
    )
    assert ran.code == ExitCode.OK
    return place


def shares(trail: Path, *numbers: int) -> list[str]:
    """Name shares as options."""
    options: list[str] = []
    for number in numbers:
        options += ["--recovery", str(trail.parent / f"share.{number}")]
    return options


def test_three_of_five_bring_a_lost_trail_back(phitrail: Command, trail: Path) -> None:
    """Five officers were chosen so that any three would do."""
    (trail / "keys/wrapping.v1.json").unlink()
    recover = ("key", "recover", "--trail", trail, "--json", "--as", "officer-1")
    broken = phitrail("log", "tail", "--trail", trail)
    ran = phitrail(*recover, *shares(trail, 5, 2, 3))

    assert broken.code == ExitCode.CONFIGURATION
    assert ran.code == ExitCode.OK
    assert (ran.data["brought_back"], ran.data["wrapped_anew"]) == (8, 8)
    assert [one["reason"] for one in ran.data["successions"]] == ["lost"] * 3
    assert ran.data["failures"] == []
    assert phitrail("log", "tail", "--trail", trail).code == ExitCode.OK
    assert phitrail("key", "list", "--check", "--trail", trail).code == ExitCode.OK


def test_two_of_five_are_too_few(phitrail: Command, trail: Path) -> None:
    """How many are needed stands in the shares, not in what they are typed into."""
    ran = phitrail("key", "recover", "--trail", trail, *shares(trail, 1, 2))

    assert ran.code == ExitCode.USAGE
    assert "3 different shares are needed, and 2 were given" in ran.err


def test_a_rehearsal_that_fails_exits_with_1_and_names_what(
    phitrail: Command, trail: Path
) -> None:
    """A script that runs it each quarter looks at the code."""
    rehearse = ("key", "recover", "--rehearse", "--trail", trail)
    well = phitrail(*rehearse, "--json", *shares(trail, 1, 2, 4))
    (trail / "keys/rater.v1.json").chmod(0o644)
    seen = phitrail(*rehearse, *shares(trail, 1, 2, 4))

    assert well.code == ExitCode.OK
    assert (well.data["wanted"], well.data["brought_back"]) == (8, 8)
    assert well.data["failures"] == []
    # Recording takes the keys, and one that others may read is refused.
    assert seen.code == ExitCode.CONFIGURATION
    assert "rater.v1.json is readable by others" in seen.err


def test_a_rehearsal_names_what_does_not_come_back(
    phitrail: Command, trail: Path
) -> None:
    """Whoever reads the report must know which file to look at."""
    place = trail / "keys/rater.v1.json"
    text = place.read_text()
    begin = text.index('"escrow":"') + len('"escrow":"')
    other = "B" if text[begin] == "A" else "A"
    place.write_text(text[:begin] + other + text[begin + 1 :])
    rehearse = ("key", "recover", "--rehearse", "--trail", trail)
    ran = phitrail(*rehearse, *shares(trail, 1, 2, 4))

    assert ran.code == ExitCode.CHECK_FAILED
    assert "7 of 8 came back from escrow" in ran.out
    assert "does not come back: rater:v1" in ran.out


def test_a_rehearsal_takes_no_vault(phitrail: Command, trail: Path) -> None:
    """What would be tried out with it would not be a rehearsal."""
    ran = phitrail(
        *("key", "recover", "--rehearse", "--vault", "x.yaml", "--trail", trail),
        *shares(trail, 1, 2, 3),
    )

    assert ran.code == ExitCode.USAGE
    assert "--vault" in ran.err
