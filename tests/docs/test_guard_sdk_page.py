"""docs/guard-sdk.md runs as it stands, and names every event and reason of the guard."""

from pathlib import Path
from typing import Any

import pytest
from tests.docs.pages import DOCS, blocks
from tests.sdk.guarded import closings
from tests.trails import NOW, TENANT

from phitrail.app.config import GuardSection
from phitrail.app.founding import found_trail
from phitrail.capture import guarding, verdict
from phitrail.events.codes import Outcome

PAGE = DOCS / "guard-sdk.md"


def test_the_examples_run_and_give_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever switches the guard on copies these lines."""
    monkeypatch.chdir(tmp_path)
    found_trail(Path("hospital"), TENANT, NOW, guard=GuardSection())
    names: dict[str, Any] = {}
    try:
        for example in blocks(PAGE, "python"):
            exec(example, names)  # noqa: S102 - the page's own examples
        ends = [closing.outcome for closing in closings(names["trail"])]
    finally:
        names["trail"].close()

    assert names["own"] == "SSN on file: 901-44-8123."
    assert "wrong_patient" in names["shown"]
    assert names["safe"] == "Mail her at [EMAIL-1] today."
    assert "".join(names["pieces"]) == "Mail [EMAIL-1] today."
    assert names["letter"] == "Mail [EMAIL-1]."
    assert ends == [
        Outcome.RELEASED,
        Outcome.BLOCKED,
        Outcome.RELEASED,
        Outcome.RELEASED,
    ]


def test_every_reason_is_on_the_page() -> None:
    """Somebody reads a code in the security log and looks here."""
    page = PAGE.read_text(encoding="utf-8")
    reasons = (
        verdict.GUARD_ERROR,
        verdict.GUARD_TIMEOUT,
        guarding.GUARD_UNKNOWN,
        verdict.WRONG_PATIENT,
        verdict.PATIENTS_UNKNOWN,
    )

    assert not [reason for reason in reasons if f"`{reason}`" not in page]
