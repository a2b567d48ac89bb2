"""More active jobs than may have a task: those that fire last rest in the store, and all of them fire in time."""

from __future__ import annotations

import pytest

from aurora_scheduler.instants import SECOND
from aurora_scheduler.model import CallbackName, ExecutionStatus, JobStatus
from aurora_scheduler.values import replace
from support.virtual import sleeping

pytestmark = pytest.mark.trio

MOST = 10
MINUTE, HOUR, DAY = 60, 3600, 86_400


def tended(world):
    """The ids of the jobs that have their task."""
    return {job.id for job in world.store.jobs() if world.engine.book.knows(job.id)}


def create_many(world, count, schedule="in {} minutes", sync=False):
    return [
        world.create(f"job {number}", schedule.format(number), lambda call: None, sync=sync)
        for number in range(1, count + 1)
    ]


def lateness_of(world, jobs):
    rows = [row for job in jobs for row in world.rows(job)]
    assert {row.status for row in rows} == {ExecutionStatus.SUCCEEDED}
    return [(row.started - row.scheduled) / SECOND for row in rows]


class TestBelowTheMost:
    async def test_every_active_job_has_its_task(self, world):
        jobs = create_many(world, MOST)
        paused = world.create("paused", "every 1 hour")
        world.pause(paused)
        await world.start(max_tasks=MOST)
        assert tended(world) == set(jobs)

    async def test_also_when_others_have_gone(self, world):
        jobs = create_many(world, MOST + 5)
        await world.start(max_tasks=MOST)
        for job in jobs[:5]:
            world.delete(job)
        await world.run(10)
        assert tended(world) == set(jobs[5:])


class TestAboveIt:
    async def test_only_the_nearest_have(self, world):
        jobs = create_many(world, 4 * MOST)
        await world.start(max_tasks=MOST)
        assert tended(world) == set(jobs[:MOST])

    async def test_all_fire_in_time(self, world):
        jobs = create_many(world, 4 * MOST)
        await world.start(max_tasks=MOST)
        await world.run(4 * MOST * MINUTE + 1)
        assert lateness_of(world, jobs) == [0.0] * 4 * MOST
        assert tended(world) == set()

    async def test_also_in_threads(self, world):
        jobs = create_many(world, 3 * MOST, sync=True)
        await world.start(max_tasks=MOST)
        await world.run(3 * MOST * MINUTE + 1)
        assert lateness_of(world, jobs) == [0.0] * 3 * MOST

    @pytest.mark.parametrize("most", [1, 2, 7])
    async def test_those_that_come_again_and_again_take_turns(self, world, most):
        jobs = create_many(world, 20, "every {} hours")
        await world.start(max_tasks=most)
        await world.run(DAY + 1)
        assert len(lateness_of(world, jobs)) == sum(24 // hours for hours in range(1, 21))
        assert max(lateness_of(world, jobs)) == 0.0
        for job in jobs:
            world.check_every_instant(job)

    async def test_very_many_at_the_same_instant_all_fire_and_none_twice(self, world):
        jobs = create_many(world, 10 * MOST, "every 1 hour")
        await world.start(max_tasks=MOST)
        await world.run(3 * HOUR + MINUTE)
        assert len(lateness_of(world, jobs)) == 3 * 10 * MOST
        assert max(lateness_of(world, jobs)) < 30
        for job in jobs:
            world.check_every_instant(job)

    async def test_what_came_due_while_nobody_was_there_is_fired_what_was_due_first_first(self, world):
        jobs = create_many(world, 5 * MOST)
        await world.run(HOUR)
        await world.start(max_tasks=MOST, max_concurrent=1)
        await world.run(MINUTE)
        assert [call.job_id for call in world.calls] == jobs

    async def test_one_that_runs_stays_until_it_has_ended(self, world):
        long = world.create("long", "every 1 day", sleeping(2 * HOUR))
        create_many(world, 2 * MOST, "every {} hours")
        await world.start(max_tasks=MOST)
        await world.run(DAY + MINUTE)
        assert long in tended(world)
        await world.run(3 * HOUR)
        assert long not in tended(world)
        assert [row.status for row in world.rows(long)] == [ExecutionStatus.SUCCEEDED]

    async def test_one_that_fails_stays_for_its_retries(self, world):
        def fail_once(call):
            return {"success": call.attempt > 1}

        failing = world.create("failing", "every 1 day", fail_once, retry_delay=2 * HOUR)
        create_many(world, 2 * MOST, "every {} hours")
        await world.start(max_tasks=MOST)
        await world.run(DAY + MINUTE)
        assert failing in tended(world)
        await world.run(3 * HOUR)
        assert failing not in tended(world)
        assert [row.attempt for row in world.rows(failing)] == [1, 2]


class TestOneThatRests:
    """A job that has no task can be used as any other."""

    @pytest.fixture
    async def resting(self, world):
        create_many(world, 2 * MOST, "every {} hours")
        job = world.create("resting", "every 2 days", lambda call: None)
        await world.start(max_tasks=MOST)
        assert job not in tended(world)
        return job

    async def test_is_run_by_hand(self, world, resting):
        world.run_by_hand(resting)
        await world.run(1)
        assert [row.status for row in world.rows(resting)] == [ExecutionStatus.SUCCEEDED]
        assert resting not in tended(world)

    async def test_is_edited_to_fire_soon(self, world, resting):
        world.edit(resting, schedule="every 10 seconds")
        await world.run(31)
        assert len(world.calls_of(resting)) == 3

    async def test_is_paused_resumed_and_deleted(self, world, resting):
        world.pause(resting)
        await world.run(MINUTE)
        world.resume(resting)
        await world.run(2 * DAY)
        assert len(world.calls_of(resting)) == 1
        world.delete(resting)
        await world.run(3 * DAY)
        assert len(world.calls_of(resting)) == 1

    async def test_fires_when_the_clock_is_set_to_its_time(self, world):
        create_many(world, 2 * MOST, "every {} days")
        job = world.create("resting", "every 30 days", lambda call: None)
        await world.start(max_tasks=MOST, watch_clock=True)
        world.clock.set(31 * DAY)
        await world.run(MINUTE)
        assert len(world.calls_of(job)) == 1

    @pytest.mark.parametrize("noticed", ["while it runs", "at the next start"])
    async def test_fires_by_the_new_time_when_the_clock_was_set_back_by_far(self, world, noticed):
        world.clock.set(1000 * DAY)
        create_many(world, 2 * MOST, "{} 0,12,23 * * *")
        job = world.create("resting", "30 23 * * *", lambda call: None)
        await world.start(max_tasks=MOST, watch_clock=True)
        if noticed == "while it runs":
            world.clock.set(-1000 * DAY)
            await world.run(MINUTE)
        else:
            await world.stop()
            world.clock.set(-1000 * DAY)
            await world.start(max_tasks=MOST, watch_clock=True)
        assert job not in tended(world)
        await world.run(DAY)
        assert len(world.calls_of(job)) == 1

    async def test_is_unresolved_only_when_its_turn_comes(self, world):
        create_many(world, 2 * MOST, "every {} hours")
        job = world.create("resting", "every 1 day", timezone="Europe/Berlin")
        world.write(lambda store: store.replace(_elsewhere(store.job(job))))
        await world.start(max_tasks=MOST)
        assert world.job(job).status is JobStatus.ACTIVE
        await world.run(DAY + MINUTE)
        assert world.job(job).status is JobStatus.UNRESOLVED


def _elsewhere(job):
    return replace(job, version=job.version + 1, callback=CallbackName("nowhere_to_be_found", "act"))


async def test_jobs_created_later_take_the_places_of_those_that_fire_later(world):
    far = create_many(world, MOST, "every {} days")
    await world.start(max_tasks=MOST)
    assert tended(world) == set(far)
    near = create_many(world, MOST, "every {} hours")
    await world.run(1)
    assert tended(world) == set(near)
    await world.run(3 * DAY)
    for job in (*far, *near):
        world.check_every_instant(job)


async def test_a_crash_loses_none_that_rests(world):
    jobs = create_many(world, 3 * MOST, "every {} hours")
    await world.start(max_tasks=MOST)
    for _ in range(10):
        await world.run(5 * HOUR + 7)
        await world.crash()
        await world.start(max_tasks=MOST)
    for job in jobs:
        world.check_every_instant(job)
