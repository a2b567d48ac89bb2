"""An attempt that runs longer than its timeout: async ones are cancelled, threads are waited for."""

from __future__ import annotations

import logging

import pytest
import trio

from aurora_scheduler.instants import SECOND
from aurora_scheduler.model import ExecutionStatus
from aurora_scheduler.rules.firing import Reason
from support.lives import MINUTE, START
from support.virtual import sleeping

pytestmark = pytest.mark.trio


async def test_an_async_callback_is_cancelled_when_its_time_is_over(world):
    job = world.create("slow", "in 1 minute", sleeping(3600), timeout=30, max_retries=0)
    await world.start()
    await world.run(60 + 30)
    (row,) = world.rows(job)
    assert (row.status, row.reason) == (ExecutionStatus.TIMED_OUT, Reason.TIMEOUT)
    assert row.finished == START + 90 * SECOND
    assert row.error == "timed out: it ran for 30.0 s, longer than its timeout"
    assert row.result == {"success": False, "error": row.error}
    assert world.job(job).last_run_result == row.result


async def test_a_timeout_is_a_failure_and_is_retried(world):
    job = world.create("slow", "in 1 minute", sleeping(3600), timeout="30 seconds", max_retries=2, retry_delay=60)
    await world.start()
    await world.run(3600)
    assert [row.attempt for row in world.rows(job)] == [1, 2, 3]
    assert {row.status for row in world.rows(job)} == {ExecutionStatus.TIMED_OUT}
    assert world.job(job).retry_count == 3
    assert world.job(job).status == "deactivated"


@pytest.mark.parametrize("sync", [False, True], ids=["async", "in a thread"])
async def test_what_ends_in_time_has_not_timed_out(world, sync):
    def in_thread(call):
        call.sleep(29)

    job = world.create("quick", "in 1 minute", in_thread if sync else sleeping(29), sync=sync, timeout=30)
    engine = await world.start()
    before = trio.lowlevel.current_statistics().tasks_living
    await world.run(200)
    (row,) = world.rows(job)
    assert row.status is ExecutionStatus.SUCCEEDED
    assert trio.lowlevel.current_statistics().tasks_living - engine.idle_threads < before


async def test_a_thread_is_marked_keeps_its_slot_and_has_timed_out_when_it_returns(world, caplog):
    def stuck(call):
        call.sleep(600)
        return {"message": "done after all"}

    job = world.create("stuck", "every 1 minute", stuck, sync=True, timeout=30, max_retries=0)
    await world.start()
    with caplog.at_level(logging.WARNING, "aurora_scheduler"):
        await world.run(95)
    assert "'stuck' runs longer than its timeout of 30 s, and its thread cannot be stopped" in caplog.text
    first = world.rows(job)[0]
    assert (first.status, first.reason, first.finished) == (ExecutionStatus.CANCELLING, Reason.TIMEOUT, None)
    await world.run(600)
    first, *others = world.rows(job)
    assert (first.status, first.reason) == (ExecutionStatus.TIMED_OUT, Reason.TIMEOUT)
    assert first.started == START + MINUTE
    assert first.finished == START + 11 * MINUTE
    assert first.error == "timed out: it ran for 600.0 s, longer than its timeout"
    assert [row.reason for row in others[:9]] == ["overlap"] * 9
    world.check_every_instant(job)


async def test_a_callback_that_does_not_heed_its_cancellation_is_marked_too(world):
    async def stubborn(call):
        with trio.CancelScope(shield=True):
            await trio.sleep(600)

    job = world.create("stubborn", "in 1 minute", stubborn, timeout=30, max_retries=0)
    await world.start()
    await world.run(60 + 40)
    (row,) = world.rows(job)
    assert (row.status, row.reason) == (ExecutionStatus.CANCELLING, Reason.TIMEOUT)
    await world.run(600)
    (row,) = world.rows(job)
    assert (row.status, row.finished) == (ExecutionStatus.TIMED_OUT, START + 11 * MINUTE)


async def test_a_callback_that_swallows_its_cancellation_has_timed_out_all_the_same(world):
    async def swallows(call):
        with trio.move_on_after(3600):
            try:
                await trio.sleep(600)
            except trio.Cancelled:
                return "nothing happened"

    job = world.create("swallows", "in 1 minute", swallows, timeout=30, max_retries=0)
    await world.start()
    await world.run(200)
    (row,) = world.rows(job)
    assert row.status is ExecutionStatus.TIMED_OUT


async def test_one_that_is_cancelled_by_hand_before_its_timeout_is_cancelled(world):
    job = world.create("slow", "in 1 minute", sleeping(3600), timeout=30, max_retries=0)
    await world.start()
    await world.run(70)
    world.cancel(world.rows(job)[0].id)
    await world.run(60)
    (row,) = world.rows(job)
    assert (row.status, row.reason) == (ExecutionStatus.CANCELLED, Reason.BY_HAND)


async def test_a_thread_that_is_cancelled_by_hand_and_then_runs_too_long_was_cancelled(world):
    job = world.create("slow", "in 1 minute", lambda call: call.sleep(100), sync=True, timeout=30, max_retries=0)
    await world.start()
    await world.run(70)
    world.cancel(world.rows(job)[0].id)
    await world.run(120)
    (row,) = world.rows(job)
    assert (row.status, row.reason) == (ExecutionStatus.CANCELLED, Reason.BY_HAND)


async def test_a_stop_during_a_timeouts_cleaning_up_writes_the_timeout(world):
    async def tidies_up(call):
        try:
            await trio.sleep(3600)
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(5)

    job = world.create("slow", "in 1 minute", tidies_up, timeout=30, max_retries=0)
    await world.start()
    await world.run(60 + 31)
    await world.stop(drain=1)
    (row,) = world.rows(job)
    assert row.status is ExecutionStatus.TIMED_OUT


async def test_a_stop_cancels_an_attempt_that_has_a_timeout(world):
    job = world.create("slow", "in 1 minute", sleeping(3600), timeout=600)
    await world.start()
    await world.run(70)
    await world.stop(drain=1)
    first, again = world.rows(job)
    assert (first.status, first.reason) == (ExecutionStatus.CANCELLED, Reason.STOPPED)
    assert (again.status, again.attempt) == (ExecutionStatus.WAITING, 2)


async def test_the_time_counts_from_the_begin_of_the_callback_and_not_from_the_wait_for_a_thread(world):
    for name in ("one", "two"):
        world.create(name, "in 1 minute", lambda call: call.sleep(25), sync=True, timeout=30, max_retries=0)
    await world.start(max_workers=1)
    await world.run(200)
    assert [row.status for row in world.rows()] == [ExecutionStatus.SUCCEEDED] * 2
    assert sorted(call.begun for call in world.calls) == [START + MINUTE, START + MINUTE + 25 * SECOND]


async def test_a_set_clock_does_not_change_how_long_a_callback_may_run(world):
    job = world.create("slow", "in 1 minute", sleeping(3600), timeout=30, max_retries=0)
    await world.start()
    await world.run(65)
    world.clock.set(3600)
    await world.run(20)
    assert world.rows(job)[0].status is ExecutionStatus.RUNNING
    await world.run(10)
    assert world.rows(job)[0].status is ExecutionStatus.TIMED_OUT


async def test_the_mark_of_a_timeout_waits_for_a_store_that_is_away(world):
    job = world.create("stuck", "in 1 minute", lambda call: call.sleep(600), sync=True, timeout=30, max_retries=0)
    await world.start()
    await world.run(70)
    world.writer.failing_writes = 3
    await world.run(60)
    assert world.rows(job)[0].status is ExecutionStatus.CANCELLING
    await world.run(600)
    assert world.rows(job)[0].status is ExecutionStatus.TIMED_OUT


async def test_a_deleted_jobs_attempt_times_out_too(world):
    job = world.create("stuck", "in 1 minute", lambda call: call.sleep(600), sync=True, timeout=30, max_retries=0)
    await world.start()
    await world.run(70)
    world.delete(job)
    await world.run(60)
    assert world.rows(job)[0].status is ExecutionStatus.CANCELLING
    await world.run(600)
    assert world.rows(job)[0].status is ExecutionStatus.TIMED_OUT
