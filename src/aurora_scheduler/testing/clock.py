"""A clock that goes when it is told to, and can be set."""

from __future__ import annotations

from trio.testing import MockClock

from aurora_scheduler.clock import Ids, seeded
from aurora_scheduler.instants import SECOND

__all__ = ["VirtualClock"]


class VirtualClock:
    """A wall clock that goes with a Trio run's mock clock, can be set by itself, and gives ids from a seed."""

    def __init__(self, mock: MockClock, start: int, seed: int = 0) -> None:
        self._mock = mock
        self._start = start
        self._passed = 0.0
        self.new_id = Ids(self.now, seeded(seed))

    def now(self) -> int:
        """The wall clock's instant: microseconds since the epoch, UTC."""
        return self._start + round(self.monotonic() * SECOND)

    def monotonic(self) -> float:
        """The seconds that have passed, however the wall clock was set."""
        return self._passed + self._mock.current_time()

    def set(self, by: float) -> None:
        """Set the wall clock, and it alone, by so many seconds."""
        self._start += round(by * SECOND)

    def skip(self, seconds: float) -> None:
        """Let time pass while no loop runs."""
        self._passed += seconds

    def go_on(self, mock: MockClock) -> None:
        """Go with the clock of another run from here on."""
        self._passed += self._mock.current_time() - mock.current_time()
        self._mock = mock
