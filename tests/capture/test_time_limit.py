"""A call that raises or hangs fails within its time, and takes no text along."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable

import pytest

from phitrail.capture.time_limit import Failed, TimeLimit

CANARY = "Canary-Theodora-1887"


class BrokenScannerError(Exception):
    """What a scanner raises here."""


def breaks() -> str:
    """Raise with a text in the message."""
    raise BrokenScannerError(CANARY)


def test_what_a_call_gives_comes_back() -> None:
    """Every answer passes here."""
    limit = TimeLimit(30)

    assert limit.run(lambda: "safe") == "safe"
    assert asyncio.run(limit.run_async(lambda: "safe")) == "safe"


@pytest.mark.parametrize(
    "call", [breaks, lambda: sys.exit(CANARY), lambda: int(CANARY)]
)
def test_whatever_a_call_raises_is_a_failure_by_its_class_alone(
    call: Callable[[], object], capfd: pytest.CaptureFixture[str]
) -> None:
    """An exception that passed on would carry the answer into a log of errors."""
    limit = TimeLimit(30)
    failed = limit.run(call)

    assert isinstance(failed, Failed)
    assert not failed.is_late
    assert failed.cause.endswith(("Error", "Exit"))
    assert failed == asyncio.run(limit.run_async(call))
    assert CANARY not in repr(failed)
    assert capfd.readouterr() == ("", "")


def test_who_has_waited_long_enough_goes_on() -> None:
    """A scanner that hangs must not hold the ward up."""
    may_end = threading.Event()
    limit = TimeLimit(0.01)
    late = [limit.run(may_end.wait), asyncio.run(limit.run_async(may_end.wait))]
    may_end.set()

    assert late == [Failed(is_late=True, cause="")] * 2


def test_when_all_threads_hang_everything_fails_and_later_nothing() -> None:
    """More hanging calls than threads must not let one through, nor end the guard."""
    may_end, patient = threading.Event(), TimeLimit(30, threads=1)
    hasty = TimeLimit(0.01, threads=1)
    assert isinstance(hasty.run(may_end.wait), Failed)
    ran: list[str] = []
    assert isinstance(hasty.run(lambda: ran.append("given up")), Failed)
    may_end.set()
    hasty._limit_s = 30

    assert hasty.run(lambda: "again") == "again"
    assert patient.run(lambda: "again") == "again"
    assert ran == []


def test_threads_are_kept_and_no_more_than_needed() -> None:
    """A thread for each answer would cost more than the scan of a short one."""
    limit = TimeLimit(30, threads=2)
    used = {limit.run(threading.get_ident) for _ in range(50)}

    assert len(used) <= 2


def test_many_wait_at_once_on_one_loop() -> None:
    """Answers of one server come together."""
    limit = TimeLimit(30, threads=2)

    async def scenario() -> list[int | Failed]:
        return await asyncio.gather(
            *(limit.run_async(lambda n=n: n) for n in range(40))  # type: ignore[misc]
        )

    assert asyncio.run(scenario()) == list(range(40))


def test_a_task_that_is_cancelled_is_cancelled() -> None:
    """A client that went away must not leave its request waiting."""
    may_end = threading.Event()
    limit = TimeLimit(30)

    async def scenario() -> None:
        waits = asyncio.ensure_future(limit.run_async(may_end.wait))
        await asyncio.sleep(0)
        waits.cancel()
        await waits

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(scenario())
    may_end.set()


def test_a_loop_that_is_closed_is_not_waited_for() -> None:
    """A thread that died of it would be missing for the next answer."""
    may_end = threading.Event()
    limit = TimeLimit(0.01, threads=1)
    asyncio.run(limit.run_async(may_end.wait))
    may_end.set()
    limit._limit_s = 30

    assert limit.run(lambda: "again") == "again"


def test_a_forked_process_fails_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its threads stayed with its parent: it would wait for each answer in vain."""
    limit = TimeLimit(30)
    parent = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: parent + 1)

    assert limit.run(lambda: "safe") == Failed(is_late=False, cause="forked")
    assert isinstance(asyncio.run(limit.run_async(lambda: "safe")), Failed)


def test_closing_ends_the_threads_and_later_calls_fail() -> None:
    """Threads that outlive their trail pile up in a program that opens many."""
    limit = TimeLimit(30)
    before = {thread.ident for thread in threading.enumerate()}
    limit.run(lambda: "safe")
    limit.close()
    limit.close()

    assert {thread.ident for thread in threading.enumerate()} <= before
    assert limit.run(lambda: "safe") == Failed(is_late=False, cause="closed")


def test_a_call_that_hangs_does_not_hold_up_closing() -> None:
    """A program must be able to end whatever its scanner does."""
    may_end = threading.Event()
    limit = TimeLimit(0.01)
    assert limit.run(may_end.wait) == Failed(is_late=True, cause="")
    limit.close()
    may_end.set()
