"""What `phitrail demo` says of a rollout: what was made worse, and what the watch found.

The truth is told beside what was found, so that whoever looks can hold one to the other. The
look is the same that a trail makes once an hour (`app.quality_watch`).
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from phitrail.app import clock
from phitrail.app.quality_look import Looked, watch_quality
from phitrail.app.quality_watch import hour_of
from phitrail.app.running import run_trail
from phitrail.cli.output import Output
from phitrail.demo.rollout_history import RolloutHistory
from phitrail.demo.rollout_plan import USES
from phitrail.quality.metric import METRICS, Kind
from phitrail.quality.verdict import Comparison, State
from phitrail.quality.versions import Pair

_MICROSECONDS: Final = 1_000_000


def look_at_rollout(output: Output, trail: Path) -> Looked:
    """Look once at all versions, and record what is to be told.

    Raises:
        StorageError: a file cannot be read, or nothing was recorded.
        IntegrityError: tables or log are damaged.
    """
    now = clock.now()
    with run_trail(trail) as running, output.progress("comparisons") as progress:
        return watch_quality(running.parts, hour_of(now), now=now, progress=progress)


def tell_rollout(output: Output, history: RolloutHistory, looked: Looked) -> None:
    """Say what was recorded, what is true of it, and what the watch told."""
    told = _in_state(looked, State.REGRESSION, State.IMPROVED)
    watched = _in_state(looked, State.WATCH)
    worse = history.served.plan.worse
    output.line(
        f"Before that day came three weeks of a rollout: {history.requests} requests and "
        f"{history.ratings} ratings. From {_hour(history.worse_since)} on version "
        f"{history.candidate} answered every other one in {len(USES)} use cases"
        + (f"; in {worse.use_case} it was made worse." if worse else ".")
    )
    output.line(
        f"The watch over quality compared {len(looked.found)} streams and told of "
        f"{len(told)}:"
    )
    for pair, one in told:
        output.line(f"  {_said(pair, one)}")
    for pair, one in watched:
        output.line(f"  on watch, told to nobody yet: {_said(pair, one)}")
    output.line()


def rollout_object(history: RolloutHistory, looked: Looked) -> dict[str, object]:
    """Give the same as data."""
    worse = history.served.plan.worse
    return {
        "requests": history.requests,
        "ratings": history.ratings,
        "candidate": history.candidate,
        "baseline": history.baseline,
        "worse": None
        if worse is None
        else {"use_case": worse.use_case, "since": history.worse_since.isoformat()},
        "streams": len(looked.found),
        "told": [
            {
                "model_id": pair.model_id,
                "version": one.candidate,
                "use_case": one.use_case,
                "metric": one.metric.value,
                "state": one.state.value,
                "effect": one.effect,
                "low": one.low,
                "high": one.high,
                "since": None if one.since_us is None else _since(one).isoformat(),
            }
            for pair, one in _in_state(looked, State.REGRESSION, State.IMPROVED)
        ],
    }


def _in_state(looked: Looked, *states: State) -> Sequence[tuple[Pair, Comparison]]:
    return [(pair, one) for pair, one in looked.found if one.state in states]


def _said(pair: Pair, one: Comparison) -> str:
    """Name version, metric, size and hour."""
    unit = _unit(one)
    size = f"{_size(one, one.effect)}{unit} ({_size(one, one.low)} to {_size(one, one.high)})"
    since = "" if one.since_us is None else f", since {_hour(_since(one))}"
    name = one.metric.value.replace("_", " ")
    return f"{one.candidate} in {pair.use_case}: {name} {size} beside {one.baseline}{since}"


def _unit(one: Comparison) -> str:
    metric = METRICS[one.metric]
    if metric.is_relative:
        return " %"
    return " points" if metric.kind is Kind.RATE else ""


def _size(one: Comparison, value: float | None) -> str:
    metric = METRICS[one.metric]
    if value is None:
        return "unknown"
    if metric.is_relative:
        return f"{100 * value:+.0f}"
    return f"{100 * value:+.1f}" if metric.kind is Kind.RATE else f"{value:+.3f}"


def _since(one: Comparison) -> datetime:
    assert one.since_us is not None  # noqa: S101 - asked before
    return datetime.fromtimestamp(one.since_us / _MICROSECONDS, UTC)


def _hour(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H}:00 UTC"
