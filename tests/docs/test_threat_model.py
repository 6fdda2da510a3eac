"""docs/threat-model.md names drills that exist, and every drill stands on it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.docs.pages import DOCS, README, ROOT, links

PAGE = DOCS / "threat-model.md"
COLUMNS = ("prevented", "detected by", "how soon", "drill")
ATTACKERS = (
    "Outsider",
    "Application developer",
    "Database administrator",
    "Root on the log's host",
    "Root with the signing keys",
    "Colluding witness",
    "Restored snapshot",
)

Test = tuple[str, str]
"""file, name"""

_NAMED = re.compile(r"\[`(test_\w+)`\]\(\.\./(tests/[\w/]+\.py)\)")


def _named_in(text: str) -> set[Test]:
    return {(place, name) for name, place in _NAMED.findall(text)}


def _is_drill(mark: ast.expr) -> bool:
    return "pytest.mark.drill" in ast.unparse(mark)


def _tests(place: Path) -> Iterator[tuple[str, bool]]:
    """Give every test of a file, and whether it is a drill."""
    tree = ast.parse(place.read_text(encoding="utf-8"))
    are_all = any(
        isinstance(node, ast.Assign)
        and ast.unparse(node.targets[0]) == "pytestmark"
        and _is_drill(node.value)
        for node in tree.body
    )
    functions = (
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    for node in functions:
        if node.name.startswith("test_"):
            yield node.name, are_all or any(map(_is_drill, node.decorator_list))


def _all_tests() -> dict[Test, bool]:
    return {
        (place.relative_to(ROOT).as_posix(), name): is_drill
        for place in sorted((ROOT / "tests").rglob("test_*.py"))
        for name, is_drill in _tests(place)
    }


def _rows() -> list[dict[str, str]]:
    """Give the rows of every table that has the columns of an attacker."""
    rows: list[dict[str, str]] = []
    columns: list[str] = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            columns = []
        elif not columns:
            columns = ["what", *cells[1:]]
        elif columns[1:] == list(COLUMNS) and not cells[0].startswith("---"):
            rows.append(dict(zip(columns, cells, strict=True)))
    return rows


def test_every_test_on_the_page_exists() -> None:
    """A drill that was renamed away is a claim without proof."""
    assert _named_in(PAGE.read_text(encoding="utf-8")) <= _all_tests().keys()


def test_every_drill_is_on_the_page() -> None:
    """An attack that we carry out and do not tell of helps nobody judge."""
    drills = {test for test, is_drill in _all_tests().items() if is_drill}

    assert drills <= _named_in(PAGE.read_text(encoding="utf-8"))


def test_every_attack_that_is_detected_has_its_drill() -> None:
    """A word on a page detects nothing; the test that does it is the evidence."""
    tests = _all_tests()
    rows = [row for row in _rows() if row["detected by"]]
    without = [row["what"] for row in rows if not _named_in(row["drill"])]
    no_drills = {
        name
        for row in _rows()
        for place, name in _named_in(row["drill"])
        if not tests[place, name]
    }

    assert len(rows) > 20
    assert not without
    assert not no_drills


def test_every_attack_that_is_detected_says_how_soon() -> None:
    """Found in six years is not found."""
    assert not [r["what"] for r in _rows() if r["detected by"] and not r["how soon"]]


def test_every_attacker_has_his_section_and_what_is_not_detected() -> None:
    """A threat model that only lists successes is an advertisement."""
    text = PAGE.read_text(encoding="utf-8")

    for attacker in ATTACKERS:
        section = text.split(f"\n## {attacker}\n", 1)[1].split("\n## ", 1)[0]
        assert "Not detected" in section, attacker


def test_whoever_comes_from_outside_finds_the_page() -> None:
    """It is what a security officer reads first."""
    assert "docs/threat-model.md" in links(README)
    assert "docs/threat-model.md" in links(ROOT / "SECURITY.md")
