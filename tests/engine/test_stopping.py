"""Stopping: nothing new begins, what runs may end, what will not is left behind."""

from __future__ import annotations

import logging

import pytest
import trio

from aurora_scheduler.instants import SECOND
from aurora_scheduler.model import ExecutionStatus
from support.lives import HOUR, MINUTE, START
from support.virtual import sleeping

pytestmark = pytest.mark.trio


async def test_an_engine_with_nothing_to_do_stops_at_once(world):
    world.create("idle", "every 1 hour", lambda call: None)
    await world.start()
    before = world.now
    await world.stop()
    assert world.now == before
    assert not world.engine.is_owner


async def test_an_engine_can_be_stopped_before_it_has_begun(world):
    await world.start()
    world.begin_stop(0)
    world.begin_stop(100)
    await world.stop()


async def test_what_runs_is_waited_for_and_written(world):
    job = world.create("slow", "every 1 hour", sleeping(20))
    await world.start()
    await world.run(3601)
    await world.stop(drain=30)
    (row,) = world.rows(job)
    assert (row.status, row.finished) == (ExecutionStatus.SUCCEEDED, START + HOUR + 20 * SECOND)
    assert world.now == START + HOUR + 20 * SECOND


@pytest.mark.parametrize(("second", "ends_after"), [(1, 6), (100, 20)])
async def test_a_later_stop_can_only_shorten_the_wait(world, second, ends_after):
    job = world.create("slow", "in 1 minute", sleeping(20))
    await world.start()
    await world.run(MINUTE // SECOND)
    world.begin_stop(30)
    await world.run(5)
    await world.stop(second)
    assert world.now == START + MINUTE + ends_after * SECOND
    last = world.rows(job)[0]
    assert last.status is (ExecutionStatus.CANCELLED if second == 1 else ExecutionStatus.SUCCEEDED)


async def test_while_it_drains_nothing_new_begins(world):
    world.create("slow", "every 1 hour", sleeping(120))
    other = world.create("due while draining", "in 61 minutes", lambda call: None)
    await world.start()
    await world.run(3601)
    await world.stop(drain=300)
    assert len(world.calls) == 1
    assert world.job(other).is_active
    await world.start()
    await world.run(1)
    assert [call.job_name for call in world.calls] == ["slow", "due while draining"]


async def test_an_async_callback_is_cancelled_after_the_drain_and_its_firing_runs_at_the_next_start(world):
    job = world.create("endless", "every 1 hour", sleeping(1800))
    await world.start()
    await world.run(3600 + 60)
    await world.stop(drain=30)
    cancelled, again = world.rows(job)
    assert (cancelled.status, cancelled.reason) == (ExecutionStatus.CANCELLED, "the scheduler stopped")
    assert cancelled.finished == START + 61 * MINUTE + 30 * SECOND
    assert (again.status, again.attempt) == (ExecutionStatus.WAITING, 2)
    await world.start()
    await world.run(1860)
    assert [(row.status, row.attempt) for row in world.rows(job)] == [
        (ExecutionStatus.CANCELLED, 1),
        (ExecutionStatus.SUCCEEDED, 2),
    ]


async def test_a_callback_may_clean_up_when_it_is_cancelled(world):
    cleaned = []

    async def tidy(call):
        try:
            await trio.sleep(1800)
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(5)
            cleaned.append(world.now)

    world.create("tidy", "every 1 hour", tidy)
    await world.start()
    await world.run(3660)
    await world.stop(drain=0)
    assert cleaned == [START + 61 * MINUTE + 5 * SECOND]
    assert not world.engine.abandoned


async def test_a_thread_that_ends_while_it_is_waited_for_is_recorded_as_what_it_came_to(world):
    job = world.create("slow", "every 1 hour", lambda call: call.sleep(35), sync=True)
    await world.start()
    await world.run(3600)
    await world.stop(drain=30)
    assert [row.status for row in world.rows(job)] == [ExecutionStatus.SUCCEEDED]


async def test_a_callback_that_swallows_cancellation_is_let_go_of_and_named(world_on_disk, caplog):
    world = world_on_disk

    async def stubborn(call):
        with trio.CancelScope(shield=True):
            await trio.sleep(1800)

    job = world.create("stubborn", "every 1 hour", stubborn)
    await world.start()
    await world.run(3660)
    world.begin_stop(30)
    await world.run(39)
    assert not world.engine.abandoned
    await world.run(2)
    assert world.engine.abandoned
    assert world.writer.is_closed
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert any("stubborn" in message and "recovered" in message for message in told)
    await world.run(1800)
    world.open()
    await world.start()
    await world.run(1)
    assert [(row.status, row.attempt) for row in world.rows(job)] == [
        (ExecutionStatus.LOST, 1),
        (ExecutionStatus.RUNNING, 2),
    ]


async def test_a_thread_that_does_not_end_is_let_go_of(world_on_disk, caplog):
    world = world_on_disk
    world.create("stubborn", "every 1 hour", lambda call: call.sleep(1800), sync=True)
    await world.start()
    await world.run(3660)
    await world.stop(drain=30)
    assert world.engine.left == ("stubborn",)
    assert world.now == START + 61 * MINUTE + 40 * SECOND
    assert any("stubborn" in record.getMessage() for record in caplog.records)
    await world.run(1800)


async def test_what_was_begun_by_hand_is_cut_short_and_recovered_too(world):
    job = world.create("by hand", "every 1 day", sleeping(600))
    await world.start()
    world.run_by_hand(job)
    await world.run(60)
    await world.stop(drain=0)
    await world.start()
    await world.run(660)
    assert [row.status for row in world.rows(job)] == [ExecutionStatus.CANCELLED, ExecutionStatus.SUCCEEDED]


async def test_stopped_and_started_again_many_times_nothing_is_lost(world):
    job = world.create("patient", "every 7 minutes", sleeping(60))
    for _ in range(10):
        await world.start()
        await world.run(1000)
        await world.stop(drain=15)
        world.mock.jump(100)
    await world.start()
    await world.run(600)
    world.check_every_instant(job)
