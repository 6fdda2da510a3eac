"""Exit codes, error lines, closed pipes: what scripts and people rely on."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import Command
from tests.trails import record_events

from phitrail import errors
from phitrail.cli.exit_codes import CODE_OF_ERROR, ExitCode, code_of
from phitrail.errors import PhitrailError


def _process(*arguments: object, trail: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "phitrail", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PHITRAIL_TRAIL": str(trail)},
        preexec_fn=_hear_interrupts,  # noqa: PLW1509 - no threads run here yet
    )


def _hear_interrupts() -> None:
    """Undo what a background shell does to its children: it lets them ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_every_error_has_one_code() -> None:
    """An error without a code would be reported as a bug of ours."""
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, PhitrailError)
    ]
    direct = [kind for kind in kinds if kind.__base__ is PhitrailError]

    assert {kind for kind, _ in CODE_OF_ERROR} == set(direct)
    assert all(code_of(kind("x")) is code for kind, code in CODE_OF_ERROR)
    assert code_of(PhitrailError("x")) is ExitCode.BUG


def test_each_code_is_what_its_cause_ends_with(
    phitrail: Command, trail_dir: Path, tmp_path: Path
) -> None:
    """Scripts act on these numbers; 77 has no command that refuses by policy yet."""
    bad = tmp_path / "bad.jsonl"
    bad.write_text("{}\n")
    (tmp_path / "cut").mkdir()
    cut = tmp_path / "cut"
    (cut / "public").mkdir()
    on = ("--trail", trail_dir)
    wanted = {
        ("status", *on): ExitCode.OK,
        ("log", "import", bad, *on): ExitCode.CHECK_FAILED,
        ("verify", "--trail", cut): ExitCode.CHECK_FAILED,
        ("status", "--no-such-option"): ExitCode.USAGE,
        ("log", "show", "7", *on): ExitCode.USAGE,
        ("verify", *on): ExitCode.UNVERIFIABLE,
        ("verify", "--checkpoint", "a\0b", *on): ExitCode.BUG,
        ("log", "prove", "0", "--out", "/proc/1/no/such", *on): ExitCode.TRY_AGAIN,
        ("status", "--trail", tmp_path / "nowhere"): ExitCode.CONFIGURATION,
    }

    assert wanted == {arguments: phitrail(*arguments).code for arguments in wanted}


def test_an_error_is_one_line_without_a_traceback(
    phitrail: Command, tmp_path: Path
) -> None:
    """A person who made a mistake must see the mistake, not our code."""
    ran = phitrail("status", "--trail", tmp_path)

    assert ran.out == ""
    assert re.fullmatch(r"error: there is no [^\n]+\n", ran.err)


def test_an_error_is_json_where_json_was_asked_for(
    phitrail: Command, tmp_path: Path, trail_dir: Path
) -> None:
    """A script that reads JSON must be able to read what went wrong."""
    absent = phitrail("status", "--trail", tmp_path, "--json")
    wrong = phitrail("log", "show", "x", "--trail", trail_dir, "--json")
    usage = phitrail("log", "show", "--json")

    assert (absent.error["kind"], absent.error["exit"]) == ("ConfigError", 78)
    assert (wrong.error["field"], wrong.error["exit"]) == ("ENTRY", 2)
    assert usage.error["exit"] == 2
    assert absent.out == wrong.out == usage.out == ""


def test_a_bug_tells_type_and_place_and_nothing_else(phitrail: Command) -> None:
    """The message of an unexpected error may hold what it was working on."""
    ran = phitrail("verify", "--checkpoint", "Zebulon\0Quimby")

    assert ran.code == ExitCode.BUG
    assert re.search(
        r"bug in phitrail: ValueError at phitrail/cli/\w+\.py:\d+", ran.err
    )
    assert ran.err.count("\n") == 1
    assert "Zebulon" not in ran.err
    assert "null" not in ran.err


@pytest.mark.parametrize("arguments", [(), ("log",)])
def test_no_verb_prints_the_help_as_a_mistake(
    phitrail: Command, arguments: tuple[str, ...]
) -> None:
    """A script that forgot its verb must not pass."""
    ran = phitrail(*arguments)

    assert (ran.code, ran.out) == (ExitCode.USAGE, "")
    assert ran.err.startswith("Usage: phitrail")


def test_the_version_is_the_packages(phitrail: Command) -> None:
    """A bug report begins with it."""
    assert re.fullmatch(r"phitrail \d+\.\d+\.\d+\S*\n", phitrail("--version").out)


def test_a_closed_pipe_ends_quietly(trail_dir: Path) -> None:
    """`phitrail log tail | head` must not end in a traceback."""
    record_events(trail_dir, range(3_000))
    process = _process("log", "tail", "-n", "3000", "--json", trail=trail_dir)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    words = process.stderr.read()
    process.stderr.close()

    assert process.wait() == ExitCode.PIPE_CLOSED
    assert words == b""


def test_an_interrupt_ends_a_follow_with_130(trail_dir: Path) -> None:
    """Ctrl-C is how one leaves a follow; it is no error of ours."""
    process = _process("log", "tail", "-n", "1", "--follow", trail=trail_dir)
    assert process.stdout is not None
    assert process.stderr is not None
    shown = [process.stdout.readline(), process.stdout.readline()]
    process.send_signal(2)
    out, words = process.communicate(timeout=60)

    assert process.returncode == ExitCode.INTERRUPTED
    assert b"genesis" in shown[0]
    assert b"audit_log_read" in shown[1]
    assert (out, words) == (b"", b"")


def test_output_for_a_pipe_is_plain_and_whole(trail_dir: Path) -> None:
    """Colour codes and cut cells break whatever reads a table."""
    environment = {"FORCE_COLOR": "1", "COLUMNS": "40", "TERM": "xterm-256color"}
    place = trail_dir.parent / ("long" * 50)
    trail_dir.rename(place)
    out = subprocess.check_output(
        [sys.executable, "-m", "phitrail", "status", "--trail", place],
        env={**os.environ, **environment},
        stderr=subprocess.DEVNULL,
    ).decode()

    assert "\x1b" not in out
    assert str(place) in out
    assert "UNANCHORED" in out


def test_a_command_that_asks_no_table_loads_no_table_engine() -> None:
    """A quarter of a second at every command is felt by whoever types them."""
    script = (
        "import sys; import phitrail.cli.main; "
        "print([name for name in ('duckdb', 'pyarrow') if name in sys.modules])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
    )

    assert loaded.stdout == "[]\n"


@pytest.mark.parametrize("module", ["phitrail.cli.main", "phitrail.sdk.directory"])
def test_what_starts_a_program_loads_no_engine(module: str) -> None:
    """Each command, and each program that opens a trail, would wait for DuckDB and NumPy."""
    asked = (
        f"import sys, {module}; "
        "print(*sorted({'duckdb', 'numpy', 'pyarrow', 'ruptures'} & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == ""
