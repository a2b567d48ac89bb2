"""Instants that have their record already: after the wall clock was set back, a job comes to them a second time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from aurora_scheduler.errors import ScheduleError
from aurora_scheduler.instants import SECOND
from aurora_scheduler.model import Commit, Execution, ExecutionStatus, Job
from aurora_scheduler.rules.firing import Reason, let_pass, stepped
from aurora_scheduler.rules.timing import coming, delay_of, following, schedule_of
from aurora_scheduler.values import replace

__all__ = ["CORRECTION", "beyond", "pass_over", "standing"]

#: Set back by more than this, the wall clock was wrong before, and firings are computed anew; by less, jobs wait for
#: their time.
CORRECTION = 3 * 3600 * SECOND


def standing(job: Job, records: Sequence[Execution], first: int, now: int) -> list[Execution]:
    """Those of these records that stand for instants of the job's schedule, from `first` on; earliest first.

    A range of missed instants that reaches far beyond now was recorded by a wrong clock. It does not keep the job from
    its firings: of such a range only the first instant stands, which can have no second record.
    """
    kept: list[Execution] = []
    with suppress(ScheduleError):  # its zone is unknown here: it has no instants
        for row in sorted(records, key=lambda record: record.scheduled):
            if row.status is ExecutionStatus.MISSED and row.last_scheduled > now + CORRECTION:
                row = replace(row, last_scheduled=row.scheduled, count=1)
            instant = schedule_of(job).next_instant(max(row.scheduled, first) - 1)
            if instant is not None and instant <= row.last_scheduled:
                kept.append(row)
    return kept


def beyond(job: Job, records: Sequence[Execution], now: int) -> Job:
    """The job; past the range that its next firing lies in, if one of these records is that.

    The first instant of a record is told by the store when it is written again, those within a range are not.
    """
    if job.next_fire is not None:
        for row in standing(job, records, job.next_fire, now):
            if row.scheduled < job.next_fire <= row.last_scheduled:
                return coming(job, following(job, row.last_scheduled))
    return job


def pass_over(job: Job, records: Sequence[Execution], now: int, new_id: Callable[[], str]) -> Commit:
    """Go past the instants that have come due and stand in one of these records; it stays, and they are not run.

    What is due before the last of them, and has no record, is missed.
    """
    assert job.next_fire is not None
    missed: list[Execution] = []
    after = job
    for row in standing(job, records, job.next_fire, now):
        if row.scheduled + delay_of(job, row.scheduled) > now:
            continue
        rows, after = let_pass(after, now, ExecutionStatus.MISSED, Reason.MISFIRE, new_id, until=row.scheduled - 1)
        missed += rows
        if after.next_fire is not None and row.scheduled <= after.next_fire <= row.last_scheduled:
            after = coming(after, following(after, row.last_scheduled))
    if after is job:  # nobody knows what stands in the way; but one has to get past it
        after = coming(job, following(job, job.next_fire))
    return Commit(job=stepped(after), new=tuple(missed))
