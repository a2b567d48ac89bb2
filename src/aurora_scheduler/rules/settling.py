"""What the end of an attempt writes: `settle` when it ended here, `recover` when its owner died before it did."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aurora_scheduler.model import (
    ChangeKind,
    Commit,
    Execution,
    ExecutionStatus,
    Job,
    JobStatus,
    Outcome,
    Policies,
    Trigger,
)
from aurora_scheduler.rules.firing import Reason, changed, closed, finish_if_over, let_pass, stepped
from aurora_scheduler.rules.timing import hashed
from aurora_scheduler.values import replace

__all__ = ["overrun", "recover", "retry_delay", "settle"]

#: After this many lost attempts of one firing it is not the machine that has bad luck: the callback kills its process.
DEATHS = 3

_FAILURES = (ExecutionStatus.FAILED, ExecutionStatus.TIMED_OUT)


def settle(
    job: Job | None,
    waiting: Sequence[Execution],
    others_running: int,
    execution: Execution,
    outcome: Outcome,
    now: int,
    *,
    new_id: Callable[[], str],
    started: int | None = None,
    finished: int | None = None,
) -> Commit:
    """The end of `execution`: its final row, the job's counters, and the retry if one is due.

    `job` is None where the job was deleted meanwhile: then only the row is written. `waiting` are the job's other open
    rows, `others_running` counts its other attempts. `started` and `finished` tell when its callback really began, and
    ended: None is when it was claimed, and now.
    """
    ended = replace(
        execution,
        status=outcome.status,
        reason=outcome.reason if outcome.reason is not None else execution.reason,
        started=execution.started if started is None else started,
        finished=now if finished is None else finished,
        result=outcome.result,
        error=outcome.error,
        traceback=outcome.traceback,
    )
    if job is None:
        return Commit(job=None, moved=(ended,))
    streak = job.retry_count
    if outcome.status is ExecutionStatus.SUCCEEDED:
        streak = 0
    elif outcome.status in _FAILURES:
        streak += 1
    state = {"last_run": ended.started, "last_run_result": outcome.result, "retry_count": streak}
    new: tuple[Execution, ...] = ()
    if outcome.status in _FAILURES:
        if job.status is JobStatus.ACTIVE:
            if streak > job.policies.max_retries:
                return _exhausted(stepped(job, **state), waiting, others_running, ended, outcome.error, now, new_id)
            new = (_next_attempt(execution, now + retry_delay(job.policies, execution), None, new_id()),)
    elif outcome.reason == Reason.STOPPED and _runs_again(job, execution):
        new = (_next_attempt(execution, now, Reason.RECOVERED, new_id()),)
    open_left = bool(new or waiting or others_running)
    after, change = finish_if_over(job, now, open_left=open_left, version=job.version + 1, **state)
    return Commit(job=after, new=new, moved=(ended,), change=change)


def recover(
    job: Job | None,
    waiting: Sequence[Execution],
    others_running: int,
    execution: Execution,
    lost_before: int,
    now: int,
    *,
    new_id: Callable[[], str],
    cause: str = "the process died",
) -> Commit:
    """What becomes of an attempt whose owner is gone: `lost`, and its firing runs again, first in line.

    `lost_before` counts the firing's attempts lost earlier: at the third death the firing has failed, one failure of
    the streak, and is not run again. `cause` says how it was lost, where that was otherwise.
    """
    deaths = lost_before + 1
    reason = f"{cause} {deaths} times" if deaths >= DEATHS else cause
    lost = closed(execution, ExecutionStatus.LOST, reason, now)
    if job is None:
        return Commit(job=None, moved=(lost,))
    after = stepped(job)
    new: tuple[Execution, ...] = ()
    if deaths >= DEATHS:
        after = replace(
            after,
            retry_count=job.retry_count + 1,
            last_run=execution.started,
            last_run_result={"success": False, "error": reason},
        )
        if job.status is JobStatus.ACTIVE and after.retry_count > job.policies.max_retries:
            return _exhausted(after, waiting, others_running, lost, reason, now, new_id)
    elif _runs_again(job, execution):
        new = (_next_attempt(execution, now, Reason.RECOVERED, new_id()),)
    after, change = finish_if_over(after, now, open_left=bool(new or waiting or others_running))
    return Commit(job=after, new=new, moved=(lost,), change=change)


def overrun(job: Job | None, execution: Execution) -> Commit:
    """An attempt that runs longer than its timeout was asked to end, and has not ended yet."""
    marked = replace(execution, status=ExecutionStatus.CANCELLING, reason=Reason.TIMEOUT)
    return Commit(job=None if job is None else stepped(job), moved=(marked,))


def retry_delay(policies: Policies, execution: Execution) -> int:
    """The wait before the attempt after `execution`, in microseconds: `min(max, delay * backoff ** (n - 1))`.

    `retry_jitter` adds a share that depends on the firing alone, so that the same firing always waits as long.
    """
    try:
        delay = policies.retry_delay * policies.retry_backoff ** (execution.attempt - 1)
        wait = min(policies.max_retry_delay, round(delay))
    except OverflowError:
        wait = policies.max_retry_delay
    if policies.retry_jitter:
        key = f"{execution.job_id}:{execution.scheduled}:{execution.attempt}"
        wait += hashed(key, policies.retry_jitter)
    return wait


def _runs_again(job: Job, execution: Execution) -> bool:
    """At least once; but a paused job's regular firings do not run, and a run by hand was asked for all the same.

    What was cancelled is not wanted any more, whether it had heard of that or not.
    """
    if job.policies.delivery != "at_least_once":
        return False
    if execution.status is ExecutionStatus.CANCELLING and execution.reason in (Reason.BY_HAND, Reason.SUPERSEDED):
        return False
    return job.status in (JobStatus.ACTIVE, JobStatus.UNRESOLVED) or execution.trigger is Trigger.MANUAL


def _next_attempt(execution: Execution, due: int, reason: str | None, execution_id: str) -> Execution:
    return replace(
        execution,
        id=execution_id,
        attempt=execution.attempt + 1,
        status=ExecutionStatus.WAITING,
        reason=reason,
        due=due,
        started=None,
        finished=None,
        owner=None,
    )


def _exhausted(
    job: Job,
    waiting: Sequence[Execution],
    others_running: int,
    ended: Execution,
    error: str | None,
    now: int,
    new_id: Callable[[], str],
) -> Commit:
    """The retries are used up: the job is put to rest, or, if it was told to go on, its streak starts anew."""
    if job.policies.on_exhausted == "continue":
        after, change = finish_if_over(job, now, open_left=bool(waiting or others_running), retry_count=0)
        return Commit(job=after, moved=(ended,), change=change)
    times = "once" if job.retry_count == 1 else f"{job.retry_count} times in a row"
    reason = f"failed {times}: {error}"
    missed, rest = let_pass(job, now, ExecutionStatus.MISSED, Reason.DEACTIVATED, new_id)
    rest = replace(rest, status=JobStatus.DEACTIVATED, status_reason=reason)
    cancelled = tuple(closed(row, ExecutionStatus.CANCELLED, Reason.DEACTIVATED, now) for row in waiting)
    change = changed(job, ChangeKind.DEACTIVATED, now, reason)
    return Commit(job=rest, new=missed, moved=(ended, *cancelled), change=change)
