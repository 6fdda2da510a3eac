"""What holds for every page: links, words, commands, numbers of decisions."""

import re
from pathlib import Path

import pytest
from tests.docs.pages import (
    ADRS,
    ROOT,
    anchors,
    blocks,
    commands_in,
    links,
    pages,
    parse_command,
)

PAGES = [page.relative_to(ROOT).as_posix() for page in pages()]
FORBIDDEN = (
    r"HIPAA[- ]compliant",
    r"\bcertified\b",
    r"\b100 ?%",
    r"/(work|home|root|Users)/",
    r"pypi\.org/simple|index-url",
)
ADR_PARTS = ("Status: ", "## Context", "## Options", "## Decision", "## Consequences")


def _sources() -> list[Path]:
    return sorted([*pages(), *(ROOT / "src").rglob("*.py"), *ROOT.glob("scripts/*.py")])


@pytest.mark.parametrize("page", PAGES)
def test_every_link_within_the_repository_leads_somewhere(page: str) -> None:
    """A claim whose proof is a dead link is a claim without proof."""
    place = ROOT / page
    dead = []
    for link in links(place):
        if link.startswith(("https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (place.parent / path).resolve() if path else place
        is_there = target.exists() and target.is_relative_to(ROOT)
        if not is_there or (anchor and anchor not in anchors(target)):
            dead.append(link)

    assert not dead


def test_no_page_and_no_module_boasts_or_names_a_machine() -> None:
    """Compliance is not ours to declare, and a reader has another machine."""
    found = [
        f"{source.relative_to(ROOT)}: {match[0]}"
        for source in _sources()
        for word in FORBIDDEN
        for match in re.finditer(word, source.read_text(encoding="utf-8"))
    ]

    assert not found


@pytest.mark.parametrize("page", PAGES)
def test_every_command_line_on_a_page_is_one_that_the_program_takes(page: str) -> None:
    """A command that fails as printed costs its reader an hour."""
    for shell in blocks(ROOT / page, "sh"):
        for words in commands_in(shell):
            parse_command(words)


def test_the_numbers_of_decisions_have_no_gaps() -> None:
    """A missing number looks like a decision that was taken back in silence."""
    numbers = sorted(int(page.name[:4]) for page in ADRS.glob("*.md"))

    assert list(range(1, len(numbers) + 1)) == numbers


@pytest.mark.parametrize("adr", sorted(page.name for page in ADRS.glob("*.md")))
def test_a_decision_has_its_parts(adr: str) -> None:
    """A decision without its options cannot be judged later."""
    text = (ADRS / adr).read_text(encoding="utf-8")

    assert text.startswith(f"# {adr[:4]}: ")
    for part in ADR_PARTS:
        assert f"\n{part}" in text


def test_every_decision_that_the_code_cites_exists() -> None:
    """`ADR 0007` in a docstring is where the reader goes next."""
    known = {page.name[:4] for page in ADRS.glob("*.md")}
    cited = {
        number
        for source in _sources()
        for number in re.findall(r"ADR (\d{4})", source.read_text(encoding="utf-8"))
    }

    assert cited <= known
