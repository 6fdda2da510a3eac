"""`quality summary` and `quality trend`: numbers with rows, intervals, and what is missing."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Command
from tests.trails import copy_trail

from phitrail.app import clock
from phitrail.cli.exit_codes import ExitCode
from phitrail.events.codes import QualityMetric
from phitrail.events.ids import format_time
from phitrail.events.quality import QualityEntry
from phitrail.sdk import connect

LATENCIES_MS = (100, 200, 1_800)


@pytest.fixture(scope="module")
def used(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a trail with three requests of two versions on two days, one of them rated."""
    place = copy_trail(founded, tmp_path_factory.mktemp("used") / "trail")
    with connect(place, receipts=None) as trail:
        for number, latency_ms in enumerate(LATENCIES_MS):
            at = clock.now() - timedelta(hours=30 if number == 0 else 0)
            trail.record(_entry(f"q-{number}", f"v{1 + number // 2}", latency_ms, at))
        trail.feedback("q-1", rater="dr-1", value="positive")
    return place


def _entry(request_id: str, version: str, latency_ms: int, at: Any) -> QualityEntry:
    return QualityEntry(
        request_id=request_id,
        model_id="extractive-demo",
        model_version=version,
        use_case="chart_qa",
        timestamp_utc=format_time(at),
        latency_us=1_000 * latency_ms,
    )


def by_metric(cell: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Index what was measured of a cell."""
    return {one["metric"]: one for one in cell["metrics"]}


def test_a_summary_says_what_was_measured_and_what_was_not(
    used: Path, phitrail: Command
) -> None:
    """A metric that nobody fed must not look like a perfect one."""
    ran = phitrail("quality", "summary", "--window", "7d", "--trail", used)
    lines = {line.split()[0]: line for line in ran.out.splitlines() if line.strip()}

    assert ran.code == ExitCode.OK
    assert {name.value for name in QualityMetric} <= set(lines)
    assert re.search(r"latency_mean +700 ms .* 3 +few rows", lines["latency_mean"])
    assert re.search(r"latency_p95 +1\.64 s +at least 194 ms +3 +few rows", ran.out)
    assert re.search(r"positive_rate +100\.0 % +20\.7 % to 100\.0 % +1", ran.out)
    assert re.search(r"disclaimer_rate +not measured +0", lines["disclaimer_rate"])
    assert "as known at" in ran.err


def test_groups_and_the_rest_are_told_to_programs(
    used: Path, phitrail: Command
) -> None:
    """A dashboard reads keys, rows and bounds, and null where nothing was measured."""
    ran = phitrail(
        "quality", "summary", "--by", "model-version,use-case", "--metric",
        "positive_rate", "--metric", "requests", "--window", "7d", "--trail", used,
        "--json",
    )  # fmt: skip
    first, second = ran.data["cells"]

    assert (first["model_version"], first["use_case"]) == ("v1", "chart_qa")
    assert by_metric(first)["requests"]["n"] == 2
    assert by_metric(first)["positive_rate"]["value"] == 1.0
    assert by_metric(second)["positive_rate"] == {
        "metric": "positive_rate",
        "n": 0,
        "value": None,
        "low": None,
        "high": None,
        "unit": "share",
    }
    assert ran.data["maturity_s"] is None


def test_a_summary_is_no_reading_of_the_log(used: Path, phitrail: Command) -> None:
    """Programs ask every minute; the audit log is for what is shown of somebody."""
    sql = "SELECT count(*) AS n FROM reads_of_the_log WHERE reason_code <> 'log_query'"
    assert phitrail("quality", "summary", "--trail", used).code == ExitCode.OK
    ran = phitrail("log", "query", "--sql", sql, "--trail", used, "--format", "jsonl")

    assert ran.lines == [{"n": 0}]


def test_a_trend_of_one_group_is_drawn_window_by_window(
    used: Path, phitrail: Command
) -> None:
    """A gap stays a gap."""
    ran = phitrail(
        "quality", "trend", "latency_mean", "--by", "hour", "--window", "3d", "--trail",
        used,
    )  # fmt: skip
    lines = ran.out.splitlines()[2:]

    assert ran.code == ExitCode.OK
    assert len(lines) in {30, 31, 32}
    assert "100 ms" in lines[0]
    assert "1.00 s" in lines[-1]
    assert lines[-1].count("█") == 24
    assert lines[5].split()[2:] == ["·", "not", "measured", "0"]


def test_a_trend_of_groups_has_a_line_for_each(used: Path, phitrail: Command) -> None:
    """Versions are compared by eye on one scale."""
    ran = phitrail(
        "quality", "trend", "latency_mean", "--by", "day,model-version", "--window",
        "3d", "--trail", used,
    )  # fmt: skip
    first, second = ran.out.splitlines()[2:]
    told = phitrail(
        "quality", "trend", "latency_mean", "--by", "release", "--window", "3d",
        "--trail", used, "--json",
    )  # fmt: skip

    assert first.startswith("v1")
    assert "█" in second
    assert "·" in second
    assert told.data["series"] == [
        {
            "points": [
                {
                    "start": None,
                    "metric": "latency_mean",
                    "n": 3,
                    "value": 700.0,
                    "low": pytest.approx(-1669.6, abs=1),
                    "high": pytest.approx(3069.6, abs=1),
                    "unit": "ms",
                }
            ]
        }
    ]


def test_without_a_request_it_says_so(trail_dir: Path, phitrail: Command) -> None:
    """An empty table is read as a fault of the program."""
    ran = phitrail("quality", "summary", "--trail", trail_dir)

    assert ran.code == ExitCode.OK
    assert ran.out == "no request in that time\n"


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("summary", "--window", "soon"), "--window"),
        (("summary", "--window", "0h"), "window"),
        (("summary", "--by", "week"), "--by"),
        (("summary", "--as-of", "2999-01-01"), "as_of"),
        (("summary", "--maturity", "3 days"), "--maturity"),
        (("trend", "requests", "--by", "use-case"), "--by"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    trail_dir: Path, phitrail: Command, arguments: tuple[str, ...], field: str
) -> None:
    """A slip must not be answered with something else."""
    ran = phitrail("quality", *arguments, "--trail", trail_dir, "--json")

    assert ran.code == ExitCode.USAGE
    assert ran.error["field"] == field


def test_a_compromised_key_hides_what_it_sealed_here_too(
    used: Path, tmp_path: Path, phitrail: Command
) -> None:
    """The tables hold in clear what the stolen key sealed."""
    used = copy_trail(used, tmp_path / "trail")
    why = ("--reason", "stolen")
    phitrail("key", "compromise", "quality-seal:v1", *why, "--trail", used)
    refused = phitrail("quality", "summary", "--trail", used)
    opened = phitrail("quality", "summary", "--trail", used, "--break-glass", "case 7")

    assert refused.code == ExitCode.REFUSED
    assert "--break-glass REASON" in refused.err
    assert opened.code == ExitCode.OK
