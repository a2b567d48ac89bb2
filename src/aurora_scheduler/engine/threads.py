"""The worker threads of callbacks that are plain functions: long-lived ones, that take one call after the other.

A hop into a thread and back costs several times what a small callback takes. So each of anyio's worker threads, once it
is here, takes the next call and the next, and hands back what they came to in passing.
"""

from __future__ import annotations

import contextvars
import queue
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import anyio
import anyio.to_thread
import trio

from aurora_scheduler.engine.mailbox import Mailbox
from aurora_scheduler.engine.workers import once_there_is_a_thread
from aurora_scheduler.model import Outcome

__all__ = ["CallbackThreads"]

#: How long, in seconds, a thread waits for a call before it goes.
_IDLE = 10.0


class CallbackThreads:
    """Up to `total` threads, for what is handed in by `post`; they live in `run`."""

    def __init__(self, total: int, mailbox: Mailbox) -> None:
        self._total = total
        self._mailbox = mailbox
        # Not anyio's own limiter: the application's worker threads and ours do not wait for each other.
        self._limiter = anyio.CapacityLimiter(total)
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._threads = 0
        #: How many calls were handed in that have not come back.
        self._open = 0
        self._nursery: trio.Nursery | None = None
        self._closing = trio.Event()

    def post(self, call: Callable[[], Outcome], then: Callable[[Outcome], object]) -> None:
        """Have `call` called in a context of its own in a thread, and `then` in the loop with what it came to."""
        self._open += 1
        self._calls.put(_Call(call, then))
        self._see_to_threads()

    @property
    def idle(self) -> int:
        """How many threads wait for a call."""
        return max(0, self._threads - self._open)

    async def run(self) -> None:
        """Keep the threads until closed; where this is cancelled, those that are in a call are let go."""
        try:
            async with trio.open_nursery() as self._nursery:
                self._see_to_threads()
                await self._closing.wait()
        finally:
            self._nursery = None
            self.close()

    def close(self) -> None:
        """Have the threads go that wait for a call, and each other one after its call; `run` returns when they have.

        What waits for a thread still is never called.
        """
        if not self._closing.is_set():
            self._closing.set()
            with suppress(queue.Empty):
                while True:
                    self._calls.get_nowait()
            self._calls.put(None)

    def _see_to_threads(self) -> None:
        if self._nursery is None or self._closing.is_set():
            return
        while self._threads < min(self._open, self._total):
            self._threads += 1
            self._nursery.start_soon(self._keep_thread)

    async def _keep_thread(self) -> None:
        hop = partial(anyio.to_thread.run_sync, abandon_on_cancel=True, limiter=self._limiter)
        try:
            await once_there_is_a_thread(hop, self._take_calls)
        finally:
            self._threads -= 1
        self._see_to_threads()  # a call may have come when the thread had just gone

    def _came_back(self, then: Callable[[Outcome], object], outcome: Outcome) -> None:
        self._open -= 1
        then(outcome)

    # -- in the threads -----------------------------------------------------------------------------------------

    def _take_calls(self) -> None:
        while True:
            try:
                call = self._calls.get(timeout=_IDLE)
            except queue.Empty:
                return
            if call is None:
                self._calls.put(None)  # for the others
                return
            outcome = contextvars.copy_context().run(call.function)
            self._mailbox.put(self._came_back, call.then, outcome)
            del call, outcome  # what they hold is not kept until the next call


class _Call:
    __slots__ = ("function", "then")

    def __init__(self, function: Callable[[], Outcome], then: Callable[[Outcome], object]) -> None:
        self.function = function
        self.then = then
