"""The alarms of all jobs' tasks: each sleeps until it is nudged, and one timer, set to the nearest alarm, nudges it.

So a task that sleeps costs a place in a heap, waking costs no cancelled scope, and one precise timer serves them all.
"""

from __future__ import annotations

import heapq
import math
from itertools import count

from aurora_scheduler.engine.entries import Entry
from aurora_scheduler.ports import Clock, Timer

__all__ = ["Alarms"]

#: What a moment may be missed by in rounding, in seconds: less than half of the microsecond in which jobs are due.
_NEAR = 4e-7
#: So many alarms that nobody waits for any more are left in the heap; with more than that it is made anew.
_STALE = 1000


class Alarms:
    """Who is to be nudged when, by the monotonic clock. `run` keeps the time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Entry]] = []
        self._order = count()
        self._waiting = 0
        self._timer: Timer | None = None
        self._armed = math.inf

    async def sleep(self, entry: Entry, seconds: float) -> None:
        """Sleep so long, or until the entry is nudged."""
        if seconds < math.inf:
            entry.alarm = self._clock.monotonic() + seconds
            heapq.heappush(self._heap, (entry.alarm, next(self._order), entry))
            if self._timer is not None and entry.alarm < self._armed:
                self._arm(self._timer)
        self._waiting += 1
        try:
            await entry.until_nudged()
        finally:
            self._waiting -= 1
            entry.alarm = None
            if len(self._heap) > 2 * self._waiting + _STALE:
                self._forget_stale()

    async def run(self) -> None:
        """Nudge everybody in time, until cancelled."""
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
            at, _, entry = heapq.heappop(self._heap)
            if entry.alarm == at:
                entry.nudge()

    def _arm(self, timer: Timer) -> None:
        self._armed = self._heap[0][0] if self._heap else math.inf
        timer.arm(self._armed)

    def _forget_stale(self) -> None:
        self._heap = [each for each in self._heap if each[2].alarm == each[0]]
        heapq.heapify(self._heap)
