"""Write deploy/grafana/dashboards/phitrail-quality.json from what is exposed (make docs)."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from phitrail.quality.exposition import COUNTS, DURATION, HISTOGRAMS, RATINGS, VERDICT

DASHBOARD = (
    Path(__file__).parents[1] / "deploy/grafana/dashboards/phitrail-quality.json"
)
_SOURCE = {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
_BY = "gen_ai_response_model, use_case"
_WHERE = 'gen_ai_request_model=~"$model", use_case=~"$use_case"'
_LEGEND = "{{gen_ai_response_model}} {{use_case}}"
_FIRST_CHUNK = HISTOGRAMS[1].name
_TOKENS = HISTOGRAMS[2].name


def dashboard() -> dict[str, Any]:
    """Make the dashboard as Grafana imports it."""
    panels = [
        _panel("Requests", "reqps", [_rate(f"{DURATION}_count", _BY)]),
        _panel("Latency, 95th percentile", "s", [_quantile(0.95, DURATION)]),
        _panel("Latency, median", "s", [_quantile(0.5, DURATION)]),
        _panel("First chunk, 95th percentile", "s", [_quantile(0.95, _FIRST_CHUNK)]),
        _panel(
            "Positive ratings",
            "percentunit",
            [_share(f"{RATINGS.name}_total", RATINGS.label)],
        ),
        *(
            _panel(
                one.meaning,
                "percentunit",
                [_share(f"{one.name}_total", one.label)],
            )
            for one in COUNTS
        ),
        _panel(
            "Tokens",
            "short",
            [_rate(f"{_TOKENS}_sum", f"gen_ai_token_type, {_BY}")],
            legend="{{gen_ai_token_type}} " + _LEGEND,
        ),
        _table("Verdicts that need somebody", f'{VERDICT}{{state!="ok"}} == 1'),
    ]
    return {
        "uid": "phitrail-quality",
        "title": "phitrail: quality of models",
        "tags": ["phitrail"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "timezone": "utc",
        "refresh": "1m",
        "time": {"from": "now-7d", "to": "now"},
        "templating": {"list": _variables()},
        "panels": [_placed(panel, number) for number, panel in enumerate(panels)],
    }


def _hit(label: str) -> str:
    """Say which codes of a counter are of interest as a share."""
    return {
        "finish_reason": '="length"',
        "decision": '!="release"',
        "found": '="no"',
        "value": '="positive"',
    }.get(label, '="yes"')


def _rate(name: str, by: str) -> str:
    return f"sum by ({by}) (rate({name}{{{_WHERE}}}[$__rate_interval]))"


def _quantile(share: float, name: str) -> str:
    inner = _rate(f"{name}_bucket", f"le, {_BY}")
    return f"histogram_quantile({share}, {inner})"


def _share(name: str, label: str) -> str:
    among = f"rate({name}{{{_WHERE}, {label}{_hit(label)}}}[$__rate_interval])"
    return f"sum by ({_BY}) ({among}) / {_rate(name, _BY)}"


def _variables() -> list[dict[str, Any]]:
    source = {
        "name": "DS_PROMETHEUS",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
    }
    return [
        source,
        _variable("model", "gen_ai_request_model"),
        _variable("use_case", "use_case"),
    ]


def _variable(name: str, label: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": _SOURCE,
        "query": f"label_values({DURATION}_count, {label})",
        "includeAll": True,
        "multi": True,
        "allValue": ".*",
        "refresh": 2,
    }


def _panel(
    title: str, unit: str, expressions: Sequence[str], legend: str = _LEGEND
) -> dict[str, Any]:
    return {
        "type": "timeseries",
        "title": title,
        "datasource": _SOURCE,
        "fieldConfig": {
            "defaults": {"unit": unit, "custom": {"spanNulls": False}},
            "overrides": [],
        },
        "targets": _targets(expressions, legend),
    }


def _table(title: str, expression: str) -> dict[str, Any]:
    targets = _targets([expression], "")
    return {
        "type": "table",
        "title": title,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": {}, "overrides": []},
        "targets": [{**one, "instant": True, "format": "table"} for one in targets],
    }


def _targets(expressions: Sequence[str], legend: str) -> list[dict[str, Any]]:
    return [
        {"refId": chr(ord("A") + number), "expr": one, "legendFormat": legend}
        for number, one in enumerate(expressions)
    ]


def _placed(panel: dict[str, Any], number: int) -> dict[str, Any]:
    width, height = 12, 8
    place = {"x": width * (number % 2), "y": height * (number // 2)}
    return {"id": number + 1, "gridPos": {**place, "w": width, "h": height}, **panel}


def written() -> str:
    """Write the dashboard as the file holds it."""
    return json.dumps(dashboard(), indent=1) + "\n"


if __name__ == "__main__":
    DASHBOARD.write_text(written(), encoding="utf-8")
