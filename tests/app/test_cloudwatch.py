"""CloudTrail-shaped exports go into a CloudWatch log group and come back unchanged.

AWS is played by moto; nothing leaves this process.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from tests.trails import TENANT, phi_read

from phitrail.app import clock
from phitrail.app.export import ExportFormat, export_log
from phitrail.app.founding import found_trail
from phitrail.app.running import run_trail
from phitrail.events.codes import Log

GROUP = "/phitrail/clinic.example/audit"
STREAM = "export"
RETENTION_DAYS = 2_192


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give a CloudWatch Logs client that talks to moto."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    with mock_aws():
        yield boto3.client("logs", region_name="us-east-1")


def test_records_go_into_a_log_group_with_an_explicit_retention(
    logs: Any, tmp_path: Path
) -> None:
    """A group without a retention keeps PHI for ever; a record that changes is none."""
    now = clock.now()  # CloudWatch refuses events that are older than two weeks
    trail = tmp_path / "trail"
    found_trail(trail, TENANT, now)
    out = tmp_path / "audit.json"
    with run_trail(trail) as running:
        running.parts.recorder.record_many([phi_read(n) for n in range(50)], now)
        export_log(
            running, Log.AUDIT, ExportFormat.CLOUDTRAIL, out, by="officer-7", now=now
        )
    records = json.loads(out.read_bytes())["Records"]
    events: list[dict[str, Any]] = [
        {
            "timestamp": int(
                datetime.fromisoformat(record["eventTime"]).timestamp() * 1000
            ),
            "message": json.dumps(record),
        }
        for record in records
    ]

    logs.create_log_group(logGroupName=GROUP)
    logs.put_retention_policy(logGroupName=GROUP, retentionInDays=RETENTION_DAYS)
    logs.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
    put = logs.put_log_events(
        logGroupName=GROUP,
        logStreamName=STREAM,
        logEvents=sorted(events, key=lambda event: event["timestamp"]),
    )
    (group,) = logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"]
    stored = logs.get_log_events(
        logGroupName=GROUP, logStreamName=STREAM, startFromHead=True
    )["events"]

    assert "rejectedLogEventsInfo" not in put
    assert group["retentionInDays"] == RETENTION_DAYS
    expected = {record["integrityHash"]: record for record in records}
    assert len(expected) == 52
    assert expected == {
        record["integrityHash"]: record
        for record in (json.loads(event["message"]) for event in stored)
    }
