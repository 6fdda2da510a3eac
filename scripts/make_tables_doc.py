"""Fill the generated parts of docs/tables.md: views and columns (make docs)."""

import re
from pathlib import Path

from phitrail.events.codes import Log
from phitrail.projection.rows import RECORD_COLUMNS, RECORDS, Column, columns_of
from phitrail.projection.views import VIEWS

PAGE = Path(__file__).parents[1] / "docs/tables.md"


def fill(page: str) -> str:
    """Return the page with every generated part written anew."""
    return re.sub(
        r"(<!-- (views|columns: \w+) -->\n).*?(<!-- end -->)",
        lambda match: match[1] + part(match[2]) + match[3],
        page,
        flags=re.DOTALL,
    )


def part(name: str) -> str:
    """Write one generated part."""
    if name == "views":
        rows = [f"| `{view.name}` | {view.row} |" for view in VIEWS]
        return "\n".join(["| view | one row is |", "|---|---|", *rows]) + "\n"
    log = name.removeprefix("columns: ")
    if log == "audit_records":
        return _columns(RECORD_COLUMNS)
    return _columns([c for c in columns_of(Log(log)) if c.name != RECORDS])


def _columns(columns: list[Column] | tuple[Column, ...]) -> str:
    rows = [f"| `{c.name}` | {c.sql_type} | {c.unit} |" for c in columns]
    return "\n".join(["| column | type | unit |", "|---|---|---|", *rows]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(fill(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
