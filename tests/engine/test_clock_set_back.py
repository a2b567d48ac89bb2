"""A wall clock that is set back by far, so that a job comes to instants a second time: each has one record, not two."""

from __future__ import annotations

import pytest

from aurora_scheduler.model import ExecutionStatus, JobStatus, Trigger
from support.lives import HOUR, START
from support.virtual import sleeping

pytestmark = pytest.mark.trio


def recorded(world, job):
    """How many records there are of each hour, by the hour."""
    hours: dict[int, int] = {}
    for row in world.rows(job):
        if row.trigger is Trigger.SCHEDULE and row.attempt == 1:
            for instant in range(row.scheduled, row.last_scheduled + 1, HOUR):
                hour = (instant - START) // HOUR
                hours[hour] = hours.get(hour, 0) + 1
    return hours


async def jump_forth_and_back(world, forth, back):
    """Half an hour in, somebody sets the clock by so many hours, and then back."""
    await world.run(1800)
    world.clock.set(forth * 3600)
    await world.run(2)
    world.clock.set(-back * 3600)
    await world.run(2)


async def test_what_was_missed_in_a_range_by_a_wrong_clock_runs_when_its_time_comes_in_truth(world):
    job = world.create("hourly", "0 * * * *", lambda call: None)
    await world.start(watch_clock=True)
    await jump_forth_and_back(world, 10, 8)  # it is half past two again; one to nine are missed, ten has run
    assert world.job(job).next_fire == START + 3 * HOUR
    await world.run(20 * 3600)
    twice = dict.fromkeys(range(3, 10), 2)
    assert recorded(world, job) == dict.fromkeys(range(1, 23), 1) | twice
    ran = [row.scheduled for row in world.rows(job) if row.status is ExecutionStatus.SUCCEEDED]
    assert ran == [START + hour * HOUR for hour in range(3, 23)]


async def test_a_range_that_ends_soon_is_waited_for_and_not_recorded_again(world):
    job = world.create("hourly", "0 * * * *", lambda call: None)
    await world.start(watch_clock=True)
    await jump_forth_and_back(world, 5, 3.5)  # it is two; one to four are missed, five has run
    assert world.job(job).next_fire == START + 5 * HOUR
    await world.run(20 * 3600)
    assert recorded(world, job) == dict.fromkeys(range(1, 23), 1)


async def test_what_is_due_before_recorded_instants_is_not_forgotten(world_on_disk):
    world = world_on_disk
    job = world.create("hourly", "0 * * * *", lambda call: None)
    await world.start(watch_clock=True)
    await jump_forth_and_back(world, 5, 10)  # five hours before it was created
    await world.crash()
    await world.run(12 * 3600)
    await world.start()
    await world.run(3600)
    assert recorded(world, job) == dict.fromkeys(range(-4, 9), 1)


@pytest.mark.parametrize("what", ["pause", "delete", "edit"])
async def test_a_call_about_a_job_that_is_overdue_meets_recorded_instants(world_on_disk, what):
    world = world_on_disk
    job = world.create("hourly", "0 * * * *", lambda call: None, misfire="skip")
    await world.start(watch_clock=True)
    await jump_forth_and_back(world, 5, 10)
    await world.crash()
    await world.run(12 * 3600)
    if what == "edit":
        world.edit(job, schedule="30 * * * *")
    else:
        assert getattr(world, what)(job)
    assert recorded(world, job) == dict.fromkeys(range(-4, 8), 1)
    reasons = {row.reason for row in world.rows(job)}
    assert reasons == {"misfire", {"pause": "paused", "delete": "deleted", "edit": "edited"}[what]}


async def test_a_one_off_that_has_its_record_is_not_missed_when_it_is_resumed_after_its_time(world):
    job = world.create("once", "in 1 hour", lambda call: {"success": False}, max_retries=0)
    await world.start(watch_clock=True)
    await world.run(3700)
    assert world.job(job).status is JobStatus.DEACTIVATED
    world.clock.set(-4 * 3600)
    await world.run(2)
    assert world.resume(job)
    assert world.pause(job)
    await world.run(5 * 3600)
    assert not world.resume(job)
    assert world.job(job).status is JobStatus.FINISHED
    assert [row.status for row in world.rows(job)] == [ExecutionStatus.FAILED]


async def test_a_finished_job_whose_instants_all_have_their_record_stays_finished_when_it_is_edited(world):
    job = world.create("hourly", "0 * * * *", lambda call: None, misfire="skip", end_at="2026-03-02 04:00")
    await world.start(watch_clock=True)
    await jump_forth_and_back(world, 8, 7)
    assert recorded(world, job) == dict.fromkeys(range(1, 5), 1)
    assert world.job(job).status is JobStatus.FINISHED
    world.edit(job, schedule="0 0-23 * * *")
    assert (world.job(job).status, world.job(job).next_fire) == (JobStatus.FINISHED, None)


async def test_a_run_by_hand_after_the_clock_was_set_back_still_finds_its_job_busy(world):
    job = world.create("slow", "every 1 hour", sleeping(7200))
    await world.start(watch_clock=True)
    await world.run(3700)
    world.clock.set(-600)
    await world.run(2)
    asked = world.run_by_hand(job)
    await world.settle()
    assert (world.row(asked).status, world.row(asked).reason) == (ExecutionStatus.SKIPPED, "overlap")
