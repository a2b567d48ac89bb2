"""Whether a job's history is whole: every instant that came due is in exactly one record."""

from __future__ import annotations

from collections.abc import Iterable

from aurora_scheduler.model import Execution, ExecutionStatus, Job, JobStatus
from aurora_scheduler.preview import next_fire_times

__all__ = ["missing_records"]

_MANY = 100_000


def missing_records(job: Job, rows: Iterable[Execution]) -> list[str]:
    """What is wrong with the history of a job, in words; an empty list where nothing is."""
    own = [row for row in rows if row.job_id == job.id]
    if job.schedule_value.startswith("in "):
        ended = job.status is JobStatus.FINISHED and own[0].status is ExecutionStatus.SUCCEEDED
        return [] if ended else [f"it is {job.status}, and should have succeeded"]
    if job.next_run_time is None:
        return [f"it is {job.status}, and should be active"]
    pending = job.next_run_time
    # The schedule is computed anew, from its text: the record is held against it, not against itself.
    due = []
    for moment in next_fire_times(job.schedule_value, job.timezone, job.created_at, _count(job)):
        if moment < pending:
            due.append(moment)
    firings = [row for row in own if row.attempt == 1]
    covered = [moment for row in firings for moment in due if row.scheduled_for <= moment <= row.last_scheduled_for]
    problems = []
    if sorted(covered) != due:
        problems.append(f"{len(due)} instants came due, {len(set(covered))} have a record")
    if sum(row.count for row in firings) != len(covered):
        problems.append("a record counts otherwise than the schedule")
    if open_rows := [row for row in own if not row.status.is_final]:
        problems.append(f"{len(open_rows)} executions are still {open_rows[0].status}")
    return problems


def _count(job: Job) -> int:
    """As many firings as there can have been, at one a second, until the pending one."""
    assert job.next_run_time is not None
    return min(_MANY, int((job.next_run_time - job.created_at).total_seconds()) + 1)
