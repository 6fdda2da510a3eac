"""Observations: sorted rows of one metric, numbered alike for all versions."""

from datetime import timedelta

import numpy as np
import pytest
from tests.quality.made import at, open_log, rating, request

from phitrail.errors import InputError
from phitrail.events.codes import QualityMetric
from phitrail.quality.metric import METRICS
from phitrail.quality.observations import read_observations

DAY = timedelta(days=1)


def test_rows_come_by_time_with_their_stratum_and_rater() -> None:
    """A pair of blocks is fixed in advance only if order and strata are."""
    log = [
        request(3, 5, version="v2", facility_id="main"),
        request(1, 30, facility_id="east"),
        request(2, 3, facility_id="main"),
        rating(11, 1, 31, rater="b"),
        rating(12, 2, 4, "negative", rater="a"),
        rating(13, 3, 6, rater="b"),
        rating(14, 3, 7, rater=None),
    ]
    metric = METRICS[QualityMetric.POSITIVE_RATE]

    found = read_observations(
        open_log(log), metric, ["v1", "v2"], "chart_qa", at(100), DAY
    )

    assert found["v1"].value.tolist() == [0.0, 1.0]
    assert found["v1"].stratum.tolist() == [3 + 168 * 2, 30 + 168]
    assert found["v1"].rater.tolist() == [0, 1]
    assert found["v2"].rater.tolist() == [1, -1]
    assert found["v2"].at_us.tolist() == [int(at(5).timestamp()) * 1_000_000] * 2
    assert found["v1"].at_us.dtype == np.int64
    assert found["v1"].stratum.dtype == found["v1"].rater.dtype == np.int32


def test_each_metric_can_be_read_row_by_row() -> None:
    """A metric whose SQL does not bind could never be compared."""
    log = [request(1, 1, latency_us=1500, citation_count=0), rating(2, 1, 2)]
    tables = open_log(log)

    read = {
        name: read_observations(tables, metric, ["v1"], None, at(50), DAY)["v1"]
        for name, metric in METRICS.items()
    }

    assert read[QualityMetric.LATENCY_P95].value.tolist() == [1.5]
    assert read[QualityMetric.CITATIONS_MEAN].value.tolist() == [0.0]
    assert read[QualityMetric.RESPONSE_RATE].value.tolist() == [1.0]
    assert len(read[QualityMetric.CACHE_HIT_RATE]) == 0


def test_a_version_without_rows_is_empty_and_a_version_is_named_once() -> None:
    """An arm that was never served is an answer; a slip of the caller is not."""
    tables = open_log([])
    metric = METRICS[QualityMetric.LATENCY_MEAN]

    assert len(read_observations(tables, metric, ["v9"], None, at(1), DAY)["v9"]) == 0
    with pytest.raises(InputError):
        read_observations(tables, metric, ["v1", "v1"], None, at(1), DAY)
