"""The values of one metric, row by row: what a test of two versions is fed with.

Order is by the time of the request, then by its id, and so the same whenever it is read.
Of each request as much is known as the maturity says (`quality.as_of`), so both versions
have had the same time to be rated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from phitrail.errors import InputError
from phitrail.events.codes import QualityMetric
from phitrail.projection.tables import Tables
from phitrail.quality.as_of import AsOf
from phitrail.quality.metric import IS_RATED, Metric, Source

_KEPT: Final = ("request_id", "timestamp_utc", "model_version", "facility_id")
HOURS_A_WEEK: Final = 168
NO_RATER: Final = -1
_MONDAY_US: Final = 4 * 86_400 * 1_000_000
"""1970-01-05, the first Monday of the epoch."""
_HOUR_US: Final = 3_600 * 1_000_000


@dataclass(frozen=True, slots=True)
class Observations:
    """One metric of one version in one use case, sorted by (time, request id).

    Attributes:
        at_us: time of the request, microseconds since 1970; int64, shape (n,).
        value: the metric's value of the row, in its unit; float64, shape (n,).
        stratum: hour of the week (UTC, Monday 0 h is 0) + 168 x facility; int32, (n,).
        rater: number of the rater, -1 without; int32, (n,). Numbers of facilities and
            raters mean the same in all that were read together, and nothing else.
    """

    at_us: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]
    stratum: npt.NDArray[np.int32]
    rater: npt.NDArray[np.int32]

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.at_us)


def read_observations(
    tables: Tables,
    metric: Metric,
    versions: Sequence[str],
    use_case: str | None,
    as_of: datetime,
    maturity: timedelta,
    *,
    since: datetime | None = None,
    model_id: str | None = None,
) -> Mapping[str, Observations]:
    """Read the rows of a metric for some versions of a model.

    Args:
        tables: the open tables.
        metric: which metric.
        versions: which values of `model_version`.
        use_case: which use case; all of them when absent.
        as_of: what was known by then.
        maturity: for how long ratings of a request count; how old it must be.
        since: leave out requests up to then.
        model_id: of which model; of whichever has these versions when absent.

    Raises:
        InputError: no version is named, or one twice.
        StorageError: a file cannot be read.
    """
    wanted = Wanted(tuple(versions), use_case, model_id, since)
    return read_all(tables, (metric,), wanted, AsOf(as_of, maturity))[metric.name]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which requests: of these versions, in a use case, of a model, after `since`."""

    versions: tuple[str, ...]
    use_case: str | None = None
    model_id: str | None = None
    since: datetime | None = None


def read_all(
    tables: Tables, metrics: Sequence[Metric], wanted: Wanted, view: AsOf
) -> Mapping[QualityMetric, Mapping[str, Observations]]:
    """Read the rows of some metrics of one source, at once.

    Raises:
        InputError: no version is named, or one twice; or metrics of two sources.
        StorageError: a file cannot be read.
    """
    if not wanted.versions or len(set(wanted.versions)) != len(wanted.versions):
        raise InputError.for_field("versions", "one or more, each once")
    if len({metric.source for metric in metrics}) != 1:
        raise InputError.for_field("metrics", "one or more, of one source")
    only = {
        name: value
        for name, value in (
            ("use_case", wanted.use_case),
            ("model_id", wanted.model_id),
        )
        if value is not None
    }
    rows = tables.ask(
        _select(metrics, view, wanted, tuple(only)),
        [*wanted.versions, *only.values()],
    )
    return _split(rows.combine_chunks(), metrics, wanted.versions)


def _select(
    metrics: Sequence[Metric], view: AsOf, wanted: Wanted, only: Sequence[str]
) -> str:
    places = ", ".join("?" * len(wanted.versions))
    requests = f"{view.requests(wanted.since)} AND model_version IN ({places})"
    requests += "".join(f" AND {name} = ?" for name in only)
    order = "idx"
    if metrics[0].source is Source.FEEDBACK:
        order = "rating_idx"
        rows = (
            f"SELECT g.*, f.rater FROM ({view.ratings('requests', _KEPT)}) AS g "
            "JOIN feedback AS f ON f.idx = g.rating_idx"
        )
    else:
        rows = "SELECT *, CAST(NULL AS VARCHAR) AS rater FROM requests"
        if any(metric.needs_ratings for metric in metrics):
            rows = (
                "SELECT r.*, CAST(NULL AS VARCHAR) AS rater, g.idx IS NOT NULL AS "
                f"{IS_RATED} FROM requests AS r LEFT JOIN (SELECT DISTINCT idx FROM "
                f"({view.ratings('requests', ())}) AS g) AS g ON g.idx = r.idx"
            )
    observed = ", ".join(
        f"CAST(CASE WHEN {one.counted} THEN {one.value} END AS DOUBLE) AS {one.name}"
        for one in metrics
    )
    return (
        f"WITH requests AS ({requests}) "
        f"SELECT model_version, timestamp_utc, facility_id, rater, {observed} "
        f"FROM ({rows}) AS o ORDER BY timestamp_utc, request_id, {order}"
    )


def _split(
    rows: pa.Table, metrics: Sequence[Metric], versions: Sequence[str]
) -> Mapping[QualityMetric, Mapping[str, Observations]]:
    at_us = rows["timestamp_utc"].cast(pa.timestamp("us")).cast(pa.int64()).to_numpy()
    hour = (at_us - _MONDAY_US) // _HOUR_US % HOURS_A_WEEK
    facility = _numbered(rows["facility_id"]) + 1
    stratum = (hour + HOURS_A_WEEK * facility).astype(np.int32)
    rater = _numbered(rows["rater"]).astype(np.int32)
    is_of = {
        one: np.asarray(pc.equal(rows["model_version"], one).to_numpy())
        for one in versions
    }
    found = {}
    for metric in metrics:
        column = rows[metric.name]
        is_counted = np.asarray(pc.is_valid(column).to_numpy())
        value = np.asarray(pc.fill_null(column, 0.0).to_numpy())
        found[metric.name] = {
            one: Observations(at_us[is_in], value[is_in], stratum[is_in], rater[is_in])
            for one in versions
            for is_in in [is_of[one] & is_counted]
        }
    return found


def _numbered(texts: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Number texts by their order; -1 where there is none."""
    known = pc.unique(texts).drop_null()
    ranked = known.take(pc.sort_indices(known))
    numbers = pc.fill_null(pc.index_in(texts, value_set=ranked), NO_RATER)
    return np.asarray(numbers.to_numpy()).astype(np.int64)
