"""What the parent knows of the jobs: read from the store, like anybody else's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aurora_scheduler.clock import SystemClock
from aurora_scheduler.instants import aware
from aurora_scheduler.manager import SchedulerManager
from aurora_scheduler.model import OPEN, Execution, ExecutionStatus, Job

__all__ = ["Snapshot", "now", "take"]

_clock = SystemClock()
_PAGE = 1_000


def now() -> datetime:
    """The present."""
    return aware(_clock.now())


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The jobs and their whole history, oldest first, at one moment."""

    at: datetime
    jobs: tuple[Job, ...]
    executions: tuple[Execution, ...]

    def of(self, job: Job) -> list[Execution]:
        """One job's executions, oldest first."""
        return [each for each in self.executions if each.job_id == job.id]

    @property
    def under_way(self) -> list[Execution]:
        """What runs."""
        return [each for each in self.executions if each.status is ExecutionStatus.RUNNING]

    def is_quiet(self, seconds: float) -> bool:
        """Whether nothing runs or waits, and nothing fires for so many seconds."""
        coming = [job.next_run_time for job in self.jobs if job.next_run_time is not None]
        return not any(each.status in OPEN for each in self.executions) and all(
            (moment - self.at).total_seconds() > seconds for moment in coming
        )


async def take(manager: SchedulerManager) -> Snapshot:
    """Read everything."""
    jobs = tuple(await manager.get_all_jobs())
    newest_first = await manager.get_executions(limit=_PAGE)
    while len(page := newest_first[-_PAGE:]) == _PAGE:
        older = await manager.get_executions(limit=_PAGE, before=page[-1])
        if not older:
            break
        newest_first += older
    return Snapshot(now(), jobs, tuple(reversed(newest_first)))
