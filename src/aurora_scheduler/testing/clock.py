"""A clock that goes when it is told to, and can be set."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from functools import partial

import trio
from trio.testing import MockClock

from aurora_scheduler.clock import Ids, seeded
from aurora_scheduler.instants import SECOND
from aurora_scheduler.ports import Timer
from aurora_scheduler.timers import DeadlineTimer

__all__ = ["VirtualClock"]


class VirtualClock:
    """A wall clock that goes with a Trio run's mock clock, can be set by itself, and gives ids from a seed.

    That it was set is told at once where it `tells`, else looked at every second: there are systems of either kind.
    """

    tells = False

    def __init__(self, mock: MockClock, start: int, seed: int = 0) -> None:
        self._mock = mock
        self._start = start
        self._passed = 0.0
        self._was_set = trio.Event()
        self.new_id = Ids(self.now, seeded(seed))

    def now(self) -> int:
        """The wall clock's instant: microseconds since the epoch, UTC."""
        return self._start + round(self.monotonic() * SECOND)

    def monotonic(self) -> float:
        """The seconds that have passed, however the wall clock was set."""
        return self._passed + self._mock.current_time()

    def set(self, by: float) -> None:
        """Set the wall clock, and it alone, by so many seconds."""
        self.shift(by)
        self.tell()

    def shift(self, by: float) -> None:
        """Set the wall clock, and tell nobody yet. From any thread."""
        self._start += round(by * SECOND)

    def tell(self) -> None:
        """Tell who watches that it was set."""
        self._was_set.set()

    @contextmanager
    def timer(self) -> Generator[Timer]:
        """Within it: a timer that rings in virtual time."""
        yield DeadlineTimer(self.monotonic)

    @contextmanager
    def watched(self) -> Generator[Callable[[], Awaitable[object]]]:
        """Within it: what to await until the wall clock was set, or may have been."""
        yield self._until_set if self.tells else partial(trio.sleep, 1)

    async def _until_set(self) -> None:
        await self._was_set.wait()
        self._was_set = trio.Event()

    def skip(self, seconds: float) -> None:
        """Let time pass while no loop runs."""
        self._passed += seconds

    def go_on(self, mock: MockClock) -> None:
        """Go with the clock of another run from here on."""
        self._passed += self._mock.current_time() - mock.current_time()
        self._mock = mock
