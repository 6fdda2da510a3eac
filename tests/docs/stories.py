"""Runs a page of stories: its files, its commands, and what they must print."""

import re
import shlex
import subprocess
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.docs.pages import commands_in

from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.main import main

_STEP = re.compile(
    r"(?:<!-- file: (?P<file>[a-z.-]+) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_EXIT = re.compile(r"# exit (\d+)")
_SHELL = frozenset({"cp", "mkdir", "rm"})
_DRAWN = (
    re.compile(r"\+[0-9a-f]{8}\+[A-Za-z0-9+/]{40,}=*"),
    re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b"),
    re.compile(r"\b(?:[0-9a-f]{64}|[0-9a-f]{32})\b"),
    re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])"),
    re.compile(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?Z"),
    re.compile(r"\b20(?:2[6-9]|[3-9]\d)-\d\d-\d\d\b"),
    re.compile(r"\b\d+(?:\.\d+)? (?:ms|s)\b"),
)
_RULE = re.compile(r"─+")
_LEFT_OUT = "…"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a page: a file, some commands, or what they print."""

    kind: str
    text: str
    file: str | None


def steps_of(page: str) -> Iterator[Step]:
    """Give the steps of a page, in order."""
    for match in _STEP.finditer(page):
        yield Step(match["kind"], match["text"], match["file"])


def masked(text: str) -> str:
    """Put `…` for what is drawn anew each time; how wide columns are says nothing."""
    for drawn in _DRAWN:
        text = drawn.sub("…", text)
    lines = (" ".join(line.split()) for line in _RULE.sub("─", text).splitlines())
    return "\n".join(line for line in lines if line)


def is_what_stands(written: str, printed: str) -> bool:
    """Say whether a page shows what was printed; `…` alone stands for any lines."""
    wanted = [
        r"(?:.*\n)*?"
        if line == _LEFT_OUT
        else re.escape(line).replace(_LEFT_OUT, ".*") + r"\n"
        for line in masked(written).splitlines()
    ]
    return re.fullmatch("".join(wanted), masked(printed) + "\n") is not None


def run_commands(
    shell: str,
    capture: pytest.CaptureFixture[str],
    instead: Callable[[str], bool] = lambda _: False,
    or_codes: Collection[int] = (),
) -> str:
    """Run the lines of a step here; give what they print, words after data.

    Args:
        shell: the lines; `# exit N` says how one ends.
        capture: what is printed goes through it.
        instead: does what a line says in another way, where it says so.
        or_codes: how what fails on the page may fail as well.
    """
    printed = ""
    for line in shell.splitlines():
        if instead(line):
            continue
        words = shlex.split(line, comments=True)
        if words[0] in _SHELL:
            subprocess.run(words, check=True)
            continue
        (command,) = commands_in(line)
        wanted = _EXIT.search(line)
        capture.readouterr()
        code = main(command)
        shown = capture.readouterr()
        codes = {int(wanted[1]), *or_codes} if wanted else {ExitCode.OK}
        assert code in codes, line + shown.err
        printed += shown.out + shown.err
    return printed


def write_file(step: Step) -> None:
    """Write the file that a step gives."""
    assert step.file is not None
    Path(step.file).write_text(step.text, encoding="utf-8")
