"""Failures and their retries, on the real engine."""

from __future__ import annotations

import logging

import pytest
import trio

from aurora_scheduler.instants import SECOND
from aurora_scheduler.model import ExecutionStatus, JobStatus
from support.lives import DAY, MINUTE, START

pytestmark = pytest.mark.trio


def failing(times):
    """A part that fails so many times of each firing."""

    def fail(call):
        if call.attempt <= times:
            raise ValueError(f"no {call.attempt}")

    return fail


def begun(world, job):
    """When the job's calls began, in seconds after the start."""
    return [(call.begun - START) // SECOND for call in world.calls_of(job)]


async def test_retries_come_at_their_instants(world):
    job = world.create("shaky", "every 1 day", failing(3), retry_delay="5 minutes")
    await world.start()
    await world.run(86_400 + 3600)
    assert begun(world, job) == [86_400, 86_700, 87_000, 87_300]
    assert [row.status for row in world.rows(job)] == [ExecutionStatus.FAILED] * 3 + [ExecutionStatus.SUCCEEDED]
    assert world.job(job).retry_count == 0
    assert world.job(job).next_fire == START + 2 * DAY


async def test_the_delay_is_counted_from_the_end_of_the_attempt(world):
    async def fail_slowly(call):
        await trio.sleep(100)
        return {"success": call.attempt > 1, "error": "slow"}

    job = world.create("slow and shaky", "every 1 day", fail_slowly, retry_delay=10)
    await world.start()
    await world.run(86_400 + 3600)
    assert begun(world, job) == [86_400, 86_510]


async def test_retries_with_backoff_come_at_their_instants(world):
    job = world.create("shaky", "every 1 day", failing(4), retry_delay=60, retry_backoff=2.0, max_retries=5)
    await world.start()
    await world.run(86_400 + 7200)
    assert begun(world, job) == [86_400, 86_460, 86_580, 86_820, 87_300]


async def test_a_job_that_fires_more_often_than_its_retries_retries_by_its_next_firing(world):
    job = world.create("shaky", "every 1 minute", failing(9), retry_delay=300, max_retries=2)
    await world.start()
    await world.run(600)
    assert begun(world, job) == [60, 120, 180]
    rows = world.rows(job)
    assert [(row.status, row.attempt) for row in rows] == [
        (ExecutionStatus.FAILED, 1),
        (ExecutionStatus.SKIPPED, 2),
        (ExecutionStatus.FAILED, 1),
        (ExecutionStatus.SKIPPED, 2),
        (ExecutionStatus.FAILED, 1),
    ]
    assert {row.reason for row in rows if row.status is ExecutionStatus.SKIPPED} == {"superseded"}
    assert world.job(job).status is JobStatus.DEACTIVATED


async def test_a_job_that_fails_too_often_is_deactivated_with_its_reason(world, caplog):
    job = world.create("hopeless", "every 1 day", failing(9), retry_delay=60, max_retries=2)
    await world.start()
    await world.run(10 * 86_400)
    assert begun(world, job) == [86_400, 86_460, 86_520]
    deactivated = world.job(job)
    assert (deactivated.status, deactivated.retry_count) == (JobStatus.DEACTIVATED, 3)
    assert "ValueError: no 3" in deactivated.status_reason
    assert deactivated.next_run_time is None
    told = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert any("hopeless" in record.getMessage() for record in told), "a line at ERROR says so"


async def test_a_deactivated_job_that_is_resumed_goes_on_with_its_next_firing(world):
    healthy = []
    job = world.create("hopeless", "every 1 day", lambda call: {"success": bool(healthy)}, max_retries=0)
    await world.start()
    await world.run(86_400 * 3.5)
    assert world.job(job).status is JobStatus.DEACTIVATED
    healthy.append(True)
    assert world.resume(job)
    await world.run_to(START + 5 * DAY)
    assert begun(world, job) == [86_400, 4 * 86_400, 5 * 86_400]
    assert world.job(job).retry_count == 0


async def test_a_job_told_to_go_on_fires_for_ever(world):
    job = world.create("hopeless", "every 1 hour", failing(9), max_retries=1, retry_delay=60, on_exhausted="continue")
    await world.start()
    await world.run(24 * 3600)
    assert len(world.calls_of(job)) == 2 * 24 - 1
    assert world.job(job).is_active
    world.check_every_instant(job)


async def test_a_one_off_is_active_while_its_retry_waits_and_finished_after_it(world):
    job = world.create("once", "in 1 minute", failing(1), retry_delay=600)
    await world.start()
    await world.run(120)
    assert (world.job(job).status, world.job(job).next_run_time) == (JobStatus.ACTIVE, None)
    await world.run(600)
    assert world.job(job).status is JobStatus.FINISHED
    assert begun(world, job) == [60, 660]


async def test_a_retry_that_was_waiting_when_the_scheduler_stopped_is_not_forgotten(world):
    job = world.create("shaky", "every 1 day", failing(1), retry_delay=600)
    await world.start()
    await world.run(86_400 + 60)
    await world.stop()
    world.mock.jump(3600)
    await world.start()
    await world.run(1)
    assert [(call.attempt, call.begun) for call in world.calls_of(job)] == [
        (1, START + DAY),
        (2, START + DAY + 61 * MINUTE),
    ]


@pytest.mark.parametrize("sync", [False, True], ids=["async", "in a thread"])
async def test_the_last_result_and_run_of_a_job_are_those_of_its_last_attempt(world, sync):
    job = world.create(
        "counting", "every 1 hour", lambda call: {"success": call.attempt > 1, "n": call.attempt}, sync=sync
    )
    await world.start()
    await world.run(3601)
    assert dict(world.job(job).last_run_result) == {"success": False, "n": 1}
    await world.run(600)
    assert dict(world.job(job).last_run_result) == {"success": True, "n": 2}
    assert world.job(job).last_run == START + 65 * MINUTE
