"""From verdicts to `Alert` events, through the same door as alerts of rules.

1. A stream is one metric of one version in one use case. Its alert opens when the verdict
   becomes `regression`, is told again once a day while it stays one, and its episode closes
   when it is one no longer, or nothing is compared any more. What people make of it is
   theirs.
2. Ids follow from what is said: trail, metric as it is defined, model, both versions, use
   case, and the look at which it opened. Two that look at once, or again, write the same.
3. An alert holds version, metric, effect with its confidence sequence, e-value, both sample
   sizes and the size of the family: numbers, and nobody.
"""

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from msgspec.structs import replace

from phitrail.events.alert import Alert
from phitrail.events.canonical import encode_canonical
from phitrail.events.codes import AlertState, QualityMetric, Severity
from phitrail.events.ids import RANDOM_BYTES, format_time, new_uuid7, parse_time
from phitrail.quality.alert_words import RULE_PREFIX
from phitrail.quality.metric import METRICS, Metric
from phitrail.quality.verdict import SHIFT_AFTER_ROLLOUT, Comparison, State
from phitrail.quality.versions import Pair

_SEVERE: Final = frozenset(
    {
        QualityMetric.POSITIVE_RATE,
        QualityMetric.FLAG_RATE,
        QualityMetric.GUARD_HIT_RATE,
        QualityMetric.ERROR_RATE,
    }
)
_CONTROLS: Final = ("170.315(b)(11)",)
_GUARD_CONTROLS: Final = ("164.308(a)(8)", "164.312(b)")
_MOST_E: Final = 10**12
_MOST_LOG_E: Final = 28.0
"""A little more than the logarithm of that."""
_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Stream:
    """What one alert is about."""

    metric: QualityMetric
    model_id: str
    use_case: str
    candidate: str
    baseline: str


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a family: of which trail, when, how many tests."""

    trail_id: str
    as_of: datetime
    family_size: int


def digest_of(metric: Metric) -> str:
    """Hash what a metric means: another definition is another test."""
    said = {
        name: None if value is None else str(value)
        for name, value in asdict(metric).items()
        if name != "meaning"
    }
    told = {name: value for name, value in said.items() if value is not None}
    return hashlib.sha256(
        encode_canonical(["phitrail/quality-metric/v1", told])
    ).hexdigest()


def moves_of(
    found: Sequence[tuple[Pair, Comparison]], standing: Iterable[Alert], look: Look
) -> list[Alert]:
    """Make what is to be recorded after a look.

    Args:
        found: every comparison of the family, decided.
        standing: the newest move that the log has of each alert of quality, people's left
            out.
        look: which look this is.
    """
    known = {_stream_of(one): one for one in standing if one.state != AlertState.CLOSE}
    now_worse = {
        _stream(pair, one): one for pair, one in found if one.state is State.REGRESSION
    }
    moves = [
        _opened(stream, one, look)
        for stream, one in now_worse.items()
        if stream not in known
    ]
    for stream, alert in known.items():
        comparison = now_worse.get(stream)
        if comparison is None:
            moves.append(_closed(alert, look))
        elif _day(alert.timestamp_utc) < look.as_of.date():
            moves.append(_updated(alert, comparison, look))
    return moves


def _stream(pair: Pair, one: Comparison) -> Stream:
    return Stream(
        one.metric, pair.model_id, pair.use_case, pair.candidate, pair.baseline
    )


def _stream_of(alert: Alert) -> Stream:
    metric = QualityMetric(alert.rule_id.removeprefix(RULE_PREFIX))
    return Stream(
        metric,
        alert.ai_model_id or "",
        alert.use_case or "",
        alert.ai_model_version or "",
        alert.baseline_version or "",
    )


def _opened(stream: Stream, one: Comparison, look: Look) -> Alert:
    metric = METRICS[stream.metric]
    digest = digest_of(metric)
    at = format_time(look.as_of)
    said = [
        "phitrail/quality-alert/v1",
        look.trail_id,
        digest,
        stream.model_id,
        stream.use_case,
        stream.candidate,
        stream.baseline,
        at,
    ]
    alert_id = hashlib.sha256(encode_canonical(said)).hexdigest()
    is_of_guard = stream.metric is QualityMetric.GUARD_HIT_RATE
    return Alert(
        alert_id=alert_id,
        rule_id=f"{RULE_PREFIX}{stream.metric}",
        rule_digest=digest,
        state=AlertState.OPEN,
        severity=Severity.HIGH if stream.metric in _SEVERE else Severity.MEDIUM,
        metric=stream.metric,
        ai_model_id=stream.model_id,
        ai_model_version=stream.candidate,
        baseline_version=stream.baseline,
        use_case=stream.use_case,
        controls=_GUARD_CONTROLS if is_of_guard else _CONTROLS,
        **_measured(one, look),
        **_marks(alert_id, "open", look.as_of),
    )


def _updated(alert: Alert, one: Comparison, look: Look) -> Alert:
    day = look.as_of.date().isoformat()
    return replace(
        _bare(alert),
        state=AlertState.UPDATE,
        **_measured(one, look),
        **_marks(alert.alert_id, f"update-{day}", look.as_of),
    )


def _closed(alert: Alert, look: Look) -> Alert:
    return replace(
        _bare(alert),
        state=AlertState.CLOSE,
        window_end=format_time(look.as_of),
        **_marks(alert.alert_id, "close", look.as_of),
    )


def _bare(alert: Alert) -> Alert:
    return replace(alert, received_at=None, nonce=None)


def _measured(one: Comparison, look: Look) -> dict[str, Any]:
    reasons = [str(State.REGRESSION)]
    if one.reason == SHIFT_AFTER_ROLLOUT:
        reasons.append(SHIFT_AFTER_ROLLOUT)
    since = None if one.since_us is None else _time(one.since_us)
    return {
        "effect_e6": _millionths(one.effect),
        "effect_low_e6": _millionths(one.low),
        "effect_high_e6": _millionths(one.high),
        "e_value_e3": _thousandths(one.log_e),
        "sample_count": one.n_candidate,
        "baseline_count": one.n_baseline,
        "family_size": look.family_size,
        "reason_codes": tuple(reasons),
        "window_start": since,
        "window_end": format_time(look.as_of),
    }


def _marks(alert_id: str, move: str, at: datetime) -> dict[str, Any]:
    entropy = hashlib.sha256(f"{alert_id}|{move}".encode()).digest()[:RANDOM_BYTES]
    return {"event_id": new_uuid7(at, entropy), "timestamp_utc": format_time(at)}


def _millionths(value: float | None) -> int | None:
    return (
        None if value is None or not math.isfinite(value) else round(value * _MILLION)
    )


def _thousandths(log_e: float | None) -> int | None:
    """Write an e-value; beyond a million million, evidence is evidence."""
    if log_e is None:
        return None
    return min(1_000 * _MOST_E, round(1_000 * math.exp(min(log_e, _MOST_LOG_E))))


def _time(at_us: int) -> str:
    return format_time(datetime.fromtimestamp(at_us / _MILLION, UTC))


def _day(at: str | None) -> date:
    return date.min if at is None else parse_time(at).date()
