"""`log match` as an investigator uses it: text in by stdin, never out again."""

import io
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.cli.conftest import Command
from tests.demo.test_canaries import export_everything, read_opened
from tests.trails import NOW, read_leaves

from phitrail.app.key_change import KeyChange, changing_keys, make_change
from phitrail.app.wiring import open_trail
from phitrail.cli.exit_codes import ExitCode
from phitrail.events.ids import format_time
from phitrail.keys.names import TEXT_HASH, KeyId
from phitrail.keys.register import move
from phitrail.keys.states import KeyState
from phitrail.sdk.connect import connect
from phitrail.tlog.proof_file import parse_proof

QUESTION = "Canary-question about the ward, asked once?"
ANSWER = "Canary-answer: nothing of this may stay.\nNot a word."
CANARIES = (b"Canary-", b"nothing of this", b"about the ward", b"Not a word")

Paste = Callable[[bytes], None]


@pytest.fixture
def trail(trail_dir: Path) -> Path:
    """A trail with one access."""
    with connect(trail_dir) as opened, opened.access(user_id="dr-0012") as access:
        access.retrieved([("mrn-1", "n-1", "Observation")], query=QUESTION)
        access.infer(model_id="extractive-demo", model_version="7")
        access.release(ANSWER)
    return trail_dir


@pytest.fixture
def paste(monkeypatch: pytest.MonkeyPatch) -> Paste:
    """Give a function that puts bytes where a person pastes."""
    return lambda data: monkeypatch.setattr(
        "sys.stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8")
    )


def test_a_pasted_answer_is_found_with_all_that_is_asked(
    phitrail: Command, trail: Path, paste: Paste, tmp_path: Path
) -> None:
    """Event, user, model, form and proof: what an investigator writes down."""
    paste(ANSWER.encode() + b"\n")
    proofs = tmp_path / "proofs"

    ran = phitrail(
        "log", "match", "--answer", "-", "--prove", proofs, "--trail", trail, "--json"
    )

    assert ran.code == ExitCode.OK
    (entry,) = ran.data["entries"]
    assert ran.data["is_found"]
    assert entry["form"] == "exact_without_final_line_break"
    assert (entry["user_id"], entry["ai_model_version"]) == ("dr-0012", "7")
    assert entry["index"] == parse_proof(Path(entry["proof"]).read_bytes()).index
    assert sorted(p.name for p in proofs.iterdir()) == [
        f"audit-{entry['index']}.leaf",
        f"audit-{entry['index']}.tlog-proof",
        "vkey",
    ]


def test_words_say_which_form_and_which_model(
    phitrail: Command, trail: Path, paste: Paste
) -> None:
    """A person must not have to know our codes."""
    paste(QUESTION.upper().encode())

    ran = phitrail("log", "match", "--query", "-", "--trail", trail)

    assert ran.code == ExitCode.OK
    assert "normalised: same words, not the same bytes" in ran.out
    assert "extractive-demo" in ran.out
    assert "under key versions 1" in ran.err


def test_a_match_under_a_compromised_key_is_told(
    phitrail: Command, trail: Path, paste: Paste
) -> None:
    """Who reads the answer must know that somebody else can ask as they did."""
    key_id = KeyId(TEXT_HASH, 1)
    with closing(open_trail(trail)) as opened, changing_keys(opened) as register:
        after, moved = move(register, key_id, KeyState.COMPROMISED, format_time(NOW))
        change = KeyChange(after, (moved,))
        make_change(opened, change, by="officer-7", reason="a test", now=NOW)
    paste(ANSWER.encode())

    ran = phitrail("log", "match", "--answer", "-", "--trail", trail, "--json")

    assert ran.code == ExitCode.OK
    assert [one["key_is_compromised"] for one in ran.data["entries"]] == [True]
    paste(ANSWER.encode())
    told = phitrail("log", "match", "--answer", "-", "--trail", trail)
    assert "compromised version of the text key" in told.err


def test_what_was_never_said_is_a_check_that_failed(
    phitrail: Command, trail: Path, paste: Paste
) -> None:
    """A script must tell found from not found, and a person how far it was looked."""
    paste(ANSWER.encode()[:-1])

    ran = phitrail("log", "match", "--answer", "-", "--trail", trail)

    assert ran.code == ExitCode.CHECK_FAILED
    assert ran.out.startswith("not in this log")
    assert "looked through 4 entries of audit" in ran.err

    paste(b"never asked")
    ran = phitrail("log", "match", "--query", "-", "--trail", trail)
    assert "cannot match: 1 with no hash of a query" in ran.err


@pytest.mark.parametrize("given", [(), ("--query", "-", "--answer", "-")])
def test_one_of_the_two_must_be_asked(
    phitrail: Command, trail: Path, paste: Paste, given: tuple[str, ...]
) -> None:
    """Guessing which side was meant would give the wrong answer."""
    paste(ANSWER.encode())

    assert phitrail("log", "match", *given, "--trail", trail).code == ExitCode.USAGE


@pytest.mark.parametrize(
    "given",
    [("--answer", ANSWER), ("--answer", "-", ANSWER), (ANSWER,), ("--Canary-", "x")],
)
def test_a_text_on_the_command_line_is_refused_and_not_repeated(
    phitrail: Command, trail: Path, paste: Paste, given: tuple[str, ...]
) -> None:
    """It stands in the shell's history already; our output must not add to that."""
    paste(ANSWER.encode())

    ran = phitrail("log", "match", *given, "--trail", trail)

    assert ran.code == ExitCode.USAGE
    assert "Canary-" not in ran.out + ran.err


@pytest.mark.parametrize("data", [b"", b"Canary-\xff\xfe"])
def test_what_is_no_text_is_refused_and_not_repeated(
    phitrail: Command, trail: Path, paste: Paste, data: bytes
) -> None:
    """Nothing pasted, or another encoding, must not read as "not in this log"."""
    paste(data)

    ran = phitrail("log", "match", "--answer", "-", "--trail", trail)

    assert ran.code == ExitCode.USAGE
    assert "Canary-" not in ran.err


def test_a_directory_that_exists_is_refused_before_anything_is_recorded(
    phitrail: Command, trail: Path, paste: Paste, tmp_path: Path
) -> None:
    """Proofs of two searches in one directory could be taken for one."""
    paste(ANSWER.encode())
    with closing(open_trail(trail)) as parts:
        before = read_leaves(parts)

    ran = phitrail(
        "log", "match", "--answer", "-", "--prove", tmp_path, "--trail", trail
    )

    assert ran.code == ExitCode.USAGE
    with closing(open_trail(trail)) as parts:
        assert before == read_leaves(parts)


def test_nothing_pasted_is_in_any_file_or_output(
    phitrail: Command, trail: Path, paste: Paste, tmp_path: Path
) -> None:
    """A search must not write down the very text that the log was built to keep out."""
    printed: list[str] = []
    for side, text in (("--query", QUESTION), ("--answer", ANSWER), ("--answer", "?")):
        for more in ((), ("--json",), ("--prove", tmp_path / f"proofs{len(printed)}")):
            paste(text.encode())
            ran = phitrail("log", "match", side, "-", "--trail", trail, *more)
            printed.append(ran.out + ran.err)
    read = phitrail("log", "show", "6", "--trail", trail, "--json")

    exported = tmp_path / "exported"
    exported.mkdir()
    left = [
        *(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()),
        *export_everything(trail, exported),
        *read_opened(trail),
        "".join(printed).encode(),
        read.out.encode(),
    ]
    assert len(printed) == 9
    assert b"hmac-sha256:1:" in read.out.encode()
    assert not [word for word in CANARIES for place in left if word in place]
