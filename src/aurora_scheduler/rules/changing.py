"""What a person's call does to a job: pausing, resuming, running, cancelling; and what a failed import does.

Each answers with the `Commit` that is to be written, or None where there is nothing to write.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aurora_scheduler.errors import ScheduleError
from aurora_scheduler.instants import presented
from aurora_scheduler.model import Change, ChangeKind, Commit, Execution, ExecutionStatus, Job, JobStatus, Trigger
from aurora_scheduler.rules.firing import Reason, changed, closed, finish_if_over, let_pass, row_of, stepped
from aurora_scheduler.rules.overlap import seated
from aurora_scheduler.rules.settling import retry_delay
from aurora_scheduler.rules.timing import anew, coming, following, is_outdated, rejittered, schedule_of
from aurora_scheduler.values import replace

__all__ = [
    "cancel_waiting",
    "delete",
    "is_free",
    "pause",
    "renamed",
    "renewed",
    "request_cancel",
    "request_run",
    "reschedule",
    "resolved",
    "resume",
    "rewound",
    "unresolved",
]


def pause(job: Job, waiting: Sequence[Execution], now: int, new_id: Callable[[], str]) -> Commit | None:
    """Put the job to rest: no firings until it is resumed; attempts that wait are cancelled, those that run go on.

    An instant that has come due and was not begun yet is missed. The one that is next stays in the row, so that
    `resume` can tell whether a one-off's passed meanwhile.
    """
    if job.status in (JobStatus.PAUSED, JobStatus.FINISHED):
        return None
    missed, rest = _overdue(job, now, Reason.PAUSED, new_id)
    cancelled = tuple(closed(row, ExecutionStatus.CANCELLED, Reason.PAUSED, now) for row in waiting)
    rest = stepped(rest, status=JobStatus.PAUSED, status_reason=None, updated=now)
    return Commit(job=rest, new=missed, moved=cancelled, change=changed(job, ChangeKind.PAUSED, now))


def delete(job: Job, waiting: Sequence[Execution], now: int, new_id: Callable[[], str]) -> Commit:
    """What goes with the job's row: attempts that wait are cancelled, an instant that has come due is missed."""
    missed, _ = _overdue(job, now, Reason.DELETED, new_id)
    cancelled = tuple(closed(row, ExecutionStatus.CANCELLED, Reason.DELETED, now) for row in waiting)
    return Commit(job=None, new=missed, moved=cancelled, change=changed(job, ChangeKind.DELETED, now))


def reschedule(before: Job, after: Job, now: int, new_id: Callable[[], str]) -> Commit:
    """What goes with an edited job's row: what had come due by the old schedule, and is not kept, is missed."""
    dropped = before.next_fire != after.next_fire
    missed = _overdue(before, now, Reason.EDITED, new_id)[0] if dropped else ()
    return Commit(job=None, new=missed, change=changed(after, ChangeKind.UPDATED, now))


def renamed(job: Job, job_id: str, generation: int, now: int) -> Job:
    """The job under another id. Its next firing has another share of `jitter` then, since that depends on the id."""
    after = stepped(job, id=job_id, generation=generation, updated=now)
    try:
        return rejittered(after)
    except ScheduleError:  # its zone is unknown here: it keeps the share that it has
        return after


def _overdue(job: Job, now: int, reason: Reason, new_id: Callable[[], str]) -> tuple[tuple[Execution, ...], Job]:
    """The record of what came due while the job could fire, and the job with what is next."""
    if job.status not in (JobStatus.ACTIVE, JobStatus.UNRESOLVED):
        return (), job
    return let_pass(job, now, ExecutionStatus.MISSED, reason, new_id)


def resume(job: Job, waiting: Sequence[Execution], others_running: int, now: int, execution_id: str) -> Commit | None:
    """Make the job active again, its next firing after now: what passed while it rested is no misfire.

    A job that has no instant left is finished; if its only one passed meanwhile, that is recorded as missed. Raises
    `ScheduleError` where the job's zone is unknown here: nobody can tell then what comes after now.
    """
    if job.status not in (JobStatus.PAUSED, JobStatus.DEACTIVATED):
        return None
    schedule_of(job)
    job = anew(job, now)
    passed = job.next_fire if job.next_due is not None and job.next_due <= now else None
    streak = 0 if job.status is JobStatus.DEACTIVATED else job.retry_count
    active = stepped(job, status=JobStatus.ACTIVE, status_reason=None, retry_count=streak, updated=now)
    if passed is not None or job.next_fire is None or job.next_fire > now:  # the clock may have been set meanwhile
        active = coming(active, following(job, now))
    missed: tuple[Execution, ...] = ()
    if passed is not None and following(job, passed) is None:
        row = row_of(job, passed, execution_id)
        missed = (closed(row, ExecutionStatus.MISSED, Reason.PAUSED, now),)
    active, _ = finish_if_over(active, now, open_left=bool(waiting or others_running))
    return Commit(job=active, new=missed, change=changed(job, ChangeKind.RESUMED, now))


def is_free(job: Job, instant: int) -> bool:
    """Whether no firing of the schedule has this instant, so that a run by hand may have it."""
    try:
        return following(job, instant - 1) != instant
    except ScheduleError:  # its zone is unknown here: it has no instants
        return True


def rewound(job: Job, waiting: Sequence[Execution], now: int) -> Commit | None:
    """The wall clock was set back by far: the next firing is the first after now; what is recorded is passed over.

    A retry that waits has its delay before it, and not also what the clock was wrong by.
    """
    if job.status not in (JobStatus.ACTIVE, JobStatus.UNRESOLVED):
        return None
    latest = {row.id: now + retry_delay(job.policies, replace(row, attempt=row.attempt - 1)) for row in waiting}
    sooner = tuple(replace(row, due=latest[row.id]) for row in waiting if row.attempt > 1 and row.due > latest[row.id])
    instant = None if job.next_fire is None else following(job, now)
    if instant is not None and job.next_fire is not None and instant < job.next_fire:
        return Commit(job=coming(stepped(job), instant), moved=sooner)
    return Commit(job=stepped(job), moved=sooner) if sooner else None


def renewed(job: Job, now: int) -> Commit | None:
    """The next firing was computed with other zone data than there are here: compute it anew, whatever the status.

    Only an instant that has moved is told in the job's history. Raises `ScheduleError` where the zone is unknown here.
    """
    if not is_outdated(job):
        return None
    after = stepped(anew(job, now))
    if after.next_fire == job.next_fire:
        return Commit(job=after)
    now_at, before_at = (presented(instant, job.timezone) or "never" for instant in (after.next_fire, job.next_fire))
    detail = f"the data of the time zone have changed: the next firing is {now_at}, not {before_at}"
    return Commit(job=after, change=changed(job, ChangeKind.UPDATED, now, detail))


def request_run(job: Job, scheduled: int, now: int, execution_id: str) -> tuple[Commit, Execution]:
    """A firing by hand at `scheduled`: a waiting row that the owner takes at once."""
    row = row_of(job, scheduled, execution_id, Trigger.MANUAL)
    return Commit(job=stepped(job), new=(row,), change=changed(job, ChangeKind.RUN_REQUESTED, now, row.id)), row


def cancel_waiting(job: Job | None, row: Execution, others_waiting: int, others_running: int, now: int) -> Commit:
    """An attempt that has not begun is cancelled on the spot."""
    cancelled = closed(row, ExecutionStatus.CANCELLED, Reason.BY_HAND, now)
    if job is None:
        return Commit(job=None, moved=(cancelled,))
    request = changed(job, ChangeKind.CANCEL_REQUESTED, now, row.id)
    open_left = bool(others_waiting or others_running)
    after, finished = finish_if_over(job, now, open_left=open_left, version=job.version + 1)
    return Commit(job=after, moved=(cancelled,), change=finished or request)


def request_cancel(job: Job | None, row: Execution, now: int) -> Commit:
    """An attempt that runs is marked; its owner sees the mark and cancels it."""
    marked = replace(row, status=ExecutionStatus.CANCELLING, reason=Reason.BY_HAND)
    request = Change(
        job_id=row.job_id, generation=row.generation, at=now, kind=ChangeKind.CANCEL_REQUESTED, detail=row.id
    )
    return Commit(job=None if job is None else stepped(job), moved=(marked,), change=request)


def unresolved(job: Job, reason: str, now: int) -> Commit | None:
    """The job's callback or zone cannot be found: it is kept, and does not fire until it can."""
    if job.status is not JobStatus.ACTIVE:
        return None
    rest = stepped(job, status=JobStatus.UNRESOLVED, status_reason=reason)
    return Commit(job=rest, change=changed(job, ChangeKind.UNRESOLVED, now, reason))


def resolved(job: Job, waiting: Sequence[Execution], now: int) -> Commit | None:
    """The callback and the zone are there again: the job is active; what came due meanwhile is a backlog.

    Where its next firing is not known, as in a row that is damaged, it is the first after now; unless what waits for
    its turn has the last places among `max_runs`.
    """
    if job.status is not JobStatus.UNRESOLVED:
        return None
    active = stepped(job, status=JobStatus.ACTIVE, status_reason=None)
    if active.next_fire is None:
        active = seated(coming(active, following(active, now)), waiting)
    return Commit(job=active, change=changed(job, ChangeKind.RESOLVED, now))
