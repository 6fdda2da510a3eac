"""`phitrail log import --from`: codes for scripts, words for people, no words of theirs."""

import json
from pathlib import Path

from tests.capture.history.forms import chained, lines, seed
from tests.cli.conftest import Command

from phitrail.cli.exit_codes import ExitCode


def test_an_import_of_history_says_what_became_of_it(
    phitrail: Command, trail_dir: Path, tmp_path: Path
) -> None:
    """A script goes by these names; a person by the words."""
    file = tmp_path / "old.jsonl"
    file.write_bytes(lines(chained([seed(n, zone=1) for n in range(3)])))
    options = ("--from", "chained-jsonl", "--trail", trail_dir)
    first = phitrail("log", "import", file, *options)
    again = phitrail("log", "import", file, *options, "--json")

    assert (first.code, again.code) == (ExitCode.OK, ExitCode.OK)
    assert "own chain      intact" in first.out
    assert "zone (3 times)" in first.out
    assert (again.data["recorded"], again.data["already_there"]) == (0, 3)
    assert again.data["report"]["chain"]["verdict"] == "chain_intact"
    assert again.data["event_id"] in first.out


def test_a_broken_chain_ends_with_a_code_of_its_own(
    phitrail: Command, trail_dir: Path, tmp_path: Path
) -> None:
    """All was recorded; that the old log was tampered with must not pass for fine."""
    entries = chained([seed(n) for n in range(4)])
    del entries[2]
    file = tmp_path / "old.jsonl"
    file.write_bytes(lines(entries))
    ran = phitrail(
        "log", "import", file, "--from", "chained-jsonl", "--trail", trail_dir
    )

    assert ran.code == ExitCode.CHECK_FAILED
    assert "BROKEN at line 3 (link); 1 in all" in ran.out


def test_a_wrong_map_is_a_mistake_that_names_its_line(
    phitrail: Command, trail_dir: Path, tmp_path: Path
) -> None:
    """Whoever mends the map looks for the line."""
    file, field_map = tmp_path / "old.jsonl", tmp_path / "map.yaml"
    file.write_text(json.dumps(seed(1)))
    field_map.write_text("fields:\n  a: no_such_field\n")
    ran = phitrail(
        *("log", "import", file, "--from", "audit-jsonl", "--map", field_map),
        *("--trail", trail_dir, "--json"),
    )
    without_form = phitrail(
        "log", "import", file, "--map", field_map, "--trail", trail_dir
    )

    assert ran.code == without_form.code == ExitCode.USAGE
    assert ran.error["field"] == "--map"
    assert "line 2" in ran.error["message"]
    assert "no_such_field" not in ran.err
