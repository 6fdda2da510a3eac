"""How measured numbers are written: for people with their unit, for programs as they are.

What was not measured says so, and is never written as zero.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from phitrail.events.ids import format_time
from phitrail.quality.metric import METRICS, MILLISECONDS, SHARE
from phitrail.quality.summary import Key, Measured, Summary

NOT_MEASURED: Final = "not measured"
UNNAMED: Final = "(not said)"
_SECOND_MS: Final = 1_000.0


def write_value(one: Measured) -> str:
    """Write the value with its unit."""
    if one.value is None:
        return NOT_MEASURED
    return _with_unit(METRICS[one.metric].unit, one.value)


def write_interval(one: Measured) -> str:
    """Write the interval; a bound that few rows cannot give is left open."""
    unit, interval = METRICS[one.metric].unit, one.interval
    if interval.low is None and interval.high is None:
        return ""
    if interval.high is None:
        return f"at least {_with_unit(unit, interval.low)}"
    if interval.low is None:
        return f"at most {_with_unit(unit, interval.high)}"
    return f"{_with_unit(unit, interval.low)} to {_with_unit(unit, interval.high)}"


def write_note(one: Measured) -> str:
    """Say that there are fewer rows than the metric should have."""
    return "few rows" if one.value is not None and one.is_few else ""


def write_key(key: Key) -> str:
    """Write one key of a group."""
    if isinstance(key, datetime):
        return format_time(key)[:16].replace("T", " ")
    return UNNAMED if key is None else key


def measured_object(one: Measured) -> Mapping[str, object]:
    """Write one metric of one cell as a JSON object."""
    return {
        "metric": one.metric,
        "n": one.n,
        "value": one.value,
        "low": one.interval.low,
        "high": one.interval.high,
        "unit": METRICS[one.metric].unit,
    }


def keys_object(names: Sequence[str], keys: Sequence[Key]) -> Mapping[str, object]:
    """Write the keys of a group as a JSON object."""
    return {
        name: format_time(key) if isinstance(key, datetime) else key
        for name, key in zip(names, keys, strict=True)
    }


def scope_object(summary: Summary) -> Mapping[str, object]:
    """Write what was asked and up to which sizes of the logs it was answered."""
    scope = summary.scope
    view = scope.view
    return {
        "as_of": format_time(view.as_of),
        "maturity_s": None if view.maturity is None else view.maturity.total_seconds(),
        "since": None if scope.since is None else format_time(scope.since),
        "until": format_time(view.until),
        "only": {dimension.value: value for dimension, value in scope.only},
        "log_size": summary.sizes["quality"],
    }


def write_scope(summary: Summary) -> str:
    """Say in a line what was asked."""
    scope = summary.scope
    view = scope.view
    since = "" if scope.since is None else f"after {_minute(scope.since)}, "
    aged = ""
    if view.maturity is not None:
        aged = f", ratings within {view.maturity.total_seconds() / 3600:g} h of each"
    return (
        f"requests {since}up to {_minute(view.until)} UTC, "
        f"as known at {_minute(view.as_of)}{aged}"
    )


def _minute(moment: datetime) -> str:
    return format_time(moment)[:16].replace("T", " ")


def _with_unit(unit: str, value: float | None) -> str:
    assert value is not None  # noqa: S101 - the caller looked
    if unit == SHARE:
        return f"{100 * value:.1f} %"
    if unit == MILLISECONDS:
        if abs(value) >= _SECOND_MS:
            return f"{value / _SECOND_MS:.2f} s"
        return f"{value:.0f} ms"
    if unit == "requests":
        return f"{value:,.0f}"
    return f"{value:.3f}" if unit == "score" else f"{value:.2f}"
