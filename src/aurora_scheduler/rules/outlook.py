"""What is to come of a job, as it stands."""

from __future__ import annotations

from aurora_scheduler.answers import Outlook
from aurora_scheduler.instants import aware, presented
from aurora_scheduler.model import Job
from aurora_scheduler.rules.timing import delay_of, following, schedule_of

__all__ = ["outlook"]


def outlook(job: Job, count: int, now: int) -> Outlook:
    """The job's schedule in words, and when its next `count` firings are due, seen from `now`.

    Raises `ScheduleError` where its zone is unknown here.
    """
    due: list[int] = []
    instant, runs = job.next_fire if job.is_active else None, job.runs
    while instant is not None and len(due) < count:
        due.append(instant + delay_of(job, instant))
        runs += 1
        instant = following(job, instant, runs)
    times = tuple(moment for each in due if (moment := presented(each, job.timezone)) is not None)
    description = schedule_of(job).describe(aware(now))
    return Outlook(job_id=job.id, description=description, next_run_times=times)
