"""Presidio's findings arrive as ours, nothing is downloaded, and its absence is told."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from phitrail.errors import ConfigError
from phitrail.events.codes import IdentifierClass
from phitrail.guard import second_opinion
from phitrail.guard.found import Found
from phitrail.guard.second_opinion import MODELS, SecondOpinion

ROOT = Path(__file__).parents[2]
PRESIDIO = ROOT / ".venv" / "presidio" / "bin" / "python"
TEXT = (
    "Please call Mr. John Carter at 212-555-0198 or write to jc@carter-mail.org today."
)
ASK = """
import json, logging, socket, sys
tried, logged = [], []
class Keeps(logging.Handler):
    def emit(self, record): logged.append(record.getMessage())
logging.getLogger().addHandler(Keeps())
def refuse(*address): tried.append(1); raise OSError("no network")
socket.getaddrinfo = socket.create_connection = refuse
from phitrail.guard.second_opinion import SecondOpinion
found = SecondOpinion.load().find(sys.stdin.read())
print(json.dumps([[f.start, f.end, f.identifier_class, f.rule] for f in found]))
print(json.dumps([len(tried), logged]))
"""


@dataclass
class Result:
    """What Presidio's analyser gives: four fields that we read."""

    entity_type: str
    start: int
    end: int
    score: float = 0.85


class Analyzer:
    """An analyser that found what it is told."""

    def __init__(self, *results: Result) -> None:
        self.results = results

    def analyze(self, text: str, language: str) -> tuple[Result, ...]:
        """Give the results."""
        assert text
        assert language == "en"
        return self.results


def test_its_classes_become_ours_and_overlaps_one() -> None:
    """A finding that nobody can judge would be released."""
    opinion = SecondOpinion(
        Analyzer(
            Result("URL", 9, 14, 0.5),
            Result("EMAIL_ADDRESS", 7, 14, 1.0),
            Result("PERSON", 0, 3),
            Result("NEW_KIND", 20, 23, 0.4),
        )
    )

    assert opinion.find("some text that holds all of it") == [
        Found(0, 3, IdentifierClass.NAME, 0.85, "presidio.person"),
        Found(7, 14, IdentifierClass.EMAIL, 1.0, "presidio.email_address"),
        Found(20, 23, IdentifierClass.OTHER, 0.4, "presidio.new_kind"),
    ]


def test_what_identifies_nobody_is_let_go() -> None:
    """Nationality is no identifier of 164.514(b)(2)(i); its redaction tells nothing."""
    assert SecondOpinion(Analyzer(Result("NRP", 0, 5))).find("Danish") == []


@pytest.mark.parametrize("is_there", [False, True])
def test_what_is_missing_is_named_and_not_downloaded(
    monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    """A stack trace of an import would not say what to install."""
    monkeypatch.setattr(
        second_opinion,
        "find_spec",
        lambda name: is_there if name == "presidio_analyzer" and is_there else None,
    )

    with pytest.raises(ConfigError, match=MODELS[0]):
        SecondOpinion.load()


def test_it_is_loaded_with_an_installed_model_and_a_list_at_hand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Left as it comes, Presidio asks the network at the first address that it sees."""
    asked: dict[str, Any] = {}
    mail = SimpleNamespace(name="EmailRecognizer", validate_result=None)
    other = SimpleNamespace(name="UrlRecognizer", validate_result="its own")

    class Engine(Analyzer):
        def __init__(self, **given: Any) -> None:
            super().__init__(Result("PERSON", 0, 3))
            asked.update(given)
            self.registry = SimpleNamespace(recognizers=[other, mail])

    def extract(**given: Any) -> Callable[[str], SimpleNamespace]:
        asked.update(given)
        return lambda address: SimpleNamespace(fqdn=address.partition("@")[2])

    modules: dict[str, dict[str, Any]] = {
        "presidio_analyzer": {"AnalyzerEngine": Engine},
        "presidio_analyzer.nlp_engine": {"SpacyNlpEngine": list},
        "tldextract": {"TLDExtract": extract},
    }
    for name, parts in modules.items():
        module = ModuleType(name)
        vars(module).update(parts)
        monkeypatch.setitem(sys.modules, name, module)
    installed = {"presidio_analyzer", MODELS[1]}
    monkeypatch.setattr(
        second_opinion, "find_spec", lambda name: name if name in installed else None
    )

    opinion = SecondOpinion.load()

    assert [each.rule for each in opinion.find("Ana")] == ["presidio.person"]
    assert asked["nlp_engine"] == [{"lang_code": "en", "model_name": MODELS[1]}]
    assert (asked["cache_dir"], asked["suffix_list_urls"]) == (None, ())
    assert mail.validate_result is not None
    assert mail.validate_result("jc@mail.example")
    assert not mail.validate_result("no address")
    assert other.validate_result == "its own"


@pytest.mark.skipif(
    not PRESIDIO.exists(),
    reason="the environment with Presidio is not made: make presidio",
)
def test_the_real_one_finds_in_its_own_environment_without_network() -> None:
    """Its e-mail rule asks for a list on the network, its loader for a model."""
    ran = subprocess.run(
        [PRESIDIO, "-c", ASK],
        input=TEXT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )

    found, (tried, logged) = map(json.loads, ran.stdout.splitlines())
    told = {(TEXT[start:end], kind) for start, end, kind, _ in found}
    assert told >= {
        ("John Carter", "name"),
        ("212-555-0198", "phone"),
        ("jc@carter-mail.org", "email"),
    }
    assert all(rule.startswith("presidio.") for *_, rule in found)
    assert tried == 0
    assert not [line for line in logged if "Carter" in line or "carter" in line]
