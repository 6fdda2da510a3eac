"""docs/quality.md names the real metrics, and its example runs."""

from pathlib import Path
from typing import Any

import pytest
from scripts.make_quality_doc import PAGE, fill
from tests.docs.pages import blocks
from tests.trails import found

from phitrail.events.codes import QualityMetric


def test_the_metrics_are_those_of_the_program() -> None:
    """Somebody decides about a model from these definitions (make docs)."""
    page = PAGE.read_text(encoding="utf-8")

    assert fill(page) == page
    for name in QualityMetric:
        assert f"| `{name}`" in page


def test_the_example_gives_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever wants the nine numbers copies these lines."""
    monkeypatch.chdir(tmp_path)
    found(Path("hospital"))
    names: dict[str, Any] = {}
    (example,) = blocks(PAGE, "python")

    exec(example, names)  # noqa: S102 - the page's own example

    assert names["nothing"] == {}
    assert (names["latency_ms"], names["hits"], names["scores"]) == (1000.0, 0.0, None)
