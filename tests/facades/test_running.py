"""Callbacks, through the facades: where they run, what they are given, how they end, and hostile ones."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trio

from aurora_scheduler import CronService, Execution, SchedulerManager
from facades import callbacks
from facades.callbacks import Stage
from facades.waiting import DEADLINE, eventually, finishes, soon


def run(cron: CronService, callback: Any, args: dict[str, Any] | None = None, **options: Any) -> Execution:
    """Have a callback run, once, and wait for its end."""
    options = {"name": "x", "relative_time": "every 1 hour", "max_retries": 0} | options
    job_id = cron.schedule_relative(callback=callback, callback_args=args, **options)
    return finishes(lambda: cron.run_job(job_id, wait=True))


async def run_on(manager: SchedulerManager, callback: Any, args: dict[str, Any] | None = None, **options: Any):
    options = {"name": "x", "schedule": "every 1 hour", "max_retries": 0} | options
    job_id = await manager.create_job(callback=callback, callback_args=args, **options)
    with anyio.fail_after(DEADLINE):
        return await manager.run_job(job_id, wait=True)


# -- where it runs ----------------------------------------------------------------------------------------------


def test_a_plain_function_runs_in_a_worker_thread(cron: CronService, stage: Stage):
    assert run(cron, callbacks.note_thread, stage.args).status == "succeeded"
    ((thread, _),) = stage.notes
    ours = {each.ident for each in threading.enumerate() if each.name == "aurora-scheduler"}
    assert thread not in {threading.get_ident(), *ours}


@pytest.mark.parametrize("options", [{}, {"runner": "auto"}, {"runner": "trio"}])
def test_an_async_function_runs_in_the_schedulers_own_trio_loop(cron: CronService, options, stage: Stage):
    assert run(cron, callbacks.note_loop, stage.args, **options).status == "succeeded"
    (ours,) = [each.ident for each in threading.enumerate() if each.name == "aurora-scheduler"]
    assert stage.notes == [(ours, "trio")]


@pytest.mark.anyio
async def test_an_app_callback_runs_on_the_loop_that_initialised(
    anyio_backend: str, manager: SchedulerManager, stage: Stage
):
    assert (await run_on(manager, callbacks.note_loop, stage.args, runner="app")).status == "succeeded"
    assert stage.notes == [(threading.get_ident(), anyio_backend)]


@pytest.mark.anyio
async def test_the_managers_runner_is_the_default_of_async_callbacks(anyio_backend: str, database: Path, stage: Stage):
    async with SchedulerManager(database, runner="app") as manager:
        await run_on(manager, callbacks.note_loop, stage.args)
        await run_on(manager, callbacks.note_loop, stage.args, runner="trio")
        assert (await run_on(manager, callbacks.note_thread, stage.args)).status == "succeeded"
    assert [library for _, library in stage.notes] == [anyio_backend, "trio", None]


def test_asyncio_code_runs_on_an_asyncio_loop(database: Path, stage: Stage):
    async def main() -> Execution:
        async with SchedulerManager(database) as manager:
            return await run_on(manager, callbacks.sleep_on_asyncio, stage.args, runner="app")

    assert asyncio.run(main()).result == {"success": True, "message": "slept"}
    assert stage.notes == [threading.get_ident()]


def test_asyncio_code_in_the_trio_loop_fails_and_names_the_way_out(cron: CronService, stage: Stage):
    execution = run(cron, callbacks.sleep_on_asyncio, stage.args)
    assert execution.status == "failed"
    assert execution.error is not None
    assert 'runner="app"' in execution.error
    assert stage.notes == []


def test_an_app_callback_without_an_app_fails_and_says_so(cron: CronService, stage: Stage):
    execution = run(cron, callbacks.note_loop, stage.args, runner="app")
    assert execution.status == "failed"
    assert execution.error is not None
    assert "initialised without a loop" in execution.error


@pytest.mark.parametrize("loop", [asyncio.run, trio.run])
def test_an_app_callback_whose_loop_is_gone_fails_and_says_so(database: Path, loop, stage: Stage):
    cron = CronService(database)

    async def initialize() -> None:
        await cron.initialize()

    loop(initialize() if loop is asyncio.run else initialize)
    execution = run(cron, callbacks.note_loop, stage.args, runner="app")
    assert execution.status == "failed"
    assert execution.error is not None
    assert "is gone" in execution.error
    assert stage.notes == []
    cron.shutdown()


@pytest.mark.anyio
async def test_an_app_callback_whose_loop_does_not_answer_fails_and_never_runs(
    anyio_backend: str, database: Path, monkeypatch: pytest.MonkeyPatch, stage: Stage
):
    monkeypatch.setattr("aurora_scheduler.engine.runners._ANSWER_WITHIN", 0.3)
    cron = CronService(database)
    await cron.initialize()
    # This plain call blocks the very loop that the callback would be awaited on.
    execution = run(cron, callbacks.note_loop, stage.args, runner="app")
    assert execution.status == "failed"
    assert execution.error is not None
    assert "loop did not begin it" in execution.error
    for _ in range(5):  # now the loop would have its chance
        await anyio.lowlevel.checkpoint()
    assert stage.notes == []
    cron.shutdown()


@pytest.mark.anyio
async def test_an_app_callback_is_cancelled_on_its_own_loop_when_its_time_is_up(
    anyio_backend: str, manager: SchedulerManager, stage: Stage
):
    execution = await run_on(manager, callbacks.wait_async, stage.args, runner="app", timeout=0.2)
    assert (execution.status, execution.reason) == ("timed_out", "timeout")
    await stage.has_ended()
    assert stage.notes == ["Cancelled" if anyio_backend == "trio" else "CancelledError"]


@pytest.mark.parametrize("loop", [asyncio.run, trio.run])
def test_an_app_callback_whose_loop_ends_while_it_runs_has_failed(database: Path, loop, stage: Stage):
    """It was not the scheduler that cancelled it: it is to be tried again."""
    cron = CronService(database)
    job_id = None

    async def main() -> None:
        nonlocal job_id
        await cron.initialize()
        job_id = cron.schedule_relative(
            name="x",
            relative_time="every 1 hour",
            callback=callbacks.wait_async,
            callback_args=stage.args,
            runner="app",
        )
        cron.run_job(job_id)
        await stage.has_begun()

    loop(main() if loop is asyncio.run else main)
    (execution,) = eventually(lambda: cron.get_executions(job_id, "failed"))
    assert execution.error is not None
    assert "loop ended" in execution.error
    assert cron.get_executions(job_id, "waiting"), "the retry"
    cron.shutdown(drain=0)


def test_an_application_that_has_a_new_loop_initialises_on_it_again(database: Path, stage: Stage):
    cron = CronService(database)
    cron.start()

    async def main() -> Execution:
        await cron.initialize()
        return await asyncio.to_thread(run, cron, callbacks.sleep_on_asyncio, stage.args, runner="app")

    assert [asyncio.run(main()).status for _ in range(2)] == ["succeeded", "succeeded"]
    cron.shutdown()


@pytest.mark.anyio
async def test_a_loop_that_still_runs_keeps_the_app_callbacks(
    anyio_backend: str, manager: SchedulerManager, stage: Stage
):
    await anyio.to_thread.run_sync(trio.run, manager.initialize)
    assert (await run_on(manager, callbacks.note_loop, stage.args, runner="app")).status == "succeeded"
    assert stage.notes == [(threading.get_ident(), anyio_backend)]


@pytest.mark.anyio
async def test_a_loop_that_is_blocked_while_it_runs_an_app_callback_holds_up_that_one_alone(
    anyio_backend: str, database: Path, stage: Stage
):
    async with SchedulerManager(database) as manager:
        job_id = await manager.create_job(
            name="x", schedule="every 1 hour", callback=callbacks.wait_async, callback_args=stage.args, runner="app",
            timeout=0.2,
        )  # fmt: skip
        await manager.run_job(job_id)
        await stage.has_begun()
        with CronService(database) as other:  # whose plain calls block this loop
            assert eventually(lambda: other.get_executions(job_id, "cancelling"))
            run_elsewhere = run(other, callbacks.nothing_async)
            assert run_elsewhere.status == "succeeded"
            assert not stage.notes, "it could not hear of it yet"
        (execution,) = await soon(lambda: manager.get_executions(job_id, "timed_out"))
        assert execution.reason == "timeout"
        assert stage.notes == ["Cancelled" if anyio_backend == "trio" else "CancelledError"]


# -- what it is given -------------------------------------------------------------------------------------------


def test_a_callback_is_given_the_context_that_it_asks_for(cron: CronService, stage: Stage):
    execution = run(cron, callbacks.note_context, stage.args, timezone="Asia/Tokyo")
    (context,) = stage.notes
    key = f"{execution.job_id}:{execution.scheduled_for.astimezone(UTC).isoformat().replace('+00:00', 'Z')}"
    assert context == {
        "job_id": execution.job_id,
        "job_name": "x",
        "execution_id": execution.id,
        "scheduled_for": execution.scheduled_for,
        "attempt": 1,
        "idempotency_key": key,
    }
    assert str(context["scheduled_for"].tzinfo) == "Asia/Tokyo"


def test_a_callback_is_not_given_what_it_does_not_ask_for(cron: CronService, stage: Stage):
    run(cron, callbacks.note_some_context, stage.args)
    run(cron, callbacks.note_any, {**stage.args, "anything": 1})
    assert stage.notes == [1, ["anything", "stage"]]


def test_an_argument_goes_before_the_context_of_the_same_name(cron: CronService, stage: Stage):
    run(cron, callbacks.note_some_context, {**stage.args, "attempt": 99})
    assert stage.notes == [99]


@pytest.mark.parametrize("callback", [callbacks.leave_a_trace, callbacks.leave_a_trace_async])
def test_every_execution_has_a_context_of_its_own(cron: CronService, callback, stage: Stage):
    job_id = cron.schedule_relative(name="x", relative_time="every 1 hour", callback=callback, callback_args=stage.args)
    for _ in range(3):
        finishes(lambda: cron.run_job(job_id, wait=True))
    assert stage.notes == ["nothing yet"] * 3


@pytest.mark.anyio
async def test_every_execution_in_the_app_has_a_context_of_its_own(
    anyio_backend: str, manager: SchedulerManager, stage: Stage
):
    callbacks.seen.set("the application's own")
    for _ in range(2):
        execution = await run_on(manager, callbacks.leave_a_trace_async, stage.args, runner="app")
        assert execution.error is None
    assert len(set(stage.notes)) == 1
    assert callbacks.seen.get() == "the application's own"


@pytest.mark.parametrize(
    ("value", "result"),
    [
        (None, {"success": True}),
        ("text", {"success": True, "message": "text"}),
        (7, {"success": True, "message": "7"}),
        ({"message": "fine", "rows": [1, 2]}, {"success": True, "message": "fine", "rows": [1, 2]}),
        ({"success": True}, {"success": True}),
    ],
)
def test_what_a_callback_returns_is_its_result(cron: CronService, value, result):
    execution = run(cron, callbacks.answer, {"value": value})
    assert (execution.status, execution.result, execution.error) == ("succeeded", result, None)


def test_a_callback_that_returns_success_false_has_failed(cron: CronService):
    execution = run(cron, callbacks.answer, {"value": {"success": False, "error": "no such host"}})
    assert (execution.status, execution.error) == ("failed", "no such host")
    assert cron.get_job_status(execution.job_id)["last_run_result"] == {"success": False, "error": "no such host"}


# -- cancelling -------------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("runner", ["trio", "app"])
async def test_an_async_execution_is_cancelled_at_its_next_checkpoint(
    anyio_backend: str, manager: SchedulerManager, runner: str, stage: Stage
):
    job_id = await manager.create_job(
        name="x", schedule="every 1 hour", callback=callbacks.wait_async, callback_args=stage.args, runner=runner
    )
    asked = await manager.run_job(job_id)
    await stage.has_begun()
    assert await manager.cancel_execution(asked.id)
    await soon(lambda: manager.get_executions(job_id, "cancelled"))
    (execution,) = await manager.get_executions(job_id)
    assert execution.reason == "cancelled by hand"
    assert execution.finished_at is not None
    assert stage.notes == ["Cancelled" if runner == "trio" or anyio_backend == "trio" else "CancelledError"]
    job = await manager.get_job(job_id)
    assert job is not None
    assert (job.status, job.retry_count) == ("active", 0), "a cancelled attempt is no failure"


def test_a_thread_is_recorded_as_cancelled_when_it_has_returned(cron: CronService, stage: Stage):
    job_id = cron.schedule_relative(
        name="x", relative_time="every 1 hour", callback=callbacks.wait_in_thread, callback_args=stage.args
    )
    asked = cron.run_job(job_id)
    assert stage.begun.wait(DEADLINE)
    assert cron.cancel_execution(asked.id)
    assert [row.status for row in cron.get_executions(job_id)] == ["cancelling"]
    assert cron.cancel_execution(asked.id), "a second time is no error"
    stage.may_end.set()
    (execution,) = eventually(lambda: cron.get_executions(job_id, "cancelled"))
    assert (execution.id, execution.reason) == (asked.id, "cancelled by hand")
    assert execution.result == {"success": True, "message": "waited"}, "what it came to is kept"


def test_an_execution_that_waits_is_cancelled_on_the_spot(database: Path, stage: Stage):
    async def main() -> None:
        manager = SchedulerManager(database)
        await manager.initialize()
        job_id = await manager.create_job(
            name="x", schedule="every 1 hour", callback=callbacks.note, callback_args=stage.args
        )
        asked = await manager.run_job(job_id)
        assert await manager.cancel_execution(asked.id)
        assert [row.status for row in await manager.get_executions(job_id)] == ["cancelled"]
        assert not await manager.cancel_execution(asked.id)
        manager.start()
        assert (await manager.run_job(job_id, wait=True)).status == "succeeded"
        await manager.stop()

    trio.run(main)
    assert stage.notes == ["called"]


def test_a_callback_that_swallows_its_cancellation_is_let_go_at_the_stop(
    database: Path, monkeypatch: pytest.MonkeyPatch, stage: Stage
):
    monkeypatch.setattr("aurora_scheduler.engine.engine._AFTER_CANCEL", 0.2)
    cron = CronService(database)
    cron.start()
    job_id = cron.schedule_relative(
        name="x", relative_time="every 1 hour", callback=callbacks.swallow_cancellation, callback_args=stage.args
    )
    cron.run_job(job_id)
    assert stage.begun.wait(DEADLINE)
    finishes(lambda: cron.shutdown(drain=0))
    assert not stage.ended.is_set()
    stage.may_end.set()
    assert stage.ended.wait(DEADLINE)
    eventually(lambda: not [each for each in threading.enumerate() if each.name == "aurora-scheduler"])
    with CronService(database) as cron:
        eventually(lambda: cron.get_executions(job_id, "succeeded"))
        assert [(row.attempt, row.status) for row in cron.get_executions(job_id)] == [(2, "succeeded"), (1, "lost")]


# -- hostile ones -----------------------------------------------------------------------------------------------

HOSTILE = {
    "exit": (callbacks.exit_process, "SystemExit: 3"),
    "exit, async": (callbacks.exit_process_async, "SystemExit: 3"),
    "interrupt": (callbacks.interrupt, "KeyboardInterrupt"),
    "interrupt, async": (callbacks.interrupt_async, "KeyboardInterrupt"),
    "odd": (callbacks.raise_odd, "Odd: odd"),
    "odd, async": (callbacks.raise_odd_async, "Odd: odd"),
    "error": (callbacks.fail, "OSError: no such host"),
    "group": (callbacks.raise_group, "ExceptionGroup: two at once (2 sub-exceptions)"),
}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_whatever_a_callback_raises_fails_its_execution_and_nothing_else(cron: CronService, hostile: str):
    callback, error = HOSTILE[hostile]
    execution = run(cron, callback)
    assert execution.status == "failed"
    assert execution.error is not None
    assert execution.error.endswith(error)
    assert execution.result == {"success": False, "error": execution.error}
    assert execution.traceback is not None
    assert callback.__name__ in execution.traceback
    assert run(cron, callbacks.nothing).status == "succeeded"
    assert run(cron, callbacks.nothing_async).status == "succeeded"


@pytest.mark.anyio
@pytest.mark.parametrize("hostile", [each for each in HOSTILE if each.endswith("async")])
async def test_whatever_an_app_callback_raises_leaves_the_app_alone(
    anyio_backend: str, manager: SchedulerManager, hostile: str
):
    callback, error = HOSTILE[hostile]
    execution = await run_on(manager, callback, runner="app")
    assert execution.status == "failed"
    assert execution.error is not None
    assert execution.error.endswith(error)
    assert (await run_on(manager, callbacks.nothing_async, runner="app")).status == "succeeded"


def test_an_exception_group_is_kept_as_a_tree(cron: CronService):
    plain, nested = run(cron, callbacks.raise_group), run(cron, callbacks.raise_group_async)
    for execution, parts in ((plain, ["ValueError: first", "KeyError: 'second'"]), (nested, ["left", "right"])):
        assert execution.status == "failed"
        assert execution.traceback is not None
        assert all(part in execution.traceback for part in parts)


def test_a_huge_result_is_cut_and_flagged(cron: CronService):
    execution = run(cron, callbacks.return_much)
    assert execution.status == "succeeded"
    assert execution.result is not None
    assert execution.result["flags"] == ["cut"]
    assert execution.result["message"] == "much"
    assert 1_000 < len(str(execution.result)) < 70_000


@pytest.mark.parametrize("callback", [callbacks.return_unserialisable, callbacks.return_cycle])
def test_a_result_that_is_not_json_is_kept_as_its_repr_and_flagged(cron: CronService, callback):
    execution = run(cron, callback)
    assert execution.status == "succeeded"
    assert execution.result is not None
    assert execution.result["flags"] == ["not_json"]
    assert "'data': " in execution.result["repr"]


def test_a_result_without_a_repr_ends_nothing(cron: CronService):
    assert run(cron, callbacks.return_without_repr).status == "succeeded"


def test_a_coroutine_from_a_plain_function_is_a_failure_with_advice(cron: CronService):
    execution = run(cron, callbacks.return_coroutine)
    assert execution.status == "failed"
    assert execution.error is not None
    assert "declare it `async def`" in execution.error
