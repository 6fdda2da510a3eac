"""docs/architecture.md names the packages, floors, files and paths that exist."""

import re
import tomllib
from pathlib import Path

from tests.docs.pages import DOCS, ROOT, first_cells

from phitrail.sdk import connect

PAGE = DOCS / "architecture.md"


def test_every_package_stands_on_its_floor_in_the_picture() -> None:
    """A picture of another house is worse than none."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (floors,) = (
        contract["layers"]
        for contract in contracts["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    )
    built = [
        [name for name in re.split(r"[ |]+", floor) if not name.startswith("(")]
        for floor in floors
    ]
    picture = PAGE.read_text(encoding="utf-8").split("```")[1].splitlines()
    left = [re.split(r" {6,}", line.strip())[0] for line in picture]
    words = [set(re.findall(r"[a-z]+", names)) for names in left]
    rows = [
        next(n for n, found in enumerate(words) if set(floor) <= found)
        for floor in built
        if floor
    ]

    assert sorted(rows) == rows


def test_every_package_has_its_one_job_on_the_page() -> None:
    """A package without a stated job collects what has no home."""
    page = PAGE.read_text(encoding="utf-8")
    packages = [p.parent.name for p in (ROOT / "src/phitrail").glob("*/__init__.py")]

    assert not [name for name in packages if f"`{name}`" not in page]


def test_every_file_of_a_trail_has_its_line(trail_dir: Path) -> None:
    """An operator who finds a file must find out what it is, and who may see it."""
    connect(trail_dir).close()
    rows = first_cells(PAGE, "## What is on disk where")[1:]
    page = PAGE.read_text(encoding="utf-8")
    unknown = []
    for place in trail_dir.rglob("*"):
        path = place.relative_to(trail_dir).as_posix()
        path = re.sub(r"/(audit|security|quality)/", "/<log>/", path)
        known = [row.split("…")[0].rstrip("/") for row in rows]
        if place.is_file() and not (
            path.startswith(tuple(known))
            or (path.startswith("state/") and path.endswith(".lock"))
            or f"`{path}`" in page
        ):
            unknown.append(path)

    assert not unknown
