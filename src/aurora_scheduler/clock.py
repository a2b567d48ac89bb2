"""The only door to time, ids and chance. Nobody else in the package asks for them; a test holds that."""

from __future__ import annotations

import errno
import os
import random
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from functools import partial

import trio

__all__ = ["Ids", "SystemClock", "new_id", "seeded"]

#: Where the system does not say that its clock was set, that is looked at every so many seconds.
_LOOK_EVERY = 1.0


class SystemClock:
    """The machine's wall clock, and ids that sort by it. Safe to use from any thread."""

    def __init__(self, seed: int | None = None) -> None:
        self.new_id = Ids(self.now, random.SystemRandom() if seed is None else seeded(seed))

    def now(self) -> int:
        """The instant: microseconds since the epoch, UTC."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Seconds since some moment, by a clock that nobody sets: for durations."""
        return time.monotonic()

    @contextmanager
    def watched(self) -> Generator[Callable[[], Awaitable[object]]]:
        """Within it: what to await until this clock was set, or the machine has slept; or until it may have been.

        Linux tells it at once, to Python 3.13 or later. Elsewhere a second passes, and it may have been.
        """
        timer = _timer()
        if timer is None:
            yield partial(trio.sleep, _LOOK_EVERY)
            return
        try:
            yield partial(_until_set, timer)
        finally:
            os.close(timer)


class Ids:
    """Gives new ids: 32 hexadecimal digits, the instant first, so that later ids sort after earlier ones."""

    def __init__(self, now: Callable[[], int], chance: random.Random) -> None:
        self._now = now
        self._chance = chance
        self._lock = threading.Lock()
        self._last = 0

    def __call__(self) -> str:
        """The next id."""
        with self._lock:
            # Two ids in one microsecond, or after the clock was set back a little, must still sort as they came.
            self._last = max(self._last + 1, self._now())
            return new_id(self._last, self._chance.getrandbits(64))


def new_id(instant: int, chance: int) -> str:
    """The id made of an instant and 64 random bits.

    >>> new_id(1_000_000, 255)
    '00000000000f424000000000000000ff'
    """
    return f"{instant:016x}{chance:016x}"


def seeded(seed: int) -> random.Random:
    """A source of chance that gives the same for the same seed."""
    return random.Random(seed)


def _timer() -> int | None:
    """A timer that never runs out, and that Linux cancels when it sets the wall clock: a file; None: there is none."""
    if sys.version_info >= (3, 13) and sys.platform == "linux":
        try:
            timer = os.timerfd_create(time.CLOCK_REALTIME, flags=os.TFD_NONBLOCK | os.TFD_CLOEXEC)
        except OSError:  # a kernel that has none, a process that may open no more files
            return None
        try:
            flags = os.TFD_TIMER_ABSTIME | os.TFD_TIMER_CANCEL_ON_SET
            os.timerfd_settime_ns(timer, flags=flags, initial=2**62)  # some day in 2116
        except OSError:
            os.close(timer)
            return None
        return timer
    return None


async def _until_set(timer: int) -> None:
    while True:
        await trio.lowlevel.wait_readable(timer)
        try:
            os.read(timer, 8)
        except BlockingIOError:
            continue
        except OSError as error:
            if error.errno != errno.ECANCELED:  # that one says: the clock was set
                raise
        return
