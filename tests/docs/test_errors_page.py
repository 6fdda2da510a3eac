"""docs/errors.md knows every error, who acts, and the exit code."""

import inspect
from pathlib import Path

from tests.docs.pages import DOCS, blocks, first_cells

from phitrail import errors
from phitrail.cli.exit_codes import code_of
from phitrail.errors import PhitrailError
from phitrail.sdk import connect

PAGE = DOCS / "errors.md"


def _classes() -> list[type[PhitrailError]]:
    return [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, PhitrailError)
    ]


def test_every_error_is_on_the_page_with_its_exit_code() -> None:
    """Somebody reads this page at night, with one line of an error before them."""
    page = PAGE.read_text(encoding="utf-8")
    kinds = _classes()

    assert sorted(kind.__name__ for kind in kinds) == sorted(
        first_cells(PAGE, "# Errors")[1:]
    )
    for kind in kinds:
        assert f"| `{kind.__name__}` | {code_of(kind('x')).value} |" in page


def test_the_example_runs(trail_dir: Path) -> None:
    """The pattern that is copied from here must release nothing unrecorded."""
    (example,) = blocks(PAGE, "python")
    names: dict[str, object] = {}
    with connect(trail_dir) as trail:
        names["trail"] = trail
        exec(example, names)  # noqa: S102 - the page's own example

    assert names["answer"] == "The chart holds one note."
