"""The signs of life that this process gives, where several share the jobs: without them the others find it dead."""

from __future__ import annotations

import trio

from aurora_scheduler.instants import SECOND
from aurora_scheduler.model import Execution
from aurora_scheduler.ports import Clock

__all__ = ["Signs"]

#: In microseconds: what has not begun so long after its claim may be of before a time in which this process stood
#: still, and was found dead. Nobody is found dead sooner.
_STOOD_STILL = 5 * SECOND // 2


class Signs:
    """When they were given."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        #: When the last of them was begun, by the monotonic clock; None: nobody waits for any.
        self._last: float | None = None
        self._given = trio.Event()

    def note(self, begun: float) -> None:
        """One that was begun then has been given."""
        self._last = begun
        self._given.set()
        self._given = trio.Event()

    def are_wanted_for(self, execution: Execution) -> bool:
        """Whether an execution that is about to begin may have been found lost, with this process, since its claim."""
        started = execution.started
        return self._last is not None and started is not None and self._clock.now() - started > _STOOD_STILL

    async def next(self) -> None:
        """Wait for one that is begun from now on: after it nobody finds this process dead for what was before."""
        now = self._clock.monotonic()
        while self._last is None or self._last < now:
            await self._given.wait()
