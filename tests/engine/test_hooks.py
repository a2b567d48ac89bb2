"""Hooks: what failed, and what was put to rest, is told to a function, beside the firing."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import trio

from aurora_scheduler.engine import hooks as engine_hooks
from aurora_scheduler.instants import SECOND, instant_of
from aurora_scheduler.model import ExecutionStatus, JobStatus
from support import hooks
from support.hooks import Told
from support.lives import HOUR, MINUTE, START
from support.virtual import sleeping

pytestmark = pytest.mark.trio

BOTH = {"on_failure": hooks.failed, "on_deactivate": hooks.put_to_rest}


@pytest.fixture
def told() -> Iterator[Told]:
    with hooks.heard() as told:
        yield told


def fail(call):
    raise OSError("no such shelf")


def records(caplog, text):
    return [record for record in caplog.records if text in record.getMessage()]


# -- what is told ---------------------------------------------------------------------------------------------------


async def test_each_failed_attempt_is_told_and_then_that_the_job_was_put_to_rest(world, told):
    job = world.create("doomed", "every 1 hour", fail, max_retries=1, retry_delay="1 minute", **BOTH)
    await world.start()
    await world.run(2 * 3600)
    first, last = told.named("failed")
    rows = world.rows(job)
    for attempt, (row, call) in enumerate(zip(rows, (first, last), strict=True), 1):
        assert (call["job_id"], call["job_name"], call["execution_id"]) == (job, "doomed", row.id)
        assert (call["attempt"], instant_of(call["scheduled_for"])) == (attempt, START + HOUR)
        assert (call["error"], call["status"]) == ("OSError: no such shelf", "failed")
    assert [call["will_retry"] for call in (first, last)] == [True, False]
    assert told.named("put_to_rest") == [{"job_id": job, "job_name": "doomed", "reason": world.job(job).status_reason}]
    assert "failed 2 times in a row: OSError: no such shelf" in world.job(job).status_reason


async def test_what_timed_out_has_failed(world, told):
    world.create("slow", "every 1 hour", sleeping(600), timeout=5, on_failure=hooks.failed, max_retries=0)
    await world.start()
    await world.run(3610)
    (call,) = told.named("failed")
    assert (call["status"], call["will_retry"]) == (ExecutionStatus.TIMED_OUT, False)
    assert call["error"].startswith("timed out")


async def test_what_did_not_fail_is_not_told(world, told):
    world.create("good", "every 1 hour", lambda call: None, **BOTH)
    cancelled = world.create("cancelled", "every 1 hour", sleeping(600), **BOTH)
    paused = world.create("paused", "every 1 hour", lambda call: None, **BOTH)
    world.pause(paused)
    await world.start()
    await world.run(3660)
    (row,) = world.rows(cancelled)
    world.cancel(row.id)
    await world.run(3600)
    assert told.calls == []


async def test_a_plain_hook_has_a_worker_thread_and_an_async_one_the_schedulers_loop(world, told):
    world.create("plain", "in 1 minute", fail, on_failure=hooks.failed, max_retries=0)
    world.create("async", "in 2 minutes", fail, on_failure="support.hooks.failed_async", max_retries=0)
    await world.start()
    await world.run(180)
    assert [name for name, _ in told.calls] == ["failed", "failed_async"]
    here = threading.get_ident()
    assert [thread == here for thread in told.threads] == [False, True]
    assert told.executions == [call["execution_id"] for _, call in told.calls], "a hook is no place to wait for a stop"


async def test_it_is_told_after_it_is_recorded(world, told):
    seen = []
    told.then = lambda call: seen.append(world.row(call["execution_id"]).status)
    world.create("doomed", "in 1 minute", fail, on_failure=hooks.failed_async)
    await world.start()
    await world.run(61)
    assert seen == [ExecutionStatus.FAILED]


async def test_the_jobs_own_hook_takes_the_place_of_the_one_for_all(world, told):
    world.create("own", "in 1 minute", fail, on_failure=hooks.failed_async, max_retries=0)
    world.create("other", "in 2 minutes", fail, max_retries=0)
    await world.start(on_failure=hooks.failed, on_deactivate=hooks.put_to_rest_async)
    await world.run(180)
    assert [call["job_name"] for call in told.named("failed_async")] == ["own"]
    assert [call["job_name"] for call in told.named("failed")] == ["other"]
    assert len(told.named("put_to_rest_async")) == 2
    assert len(told.calls) == 4


async def test_a_job_whose_firing_took_its_process_down_three_times_is_told_of_at_the_start(world, told, caplog):
    job = world.create("deadly", "every 1 hour", sleeping(600), max_retries=0, on_deactivate=hooks.put_to_rest)
    await world.start()
    await world.run(3601)
    for _ in range(3):
        assert told.calls == []
        await world.crash()
        await world.start()
        await world.run(1)
    assert world.job(job).status is JobStatus.DEACTIVATED
    (call,) = told.named("put_to_rest")
    assert call["reason"] == world.job(job).status_reason == "failed once: the process died 3 times"
    (record,) = records(caplog, "'deadly' is deactivated")
    assert record.job_id == job
    assert record.execution_id == world.rows(job)[-1].id


async def test_an_end_that_was_written_though_that_seemed_to_fail_is_told_once(world, told):
    async def lose_the_answer(call):
        world.writer.failing_answers = 1
        fail(call)

    job = world.create("doomed", "every 1 hour", lose_the_answer, on_failure=hooks.failed, retry_delay="1 day")
    await world.start()
    await world.run(3660)
    (row, _) = world.rows(job)
    assert [call["execution_id"] for call in told.named("failed")] == [row.id]


# -- what goes wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", [hooks.failed, hooks.failed_async])
@pytest.mark.parametrize("error", [ValueError("two\nlines"), SystemExit(3), KeyboardInterrupt()])
async def test_an_error_of_a_hook_is_logged_and_changes_nothing_else(world, told, caplog, hook, error):
    def then(call):
        raise error

    told.then = then
    job = world.create("doomed", "every 1 hour", fail, on_failure=hook, max_retries=1, retry_delay="1 minute")
    other = world.create("other", "every 1 minute", lambda call: None)
    await world.start()
    await world.run(3600 + 90)
    assert world.job(job).status is JobStatus.DEACTIVATED
    assert len(world.calls_of(other)) == 61
    first, _ = records(caplog, "the on_failure hook of job 'doomed' failed")
    assert type(error).__name__ in first.getMessage()
    assert "\n" not in first.getMessage()
    assert (first.name, first.job_id) == ("aurora_scheduler.engine", job)
    assert first.execution_id == world.rows(job)[0].id
    assert "in then" in first.stack_info


async def test_a_hook_that_is_not_there_any_more_is_told_of_and_found_when_it_is_back(world, told, caplog, monkeypatch):
    job = world.create("doomed", "every 1 hour", fail, on_failure=hooks.failed, max_retries=9, retry_delay="1 minute")
    monkeypatch.delattr(hooks, "failed")
    await world.start()
    await world.run(3601)
    (record,) = records(caplog, "the on_failure hook of job 'doomed' failed")
    assert "was it renamed or moved?" in record.getMessage()
    monkeypatch.undo()
    await world.run(60)
    assert [call["attempt"] for call in told.named("failed")] == [2]
    assert world.job(job).is_active


async def test_hooks_that_block_hold_up_no_firing_and_are_left_alone_after_a_minute(world, told, caplog):
    told.then = lambda call: trio.from_thread.run(world.park, trio.sleep, 7200)
    doomed = [
        world.create(f"doomed {number}", "in 1 minute", fail, max_retries=0, on_failure=hooks.failed)
        for number in range(50)
    ]
    plain = world.create("plain", "every 10 seconds", lambda call: None, sync=True)
    await world.start(max_workers=1)
    await world.run(115)
    assert {world.job(job).status for job in doomed} == {JobStatus.DEACTIVATED}
    assert [row.lateness.total_seconds() for row in world.rows(plain)] == [0.0] * 11
    assert len(told.calls) == 40, "as many as there are threads for hooks"
    world.pause(plain)
    await world.run(10)
    assert len(records(caplog, "it has not ended within 60 s")) == 50
    await world.stop()
    assert not world.engine.abandoned
    await world.run(7200)


async def test_an_async_hook_that_never_ends_is_cancelled_after_a_minute(world, told, caplog):
    over = []

    async def never(call):
        try:
            await trio.sleep_forever()
        finally:
            over.append(world.now)

    told.then = never
    world.create("doomed", "in 1 minute", fail, max_retries=0, on_failure=hooks.failed_async)
    await world.start()
    await world.run(200)
    assert over == [START + 2 * MINUTE]
    assert len(records(caplog, "it has not ended within 60 s")) == 1


async def test_of_very_many_hooks_at_once_some_are_left_out_and_named(world, told, caplog, monkeypatch):
    monkeypatch.setattr(engine_hooks, "_MOST", 2)

    async def slowly(call):
        await trio.sleep(10)

    told.then = slowly
    for number in range(5):
        world.create(f"doomed {number}", "in 1 minute", fail, on_failure=hooks.failed_async)
    await world.start()
    await world.run(65)
    assert len(told.calls) == 2
    assert len(records(caplog, "is left out: 2 others are under way")) == 3
    await world.run(300)
    assert len(told.calls) > 2


# -- a stop ---------------------------------------------------------------------------------------------------------


async def test_a_stop_waits_for_the_attempts_and_for_the_hooks_that_they_lead_to(world, told):
    ended = []

    def then(call):
        trio.from_thread.run(world.park, trio.sleep, 15)
        ended.append(world.now)

    async def fail_soon(call):
        await trio.sleep(10)
        fail(call)

    told.then = then
    world.create("doomed", "in 1 minute", fail_soon, on_failure=hooks.failed, retry_delay="1 day")
    await world.start()
    await world.run(62)
    await world.stop(drain=30)
    assert ended == [world.now] == [START + MINUTE + 25 * SECOND]


@pytest.mark.parametrize("hook", [hooks.failed, hooks.failed_async])
async def test_what_has_not_ended_when_the_drain_is_over_is_cancelled(world, told, caplog, hook):
    async def sleep_in_the_loop(call):
        await trio.sleep(50)

    def sleep_in_a_thread(call):
        trio.from_thread.run(world.park, trio.sleep, 50)

    told.then = sleep_in_a_thread if hook is hooks.failed else sleep_in_the_loop
    world.create("doomed", "in 1 minute", fail, on_failure=hook, retry_delay="1 day")
    await world.start()
    await world.run(60)
    await world.stop(drain=30)
    assert world.now == START + MINUTE + 30 * SECOND
    assert not world.engine.abandoned
    (record,) = records(caplog, "it was cancelled: the scheduler stops")
    assert record.levelname == "WARNING"
    await world.run(100)


async def test_once_the_drain_is_over_no_hook_is_begun(world, told, caplog):
    async def fail_late(call):
        try:
            await trio.sleep(600)
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(5)
            fail(call)

    world.create("slow", "in 1 minute", fail_late, timeout=20, on_failure=hooks.failed, retry_delay="1 day")
    await world.start()
    await world.run(80)
    await world.stop(drain=1)
    assert told.calls == []
    assert len(records(caplog, "the on_failure hook of job 'slow' is left out: the scheduler stops")) == 1


async def test_a_hook_that_swallows_its_cancellation_is_let_go_of_and_named(world_on_disk, told, caplog):
    world = world_on_disk

    async def stubborn(call):
        with trio.CancelScope(shield=True):
            await trio.sleep(1800)

    told.then = stubborn
    job = world.create("doomed", "in 1 minute", fail, on_failure=hooks.failed_async, retry_delay="1 day")
    await world.start()
    await world.run(60)
    world.begin_stop(30)
    await world.run(39)
    assert not world.engine.abandoned
    await world.run(2)
    assert world.engine.abandoned
    (record,) = records(caplog, "the on_failure hook of job 'doomed' did not end")
    assert record.job_id == job
    await world.run(1800)
