"""docs/tables.md names the real views and columns."""

from scripts.make_tables_doc import PAGE, fill

from phitrail.events.codes import Log


def test_views_and_columns_are_those_of_the_program() -> None:
    """An analyst writes SQL from this page (make docs)."""
    page = PAGE.read_text(encoding="utf-8")

    assert fill(page) == page
    for name in ("views", *(f"columns: {log}" for log in Log)):
        assert f"<!-- {name} -->" in page
