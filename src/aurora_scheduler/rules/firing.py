"""What the rules share: rows and states as they are made, and the words that say why."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from typing import Any

from aurora_scheduler.errors import ScheduleError
from aurora_scheduler.model import (
    Change,
    ChangeKind,
    Execution,
    ExecutionStatus,
    Job,
    JobStatus,
    Trigger,
)
from aurora_scheduler.rules.timing import anew, coming, delay_of, fallen_due, following
from aurora_scheduler.values import replace

__all__ = [
    "Reason",
    "changed",
    "closed",
    "finish_if_over",
    "let_pass",
    "row_of",
    "stepped",
]


class Reason(StrEnum):
    """Why an execution waits, or why it was not run: the words that stand in the record."""

    RECOVERED = "recovered"
    """The attempt before it was lost, or cut short by a stop."""
    QUEUED = "queued"
    """It has its turn after what runs or was due before it."""
    BACKLOG = "backlog"
    """It was found late, together with others, and they run in turn."""
    OVERLAP = "overlap"
    """It came due while the job's earlier attempt ran, and there was no place to wait or to run beside it."""
    SUPERSEDED = "superseded"
    """A newer firing took its place: that of a retry that waited, or of a firing that `cancel_previous` ended."""
    MISFIRE = "misfire"
    """It was found late, and a later one runs instead, or none within the grace."""
    TIMEOUT = "timeout"
    """It ran longer than its `timeout`."""
    PAUSED = "paused"
    EDITED = "edited"
    """It had come due, and the schedule was changed before it could start."""
    DEACTIVATED = "deactivated"
    DELETED = "deleted"
    BY_HAND = "cancelled by hand"
    STOPPED = "the scheduler stopped"


#: What every row is made of: copying it takes half of what making one takes.
_ROW = Execution(
    id="", job_id="", generation=0, job_name="", timezone="", scheduled=0, last_scheduled=0,
    status=ExecutionStatus.WAITING, due=0,
)  # fmt: skip


def row_of(job: Job, scheduled: int, execution_id: str, trigger: Trigger = Trigger.SCHEDULE, **state: Any) -> Execution:
    """The first attempt at one firing of the job, waiting, or in this state."""
    return replace(
        _ROW,
        id=execution_id,
        job_id=job.id,
        generation=job.generation,
        job_name=job.name,
        timezone=job.timezone,
        scheduled=scheduled,
        last_scheduled=scheduled,
        trigger=trigger,
        due=scheduled + delay_of(job, scheduled) if trigger is Trigger.SCHEDULE else scheduled,
        **state,
    )


def let_pass(
    job: Job,
    now: int,
    status: ExecutionStatus,
    reason: Reason,
    new_id: Callable[[], str],
    *,
    until: int | None = None,
) -> tuple[tuple[Execution, ...], Job]:
    """The one row for all instants that came due up to `until` (default: now) and are not run; and the job after them.

    No row where none came due. Whatever takes a job off its schedule asks for this, so that no instant is without a
    record. Where the job's zone is unknown here, no instant but the next one is known.
    """
    with suppress(ScheduleError):
        job = anew(job, now)
    first = job.next_fire
    try:
        fallen = fallen_due(job, now if until is None else until)
        if first is None or fallen is None:
            return (), job
        last, count = fallen
        row = replace(row_of(job, first, new_id()), last_scheduled=last, count=count)
        return (closed(row, status, reason, now),), coming(job, following(job, last))
    except ScheduleError:
        assert first is not None
        alone = replace(job, policies=replace(job.policies, jitter=0))  # which cannot be told without the schedule
        return (closed(row_of(alone, first, new_id()), status, reason, now),), coming(job, None)


def stepped(job: Job, **state: Any) -> Job:
    """The job with this state, one version on."""
    return replace(job, version=job.version + 1, **state)


def closed(execution: Execution, status: ExecutionStatus, reason: str | None, now: int) -> Execution:
    """An open row brought to its end."""
    return replace(execution, status=status, reason=reason, finished=now)


def changed(job: Job, kind: ChangeKind, now: int, detail: str | None = None) -> Change:
    """The line for the job's own history."""
    return Change(job_id=job.id, generation=job.generation, at=now, kind=kind, detail=detail)


def finish_if_over(job: Job, now: int, *, open_left: bool, **state: Any) -> tuple[Job, Change | None]:
    """The job with this state; `finished`, if it is active and has no firing to come and no attempt open."""
    if job.status is not JobStatus.ACTIVE or job.next_fire is not None or open_left:
        return (replace(job, **state) if state else job), None
    change = changed(job, ChangeKind.FINISHED, now)
    return replace(job, **state, status=JobStatus.FINISHED, status_reason=None), change
