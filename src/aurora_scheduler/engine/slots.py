"""How many executions may run at once, over all jobs; who is due first gets a slot first."""

from __future__ import annotations

import heapq
from itertools import count

import trio

__all__ = ["Slots"]


class Slots:
    """A number of slots. A catch-up of thousands of jobs takes them in the order in which they were due."""

    def __init__(self, total: int) -> None:
        self._free = total
        self._queue: list[tuple[int, int, trio.Event]] = []
        self._order = count()

    async def take(self, due: int) -> bool:
        """Take a slot, waiting behind those that were due earlier. Whether it had to wait."""
        granted = trio.Event()
        heapq.heappush(self._queue, (due, next(self._order), granted))
        waits = False
        try:
            # Those that wake in the same instant wake in any order: all of them are in the queue before one is served.
            await trio.lowlevel.checkpoint()
            self._serve()
            waits = not granted.is_set()
            if waits:
                await granted.wait()
        except trio.Cancelled:
            if granted.is_set():
                self.give_back()
            else:
                granted.set()  # nobody waits for it any more: give_back passes it over
            raise
        return waits

    def take_anyway(self) -> None:
        """Take a slot for what has begun already, even where none is free: then one more has to be given back."""
        self._free -= 1

    def give_back(self) -> None:
        """Hand the slot to whoever is due first."""
        self._free += 1
        self._serve()

    def _serve(self) -> None:
        while self._free > 0 and self._queue:
            _, _, granted = heapq.heappop(self._queue)
            if not granted.is_set():
                granted.set()
                self._free -= 1
