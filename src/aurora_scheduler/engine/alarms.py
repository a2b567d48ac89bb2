"""The alarms of all jobs' tasks: each sleeps until an event is set, and one timer, set to the nearest alarm, sets it.

So a task that sleeps costs a place in a heap, waking costs no cancelled scope, and one precise timer serves them all.
"""

from __future__ import annotations

import heapq
import math
from itertools import count

import trio

from aurora_scheduler.ports import Clock, Timer

__all__ = ["Alarms"]

#: What a moment may be missed by in rounding, in seconds: less than half of the microsecond in which jobs are due.
_NEAR = 4e-7
#: So many alarms that nobody waits for any more are left in the heap; with more than that it is made anew.
_STALE = 1000


class Alarms:
    """What is to be set when, by the monotonic clock. `run` keeps the time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, trio.Event]] = []
        self._order = count()
        self._waiting = 0
        self._timer: Timer | None = None
        self._armed = math.inf

    async def sleep(self, nudged: trio.Event, seconds: float) -> None:
        """Sleep so long, or until `nudged` is set; after that long it is.

        An alarm belongs to the event that is waited for, and not to a job: a task that is on its way out takes none
        from the one that came in its place.
        """
        if seconds < math.inf:
            at = self._clock.monotonic() + seconds
            heapq.heappush(self._heap, (at, next(self._order), nudged))
            if self._timer is not None and at < self._armed:
                self._arm(self._timer)
        self._waiting += 1
        try:
            await nudged.wait()
        finally:
            self._waiting -= 1
            if len(self._heap) > 2 * self._waiting + _STALE:
                self._forget_stale()

    async def run(self) -> None:
        """Set everything in time, until cancelled."""
        with self._clock.timer() as timer:
            self._timer = timer
            try:
                while True:
                    self._ring()
                    self._arm(timer)
                    await timer.wait()
            finally:
                self._timer = None

    def _ring(self) -> None:
        now = self._clock.monotonic() + _NEAR
        while self._heap and self._heap[0][0] <= now:
            heapq.heappop(self._heap)[2].set()

    def _arm(self, timer: Timer) -> None:
        self._armed = self._heap[0][0] if self._heap else math.inf
        timer.arm(self._armed)

    def _forget_stale(self) -> None:
        self._heap = [each for each in self._heap if each[2].statistics().tasks_waiting]
        heapq.heapify(self._heap)
