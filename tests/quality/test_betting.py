"""A bettor against a true hypothesis does not win, however one looks."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phitrail.errors import InputError
from phitrail.quality.betting import (
    STAKES,
    Claim,
    Wealth,
    claim_of_difference,
    feed,
    log_e_now,
    log_e_path,
    values_needed,
)

SHARES = st.lists(st.floats(0, 1), max_size=60)
NULLS = st.floats(0.01, 0.99)


def all_paths(n: int) -> np.ndarray:
    """Give every sequence of n zeros and ones."""
    return np.array(list(itertools.product([0.0, 1.0], repeat=n)))


@pytest.mark.parametrize("null", [0.05, 0.3, 0.5, 0.9])
def test_the_expected_money_at_the_edge_of_the_null_is_exactly_one(null: float) -> None:
    """Summed over all 2^10 sequences: no luck of a simulation can hide a game that pays."""
    paths = all_paths(10)
    chance = np.prod(np.where(paths == 1.0, null, 1.0 - null), axis=1)
    money = [math.exp(log_e_path(Claim(path, null))[-1]) for path in paths]

    assert float(np.sum(chance * money)) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("truth", [0.0, 0.1, 0.29])
def test_the_expected_money_inside_the_null_is_less_than_one(truth: float) -> None:
    """A hypothesis that holds with room to spare must cost the bettor money."""
    paths = all_paths(8)
    chance = np.prod(np.where(paths == 1.0, truth, 1.0 - truth), axis=1)
    money = [math.exp(log_e_now(path, 0.3)) for path in paths]

    assert float(np.sum(chance * money)) < 1.0


def test_a_mean_that_depends_on_the_past_gains_nothing() -> None:
    """The chance may follow the bettor's own luck, as long as it stays within the null."""
    expected = 0.0
    for path in all_paths(10):
        chance, wins = 1.0, 0.0
        for value in path:
            p = 0.5 if wins <= 0 else 0.1
            chance *= p if value else 1.0 - p
            wins += 1.0 if value else -1.0
        expected += chance * math.exp(log_e_now(path, 0.5))

    assert expected <= 1.0


@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.5])
def test_the_chance_of_ever_reaching_1_in_alpha_is_alpha_at_most(alpha: float) -> None:
    """Looking after every value, counted over all sequences: what Ville promises."""
    crossed = sum(
        np.max(log_e_path(Claim(path, 0.5))) >= -math.log(alpha)
        for path in all_paths(12)
    )

    assert 0 < crossed / 2**12 <= alpha


@given(SHARES, SHARES, NULLS)
def test_feeding_in_two_parts_is_feeding_at_once(
    first: list[float], second: list[float], null: float
) -> None:
    """A restart between two looks must not change a verdict, not by one bit."""
    one, path = feed(Wealth(), Claim(np.array([*first, *second]), null))
    half, head = feed(Wealth(), Claim(np.array(first), null))
    two, tail = feed(half, Claim(np.array(second), null))

    assert two == one
    assert [*head, *tail] == list(path)


@given(SHARES.filter(len), NULLS)
def test_the_path_ends_in_the_state(values: list[float], null: float) -> None:
    """The state that is kept and the path that is drawn must tell the same."""
    wealth, path = feed(Wealth(), Claim(np.array(values), null))

    assert wealth.log_e == path[-1]
    assert wealth.count == len(values)
    assert log_e_now(np.array(values), null) == pytest.approx(path[-1], abs=1e-9)


@given(SHARES, NULLS, NULLS)
def test_a_wider_null_is_never_easier_to_reject(
    values: list[float], one: float, other: float
) -> None:
    """Bounds are found by halving, which needs that the money falls as the null grows."""
    low, high = sorted((one, other))

    assert log_e_now(np.array(values), high) <= log_e_now(np.array(values), low) + 1e-9


def test_nothing_seen_is_no_evidence() -> None:
    """An empty stream must not speak for or against anybody."""
    assert Wealth().log_e == 0.0
    assert log_e_path(Claim(np.array([]), 0.5)).shape == (0,)


def test_every_stake_stays_below_all_the_money() -> None:
    """A bettor who stakes all is ruined by one value and learns nothing more."""
    assert all(0.0 < stake < 1.0 for stake in STAKES)
    assert (STAKES[0], round(STAKES[-1], 9)) == (0.02, 0.95)


def test_a_difference_at_its_margin_is_a_fair_game() -> None:
    """The least difference that matters belongs to the hypothesis, not to the evidence."""
    claim = claim_of_difference(np.array([0.02]), 0.02)

    assert claim.values[0] == pytest.approx(claim.null)


def test_better_and_worse_are_the_same_game_from_both_sides() -> None:
    """A sign that is lost would report an improvement as a regression."""
    gains = np.array([0.5, -0.25, 1.0])
    plus, minus = claim_of_difference(gains), claim_of_difference(-gains)

    assert list(plus.values) == list(1.0 - minus.values)
    assert claim_of_difference(gains * 20, 2.0, bound=20.0).null == pytest.approx(0.55)


@pytest.mark.parametrize(
    ("values", "null", "field"),
    [
        ([0.5, 1.1], 0.5, "values"),
        ([-0.1], 0.5, "values"),
        ([math.nan], 0.5, "values"),
        ([0.5], 0.0, "null"),
        ([0.5], 1.0, "null"),
    ],
)
def test_what_could_ruin_a_bettor_is_refused(
    values: list[float], null: float, field: str
) -> None:
    """A value out of range could make more money than the proof allows."""
    with pytest.raises(InputError) as refused:
        feed(Wealth(), Claim(np.array(values), null))

    assert refused.value.field == field


@pytest.mark.parametrize(
    ("gain", "at_most", "field"),
    [([2.0], 0.0, "gain"), ([math.nan], 0.0, "gain"), ([0.0], 1.0, "at_most")],
)
def test_a_difference_out_of_its_bound_is_refused(
    gain: list[float], at_most: float, field: str
) -> None:
    """A difference that is cut in silence would be another difference."""
    with pytest.raises(InputError) as refused:
        claim_of_difference(np.array(gain), at_most)

    assert refused.value.field == field


def test_how_many_values_are_needed_is_about_how_many_it_takes() -> None:
    """'About 640 ratings still needed' has to be near the truth to be of use."""
    rng = np.random.default_rng(7)
    needed = values_needed(0.53, 0.08, 0.5, math.log(20))
    first = []
    for _ in range(100):
        values = np.clip(rng.normal(0.53, math.sqrt(0.08), 4000), 0, 1)
        reached = log_e_path(Claim(values, 0.5)) >= math.log(20)
        first.append(int(np.argmax(reached)) if reached.any() else 4000)

    assert 0.7 < float(np.median(first)) / needed < 1.4


def test_what_is_not_there_is_never_found() -> None:
    """Within the null no number of values is enough."""
    assert values_needed(0.5, 0.1, 0.5, 3.0) == math.inf
