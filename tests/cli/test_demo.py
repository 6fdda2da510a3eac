"""The demo runs the main job, and catches what it does to copies."""

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Command

from phitrail.cli.exit_codes import ExitCode

DRILLS = {
    "modified_entry",
    "deleted_entry",
    "cut_tail",
    "reordered_entries",
    "full_rewrite",
    "replaced_checkpoint",
    "restored_backup",
    "swapped_bundle",
}


def test_the_demo_catches_every_drill_and_keeps_its_trail(
    phitrail: Command, tmp_path: Path
) -> None:
    """The first command that a person runs must show what is promised."""
    trail = tmp_path / "clinic"
    ran = phitrail(
        "demo", "--questions", "60", "--requests", "0", "--dir", trail, "--json"
    )
    data = ran.data
    kept = tmp_path / "clinic-outside"
    checkpoints = [
        part for file in sorted(kept.iterdir()) for part in ("--checkpoint", file)
    ]
    verified = phitrail("verify", "--trail", trail, *checkpoints)

    assert ran.code == ExitCode.OK
    assert {drill["name"] for drill in data["drill"]} == DRILLS
    for drill in data["drill"]:
        assert {"name", "caught", "by", "ms"} == set(drill)
        assert drill["caught"], drill["name"]
        assert drill["by"]
    assert data["questions"] == 60
    assert data["verification"]["verdict"] == "ok"
    assert data["entries"]["audit"] > 60
    assert verified.code == ExitCode.OK


def test_the_demo_tells_its_story_in_words(phitrail: Command) -> None:
    """Each part must be there for a person who has two minutes."""
    ran = phitrail("demo", "--questions", "20", "--requests", "600")

    assert ran.code == ExitCode.OK
    assert ran.err == ""
    for part in (
        "questions over",
        "watch over quality compared 102 streams",
        "continues the history",
        "signed root",
        "cut_tail",
    ):
        assert part in ran.out
    assert "NOT CAUGHT" not in ran.out
    assert "Where to look next" in ran.out


@pytest.mark.long
def test_the_demo_names_the_worse_version_its_metric_its_size_and_its_hour(
    phitrail: Command,
) -> None:
    """What is promised of quality, as whoever tries phitrail first sees it."""
    ran = phitrail("demo", "--questions", "20", "--json")
    rollout = ran.data["rollout"]
    told = {one["metric"]: one for one in rollout["told"]}

    assert rollout["worse"]["use_case"] == "discharge_planning"
    assert rollout["streams"] == 102
    assert ran.data["entries"]["quality"] > rollout["requests"] > 15_000
    assert ran.code == ExitCode.OK
    assert {one["use_case"] for one in told.values()} == {"discharge_planning"}
    assert {one["state"] for one in told.values()} == {"regression"}
    disclaimers = told["disclaimer_rate"]
    assert disclaimers["version"] == rollout["candidate"]
    assert disclaimers["low"] - 0.03 <= -0.16 <= disclaimers["high"] + 0.03
    assert disclaimers["high"] < 0
    assert disclaimers["since"][:13] == rollout["worse"]["since"][:13]
    assert len(told) > 1


def test_the_demo_runs_over_given_notes(phitrail: Command, tmp_path: Path) -> None:
    """A hospital tries it on its own notes; none of their words may come out."""
    notes = tmp_path / "notes.jsonl"
    canary = "Zebulon Quimby was seen for a broken metatarsal of the left foot."
    notes.write_text(
        "".join(json.dumps({"id": f"n{n}", "text": canary}) + "\n" for n in range(40))
    )
    trail = tmp_path / "clinic"
    ran = phitrail(
        *("demo", "--questions", "20", "--requests", "0"),
        *("--notes", notes, "--dir", trail, "--json"),
    )

    assert ran.code == ExitCode.OK
    assert ran.data["notes"] == 40
    assert "rollout" not in ran.data
    for file in trail.rglob("*"):
        assert not file.is_file() or b"metatarsal" not in file.read_bytes()
    assert "metatarsal" not in ran.out + ran.err


@pytest.mark.parametrize("name", ["notes.jsonl", "none.jsonl"])
def test_notes_that_do_not_fit_are_a_mistake(
    phitrail: Command, tmp_path: Path, name: str
) -> None:
    """A file of another form must be named with its line, before anything is made."""
    (tmp_path / "notes.jsonl").write_text('{"id": 7}\n')
    trail = tmp_path / "clinic"
    ran = phitrail("demo", "--notes", tmp_path / name, "--dir", trail)

    assert ran.code == ExitCode.USAGE
    assert name in ran.err
    assert not trail.exists()
