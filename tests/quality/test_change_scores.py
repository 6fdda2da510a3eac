"""The bench scores change points as TCPDBench does, and counts errors as errors."""

import pytest
from bench.quality_change import Series, read_series, score, table


def test_scores_are_those_of_the_paper() -> None:
    """Nile and bank of TCPDBench, for the method that never alarms: .8235/.758 and 1/1."""
    known = {one.name: one for one in read_series()}
    if not known:
        pytest.skip("no series: PHITRAIL_TCPD names their folder")

    assert score(known["nile"], ()) == pytest.approx((0.8235, 0.758), abs=1e-4)
    assert score(known["bank"], ()) == (1.0, 1.0)


def test_a_change_within_the_margin_counts_once() -> None:
    """Five places off is found, six is not; two near one change are one hit and one miss."""
    one = Series("made", tuple(range(100)), ((50,),))

    assert score(one, (55,))[0] == 1.0
    assert score(one, (56,))[0] == pytest.approx(0.5)
    assert score(one, (49, 51))[0] == pytest.approx(0.8)
    assert score(one, (50,)) == (1.0, 1.0)


def test_a_method_that_raises_has_an_error_and_no_score() -> None:
    """What raises has not found 'no change'."""
    broken = Series("made", (1.0, float("nan")) * 20, ((10,),))

    rows = {row[0]: row for row in table([broken])}

    ours = next(row for name, row in rows.items() if "phitrail" in name)
    assert ours[4] == "1"
    assert ours[1] == "nan"
