"""Calls from everywhere at once: threads, two kinds of event loop, callbacks; and callers that are cancelled."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
import trio

from aurora_scheduler import CronService, Execution, Job, NewJob, SchedulerManager, SchedulerStopped
from facades import callbacks
from facades.callbacks import Stage
from facades.waiting import DEADLINE, eventually, finishes, soon

HOURLY = {"schedule": "every 1 hour", "callback": callbacks.nothing}

# -- many at once -----------------------------------------------------------------------------------------------

EACH = 10


def _use_plainly(cron: CronService, who: str) -> None:
    """Create, read, change and delete; of the jobs with even numbers nothing is left."""
    for number in range(EACH):
        name = f"{who} {number}"
        job_id = cron.schedule_relative(name=name, relative_time="every 1 hour", callback=callbacks.nothing)
        job = cron.get_job(job_id)
        assert job is not None
        assert job.name == name
        if number % 2 == 0:
            assert cron.cancel_job(job_id)
            assert cron.get_job(job_id) is None
        else:
            assert cron.pause_job(job_id)
            assert cron.get_job_status(job_id)["status"] == "paused"
            assert cron.resume_job(job_id)


async def _use(manager: SchedulerManager, who: str) -> None:
    """The same, from an event loop, with several calls at once."""

    async def one(number: int) -> None:
        name = f"{who} {number}"
        job_id = await manager.create_job(name=name, **HOURLY)
        job = await manager.get_job(job_id)
        assert job is not None
        assert job.name == name
        if number % 2 == 0:
            assert await manager.delete_job(job_id)
            assert await manager.get_job(job_id) is None
        else:
            assert (await manager.update_job(job_id, tags=["seen"])).tags == ("seen",)

    async with anyio.create_task_group() as tasks:
        for number in range(EACH):
            tasks.start_soon(one, number)


def _everybody(uses: list[Callable[[], object]]) -> None:
    """All of them at once, each in a thread of its own."""
    errors: list[BaseException] = []

    def run(use: Callable[[], object]) -> None:
        try:
            use()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(use,), daemon=True) for use in uses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert errors == []
    assert not any(thread.is_alive() for thread in threads)


def _left_over(users: list[str]) -> set[str]:
    return {f"{who} {number}" for who in users for number in range(EACH) if number % 2}


def test_eight_threads_and_two_loops_lose_nothing(cron: CronService, database: Path):
    manager = SchedulerManager(database)
    asyncio.run(manager.initialize())
    plain = [f"thread {number}" for number in range(8)]
    uses: list[Callable[[], object]] = [partial(_use_plainly, cron, who) for who in plain]
    uses.append(lambda: asyncio.run(_use(manager, "asyncio")))
    uses.append(lambda: trio.run(_use, manager, "trio"))
    _everybody(uses)
    left = _left_over([*plain, "asyncio", "trio"])
    assert {job.name for job in cron.get_all_jobs()} == left
    assert {job.name for job in asyncio.run(manager.get_all_jobs())} == left
    asyncio.run(manager.stop())


def test_every_loop_may_use_a_manager_that_another_one_initialised(database: Path):
    manager = SchedulerManager(database)
    trio.run(manager.initialize)
    manager.start()
    _everybody([lambda: asyncio.run(_use(manager, "asyncio")), lambda: trio.run(_use, manager, "trio")])
    (job, *_) = asyncio.run(manager.get_all_jobs())
    assert trio.run(partial(manager.run_job, job.id, wait=True)).status == "succeeded"
    asyncio.run(manager.stop())


def test_runs_asked_for_by_many_are_each_answered_with_their_own(cron: CronService):
    ids = [
        cron.schedule_relative(name=str(n), relative_time="every 1 hour", callback=callbacks.nothing) for n in range(8)
    ]
    answers: list[Execution] = []

    def run(job_id: str) -> None:
        answers.append(cron.run_job(job_id, wait=True))

    _everybody([partial(run, job_id) for job_id in ids])
    assert {answer.job_id for answer in answers} == set(ids)
    assert all(answer.status == "succeeded" for answer in answers)


@pytest.mark.anyio
async def test_edits_at_once_are_all_made(manager: SchedulerManager):
    job_id = await manager.create_job(name="x", **HOURLY)
    changes: list[dict[str, Any]] = [
        {"name": "y"},
        {"tags": ["a"]},
        {"max_retries": 7},
        {"retry_delay": 9},
        {"max_runs": 5},
    ]
    async with anyio.create_task_group() as tasks:
        for change in changes:
            tasks.start_soon(partial(manager.update_job, job_id, **change))
    job = await manager.get_job(job_id)
    assert job is not None
    assert (job.name, job.tags, job.max_retries, job.retry_delay.seconds, job.max_runs) == ("y", ("a",), 7, 9, 5)


@pytest.mark.anyio
async def test_of_many_that_create_the_same_id_one_succeeds(manager: SchedulerManager):
    outcomes: list[str] = []

    async def create(name: str) -> None:
        try:
            await manager.create_job(name=name, job_id="same", **HOURLY)
            outcomes.append("created")
        except Exception as error:
            outcomes.append(type(error).__name__)

    async with anyio.create_task_group() as tasks:
        for number in range(8):
            tasks.start_soon(create, str(number))
    assert sorted(outcomes) == ["JobExistsError"] * 7 + ["created"]
    assert len(await manager.get_all_jobs()) == 1


# -- callers that are cancelled ---------------------------------------------------------------------------------


async def _cancel_in_asyncio(call: Callable[[], Awaitable[object]], steps: int) -> bool:
    """Cancel the call after so many turns of the loop. Whether it had answered before."""
    task = asyncio.ensure_future(call())
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return False
    return True


async def _cancel_in_trio(call: Callable[[], Awaitable[object]], steps: int) -> bool:
    with trio.move_on_after(0 if steps < 2 else 0.001 * steps) as scope:
        await call()
    return not scope.cancelled_caught


@pytest.mark.anyio
async def test_of_a_cancelled_call_all_is_there_or_nothing(anyio_backend: str, manager: SchedulerManager):
    cancel = _cancel_in_asyncio if anyio_backend == "asyncio" else _cancel_in_trio
    for steps in range(12):
        jobs = [NewJob(name=f"{steps}", tags=[str(steps)], **HOURLY) for _ in range(20)]
        answered = await cancel(partial(manager.create_jobs, jobs), steps)
        # Calls are taken in order: with the answer to this one the fate of the one before is sealed.
        await manager.create_job(name="seal", job_id="seal", if_exists="keep", **HOURLY)
        found = await manager.get_all_jobs(tag=str(steps))
        assert len(found) in ((20,) if answered else (0, 20))
        assert await manager.get_all_jobs(tag=str(steps)) == found
        assert all(job.next_run_time is not None for job in found)


@pytest.mark.anyio
async def test_a_run_whose_caller_no_longer_waits_goes_on(anyio_backend: str, manager: SchedulerManager, stage: Stage):
    job_id = await manager.create_job(
        name="x", schedule="every 1 hour", callback=callbacks.wait_async, callback_args=stage.args
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(manager.run_job, job_id, wait=True))
        await stage.has_begun()
        tasks.cancel_scope.cancel()
    assert [row.status for row in await manager.get_executions(job_id)] == ["running"]
    stage.may_end.set()
    await soon(lambda: manager.get_executions(job_id, "succeeded"))
    assert stage.notes == []


@pytest.mark.anyio
async def test_a_cancelled_initialize_can_be_made_again(anyio_backend: str, database: Path):
    manager = SchedulerManager(database)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await manager.initialize()
    with anyio.fail_after(DEADLINE):
        async with manager:
            job_id = await manager.create_job(name="x", **HOURLY)
            assert (await manager.run_job(job_id, wait=True)).status == "succeeded"


# -- from inside callbacks --------------------------------------------------------------------------------------


def _use_all(cron: CronService, job_id: str) -> dict[str, Any]:
    """Every plain call there is, about another job and about oneself."""
    other = cron.schedule_relative(name="child", relative_time="every 1 hour", callback=callbacks.nothing)
    child = cron.get_job(other)
    assert child is not None
    assert child.name == "child"
    assert len(cron.get_all_jobs()) == 2
    assert cron.pause_job(other)
    assert cron.resume_job(other)
    assert cron.run_job(other).status == "waiting"
    assert [row.status for row in cron.get_executions(job_id)] == ["running"]
    assert cron.get_job_status(job_id)["is_active"]
    eventually(lambda: cron.get_executions(other, "succeeded"))
    assert cron.cancel_job(other)
    return {"message": "all of it"}


async def _await_all(manager: SchedulerManager, job_id: str) -> dict[str, Any]:
    """Every async call there is, about another job and about oneself."""
    other = await manager.create_job(name="child", **HOURLY)
    child = await manager.get_job(other)
    assert child is not None
    assert child.name == "child"
    assert len(await manager.get_all_jobs()) == 2
    assert (await manager.update_job(other, name="grown")).name == "grown"
    assert await manager.deactivate_job(other)
    assert await manager.activate_job(other)
    assert (await manager.run_job(other)).status == "waiting"
    assert [row.status for row in await manager.get_executions(job_id)] == ["running"]
    await soon(lambda: manager.get_executions(other, "succeeded"))
    assert await manager.delete_job(other)
    return {"message": "all of it"}


def test_a_callback_in_a_thread_makes_every_plain_call(cron: CronService, stage: Stage):
    stage.scheduler = partial(_use_all, cron)
    job_id = cron.schedule_relative(
        name="x", relative_time="every 1 hour", callback=callbacks.call, callback_args=stage.args
    )
    execution = finishes(lambda: cron.run_job(job_id, wait=True))
    assert (execution.status, execution.error) == ("succeeded", None)
    assert [job.id for job in cron.get_all_jobs()] == [job_id]


@pytest.mark.anyio
@pytest.mark.parametrize("runner", ["trio", "app"])
async def test_an_async_callback_makes_every_async_call(
    anyio_backend: str, manager: SchedulerManager, runner: str, stage: Stage
):
    stage.scheduler = partial(_await_all, manager)
    job_id = await manager.create_job(
        name="x", schedule="every 1 hour", callback=callbacks.call_async, callback_args=stage.args, runner=runner
    )
    with anyio.fail_after(DEADLINE):
        execution = await manager.run_job(job_id, wait=True)
    assert (execution.status, execution.error) == ("succeeded", None)
    assert stage.notes == ["trio" if runner == "trio" else anyio_backend]


def test_an_async_callback_makes_plain_calls_on_the_schedulers_own_loop(cron: CronService, stage: Stage):
    async def use(job_id: str) -> str | None:
        other = cron.schedule_relative(name="child", relative_time="every 1 hour", callback=callbacks.nothing)
        assert cron.get_job(other) is not None
        assert cron.run_job(other).status == "waiting"
        assert cron.cancel_job(other)
        return other

    stage.scheduler = use
    job_id = cron.schedule_relative(
        name="x", relative_time="every 1 hour", callback=callbacks.call_async, callback_args=stage.args
    )
    execution = finishes(lambda: cron.run_job(job_id, wait=True))
    assert (execution.status, execution.error) == ("succeeded", None)


def test_a_callback_deletes_its_own_job(cron: CronService, stage: Stage):
    stage.scheduler = cron
    job_id = cron.schedule_relative(
        name="x", relative_time="every 1 hour", callback=callbacks.delete_itself, callback_args=stage.args
    )
    execution = finishes(lambda: cron.run_job(job_id, wait=True))
    assert (execution.status, execution.error, stage.notes) == ("succeeded", None, ["deleted"])
    assert cron.get_all_jobs() == []
    assert cron.get_executions(job_id) == [execution]


def test_a_callback_pauses_edits_or_replaces_its_own_job(cron: CronService, stage: Stage):
    def replace(job_id: str) -> None:
        assert cron.pause_job(job_id)
        assert cron.cancel_job(job_id)
        cron.schedule_relative(name="new", relative_time="in 1 hour", callback=callbacks.nothing, job_id=job_id)

    stage.scheduler = replace
    job_id = cron.schedule_relative(
        name="old", relative_time="every 1 hour", callback=callbacks.call, callback_args=stage.args, job_id="x"
    )
    execution = finishes(lambda: cron.run_job(job_id, wait=True))
    assert (execution.status, execution.job_name) == ("succeeded", "old")
    (job,) = cron.get_all_jobs()
    assert (job.name, job.last_run_result) == ("new", None), "what the old job did is not the new one's"


def test_a_callback_cancels_its_own_execution(cron: CronService, stage: Stage):
    def cancel(job_id: str) -> None:
        (running,) = cron.get_executions(job_id, "running")
        assert cron.cancel_execution(running.id)

    stage.scheduler = cancel
    job_id = cron.schedule_relative(
        name="x", relative_time="every 1 hour", callback=callbacks.call, callback_args=stage.args
    )
    execution = finishes(lambda: cron.run_job(job_id, wait=True))
    assert (execution.status, execution.reason) == ("cancelled", "cancelled by hand")


@pytest.mark.anyio
@pytest.mark.parametrize("runner", ["trio", "app"])
async def test_waiting_for_a_run_inside_an_async_callback_is_refused_with_the_way_out(
    anyio_backend: str, manager: SchedulerManager, runner: str, stage: Stage
):
    stage.scheduler = lambda job_id: manager.run_job(job_id, wait=True)
    job_id = await manager.create_job(
        name="x",
        schedule="every 1 hour",
        callback=callbacks.call_async,
        callback_args=stage.args,
        runner=runner,
        max_retries=0,
    )
    with anyio.fail_after(DEADLINE):
        execution = await manager.run_job(job_id, wait=True)
    assert execution.status == "failed"
    assert execution.error is not None
    assert "SchedulerStopped: wait=True from inside a callback" in execution.error
    assert "without wait" in execution.error


def test_waiting_for_a_run_inside_a_callback_in_a_thread_is_refused(cron: CronService, stage: Stage):
    stage.scheduler = cron
    job_id = cron.schedule_relative(
        name="x", relative_time="every 1 hour", callback=callbacks.wait_for_another, callback_args=stage.args
    )
    execution = finishes(lambda: cron.run_job(job_id, wait=True))
    assert execution.error is not None
    assert "wait=True from inside a callback" in execution.error


def test_a_hundred_callbacks_that_call_at_once_do_not_deadlock(cron: CronService, stage: Stage):
    """More callbacks than worker threads, all of which call."""
    stage.scheduler = lambda job_id: cron.schedule_relative(
        name="child", relative_time="every 1 hour", callback=callbacks.nothing, tags=["child"]
    )
    parents = [
        cron.schedule_relative(name="x", relative_time="every 1 hour", callback=callback, callback_args=stage.args)
        for callback in [callbacks.call] * 100
    ]
    for parent in parents:
        cron.run_job(parent)
    eventually(lambda: len(cron.get_executions(status="succeeded", limit=200)) == 100)
    assert len(cron.get_all_jobs(tag="child")) == 100


def test_calls_while_it_stops_are_answered_or_refused(database: Path):
    """None of them hangs, and what was answered is there."""
    cron = CronService(database)
    cron.start()
    created: list[str] = []
    under_way = threading.Barrier(5, timeout=DEADLINE)

    def create() -> None:
        under_way.wait()
        while True:
            try:
                created.append(cron.schedule_relative(name="x", relative_time="in 1 hour", callback=callbacks.nothing))
            except SchedulerStopped:
                return

    def stop() -> None:
        under_way.wait()
        eventually(lambda: len(created) > 10)
        cron.shutdown()

    _everybody([create] * 4 + [stop])
    with CronService(database) as cron:
        jobs: list[Job] = cron.get_all_jobs()
    assert {job.id for job in jobs} == set(created)
