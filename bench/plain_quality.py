"""The yardstick: the nine metrics in plain Python, from lines of JSON or from objects.

It is the simplest thing that works: a list of dictionaries, sums in a loop, one sort.
"""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]


def read_lines(place: Path) -> list[Row]:
    """Read entries and ratings as they were written."""
    with place.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def nine(rows: Iterable[Row]) -> dict[str, float | int | None]:
    """Measure; of each request the last rating of each rater counts."""
    requests: dict[str, Row] = {}
    ratings: dict[tuple[str, str], Row] = {}
    for row in rows:
        if "latency_us" in row:
            requests[row["request_id"]] = row
        else:
            ratings[row["request_id"], row["rater"]] = row
    counts = dict.fromkeys(_MEANS, 0)
    sums = dict.fromkeys(_MEANS, 0.0)
    latencies = []
    for row in requests.values():
        for name, column in _MEANS.items():
            value = row.get(column)
            if value is not None:
                counts[name] += 1
                sums[name] += value
        latencies.append(row["latency_us"])
    latencies.sort()
    rated = [row["value"] for key, row in ratings.items() if key[0] in requests]
    scale = {"latency_mean": 1e3, "top_score_mean": 1e6}
    return {
        "requests": len(requests),
        "latency_p95": _quantile(latencies, 0.95) / 1e3,
        "positive_rate": sum(value == "positive" for value in rated) / len(rated),
        **{
            name: sums[name] / count / scale.get(name, 1) if count else None
            for name, count in counts.items()
        },
    }


_MEANS = {
    "latency_mean": "latency_us",
    "cache_hit_rate": "cache_hit",
    "content_filter_rate": "content_filtered",
    "disclaimer_rate": "disclaimer_present",
    "citations_mean": "citation_count",
    "top_score_mean": "top_retrieval_score_e6",
}


def _quantile(ordered: list[int], share: float) -> float:
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
