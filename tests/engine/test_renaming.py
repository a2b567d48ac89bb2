"""A job gets another id while the engine runs: it goes on as if it had always had it."""

from __future__ import annotations

import pytest
import trio

from aurora_scheduler.model import ChangeKind, ExecutionStatus, JobStatus
from support.lives import DAY, HOUR, MINUTE, START
from support.virtual import sleeping

pytestmark = pytest.mark.trio

HOURLY = "every 1 hour"


def declare(world, part=lambda call: None, schedule=HOURLY, **options):
    """The job as the program has it now."""
    said = {"job_id": "new", "if_exists": "update", "aliases": ["old"]} | options
    return world.create("itself", schedule, part, **said)


def begun(world, job):
    """When the job's calls began, in minutes after the start."""
    return [(call.begun - START) // MINUTE for call in world.calls_of(job)]


def statuses(world, job):
    return [row.status for row in world.rows(job)]


async def test_it_fires_on_in_its_rhythm_under_its_new_id_alone(world):
    world.create("itself", HOURLY, job_id="old")
    await world.start()
    await world.run(90 * 60)
    declare(world)
    await world.run(2 * 3600)
    assert (begun(world, "old"), begun(world, "new")) == ([60], [120, 180])
    assert [(row.scheduled - START) // HOUR for row in world.rows("new")] == [1, 2, 3]
    assert (world.rows("old"), world.job("new").runs, len(world.engine.book)) == ([], 3, 1)


async def test_it_fires_on_where_another_process_has_renamed_it(world):
    world.create("itself", HOURLY, job_id="old")
    await world.start(poll=0.8)
    await world.run(90 * 60)
    with world.elsewhere():
        declare(world)
    await world.run(2 * 3600)
    assert (begun(world, "old"), begun(world, "new")) == ([60], [120, 180])
    assert statuses(world, "new") == [ExecutionStatus.SUCCEEDED] * 3


@pytest.mark.parametrize("seed", range(4))
async def test_renamed_in_the_moment_it_is_due_it_fires_once(world, seed):
    world.reorder(seed)
    world.create("itself", HOURLY, job_id="old")
    await world.start()
    await world.run(3600 - 0.001)
    world.mock.jump(0.001)
    declare(world)
    await world.run(60)
    assert [call.scheduled for call in world.calls] == [START + HOUR]
    assert statuses(world, "new") == [ExecutionStatus.SUCCEEDED]


@pytest.mark.parametrize("sync", [False, True])
async def test_renamed_just_after_a_claim_is_written_it_lets_that_run(world, sync):
    world.create("itself", HOURLY, job_id="old", sync=sync)
    await world.start()
    await world.run(3599)

    def rename_next():
        world.writer.after_write = lambda: None
        declare(world, sync=sync)

    world.writer.after_write = rename_next
    await world.run(3602)
    assert [call.scheduled for call in world.calls] == [START + HOUR, START + 2 * HOUR]
    assert statuses(world, "new") == [ExecutionStatus.SUCCEEDED] * 2
    assert world.engine.book.attempts == {}


@pytest.mark.parametrize("ends", ["succeeds", "fails"])
async def test_what_runs_goes_on_as_the_renamed_jobs_and_what_failed_is_retried(world, ends):
    async def work(call):
        await trio.sleep(600)
        return {"success": ends == "succeeds"}

    world.create("itself", HOURLY, work, job_id="old", retry_delay=60)
    await world.start()
    await world.run(3660)
    declare(world, sleeping(5), retry_delay=60)
    await world.run(1800)
    first, *others = world.rows("new")
    assert first.status is (ExecutionStatus.SUCCEEDED if ends == "succeeds" else ExecutionStatus.FAILED)
    assert first.finished == START + 70 * MINUTE
    assert [(row.attempt, row.status) for row in others] == [(2, ExecutionStatus.SUCCEEDED)] * (ends == "fails")
    assert (world.rows("old"), world.job("new").status) == ([], JobStatus.ACTIVE)
    assert world.job("new").last_run_result is not None
    assert world.engine.book.attempts == {}


@pytest.mark.parametrize("seed", range(6))
async def test_renamed_in_the_moment_an_attempt_fails_it_is_retried(world, seed):
    async def work(call):
        await trio.sleep(600)
        return {"success": False}

    world.reorder(seed)
    world.create("itself", HOURLY, work, job_id="old", retry_delay=60)
    await world.start()
    await world.run(3600 + 600 - 0.001)
    world.mock.jump(0.001)
    declare(world, sleeping(5), retry_delay=60)
    await world.run(300)
    assert statuses(world, "new") == [ExecutionStatus.FAILED, ExecutionStatus.SUCCEEDED]
    assert world.rows("old") == []


async def test_its_next_firing_meets_what_still_runs(world):
    """By its `overlap`, as if it had always had that id."""
    world.create("itself", HOURLY, sleeping(5400), job_id="old")
    await world.start()
    await world.run(3660)
    declare(world, sleeping(60))
    await world.run(2 * 3600)
    assert statuses(world, "new") == [ExecutionStatus.SUCCEEDED, ExecutionStatus.SKIPPED, ExecutionStatus.SUCCEEDED]
    assert (begun(world, "old"), begun(world, "new")) == ([60], [180])


@pytest.mark.parametrize("dies", [True, False])
async def test_its_last_firing_runs_again_where_it_was_cut_short(world_on_disk, dies):
    """By the death of the process, or by a stop: the job is not finished while that runs."""
    world = world_on_disk
    world.create("itself", "in 1 hour", sleeping(1800), job_id="old")
    await world.start()
    await world.run(3660)
    declare(world, sleeping(1800), schedule="in 1 hour")
    await world.run(60)
    assert world.job("new").status is JobStatus.ACTIVE
    await (world.crash() if dies else world.stop(drain=0))
    await world.start()
    await world.run(3600)
    cut = ExecutionStatus.LOST if dies else ExecutionStatus.CANCELLED
    assert [(row.attempt, row.status) for row in world.rows("new")] == [(1, cut), (2, ExecutionStatus.SUCCEEDED)]
    assert world.job("new").status is JobStatus.FINISHED


async def test_what_runs_can_be_cancelled(world):
    world.create("itself", HOURLY, sleeping(1800), job_id="old")
    await world.start()
    await world.run(3660)
    declare(world, sleeping(1800))
    await world.run(1)
    assert world.cancel(world.calls[0].execution_id)
    await world.run(1)
    assert statuses(world, "new") == [ExecutionStatus.CANCELLED]


async def test_what_ran_when_the_process_died_runs_again_under_the_new_id(world_on_disk):
    world = world_on_disk
    world.create("itself", HOURLY, sleeping(1800), job_id="old")
    await world.start()
    await world.run(3660)
    await world.crash()
    declare(world, sleeping(60))
    await world.start()
    await world.run(120)
    assert [(row.attempt, row.status) for row in world.rows("new")] == [
        (1, ExecutionStatus.LOST),
        (2, ExecutionStatus.SUCCEEDED),
    ]
    assert [call.job_id for call in world.calls] == ["old", "new"]


async def test_a_retry_that_waits_is_made_under_the_new_id(world):
    world.create("itself", "every 1 day", lambda call: {"success": False}, job_id="old", retry_delay=600)
    await world.start()
    await world.run(86_400 + 60)
    declare(world, schedule="every 1 day", retry_delay=600)
    await world.run(3600)
    assert [(row.attempt, row.status) for row in world.rows("new")] == [
        (1, ExecutionStatus.FAILED),
        (2, ExecutionStatus.SUCCEEDED),
    ]
    assert [call.begun - START for call in world.calls_of("new")] == [DAY + 10 * MINUTE]
    assert world.job("new").retry_count == 0


async def test_a_run_that_was_asked_for_and_waits_is_made_under_the_new_id(world):
    world.create("itself", HOURLY, job_id="old")
    asked = world.run_by_hand("old")
    declare(world)
    await world.start()
    await world.run(1)
    assert [(call.job_id, call.execution_id) for call in world.calls] == [("new", asked)]


async def test_a_pause_is_kept(world):
    world.create("itself", HOURLY, job_id="old")
    await world.start()
    world.pause("old")
    declare(world)
    await world.run(2 * 3600)
    assert (world.job("new").status, world.calls) == (JobStatus.PAUSED, [])
    world.resume("new")
    await world.run(3600)
    assert begun(world, "new") == [180]


async def test_where_both_are_there_only_the_new_id_fires(world):
    world.create("itself", HOURLY, job_id="old")
    world.create("itself", HOURLY, job_id="new")
    await world.start()
    await world.run(3660)
    declare(world)
    await world.run(3600)
    assert (begun(world, "old"), begun(world, "new")) == ([60], [60, 120])
    assert world.store.job("old") is None
    assert (len(world.rows("old")), len(world.rows("new"))) == (1, 2)


async def test_its_own_history_tells_of_it_under_both_ids(world):
    world.create("itself", HOURLY, job_id="old")
    old = world.job("old")
    declare(world, schedule="every 2 hours")
    told = [[(change.kind, change.detail) for change in world.store.changes_of(job)] for job in (old, world.job("new"))]
    assert told == [
        [(ChangeKind.RENAMED, "new")],
        [(ChangeKind.CREATED, None), (ChangeKind.RENAMED, "old"), (ChangeKind.UPDATED, None)],
    ]
