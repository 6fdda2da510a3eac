"""Draws are repeatable, in range, and fair enough to be called weights."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phitrail.demo.draws import between, chance, pick, pick_several, pick_weighted


def test_the_draws_of_a_seed_are_pinned() -> None:
    """The numbers hold under every Python; else the clinic differs between machines."""
    rng = Random("phitrail/test")
    drawn = [between(rng, 1, 6) for _ in range(12)]
    several = pick_several(rng, "abcdefgh", 4)

    assert drawn == [5, 4, 4, 5, 4, 6, 2, 5, 4, 5, 4, 1]
    assert several == ("c", "g", "b", "e")


@given(seed=st.integers(), low=st.integers(-99, 99), width=st.integers(0, 99))
def test_between_stays_within_both_ends(seed: int, low: int, width: int) -> None:
    """A number outside its range would be an hour 24 or a bed that is not there."""
    assert low <= between(Random(seed), low, low + width) <= low + width


@given(seed=st.integers(), count=st.integers(0, 20))
def test_several_are_different_places(seed: int, count: int) -> None:
    """A person drawn twice would stand twice in one care team."""
    drawn = pick_several(Random(seed), range(10), count)

    assert len(drawn) == min(count, 10)
    assert len(set(drawn)) == len(drawn)


def test_weights_are_kept() -> None:
    """Skew is the point: nine tenths of the weight get nine tenths of the draws."""
    rng = Random(5)
    drawn = Counter(pick_weighted(rng, (("a", 90), ("b", 10))) for _ in range(5000))

    assert 4350 <= drawn["a"] <= 4650


def test_chance_and_pick_reach_their_ends() -> None:
    """Zero percent never, a hundred always, and every option sometimes."""
    rng = Random(5)

    assert not any(chance(rng, 0) for _ in range(200))
    assert all(chance(rng, 100) for _ in range(200))
    assert {pick(rng, "abc") for _ in range(200)} == set("abc")


def test_weights_without_weight_are_refused() -> None:
    """Silence here would draw nothing and call it something."""
    with pytest.raises(ValueError, match="weights"):
        pick_weighted(Random(5), (("a", -3),))
