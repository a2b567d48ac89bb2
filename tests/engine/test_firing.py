"""Jobs fire when they are due, each by itself."""

from __future__ import annotations

from itertools import chain

import pytest
import trio

from aurora_scheduler.instants import SECOND
from aurora_scheduler.model import ExecutionStatus, JobStatus
from aurora_scheduler.testing.clock import VirtualClock
from support.lives import DAY, HOUR, MINUTE, START
from support.virtual import sleeping

pytestmark = pytest.mark.trio


async def test_an_hourly_job_fires_every_hour_of_a_month_exactly_once(world):
    job = world.create("hourly", "every 1 hour", lambda call: {"message": "done"})
    await world.start()
    await world.run(31 * 86_400)
    assert [call.begun for call in world.calls] == [START + n * HOUR for n in range(1, 31 * 24 + 1)]
    assert all(call.scheduled == call.begun for call in world.calls)
    assert {row.status for row in world.rows(job)} == {ExecutionStatus.SUCCEEDED}
    assert world.job(job).runs == 31 * 24
    world.check_every_instant(job)


async def test_two_hundred_jobs_of_all_sorts_fire_when_they_are_due(world):
    schedules = [f"every {n} minutes" for n in range(7, 107)]
    schedules += [f"{n} * * * *" for n in range(50)] + [f"in {n} minutes" for n in range(1, 51)]
    jobs = [world.create(f"job {n}", schedule, lambda call: None) for n, schedule in enumerate(schedules)]
    await world.start()
    await world.run(6 * 3600)
    for job in jobs:
        world.check_every_instant(job)
    assert all(call.begun == call.scheduled for call in world.calls)
    assert len(world.calls) == len(world.rows())


async def test_the_same_world_twice_does_the_same_in_the_same_order(world):
    for n in range(20):
        world.create(f"job {n}", f"every {n % 4 + 1} minutes", sleeping(1))
    await world.start()
    await world.run(600)
    begun = [call.begun for call in world.calls]
    assert begun == sorted(begun)
    assert len({call.execution_id for call in world.calls}) == len(world.calls)
    one, two = VirtualClock(world.mock, START, seed=3), VirtualClock(world.mock, START, seed=3)
    assert [one.new_id() for _ in range(5)] == [two.new_id() for _ in range(5)]


async def test_a_job_created_while_the_engine_runs_fires_too(world):
    await world.start()
    await world.run(100)
    job = world.create("late", "every 1 minute", lambda call: None)
    await world.run(60)
    assert [call.begun for call in world.calls_of(job)] == [START + 160 * SECOND]


async def test_a_one_off_fires_once_and_is_finished(world):
    job = world.create("once", "in 30 minutes", lambda call: None)
    await world.start()
    await world.run(86_400)
    assert [call.begun for call in world.calls] == [START + 30 * MINUTE]
    assert (world.job(job).status, world.job(job).next_run_time) == (JobStatus.FINISHED, None)


async def test_a_callback_is_told_its_firing(world):
    told = []
    job = world.create("told", "every 1 hour", told.append)
    await world.start()
    await world.run(3600)
    (call,) = told
    (row,) = world.rows(job)
    assert (call.job_id, call.job_name, call.execution_id) == (job, "told", row.id)
    assert (call.scheduled, call.attempt) == (START + HOUR, 1)
    assert call.key == row.idempotency_key


@pytest.mark.parametrize("sync", [False, True], ids=["async", "in threads"])
async def test_a_slow_job_never_delays_another(world, sync):
    def slow_in_thread(call):
        call.sleep(1800)

    async def slow(call):
        await trio.sleep(1800)

    for n in range(10):
        world.create(f"slow {n}", "every 10 minutes", slow_in_thread if sync else slow, sync=sync)
    prompt = world.create("prompt", "every 1 minute", lambda call: None, sync=sync)
    await world.start()
    await world.run(4 * 3600)
    assert [call.begun for call in world.calls_of(prompt)] == [START + n * MINUTE for n in range(1, 241)]
    world.check_every_instant(prompt)


async def test_a_failing_job_never_delays_another(world):
    def fail(call):
        raise RuntimeError("always")

    for n in range(10):
        world.create(f"failing {n}", "every 1 minute", fail, on_exhausted="continue", retry_delay=1)
    prompt = world.create("prompt", "every 1 minute", lambda call: None)
    await world.start()
    await world.run(1800)
    assert [call.begun for call in world.calls_of(prompt)] == [START + n * MINUTE for n in range(1, 31)]


async def test_what_comes_due_while_a_job_runs_is_skipped_with_its_reason(world):
    job = world.create("slow", "every 10 minutes", sleeping(1500))
    await world.start()
    await world.run(2 * 3600)
    rows = world.rows(job)
    assert [(row.scheduled - START) // MINUTE for row in rows if row.status is ExecutionStatus.SUCCEEDED] == [
        10, 40, 70,
    ]  # fmt: skip
    assert {row.reason for row in rows if row.status is ExecutionStatus.SKIPPED} == {"overlap"}
    world.check_every_instant(job)


async def test_the_engine_that_was_blocked_skips_what_came_due_as_one_range(world):
    async def block(call):
        await trio.sleep(1)
        world.mock.jump(3600)  # what a callback does that blocks the loop for an hour
        await trio.sleep(1)

    job = world.create("blocking", "every 10 minutes", block, max_runs=1)
    endless = world.create("endless", "every 10 minutes", sleeping(86_400))
    await world.start()
    await world.run(2 * 3600)
    assert [(row.status, row.count) for row in world.rows(endless)][:2] == [
        (ExecutionStatus.RUNNING, 1),
        (ExecutionStatus.SKIPPED, 6),
    ]
    world.check_every_instant(endless)
    assert world.job(job).status is JobStatus.FINISHED


async def test_of_what_came_due_while_the_scheduler_was_down_the_latest_runs(world):
    job = world.create("hourly", "every 1 hour", lambda call: None)
    world.mock.jump(10 * 3600 + 60)
    await world.start()
    await world.run(1)
    missed, ran = world.rows(job)
    assert (missed.status, missed.count, missed.reason) == (ExecutionStatus.MISSED, 9, "misfire")
    assert (ran.status, ran.scheduled, ran.started) == (
        ExecutionStatus.SUCCEEDED,
        START + 10 * HOUR,
        START + 10 * HOUR + MINUTE,
    )
    await world.run_to(START + DAY)
    world.check_every_instant(job)


def by_threes(calls):
    """The instants in the order in which the calls began; of three that began in one moment the order is free."""
    groups = [sorted(call.scheduled for call in calls[n : n + 3]) for n in range(0, len(calls), 3)]
    return list(chain.from_iterable(groups))


async def test_at_most_max_concurrent_executions_run_and_of_those_that_wait_who_is_due_first_goes_first(world):
    running = most = 0

    async def play(call):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await trio.sleep(10)
        running -= 1

    jobs = [world.create(f"job {n}", f"in {40 - n} minutes", play) for n in range(20)]
    world.mock.jump(3600)
    await world.start(max_concurrent=3)
    await world.run(600)
    assert most == 3
    assert by_threes(world.calls[3:]) == sorted(call.scheduled for call in world.calls[3:])
    assert {world.job(job).status for job in jobs} == {JobStatus.FINISHED}


@pytest.mark.parametrize("seed", range(2))
async def test_those_due_first_get_the_first_slots_of_a_catch_up_too(world, seed):
    world.reorder(seed)
    for n in range(20):
        world.create(f"job {n}", f"in {40 - n} minutes", sleeping(10))
    world.mock.jump(3600)
    await world.start(max_concurrent=3)
    await world.run(600)
    assert by_threes(world.calls) == sorted(call.scheduled for call in world.calls)


async def test_a_job_that_waits_for_a_slot_runs_what_is_latest_when_it_gets_one(world):
    world.create("holds the only slot", "in 1 minute", sleeping(3600))
    job = world.create("waits", "every 10 minutes", lambda call: None)
    await world.start(max_concurrent=1)
    await world.run_to(START + 62 * MINUTE)
    ran = world.calls_of(job)
    assert [(call.scheduled, call.begun) for call in ran] == [(START + 60 * MINUTE, START + 61 * MINUTE)]
    world.check_every_instant(job)


async def test_a_paused_job_that_waited_for_a_slot_gives_it_up(world):
    world.create("holds the only slot", "in 1 minute", sleeping(600))
    paused = world.create("paused", "in 2 minutes", lambda call: None)
    last = world.create("last", "in 3 minutes", lambda call: None)
    await world.start(max_concurrent=1)
    await world.run(300)
    world.pause(paused)
    await world.run(600)
    assert [call.job_id for call in world.calls][1:] == [last]


async def test_waking_at_the_right_instant_is_true_far_from_the_start(world):
    world.mock.jump(20 * 365 * 86_400)
    job = world.create("odd", "every 7 seconds", lambda call: None)
    await world.start()
    await world.run(700)
    assert [call.begun - call.scheduled for call in world.calls_of(job)] == [0] * 100
