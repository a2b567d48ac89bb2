"""The process dies: what ran is lost, and runs again, first in line."""

from __future__ import annotations

import pytest

from aurora_scheduler.instants import SECOND
from aurora_scheduler.model import ExecutionStatus, JobStatus, Trigger
from aurora_scheduler.stores.sqlite import SqliteStore
from support.lives import DAY, HOUR, MINUTE, START
from support.virtual import sleeping

pytestmark = pytest.mark.trio


@pytest.fixture(params=["in memory", "on disk"])
def mortal(request):
    """A world that dies in the test: in memory the store outlives it, on disk it is closed and opened again."""
    return request.getfixturevalue("world" if request.param == "in memory" else "world_on_disk")


# pytest-trio looks for the run's clock among the arguments: `mortal` is one.


async def test_a_crash_in_the_middle_of_a_callback_is_recovered(mortal):
    world = mortal
    job = world.create("mortal", "every 1 hour", sleeping(600))
    await world.start()
    await world.run(3660)
    await world.crash()
    world.mock.jump(60)
    await world.start()
    await world.run(1000)
    lost, again = world.rows(job)
    assert (lost.status, lost.reason, lost.finished) == (ExecutionStatus.LOST, "the process died", START + 62 * MINUTE)
    assert (again.status, again.attempt, again.started) == (ExecutionStatus.SUCCEEDED, 2, START + 62 * MINUTE)
    assert again.owner != lost.owner
    assert [call.key for call in world.calls] == [lost.idempotency_key] * 2
    assert (world.job(job).retry_count, world.job(job).runs) == (0, 1)


async def test_the_lost_firing_goes_before_the_schedule_and_the_backlog_waits_behind_it(mortal):
    world = mortal
    job = world.create("mortal", "every 1 hour", sleeping(60))
    await world.start()
    await world.run(3630)
    await world.crash()
    world.mock.jump(4 * 3600)
    await world.start()
    await world.run(3600)
    assert [(call.scheduled - START) // HOUR for call in world.calls] == [1, 1, 5, 6]
    assert [(row.status, row.count) for row in world.rows(job)] == [
        (ExecutionStatus.LOST, 1),
        (ExecutionStatus.SUCCEEDED, 1),
        (ExecutionStatus.MISSED, 3),
        (ExecutionStatus.SUCCEEDED, 1),
        (ExecutionStatus.RUNNING, 1),
    ]
    world.check_every_instant(job)


async def test_a_firing_that_kills_its_process_three_times_has_failed(mortal):
    world = mortal
    deadly = world.create("deadly", "every 1 hour", sleeping(600), max_retries=1)
    other = world.create("other", "every 10 minutes", lambda call: None)
    await world.start()
    await world.run(3601)
    for _ in range(3):
        await world.crash()
        await world.start()
        await world.run(1)
    assert [row.status for row in world.rows(deadly)] == [ExecutionStatus.LOST] * 3
    assert (world.job(deadly).retry_count, world.job(deadly).status) == (1, JobStatus.ACTIVE)
    assert len(world.calls_of(deadly)) == 3
    await world.run(3 * 3600)
    assert world.job(deadly).retry_count == 0
    world.check_every_instant(deadly)
    world.check_every_instant(other)


async def test_a_firing_that_kills_its_process_deactivates_a_job_without_retries(world):
    job = world.create("deadly", "every 1 hour", sleeping(600), max_retries=0)
    await world.start()
    await world.run(3601)
    for _ in range(3):
        await world.crash()
        await world.start()
    assert world.job(job).status is JobStatus.DEACTIVATED
    assert "the process died 3 times" in world.job(job).status_reason


async def test_many_jobs_in_the_middle_of_everything_are_all_recovered(mortal):
    world = mortal
    jobs = [world.create(f"job {n}", f"every {5 + n} minutes", sleeping(200)) for n in range(30)]
    await world.start()
    for _ in range(5):
        await world.run(1234)
        await world.crash()
        world.mock.jump(333)
        await world.start()
    await world.run(1000)
    for job in jobs:
        world.check_every_instant(job)
    assert len(world.rows(status=ExecutionStatus.LOST)) >= 30
    assert {call.attempt for call in world.calls} <= {1, 2, 3}


async def test_a_crash_after_the_claim_and_before_the_callback_is_a_lost_attempt(world):
    job = world.create("mortal", "every 1 hour", lambda call: None)
    await world.start()
    await world.run(3599)

    def die():
        world.writer.after_write = lambda: None
        world._stopping = True
        world._scope.cancel()

    world.writer.after_write = die
    await world.run(60)
    await world.crash()
    await world.start()
    await world.run(1)
    rows = world.rows(job)
    assert rows[-1].status is ExecutionStatus.SUCCEEDED
    assert len(rows) <= 2
    world.check_every_instant(job)


async def test_a_run_by_hand_of_a_paused_job_is_recovered(world):
    job = world.create("by hand", "every 1 day", sleeping(600))
    await world.start()
    world.pause(job)
    world.run_by_hand(job)
    await world.run(60)
    await world.crash()
    await world.start()
    await world.run(1200)
    assert [(row.trigger, row.status) for row in world.rows(job)] == [
        (Trigger.MANUAL, ExecutionStatus.LOST),
        (Trigger.MANUAL, ExecutionStatus.SUCCEEDED),
    ]


async def test_an_attempt_of_a_paused_job_is_lost_and_does_not_come_back(world):
    job = world.create("paused", "every 1 hour", sleeping(600))
    await world.start()
    await world.run(3660)
    world.pause(job)
    await world.crash()
    await world.start()
    await world.run(7200)
    assert [row.status for row in world.rows(job)] == [ExecutionStatus.LOST]


async def test_an_attempt_of_a_deleted_job_is_lost_and_no_more(world):
    job = world.create("deleted", "every 1 hour", sleeping(600))
    await world.start()
    await world.run(3660)
    world.delete(job)
    await world.crash()
    await world.start()
    await world.run(7200)
    assert [row.status for row in world.rows(job)] == [ExecutionStatus.LOST]


async def test_an_attempt_that_was_lost_is_not_taken_for_one_of_a_job_created_again(world):
    world.create("first", "every 1 hour", sleeping(600), job_id="the id")
    await world.start()
    await world.run(3660)
    world.delete("the id")
    world.create("second", "every 1 day", lambda call: None, job_id="the id")
    await world.crash()
    await world.start()
    await world.run(7200)
    assert [(row.status, row.generation) for row in world.rows("the id")] == [(ExecutionStatus.LOST, 1)]
    assert [call.job_name for call in world.calls] == ["first"]


async def test_a_thread_that_outlives_its_scheduler_writes_nothing_into_the_next_ones_records(world):
    job = world.create("undead", "every 1 hour", lambda call: call.sleep(600), sync=True, max_runs=1)
    await world.start()
    await world.run(3660)
    await world.crash()
    await world.start()
    await world.run(2000)
    assert [row.status for row in world.rows(job)] == [ExecutionStatus.LOST, ExecutionStatus.SUCCEEDED]
    assert world.job(job).status is JobStatus.FINISHED


async def test_an_attempt_that_another_owner_declared_lost_is_not_written_over(world, caplog):
    job = world.create("fenced", "every 1 hour", sleeping(600), max_runs=1)
    await world.start()
    await world.run(3660)
    stolen = world.calls[0].execution_id
    world.store._connection.execute(
        "UPDATE aurora_executions SET status = 'lost', owner = 'another' WHERE id = ?", (stolen,)
    )
    await world.run(1200)
    assert world.row(stolen).status is ExecutionStatus.LOST
    assert any("another owner" in record.getMessage() for record in caplog.records)
    world.check_every_instant(job)
    world.calls.clear()


async def test_a_second_engine_on_the_same_file_stands_by_and_takes_over(world_on_disk):
    world = world_on_disk
    job = world.create("watched", "every 10 minutes", lambda call: None)
    await world.start()
    await world.run(1500)
    other = SqliteStore(world.path)
    other.open()
    assert other.own("another") is False
    await world.stop()
    assert other.own("another") is True
    other.close()
    await world.start()
    await world.run_to(START + HOUR)
    assert len(world.calls_of(job)) == 6


async def test_a_standby_fires_nothing_until_it_is_the_owner(world_on_disk):
    world = world_on_disk
    job = world.create("watched", "every 10 minutes", lambda call: None)
    owner = SqliteStore(world.path)
    owner.open()
    assert owner.own("another")
    await world.start()
    await world.run(1500)
    assert (world.calls, world.engine.is_owner) == ([], False)
    owner.disown()
    await world.run(2)
    assert world.engine.is_owner
    assert [call.scheduled for call in world.calls_of(job)] == [START + 20 * MINUTE]
    assert world.calls[0].begun <= START + 1500 * SECOND + SECOND
    owner.close()


async def test_a_year_of_crashes_loses_no_day(world):
    job = world.create("daily", "30 9 * * *", sleeping(3600))
    await world.start()
    for n in range(60):
        await world.run_to(START + 3 * n * DAY + 9 * HOUR + 45 * MINUTE)
        await world.crash()
        await world.start()
    await world.run_to(START + 200 * DAY)
    world.check_every_instant(job)
    succeeded = [row for row in world.rows(job) if row.status is ExecutionStatus.SUCCEEDED]
    assert len(succeeded) == 200
