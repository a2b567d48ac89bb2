"""Lets virtual time pass: when nothing can go on before time does, it jumps to the next deadline."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

import trio
import trio.testing

__all__ = ["Driver"]

#: How often, in real seconds, worker threads are looked after.
_LOOK = 0.0005
#: For how many real seconds nothing has to happen before it is believed that nothing will.
_REST = 0.01


class Driver:
    """The one who moves a Trio run's mock clock; all its methods are called in that run.

    (The clock's own autojump does not see worker threads, nor what is waited for on other loops.)
    """

    def __init__(self, mock: trio.testing.MockClock) -> None:
        self._mock = mock
        #: How many worker threads wait for time to pass.
        self.parked = 0
        #: How many worker threads wait to be given something to do.
        self.count_idle: Callable[[], int] = lambda: 0
        self._holds = 0
        self._released = trio.Event()
        self._never = threading.Event()
        #: Raises where it makes no sense to go on.
        self.check: Callable[[], None] = lambda: None
        #: Called where nothing is ahead: only something from outside can go on.
        self.note_stillness: Callable[[], None] = lambda: None

    @contextmanager
    def hold(self) -> Generator[None]:
        """Within, time does not pass: something is done that is not in this loop."""
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
            if not self._holds:
                self._released.set()

    @property
    def is_held(self) -> bool:
        """Whether something is done outside of this loop: in worker threads, or where `hold` was entered."""
        return self._holds > 0 or trio.testing.active_thread_count() > self.parked + self.count_idle()

    async def settle(self) -> None:
        """Wait until nothing can go on before time does: no task, no worker thread, nothing that holds it."""
        while True:
            await trio.testing.wait_all_tasks_blocked()
            self.check()
            if self._holds:
                self._released = trio.Event()
                await self._released.wait()
            elif self.is_held:
                self._never.wait(_LOOK)  # the threads' own work, in real time
            elif _waits_for_io():
                await trio.testing.wait_all_tasks_blocked(_REST)
            else:
                return

    async def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Let so much time pass, or less, until something is so."""
        end = self._mock.current_time() + seconds
        while True:
            await self.settle()
            now = self._mock.current_time()
            if now >= end or until():
                return
            ahead = min(trio.lowlevel.current_statistics().seconds_to_next_deadline, end - now)
            if ahead == math.inf:
                self.note_stillness()
                await trio.testing.wait_all_tasks_blocked(_REST)
            else:
                # A step that is lost in rounding would never arrive.
                self._mock.jump(max(ahead, math.nextafter(now, math.inf) - now))


def _waits_for_io() -> bool:
    """Whether a task waits for a socket, a pipe or a process: for what happens in real time."""
    waiting = trio.lowlevel.current_statistics().io_statistics
    tasks = (getattr(waiting, f"tasks_waiting_{what}", 0) for what in ("read", "write"))
    return sum(tasks) > 1  # one is Trio's own, which waits for calls from other threads
