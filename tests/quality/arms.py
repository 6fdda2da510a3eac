"""Observations of two versions, drawn from a seed: what the judges of versions are tried on."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from phitrail.quality.observations import HOURS_A_WEEK, Observations
from phitrail.quality.pairs import HOUR_US

Draw = Callable[[np.random.Generator, npt.NDArray[np.float64]], npt.NDArray[np.float64]]
"""Values of rows, from a generator and the hours at which they are."""


def hits(rate: float) -> Draw:
    """Draw zeros and ones."""
    return lambda rng, hours: (rng.random(len(hours)) < rate).astype(np.float64)


def latency(times: float = 1.0, spread: float = 0.5) -> Draw:
    """Draw lognormal milliseconds; slower at ten in the morning than at night."""

    def draw(
        rng: np.random.Generator, hours: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        load = 1.0 + 0.3 * np.cos((hours % 24.0 - 10.0) / 24.0 * 2.0 * np.pi)
        return np.asarray(times * 800.0 * load * rng.lognormal(0.0, spread, len(hours)))

    return draw


def observe(
    seed: int,
    draw: Draw,
    *,
    days: float = 14.0,
    begin_day: float = 0.0,
    per_hour: float = 4.0,
    raters: range | None = None,
) -> Observations:
    """Draw one version: times at random, values by `draw`, raters evenly."""
    rng = np.random.default_rng(seed)
    count = rng.poisson(per_hour * 24.0 * days)
    hours = np.sort(rng.random(count)) * 24.0 * days + begin_day * 24.0
    who = np.full(count, -1) if raters is None else rng.choice(list(raters), count)
    return Observations(
        (hours * HOUR_US).astype(np.int64),
        draw(rng, hours),
        (hours.astype(np.int64) % HOURS_A_WEEK).astype(np.int32),
        who.astype(np.int32),
    )
