"""e-BH rejects what Wang and Ramdas say, and never more."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from phitrail.errors import InputError
from phitrail.quality.e_bh import log_threshold, reject

LOGS = st.lists(st.floats(-50, 50), min_size=1, max_size=40)


@given(LOGS)
def test_it_is_benjamini_hochberg_on_1_over_e(log_e: list[float]) -> None:
    """SciPy's procedure on p = 1/e is the oracle: the two must reject the same."""
    p = np.exp(-np.maximum(log_e, 0.0))
    adjusted = false_discovery_control(p)
    near = np.isclose(adjusted, 0.05, rtol=1e-9)
    expected = adjusted <= 0.05

    assert all(
        a == b
        for a, b, skip in zip(reject(log_e, 0.05), expected, near, strict=True)
        if not skip
    )


def test_one_stream_needs_20_at_5_percent() -> None:
    """Of a family of one the threshold is the nominal one."""
    assert reject([math.log(20) + 1e-12], 0.05) == (True,)
    assert reject([math.log(19.9)], 0.05) == (False,)
    assert log_threshold(1, 1, 0.05) == pytest.approx(math.log(20))


def test_many_together_need_less_each() -> None:
    """Ten of ten at 20 are rejected, though one of ten would need 200."""
    assert reject([math.log(20.1)] * 10, 0.05) == (True,) * 10
    assert reject([math.log(20.1)] + [0.0] * 9, 0.05) == (False,) * 10


def test_nothing_to_judge_is_nothing_rejected() -> None:
    """A family of none must not fail."""
    assert reject([], 0.05) == ()


@pytest.mark.parametrize(
    ("log_e", "q"), [([math.nan], 0.05), ([1.0], 0.0), ([1.0], 1.0)]
)
def test_what_is_no_number_is_refused(log_e: list[float], q: float) -> None:
    """An error in a stream must not pass for 'no regression'."""
    with pytest.raises(InputError):
        reject(log_e, q)
