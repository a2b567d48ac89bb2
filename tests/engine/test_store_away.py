"""The store is away for a while: nothing runs without its claim, and everything goes on afterwards."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from aurora_scheduler.errors import StoreCorruptError, StoreReadOnlyError, StoreUnavailableError
from aurora_scheduler.instants import SECOND
from aurora_scheduler.model import ExecutionStatus
from support.lives import HOUR, MINUTE, START
from support.virtual import sleeping

pytestmark = pytest.mark.trio

AWAY = [StoreUnavailableError("jobs.db", "it is locked"), StoreReadOnlyError("jobs.db", "it cannot be written")]


def times(world, job):
    """When the job's calls began, in seconds after the start."""
    return [(call.begun - START) // SECOND for call in world.calls_of(job)]


async def ended_in_the_dark(world, *, tries=10**9, **options):
    """A job whose callback is amid its run when the store goes away, for so many tries to write."""
    job = world.create("done in the dark", "every 1 hour", sleeping(10), **options)
    await world.start()
    await world.run(3605)
    world.writer.failing_writes = tries
    return job


@pytest.mark.parametrize("error", AWAY, ids=["locked", "read-only"])
async def test_a_firing_that_cannot_be_claimed_is_not_run_before_it_can(world, error, caplog):
    job = world.create("patient", "every 1 hour", lambda call: None)
    await world.start()
    await world.run(3599)
    world.writer.failing_writes, world.writer.error = 3, error
    await world.run(60)
    assert world.writer.failing_writes == 0
    (call,) = world.calls
    assert START + HOUR + 0.5 * SECOND <= call.begun <= START + HOUR + 2 * SECOND
    said = [record for record in caplog.records if "the database cannot be written" in record.getMessage()]
    assert len(said) == 1
    world.check_every_instant(job)


async def test_a_long_absence_is_a_backlog_for_every_job(world):
    jobs = [world.create(f"job {n}", "every 10 minutes", lambda call: None) for n in range(5)]
    await world.start()
    await world.run(300)
    world.writer.failing_writes = 10**9
    await world.run(3600)
    assert world.calls == []
    world.writer.failing_writes = 0
    await world.run(10)
    for job in jobs:
        missed, ran = world.rows(job)
        assert (missed.status, missed.count) == (ExecutionStatus.MISSED, 5)
        assert ran.scheduled == START + 60 * MINUTE
        assert ran.status is ExecutionStatus.SUCCEEDED
    await world.run(3600)
    for job in jobs:
        world.check_every_instant(job)


async def test_the_end_of_an_execution_is_held_and_written_when_the_store_is_back(world):
    job = await ended_in_the_dark(world)
    await world.run(600)
    assert [row.status for row in world.rows(job)] == [ExecutionStatus.RUNNING]
    world.writer.failing_writes = 0
    await world.run(10)
    (row,) = world.rows(job)
    assert row.status is ExecutionStatus.SUCCEEDED
    assert len(world.calls) == 1


@pytest.mark.parametrize("overlap", ["skip", "queue_one", "queue_all", "cancel_previous"])
async def test_what_has_ended_keeps_nothing_from_running_though_its_end_is_not_written_yet(world, overlap):
    job = await ended_in_the_dark(world, overlap=overlap)
    await world.run(3600)
    world.writer.failing_writes = 0
    await world.run(30)
    assert [(row.scheduled, row.status, row.reason) for row in world.rows(job)] == [
        (START + HOUR, ExecutionStatus.SUCCEEDED, None),
        (START + 2 * HOUR, ExecutionStatus.SUCCEEDED, None),
    ]
    assert START + 2 * HOUR + 5 * SECOND <= world.calls[1].begun <= START + 2 * HOUR + 10 * SECOND


async def test_a_run_by_hand_waits_for_the_end_of_what_has_ended(world):
    job = await ended_in_the_dark(world, tries=4)
    await world.run(5.5)
    asked = world.run_by_hand(job)
    await world.run(60)
    assert world.row(asked).status is ExecutionStatus.SUCCEEDED


async def test_a_stop_while_the_store_is_away_waits_for_it_as_long_as_the_drain_and_no_longer(world, caplog):
    await ended_in_the_dark(world)
    await world.run(60)
    stopped, engine = world.now, world.engine
    await world.stop(drain=30)
    assert world.now - stopped <= 31 * SECOND
    assert engine.left == ()
    (error,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert not [record for record in caplog.records if "can be written again" in record.getMessage()]
    assert error.startswith("job 'done in the dark' ended (succeeded), but that was not written")


async def test_a_stop_without_a_drain_gives_an_end_that_is_being_written_its_time(world, monkeypatch):
    world.create("done", "every 1 hour", sleeping(10))
    await world.start()
    await world.run(3605)
    decide = world.writer.decide

    async def write(decisions):
        await trio.sleep(5)
        decide(decisions)

    monkeypatch.setattr(world.writer, "decide", partial(trio.lowlevel.spawn_system_task, write))
    await world.run(6)
    engine = world.engine
    await world.stop(drain=0)
    assert not engine.abandoned


async def test_what_ended_is_written_where_the_store_comes_back_within_the_drain(world):
    job = await ended_in_the_dark(world, tries=10)
    await world.run(20)
    await world.stop(drain=30)
    assert [row.status for row in world.rows(job)] == [ExecutionStatus.SUCCEEDED]


async def test_an_end_that_was_held_says_when_the_callback_ended(world):
    job = await ended_in_the_dark(world)
    await world.run(600)
    world.writer.failing_writes = 0
    await world.run(10)
    (row,) = world.rows(job)
    assert (row.started, row.finished) == (START + HOUR, START + HOUR + 10 * SECOND)


async def test_ends_beyond_those_that_can_be_held_are_lost_and_recovered_when_the_store_is_back(
    world, monkeypatch, caplog
):
    monkeypatch.setattr("aurora_scheduler.engine.perform._MOST_HELD", 3)
    again = [world.create(f"job {n}", "every 1 hour", sleeping(n + 1)) for n in range(5)]
    once = world.create("once", "every 1 hour", sleeping(10), delivery="at_most_once")
    await world.start()
    await world.run(3600.5)
    world.writer.failing_writes = world.writer.failing_reads = 10**9
    await world.run(600)
    assert {row.status for row in world.rows()} == {ExecutionStatus.RUNNING}
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert [record.__dict__["job_id"] for record in errors] == [*again[3:], once]
    assert all("is lost, for 3 others wait" in record.getMessage() for record in errors)
    world.writer.failing_writes = world.writer.failing_reads = 0
    await world.run(20)
    lost, succeeded = ExecutionStatus.LOST, ExecutionStatus.SUCCEEDED
    assert [[row.status for row in world.rows(job)] for job in again] == [[succeeded]] * 3 + [[lost, succeeded]] * 2
    assert [row.status for row in world.rows(once)] == [lost]
    assert {row.reason for row in world.rows(status=lost)} == {"its end could not be written"}
    await world.run(3600)
    assert world.engine.book.held == set()
    for job in (*again, once):
        world.check_every_instant(job)


async def test_a_firing_whose_end_is_lost_three_times_has_failed(world, monkeypatch):
    monkeypatch.setattr("aurora_scheduler.engine.perform._MOST_HELD", 0)
    job = world.create("unlucky", "in 1 hour", sleeping(10), max_retries=0)
    await world.start()
    for times in (1, 2, 3):
        await world.run_until(lambda times=times: len(world.calls) == times, at_most=7200)
        world.writer.failing_writes = world.writer.failing_reads = 10**9
        await world.run(60)
        world.writer.failing_writes = world.writer.failing_reads = 0
    await world.run(60)
    assert [row.status for row in world.rows(job)] == [ExecutionStatus.LOST] * 3
    assert world.job(job).status == "deactivated"
    assert "its end could not be written 3 times" in world.job(job).status_reason


async def test_other_jobs_claims_fail_one_by_one_and_none_is_lost(world):
    jobs = [world.create(f"job {n}", f"every {n + 2} minutes", sleeping(5)) for n in range(10)]
    await world.start()
    for n in range(40):
        await world.run(97)
        world.writer.failing_writes += n % 4
    world.writer.failing_writes = 0
    await world.run(60)
    for job in jobs:
        world.check_every_instant(job)
    assert all(row.status.is_final for row in world.rows())


async def test_changes_that_cannot_be_read_are_read_later(world):
    await world.start()
    world.writer.failing_reads = 3
    job = world.create("new", "every 1 minute", lambda call: None)
    await world.run(60)
    assert times(world, job) == [60]


async def test_what_others_changed_is_read_when_it_can_be(world):
    job = world.create("new", "every 1 minute", lambda call: None)
    await world.start(poll=0.5)
    world.writer.failing_writes = 10
    with world.elsewhere():
        world.pause(job)
    await world.run(120)
    assert world.calls == []


async def test_a_stale_claim_while_the_store_is_away_is_decided_anew_later(world):
    """The claim does not fit what is stored, and what is stored cannot be read just then."""
    job = world.create("edited", "every 1 hour", lambda call: None)
    await world.start()
    with world.elsewhere():
        world.edit(job, name="renamed")
    world.writer.failing_reads = 2
    await world.run(3660)
    assert [call.job_name for call in world.calls] == ["renamed"]
    assert world.calls[0].scheduled == START + HOUR


async def test_a_stale_end_while_the_store_is_away_is_written_later(world):
    job = world.create("edited", "every 1 hour", sleeping(600))
    await world.start()
    await world.run(3660)
    with world.elsewhere():
        world.edit(job, name="renamed")
    world.writer.failing_reads = 2
    await world.run(1200)
    assert [row.status for row in world.rows(job)] == [ExecutionStatus.SUCCEEDED]


async def test_a_store_that_is_away_when_the_engine_starts_is_waited_for(world):
    job = world.create("patient", "every 1 hour", lambda call: None)
    world.writer.failing_writes = 2
    await world.start()
    await world.run(3600)
    assert len(world.calls_of(job)) == 1


async def test_retention_and_unresolved_jobs_wait_for_the_store_too(world):
    job = world.create("patient", "every 10 minutes", lambda call: None)
    await world.start(prune_every=60.0, unresolved_every=60.0)
    await world.run(30)
    world.writer.failing_writes = world.writer.failing_reads = 5
    await world.run(3600)
    world.check_every_instant(job)


async def test_stop_waits_for_an_end_that_cannot_be_written_yet(world):
    job = world.create("slow", "every 1 hour", sleeping(10))
    await world.start()
    await world.run(3605)
    world.writer.failing_writes = 6
    world.begin_stop(30)
    await world.run(60)
    assert [row.status for row in world.rows(job)] == [ExecutionStatus.SUCCEEDED]


async def test_a_damaged_store_stops_the_engine_loudly(world):
    world.create("doomed", "every 1 hour", lambda call: None)
    await world.start()
    world.writer.failing_writes, world.writer.error = 10**9, StoreCorruptError("jobs.db", "it is damaged")
    with pytest.raises(ExceptionGroup) as caught:
        await world.run(3660)
    assert caught.group_contains(StoreCorruptError)
    assert world.calls == []
