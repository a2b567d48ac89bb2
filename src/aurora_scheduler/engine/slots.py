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
        if self._free:
            self._free -= 1
            return False
        granted = trio.Event()
        heapq.heappush(self._queue, (due, next(self._order), granted))
        try:
            await granted.wait()
        except trio.Cancelled:
            if granted.is_set():
                self.give_back()
            else:
                granted.set()  # nobody waits for it any more: give_back passes it over
            raise
        return True

    def give_back(self) -> None:
        """Hand the slot to whoever is due first."""
        while self._queue:
            _, _, granted = heapq.heappop(self._queue)
            if not granted.is_set():
                granted.set()
                return
        self._free += 1
