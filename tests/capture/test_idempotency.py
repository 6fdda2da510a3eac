"""A retry is one event, however often the key of its hash was rotated in between."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.trails import NOW, event_id, phi_read, plain_event, read_leaves

from phitrail.app.key_change import KeyChange, changing_keys, make_change
from phitrail.app.key_rotation import rotate_key
from phitrail.app.wiring import Trail, open_trail
from phitrail.capture.idempotency import NotComparableError
from phitrail.capture.recorder import RECORDS_IN_A_PART
from phitrail.errors import ConflictError
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.codes import EventType, Log
from phitrail.events.ids import format_time
from phitrail.events.protected import Protected
from phitrail.events.security import SecurityEvent
from phitrail.keys.names import IDEMPOTENCY, KeyId
from phitrail.keys.register import move
from phitrail.keys.states import KeyState
from phitrail.tlog.receipt import Receipt


@pytest.fixture
def trail(trail_dir: Path) -> Iterator[Trail]:
    """Give an open trail."""
    with closing(open_trail(trail_dir)) as opened:
        yield opened


def rotate(trail: Trail, times: int = 1) -> None:
    """Give the key of exactly-once its next version."""
    for _ in range(times):
        rotate_key(trail, IDEMPOTENCY, by="officer-7", reason="a test", now=NOW)


def destroy(trail: Trail, version: int) -> None:
    """Destroy a version, whatever stands under it."""
    key_id = KeyId(IDEMPOTENCY, version)
    with changing_keys(trail) as register:
        after, moved = move(register, key_id, KeyState.DESTROYED, format_time(NOW))
        change = KeyChange(after, (moved,), removed=(key_id,))
        make_change(trail, change, by="officer-7", reason="a test", now=NOW)


def in_parts(number: int) -> CallerEvent:
    """Give an event of three parts."""
    return AuditEvent(
        event_type=EventType.PHI_READ,
        event_id=event_id(number),
        records=tuple(
            (Protected(f"mrn-{n}"), Protected(f"note-{n}"), "DocumentReference")
            for n in range(2 * RECORDS_IN_A_PART + 1)
        ),
    )


def sizes(trail: Trail) -> dict[str, int]:
    """Count the entries of each log."""
    return {log.value: len(read_leaves(trail, log)) for log in Log}


def places(receipts: tuple[Receipt, ...]) -> list[object]:
    """Say where events stand."""
    return [receipt.positions for receipt in receipts]


@pytest.mark.parametrize("times", [1, 6])
def test_a_retry_after_a_rotation_gets_its_first_place(
    trail: Trail, times: int
) -> None:
    """A client that was away for the night must not count its events twice."""
    first = trail.recorder.record(phi_read(1), NOW)
    rotate(trail, times)
    before = sizes(trail)

    assert trail.recorder.record(phi_read(1), NOW).positions == first.positions
    assert asyncio.run(trail.recorder.record_async(phi_read(1), NOW)).positions == (
        first.positions
    )
    assert sizes(trail) == before


@pytest.mark.drill
def test_other_content_under_an_old_version_is_a_conflict_still(trail: Trail) -> None:
    """A rotation must not open the door to a second story under the same id."""
    trail.recorder.record(phi_read(1), NOW)
    rotate(trail)
    other: CallerEvent = AuditEvent(event_type=EventType.PHI_READ, event_id=event_id(1))
    before = sizes(trail)

    for _ in range(2):
        with pytest.raises(ConflictError, match="other content; use a new event_id"):
            trail.recorder.record(other, NOW)

    (told,) = {
        (leaf.object_id, leaf.reason_code)
        for leaf in read_leaves(trail, Log.SECURITY)
        if isinstance(leaf, SecurityEvent)
    }
    assert told == (event_id(1), "event_id_reused")
    assert sizes(trail)["audit"] == before["audit"]


def test_many_at_once_are_told_apart_one_by_one(trail: Trail) -> None:
    """Old, older and new events come in one call: a group of an import, a spool's rows."""
    oldest = trail.recorder.record_many((phi_read(1), in_parts(2)), NOW)
    rotate(trail)
    old = trail.recorder.record_many((phi_read(3), plain_event(4)), NOW)
    rotate(trail)
    everything = (phi_read(1), phi_read(5), in_parts(2), plain_event(4), phi_read(3))
    got = trail.recorder.record_many(everything, NOW)
    before = sizes(trail)

    assert places((got[0], got[2])) == places(oldest)
    assert places((got[4], got[3])) == places(old)
    assert len(got[2].positions) == 3
    again = asyncio.run(trail.recorder.record_many_async(everything, NOW))
    assert places(again) == places(got)
    assert sizes(trail) == before


def test_one_conflict_among_many_retries_is_named(trail: Trail) -> None:
    """All of them or none: who is refused must learn for which one."""
    trail.recorder.record_many((phi_read(1), phi_read(2), phi_read(3)), NOW)
    rotate(trail)
    before = sizes(trail)
    other: CallerEvent = AuditEvent(event_type=EventType.PHI_READ, event_id=event_id(2))

    with pytest.raises(ConflictError, match=event_id(2)) as caught:
        trail.recorder.record_many((phi_read(1), other, phi_read(9)), NOW)

    assert caught.value.event_id == event_id(2)
    assert sizes(trail) == before | {"security": before["security"] + 1}


@pytest.mark.drill
def test_a_version_that_is_gone_compares_nothing_and_says_so(trail: Trail) -> None:
    """Taken for a retry it could hide a second story; taken for another it counts twice."""
    trail.recorder.record(phi_read(1), NOW)
    rotate(trail)
    later = trail.recorder.record(phi_read(2), NOW)
    destroy(trail, 1)
    audit = sizes(trail)["audit"]

    with pytest.raises(
        NotComparableError, match=r"version 1 .* is gone; look at"
    ) as it:
        trail.recorder.record(phi_read(1), NOW)

    assert it.value.event_id == event_id(1)
    assert read_leaves(trail, Log.SECURITY)[-1].reason_code == "event_id_not_comparable"  # type: ignore[union-attr]  # the refusal is a security event
    assert trail.recorder.record(phi_read(2), NOW).positions == later.positions
    assert sizes(trail)["audit"] == audit


def test_the_id_of_what_the_log_wrote_is_nobody_s_retry(trail: Trail) -> None:
    """Genesis has no caller; an event under its id is another event."""
    genesis = read_leaves(trail)[0]
    taken: CallerEvent = AuditEvent(
        event_type=EventType.PHI_READ, event_id=genesis.event_id
    )

    with pytest.raises(ConflictError, match="other content"):
        trail.recorder.record(taken, NOW)


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    steps=st.lists(
        st.one_of(
            st.just("rotate"), st.lists(st.integers(0, 9), min_size=1, unique=True)
        ),
        max_size=8,
    ),
    base=st.integers(0, 10**9).map(lambda n: n * 10),
)
def test_any_order_of_retries_and_rotations_leaves_each_event_once(
    trail: Trail, steps: list[str | list[int]], base: int
) -> None:
    """Whatever was rotated between the tries, an id stands at one place."""
    first: dict[int, object] = {}
    for step in steps:
        if isinstance(step, str):
            rotate(trail)
            continue
        events = [phi_read(base + n) for n in step]
        for n, receipt in zip(
            step, trail.recorder.record_many(events, NOW), strict=True
        ):
            assert first.setdefault(n, receipt.positions) == receipt.positions
