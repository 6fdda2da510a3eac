"""docs/quality-entries.md runs as it stands, and lists every measure and attribute."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from tests.docs.pages import DOCS, blocks, first_cells
from tests.trails import NOW, TENANT, read_leaves

from phitrail.app.founding import found_trail
from phitrail.capture import genai_names
from phitrail.capture.model_call import ModelCall
from phitrail.events.codes import Log
from phitrail.events.quality import Feedback, QualityEntry, Rollout

PAGE = DOCS / "quality-entries.md"


def test_the_examples_run_and_leave_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever begins to measure copies these lines."""
    monkeypatch.chdir(tmp_path)
    found_trail(Path("hospital"), TENANT, NOW)
    names: dict[str, Any] = {}
    *examples, last = blocks(PAGE, "python")
    try:
        for example in examples:
            exec(example, names)  # noqa: S102 - the page's own examples
        exec(last.replace("trail.close()", ""), names)  # noqa: S102 - read before it closes
        leaves = read_leaves(names["trail"]._backend.parts, Log.QUALITY)[1:]
    finally:
        names["trail"].close()

    whole, streamed, _, corrected, rollout = leaves
    assert isinstance(whole, QualityEntry)
    assert isinstance(streamed, QualityEntry)
    assert isinstance(corrected, Feedback)
    assert isinstance(rollout, Rollout)
    assert names["shown"] == names["answer"] == "Two notes of March say so."
    assert (whole.retrieved_count, whole.top_retrieval_score_e6) == (1, 731_000)
    assert streamed.output_tokens == whole.output_tokens == 96
    assert streamed.time_to_first_token_us is not None
    assert corrected.supersedes == names["first"].event_id
    assert rollout.share_e6 == 500_000


def test_every_measure_is_on_the_page_in_its_order() -> None:
    """A measure that nobody finds is one that nobody gives."""
    listed = first_cells(PAGE, "## Measures")

    assert listed[1:] == [one.name for one in fields(ModelCall)]


def test_every_attribute_that_is_read_is_on_the_page_and_no_other() -> None:
    """Whoever owns the instrumentation looks here for what is taken."""
    text = PAGE.read_text(encoding="utf-8").split("## OpenTelemetry\n", 1)[1]
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    said = {}
    for row in rows:
        field, *attributes = re.findall(r"`([^`]+)`", row)
        said[field] = tuple(attributes)

    assert said == {our: read[0] for our, read in genai_names._READ.items()}
    assert genai_names.DOCUMENTS in text
