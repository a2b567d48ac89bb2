"""Why a job ran at an instant, or why it did not: from its rows, its changes and its schedule."""

from __future__ import annotations

from collections.abc import Sequence

from aurora_scheduler.answers import Explanation
from aurora_scheduler.errors import ScheduleError
from aurora_scheduler.instants import presented
from aurora_scheduler.model import Change, ChangeKind, Execution, ExecutionStatus, Job, JobStatus, Policies
from aurora_scheduler.rules.firing import Reason
from aurora_scheduler.rules.timing import delay_of, schedule_of
from aurora_scheduler.values import replace

__all__ = ["explain", "instant_within"]

_STATUSES = {
    ExecutionStatus.WAITING: "waits for its turn",
    ExecutionStatus.RUNNING: "runs",
    ExecutionStatus.CANCELLING: "was asked to end, and has not ended yet",
    ExecutionStatus.SUCCEEDED: "succeeded",
    ExecutionStatus.FAILED: "failed",
    ExecutionStatus.TIMED_OUT: "ran longer than its timeout",
    ExecutionStatus.CANCELLED: "was cancelled",
    ExecutionStatus.LOST: "was lost",
    ExecutionStatus.SKIPPED: "was skipped",
    ExecutionStatus.MISSED: "was missed",
}
_REASONS: dict[str, str] = {
    Reason.RECOVERED: "the attempt before it was lost, or cut short by a stop",
    Reason.QUEUED: "the job ran when it came due",
    Reason.BACKLOG: "it was found late together with others, which run in turn",
    Reason.OVERLAP: "an earlier attempt of the job still ran",
    Reason.SUPERSEDED: "a newer firing took its place",
    Reason.MISFIRE: "it was found too late, or a later one ran instead",
    Reason.PAUSED: "the job was paused",
    Reason.EDITED: "the job's schedule was changed before it could begin",
    Reason.DEACTIVATED: "the job was deactivated after its failures",
    Reason.DELETED: "the job was deleted",
    Reason.BY_HAND: "somebody cancelled it",
    Reason.STOPPED: "the scheduler stopped before it had ended",
}
#: What a change makes of a job, as far as its firings are concerned.
_STATES = {
    ChangeKind.CREATED: JobStatus.ACTIVE,
    ChangeKind.RESUMED: JobStatus.ACTIVE,
    ChangeKind.RESOLVED: JobStatus.ACTIVE,
    ChangeKind.PAUSED: JobStatus.PAUSED,
    ChangeKind.DEACTIVATED: JobStatus.DEACTIVATED,
    ChangeKind.UNRESOLVED: JobStatus.UNRESOLVED,
    ChangeKind.FINISHED: JobStatus.FINISHED,
}
_RESTING = (JobStatus.PAUSED, JobStatus.DEACTIVATED, JobStatus.FINISHED)


def instant_within(job: Job, first: int, last: int) -> int | None:
    """The first instant of the job's schedule from `first` to `last`, whatever its bounds; None: there is none.

    Raises `ScheduleError` where its zone is unknown here.
    """
    instant = schedule_of(replace(job, policies=Policies(starts=job.policies.starts))).next_instant(first - 1)
    return instant if instant is not None and instant <= last else None


def explain(
    job: Job, rows: Sequence[Execution], changes: Sequence[Change], first: int, last: int, now: int
) -> Explanation:
    """What became of the firing between two instants: usually one and the same, or a second or minute that was named.

    `rows` are those of the job that stand for an instant in it, `changes` all that is known of the job's own history.
    """
    exact = [row for row in rows if row.scheduled == first]
    begins = exact or [row for row in rows if row.scheduled >= first]
    if begins:
        return _recorded(job, begins, first)
    if job.policies.starts is not None and last < job.policies.starts:
        return _answer(job, first, "before_start", f"the job's start_at is {job.start_at}")
    try:
        instant = instant_within(job, first, last)
    except ScheduleError as error:
        return _answer(job, first, "unresolved", f"nobody can tell: {error}")
    if instant is not None and rows:  # in the range of one
        return _recorded(job, rows, instant)
    if instant is None:
        return _no_instant(job, changes, first)
    return _without_record(job, changes, instant, now)


def _recorded(job: Job, rows: Sequence[Execution], first: int) -> Explanation:
    rows = sorted(rows, key=lambda row: (row.scheduled, row.attempt))
    rows = [row for row in rows if row.scheduled == rows[0].scheduled]
    told = "; ".join(_told(row, len(rows) > 1) for row in rows)
    at = max(rows[0].scheduled, first) if rows[0].count > 1 else rows[0].scheduled
    return replace(_answer(job, at, rows[-1].status.value, told), executions=tuple(rows))


def _told(row: Execution, several: bool) -> str:
    subject = f"attempt {row.attempt}" if several else "it"
    if row.count > 1:
        span = f"{row.count:,} instants from {row.scheduled_for} to {row.last_scheduled_for}"
        subject = f"it is one of {span}; each"
    text = f"{subject} {_STATUSES[row.status]}"
    if row.started is not None:
        text += f", begun at {row.started_at}, {(row.started - row.due) / 1e6:.1f} s after it was due"
    if row.error is not None:
        return f"{text}: {row.error}"
    reason = _REASONS.get(row.reason, row.reason) if row.reason is not None else None
    return text if reason is None else f"{text}: {reason}"


def _without_record(job: Job, changes: Sequence[Change], instant: int, now: int) -> Explanation:
    if job.policies.ends is not None and instant > job.policies.ends:
        return _answer(job, instant, "after_end", f"the job's end_at is {job.end_at}")
    if schedule_of(job).next_instant(instant - 1) != instant:
        text = "the job's exclude_dates or only_between leave this instant out"
        return _answer(job, instant, "excluded", text)
    if instant + delay_of(job, instant) > now:
        return _to_come(job, instant)
    if instant <= job.created:
        return _answer(job, instant, "before_created", f"the job was created at {job.created_at}")
    return _past(job, changes, instant)


def _to_come(job: Job, instant: int) -> Explanation:
    if not job.is_active:
        reason = f": {job.status_reason}" if job.status_reason else ""
        return _answer(
            job, instant, job.status.value, f"it will not run as things are: the job is {job.status}{reason}"
        )
    if job.next_fire is None or instant < job.next_fire:
        return _answer(job, instant, "finished", "the job has no firing to come any more: its max_runs are used up")
    due = presented(instant + delay_of(job, instant), job.timezone)
    return _answer(job, instant, "to_come", f"it is to come: it is due at {due}")


def _past(job: Job, changes: Sequence[Change], instant: int) -> Explanation:
    before = [change for change in changes if change.at <= instant and change.kind in _STATES]
    state = _STATES[before[-1].kind] if before else JobStatus.ACTIVE
    if before and state in _RESTING:
        when = presented(before[-1].at, job.timezone)
        why = f": {before[-1].detail}" if before[-1].detail else ""
        text = f"the job was {state} since {when}{why}"
        return replace(_answer(job, instant, state.value, text), changes=(before[-1],))
    if job.is_active and job.next_fire is not None and job.next_fire <= instant:
        return _answer(job, instant, "due", "it is due, and no scheduler has begun it yet: is one started?")
    if job.status is JobStatus.UNRESOLVED:
        return _answer(job, instant, "unresolved", f"the job cannot run here: {job.status_reason}")
    edit = next((c for c in changes if c.at > instant and c.kind is ChangeKind.UPDATED), None)
    if edit is not None:
        when = presented(edit.at, job.timezone)
        text = f"the job was changed at {when}; by its schedule of that time this may have been no instant"
        return replace(_answer(job, instant, "edited", text), changes=(edit,))
    if job.status is JobStatus.FINISHED or job.next_fire is None:
        return _answer(job, instant, "finished", "the job had no firing to come any more")
    return _answer(
        job, instant, "forgotten", "its record is gone: keep_executions and keep_days say how long one is kept"
    )


def _no_instant(job: Job, changes: Sequence[Change], at: int) -> Explanation:
    schedule = schedule_of(job)
    before, after = (presented(i, job.timezone) for i in (schedule.previous_instant(at), schedule.next_instant(at)))
    text = (
        f"{job.schedule_value!r} has no instant there; the one before is {before or 'none'}, the next {after or 'none'}"
    )
    if any(change.kind is ChangeKind.UPDATED and change.at > at for change in changes):
        text += " (the job was changed since)"
    return _answer(job, at, "no_instant", text)


def _answer(job: Job, at: int, verdict: str, text: str) -> Explanation:
    return Explanation(job_id=job.id, at=at, timezone=job.timezone, verdict=verdict, text=text)
