"""What the log tells of a job or an execution says which, in fields of the record."""

from __future__ import annotations

import re
import sys
from types import ModuleType

import pytest
import trio

from aurora_scheduler.model import ExecutionStatus, JobStatus
from support.virtual import sleeping

pytestmark = pytest.mark.trio


def fail(call):
    raise OSError("no such shelf")


def records(caplog, text):
    return [record for record in caplog.records if text in record.getMessage()]


@pytest.fixture
def log(caplog):
    """The log, in which nothing that names a job or an execution lacks its fields."""
    caplog.set_level("DEBUG", "aurora_scheduler")
    yield caplog
    ours = [record for record in caplog.get_records("call") if record.name.startswith("aurora_scheduler")]
    assert ours
    for record in ours:
        if re.search(r"\bjob '|\bexecution [0-9a-f]{8}", record.getMessage()):
            assert record.job_id, record.getMessage()


async def test_a_failure_and_the_end_of_the_retries(world, log):
    job = world.create("doomed", "every 1 hour", fail, max_retries=1, retry_delay="1 minute")
    await world.start()
    await world.run(3700)
    first, second = records(log, "job 'doomed' failed")
    (rest,) = records(log, "job 'doomed' is deactivated")
    rows = world.rows(job)
    assert [(each.job_id, each.execution_id) for each in (first, second, rest)] == [
        (job, rows[0].id),
        (job, rows[1].id),
        (job, rows[1].id),
    ]
    assert [(each.attempt, each.status) for each in (first, second)] == [(1, "failed"), (2, "failed")]


async def test_a_success(world, log):
    job = world.create("good", "in 1 minute", lambda call: None)
    await world.start()
    await world.run(60)
    (record,) = records(log, "job 'good': succeeded")
    assert (record.job_id, record.execution_id) == (job, world.rows(job)[0].id)


async def test_a_job_that_cannot_run_here(world, log, monkeypatch):
    module = ModuleType("comes_and_goes")
    vars(module)["go"] = print
    monkeypatch.setitem(sys.modules, module.__name__, module)
    job = world.create("lost", "every 1 hour", callback="comes_and_goes.go")
    monkeypatch.undo()
    await world.start()
    await world.run(1)
    assert world.job(job).status is JobStatus.UNRESOLVED
    (record,) = records(log, "job 'lost' cannot run here")
    assert (record.job_id, hasattr(record, "execution_id")) == (job, False)


async def test_a_timeout_that_is_not_heard_of(world, log):
    job = world.create("deaf", "in 1 minute", lambda call: call.sleep(60), sync=True, timeout=30)
    await world.start()
    await world.run(95)
    (late,) = records(log, "runs longer than its timeout")
    await world.run(60)
    (failed,) = records(log, "job 'deaf' failed (attempt 1): timed out")
    (row, *_) = world.rows(job)
    assert row.status is ExecutionStatus.TIMED_OUT
    assert {(each.job_id, each.execution_id) for each in (late, failed)} == {(job, row.id)}


async def test_what_waits_for_the_database(world, log):
    job = world.create("patient", "in 1 minute", sleeping(10))
    await world.start()
    await world.run(61)
    world.writer.failing_writes = 3
    await world.run(60)
    (row,) = world.rows(job)
    waits = records(log, f"the end of execution {row.id} waits for the database")
    assert len(waits) == 3
    assert {(each.job_id, each.execution_id) for each in waits} == {(job, row.id)}


async def test_what_was_lost_with_its_process_and_what_will_not_end(world_on_disk, log):
    world = world_on_disk

    async def stubborn(call):
        with trio.CancelScope(shield=True):
            await trio.sleep(600)

    job = world.create("stubborn", "in 1 minute", stubborn)
    await world.start()
    await world.run(61)
    await world.stop(drain=0)
    (record,) = records(log, "the callback of job 'stubborn' did not end")
    assert (record.job_id, record.execution_id) == (job, world.calls[0].execution_id)
    await world.run(600)
