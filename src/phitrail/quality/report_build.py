"""Makes a report of what the tables hold: lines, charts, decision, and a digest of it all.

Values of both versions are those of the rows that were read for the comparison, from the
candidate's begin on where the baseline went on serving, and otherwise all of them.
`data_digest` is over those rows: times, values, strata and numbers of raters, metric by metric.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any, Final

import numpy as np

from phitrail.events.codes import QualityMetric
from phitrail.events.ids import format_time
from phitrail.projection.tables import Tables
from phitrail.quality.family import READ_TOGETHER, Asked, observe
from phitrail.quality.metric import METRICS, Metric
from phitrail.quality.observations import Observations
from phitrail.quality.report import Line, Report, UseCase, decision_of
from phitrail.quality.report_charts import Arms, beside, charts_of, minute_of, value_of
from phitrail.quality.verdict import Comparison, State
from phitrail.quality.versions import Pair

NOTHING: Final = Observations(
    np.empty(0, np.int64),
    np.empty(0, np.float64),
    np.empty(0, np.int32),
    np.empty(0, np.int32),
)
_WORDS: Final = {
    "shift_after_rollout": "the versions did not serve side by side",
    "raters_disjoint": "no rater saw both versions",
    "raters_unknown": "ratings without a rater",
    "maturity_unequal": "ratings of unequal age",
    "not_comparable": "a count is not compared",
    "baseline_too_small": "too few rows of the baseline",
}


def build_report(
    tables: Tables,
    found: Sequence[tuple[Pair, Comparison]],
    asked: Asked,
    accepted: Mapping[Pair, tuple[str, ...]],
) -> Report:
    """Make the report of comparisons of two versions of one model.

    Args:
        tables: where `found` came from.
        found: decided comparisons, by pair; at least one.
        asked: as of when, and how ripe.
        accepted: what people signed, by pair.

    Raises:
        InputError: the tables took too long.
        StorageError: a file cannot be read.
    """
    hashed = hashlib.sha256(b"phitrail/quality-data/v1\n")
    use_cases = []
    for pair, ones in groupby(found, key=lambda one: one[0]):
        comparisons = [comparison for _, comparison in ones]
        arms = _observe_all(tables, pair, asked)
        _hash(hashed, pair, arms)
        lines = tuple(line_of(pair, one, arms[one.metric]) for one in comparisons)
        use_cases.append(
            UseCase(
                pair.use_case,
                decision_of(lines, pair.baseline),
                lines,
                tuple(charts_of(tables, pair, comparisons, arms, asked)),
                accepted.get(pair, ()),
            )
        )
    first = found[0][0]
    return Report(
        model_id=first.model_id,
        candidate=first.candidate,
        baseline=first.baseline,
        begins=format_time(min(pair.since for pair, _ in found)),
        as_of=format_time(asked.as_of),
        maturity_hours=asked.ripen / timedelta(hours=1),
        false_discovery=asked.false_discovery,
        family_size=max(one.family_size for _, one in found),
        tree_sizes={"quality": tables.as_of["quality"]},
        data_digest=hashed.hexdigest(),
        use_cases=tuple(use_cases),
    )


def _observe_all(tables: Tables, pair: Pair, asked: Asked) -> Arms:
    found: dict[QualityMetric, Mapping[str, Observations]] = {}
    for metrics in READ_TOGETHER:
        found.update(observe(tables, pair, metrics, asked))
    return found


def _hash(hashed: Any, pair: Pair, arms: Arms) -> None:  # noqa: ANN401 - a hash object
    for name, by_version in sorted(arms.items()):
        for version in (pair.candidate, pair.baseline):
            arm = by_version[version]
            hashed.update(f"{pair.use_case}|{name}|{version}|{len(arm)}\n".encode())
            for column in (arm.at_us, arm.value, arm.stratum, arm.rater):
                little = column.astype(column.dtype.newbyteorder("<"))
                hashed.update(little.tobytes())


# --- lines ---


def line_of(
    pair: Pair, one: Comparison, by_version: Mapping[str, Observations] | None = None
) -> Line:
    """Write a verdict as a line; values of both versions only where their rows are given."""
    metric = METRICS[one.metric]
    candidate, baseline = (
        (NOTHING, NOTHING) if by_version is None else beside(pair, by_version)
    )
    return Line(
        metric=metric.name,
        meaning=metric.meaning,
        unit=metric.unit,
        is_relative=metric.is_relative,
        baseline=value_of(metric, baseline.value),
        baseline_n=len(baseline),
        candidate=value_of(metric, candidate.value),
        candidate_n=len(candidate),
        effect=one.effect,
        low=one.low,
        high=one.high,
        e_value=None if one.log_e is None else math.exp(min(one.log_e, 500.0)),
        state=one.state,
        reason=_reason(metric, one),
        still_needed=one.still_needed,
        since=None if one.since_us is None else minute_of(one.since_us),
    )


def _reason(metric: Metric, one: Comparison) -> str | None:
    words = [] if one.reason is None else [_WORDS.get(one.reason, one.reason)]
    if one.state is State.INSUFFICIENT and one.still_needed:
        rows = "ratings" if metric.needs_ratings else "requests"
        words.append(f"about {_rounded(one.still_needed):,} {rows} still needed")
    return "; ".join(words) or None


def _rounded(count: int) -> int:
    """Round to two digits: more would say that it is known."""
    size: int = 10 ** max(0, len(str(count)) - 2)
    return int(math.ceil(count / size) * size)
