"""What a tail remembers survives being written and read, whenever that happens."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.detect.test_executors_agree import (
    LATENESS,
    SECOND,
    Event,
    by_tail,
    event_lists,
    rule_files,
)

from phitrail.detect.rule import read_rules
from phitrail.detect.snapshot import dump_tail, load_tail
from phitrail.detect.tail import Episode, Tail
from phitrail.detect.typed import Rule
from phitrail.errors import IntegrityError
from phitrail.events.codes import Log


def told(one: Episode) -> tuple[object, ...]:
    """Say what an episode is."""
    rule_id = one.rule.head.rule_id
    return (rule_id, one.group, one.first_us, one.last_us, one.peak, one.instants)


def carried_over(
    rules: Sequence[Rule], events: Sequence[Event], when: set[int]
) -> set[tuple[object, ...]]:
    """Judge events; before some of them, go on in a tail that was read from bytes."""
    tail, newest = Tail(tuple(rules)), 0
    kept: list[Episode] = []
    arriving = sorted(events, key=lambda one: one.at + one.delay)
    for number, event in enumerate(arriving):
        if number in when:
            data = dump_tail(tail)
            tail = Tail(tuple(rules))
            live = load_tail(tail, data).episodes
            going_on = {told(one) for one in live}
            kept = [
                one for one in kept if not one.is_joined and told(one) not in going_on
            ]
            kept += live
        kept += tail.take(Log.AUDIT, event.at, event.event_id, event.row, ref=number)
        newest = max(newest, event.at)
        if newest > LATENESS:
            kept += tail.advance(newest - LATENESS)
    kept += tail.advance(newest + 1_000 * SECOND)
    return {told(one) for one in kept if not one.is_joined}


@pytest.mark.long
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    text=rule_files(),
    events=event_lists(),
    when=st.sets(st.integers(0, 24), max_size=3),
)
def test_a_tail_goes_on_where_it_was(
    text: str, events: list[Event], when: set[int]
) -> None:
    """A restart that forgets half a window loses the alert that it was about to make."""
    rules = read_rules([("rules.yml", text.encode())]).judged()

    assert carried_over(rules, events, when) == by_tail(rules, events)


@pytest.mark.parametrize("data", [b"", b"\x92\xa1x\x90", b"no msgpack at all"])
def test_damaged_state_is_refused(data: bytes) -> None:
    """State that is guessed at makes alerts that nobody can explain."""
    with pytest.raises(IntegrityError, match="begins anew"):
        load_tail(Tail(()), data)
