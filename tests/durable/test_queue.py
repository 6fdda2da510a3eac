"""Group commit: everyone learns the outcome of their own item, once it is durable."""

import asyncio
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from phitrail.durable.queue import GroupCommit
from phitrail.errors import ConflictError, OutcomeUnknownError, StorageError

WAIT_S = 20.0


class Gate:
    """A commit that stops until it is let through; keeps the batches that it saw."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.entered = threading.Semaphore(0)
        self.passes = threading.Semaphore(0)
        self.outcome: Exception | None = None

    def commit(self, items: Sequence[int]) -> list[int | Exception]:
        """Answer each item with its double; refuse negative ones."""
        self.batches.append(list(items))
        self.entered.release()
        assert self.passes.acquire(timeout=WAIT_S)
        if self.outcome is not None:
            raise self.outcome
        return [ConflictError("negative") if n < 0 else 2 * n for n in items]

    def open(self) -> None:
        """Let every commit through from now on."""
        self.passes.release(1000)

    def wait_entered(self) -> None:
        """Wait until a commit is under way."""
        assert self.entered.acquire(timeout=WAIT_S)


def make(gate: Gate, **limits: float) -> GroupCommit[int, int]:
    """Make a queue over a gate."""
    return GroupCommit(gate.commit, name="the test log", **limits)  # type: ignore[arg-type]  # counts are ints


def queued(queue: GroupCommit[int, int], count: int) -> None:
    """Wait until so many items stand in the queue."""
    done = threading.Event()
    for _ in range(int(WAIT_S * 1000)):
        with queue._lock:
            if len(queue._queue) == count:
                return
        done.wait(0.001)
    raise AssertionError("the items did not arrive")


def submit_many(
    queue: GroupCommit[int, int], pool: ThreadPoolExecutor, items: Sequence[int]
) -> list["Future[int]"]:
    """Submit items from threads, in order."""
    futures = []
    for place, item in enumerate(items, start=1):
        futures.append(pool.submit(queue.submit, item))
        queued(queue, place)
    return futures


def test_what_waits_is_committed_together_and_in_order() -> None:
    """One fsync serves all who wait, and nobody gets another's result."""
    gate = Gate()
    queue = make(gate)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(queue.submit, 100)
        gate.wait_entered()
        rest = submit_many(queue, pool, [1, 2, 3, 4])
        gate.open()
        results = [future.result(WAIT_S) for future in (first, *rest)]
    queue.close()

    assert results == [200, 2, 4, 6, 8]
    assert gate.batches == [[100], [1, 2, 3, 4]]


def test_a_batch_is_bounded() -> None:
    """An unbounded batch makes everyone wait for the longest commit."""
    gate = Gate()
    queue = make(gate, max_batch=2)
    with ThreadPoolExecutor(8) as pool:
        pool.submit(queue.submit, 0)
        gate.wait_entered()
        submit_many(queue, pool, [1, 2, 3])
        gate.open()
    queue.close()

    assert gate.batches == [[0], [1, 2], [3]]


def test_one_refusal_is_its_own() -> None:
    """A caller's conflict must not fail those who share its commit."""
    gate = Gate()
    queue = make(gate)
    with ThreadPoolExecutor(8) as pool:
        pool.submit(queue.submit, 0)
        gate.wait_entered()
        good, bad, good_too = submit_many(queue, pool, [1, -1, 3])
        gate.open()
        with pytest.raises(ConflictError):
            bad.result(WAIT_S)

        assert (good.result(WAIT_S), good_too.result(WAIT_S)) == (2, 6)
    queue.close()


def test_a_storage_error_is_everybodys_and_the_queue_goes_on() -> None:
    """Nothing of the batch was kept, and the next batch may succeed."""
    gate = Gate()
    gate.outcome = StorageError("disk full")
    queue = make(gate)
    gate.open()
    with pytest.raises(StorageError, match="disk full"):
        queue.submit(1)
    gate.outcome = None

    assert queue.submit(2) == 4
    queue.close()


@pytest.mark.parametrize(
    "error", [OutcomeUnknownError("commit failed"), ValueError("a defect")]
)
def test_an_unknown_outcome_poisons_the_queue(error: Exception) -> None:
    """After it nobody knows what is on disk, so nothing more may be acknowledged."""
    gate = Gate()
    gate.outcome = error
    queue = make(gate)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(queue.submit, 0)
        gate.wait_entered()
        (waiting,) = submit_many(queue, pool, [1])
        gate.open()
        for future in (first, waiting):
            with pytest.raises(type(error)):
                future.result(WAIT_S)
    gate.outcome = None
    with pytest.raises(StorageError, match="open the trail again"):
        queue.submit(2)

    assert gate.batches == [[0]]
    queue.close()


def test_a_full_queue_makes_threads_wait_for_room() -> None:
    """Memory stays bounded, and whoever waits gets through once there is room."""
    gate = Gate()
    queue = make(gate, max_waiting=2, max_batch=1)
    with ThreadPoolExecutor(8) as pool:
        pool.submit(queue.submit, 0)
        gate.wait_entered()
        submit_many(queue, pool, [1, 2])
        late = pool.submit(queue.submit, 3)
        gate.passes.release()
        gate.wait_entered()
        gate.open()

        assert late.result(WAIT_S) == 6
    queue.close()


def test_an_overloaded_queue_says_so_to_threads() -> None:
    """A caller must get an error that it can act on, not hang."""
    gate = Gate()
    queue = make(gate, max_waiting=1, timeout_s=0.01)
    with ThreadPoolExecutor(8) as pool:
        pool.submit(queue.submit, 0)
        gate.wait_entered()
        submit_many(queue, pool, [1])
        with pytest.raises(StorageError, match="overloaded: 1 wait already"):
            queue.submit(2)
        gate.open()
    queue.close()

    assert gate.batches == [[0], [1]]


def test_an_overloaded_queue_says_so_to_event_loops() -> None:
    """The same on an event loop, without blocking it."""
    gate = Gate()
    queue = make(gate, max_waiting=1, timeout_s=0.01)

    async def run() -> list[int]:
        first = asyncio.create_task(queue.submit_async(0))
        await asyncio.to_thread(gate.wait_entered)
        second = asyncio.create_task(queue.submit_async(1))
        await asyncio.sleep(0)
        with pytest.raises(StorageError, match="overloaded"):
            await queue.submit_async(2)
        gate.open()
        return [await first, await second]

    assert asyncio.run(run()) == [0, 2]
    queue.close()


def test_a_full_queue_makes_tasks_wait_for_room() -> None:
    """Backpressure on an event loop loses and reorders nothing."""
    gate = Gate()
    gate.open()
    queue = make(gate, max_waiting=2, max_batch=1)

    async def run() -> list[int]:
        return await asyncio.gather(*(queue.submit_async(n) for n in range(50)))

    assert asyncio.run(run()) == [2 * n for n in range(50)]
    queue.close()


def test_several_event_loops_and_threads_share_a_queue() -> None:
    """Each result must be set on the loop of its own caller."""
    gate = Gate()
    gate.open()
    queue = make(gate, max_waiting=8)

    async def gather(start: int) -> list[int]:
        return await asyncio.gather(
            *(queue.submit_async(n) for n in range(start, start + 100))
        )

    with ThreadPoolExecutor(4) as pool:
        loops = [pool.submit(asyncio.run, gather(start)) for start in (0, 1000, 2000)]
        plain = pool.submit(lambda: [queue.submit(n) for n in range(3000, 3100)])
        results = [future.result(WAIT_S) for future in (*loops, plain)]
    queue.close()

    assert results == [
        [2 * n for n in range(start, start + 100)] for start in (0, 1000, 2000, 3000)
    ]


def test_a_cancelled_caller_disturbs_nobody() -> None:
    """A request that was given up must not break the batch that it waits in."""
    gate = Gate()
    queue = make(gate)

    async def run() -> int:
        first = asyncio.create_task(queue.submit_async(0))
        await asyncio.to_thread(gate.wait_entered)
        given_up = asyncio.create_task(queue.submit_async(1))
        kept = asyncio.create_task(queue.submit_async(2))
        await asyncio.sleep(0)
        given_up.cancel()
        gate.open()
        await first
        return await kept

    assert asyncio.run(run()) == 4
    assert gate.batches == [[0], [1, 2]]
    queue.close()


def test_a_caller_cancelled_while_it_waits_for_room_leaves_no_trace() -> None:
    """Its item was never queued, so it must not be committed."""
    gate = Gate()
    queue = make(gate, max_waiting=1)

    async def run() -> None:
        first = asyncio.create_task(queue.submit_async(0))
        await asyncio.to_thread(gate.wait_entered)
        second = asyncio.create_task(queue.submit_async(1))
        given_up = asyncio.create_task(queue.submit_async(2))
        await asyncio.sleep(0)
        given_up.cancel()
        gate.open()
        await asyncio.gather(first, second)

    asyncio.run(run())
    queue.close()

    assert gate.batches == [[0], [1]]


def test_an_event_loop_that_is_gone_does_not_stop_the_writer() -> None:
    """A crashed worker's loop must not take the log down with it."""
    gate = Gate()
    queue = make(gate)
    loop = asyncio.new_event_loop()

    async def give_up() -> None:
        task = asyncio.create_task(queue.submit_async(1))
        await asyncio.to_thread(gate.wait_entered)
        task.cancel()

    loop.run_until_complete(give_up())
    loop.close()
    gate.open()

    assert queue.submit(2) == 4
    queue.close()


class LateClosing(asyncio.SelectorEventLoop):
    """Says that it is open and is closed when the call comes."""

    is_gone = False

    def is_closed(self) -> bool:
        """Say what was true a moment ago."""
        return not self.is_gone and super().is_closed()


def test_a_loop_that_closes_meanwhile_does_not_stop_the_writer() -> None:
    """Between asking and calling, the loop may close: the writer must outlive it."""
    gate = Gate()
    queue = make(gate)
    loop = LateClosing()

    async def give_up() -> None:
        task = asyncio.create_task(queue.submit_async(1))
        await asyncio.to_thread(gate.wait_entered)
        task.cancel()

    loop.run_until_complete(give_up())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    loop.is_gone = True
    gate.open()

    assert queue.submit(2) == 4
    queue.close()
    loop.is_gone = False


def test_a_commit_that_answers_too_little_is_a_defect_and_poisons() -> None:
    """Callers without a result would wait for ever."""
    queue: GroupCommit[int, int] = GroupCommit(lambda _: [], name="the test log")

    with pytest.raises(ValueError, match="results"):
        queue.submit(1)
    with pytest.raises(StorageError, match="open the trail again"):
        queue.submit(2)
    queue.close()


def test_close_commits_what_is_queued_and_refuses_the_rest() -> None:
    """What was accepted is answered; nothing is accepted after the end."""
    gate = Gate()
    queue = make(gate)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(queue.submit, 0)
        gate.wait_entered()
        rest = submit_many(queue, pool, [1, 2])
        closing = pool.submit(queue.close)
        gate.open()
        closing.result(WAIT_S)
        results = [future.result(WAIT_S) for future in (first, *rest)]
    with pytest.raises(StorageError, match="is closed"):
        queue.submit(3)
    with pytest.raises(StorageError, match="is closed"):
        asyncio.run(queue.submit_async(3))

    assert results == [0, 2, 4]
    queue.close()


def test_close_wakes_those_who_wait_for_room() -> None:
    """A shutdown must not leave a thread or a task waiting for its timeout."""
    gate = Gate()
    queue = make(gate, max_waiting=1)

    async def wait_for_room() -> None:
        task = asyncio.create_task(queue.submit_async(3))
        await asyncio.sleep(0)
        closing = asyncio.create_task(asyncio.to_thread(queue.close))
        while not queue._is_closing:
            await asyncio.sleep(0)
        gate.open()
        with pytest.raises(StorageError, match="is closed"):
            await task
        await closing

    with ThreadPoolExecutor(8) as pool:
        pool.submit(queue.submit, 0)
        gate.wait_entered()
        submit_many(queue, pool, [1])
        asyncio.run(wait_for_room())


def test_poison_wakes_those_who_wait_for_room() -> None:
    """They must learn that the log stopped, not wait for their timeout."""
    gate = Gate()
    gate.outcome = OutcomeUnknownError("commit failed")
    queue = make(gate, max_waiting=1)
    with ThreadPoolExecutor(8) as pool:
        pool.submit(queue.submit, 0)
        gate.wait_entered()
        submit_many(queue, pool, [1])
        late = pool.submit(queue.submit, 2)
        gate.open()
        with pytest.raises(StorageError):
            late.result(WAIT_S)
    queue.close()

    assert gate.batches == [[0]]


def test_a_forked_child_is_refused_at_once() -> None:
    """It has no writer thread: without the refusal it would wait for ever."""
    gate = Gate()
    gate.open()
    queue = make(gate)
    queue.submit(0)
    with queue._lock:  # as when another thread was enqueueing at the fork
        child = os.fork()
        if child == 0:
            signal.alarm(5)
            try:
                queue.submit(1)
            except StorageError as error:
                os._exit(0 if "forked" in str(error) else 1)
            finally:
                os._exit(2)
    _, status = os.waitpid(child, 0)
    queue.close()

    assert os.waitstatus_to_exitcode(status) == 0


def test_a_forked_child_may_close() -> None:
    """Its exit handlers close what they know of; that must not hang or raise."""
    gate = Gate()
    gate.open()
    queue = make(gate)
    child = os.fork()
    if child == 0:
        signal.alarm(5)
        queue.close()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    queue.close()

    assert os.waitstatus_to_exitcode(status) == 0


def test_closing_wakes_threads_that_wait_for_room() -> None:
    """They must learn that the log is closed, not wait for their timeout."""
    gate = Gate()
    queue = make(gate, max_waiting=1)
    with ThreadPoolExecutor(8) as pool:
        pool.submit(queue.submit, 0)
        gate.wait_entered()
        submit_many(queue, pool, [1])
        late = pool.submit(queue.submit, 2)
        closing = pool.submit(queue.close)
        with pytest.raises(StorageError, match="is closed"):
            late.result(WAIT_S)
        gate.open()
        closing.result(WAIT_S)

    assert gate.batches == [[0], [1]]
