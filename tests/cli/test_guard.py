"""`guard scan` and `guard eval` as people run them: what is found, and what is never shown."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.cli.conftest import Command

from phitrail.app import guard_scanning
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.main import main
from phitrail.events.codes import IdentifierClass
from phitrail.guard.found import Found
from phitrail.guard.scan import Guard

NAME = "Quillon Varrick"
PHONE = "(614) 867-2290"
ANSWER = f"Patient: {NAME}\nPhone: {PHONE}\nBlood pressure 120/80.\n"
PLAIN = "The usual adult dose is 500 mg twice daily with food.\n"
CANARIES = (NAME, "Quillon", "Varrick", "867-2290")
RECORD = {
    "resourceType": "Patient",
    "name": [{"given": ["Quillon"], "family": "Varrick"}],
    "telecom": [{"system": "phone", "value": "+16148672290"}],
}

HELP = """
import sys
from phitrail.cli.main import main
main(["guard", "--help"])
sys.exit("numpy" in sys.modules)
"""

Paste = Callable[[str], None]


@pytest.fixture
def answer(tmp_path: Path) -> Path:
    """An answer with a name and a phone number."""
    return written(tmp_path / "answer.txt", ANSWER)


@pytest.fixture
def paste(monkeypatch: pytest.MonkeyPatch) -> Paste:
    """Give a function that puts text where a person pastes."""
    return lambda text: monkeypatch.setattr(
        "sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8")
    )


def written(place: Path, text: str) -> Path:
    """Write a file."""
    place.write_text(text, encoding="utf-8")
    return place


def lines(*objects: dict[str, Any]) -> str:
    """Write JSON lines."""
    return "".join(json.dumps(each) + "\n" for each in objects)


def shows_nothing(*printed: str) -> bool:
    """Say whether no value of ours was printed."""
    return not [c for c in CANARIES for text in printed if c in text]


def test_what_the_policy_would_take_out_is_a_check_that_failed(
    phitrail: Command, answer: Path
) -> None:
    """A script must tell an answer with PHI from one without, and see none of it."""
    ran = phitrail("guard", "scan", answer)

    assert ran.code == ExitCode.CHECK_FAILED
    assert "redact" in ran.out
    assert "name 1" in ran.out
    assert shows_nothing(ran.out, ran.err)


def test_a_text_without_phi_passes(phitrail: Command, tmp_path: Path) -> None:
    """A check that never passes is switched off."""
    ran = phitrail("guard", "scan", written(tmp_path / "plain.txt", PLAIN))

    assert ran.code == ExitCode.OK
    assert ran.out == ""
    assert "1 text: 1 release" in ran.err


def test_explain_tells_place_class_and_rule_and_no_value(
    phitrail: Command, answer: Path
) -> None:
    """Whoever asks why must get an answer that can be sent by mail."""
    ran = phitrail("guard", "scan", answer, "--explain")

    at = ANSWER.index(PHONE)
    assert ran.code == ExitCode.CHECK_FAILED
    assert f"{at}-{at + len(PHONE)}" in ran.out
    assert "phone" in ran.out
    assert "unexpected" in ran.out
    assert shows_nothing(ran.out, ran.err)


def test_redact_prints_the_text_made_safe_and_is_then_done(
    phitrail: Command, paste: Paste
) -> None:
    """In a pipeline, making safe is the job: it must not end as a failure."""
    paste(ANSWER)

    ran = phitrail("guard", "scan", "--redact", "-")

    assert ran.code == ExitCode.OK
    assert ran.out == "Patient: [NAME-1]\nPhone: [PHONE-1]\nBlood pressure 120/80.\n"
    assert shows_nothing(ran.err)


def test_a_blocked_text_prints_nothing_and_fails(
    phitrail: Command, answer: Path, tmp_path: Path
) -> None:
    """What policy blocks must not leave in part, and nobody may take it for empty."""
    policy = written(
        tmp_path / "policy.yaml",
        "guard:\n  mode: enforce\n  class_actions:\n    PHONE: {without_context: block}\n",
    )

    ran = phitrail("guard", "scan", answer, "--redact", "--policy", policy)

    assert (ran.code, ran.out) == (ExitCode.CHECK_FAILED, "")
    assert "nothing may go on" in ran.err


def test_what_a_record_explains_is_expected(
    phitrail: Command, answer: Path, tmp_path: Path
) -> None:
    """The patient's own name, in an answer about that patient, is no finding."""
    record = written(tmp_path / "record.json", json.dumps([RECORD]))

    ran = phitrail("guard", "scan", answer, "--record", record, "--json", "--explain")

    assert ran.code == ExitCode.OK
    (told,) = ran.lines
    assert {(s["class"], s["relation"]) for s in told["spans"]} == {
        ("name", "expected"),
        ("phone", "expected"),
    }
    assert shows_nothing(ran.out, ran.err)


def test_json_lines_are_scanned_one_by_one(phitrail: Command, tmp_path: Path) -> None:
    """An export of answers is one file; a finding must be told by its line."""
    file = written(
        tmp_path / "answers.jsonl",
        lines({"n": 1, "answer": ANSWER}, {"n": 2, "answer": PLAIN}) + "\n",
    )

    ran = phitrail("guard", "scan", file, "--jsonl-field", "answer", "--json")

    assert ran.code == ExitCode.CHECK_FAILED
    assert [(e["text"], e["decision"]) for e in ran.lines] == [
        (f"{file}:1", "redact"),
        (f"{file}:2", "release"),
    ]
    assert "safe_response" not in ran.lines[0]
    assert shows_nothing(ran.out)


def test_json_lines_made_safe_keep_what_else_they_hold(
    phitrail: Command, tmp_path: Path
) -> None:
    """Whoever made the file wants it back with one field changed."""
    file = written(tmp_path / "a.jsonl", lines({"n": 1, "answer": ANSWER, "m": {}}))

    ran = phitrail("guard", "scan", file, "--jsonl-field", "answer", "--redact")

    assert ran.code == ExitCode.OK
    (told,) = ran.lines
    assert (told["n"], told["m"]) == (1, {})
    assert told["answer"].startswith("Patient: [NAME-1]")
    assert shows_nothing(ran.out, ran.err)


def test_json_with_redact_carries_the_safe_text(
    phitrail: Command, answer: Path
) -> None:
    """A program that calls us needs both, the verdict and the text."""
    ran = phitrail("guard", "scan", answer, "--redact", "--json")

    assert ran.lines[0]["safe_response"].startswith("Patient: [NAME-1]")


def test_the_policy_of_a_trail_holds(
    phitrail: Command, answer: Path, trail_dir: Path
) -> None:
    """A trial run under another policy than the trail's would mislead."""
    with (trail_dir / "policy.yaml").open("a", encoding="utf-8") as file:
        file.write("guard: {actions: {without_context: alert}}\n")

    ran = phitrail("guard", "scan", answer, "--trail", trail_dir, "--json")

    assert ran.code == ExitCode.OK
    assert ran.lines[0]["decision"] == "alert"


@pytest.mark.parametrize(
    "given",
    [
        ("--show-values",),
        ("--show-values", "--explain"),
        ("--redact", "--explain"),
        ("--jsonl-field", "answer"),
        ("--record", "{answer}"),
        ("--record", "absent.json"),
        ("--redact", "{answer}"),
        ("-", "-"),
        ("absent.txt",),
    ],
)
def test_what_makes_no_sense_is_refused_and_shows_nothing(
    phitrail: Command, answer: Path, paste: Paste, given: tuple[str, ...]
) -> None:
    """Values go to a person at a terminal alone; here stdout is none."""
    paste(ANSWER)

    ran = phitrail(
        "guard", "scan", answer, *(each.format(answer=answer) for each in given)
    )

    assert ran.code == ExitCode.USAGE
    assert shows_nothing(ran.out, ran.err)


def test_values_are_shown_to_a_terminal_that_asks(
    answer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Someone who tunes a policy has the text in front of them anyway."""
    screen = io.StringIO()
    screen.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("COLUMNS", "200")

    code = main(["guard", "scan", str(answer), "--explain", "--show-values"])

    assert code == ExitCode.CHECK_FAILED
    assert PHONE in screen.getvalue()


@pytest.mark.parametrize("data", [b"Varrick \xff\xfe", b'{"answer": "Varrick'])
def test_what_is_no_text_is_refused_by_place(
    phitrail: Command, tmp_path: Path, data: bytes
) -> None:
    """A text that was skipped would count as clean."""
    file = tmp_path / "data"
    file.write_bytes(data)
    fields = () if b"\xff" in data else ("--jsonl-field", "answer")

    ran = phitrail("guard", "scan", file, *fields)

    assert ran.code == ExitCode.USAGE
    assert shows_nothing(ran.out, ran.err)


@pytest.mark.parametrize(
    "policy", ["guard: 7", "actions: {}", "guard: {threshold: Varrick}", "[Varrick"]
)
def test_a_policy_that_does_not_fit_is_a_mistake_of_configuration(
    phitrail: Command, answer: Path, tmp_path: Path, policy: str
) -> None:
    """A policy that is passed over in silence would scan under another."""
    ran = phitrail(
        "guard", "scan", answer, "--policy", written(tmp_path / "p.yaml", policy)
    )

    assert ran.code == ExitCode.CONFIGURATION
    assert shows_nothing(ran.out, ran.err)


def test_a_text_that_is_too_long_to_hold_is_refused(
    phitrail: Command, answer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory would run out in the middle, without a word on why."""
    monkeypatch.setattr(guard_scanning, "MAX_TEXT_BYTES", len(ANSWER) - 1)

    ran = phitrail("guard", "scan", answer)

    assert ran.code == ExitCode.USAGE
    assert str(answer) in ran.err


@pytest.mark.parametrize("damage", [OSError, ValueError, KeyError])
def test_a_damaged_model_is_told_as_such(
    phitrail: Command,
    answer: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: type[Exception],
) -> None:
    """A stack trace of NumPy tells nobody to install again; no scan is no clean text."""

    def fail(**_: object) -> None:
        raise damage("Varrick")

    monkeypatch.setattr(guard_scanning, "Guard", fail)

    ran = phitrail("guard", "scan", answer)

    assert ran.code == ExitCode.CONFIGURATION
    assert shows_nothing(ran.out, ran.err)


def test_a_scan_that_breaks_prints_nothing_of_the_text(
    phitrail: Command, answer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message of an unexpected error may quote what was scanned."""

    def fail(_: object, text: str, *__: object, **___: object) -> None:
        raise ValueError(text)

    monkeypatch.setattr(Guard, "scan", fail)

    ran = phitrail("guard", "scan", answer, "--redact")

    assert (ran.code, ran.out) == (ExitCode.BUG, "")
    assert shows_nothing(ran.err)


def test_a_person_at_a_terminal_is_told_to_paste(
    phitrail: Command, paste: Paste, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that waits in silence looks hung."""
    paste(PLAIN)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)

    ran = phitrail("guard", "scan")

    assert ran.code == ExitCode.OK
    assert "Ctrl-D" in ran.err


def test_a_second_opinion_is_judged_with_ours(
    phitrail: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What only the other one sees must be taken out like the rest."""
    at = PLAIN.index("adult")
    found = Found(at, at + 5, IdentifierClass.OTHER, 0.9, "presidio.new")
    other = SimpleNamespace(find=lambda _: [found])
    loads = SimpleNamespace(load=lambda: other)
    monkeypatch.setattr(guard_scanning, "SecondOpinion", loads)
    file = written(tmp_path / "plain.txt", PLAIN)

    ran = phitrail("guard", "scan", file, "--second-opinion", "presidio", "--redact")

    assert ran.out == PLAIN.replace("adult", "[ID-1]")


def test_failures_are_listed_only_where_there_are_some(
    phitrail: Command, tmp_path: Path
) -> None:
    """An empty table reads as if something were missing."""
    line = {"id": "a", "text": PLAIN, "spans": []}
    file = written(tmp_path / "labelled.jsonl", lines(line))

    ran = phitrail("guard", "eval", file, "--explain")

    assert "dirty" in ran.out
    assert "false word " not in ran.out


def test_without_presidio_the_second_opinion_says_what_to_install(
    phitrail: Command, answer: Path
) -> None:
    """An optional part that is absent must say so before anything is judged."""
    ran = phitrail("guard", "scan", answer, "--second-opinion", "presidio")

    assert ran.code == ExitCode.CONFIGURATION
    assert "phitrail[presidio]" in ran.err
    assert shows_nothing(ran.out, ran.err)


def test_a_labelled_file_gets_its_table(phitrail: Command, tmp_path: Path) -> None:
    """A customer's own file is the figure that counts; nothing of it may be printed."""
    at = ANSWER.index(NAME)
    spans = [{"start": at, "end": at + len(NAME), "label": "NAME", "phi": True}]
    labelled = lines(
        {"id": "a", "text": ANSWER, "spans": spans, "genre": "letter"},
        {"id": "b", "text": PLAIN, "spans": []},
    )
    file = written(tmp_path / "labelled.jsonl", labelled)

    table = phitrail("guard", "eval", file, "--explain")
    told = phitrail("guard", "eval", file, "--json")

    assert table.code == ExitCode.OK
    assert "recall" in table.out
    assert "letter" in table.out
    assert "false word" in table.out
    assert told.data["overall"]["recall"]["value"] == 1.0
    assert told.data["overall"]["dirty"]["value"] == 0.5
    assert "failures" not in told.data
    assert shows_nothing(table.out, table.err, told.out, told.err)


def test_a_labelled_file_that_does_not_fit_is_refused_by_line(
    phitrail: Command, tmp_path: Path
) -> None:
    """A line that was passed over would make the figures better than they are."""
    file = written(tmp_path / "labelled.jsonl", lines({"id": "a", "text": ANSWER}))

    ran = phitrail("guard", "eval", file)

    assert ran.code == ExitCode.USAGE
    assert "line 1" in ran.err
    assert shows_nothing(ran.out, ran.err)


def test_help_and_other_verbs_load_neither_numpy_nor_the_model() -> None:
    """Every command would start a quarter of a second later."""
    ran = subprocess.run(
        [
            sys.executable,
            "-c",
            HELP,
        ],
        env={**os.environ, "COLUMNS": "80"},
        capture_output=True,
        check=False,
    )

    assert ran.returncode == 0
