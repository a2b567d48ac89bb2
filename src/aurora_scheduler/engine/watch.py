"""The loop watch: while async callbacks run in the scheduler's loop, somebody outside sees whether one blocks it.

A blocked loop cannot say so itself. So a worker thread looks five times a second whether a callback's task has
its turn just then, which most of them have for a moment only. Where one has, the thread asks the loop for a sign of
life; and where none comes while that task has its turn, it says whose callback it is, and where in its code it stands.
The loop's steps cost nothing more for being watched; and while no callback is in the loop, the thread sleeps.
"""

from __future__ import annotations

import sys
import threading
import traceback
from functools import partial
from types import FrameType

import trio

from aurora_scheduler.engine.entries import Attempt, current_execution
from aurora_scheduler.engine.workers import once_there_is_a_thread
from aurora_scheduler.errors import printable
from aurora_scheduler.logs import about, logger
from aurora_scheduler.ports import Clock

__all__ = ["Blocking", "LoopWatch"]

_log = logger("engine")

_THREAD = "aurora-loop-watch"
#: How often, in seconds, the thread looks.
_LOOK_EVERY = 0.2
#: A callback that lets nobody else have a turn for so many seconds is told of.
_BLOCKED = 0.35  # two looks, and what a look may come early by
#: How many of the innermost lines of a stack are told.
_LINES = 40


class Blocking:
    """A callback that blocks the loop: its attempt, its task, and since when, by the monotonic clock."""

    def __init__(self, attempt: Attempt, task: trio.lowlevel.Task, since: float) -> None:
        self.attempt = attempt
        self.task = task
        self.since = since

    def __str__(self) -> str:
        return f"callback {self.attempt.callback} of job {self.attempt.execution.job_name!r}"


class _Sign:
    """A sign of life that the loop was asked for, and when it came; None: not yet."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.asked = clock.monotonic()
        self._came: float | None = None

    def give(self) -> None:
        """In the loop: here it is."""
        self._came = self._clock.monotonic()

    def has_come(self) -> bool:
        """Whether it was given."""
        return self._came is not None

    def until(self) -> float:
        """When it came; now, where it has not."""
        return self._clock.monotonic() if self._came is None else self._came


class LoopWatch:
    """Watches the loop that `run` is run in, between the `begin` and the `end` of callbacks. For real time only."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._running: dict[str, Attempt] = {}
        self._wake = threading.Event()
        self._asleep = False
        self._closed = threading.Event()
        #: The callback that blocks the loop; None: none does, or it is not seen yet.
        self.blocking: Blocking | None = None
        #: For how many seconds the loop let the watch wait for its last sign of life.
        self.lag = 0.0

    def begin(self, attempt: Attempt) -> None:
        """The attempt's callback is about to run in the loop."""
        self._running[attempt.execution.id] = attempt
        if self._asleep:
            self._wake.set()

    def end(self, attempt: Attempt) -> None:
        """It has ended."""
        if self._running.get(attempt.execution.id) is attempt:  # and not another hook of the same execution
            del self._running[attempt.execution.id]

    async def run(self, performing: trio.Nursery) -> None:
        """Watch this loop until cancelled; the callbacks' tasks are in `performing` and in nurseries of their own."""
        watch = partial(self._watch, trio.lowlevel.current_trio_token(), threading.get_ident(), performing)
        async with trio.open_nursery() as nursery:
            hop = partial(trio.to_thread.run_sync, thread_name=_THREAD, limiter=trio.CapacityLimiter(1))
            nursery.start_soon(once_there_is_a_thread, hop, watch)
            try:
                await trio.sleep_forever()
            finally:  # the thread cannot be cancelled, and so is told: the nursery waits for its end
                self._closed.set()
                self._wake.set()

    # -- in the thread ------------------------------------------------------------------------------------------

    def _watch(self, token: trio.lowlevel.TrioToken, thread: int, performing: trio.Nursery) -> None:
        while not self._closed.is_set():
            self._sleep_while_idle()
            if not self._closed.wait(_LOOK_EVERY):
                task = _running_task(performing)
                if task is not None:  # for a moment, or for long
                    self._wait_for_sign(token, thread, performing, task)

    def _wait_for_sign(
        self, token: trio.lowlevel.TrioToken, thread: int, performing: trio.Nursery, task: trio.lowlevel.Task | None
    ) -> None:
        sign = _Sign(self._clock)
        token.run_sync_soon(sign.give)
        suspect, seen = self._suspect(task, sign.asked), sign.asked
        while not (self._closed.wait(_LOOK_EVERY) or sign.has_come()):
            now, task = self._clock.monotonic(), _running_task(performing)
            self.lag = now - sign.asked
            if suspect is None or suspect.task is not task:
                self._tell_over(now)
                suspect = self._suspect(task, seen)
            elif self.blocking is None and now - suspect.since >= _BLOCKED and not sign.has_come():
                self._tell(suspect, now, _stack(thread, suspect.task))
            seen = now
        came = sign.until()
        self._tell_over(came)
        self.lag = came - sign.asked

    def _sleep_while_idle(self) -> None:
        self._wake.clear()
        self._asleep = True  # first, so that a callback that begins now is seen here, or sees this
        if not self._running and not self._closed.is_set():
            self.lag = 0.0
            self._wake.wait()
        self._asleep = False

    def _suspect(self, task: trio.lowlevel.Task | None, since: float) -> Blocking | None:
        execution_id = None if task is None else task.context.get(current_execution)
        attempt = None if execution_id is None else self._running.get(execution_id)
        return None if task is None or attempt is None else Blocking(attempt, task, since)

    def _tell(self, blocking: Blocking, now: float, stack: str) -> None:
        self.blocking = blocking
        execution = blocking.attempt.execution
        _log.warning(
            "%s has blocked the scheduler's loop for %.1f s, and nothing else can run; "
            "what blocks belongs into a plain def, which has a thread of its own; it is here",
            blocking, now - blocking.since,
            extra=about(execution) | {"stack": stack},
        )  # fmt: skip

    def _tell_over(self, now: float) -> None:
        blocking, self.blocking = self.blocking, None
        if blocking is not None:
            execution = blocking.attempt.execution
            _log.warning(
                "%s had blocked the scheduler's loop for %.1f s; now it goes on", blocking, now - blocking.since,
                extra=about(execution),
            )  # fmt: skip


def _running_task(nursery: trio.Nursery) -> trio.lowlevel.Task | None:
    """The task in the nursery, or in one of a nursery inside, that is being run just now."""
    nurseries = [nursery]
    while nurseries:  # they may be nested deeper than calls can be
        for task in nurseries.pop().child_tasks:
            if getattr(task.coro, "cr_running", False):
                return task
            nurseries += task.child_nurseries
    return None


def _stack(thread: int, task: trio.lowlevel.Task) -> str:
    """Where the task stands that is run in the thread: the innermost lines, from its callback on."""
    try:
        lines = _frames_of(thread, task).format()
    except Exception as error:  # where its source is to be had from is the callback's own affair
        return f"  (its stack cannot be told: {type(error).__name__})"
    return "\n".join(printable(line) for line in "".join(lines).splitlines())


def _frames_of(thread: int, task: trio.lowlevel.Task) -> traceback.StackSummary:
    frames: list[FrameType] = []
    frame = sys._current_frames().get(thread)  # pyright: ignore[reportPrivateUsage]  # it is documented
    first = getattr(task.coro, "cr_frame", None)
    while frame is not None:
        frames.append(frame)
        frame = None if frame is first else frame.f_back
    while len(frames) > 1 and str(frames[-1].f_globals.get("__name__")).startswith("aurora_scheduler."):
        frames.pop()  # how we came to call it
    return traceback.StackSummary.extract(((each, each.f_lineno) for each in reversed(frames)), limit=-_LINES)
