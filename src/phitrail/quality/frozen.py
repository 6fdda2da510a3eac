"""A line drawn before the candidate came: the baseline's quantile, with what it is unsure by.

A quantile cannot be bet on directly; how often values lie beyond a fixed line can. So the
baseline's quantile is frozen, and a version is judged by the share of its values beyond it.

1. The line may only stand on rows from before what it judges. From at least `LEAST` of them.
2. A line from n rows is not where the quantile is: beyond it lie a little more or less than
   1 - quantile. Whoever is judged against that share needs the **slack** on top: the upper
   end of Wilson's interval, which the true share exceeds with a chance of `SLACK_ALPHA` / 2.
   Without it, a baseline of 2,000 rows breaks the promise of 5% (the bench shows it).
3. Side by side, candidate and baseline are held to one line and to each other, and what the
   line is unsure by strikes both: no slack is needed.

Source: Wilson (1927), as in `quality.intervals`.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from phitrail.errors import InputError
from phitrail.quality.betting import Claim, Values
from phitrail.quality.intervals import wilson

LEAST: Final = 200
SLACK_ALPHA: Final = 0.01


@dataclass(frozen=True, slots=True)
class Frozen:
    """A line: `share` of the baseline's values lie beyond it, give or take the slack.

    Attributes:
        line: the quantile, in the metric's unit.
        is_above: beyond is above the line; otherwise below.
        share: which share of values is meant to lie beyond.
        slack: how much more it may be, because the line stands on `count` rows only.
        count: how many rows it stands on.
    """

    line: float
    is_above: bool
    share: float
    slack: float
    count: int

    def beyond(self, values: Values, line: float | None = None) -> Values:
        """Say of each value whether it lies beyond the line: 1.0 or 0.0, shape (n,)."""
        at = self.line if line is None else line
        is_beyond = values > at if self.is_above else values < at
        return np.asarray(is_beyond, dtype=np.float64)

    def claim(self, shares: Values) -> Claim:
        """Claim of shares beyond the line, one a block, that they are no more than before."""
        return Claim(shares, self.share + self.slack)


def freeze(values: Values, quantile: float, *, is_above: bool) -> Frozen:
    """Freeze a quantile of the baseline.

    Args:
        values: of the baseline, from before what is to be judged; shape (n,).
        quantile: which one, in (0, 1).
        is_above: values above it are the bad ones (the 95th percentile of a latency), or
            those below (the 5th of a score).

    Raises:
        InputError: the rows are too few, or the quantile is out of its range.
    """
    if not 0.0 < quantile < 1.0:
        raise InputError.for_field("quantile", "between 0 and 1, neither of them")
    if len(values) < LEAST:
        raise InputError.for_field("values", f"at least {LEAST} of the baseline")
    if is_above:
        line = float(np.quantile(values, quantile, method="higher"))
    else:
        line = float(np.quantile(values, quantile, method="lower"))
    share = 1.0 - quantile if is_above else quantile
    high = wilson(round(share * len(values)), len(values), 1.0 - SLACK_ALPHA).high
    return Frozen(
        line, is_above, share, (1.0 if high is None else high) - share, len(values)
    )
