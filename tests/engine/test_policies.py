"""The policies of overlap, misfire and jitter, carried out: the real engine on virtual time."""

from __future__ import annotations

import pytest
import trio

from aurora_scheduler.callbacks import is_async
from aurora_scheduler.errors import CallbackError
from aurora_scheduler.model import ExecutionStatus
from aurora_scheduler.rules.firing import Reason
from support.lives import HOUR, MINUTE, START
from support.virtual import sleeping, work

pytestmark = pytest.mark.trio

SUCCEEDED, SKIPPED, CANCELLED = ExecutionStatus.SUCCEEDED, ExecutionStatus.SKIPPED, ExecutionStatus.CANCELLED


def minutes(rows):
    return [(row.scheduled - START) // MINUTE for row in rows]


def told(world, job):
    rows = world.rows(job)
    return [(minute, row.attempt, row.status) for minute, row in zip(minutes(rows), rows, strict=True)]


def begun(world, job):
    return [((call.scheduled - START) // MINUTE, (call.begun - START) // MINUTE) for call in world.calls_of(job)]


@pytest.mark.parametrize("sync", [False, True], ids=["async", "in threads"])
async def test_queue_one_runs_the_next_when_the_last_has_ended(world, sync):
    def slow_in_thread(call):
        call.sleep(24 * 60)

    part = slow_in_thread if sync else sleeping(24 * 60)
    job = world.create("slow", "every 10 minutes", part, sync=sync, overlap="queue_one")
    await world.start()
    await world.run(80 * 60)
    assert begun(world, job) == [(10, 10), (20, 34), (40, 58)]
    assert minutes(world.rows(job, SKIPPED)) == [30, 50, 70, 80]
    world.check_every_instant(job)


async def test_queue_all_runs_every_one(world):
    job = world.create("slow", "every 10 minutes", sleeping(25 * 60), overlap="queue_all", max_runs=4)
    await world.start()
    await world.run(3 * 3600)
    assert begun(world, job) == [(10, 10), (20, 35), (30, 60), (40, 85)]


@pytest.mark.parametrize("most", [None, 2])
async def test_allow_runs_firings_beside_each_other(world, most):
    job = world.create("slow", "every 10 minutes", sleeping(25 * 60), overlap="allow", max_instances=most)
    await world.start()
    await world.run(60 * 60 - 1)
    expected = [10, 20, 30, 40, 50] if most is None else [10, 20, 40, 50]
    assert begun(world, job) == [(minute, minute) for minute in expected]
    world.check_every_instant(job)


async def test_cancel_previous_begins_the_new_one_when_the_old_one_has_ended(world):
    async def tidies_up(call):
        try:
            await trio.sleep(25 * 60)
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(60)

    job = world.create("slow", "every 10 minutes", tidies_up, overlap="cancel_previous", max_retries=0)
    await world.start()
    await world.run(45 * 60)
    assert begun(world, job) == [(10, 10), (20, 21), (30, 31), (40, 41)]
    assert [(row.status, row.reason) for row in world.rows(job)][:3] == [(CANCELLED, Reason.SUPERSEDED)] * 3
    assert world.job(job).retry_count == 0


async def test_cancel_previous_is_refused_for_a_plain_function(world):
    assert not is_async(work)
    with pytest.raises(CallbackError, match=r"cancel_previous.*thread cannot be stopped"):
        world.create("slow", "every 10 minutes", sync=True, overlap="cancel_previous")
    job = world.create("slow", "every 10 minutes", sync=True)
    with pytest.raises(CallbackError, match="cancel_previous"):
        world.edit(job, overlap="cancel_previous")


async def test_a_change_of_overlap_holds_from_the_next_firing_on(world):
    job = world.create("slow", "every 10 minutes", sleeping(25 * 60))
    await world.start()
    await world.run(15 * 60)
    world.edit(job, overlap="allow")
    await world.run(20 * 60)
    assert begun(world, job) == [(10, 10), (20, 20), (30, 30)]


@pytest.mark.parametrize("misfire", ["run_once", "skip", "run_all"])
async def test_a_backlog_found_at_the_start_is_sorted_out(world, misfire):
    job = world.create("hourly", "every 1 hour", sleeping(60), misfire=misfire)
    await world.run(4 * 3600 + 120)
    await world.start()
    await world.run(1800)
    ran = [(call.scheduled - START) // HOUR for call in world.calls_of(job)]
    assert ran == {"run_once": [4], "skip": [], "run_all": [1, 2, 3, 4]}[misfire]
    world.check_every_instant(job)


async def test_firings_that_wait_survive_a_crash(world_on_disk):
    world = world_on_disk
    job = world.create("slow", "every 10 minutes", sleeping(25 * 60), overlap="queue_all", max_runs=3)
    await world.start()
    await world.run(31 * 60)
    await world.crash()
    await world.start()
    await world.run(2 * 3600)
    assert told(world, job) == [
        (10, 1, ExecutionStatus.LOST),
        (10, 2, SUCCEEDED),
        (20, 1, SUCCEEDED),
        (30, 1, SUCCEEDED),
    ]


async def test_at_most_once_a_lost_attempt_is_not_run_again(world_on_disk):
    world = world_on_disk
    job = world.create("once", "every 10 minutes", sleeping(5 * 60), delivery="at_most_once")
    await world.start()
    await world.run(12 * 60)
    await world.crash()
    await world.start()
    await world.run(15 * 60)
    assert told(world, job) == [
        (10, 1, ExecutionStatus.LOST),
        (20, 1, SUCCEEDED),
    ]
    assert begun(world, job) == [(10, 10), (20, 20)]


async def test_at_most_once_an_attempt_that_a_stop_cut_short_is_not_run_again(world):
    job = world.create("once", "every 10 minutes", sleeping(3600), delivery="at_most_once")
    await world.start()
    await world.run(12 * 60)
    await world.stop(drain=1)
    assert [(row.attempt, row.status) for row in world.rows(job)] == [(1, CANCELLED)]


async def test_at_most_once_a_reported_failure_is_retried_only_if_that_was_asked_for(world):
    def fail(call):
        raise RuntimeError("no")

    once = world.create("once", "in 10 minutes", fail, delivery="at_most_once")
    again = world.create("again", "in 10 minutes", fail, delivery="at_most_once", max_retries=1, retry_delay=60)
    await world.start()
    await world.run(3600)
    assert len(world.calls_of(once)) == 1
    assert len(world.calls_of(again)) == 2


async def test_a_jittered_job_fires_at_the_same_moments_after_a_restart(world_on_disk):
    world = world_on_disk
    job = world.create("spread", "every 1 hour", lambda call: None, jitter="30 minutes")
    next_due = world.job(job).next_due
    await world.start()
    await world.run(1800)
    await world.crash()
    await world.start()
    assert world.job(job).next_due == next_due
    await world.run(6 * 3600)
    calls = world.calls_of(job)
    assert calls[0].begun == next_due
    assert all(0 <= call.begun - call.scheduled <= 30 * MINUTE for call in calls)
    assert len({call.begun - call.scheduled for call in calls}) == len(calls)
    assert all(row.lateness is not None and not row.lateness for row in world.rows(job))
    world.check_every_instant(job)


async def test_what_was_cancelled_by_hand_stays_so_when_a_newer_firing_takes_its_place(world):
    async def deaf(call):
        with trio.CancelScope(shield=True):
            await trio.sleep(90)

    job = world.create("job", "every 1 minute", deaf, overlap="cancel_previous")
    await world.start()
    await world.run(61)
    (row,) = world.rows(job)
    world.cancel(row.id)
    await world.run(60)
    assert (world.row(row.id).status, world.row(row.id).reason) == (ExecutionStatus.CANCELLING, Reason.BY_HAND)
    await world.run(60)
    assert (world.row(row.id).status, world.row(row.id).reason) == (CANCELLED, Reason.BY_HAND)
