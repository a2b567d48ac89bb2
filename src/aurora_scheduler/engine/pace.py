"""Whether very many decisions are written, one second after the other."""

from __future__ import annotations

import trio

from aurora_scheduler.ports import Clock

__all__ = ["Pace"]

#: So many in a second are very many.
_MANY = 1000


class Pace:
    """Counts what is written, from one second to the next."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since = clock.monotonic()
        self._count = 0
        self._became_quick = trio.Event()

    def note(self, count: int) -> None:
        """So many are written now."""
        now = self._clock.monotonic()
        if now - self._since >= 1.0:
            self._since, self._count = now, 0
        self._count += count
        if self._count >= _MANY:
            self._became_quick.set()

    async def until_quick(self) -> None:
        """Wait for a second in which there are very many; it may have begun already."""
        await self._became_quick.wait()

    def look_anew(self) -> bool:
        """Whether there was such a second since this was asked last."""
        was_quick = self._became_quick.is_set()
        if was_quick:
            self._became_quick = trio.Event()
        return was_quick
