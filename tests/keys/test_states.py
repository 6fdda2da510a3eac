"""Keys go from state to state as NIST SP 800-57 part 1 section 7 draws it, and no other way."""

from itertools import product

import pytest

from phitrail.errors import InputError
from phitrail.keys.states import (
    IS_GONE,
    OPENS,
    PROTECTS,
    TRANSITIONS,
    KeyState,
    check_transition,
)

DRAWN = """
2 pre-activation destroyed
3 pre-activation compromised
4 pre-activation active
5 active destroyed
6 active compromised
7 active suspended
8 active deactivated
9 suspended destroyed
10 suspended compromised
11 suspended active
12 suspended deactivated
13 deactivated destroyed
14 deactivated compromised
15 compromised destroyed-compromised
16 destroyed destroyed-compromised
"""
"""The transitions by their numbers (figure 3 of revision 4); 1 is the making of a key."""

LEGAL = {
    (KeyState(before), KeyState(after))
    for _, before, after in map(str.split, DRAWN.strip().splitlines())
}


@pytest.mark.parametrize(("before", "after"), list(product(KeyState, KeyState)))
def test_the_drawn_transitions_are_the_legal_ones(
    before: KeyState, after: KeyState
) -> None:
    """A key that comes back from compromised or destroyed was never either."""
    if (before, after) in LEGAL:
        check_transition("rater:v1", before, after)
        return
    with pytest.raises(InputError, match=f"rater:v1: is {before} and cannot become"):
        check_transition("rater:v1", before, after)


def test_a_refusal_says_where_a_key_may_go() -> None:
    """Whoever is refused must learn the way that there is."""
    with pytest.raises(InputError, match=r"may go: destroyed-compromised$"):
        check_transition("k:v1", KeyState.COMPROMISED, KeyState.ACTIVE)
    with pytest.raises(InputError, match="nowhere: this is the end"):
        check_transition("k:v1", KeyState.DESTROYED_COMPROMISED, KeyState.ACTIVE)


def test_every_state_has_its_use() -> None:
    """A state that is in no group would be in force by oversight."""
    rest = set(KeyState) - OPENS - IS_GONE

    assert PROTECTS < OPENS
    assert rest == {KeyState.PRE_ACTIVATION, KeyState.COMPROMISED}
    assert TRANSITIONS.keys() == set(KeyState)
