"""Timers, for Trio tasks to wait on: one that rings, and one that tells when the wall clock was set.

Both are the kernel's where it has such (Linux, from Python 3.13 on): that one rings 0.1 ms late (0.3 ms in one of a
hundred cases), while Trio's deadlines are about a millisecond late, since the system is asked to wait for whole ones.
"""

from __future__ import annotations

import errno
import math
import os
import sys
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager

import trio

__all__ = ["DeadlineTimer", "KernelTimer", "kernel_timer", "set_timer"]


class DeadlineTimer:
    """Rings by a deadline of the Trio run."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._at = math.inf
        self._scope = trio.CancelScope()

    def arm(self, at: float) -> None:
        """Ring at this moment of the monotonic clock, and at no other; infinity: never. Also while it is waited for."""
        self._at = at
        self._scope.deadline = self._deadline()

    async def wait(self) -> None:
        """Wait until it rings."""
        self._scope = trio.CancelScope(deadline=self._deadline())
        with self._scope:
            await trio.sleep_forever()

    def _deadline(self) -> float:
        return trio.current_time() + (self._at - self._monotonic())


class KernelTimer:
    """Rings by a file of the kernel's."""

    def __init__(self, file: int) -> None:
        self._file = file

    def arm(self, at: float) -> None:
        """Ring at this moment of the monotonic clock, and at no other; infinity: never. Also while it is waited for."""
        moment = 0 if at == math.inf else max(1, math.ceil(at * 1e9))  # 0 disarms it
        _set(self._file, moment)

    async def wait(self) -> None:
        """Wait until it rings, or is cancelled."""
        while True:
            await trio.lowlevel.wait_readable(self._file)
            try:
                os.read(self._file, 8)
            except BlockingIOError:  # armed anew, for later, since it rang
                continue
            except OSError as error:
                if error.errno != errno.ECANCELED:  # that one says: the clock was set
                    raise
            return


def kernel_timer() -> AbstractContextManager[KernelTimer | None]:
    """Within it: a timer of the kernel's; None where there is none to be had."""
    return _opened(time.CLOCK_MONOTONIC, lambda file: True)


def set_timer() -> AbstractContextManager[KernelTimer | None]:
    """Within it: a timer that never rings, and that Linux cancels when it sets the wall clock; or None."""
    return _opened(time.CLOCK_REALTIME, _cancel_on_set)


@contextmanager
def _opened(clock: int, is_fit: Callable[[int], bool]) -> Generator[KernelTimer | None]:
    file = _make(clock)
    try:
        yield KernelTimer(file) if file is not None and is_fit(file) else None
    finally:
        if file is not None:
            os.close(file)


if sys.version_info >= (3, 13) and sys.platform == "linux":

    def _make(clock: int) -> int | None:
        try:
            return os.timerfd_create(clock, flags=os.TFD_NONBLOCK | os.TFD_CLOEXEC)
        except OSError:  # a kernel that has none, a process that may open no more files
            return None

    def _set(file: int, moment: int) -> None:
        os.timerfd_settime_ns(file, flags=os.TFD_TIMER_ABSTIME, initial=moment)

    def _cancel_on_set(file: int) -> bool:
        flags = os.TFD_TIMER_ABSTIME | os.TFD_TIMER_CANCEL_ON_SET
        try:
            os.timerfd_settime_ns(file, flags=flags, initial=2**62)  # some day in 2116
        except OSError:
            return False
        return True

else:

    def _make(clock: int) -> int | None:
        return None

    def _set(file: int, moment: int) -> None:
        raise NotImplementedError

    def _cancel_on_set(file: int) -> bool:
        return False
