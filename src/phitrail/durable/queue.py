"""Group commit: many callers, one writer thread, one fsync for all who wait.

1. Natural batching: the writer takes all that is queued when its last commit ends; no
   timer, so a lone caller waits for one commit only.
2. The queue is bounded. A caller waits for room, then is told that the log is overloaded.
3. One item's refusal (an exception in its place of the results) is its own. An error of
   the whole batch is everybody's: `StorageError` (nothing kept) leaves the writer
   running; anything else poisons it, since what is on disk is no longer known, and every
   later call fails until the owner opens the store again, with the same `IntegrityError`
   where it was one.
4. A process forked after the queue was made has no writer thread: it is refused at once.

The commit function runs on the writer thread alone, so it needs no lock of its own.
"""

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

from phitrail.errors import IntegrityError, OutcomeUnknownError, StorageError

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

MAX_BATCH = 1024
MAX_WAITING = 4096
TIMEOUT_S = 30.0


class _Ticket(Generic[ItemT, ResultT]):
    """One caller's item, and where its result goes."""

    __slots__ = ("done", "future", "item", "loop", "result")

    def __init__(
        self, item: ItemT, loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        self.item = item
        self.loop = loop
        self.future: asyncio.Future[ResultT] | None = (
            loop.create_future() if loop is not None else None
        )
        self.done: threading.Lock | None = None
        self.result: ResultT | BaseException | None = None
        if loop is None:
            self.done = threading.Lock()
            self.done.acquire()


class GroupCommit(Generic[ItemT, ResultT]):
    """A queue with one writer thread; `commit` gives a result or an error an item."""

    def __init__(
        self,
        commit: Callable[[Sequence[ItemT]], Sequence[ResultT | Exception]],
        *,
        name: str,
        max_batch: int = MAX_BATCH,
        max_waiting: int = MAX_WAITING,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._commit = commit
        self._name = name
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._timeout_s = timeout_s
        self._queue: deque[_Ticket[ItemT, ResultT]] = deque()
        self._lock = threading.Lock()
        self._has_work = threading.Condition(self._lock)
        self._has_room = threading.Condition(self._lock)
        self._waiting_loops: deque[
            tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]
        ] = deque()
        self._is_closing = False
        self._poison: BaseException | None = None
        self._process = os.getpid()
        self._writer = threading.Thread(target=self._run, name=name, daemon=True)
        self._writer.start()

    def submit(self, item: ItemT) -> ResultT:
        """Commit an item together with whatever else waits; return once it is durable.

        Raises:
            StorageError: not kept (overloaded, closed, disk error).
            OutcomeUnknownError: the commit failed half way; open again and retry.
        """
        ticket: _Ticket[ItemT, ResultT] = _Ticket(item)
        self._refuse_if_forked()
        with self._lock:
            self._refuse_if_stopped()
            if len(self._queue) >= self._max_waiting:
                self._has_room.wait_for(
                    lambda: len(self._queue) < self._max_waiting or self._is_stopped,
                    self._timeout_s,
                )
                self._refuse_if_stopped()
                if len(self._queue) >= self._max_waiting:
                    raise self._overloaded()
            self._queue.append(ticket)
            self._has_work.notify()
        assert ticket.done is not None  # noqa: S101 - made with the ticket
        ticket.done.acquire()
        if isinstance(ticket.result, BaseException):
            raise ticket.result
        return ticket.result  # type: ignore[return-value]  # set before the release

    async def submit_async(self, item: ItemT) -> ResultT:
        """Do as `submit`, on the running event loop.

        Raises:
            StorageError: not kept (overloaded, closed, disk error).
            OutcomeUnknownError: the commit failed half way; open again and retry.
        """
        self._refuse_if_forked()
        loop = asyncio.get_running_loop()
        ticket: _Ticket[ItemT, ResultT] = _Ticket(item, loop)
        while not self._enqueue(ticket):
            await self._wait_for_room(loop)
        assert ticket.future is not None  # noqa: S101 - made with the ticket
        return await ticket.future

    def _enqueue(self, ticket: _Ticket[ItemT, ResultT]) -> bool:
        with self._lock:
            self._refuse_if_stopped()
            if len(self._queue) >= self._max_waiting:
                return False
            self._queue.append(ticket)
            self._has_work.notify()
        return True

    async def _wait_for_room(self, loop: asyncio.AbstractEventLoop) -> None:
        room: asyncio.Future[None] = loop.create_future()
        with self._lock:
            self._refuse_if_stopped()
            if len(self._queue) < self._max_waiting:
                return
            self._waiting_loops.append((loop, room))
        try:
            await asyncio.wait_for(room, self._timeout_s)
        except TimeoutError:
            raise self._overloaded() from None

    @property
    def _is_stopped(self) -> bool:
        return self._is_closing or self._poison is not None

    def _refuse_if_forked(self) -> None:
        """Ask before the lock: a thread that is not here may have held it."""
        if os.getpid() != self._process:
            raise StorageError(
                f"{self._name} was opened before this process was forked; "
                "connect again in each worker"
            )

    def _refuse_if_stopped(self) -> None:
        if isinstance(self._poison, IntegrityError):
            raise IntegrityError(str(self._poison)) from self._poison
        if self._poison is not None:
            raise StorageError(
                f"{self._name} stopped after a failed write; open the trail again"
            ) from self._poison
        if self._is_closing:
            raise StorageError(f"{self._name} is closed")

    def _overloaded(self) -> StorageError:
        return StorageError(
            f"{self._name} is overloaded: {self._max_waiting} wait already; retry later"
        )

    def close(self) -> None:
        """Commit what is queued, then stop the writer thread."""
        if os.getpid() != self._process:
            return  # the queue and its thread are the parent's
        with self._lock:
            self._is_closing = True
            self._has_work.notify()
            self._has_room.notify_all()
        self._writer.join()

    def _run(self) -> None:
        while True:
            with self._lock:
                while not self._queue and not self._is_closing:
                    self._has_work.wait()
                if not self._queue:
                    break
                count = min(len(self._queue), self._max_batch)
                batch = [self._queue.popleft() for _ in range(count)]
                self._has_room.notify_all()
                loops, self._waiting_loops = self._waiting_loops, deque()
            for loop, room in loops:
                _call_soon(loop, _set_room, room)
            if not self._commit_batch(batch):
                break
        self._release_late_callers()

    def _commit_batch(self, batch: list[_Ticket[ItemT, ResultT]]) -> bool:
        """Commit one batch; say whether the writer may go on."""
        try:
            results = self._commit([ticket.item for ticket in batch])
            if len(results) != len(batch):
                raise ValueError(f"{len(results)} results for {len(batch)} items")  # noqa: TRY301 - poison, like any defect here
        except OutcomeUnknownError as error:
            return self._stop(error, batch)
        except StorageError as error:
            _resolve(batch, [error] * len(batch))
            return True
        except BaseException as error:  # noqa: BLE001 - any other error is poison: stop
            return self._stop(error, batch)
        _resolve(batch, results)
        return True

    def _stop(self, error: BaseException, batch: list[_Ticket[ItemT, ResultT]]) -> bool:
        with self._lock:
            self._poison = error
            batch = [*batch, *self._queue]
            self._queue.clear()
            self._has_room.notify_all()
        _resolve(batch, [error] * len(batch))
        return False

    def _release_late_callers(self) -> None:
        """Wake callers that wait for room; they find the queue stopped."""
        with self._lock:
            loops, self._waiting_loops = self._waiting_loops, deque()
            self._has_room.notify_all()
        for loop, room in loops:
            _call_soon(loop, _set_room, room)


def _resolve(
    batch: Sequence[_Ticket[ItemT, ResultT]],
    results: Sequence[ResultT | BaseException],
) -> None:
    """Hand out results: threads one by one, an event loop with one call for all."""
    of_loop: dict[asyncio.AbstractEventLoop, list[_Ticket[ItemT, ResultT]]] = {}
    for ticket, result in zip(batch, results, strict=True):
        ticket.result = result
        if ticket.done is not None:
            ticket.done.release()
        elif ticket.loop is not None:
            of_loop.setdefault(ticket.loop, []).append(ticket)
    for loop, tickets in of_loop.items():
        _call_soon(loop, _set_futures, tickets)


def _call_soon(
    loop: asyncio.AbstractEventLoop, call: Callable[[ItemT], None], argument: ItemT
) -> None:
    with suppress(RuntimeError):  # the loop is closed: its callers are gone with it
        loop.call_soon_threadsafe(call, argument)


def _set_room(room: asyncio.Future[None]) -> None:
    if not room.done():
        room.set_result(None)


def _set_futures(tickets: Sequence[_Ticket[ItemT, ResultT]]) -> None:
    for ticket in tickets:
        future = ticket.future
        if future is None or future.done():  # cancelled while it waited
            continue
        if isinstance(ticket.result, BaseException):
            future.set_exception(ticket.result)
        else:
            future.set_result(ticket.result)  # type: ignore[arg-type]
