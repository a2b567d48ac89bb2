"""The horizon: the jobs that fire first have their task here; those that fire after it rest in the store.

Where there are no more jobs than may have a task there is no horizon, and nothing rests.
"""

from __future__ import annotations

import trio

from aurora_scheduler.model import Job

__all__ = ["Horizon"]

#: The share of the jobs here that may go, or come, before it is looked anew which are nearest.
_SLACK = 10


class Horizon:
    """Up to which instant jobs have their task here: so that there are about `most`, and at least the nearest."""

    def __init__(self, most: int) -> None:
        self.most = most
        #: Jobs whose next firing is later than this rest in the store; None: none does.
        self.at: int | None = None
        self._fewest = -1
        self._many = most + self._slack
        self._outgrown = trio.Event()
        #: Whether there are more jobs here than there should be.
        self.is_overfull = False

    def __repr__(self) -> str:
        return f"<Horizon at {self.at}, of {self.most:,} jobs>"

    @property
    def _slack(self) -> int:
        return max(1, self.most // _SLACK)

    def hides(self, job: Job) -> bool:
        """Whether the job fires only after it."""
        return self.at is not None and job.is_active and job.next_fire is not None and job.next_fire > self.at

    def lift(self) -> None:
        """From here on nothing rests that is not resting already: it is being looked which jobs are nearest."""
        self.at = None
        self._outgrown = trio.Event()

    def lower(self, at: int | None) -> None:
        """What fires later than that rests from here on."""
        self.at = at

    def measure(self, count: int) -> None:
        """So many jobs are here, now that the nearest are: with many more, or fewer, it is to be looked anew."""
        self._fewest = -1 if self.at is None else min(count, self.most) - self._slack
        self._many = max(count, self.most) + self._slack

    def look(self, count: int) -> None:
        """So many jobs are here now."""
        self.is_overfull = count > self._many
        if not self._fewest < count <= self._many:
            self._outgrown.set()

    def nudge(self) -> None:
        """Have it be looked anew which jobs are nearest, whether or not there are many more."""
        self._outgrown.set()

    async def until_outgrown(self) -> None:
        """Wait until there are many more jobs here, or many fewer, than there should be."""
        await self._outgrown.wait()
