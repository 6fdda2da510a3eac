"""Which of many streams to report, so that few of the reports are false: e-BH.

Of K hypotheses with e-values, those are rejected whose e-value is at least K / (q k), where
k is the largest number for which k hypotheses reach that. The expected share of false
rejections is then q at most, however the streams depend on each other, and whenever one looks
(the e-values must be those of now, not the highest that they ever were).

Source: Wang and Ramdas, False discovery rate control with e-values (2022).
"""

import math
from collections.abc import Sequence

from phitrail.errors import InputError


def reject(log_e: Sequence[float], q: float) -> tuple[bool, ...]:
    """Say of each log e-value, in the order given, whether it is rejected.

    Args:
        log_e: natural logarithms of e-values of one family, one a hypothesis.
        q: the share of false rejections that is accepted, in (0, 1).

    Raises:
        InputError: `q` is out of its range, or an e-value is no number.
    """
    if not 0.0 < q < 1.0:
        raise InputError.for_field("q", "between 0 and 1, neither of them")
    if any(math.isnan(one) for one in log_e):
        raise InputError.for_field("log_e", "numbers")
    needed = math.inf
    for rank, one in enumerate(sorted(log_e, reverse=True), start=1):
        threshold = log_threshold(len(log_e), rank, q)
        if one >= threshold:
            needed = threshold
    return tuple(one >= needed for one in log_e)


def log_threshold(family: int, rank: int, q: float) -> float:
    """Give the log e-value that `rank` of a family must reach to be rejected."""
    return math.log(family / (q * rank))
