"""Windows measure (t - span, t] as a slow reading does, whatever comes late."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phitrail.detect.typed import Kind
from phitrail.detect.windows import LATE, MOST_STALE, Window, make_window

SPAN = 10
RULES = 3
Event = tuple[int, object]
VALUES: dict[Kind, st.SearchStrategy[object]] = {
    Kind.EVENT_COUNT: st.just(1),
    Kind.VALUE_COUNT: st.sampled_from(["a", "b", "c"]),
    Kind.VALUE_SUM: st.integers(-2, 5),
    Kind.TEMPORAL: st.integers(0, RULES - 1),
    Kind.TEMPORAL_ORDERED: st.integers(0, RULES - 1),
}
kinds = st.sampled_from(Kind)


def slow(kind: Kind, events: Sequence[Event], at: int) -> int:
    """Measure a window by looking at every event of it."""
    held = [(when, value) for when, value in events if at - SPAN < when <= at]
    if kind is Kind.EVENT_COUNT:
        return len(held)
    if kind is Kind.VALUE_COUNT:
        return len({value for _, value in held})
    if kind is Kind.VALUE_SUM:
        return sum(value for _, value in held if isinstance(value, int))
    if kind is Kind.TEMPORAL:
        return RULES * ({value for _, value in held} == set(range(RULES)))
    return RULES * _is_in_order(held)


def _is_in_order(held: Sequence[Event], number: int = 0, after: int = -1) -> bool:
    if number == RULES:
        return True
    return any(
        value == number and when >= after and _is_in_order(held, number + 1, when)
        for when, value in held
    )


def take(window: Window, at: int, value: object) -> list[tuple[int, int]]:
    """Give a window an event as a judge does: in order where it can be."""
    measure = window.push(at, value)
    return window.insert(at, value) if measure == LATE else [(at, measure)]


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[Kind, list[Event]]:
    """Draw a kind and its events, in the order in which they come."""
    kind = draw(kinds)
    event = st.tuples(st.integers(0, 40), VALUES[kind])
    return kind, draw(st.lists(event, max_size=3 * MOST_STALE))


@settings(max_examples=500)
@given(drawn=arrivals())
def test_every_instant_is_measured_as_a_slow_reading_does(
    drawn: tuple[Kind, list[Event]],
) -> None:
    """An instant that a late event changes and nobody measures again is an alert missed."""
    kind, events = drawn
    window, known = make_window(kind, SPAN, RULES), dict[int, int]()
    for number, (at, value) in enumerate(events, start=1):
        changed = take(window, at, value)
        known |= dict(changed)
        so_far = events[:number]

        assert sorted(changed) == changed
        assert known == {when: slow(kind, so_far, when) for when, _ in so_far}
        assert {t: window.measure(t) for t in known} == known
        assert window.newest() == max(when for when, _ in so_far)


@settings(max_examples=300)
@given(drawn=arrivals(), edge=st.integers(-1, 25))
def test_what_is_forgotten_is_missed_by_nobody(
    drawn: tuple[Kind, list[Event]], edge: int
) -> None:
    """Events `span` before the watermark are in no window that can still change."""
    kind, events = drawn
    early = [one for one in events if one[0] <= edge + SPAN]
    late = [one for one in events if one[0] > edge + SPAN]
    window = make_window(kind, SPAN, RULES)
    for at, value in early:
        take(window, at, value)
    for number, (at, value) in enumerate(late, start=1):
        window.tidy(edge)
        for instant, measure in take(window, at, value):
            if instant > edge + SPAN:
                assert slow(kind, early + late[:number], instant) == measure


@settings(max_examples=200)
@given(drawn=arrivals(), cut=st.integers(0, 20))
def test_a_window_that_was_kept_goes_on_where_it_was(
    drawn: tuple[Kind, list[Event]], cut: int
) -> None:
    """A restart must not change what is measured."""
    kind, events = drawn
    one, other = (make_window(kind, SPAN, RULES) for _ in range(2))
    for at, value in events[:cut]:
        take(one, at, value)
    other.load(one.dump())

    assert [take(one, *event) for event in events[cut:]] == [
        take(other, *event) for event in events[cut:]
    ]


@pytest.mark.parametrize("kind", list(Kind))
def test_what_is_exactly_span_old_is_out(kind: Kind) -> None:
    """The window is open at its old end."""
    values: list[object] = ["a", "b"] if kind is Kind.VALUE_COUNT else [0, 1]
    window: Window = make_window(kind, SPAN, 2)
    take(window, 0, values[0])
    ((_, at_edge),) = take(window, SPAN, values[1])
    within: Window = make_window(kind, SPAN, 2)
    take(within, 1, values[0])
    ((_, inside),) = take(within, SPAN, values[1])
    expected = {
        Kind.VALUE_SUM: (1, 1),
        Kind.EVENT_COUNT: (1, 2),
        Kind.VALUE_COUNT: (1, 2),
    }

    assert expected.get(kind, (0, 2)) == (at_edge, inside)
