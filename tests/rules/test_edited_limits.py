"""Limits that are edited while a firing is due."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aurora_scheduler.definition import NewJob, declare
from aurora_scheduler.errors import ScheduleError
from aurora_scheduler.model import ExecutionStatus, Job
from aurora_scheduler.rules import Claim, decide, reschedule
from support.lives import DAY, HOUR, OWNER, START, Ids, edited


def a_daily_job(schedule: str = "every day at 09:00") -> Job:
    new = NewJob(name="a", schedule=schedule, callback="os.getcwd", timezone="UTC")
    return declare(new, now=START, new_id=Ids(), timezone="UTC").job


def test_a_due_firing_that_is_excluded_now_is_recorded_as_edited_and_does_not_run():
    job, now = a_daily_job(), START + DAY + 10 * HOUR
    after = edited(job, {"exclude_dates": ["2026-03-02", "2026-03-03"]}, now=now)
    assert after is not None
    assert after.next_fire == START + 2 * DAY + 9 * HOUR
    (missed,) = reschedule(job, after, now, Ids()).new
    assert (missed.status, missed.reason, missed.count) == (ExecutionStatus.MISSED, "edited", 2)


def test_a_due_firing_that_is_within_the_new_limits_stays_due():
    job, now = a_daily_job(), START + 10 * HOUR
    after = edited(job, {"only_between": ("08:00", "10:00"), "exclude_dates": ["2026-03-09"]}, now=now)
    assert after is not None
    assert after.next_fire == job.next_fire
    step = decide(after, (), (), now, owner=OWNER, new_id=Ids())
    assert isinstance(step, Claim)
    assert step.execution.scheduled == job.next_fire


def test_a_due_one_off_cannot_be_excluded():
    job = a_daily_job("2026-03-02 09:00")
    with pytest.raises(ScheduleError, match="past"):
        edited(job, {"exclude_dates": ["2026-03-02"]}, now=START + 10 * HOUR)


def test_a_due_instant_that_the_schedule_does_not_have_runs_once_and_harms_nothing():
    """As a row that another release has written may have it."""
    now = START + 10 * HOUR
    job = replace(a_daily_job(), next_fire=START + HOUR + 1)
    step = decide(job, (), (), now, owner=OWNER, new_id=Ids())
    assert isinstance(step, Claim)
    assert step.execution.scheduled == START + 9 * HOUR
    assert sum(row.count for row in step.commit.new) == 2
