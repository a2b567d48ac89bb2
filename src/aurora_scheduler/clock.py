"""The only door to time, ids and chance. Nobody else in the package asks for them; a test holds that."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from functools import partial

import trio

from aurora_scheduler.ports import Timer
from aurora_scheduler.timers import DeadlineTimer, kernel_timer, set_timer

__all__ = ["Ids", "SystemClock", "new_id", "seeded"]

#: Where the system does not say that its clock was set, that is looked at every so many seconds.
_LOOK_EVERY = 1.0

#: Of all clocks that are given no seed; seeded by the system, and in a forked child anew. To ask the system itself for
#: each id is a call of the kernel's, in which Python's lock is let go of.
_chance = random.Random()
os.register_at_fork(after_in_child=_chance.seed)


class SystemClock:
    """The machine's wall clock, and ids that sort by it. Safe to use from any thread."""

    def __init__(self, seed: int | None = None) -> None:
        self.new_id = Ids(self.now, _chance if seed is None else seeded(seed))

    def now(self) -> int:
        """The instant: microseconds since the epoch, UTC."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Seconds since some moment, by a clock that nobody sets: for durations."""
        return time.monotonic()

    @contextmanager
    def timer(self) -> Generator[Timer]:
        """Within it: a timer that rings by `monotonic`."""
        with kernel_timer() as timer:
            yield DeadlineTimer(self.monotonic) if timer is None else timer

    @contextmanager
    def watched(self) -> Generator[Callable[[], Awaitable[object]]]:
        """Within it: what to await until this clock was set, or the machine has slept; or until it may have been.

        Linux tells it at once, to Python 3.13 or later. Elsewhere a second passes, and it may have been.
        """
        with set_timer() as timer:
            yield partial(trio.sleep, _LOOK_EVERY) if timer is None else timer.wait


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
    return f"{instant << 64 | chance:032x}"


def seeded(seed: int) -> random.Random:
    """A source of chance that gives the same for the same seed."""
    return random.Random(seed)
