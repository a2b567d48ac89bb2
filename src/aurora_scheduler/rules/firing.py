"""What the rules share: a job's next instant within its bounds, and the words that say why."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
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
    ScheduleType,
    Trigger,
)
from aurora_scheduler.schedules import Schedule, accounted, load_zone, stored_schedule, wall_before, zone_data

__all__ = [
    "Reason",
    "anew",
    "changed",
    "closed",
    "coming",
    "finish_if_over",
    "following",
    "is_outdated",
    "let_pass",
    "row_of",
    "schedule_of",
    "stepped",
    "within",
]


class Reason(StrEnum):
    """Why an execution waits, or why it was not run: the words that stand in the record."""

    RECOVERED = "recovered"
    """The attempt before it was lost, or cut short by a stop."""
    QUEUED = "queued"
    """It was due before the attempt that ran when the scheduler came to it."""
    OVERLAP = "overlap"
    """It came due while the job's earlier attempt ran."""
    SUPERSEDED = "superseded"
    """A regular firing came due while this retry waited."""
    MISFIRE = "misfire"
    """It was found late, together with a later one, and the later one runs."""
    PAUSED = "paused"
    EDITED = "edited"
    """It had come due, and the schedule was changed before it could start."""
    DEACTIVATED = "deactivated"
    DELETED = "deleted"
    BY_HAND = "cancelled by hand"
    STOPPED = "the scheduler stopped"


def schedule_of(job: Job) -> Schedule:
    """The job's schedule within its limits, from its stored text. Raises `ScheduleError` where its zone is unknown."""
    policies = job.policies
    return stored_schedule(
        job.schedule_type,
        job.schedule_value,
        job.timezone,
        job.anchor,
        policies.starts is not None,
        policies.exclude_dates,
        policies.only_between,
    )


def following(job: Job, after: int) -> int | None:
    """The job's first instant strictly after `after`, within `start_at`, `end_at` and `max_runs`."""
    policies = job.policies
    if policies.max_runs is not None and job.runs >= policies.max_runs:
        return None
    if policies.starts is not None:
        after = max(after, policies.starts - 1)
    instant = schedule_of(job).next_instant(after)
    return None if instant is None or (policies.ends is not None and instant > policies.ends) else instant


def coming(job: Job, next_fire: int | None) -> Job:
    """The job with a next firing that was computed here and now, and what tells the zone data it was computed with."""
    if next_fire is None or not _asks_zone(job):
        return replace(job, next_fire=next_fire, zone_data=None, next_wall=None)
    wall = wall_before(load_zone(job.timezone), next_fire)
    return replace(job, next_fire=next_fire, zone_data=zone_data(job.timezone), next_wall=wall)


def _asks_zone(job: Job) -> bool:
    """Whether the job's firings depend on its zone: an amount of time does not, unless it is limited by wall times."""
    policies = job.policies
    limited = policies.exclude_dates or policies.only_between is not None
    return job.schedule_type is not ScheduleType.RELATIVE or bool(limited)


def is_outdated(job: Job) -> bool:
    """Whether the job's next firing was computed with other data of its zone than there are here, if there are any."""
    return job.next_fire is not None and _asks_zone(job) and zone_data(job.timezone) not in ("", job.zone_data)


def anew(job: Job, now: int) -> Job:
    """The job with its next firing by the zone data there are here; itself, where it was computed with these.

    By these data it may have come due, and is a backlog then, or not be due any more. Raises `ScheduleError` where the
    schedule cannot be read here.
    """
    if job.next_fire is None or not is_outdated(job):
        return job
    schedule = schedule_of(job)
    after = accounted(schedule, job.next_fire, job.next_wall, now)
    if job.next_fire <= now and schedule.next_instant(after) == job.next_fire:
        return coming(job, job.next_fire)  # due by both: it stays, even where an edit has set an end before it
    return coming(job, following(job, after))


def within(job: Job, until: int) -> int:
    """`until`, but not after the job's `end_at`; an instant that was next already when that was set stays in."""
    if job.policies.ends is None:
        return until
    return min(until, max(job.policies.ends, job.next_fire or job.policies.ends))


def row_of(job: Job, scheduled: int, execution_id: str, trigger: Trigger = Trigger.SCHEDULE) -> Execution:
    """The first attempt at one firing of the job, waiting."""
    return Execution(
        id=execution_id,
        job_id=job.id,
        generation=job.generation,
        job_name=job.name,
        timezone=job.timezone,
        scheduled=scheduled,
        last_scheduled=scheduled,
        trigger=trigger,
        status=ExecutionStatus.WAITING,
        due=scheduled,
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
    first, last_moment = job.next_fire, within(job, now if until is None else until)
    if first is None or first > last_moment:
        return (), job
    row = closed(row_of(job, first, new_id()), status, reason, now)
    try:
        last, count = schedule_of(job).span(first, last_moment)
        after = coming(job, following(job, last))
    except ScheduleError:
        return (row,), coming(job, None)
    return (replace(row, last_scheduled=last, count=count),), after


def stepped(job: Job, **state: Any) -> Job:
    """The job with this state, one version on."""
    return replace(job, version=job.version + 1, **state)


def closed(execution: Execution, status: ExecutionStatus, reason: str | None, now: int) -> Execution:
    """An open row brought to its end."""
    return replace(execution, status=status, reason=reason, finished=now)


def changed(job: Job, kind: ChangeKind, now: int, detail: str | None = None) -> Change:
    """The line for the job's own history."""
    return Change(job_id=job.id, generation=job.generation, at=now, kind=kind, detail=detail)


def finish_if_over(job: Job, now: int, *, open_left: bool) -> tuple[Job, Change | None]:
    """The job `finished`, if it is active and has no firing to come and no attempt open; else as it is."""
    if job.status is not JobStatus.ACTIVE or job.next_fire is not None or open_left:
        return job, None
    return replace(job, status=JobStatus.FINISHED, status_reason=None), changed(job, ChangeKind.FINISHED, now)
