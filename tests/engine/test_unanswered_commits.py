"""A commit that took effect though it seemed to fail: nothing is lost by it, and nothing is run twice."""

from __future__ import annotations

import pytest
import trio

from aurora_scheduler.model import ExecutionStatus, JobStatus
from support.lives import MINUTE, START
from support.virtual import sleeping

pytestmark = pytest.mark.trio


@pytest.mark.parametrize("delivery", ["at_least_once", "at_most_once"])
async def test_a_claim_whose_answer_was_lost_is_begun_all_the_same(world, delivery):
    job = world.create("job", "every 1 minute", lambda call: None, delivery=delivery)
    await world.start()
    await world.run(59)
    world.writer.failing_answers = 1
    await world.run(30)
    (row,) = world.rows(job)
    assert (row.status, row.attempt) == (ExecutionStatus.SUCCEEDED, 1)
    assert len(world.calls) == 1
    await world.run(300)
    world.check_every_instant(job)
    assert len(world.calls) == len(world.rows(job))


async def test_an_end_whose_answer_was_lost_stands(world, caplog):
    job = world.create("job", "every 1 minute", sleeping(10))
    await world.start()
    await world.run(65)
    world.writer.failing_answers = 1
    await world.run(30)
    (row,) = world.rows(job)
    assert (row.status, row.finished) == (ExecutionStatus.SUCCEEDED, START + 70 * MINUTE // 60)
    assert "given to another owner" not in caplog.text
    await world.run(120)
    assert len(world.calls) == 3
    world.check_every_instant(job)


async def test_a_failure_whose_answer_was_lost_is_retried_once(world):
    def fail(call):
        raise RuntimeError("no")

    async def fail_slowly(call):
        await trio.sleep(5)
        fail(call)

    job = world.create("job", "in 1 minute", fail_slowly, max_retries=1, retry_delay=30)
    await world.start()
    await world.run(62)
    world.writer.failing_answers = 1
    await world.run(600)
    assert [row.attempt for row in world.rows(job)] == [1, 2]
    assert world.job(job).retry_count == 2
    assert world.job(job).status is JobStatus.DEACTIVATED


@pytest.mark.parametrize("number", range(1, 12))
@pytest.mark.parametrize("overlap", ["skip", "queue_all", "allow", "cancel_previous"])
async def test_whichever_answers_are_lost_the_record_is_complete(world, overlap, number):
    job = world.create("job", "every 1 minute", sleeping(100), overlap=overlap)
    await world.start()
    written = 0

    def count() -> None:
        nonlocal written
        written += 1
        if written % number == 0:
            world.writer.failing_answers = 1

    world.writer.before_write = count
    await world.run(600)
    world.writer.before_write = lambda: None
    await world.run(3630)
    world.check_every_instant(job)
    statuses = {row.status for row in world.rows(job)}
    assert (ExecutionStatus.CANCELLED if overlap == "cancel_previous" else ExecutionStatus.SUCCEEDED) in statuses
    assert not [row for row in world.rows(job) if row.status is ExecutionStatus.RUNNING and row.started is None]


async def test_a_slot_is_given_back_for_each_that_was_begun(world):
    jobs = [world.create(f"job {n}", "every 1 minute", sleeping(5)) for n in range(4)]
    engine = await world.start(max_concurrent=2)
    await world.run(59)
    world.writer.failing_answers = 2
    await world.run(600)
    for job in jobs:
        world.check_every_instant(job)
    await world.run(30)
    assert engine.book.slots._free == 2


async def test_what_is_found_claimed_while_the_engine_stops_is_left_for_the_next_start(world_on_disk):
    world = world_on_disk
    world.create("slow", "in 50 seconds", sleeping(60))
    job = world.create("job", "in 1 minute", lambda call: None)
    await world.start()
    await world.run(59)
    world.writer.failing_answers = 1
    await world.run(1.05)  # claimed, and not known to be: its task pauses
    world.begin_stop(drain=30)
    await world.settle()
    world.edit(job, tags=["seen"])  # which has the job read anew
    await world.run(5)
    assert world.calls_of(job) == []
    await world.stop()
    await world.crash()
    await world.start()
    await world.run(5)
    rows = world.rows(job)
    assert [row.status for row in rows] == [ExecutionStatus.LOST, ExecutionStatus.SUCCEEDED]
    assert len(world.calls_of(job)) == 1


async def test_a_job_that_is_paused_before_its_claim_is_answered_runs_what_was_claimed(world):
    job = world.create("job", "every 1 minute", lambda call: None)
    await world.start()
    await world.run(59)
    world.writer.failing_answers = 1
    await world.run(1.05)
    world.pause(job)
    await world.run(300)
    (row,) = world.rows(job)
    assert (row.status, len(world.calls)) == (ExecutionStatus.SUCCEEDED, 1)


@pytest.mark.parametrize("seed", range(40))
async def test_a_claim_that_was_refused_and_made_anew_begins_once_whoever_looks_on(world, seed):
    """The row of a run by hand keeps its id; its job is changed just before and just after each of its claims."""
    world.reorder(seed)
    job = world.create("job", "every 1 hour", sleeping(1), overlap="queue_all")
    await world.start()
    left = 12

    def change() -> None:
        nonlocal left
        if left > 0:
            left -= 1
            if left % (seed % 3 + 2):
                world.edit(job, tags=[str(left)])

    for _ in range(3):
        world.run_by_hand(job)
    world.writer.before_write = world.writer.after_write = change
    world.writer.rounds_to_answer = seed % 8
    await world.run(20)
    assert len(world.calls) == 3
    assert {row.status for row in world.rows(job)} == {ExecutionStatus.SUCCEEDED}
