"""The alarms of all jobs' tasks: each sleeps until its bell is rung, and one timer, set to the nearest alarm, rings it.

So a task that sleeps costs a place in a heap, waking costs no cancelled scope, and one precise timer serves them all.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Awaitable, Callable
from itertools import count
from operator import attrgetter

import trio

from aurora_scheduler.ports import Clock, Timer

__all__ = ["Alarms", "Bell"]

_number = attrgetter("number")
#: What a moment may be missed by in rounding, in seconds: less than half of the microsecond in which jobs are due.
_NEAR = 4e-7
#: So many alarms that nobody waits for any more are left in the heap; with more than that it is made anew.
_STALE = 1000
#: So many alarms at the same time are very many.
_RUSH = 500


class Bell:
    """What one task sleeps on: rung by whoever has news for it, or by its alarm. An event that is used again."""

    __slots__ = ("_is_rung", "_task", "number", "turn")

    _numbers = count()

    def __init__(self) -> None:
        #: Counts the bells that were made.
        self.number = next(self._numbers)
        self._is_rung = False
        self._task: trio.lowlevel.Task | None = None
        #: Counts the times it was stilled: an alarm is for one of them.
        self.turn = 0

    @property
    def is_waited_for(self) -> bool:
        """Whether a task sleeps on it."""
        return self._task is not None

    def ring(self) -> None:
        """Wake who sleeps on it, or keep from sleeping whoever is about to."""
        self._is_rung = True
        task, self._task = self._task, None
        if task is not None:
            trio.lowlevel.reschedule(task)

    def still(self) -> None:
        """From here on it has not been rung."""
        if self._is_rung:
            self._is_rung = False
            self.turn += 1

    def wait(self) -> Awaitable[object]:
        """Sleep until it is rung: to be awaited at once, and by one task at a time."""
        # What is awaited is Trio's own: very many sleep, and each is to be as small as can be.
        if self._is_rung:
            return trio.lowlevel.checkpoint()  # noqa: ASYNC105
        self._task = trio.lowlevel.current_task()
        return trio.lowlevel.wait_task_rescheduled(self._leave)  # noqa: ASYNC105

    def _leave(self, _: object) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED


class _Call:
    """What is called when its alarm rings, once: to the alarms it is a bell that somebody waits for."""

    __slots__ = ("number", "ring")

    turn = 0
    is_waited_for = True

    def __init__(self, call: Callable[[], object], number: int) -> None:
        self.ring = call
        self.number = number


class Alarms:
    """Which bell is to be rung when, by the monotonic clock. `run` keeps the time.

    The nearest is rung so many seconds ahead of it, and with it what follows within so many: as `ahead` says then.
    """

    def __init__(self, clock: Clock, ahead: Callable[[], tuple[float, float]] = lambda: (0.0, 0.0)) -> None:
        self._clock = clock
        self._ahead = ahead
        self._heap: list[tuple[float, int, Bell | _Call, int]] = []
        self._order = count()
        self._most = _STALE
        self._timer: Timer | None = None
        self._armed = math.inf
        #: Called when very many are to be rung at the same time, before the first of them is.
        self.on_rush: Callable[[], object] | None = None

    def set(self, bell: Bell, seconds: float) -> None:
        """Have the bell rung after so long, unless it is rung, and stilled, before."""
        self._set(bell, seconds)

    def call(self, call: Callable[[], object], seconds: float, beside: Bell | None = None) -> None:
        """Have `call()` made after so long, in the order in which `beside` would be rung; None: before all bells."""
        self._set(_Call(call, -1 if beside is None else beside.number), seconds)

    def _set(self, bell: Bell | _Call, seconds: float) -> None:
        if len(self._heap) > self._most:
            self._forget_stale()
        at = self._clock.monotonic() + seconds
        heapq.heappush(self._heap, (at, next(self._order), bell, bell.turn))
        if self._timer is not None and at - self._ahead()[0] < self._armed:
            self._arm(self._timer)

    async def run(self) -> None:
        """Ring everything in time, until cancelled."""
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
        ahead, reach = self._ahead()
        now, due = self._clock.monotonic() + _NEAR, list[Bell | _Call]()
        if not self._heap or self._heap[0][0] > now + ahead:
            return
        now += reach
        while self._heap and self._heap[0][0] <= now:
            if len(due) == _RUSH:
                self._take_rest(now, due)
                break
            _, _, bell, turn = heapq.heappop(self._heap)
            if bell.turn == turn:
                due.append(bell)
        # As they were made, which is mostly as the store has them: what is next to each other there is written at once.
        due.sort(key=_number)
        for bell in due:
            bell.ring()

    def _take_rest(self, now: float, due: list[Bell | _Call]) -> None:
        """Very many are due: to sort out all that there are takes less than to take one after the other."""
        if self.on_rush is not None:
            self.on_rush()
        due += [bell for at, _, bell, turn in self._heap if at <= now and bell.turn == turn]
        self._heap = [each for each in self._heap if each[0] > now]
        heapq.heapify(self._heap)

    def _arm(self, timer: Timer) -> None:
        self._armed = self._heap[0][0] - self._ahead()[0] if self._heap else math.inf
        timer.arm(self._armed)

    def _forget_stale(self) -> None:
        self._heap = [each for each in self._heap if each[2].turn == each[3] and each[2].is_waited_for]
        heapq.heapify(self._heap)
        self._most = 2 * len(self._heap) + _STALE
