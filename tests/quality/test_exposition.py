"""What Prometheus is told is what the log holds, grows only, and names nobody."""

import random
from collections import Counter
from collections.abc import Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from tests.quality.made import Record, open_log, rating, request

from phitrail.events.quality import QualityEntry
from phitrail.quality.exposition import DURATION, SECONDS, Exposition

CANARY = "canary-3f1c"


class _Served:
    """A collector over what was counted, as a scrape asks for it."""

    def __init__(self, counted: Exposition) -> None:
        self.collect = counted.families


def _told(counted: Exposition) -> str:
    registry = CollectorRegistry()
    registry.register(_Served(counted))
    told: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return told.decode()


def _samples(
    counted: Exposition,
) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Read the exposition with the client library's own parser."""
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(  # type: ignore[no-untyped-call]
            _told(counted)
        )
        for one in family.samples
    }


def _log(count: int) -> list[Record]:
    draw = random.Random(7)
    records: list[Record] = []
    for number in range(count):
        records.append(
            request(
                number,
                number / 10,
                version=draw.choice(["v1", "v2"]),
                use_case=draw.choice(["chart_qa", "summary"]),
                latency_us=draw.choice([None, 10_000, 10_001, 250_000, 99_000_000]),
                input_tokens=draw.randrange(2_000),
                refused=draw.choice([None, True, False]),
            )
        )
        if draw.random() < 0.2:
            of = draw.randrange(number + 1)
            records.append(
                rating(9_000 + number, of, number / 10, rater=f"{CANARY}-{number}")
            )
    return records


def _entries(records: Sequence[Record]) -> list[QualityEntry]:
    return [one for one in records if isinstance(one, QualityEntry)]


def test_every_count_is_what_a_plain_scan_counts() -> None:
    """A dashboard that differs from the log is worse than none."""
    records = _log(300)
    counted = Exposition()
    counted.advance(open_log(records))
    samples = _samples(counted)

    plain = Counter(
        (one.model_version, one.use_case) for one in _entries(records) if one.refused
    )
    for (version, use_case), count in plain.items():
        labels = {
            "gen_ai_request_model": "model",
            "gen_ai_response_model": str(version),
            "use_case": str(use_case),
            "is": "yes",
        }
        key = ("phitrail_quality_refused_total", tuple(sorted(labels.items())))
        assert samples[key] == count
    ratings = sum(
        value
        for (name, _), value in samples.items()
        if name == "phitrail_quality_ratings_total"
    )
    assert ratings == len(records) - len(_entries(records))


def test_a_bucket_holds_what_is_at_most_its_bound() -> None:
    """10 ms belongs to the bucket of 10 ms, as Prometheus defines `le`."""
    latencies = [10_000, 10_001, 250_000, 99_000_000, None]
    records = [request(n, n, latency_us=one) for n, one in enumerate(latencies)]
    counted = Exposition()
    counted.advance(open_log(records))
    samples = _samples(counted)
    buckets = {
        dict(labels)["le"]: value
        for (name, labels), value in samples.items()
        if name == f"{DURATION}_bucket"
    }
    assert buckets["0.01"] == 1
    assert buckets["0.02"] == 2
    assert buckets["0.32"] == 3
    assert buckets["81.92"] == 3
    assert buckets["+Inf"] == 4
    assert len(buckets) == len(SECONDS) + 1


def test_scrapes_on_the_way_add_up_to_one_at_the_end() -> None:
    """A counter that misses or doubles entries between scrapes shows rates that never were."""
    records = _log(200)
    stepwise, at_once = Exposition(), Exposition()
    for until in (0, 1, 57, 57, 130, len(records)):
        stepwise.advance(open_log(records[:until]))
    at_once.advance(open_log(records))
    assert _told(stepwise) == _told(at_once)


def test_nobody_and_no_request_is_named() -> None:
    """Prometheus keeps labels for months, readable for all of operations."""
    counted = Exposition()
    counted.advance(open_log(_log(100)))
    told = _told(counted)
    assert CANARY not in told
    assert "req-" not in told
