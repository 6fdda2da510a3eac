"""What Prometheus scrapes of quality: counts since the log began, by version and use case.

1. Names are OpenTelemetry's for generative AI where there is one, as Prometheus writes them;
   the others begin with `phitrail_quality_`. Labels are model, version and use case, and
   codes of ours: never a request, a rater, a document or a facility.
2. Counters and histograms only grow: the log only grows. Each scrape reads the entries after
   the last one that was counted.
3. What was not measured is not counted; a missing latency is in no bucket.
4. A rating is counted with the request that the log held when it came; one that came before
   its request is in the reports (`quality.as_of`) and not here.

Source: OpenTelemetry semantic conventions for generative AI (names, buckets).
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from phitrail.errors import ConfigError
from phitrail.projection.tables import Tables

Labels: TypeAlias = tuple[str, ...]
STREAM: Final = ("gen_ai_request_model", "gen_ai_response_model", "use_case")
_STREAM_SQL: Final = (
    "coalesce(model_id, ''), coalesce(model_version, ''), coalesce(use_case, '')"
)
SECONDS: Final = tuple(0.01 * 2**power for power in range(14))
"""Bounds in seconds: 0.01, 0.02, ... 81.92."""
TOKENS: Final = tuple(float(4**power) for power in range(14))
"""Bounds in tokens: 1, 4, 16, ... 67108864."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """One histogram: its name for Prometheus, what it holds, its column, unit and bounds.

    Values are whole numbers of `1 / scale` of the unit, so that sums are exact.
    """

    name: str
    meaning: str
    column: str
    scale: int
    bounds: tuple[float, ...]
    extra: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """One counter: its name, what it counts, and the code that it is told apart by."""

    name: str
    meaning: str
    view: str
    label: str
    code: str
    counted: str


VERDICT: Final = "phitrail_quality_verdict"
"""Is 1 for the state that the comparison of a version stands at, by metric."""
DURATION: Final = "gen_ai_client_operation_duration_seconds"
HISTOGRAMS: Final = (
    Histogram(
        DURATION,
        "Time from request to the end of the answer",
        "latency_us",
        1_000_000,
        SECONDS,
    ),
    Histogram(
        "gen_ai_client_operation_time_to_first_chunk_seconds",
        "Time from request to the first part of the answer",
        "time_to_first_token_us",
        1_000_000,
        SECONDS,
    ),
    Histogram(
        "gen_ai_client_token_usage",
        "Tokens of one request",
        "input_tokens",
        1,
        TOKENS,
        ("gen_ai_token_type", "input"),
    ),
    Histogram(
        "gen_ai_client_token_usage",
        "Tokens of one request",
        "output_tokens",
        1,
        TOKENS,
        ("gen_ai_token_type", "output"),
    ),
)


def _flag(column: str, meaning: str) -> Count:
    name = f"phitrail_quality_{column}"
    shown = f"CASE WHEN {column} THEN 'yes' ELSE 'no' END"
    return Count(name, meaning, "model_requests", "is", shown, f"{column} IS NOT NULL")


COUNTS: Final = (
    Count(
        "phitrail_quality_requests",
        "Requests to a model, by why it stopped",
        "model_requests",
        "finish_reason",
        "coalesce(finish_reason, '')",
        "TRUE",
    ),
    Count(
        "phitrail_quality_guarded",
        "Answers that the output guard looked at, by what it decided",
        "model_requests",
        "decision",
        "guard_decision",
        "guard_decision IS NOT NULL",
    ),
    _flag("cache_hit", "Answers by whether they came from the application's cache"),
    _flag("content_filtered", "Answers by whether a content filter acted"),
    _flag("disclaimer_present", "Answers by whether they hold the disclaimer"),
    _flag("refused", "Answers by whether the model refused"),
    Count(
        "phitrail_quality_retrievals",
        "Retrievals by whether anything was found",
        "model_requests",
        "found",
        "CASE WHEN retrieved_count > 0 THEN 'yes' ELSE 'no' END",
        "retrieved_count IS NOT NULL",
    ),
)
RATINGS: Final = Count(
    "phitrail_quality_ratings",
    "Ratings as they came in, corrections too, by what they say",
    "feedback",
    "value",
    "value",
    "value IS NOT NULL",
)


@dataclass(slots=True)
class _Bins:
    counts: list[int]
    total: int = 0


@dataclass(slots=True)
class Exposition:
    """What was counted so far of one log."""

    last_index: int = -1
    _counts: Counter[tuple[str, Labels]] = field(default_factory=Counter)
    _bins: dict[tuple[str, Labels], _Bins] = field(default_factory=dict)

    def advance(self, tables: Tables) -> None:
        """Count the entries that came since.

        Raises:
            StorageError: a file cannot be read.
            InputError: the tables took too long.
        """
        until = tables.as_of["quality"] - 1
        between = f"idx > {self.last_index} AND idx <= {until}"
        for one in COUNTS:
            for *labels, count in _rows(tables, _count_sql(one, between)):
                self._counts[one.name, tuple(labels)] += count
        for *labels, count in _rows(tables, _ratings_sql(between)):
            self._counts[RATINGS.name, tuple(labels)] += count
        for histogram in HISTOGRAMS:
            for *labels, bin_, count, total in _rows(
                tables, _histogram_sql(histogram, between)
            ):
                self._add(histogram, tuple(labels), bin_, count, total)
        self.last_index = max(self.last_index, until)

    def _add(
        self, histogram: Histogram, labels: Labels, bin_: int, count: int, total: int
    ) -> None:
        if histogram.extra is not None:
            labels = (*labels, histogram.extra[1])
        bins = self._bins.setdefault(
            (histogram.name, labels), _Bins([0] * (len(histogram.bounds) + 1))
        )
        bins.counts[bin_] += count
        bins.total += total

    def families(self) -> Iterator[Any]:
        """Give what was counted as Prometheus' metric families.

        Raises:
            ConfigError: the extra is not installed; says what to install.
        """
        core = prometheus()
        by_name = defaultdict(list)
        for (name, labels), count in sorted(self._counts.items()):
            by_name[name].append((labels, count))
        for one in (*COUNTS, RATINGS):
            counter = core.CounterMetricFamily(
                one.name, one.meaning, labels=[*STREAM, one.label]
            )
            for labels, count in by_name[one.name]:
                counter.add_metric(labels, count)
            yield counter
        for histogram in {one.name: one for one in HISTOGRAMS}.values():
            yield self._histogram(core, histogram)

    def _histogram(self, core: Any, histogram: Histogram) -> Any:  # noqa: ANN401
        extra = () if histogram.extra is None else (histogram.extra[0],)
        family = core.HistogramMetricFamily(
            histogram.name, histogram.meaning, labels=[*STREAM, *extra]
        )
        for (name, labels), bins in sorted(self._bins.items()):
            if name == histogram.name:
                family.add_metric(
                    labels,
                    _cumulated(histogram.bounds, bins.counts),
                    bins.total / histogram.scale,
                )
        return family


def prometheus() -> Any:  # noqa: ANN401 - a module
    """Give the library that writes the exposition.

    Raises:
        ConfigError: the extra is not installed.
    """
    try:
        from prometheus_client import core  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigError(
            "metrics need prometheus-client; install phitrail[quality]"
        ) from None
    return core


def _cumulated(
    bounds: Sequence[float], counts: Sequence[int]
) -> list[tuple[str, float]]:
    buckets: list[tuple[str, float]] = []
    so_far = 0
    for bound, count in zip((*bounds, None), counts, strict=True):
        so_far += count
        buckets.append(("+Inf" if bound is None else f"{bound:g}", float(so_far)))
    return buckets


def _count_sql(one: Count, between: str) -> str:
    return (
        f"SELECT {_STREAM_SQL}, {one.code}, count(*) FROM {one.view} "
        f"WHERE {between} AND {one.counted} GROUP BY 1, 2, 3, 4"
    )


def _ratings_sql(between: str) -> str:
    return (
        "SELECT coalesce(r.model_id, ''), coalesce(r.model_version, ''), "
        f"coalesce(r.use_case, ''), f.value, count(*) FROM (SELECT * FROM feedback "
        f"WHERE {between} AND {RATINGS.counted}) AS f JOIN model_requests AS r "
        "ON r.request_id = f.request_id GROUP BY 1, 2, 3, 4"
    )


def _histogram_sql(histogram: Histogram, between: str) -> str:
    column = histogram.column
    bins = " ".join(
        f"WHEN {column} <= {round(bound * histogram.scale)} THEN {number}"
        for number, bound in enumerate(histogram.bounds)
    )
    return (
        f"SELECT {_STREAM_SQL}, CASE {bins} ELSE {len(histogram.bounds)} END, count(*), "
        f"CAST(sum({column}) AS BIGINT) FROM model_requests "
        f"WHERE {between} AND {column} IS NOT NULL GROUP BY 1, 2, 3, 4"
    )


def _rows(tables: Tables, select: str) -> Iterator[tuple[Any, ...]]:
    columns = [column.to_pylist() for column in tables.ask(select).columns]
    return zip(*columns, strict=True)
