"""Metrics as data: one definition from which SQL, pictures, tests and the manual come.

1. `value` is what one row gives, `counted` which rows are counted at all. Both are SQL over
   the columns of the source. `counted` is the policy for what is missing: a row that does
   not say is left out, and never taken for a "no" or a zero. A zero that is said counts.
2. A rate is the mean of values that are 0 or 1. Of no rows there is no value: it is absent,
   as everything that was not measured.
3. `min_effect` is the least difference that anybody should act on: absolute for rates and
   for means of scores, a share of the baseline where `is_relative`. It stands in the null
   hypothesis of every comparison.
4. `bounds` are the values that a row can have at all; a test that needs them cuts what lies
   outside. Where there are none, only the metric's quantile can be compared.

Sources. `entries`: one row a request, with the columns of `events.quality.QualityEntry`,
and `is_rated` (somebody rated it). `feedback`: one row a rating that counts
(`quality.as_of`), with `value`, `flag_reason` and `rater`.

Source: the OpenTelemetry GenAI conventions for what latency, tokens and finish mean.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from phitrail.events.codes import QualityMetric


class Kind(StrEnum):
    """How rows become one number."""

    COUNT = "count"
    RATE = "rate"
    MEAN = "mean"
    QUANTILE = "quantile"


class Better(StrEnum):
    """In which direction it gets better."""

    UP = "up"
    DOWN = "down"


class Source(StrEnum):
    """Of what one row is."""

    ENTRIES = "entries"
    FEEDBACK = "feedback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric (see the rules above)."""

    name: QualityMetric
    kind: Kind
    meaning: str
    source: Source = Source.ENTRIES
    value: str
    counted: str
    unit: str
    better: Better
    min_effect: float
    is_relative: bool = False
    bounds: tuple[float, float] | None = (0.0, 1.0)
    quantile: float | None = None
    min_n: int

    @property
    def needs_ratings(self) -> bool:
        """Say whether its rows depend on ratings that come later than the request."""
        return self.source is Source.FEEDBACK or IS_RATED in self.value


IS_RATED: Final = "is_rated"
MILLISECONDS: Final = "ms"
SHARE: Final = "share"


def _rate(
    name: QualityMetric,
    is_hit: str,
    counted: str,
    better: Better,
    meaning: str,
    *,
    min_effect: float = 0.02,
    source: Source = Source.ENTRIES,
    min_n: int = 100,
) -> Metric:
    return Metric(
        name=name,
        kind=Kind.RATE,
        source=source,
        value=f"CASE WHEN {is_hit} THEN 1 ELSE 0 END",
        counted=counted,
        unit=SHARE,
        better=better,
        min_effect=min_effect,
        min_n=min_n,
        meaning=meaning,
    )


def _flag(name: QualityMetric, column: str, better: Better, meaning: str) -> Metric:
    return _rate(name, column, f"{column} IS NOT NULL", better, meaning)


def _p95(name: QualityMetric, column: str, meaning: str) -> Metric:
    return Metric(
        name=name,
        kind=Kind.QUANTILE,
        quantile=0.95,
        value=f"{column} / 1000.0",
        counted=f"{column} IS NOT NULL",
        unit=MILLISECONDS,
        better=Better.DOWN,
        min_effect=0.10,
        is_relative=True,
        bounds=None,
        min_n=200,
        meaning=meaning,
    )


_DEFINED: Final = (
    Metric(
        name=QualityMetric.REQUESTS,
        kind=Kind.COUNT,
        value="1",
        counted="TRUE",
        unit="requests",
        better=Better.UP,
        min_effect=0.5,
        is_relative=True,
        bounds=None,
        min_n=0,
        meaning="requests to a model, whatever came of them",
    ),
    Metric(
        name=QualityMetric.LATENCY_MEAN,
        kind=Kind.MEAN,
        value="latency_us / 1000.0",
        counted="latency_us IS NOT NULL",
        unit=MILLISECONDS,
        better=Better.DOWN,
        min_effect=0.10,
        is_relative=True,
        bounds=None,
        min_n=200,
        meaning="mean time from request to the end of the answer, failed ones too",
    ),
    _p95(
        QualityMetric.LATENCY_P95,
        "latency_us",
        "time that 95 of 100 answers take at most, failed ones too",
    ),
    _flag(
        QualityMetric.CACHE_HIT_RATE,
        "cache_hit",
        Better.UP,
        "answers that came from the application's own cache",
    ),
    _flag(
        QualityMetric.CONTENT_FILTER_RATE,
        "content_filtered",
        Better.DOWN,
        "answers that a content filter stopped or cut",
    ),
    _flag(
        QualityMetric.DISCLAIMER_RATE,
        "disclaimer_present",
        Better.UP,
        "answers that hold the clinical disclaimer",
    ),
    Metric(
        name=QualityMetric.CITATIONS_MEAN,
        kind=Kind.MEAN,
        value="citation_count",
        counted="citation_count IS NOT NULL",
        unit="citations",
        better=Better.UP,
        min_effect=0.10,
        is_relative=True,
        bounds=(0.0, 20.0),
        min_n=100,
        meaning="mean number of sources that an answer cites; none counts as zero",
    ),
    Metric(
        name=QualityMetric.TOP_SCORE_MEAN,
        kind=Kind.MEAN,
        value="top_retrieval_score_e6 / 1000000.0",
        counted="top_retrieval_score_e6 IS NOT NULL",
        unit="score",
        better=Better.UP,
        min_effect=0.02,
        bounds=(0.0, 1.0),
        min_n=100,
        meaning="mean of the best retrieval score; a zero counts as a value",
    ),
    _rate(
        QualityMetric.POSITIVE_RATE,
        "value = 'positive'",
        "value IS NOT NULL",
        Better.UP,
        "ratings that are positive; requests that nobody rated are left out",
        source=Source.FEEDBACK,
        min_n=50,
    ),
    _rate(
        QualityMetric.FLAG_RATE,
        "flag_reason IS NOT NULL",
        "TRUE",
        Better.DOWN,
        "ratings that flag the answer with a reason",
        source=Source.FEEDBACK,
        min_effect=0.01,
        min_n=50,
    ),
    _rate(
        QualityMetric.TRUNCATION_RATE,
        "finish_reason = 'length'",
        "finish_reason IS NOT NULL",
        Better.DOWN,
        "answers that ended because they grew too long",
        min_effect=0.01,
    ),
    _rate(
        QualityMetric.ERROR_RATE,
        "error_code IS NOT NULL OR finish_reason = 'error'",
        "error_code IS NOT NULL OR finish_reason IS NOT NULL",
        Better.DOWN,
        "requests that ended in an error, of those whose end is known",
        min_effect=0.005,
    ),
    _flag(
        QualityMetric.REFUSAL_RATE,
        "refused",
        Better.DOWN,
        "answers in which the model refused",
    ),
    _rate(
        QualityMetric.GUARD_HIT_RATE,
        "guard_decision <> 'release'",
        "guard_decision IS NOT NULL",
        Better.DOWN,
        "answers that the output guard did not simply release, of those it looked at",
        min_effect=0.005,
    ),
    _rate(
        QualityMetric.RESPONSE_RATE,
        IS_RATED,
        "TRUE",
        Better.UP,
        "requests that at least one person rated",
        min_effect=0.01,
        min_n=200,
    ),
    _p95(
        QualityMetric.FIRST_TOKEN_P95,
        "time_to_first_token_us",
        "time within which the first token is there for 95 of 100 answers",
    ),
    _rate(
        QualityMetric.EMPTY_RETRIEVAL_RATE,
        "retrieved_count = 0",
        "retrieved_count IS NOT NULL",
        Better.DOWN,
        "retrievals that found nothing",
    ),
    _rate(
        QualityMetric.PROMPT_CACHE_RATE,
        "cache_read_tokens > 0",
        "cache_read_tokens IS NOT NULL",
        Better.UP,
        "requests of whose prompt the provider had a part in its cache",
    ),
)
METRICS: Final[Mapping[QualityMetric, Metric]] = MappingProxyType(
    {metric.name: metric for metric in _DEFINED}
)
"""Every metric, in the order in which they are shown."""

CLASSIC: Final = tuple(metric.name for metric in _DEFINED[:9])
"""The nine that `compute_ai_quality_metrics` gives."""
