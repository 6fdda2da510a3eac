"""One watermark for many sources: none moves another's, none stalls it."""

from hypothesis import given
from hypothesis import strategies as st

from phitrail.detect.source_clock import Patience, Skew, SourceClock

S = 1_000_000
PATIENCE = Patience(
    lateness_us=120 * S,
    wait_us=600 * S,
    idle_us=300 * S,
    ahead_us=300 * S,
    behind_us=3_600 * S,
)
T = 1_000_000 * S


def make_clock() -> SourceClock:
    """Give a clock that has heard of nobody."""
    return SourceClock(PATIENCE)


def test_nobody_is_waited_for_where_nobody_is_behind() -> None:
    """Rows of the log itself come as they happen."""
    clock = make_clock()
    clock.hear("a", 1, T, T)

    assert clock.watermark(T) == T - 120 * S


def test_a_source_that_comes_late_is_waited_for_while_it_is_silent_too() -> None:
    """A shipper that is five minutes behind must not be late every time; nor stall it."""
    clock = make_clock()
    clock.hear("a", 1, T - 290 * S, T)
    clock.hear("b", 1, T, T)

    assert clock.watermark(T) == T - 410 * S
    assert clock.watermark(T + 100 * S) == T - 310 * S
    assert clock.watermark(T + 301 * S) == T + 181 * S


def test_one_that_is_hopelessly_behind_holds_nobody_back() -> None:
    """A spool of days must not make all alerts wait."""
    clock = make_clock()
    clock.hear("a", 1, T - 601 * S, T)
    assert clock.watermark(T) == T - 120 * S
    clock.hear("b", 1, T - 600 * S, T)

    assert clock.watermark(T) == T - 720 * S


def test_an_event_dated_ahead_moves_its_own_source_at_most() -> None:
    """Who dates one event into next year must not make his others, or those of others, late."""
    clock = make_clock()
    clock.hear("a", 1, T - 200 * S, T)
    clock.hear("b", 1, T + 10**15, T)

    assert clock.watermark(T) == T - 320 * S
    clock.hear("b", 1, T - 100 * S, T + S)
    assert clock.watermark(T + S) == T - 319 * S


def test_a_new_epoch_begins_anew_and_an_old_one_says_nothing() -> None:
    """A restart may mend a clock, and a straggler of the time before must not spoil it."""
    clock = make_clock()
    clock.hear("a", 1, T, T)
    clock.hear("a", 2, T - 50 * S, T + S)
    assert clock.watermark(T + S) == T + S - 171 * S
    clock.hear("a", 1, T - 500 * S, T + 2 * S)

    assert clock.watermark(T + 2 * S) == T + 2 * S - 171 * S


def test_skew_is_told_beyond_the_bound_and_not_at_it() -> None:
    """A bound that is off by one is another bound."""
    assert PATIENCE.skew(T + 300 * S, T) is None
    assert PATIENCE.skew(T + 300 * S + 1, T) is Skew.AHEAD
    assert PATIENCE.skew(T - 3_600 * S, T) is None
    assert PATIENCE.skew(T - 3_600 * S - 1, T) is Skew.BEHIND


ROWS = st.lists(
    st.tuples(
        st.sampled_from(("a", "b", "c")),
        st.integers(0, 2),
        st.integers(-4_000, 4_000),
        st.integers(0, 200),
    ),
    max_size=30,
)


@given(ROWS, st.integers(0, 30))
def test_it_goes_on_from_where_it_was_and_stays_within_its_bounds(
    rows: list[tuple[str, int, int, int]], cut: int
) -> None:
    """A restart must not change which rows are late; no source may hold it for ever."""
    whole, first = make_clock(), make_clock()
    second = make_clock()
    received = T
    for number, (source, epoch, away, gap) in enumerate(rows):
        received += gap * S
        at = received + away * S
        whole.hear(source, epoch, at, received)
        if number == cut:
            second.load(first.dump())
        (first if number < cut else second).hear(source, epoch, at, received)
    resumed = first if cut >= len(rows) else second

    assert resumed.watermark(received) == whole.watermark(received)
    behind = received - whole.watermark(received)
    assert PATIENCE.lateness_us <= behind <= PATIENCE.lateness_us + PATIENCE.wait_us
