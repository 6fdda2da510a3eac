"""A frozen line has as much slack as the baseline is unsure by."""

import numpy as np
import pytest

from phitrail.errors import InputError
from phitrail.quality.betting import log_e_path
from phitrail.quality.frozen import LEAST, freeze


def test_a_line_lets_its_share_lie_beyond_it() -> None:
    """The 95th percentile has 5 of 100 values above it; the 5th has 5 below."""
    values = np.arange(1000.0)

    high = freeze(values, 0.95, is_above=True)
    low = freeze(values, 0.05, is_above=False)

    assert high.beyond(values).mean() == pytest.approx(0.05, abs=0.0011)
    assert low.beyond(values).mean() == pytest.approx(0.05, abs=0.0011)
    assert high.share == pytest.approx(low.share)
    assert list(high.beyond(np.array([1.0, 999.0]))) == [0.0, 1.0]
    assert list(low.beyond(np.array([1.0, 999.0]))) == [1.0, 0.0]


def test_more_rows_need_less_slack() -> None:
    """A line from 20,000 rows is nearer to the truth than one from 2,000."""
    rng = np.random.default_rng(3)
    slack = [
        freeze(rng.normal(size=n), 0.95, is_above=True).slack for n in (2_000, 20_000)
    ]

    assert slack == [pytest.approx(0.0142, abs=2e-4), pytest.approx(0.0041, abs=2e-4)]


def test_slack_covers_where_the_quantile_really_is() -> None:
    """Of 2,000 baselines hardly one leaves more beyond its line than share and slack."""
    rng = np.random.default_rng(4)
    values = rng.random((2_000, 400))
    lines = [freeze(one, 0.95, is_above=True) for one in values]
    missed = sum(1.0 - line.line > line.share + line.slack for line in lines)

    assert missed / 2_000 <= 0.01


def test_a_slower_version_is_found_and_an_equal_one_is_not() -> None:
    """The line has to tell a version that is a quarter slower from the one before."""
    rng = np.random.default_rng(5)
    line = freeze(rng.lognormal(0, 0.5, 2_000), 0.95, is_above=True)
    same = line.beyond(rng.lognormal(0, 0.5, 4_000))
    slower = line.beyond(1.25 * rng.lognormal(0, 0.5, 4_000))

    assert log_e_path(line.claim(same)).max() < 3.0
    assert log_e_path(line.claim(slower))[-1] > 10.0


@pytest.mark.parametrize(
    ("count", "quantile", "field"),
    [(LEAST - 1, 0.95, "values"), (LEAST, 1.0, "quantile")],
)
def test_a_line_from_too_little_is_refused(
    count: int, quantile: float, field: str
) -> None:
    """A percentile of a handful of rows is a guess."""
    with pytest.raises(InputError) as refused:
        freeze(np.zeros(count), quantile, is_above=True)

    assert refused.value.field == field
