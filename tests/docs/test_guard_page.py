"""docs/guard.md knows every key, code and weight, and its examples hold."""

import re

import msgspec
import yaml
from tests.docs.pages import DOCS, blocks, first_cells
from tests.guard.test_result import RESULT

from phitrail.events.codes import GuardDecision, IdentifierClass
from phitrail.guard.decide import decide
from phitrail.guard.found import Found, Relation
from phitrail.guard.policy import AccessRule, GuardPolicy, policy_of
from phitrail.guard.redact import Redactor
from phitrail.guard.risk import WEIGHT_OF_CLASS, Reason
from phitrail.guard.selectors import SHORT_NAMES

PAGE = DOCS / "guard.md"


def _rows(first_heading: str, columns: int) -> list[list[str]]:
    """Return the cells of the rows of the table whose first column is headed so."""
    text = PAGE.read_text(encoding="utf-8")
    table = text.split(f"\n| {first_heading} |", 1)[1].split("\n\n", 1)[0]
    rows = [line.strip("|").split("|") for line in table.splitlines()[2:]]
    cells = [[cell.strip().strip("`") for cell in row] for row in rows]

    assert all(len(row) == columns for row in cells)
    return cells


def test_every_relation_decision_and_reason_is_on_the_page() -> None:
    """A code in an event that nobody can look up says nothing."""
    assert first_cells(PAGE, "## Relation")[1:] == list(Relation)
    assert first_cells(PAGE, "## Decisions")[1:] == list(GuardDecision)
    assert first_cells(PAGE, "### Reasons")[1:] == list(Reason)


def test_every_key_is_on_the_page_with_its_default() -> None:
    """A default that the page gets wrong is a decision that nobody took."""
    fields = {f.name: f.default for f in msgspec.structs.fields(GuardPolicy)}
    rule = [f.name for f in msgspec.structs.fields(AccessRule)]
    keys = first_cells(PAGE, "## The policy")

    assert keys == ["key", *fields, "key", *rule]
    for key, _, default in _rows("key", 3):
        if isinstance(fields[key], str | float):
            assert default == str(fields[key]), key
    actions = msgspec.structs.astuple(GuardPolicy().actions)
    text = PAGE.read_text(encoding="utf-8")
    assert f"| {', '.join(f'`{action}`' for action in actions)} |" in text


def test_the_example_does_what_the_table_below_it_says() -> None:
    """Whoever copies the example must get what the page promises."""
    (example,) = blocks(PAGE, "yaml")
    policy = policy_of(yaml.safe_load(example))
    rows = _rows("use case", 5)

    assert len(rows) >= 7
    for use_case, role, kind, is_explained, done in rows:
        found = Found(
            0, 4, IdentifierClass(kind), 0.9, "r", is_in_record=is_explained == "yes"
        )
        judgement = decide(
            [found], policy, use_case=use_case, role=role, has_context=True
        )
        assert judgement.decision == done, (use_case, role, kind)


def test_the_selectors_are_on_the_page() -> None:
    """A selector that is not explained is not used."""
    assert {a: IdentifierClass(b) for a, b in _rows("selector", 2)} == SHORT_NAMES


def test_the_weights_are_on_the_page() -> None:
    """A score whose parts are not known cannot be argued with."""
    weights = {IdentifierClass(a): float(b) for a, b in _rows("class", 2)}

    assert weights == WEIGHT_OF_CLASS


def test_the_styles_look_as_the_page_shows_them() -> None:
    """Who decides on a style decides by this table."""
    kinds = (
        IdentifierClass.NAME,
        IdentifierClass.NAME,
        IdentifierClass.DATE,
        IdentifierClass.PHONE,
    )
    values = ("Zelda Quist", "Quist", "2024-05-02", "(612) 304-9981")
    for style, *shown in _rows("style", 5):
        redactor = Redactor(style, b"seed")  # type: ignore[arg-type]  # read off the page
        made = [redactor.replacement(*each) for each in zip(values, kinds, strict=True)]
        if style == "surrogate":
            assert made[0].split()[-1] == made[1]
            assert made[2] != values[2]
            assert re.fullmatch(r"\(\d{3}\) 555-01\d\d", made[3])
        else:
            assert made == shown


def test_what_as_dict_gives_is_on_the_page() -> None:
    """Callers read these keys."""
    assert list(RESULT.as_dict()) == first_cells(PAGE, "## The result")[1:]
