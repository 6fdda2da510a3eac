"""Run a call that must not fail and must not hang, and say what came of it.

A scanner reads text that a stranger may have written. Whatever it raises, and however long
it takes, the caller must go on, and nothing of the text may leave with the cause.

1. A call runs on a thread of its own, out of a few that are kept. Who has waited longer than
   the limit goes on without it; the thread stays with the call, which nothing can stop.
2. When all threads hang, every call runs into its limit: it fails, nothing is let through.
3. Of an exception its class is told, by name, and nothing else: messages and frames hold text.
4. A process forked after the first call has no threads: its calls fail at once. So do calls
   after `close`, which ends the threads; one that hangs ends with its call.

The threads are daemons, so that one which hangs holds up no exit.
"""

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")

THREADS = 8
PATIENCE_S = 0.2
"""How long closing waits for each thread: none for long, since one may hang for good."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A call that gave nothing: it raised, or its time was over."""

    is_late: bool
    cause: str
    """The class of the exception, by name; empty where the time was over."""


class _Job(Generic[T]):
    """One call, and what came of it."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call: Callable[[], T] | None = call
        self.result: T | Failed | None = None
        self.is_given_up = False

    def run(self) -> None:
        call, self._call = self._call, None
        if call is None or self.is_given_up:
            return
        try:
            self.result = call()
        except BaseException as error:  # noqa: BLE001 - any error is an answer here
            self.result = Failed(is_late=False, cause=type(error).__name__)
        del call
        self.tell()

    def tell(self) -> None:
        """Wake whoever waits."""


class _WaitedFor(_Job[T]):
    """A job that a thread waits for."""

    def __init__(self, call: Callable[[], T]) -> None:
        super().__init__(call)
        self.done = threading.Lock()
        self.done.acquire()

    def tell(self) -> None:
        """Wake the thread."""
        self.done.release()


class _Awaited(_Job[T]):
    """A job that a task on an event loop waits for."""

    def __init__(self, call: Callable[[], T], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(call)
        self._loop = loop
        self.done: asyncio.Future[None] = loop.create_future()

    def tell(self) -> None:
        """Wake the task, if its loop still runs."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._set)

    def _set(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


class TimeLimit:
    """Runs calls within a time; for use by many threads and event loops."""

    def __init__(self, limit_s: float, *, threads: int = THREADS) -> None:
        self._limit_s = limit_s
        self._most = threads
        self._jobs: SimpleQueue[_Job[object] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._is_closed = False
        self._lock = threading.Lock()
        self._busy = 0
        self._process = os.getpid()

    def run(self, call: Callable[[], T]) -> T | Failed:
        """Run a call and return what it gave, or that it failed."""
        job = _WaitedFor(call)
        if not self._hand_over(job):
            return Failed(is_late=False, cause=self._why_not)
        if not job.done.acquire(timeout=self._limit_s):
            return _late(job)
        return job.result  # type: ignore[return-value]  # set before the release

    async def run_async(self, call: Callable[[], T]) -> T | Failed:
        """Do as `run`, on the running event loop."""
        job = _Awaited(call, asyncio.get_running_loop())
        if not self._hand_over(job):
            return Failed(is_late=False, cause=self._why_not)
        try:
            await asyncio.wait_for(job.done, self._limit_s)
        except TimeoutError:
            return _late(job)
        except asyncio.CancelledError:
            job.is_given_up = True
            raise
        return job.result  # type: ignore[return-value]  # set before it was woken

    def _hand_over(self, job: _Job[T]) -> bool:
        """Give a job to a thread that is idle or new; say whether there can be one."""
        if os.getpid() != self._process:
            return False
        with self._lock:
            if self._is_closed:
                return False
            self._busy += 1
            self._jobs.put(job)  # type: ignore[arg-type]  # what it gives is its waiter's
            if self._busy > len(self._threads) and len(self._threads) < self._most:
                thread = threading.Thread(
                    target=self._work, name="phitrail-scan", daemon=True
                )
                self._threads.append(thread)
                thread.start()
        return True

    @property
    def _why_not(self) -> str:
        return "closed" if self._is_closed else "forked"

    def close(self) -> None:
        """End the threads; a second call is harmless."""
        if os.getpid() != self._process:
            return
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            for _ in self._threads:
                self._jobs.put(None)
        for thread in self._threads:
            thread.join(PATIENCE_S)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job.run()
            with self._lock:
                self._busy -= 1


def _late(job: _Job[T]) -> Failed:
    job.is_given_up = True
    return Failed(is_late=True, cause="")
