"""How an alert of quality is told: version, metric, size, hour, and what it rests on."""

from collections.abc import Mapping

from phitrail.events.alert import Alert
from phitrail.quality.alert_words import CONTAINS, RESPONSE, title_of
from phitrail.quality.metric import METRICS, SHARE

_MILLION = 1_000_000


def told_measure(alert: Alert) -> object:
    """Say how much was found: a count of events, or the effect on a metric."""
    if alert.metric is None or alert.effect_e6 is None:
        return alert.match_count
    return _amount(alert, alert.effect_e6)


def quality_facts(alert: Alert) -> Mapping[str, object]:
    """Say what an alert of quality is about, by the names that `alert show` gives facts."""
    assert alert.metric is not None  # noqa: S101 - the caller looked
    metric = METRICS[alert.metric]
    low, high = alert.effect_low_e6, alert.effect_high_e6
    bounds = " to ".join(
        "unknown" if end is None else _amount(alert, end) for end in (low, high)
    )
    evidence = "none" if alert.e_value_e3 is None else f"{alert.e_value_e3 / 1000:,.1f}"
    return {
        "what": title_of(alert.rule_id) or alert.rule_id,
        "window": f"worse since {alert.window_start}, as known at {alert.window_end}",
        "count": told_measure(alert),
        "threshold": f"worse by more than {_least(alert)}",
        "why": (
            f"{alert.ai_model_version} against {alert.baseline_version}: {bounds} at every "
            f"look; e-value {evidence} among {alert.family_size} tests; "
            f"{alert.sample_count} and {alert.baseline_count} rows"
        ),
        "description": metric.meaning,
        "to do": RESPONSE,
    }


def quality_containment(alert: Alert) -> Mapping[str, str]:
    """Say which containment an alert of quality proposes: the version in its use case."""
    found = {name: getattr(alert, name) for name in CONTAINS}
    return {name: value for name, value in found.items() if value is not None}


def _least(alert: Alert) -> str:
    assert alert.metric is not None  # noqa: S101 - as above
    return _amount(alert, round(METRICS[alert.metric].min_effect * _MILLION)).lstrip(
        "+"
    )


def _amount(alert: Alert, millionths: int) -> str:
    assert alert.metric is not None  # noqa: S101 - as above
    metric = METRICS[alert.metric]
    if metric.is_relative:
        return f"{millionths / 10_000:+.1f} %"
    if metric.unit == SHARE:
        return f"{millionths / 10_000:+.1f} points"
    return f"{millionths / _MILLION:+.3g} {metric.unit}"
