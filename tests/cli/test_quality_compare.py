"""`quality compare`, `report`, `watch` and `accept` as a person runs them."""

import json
import re
from datetime import timedelta
from itertools import groupby
from pathlib import Path

import pytest
from tests.app.sourced import opened
from tests.cli.conftest import Command
from tests.trails import TENANT, found, read_leaves

from phitrail.app import clock
from phitrail.app.founding import found_trail
from phitrail.app.quality_watch import hour_of
from phitrail.cli.exit_codes import ExitCode
from phitrail.demo.clinic import VOCABULARY
from phitrail.demo.rollout import serve
from phitrail.demo.rollout_plan import VERSIONS, Plan, Worse
from phitrail.demo.rollout_rows import records_of
from phitrail.events.audit import AuditEvent
from phitrail.events.codes import EventType, Log

USE = "discharge_planning"
CANARY = "because Mrs. Canary of ward 7 said so"
PLAN = Plan(
    days=6,
    requests=3_000,
    rollout_hour=12,
    worse=Worse(USE, from_hour=12, positive=-0.6, disclaimer=-0.5, latency=1.0),
)


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trail whose last six days saw a rollout."""
    start = hour_of(clock.now()) - timedelta(days=PLAN.days)
    directory = tmp_path_factory.mktemp("versions") / "trail"
    found_trail(directory, TENANT, start, vocabulary=VOCABULARY)
    with opened(directory) as trail:
        rows = records_of(serve(5, PLAN), start)
        for hour, ones in groupby(rows, key=lambda row: hour_of(row[0])):
            received = min(hour + timedelta(hours=1), clock.now())
            trail.recorder.record_many([record for _, record in ones], received)
    return directory


def test_a_trail_without_versions_says_so(phitrail: Command, tmp_path: Path) -> None:
    """An empty table would look like "nothing is worse"."""
    directory = found(tmp_path / "trail")
    told = phitrail("quality", "compare", "--trail", str(directory))
    assert told.code == ExitCode.OK
    assert "no use case has two versions" in told.out


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (("compare", "--version", "4.2.0"), "--version"),
        (("report", "--out", "rollout.doc"), "--out"),
        (("watch", "--listen", "nowhere"), "--listen"),
        (("compare", "--version", "a", "--version", "b"), "both versions"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(
    phitrail: Command, tmp_path: Path, words: tuple[str, ...], rule: str
) -> None:
    """Who mistypes must be told which option and which rule."""
    directory = found(tmp_path / "trail")
    told = phitrail("quality", *words, "--trail", str(directory))
    assert told.code == ExitCode.USAGE
    assert rule in told.err


@pytest.mark.long
def test_a_worse_version_is_compared_watched_shown_and_reported(
    phitrail: Command, clinic: Path, tmp_path: Path
) -> None:
    """One who is told of a regression goes this way, and must get to its size and hour."""
    at = ("--trail", str(clinic))

    compared = phitrail("quality", "compare", *at)
    assert compared.code == ExitCode.CHECK_FAILED
    worse = [line for line in compared.out.splitlines() if "worse  " in line]
    assert worse
    assert all(line.startswith(USE) for line in worse)
    assert re.search(r"disclaimer_rate .*-5\d\.\d points", compared.out)
    assert f"clinic-assistant {VERSIONS[1]} since 20" in compared.out

    watched = json.loads(phitrail("quality", "watch", *at, "--json").out)
    assert {one["move"] for one in watched["recorded"]} == {"open"}
    assert len(watched["recorded"]) == len(worse)
    again = json.loads(phitrail("quality", "watch", *at, "--json").out)
    assert again["recorded"] == []

    alert = watched["recorded"][0]["alert"]
    shown = phitrail("alert", "show", alert, *at)
    assert "A model version is worse than the one before" in shown.out
    assert f"{VERSIONS[1]} against {VERSIONS[0]}" in shown.out
    assert "worse since 20" in shown.out

    for name in ("rollout.html", "rollout.pdf", "rollout.json"):
        made = phitrail("quality", "report", "--out", str(tmp_path / name), *at)
        assert made.code == ExitCode.OK, made.err
        assert "Worse than" in made.out
    page = (tmp_path / "rollout.html").read_text(encoding="utf-8")
    assert "disclaimer rate" in page
    assert (tmp_path / "rollout.pdf").read_bytes().startswith(b"%PDF")
    report = json.loads((tmp_path / "rollout.json").read_text(encoding="utf-8"))
    assert len(report["use_cases"]) > 1


@pytest.mark.long
def test_a_version_is_accepted_by_a_named_person_or_not_at_all(
    phitrail: Command, clinic: Path
) -> None:
    """A signature on what was not shown would be worth nothing."""
    at = ("--trail", str(clinic), "--by", "dr-0012", "--reason", CANARY)

    refused = phitrail("quality", "accept", "--use-case", USE, *at)
    assert refused.code == ExitCode.REFUSED
    assert "disclaimer_rate" in refused.err

    accepted = phitrail(
        "quality", "accept", "--use-case", USE, "--despite", *at, "--json"
    )
    assert accepted.code == ExitCode.OK
    told = json.loads(accepted.out)
    assert "disclaimer_rate" in told["not_shown"]
    with opened(clinic) as trail:
        events = [
            leaf
            for leaf in read_leaves(trail, Log.AUDIT)
            if isinstance(leaf, AuditEvent)
            and leaf.event_type is EventType.ROLLOUT_ACCEPTED
        ]
    (event,) = events
    assert event.object_digest == told["document"]
    assert (event.user_id, event.use_case) == ("dr-0012", USE)
    assert event.reason_code == "accepted_despite"
    assert CANARY.encode() not in b"".join(
        place.read_bytes() for place in clinic.rglob("*") if place.is_file()
    )
